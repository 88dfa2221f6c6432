"""A service that listens for the tests of bad input, and a client without manners."""

from __future__ import annotations

import asyncio
import base64
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx

from .world import WEBHOOK_TOKEN, RemoteSystems, Service, eventually, post, rows

HMAC_SECRET = "hmac-secret-of-the-acceptance-tests"
STANDARD_SECRET = base64.b64encode(b"standard-secret-of-the-acceptance").decode()
MORE = """
[booking.signed]
system = "booxi"
base_url = "{url}/booking/v1"
partner_key = "another-partner-key"
module_id = "hubspot"
[booking.signed.webhook]
verify = "hmac"
header = "X-Signature"
secrets = ["{hmac}"]
prefix = "sha256="
signed = "{{timestamp}}.{{body}}"
timestamp_header = "X-Timestamp"
[booking.standard]
system = "booxi"
base_url = "{url}/booking/v1"
partner_key = "another-partner-key"
module_id = "hubspot"
[booking.standard.webhook]
verify = "standard-webhooks"
secrets = ["whsec_{standard}"]
[[sync]]
booking = "signed"
crm = "main"
[[sync]]
booking = "standard"
crm = "main"
"""
ids = itertools.count(1)


@dataclass
class Listener:
    """A service with both remote systems, and a polite client."""

    sides: RemoteSystems
    service: Service
    http: httpx.AsyncClient

    async def deliver(self, body: Any, **headers: str) -> tuple[int, dict[str, Any]]:
        """Status and answer of one delivery with the right token."""
        response = await post(self.http, self.service.url, body, **headers)
        assert response.headers["content-type"] == "application/json"
        return response.status_code, response.json()

    async def raw(self, *parts: bytes, close: bool = False) -> bytes:
        """Send bytes on a connection of their own; answer what comes back until the server closes or says no more."""
        url = urlsplit(self.service.url)
        reader, writer = await asyncio.open_connection(url.hostname, url.port)
        try:
            for part in parts:
                writer.write(part)
                with suppress(ConnectionError):
                    await writer.drain()
            if close:
                writer.write_eof()
            async with asyncio.timeout(8):
                return await self._answer(reader)
        finally:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()

    async def _answer(self, reader: asyncio.StreamReader) -> bytes:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError as error:
            return error.partial
        except ConnectionError:
            return b""
        return head

    def event(self, delivery: str) -> dict[str, Any]:
        """The newest event of a delivery."""
        query = (
            "SELECT e.state, e.reason, e.hint, e.client_id, e.outcome FROM events e JOIN deliveries d ON d.id = e.delivery_id"
            " WHERE d.event = ? ORDER BY e.id DESC LIMIT 1"
        )
        (row,) = rows(self.service.database, query, delivery)
        return dict(zip(("state", "reason", "hint", "client_id", "outcome"), row, strict=True))

    async def becomes(self, delivery: str, state: str) -> dict[str, Any]:
        """Wait until the event of a delivery is in a state."""
        await eventually(lambda: self.event(delivery)["state"] == state, 20)
        return self.event(delivery)


@asynccontextmanager
async def listening(folder: Path) -> AsyncIterator[Listener]:
    """Within the block a service with three sources listens, each with another way of verifying."""
    async with RemoteSystems() as sides, httpx.AsyncClient(trust_env=False) as http:
        file = sides.config(folder, timeout=1)
        more = MORE.format(url=sides.booxi_url, hmac=HMAC_SECRET, standard=STANDARD_SECRET)
        file.write_text(file.read_text() + more, encoding="utf-8")
        service = Service(file)
        async with service.running():
            await service.first_done(sides)
            yield Listener(sides, service, http)
            assert service.process.returncode is None, service.text[-5:]


def booking(**client: Any) -> dict[str, Any]:
    """A delivery as Booxi sends it, for a client with these fields."""
    number = next(ids)
    person = {"id": 900_000 + number, "firstName": "Ada", "lastName": "Byron", "email": f"bad-{number}@example.com"}
    content = {
        "booking": {
            "bookingId": f"B-{number}",
            "bookingMethod": "Appointment",
            "status": "Approved",
            "startsOn": "2026-11-21T12:00:00Z",
            "modifiedOn": "2026-11-20T12:00:00Z",
            "items": [{"serviceId": 31, "serviceName": "Fitting"}],
            "client": {**person, **client, "presence": "Expecting"},
        },
        "clientLinks": [],
    }
    return {"id": f"bad-{number}", "type": "appointment.created", "content": content}


def status(answer: bytes) -> int:
    """The status of a raw answer; 0 where the connection was closed without one."""
    return int(answer.split()[1]) if answer.startswith(b"HTTP/") else 0


def head(*lines: str, path: str = "/webhooks/stores", method: str = "POST", token: str | None = WEBHOOK_TOKEN) -> bytes:
    first = [f"{method} {path} HTTP/1.1", "Host: localhost"]
    proof = [] if token is None else [f"Authorization: {token}"]
    return "\r\n".join([*first, *proof, *lines, "", ""]).encode("latin-1")
