"""Both sandboxes behind a real engine, without sockets; every request is counted and can be held up."""

from __future__ import annotations

import asyncio
import json
import re
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
from booking_systems.booxi import shapes as booxi
from conforming import Checked
from crms.hubspot.shapes import conforming

from connector import registry
from connector.config import settings as config
from connector.model.backfills import Mode, Request
from connector.model.deliveries import Delivery
from connector.operations.backfill import Backfill
from connector.operations.dry_run.run import DryRun
from connector.operations.engine import Engine
from connector.sandbox.booxi.app import BooxiSandbox
from connector.sandbox.hubspot.app import HubSpotSandbox
from connector.sandbox.kit.faults import Faults
from connector.store import views
from connector.store.backfills import COUNTS

KEY = "connector_person_key"
#: The bookings of these tests start at noon of days counted from here.
FIRST = datetime(2026, 3, 1, 12, tzinfo=UTC)
SINCE, UNTIL = "2026-03-01", "2026-04-30"

CONFIG = """
[worker]
concurrency = {concurrency}
drain_seconds = 0.2
[booking.stores]
system = "booxi"
base_url = "https://booxi.test"
partner_key = "sandbox-partner-key"
module_id = "hubspot"
default_country = "CA"
limits = {{ per_second = 0, per_minute = 0 }}
backfill_window_days = 30
[booking.stores.webhook]
verify = "none"
[crm.main]
system = "hubspot"
wait_minutes = 0.01
base_url = "https://hubspot.test"
token = "sandbox-token"
limits = {{ per_10_seconds = 0, search_per_second = 0 }}
[[sync]]
booking = "stores"
crm = "main"
{sync}
"""


class Wire(httpx.AsyncBaseTransport):
    """The way to a sandbox. `sent` lists the requests; `on` says what comes before one that matches."""

    def __init__(self, app: Any, checked: Checked = lambda inner: inner) -> None:
        self.sent: list[str] = []
        self._inner = checked(httpx.ASGITransport(app))
        self._before: list[tuple[re.Pattern[str], Callable[[], Awaitable[None]]]] = []

    def on(self, pattern: str, before: Callable[[], Awaitable[None]]) -> None:
        self._before.append((re.compile(pattern), before))

    def clear(self) -> None:
        self._before.clear()

    def methods(self) -> Counter[str]:
        """How often each method was used; a search is a POST that changes nothing."""
        return Counter("SEARCH" if line.endswith("/search") else line.split()[0] for line in self.sent)

    def matching(self, pattern: str) -> list[str]:
        return [line for line in self.sent if re.search(pattern, line)]

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        line = f"{request.method} {request.url.path}"
        self.sent.append(line)
        for pattern, before in list(self._before):
            if pattern.search(line):
                await before()
        response = await self._inner.handle_async_request(request)
        return httpx.Response(response.status_code, headers=response.headers, content=await response.aread(), request=request)


class World:
    """The remote systems and a folder; `running` gives an engine, as often as wanted."""

    def __init__(self, folder: Path, *, concurrency: int = 8, sync: str = "", page_size: int = 3, merchants: int = 2) -> None:
        self.folder = folder
        self.booxi = BooxiSandbox(quota=None, page_size=page_size, merchants=merchants)
        self.hubspot = HubSpotSandbox(unique_properties=(KEY,), per_10_seconds=None, search_per_second=None)
        self.to_booxi, self.to_hubspot = Wire(self.booxi.app, booxi.conforming), Wire(self.hubspot.app, conforming)
        self.file = folder / "connector.toml"
        self.file.write_text(CONFIG.format(concurrency=concurrency, sync=sync), encoding="utf-8")

    @asynccontextmanager
    async def running(self, *, started: bool = True) -> AsyncIterator[Engine]:
        """An engine as a process has it; it stops with the block."""
        loaded = config.load(self.file, systems=registry.Registry())
        transports = {"booking.stores": self.to_booxi, "crm.main": self.to_hubspot}
        self.engine = await Engine.open(loaded, transports=transports)
        if started:
            await self.engine.start()
        try:
            yield self.engine
        finally:
            await self.engine.stop()

    # ---- the past ----

    def client(self, **fields: Any) -> int:
        return self.booxi.add_client(**fields)

    def book(self, client: int, day: int = 0, **fields: Any) -> str:
        """A booking nobody was told about."""
        booking = self.booxi.book(client, starts_at=FIRST + timedelta(days=day), **fields)
        self.booxi.outbox.waiting.clear()
        return booking

    def populate(self) -> None:
        """One client for every count; their bookings lie on several pages, in two windows and with two merchants."""
        other = list(self.booxi.state.merchants)[1]
        linked = self.client(firstName="Chloe", lastName="Roy", email="chloe@example.com")
        known = self.client(firstName="Ben", lastName="Okafor", email="ben@example.com")
        new = self.client(firstName="Ada", lastName="Moreau", email="ada@example.com", mobilePhoneNumber="514-555-0101")
        same = self.client(firstName="Ada", lastName="Moreau", email="ADA@example.com")
        doubtful = self.client(firstName="Dan", lastName="Lee", mobilePhoneNumber="514-555-0104")
        nobody = self.client(firstName="Walk-in")
        gone = self.client(firstName="Eve", lastName="Gray", email="eve@example.com")
        attendee = self.client(firstName="Fay", lastName="Ng", email="fay@example.com")
        self.booxi.set_link(linked, self.hubspot.add_contact(age=3600, email="chloe@example.com", firstname="Chloe"))
        self.hubspot.add_contact(age=3600, email="ben@example.com", firstname="Ben", lastname="Okafor")
        self.hubspot.add_contact(age=3600, firstname="Dana", lastname="Lewis", mobilephone="+15145550104")
        for day, client in enumerate((linked, known, new, doubtful, nobody, known, new)):
            self.book(client, day)
        self.book(same, 35, merchant_id=other)
        self.book(known, 36, merchant_id=other, attendees=(known, attendee))
        self._merge_twice(gone, self.book(gone, 40))

    def _merge_twice(self, client: int, booking: str) -> None:
        """Booxi refuses to be followed more than once, so this client fails."""
        first, second = self.client(firstName="Eve"), self.client(firstName="Eve")
        self.booxi.merge_clients(client, first)
        self.booxi.merge_clients(first, second)
        self.booxi.state.bookings[booking]["client"]["id"] = client

    # ---- runs ----

    def job(self, *, since: str = SINCE, until: str = UNTIL, patient: bool = False) -> Backfill:
        return Backfill(self.engine, "stores", Request(since, until), patient=patient)

    async def backfill(self, **asked: Any) -> dict[str, Any]:
        """One run to its end; answers its progress."""
        job = self.job(**asked)
        async with asyncio.timeout(60):
            await job.run()
        return job.as_dict()

    async def dry_run(self, since: str = SINCE, until: str = UNTIL) -> dict[str, Any]:
        job = DryRun(self.engine, "stores", Request(since, until, Mode.DRY_RUN))
        async with asyncio.timeout(60):
            await job.run()
        return job.as_dict()

    async def deliver(self) -> None:
        """Accept the webhooks that wait in the sandbox, and wake the worker, as the service does."""
        adapter = self.engine.connections.booking["stores"]
        waiting, self.booxi.outbox.waiting = self.booxi.outbox.waiting, []
        for body in waiting:
            reading = adapter.read_delivery({}, body)
            raw, now = json.dumps(body).encode(), self.engine.clock()
            await self.engine.store.inbox.accept(Delivery("stores", reading.event_id or "", False, {}, raw, now, reading))
        self.engine.worker.wake()

    async def settled(self) -> None:
        """Wait until nothing is queued, running or retrying."""
        concluded = asyncio.Event()
        forget = self.engine.worker.watch(concluded)
        async with asyncio.timeout(60):
            while True:
                concluded.clear()
                queue = await self.engine.store.read(views.queue)
                if not queue["queued"] + queue["running"] + queue["retrying"]:
                    return forget()
                await concluded.wait()

    async def events(self, **wanted: Any) -> list[dict[str, Any]]:
        return await self.engine.store.read(views.events, limit=10_000, **wanted)

    def fix(self) -> None:
        self.booxi.faults = self.hubspot.faults = Faults()


#: What `populate` comes to.
EXPECTED = dict(
    zip(COUNTS, (8, 1, 2, 2, 4, 1, 1, 1), strict=True),
)
