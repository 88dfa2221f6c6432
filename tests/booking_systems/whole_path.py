"""The whole way for any booking system: its sandbox's webhooks over a socket, the real service, the HubSpot sandbox."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
from crms.hubspot.shapes import conforming

from connector import registry
from connector.app import Service
from connector.config import settings as config
from connector.model.backfills import Request
from connector.operations.backfill import Backfill
from connector.sandbox.hubspot.app import HubSpotSandbox
from connector.sandbox.kit.faults import Faults
from connector.sandbox.kit.json_outbox import Target
from connector.store import views

KEY = "connector_person_key"
PATH_KEY = "a-secret-part-of-the-address"
TOKEN = "a-fixed-token-of-the-sender"

CONFIG = """
[server]
port = 0
[worker]
drain_seconds = 0.5
[booking.salon]
{booking}
default_country = "CA"
path_key = "{path_key}"
limits = {{ per_second = 0, per_minute = 0 }}
timeout_seconds = 2
[booking.salon.webhook]
verify = "token"
tokens = ["{token}"]
[crm.main]
system = "hubspot"
wait_minutes = 0.01
base_url = "https://hubspot.test"
token = "sandbox-token"
limits = {{ per_10_seconds = 0, search_per_second = 0 }}
[[sync]]
booking = "salon"
crm = "main"
record_appointments = true
"""


class World:
    """A booking system's sandbox, HubSpot's, and the service between them while `running`."""

    def __init__(self, folder: Path, sandbox: Any, booking: str) -> None:
        self.sandbox = sandbox
        self.hubspot = HubSpotSandbox(unique_properties=(KEY,), per_10_seconds=None, search_per_second=None)
        self.file = folder / "connector.toml"
        self.file.write_text(CONFIG.format(booking=booking, path_key=PATH_KEY, token=TOKEN), encoding="utf-8")

    @asynccontextmanager
    async def running(self) -> AsyncIterator["World"]:
        loaded = config.load(self.file, systems=registry.Registry())
        transports = {
            "booking.salon": httpx.ASGITransport(self.sandbox.app),
            "crm.main": conforming(httpx.ASGITransport(self.hubspot.app)),
        }
        self.service = await Service.open(loaded, transports=transports)
        await self.service.start()
        self.url = f"{self.service.url}/webhooks/salon"
        self.sandbox.outbox.target = Target(self.url, key=PATH_KEY, token=TOKEN)
        try:
            yield self
        finally:
            await self.service.stop()

    @property
    def adapter(self) -> Any:
        return self.service.engine.connections.booking["salon"]

    async def deliver(self) -> None:
        """Send what waits, and let everything come to its end."""
        await self.sandbox.send_webhooks()
        await self.settled()

    async def settled(self) -> None:
        concluded = asyncio.Event()
        forget = self.service.engine.worker.watch(concluded)
        async with asyncio.timeout(60):
            while True:
                concluded.clear()
                queue = await self.read(views.queue)
                if not queue["queued"] + queue["running"] + queue["retrying"]:
                    return forget()
                await concluded.wait()

    async def read(self, view: Any, *arguments: Any, **wanted: Any) -> Any:
        return await self.service.engine.store.read(view, *arguments, **wanted)

    async def states(self) -> Counter[str]:
        return Counter(event["state"] for event in await self.events())

    async def events(self) -> list[dict[str, Any]]:
        return await self.read(views.events, limit=1_000)

    async def links(self) -> dict[str, str]:
        return {link["client_id"]: link["customer_id"] for link in await self.read(views.links)}

    async def backfill(self, since: str, until: str) -> dict[str, int]:
        job = Backfill(self.service.engine, "salon", Request(since, until), patient=False)
        async with asyncio.timeout(60):
            await job.run()
        assert job.progress.state == "done", job.progress.reason
        # It is done when every client is; further appointments of a client may still be on their way.
        await self.settled()
        return job.progress.counts

    def contacts(self) -> list[str]:
        return sorted(contact.get("email", "") for contact in self.hubspot.contacts())

    def outcomes(self) -> list[str]:
        return sorted(meeting["hs_meeting_outcome"] for meeting in self.hubspot.meetings())

    def starts(self) -> list[str]:
        return sorted(meeting["hs_meeting_start_time"] for meeting in self.hubspot.meetings())

    def fix(self) -> None:
        self.sandbox.faults = self.hubspot.faults = Faults()

    async def post(self, content: bytes, *, query: str, type_: str = "application/json", token: str = TOKEN) -> httpx.Response:
        async with httpx.AsyncClient() as client:
            headers = {"Authorization": token, "Content-Type": type_}
            return await client.post(f"{self.url}?{query}", content=content, headers=headers)
