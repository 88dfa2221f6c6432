"""The whole way through the real service, from Booxi's webhooks to CRMs that do not refuse a second person themselves."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from contract.accounts import CrmAccount, account

from connector import registry
from connector.app import Service
from connector.config import settings as config
from connector.model.persons import NewCustomer
from connector.sandbox.booxi.app import BooxiSandbox
from connector.sandbox.booxi.webhooks import Target
from connector.sandbox.kit.faults import Faults
from connector.store import views

pytestmark = pytest.mark.anyio
TOMORROW = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) + timedelta(days=1)
EVENTS, CLIENTS = 50, 5
ADA = {"firstName": "Ada", "lastName": "Byron", "email": "ada@example.com", "mobilePhoneNumber": "+1 514 555 0123"}
#: What stands in `[crm.main]`; nothing is found by a search that is new, and waits are as short as a test needs.
CRMS = {
    "pipedrive": 'token = "sandbox-token"\nlimits = { per_2_seconds = 0, searches_per_2_seconds = 0, daily_tokens = 0 }\n'
    "wait_minutes = 0.01\n",
    "odoo": 'api_key = "sandbox-key"\nlimits = { per_second = 0 }\n',
}
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
limits = {{ per_second = 0, per_minute = 0 }}
[booking.stores.webhook]
verify = "none"
[crm.main]
system = "{system}"
base_url = "https://crm.test"
{settings}
[[sync]]
booking = "stores"
crm = "main"
record_appointments = true
"""


class World:
    """Both sandboxes, and the service between them while `running`."""

    def __init__(self, folder: Path, system: str) -> None:
        self.booxi = BooxiSandbox(quota=None, module_ids=("crm",), retries=[0.05] * 200)
        self.crm: CrmAccount = account(system)
        self._file = folder / "connector.toml"
        self._file.write_text(CONFIG.format(system=system, settings=CRMS[system]), encoding="utf-8")

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Service]:
        transports = {
            "booking.stores": httpx.ASGITransport(self.booxi.app),
            "crm.main": httpx.ASGITransport(self.crm.app),
        }
        service = await Service.open(config.load(self._file, systems=registry.Registry()), transports=transports)
        await service.start()
        self.booxi.outbox.target = Target(f"{service.url}/webhooks/stores")
        try:
            yield service
        finally:
            await service.stop()

    async def settle(self, service: Service) -> None:
        """Send what waits, all at once, and let it come to its end; after the first ten events nothing more goes wrong."""
        await self.booxi.send_webhooks(concurrency=EVENTS)
        concluded = asyncio.Event()
        forget = service.engine.worker.watch(concluded)
        async with asyncio.timeout(60):
            while True:
                concluded.clear()
                queue = await service.engine.store.read(views.queue)
                if not queue["queued"] + queue["running"] + queue["retrying"] and not self.booxi.outbox.waiting:
                    return forget()
                if queue["done"] > 10:
                    self.crm.sandbox.faults = Faults(search_lag_seconds=600)
                await service.operations.retry(state="retrying")
                await concluded.wait()


@pytest.mark.parametrize("faults", [{}, {"lost_answer": 0.15, "error_500": 0.1, "seed": 3}], ids=["calm", "with lost answers"])
@pytest.mark.parametrize("system", CRMS)
async def test_fifty_events_of_one_new_person_at_once_make_one_customer_and_each_appointment_once(tmp_path, system, faults):
    """The person has five client records at Booxi, which all hold the customer's id afterwards."""
    world = World(tmp_path, system)
    async with world.running() as service:
        clients = [world.booxi.add_client(**ADA) for _ in range(CLIENTS)]
        for number in range(EVENTS):
            world.booxi.book(clients[number % CLIENTS], starts_at=TOMORROW + timedelta(hours=number))
        world.crm.sandbox.faults = Faults(**faults, search_lag_seconds=600)
        await world.settle(service)
        events = await service.engine.store.read(views.events, limit=1_000)
        links = await service.engine.store.read(views.links)
    (customer,) = world.crm.customers()
    assert {event["state"] for event in events} == {"done"}
    assert {link["customer_id"] for link in links} == {customer}
    assert world.booxi.links() == dict.fromkeys(clients, customer)
    assert len(world.crm.appointments()) == EVENTS
    assert (world.crm.sandbox.app.injected.total() > 0) is bool(faults)


@pytest.mark.parametrize("system", CRMS)
async def test_a_person_who_is_there_already_is_linked_and_blanks_are_filled(tmp_path, system):
    world = World(tmp_path, system)
    there = world.crm.add(NewCustomer(first_name="Ada", last_name="Byron", email="ada@example.com"))
    async with world.running() as service:
        client = world.booxi.add_client(**ADA)
        world.booxi.book(client, starts_at=TOMORROW)
        await world.settle(service)
    assert world.crm.customers() == [there]
    assert world.booxi.links() == {client: there}
    adapter = world.crm.connect()
    found = await adapter.get(there)
    await adapter.remote.aclose()
    assert "+15145550123" in (found.mobile_phone, found.phone)
