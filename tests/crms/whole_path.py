"""The whole way for any CRM: Booxi's sandbox, the real service over a socket, and the CRM behind a transport."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
from booking_systems.booxi.shapes import conforming

from connector import registry
from connector.app import Service
from connector.config import settings as config
from connector.sandbox.booxi.app import BooxiSandbox
from connector.sandbox.booxi.webhooks import Target
from connector.store import views

TOMORROW = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) + timedelta(days=1)
ADA = {"firstName": "Ada", "lastName": "Byron", "email": "ada@example.com", "mobilePhoneNumber": "+1 514 555 0123"}
CONFIG = """
[server]
port = 0
[worker]
drain_seconds = 0.5
[booking.stores]
system = "booxi"
base_url = "https://booxi.test"
partner_key = "sandbox-partner-key"
module_id = "crm"
default_country = "CA"
limits = { per_second = 0, per_minute = 0 }
[booking.stores.webhook]
verify = "none"
[[sync]]
booking = "stores"
crm = "main"
record_appointments = true
[crm.main]
"""


class World:
    """Booxi's sandbox and the CRM behind `way`, and the service between them while `running`.

    `settings` are the lines of `[crm.main]`.
    """

    def __init__(self, folder: Path, settings: str, way: httpx.AsyncBaseTransport) -> None:
        self.booxi = BooxiSandbox(quota=None, module_ids=("crm",), retries=[0.05] * 200)
        self.way = way
        self._file = folder / "connector.toml"
        self._file.write_text(CONFIG + settings, encoding="utf-8")

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Service]:
        """Run the service; `service` is it."""
        loaded = config.load(self._file, systems=registry.Registry())
        transports = {"booking.stores": conforming(httpx.ASGITransport(self.booxi.app)), "crm.main": self.way}
        self.service = await Service.open(loaded, transports=transports)
        await self.service.start()
        self.booxi.outbox.target = Target(f"{self.service.url}/webhooks/stores")
        try:
            yield self.service
        finally:
            await self.service.stop()

    def book(self, clients: int, bookings: int) -> list[int]:
        """Let one person with so many client records book, an hour apart; answers the clients."""
        ids = [self.booxi.add_client(**ADA) for _ in range(clients)]
        for number in range(bookings):
            self.booxi.book(ids[number % clients], starts_at=TOMORROW + timedelta(hours=number))
        return ids

    async def settled(self, *, meanwhile: Callable[[dict[str, int]], None] | None = None) -> None:
        """Send what waits, all at once, and let everything come to its end.

        With `meanwhile`, which is given the queue at each look, what failed is tried again without its pause.
        """
        await self.booxi.send_webhooks(concurrency=50)
        concluded = asyncio.Event()
        forget = self.service.engine.worker.watch(concluded)
        async with asyncio.timeout(60):
            while True:
                concluded.clear()
                queue = await self.service.engine.store.read(views.queue)
                if not queue["queued"] + queue["running"] + queue["retrying"] and not self.booxi.outbox.waiting:
                    return forget()
                if meanwhile is not None:
                    meanwhile(queue)
                    await self.service.operations.retry(state="retrying")
                await concluded.wait()

    async def states(self) -> set[str]:
        """The states of all events."""
        return {event["state"] for event in await self.service.engine.store.read(views.events, limit=1_000)}
