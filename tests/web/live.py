"""A real service between both sandboxes, with people in doubt; in this loop, or in a thread of its own for a browser."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import httpx

from connector import registry
from connector.app import Service
from connector.config import settings as config
from connector.sandbox.booxi.app import BooxiSandbox
from connector.sandbox.booxi.webhooks import Target
from connector.sandbox.hubspot.app import HubSpotSandbox
from connector.store import views

from .fakes import TOKEN

PHONE = "514-555-0104"
CONFIG = """
[server]
port = 0
{server}
[booking.stores]
system = "booxi"
base_url = "https://booxi.test"
partner_key = "sandbox-partner-key"
module_id = "hubspot"
default_country = "CA"
limits = {{ per_second = 0, per_minute = 0 }}
[booking.stores.webhook]
verify = "none"
[crm.main]
system = "hubspot"
base_url = "https://hubspot.test"
token = "sandbox-token"
limits = {{ per_10_seconds = 0, search_per_second = 0 }}
[status]
token = "{token}"
[[sync]]
booking = "stores"
crm = "main"
"""


class Shop:
    """The remote systems, and what is asked of the service that runs between them."""

    def __init__(self, folder: Path, *, server: str = "") -> None:
        self.booxi = BooxiSandbox(quota=None)
        self.hubspot = HubSpotSandbox(unique_properties=("connector_person_key",), per_10_seconds=None, search_per_second=None)
        self._file = folder / "connector.toml"
        self._file.write_text(CONFIG.format(server=server, token=TOKEN), encoding="utf-8")

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Shop]:
        """Run the service."""
        transports = {
            "booking.stores": httpx.ASGITransport(self.booxi.app),
            "crm.main": httpx.ASGITransport(self.hubspot.app),
        }
        loaded = config.load(self._file, systems=registry.Registry())
        self.service = await Service.open(loaded, transports=transports)
        await self.service.start()
        self.booxi.outbox.target = Target(f"{self.service.url}/webhooks/stores")
        try:
            yield self
        finally:
            await self.service.stop()

    def customer(self, **properties: str) -> str:
        """A customer whom the search has known for long."""
        return self.hubspot.add_contact(age=3600, **properties)

    def client(self, **fields: str) -> str:
        """Dan, who has the phone of somebody who may be him."""
        return str(self.booxi.add_client(firstName="Dan", lastName="Lee", mobilePhoneNumber=PHONE, **fields))

    async def book(self, *clients: str) -> None:
        """Every client books, and is decided about."""
        for client in clients:
            self.booxi.book(int(client))
        await self.booxi.send_webhooks()
        await self.settled()

    async def settled(self) -> None:
        """Wait until nothing is queued, running or retrying."""
        concluded = asyncio.Event()
        forget = self.service.engine.worker.watch(concluded)
        try:
            async with asyncio.timeout(60):
                while True:
                    concluded.clear()
                    queue = await self.read(views.queue)
                    if not queue["queued"] + queue["running"] + queue["retrying"]:
                        return
                    await concluded.wait()
        finally:
            forget()

    async def read(self, view: Any, *args: Any, **kwargs: Any) -> Any:
        return await self.service.engine.store.read(view, *args, **kwargs)

    async def links(self) -> dict[str, str]:
        """Customer by client."""
        return {link["client_id"]: link["customer_id"] for link in await self.read(views.links)}

    def stored(self, client: str) -> str | None:
        return self.booxi.links().get(int(client))


class Elsewhere:
    """Runs coroutines in the loop of another thread."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()

    def run(self, coroutine: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(30)

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


@contextmanager
def shop_elsewhere(folder: Path, *, server: str = "") -> Iterator[tuple[Shop, Elsewhere]]:
    """A shop that runs in a thread, for a browser that blocks this one."""
    elsewhere = Elsewhere()
    shop = Shop(folder, server=server)
    running = shop.open()
    elsewhere.run(running.__aenter__())
    try:
        yield shop, elsewhere
    finally:
        elsewhere.run(running.__aexit__(None, None, None))
        elsewhere.close()
