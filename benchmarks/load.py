"""A small, fast load generator: keep-alive connections that each send one webhook at a time, all bodies different."""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import time
from typing import cast

import uvloop
from measuring import percentile

#: An appointment with the fields that Booxi's booking object has (facts of its public pages and published clients; 1.6 kB).
BODY = json.dumps(
    {
        "id": "evt-{prefix}-{n}",
        "type": "appointment.created",
        "content": {
            "booking": {
                "bookingId": "B{n}",
                "merchantId": 501,
                "bookingMethod": "Appointment",
                "status": "Approved",
                "isCompleted": False,
                "isScheduled": True,
                "startsOn": "2026-12-01T15:00:00Z",
                "totalClientTimespan": {"start": "2026-12-01T15:00:00Z", "end": "2026-12-01T15:30:00Z", "duration": 30},
                "staffId": 71,
                "staffFirstName": "Robin",
                "staffLastName": "Example",
                "items": [
                    {
                        "serviceId": 31,
                        "serviceName": "Fitting",
                        "price": {
                            "visibility": "Show",
                            "amount": "120.00",
                            "currency": "CAD",
                            "isStartingAt": False,
                            "tax": "Excluded",
                        },
                        "reservedClientTimespan": {
                            "start": "2026-12-01T15:00:00Z",
                            "end": "2026-12-01T15:30:00Z",
                            "duration": 30,
                        },
                        "duration": 30,
                        "spacingAfter": 10,
                        "isBusySpacingAfter": True,
                        "serviceHasAssociatedResources": False,
                    }
                ],
                "location": "Business",
                "locationText": "12 Example Street",
                "payment": {"total": "120.00", "paid": "0.00", "onlinePaymentStatus": "None"},
                "createdOn": "2026-11-20T10:00:00.120Z",
                "modifiedOn": "2026-11-20T10:00:00.120Z",
                "createdBy": "Client",
                "modifiedBy": "Client",
                "acquisitionChannel": "Website",
                "clientCount": 1,
                "quickNote": "",
                "client": {
                    "id": "NUMBER",
                    "firstName": "Ada",
                    "lastName": "Example",
                    "email": "c{n}@example.com",
                    "homePhoneNumber": None,
                    "mobilePhoneNumber": "+15145550123",
                    "presence": "Expecting",
                    "remindByEmail": True,
                    "remindBySMS": False,
                    "additionalRequest": "",
                    "address": {"street": "1 Example Street", "city": "Montréal", "country": "CA"},
                },
            },
            "clientLinks": [],
        },
    },
    separators=(",", ":"),
    ensure_ascii=False,
).replace('"NUMBER"', "{n}")


class Sender(asyncio.Protocol):
    """One connection: sends the next request as soon as the answer to the last one is complete."""

    def __init__(self, load: Load) -> None:
        self._load = load
        self._buffer = b""
        self._sent_at = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are of no class of asyncio's.
        self._transport = cast("asyncio.WriteTransport", transport)
        self._send()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, found, rest = self._buffer.partition(b"\r\n\r\n")
        if not found:
            return
        length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        if len(rest) < length:
            return
        self._buffer = b""
        self._load.answered(head[9:12], time.perf_counter() - self._sent_at)
        if self._load.running:
            self._send()

    def connection_lost(self, _error: Exception | None) -> None:
        if self._load.running:
            self._load.lost += 1

    def _send(self) -> None:
        self._sent_at = time.perf_counter()
        self._transport.write(self._load.request())


class Load:
    """Counts what comes back between `begin` and `end`."""

    def __init__(self, host: str, token: str, prefix: str) -> None:
        self.running = True
        self.lost = 0
        self.statuses: dict[str, int] = {}
        self.latencies: list[float] = []
        self._numbers = itertools.count(1)
        self.sent = 0
        self._body = BODY.replace("{prefix}", prefix).encode()
        self._head = (
            f"POST /webhooks/stores HTTP/1.1\r\nHost: {host}\r\nAuthorization: {token}\r\nContent-Type: application/json\r\n"
        ).encode()

    def request(self) -> bytes:
        n = next(self._numbers)
        self.sent = n
        body = self._body.replace(b"{n}", str(n).encode())
        return b"%sContent-Length: %d\r\n\r\n%s" % (self._head, len(body), body)

    def answered(self, status: bytes, seconds: float) -> None:
        name = status.decode()
        self.statuses[name] = self.statuses.get(name, 0) + 1
        self.latencies.append(seconds)


async def run(port: int, connections: int, seconds: float, token: str, prefix: str) -> dict[str, object]:
    """Send for `seconds` after a second of warming up."""
    load, loop = Load(f"127.0.0.1:{port}", token, prefix), asyncio.get_running_loop()
    made = [await loop.create_connection(lambda: Sender(load), "127.0.0.1", port) for _ in range(connections)]
    await asyncio.sleep(1.0)
    load.statuses.clear()
    load.latencies.clear()
    begun = time.perf_counter()
    await asyncio.sleep(seconds)
    elapsed = time.perf_counter() - begun
    load.running = False
    for transport, _ in made:
        # Who runs this again and again in one process must not leave the server more and more idle connections.
        transport.close()
    latencies = sorted(load.latencies)
    return {
        "rate": len(latencies) / elapsed,
        "p50_ms": percentile(latencies, 0.5) * 1000,
        "p99_ms": percentile(latencies, 0.99) * 1000,
        "sent": load.sent,
        "statuses": load.statuses,
        "lost": load.lost,
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("port", type=int)
    parser.add_argument("connections", type=int)
    parser.add_argument("seconds", type=float)
    parser.add_argument("token")
    parser.add_argument("prefix")
    print(json.dumps(uvloop.run(run(**vars(parser.parse_args())))))
