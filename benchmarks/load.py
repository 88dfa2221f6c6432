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

BODY = (
    '{"id":"evt-%s","type":"appointment.created","content":{"booking":{"id":%d,"bookingMethod":"Appointment",'
    '"startsOn":"2026-12-01T15:00:00Z","endsOn":"2026-12-01T15:30:00Z","status":"Approved","client":{"id":%d,'
    '"firstName":"Ada","lastName":"Example","email":"c%d@example.com","mobilePhoneNumber":"+15145550123"}},"clientLinks":[]}}'
)


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
        self._prefix = prefix
        self._head = (
            f"POST /webhooks/stores HTTP/1.1\r\nHost: {host}\r\nAuthorization: {token}\r\nContent-Type: application/json\r\n"
        )

    def request(self) -> bytes:
        n = next(self._numbers)
        body = BODY % (f"{self._prefix}-{n}", n, n, n)
        return f"{self._head}Content-Length: {len(body)}\r\n\r\n{body}".encode()

    def answered(self, status: bytes, seconds: float) -> None:
        name = status.decode()
        self.statuses[name] = self.statuses.get(name, 0) + 1
        self.latencies.append(seconds)


async def run(port: int, connections: int, seconds: float, token: str, prefix: str) -> dict[str, object]:
    """Send for `seconds` after a second of warming up."""
    load, loop = Load(f"127.0.0.1:{port}", token, prefix), asyncio.get_running_loop()
    for _ in range(connections):
        await loop.create_connection(lambda: Sender(load), "127.0.0.1", port)
    await asyncio.sleep(1.0)
    load.statuses.clear()
    load.latencies.clear()
    begun = time.perf_counter()
    await asyncio.sleep(seconds)
    elapsed = time.perf_counter() - begun
    load.running = False
    latencies = sorted(load.latencies)
    return {
        "rate": len(latencies) / elapsed,
        "p50_ms": percentile(latencies, 0.5) * 1000,
        "p99_ms": percentile(latencies, 0.99) * 1000,
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
