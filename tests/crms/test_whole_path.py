"""The whole way through the real service, from Booxi's webhooks to CRMs that do not refuse a second person themselves."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest
from contract.accounts import CrmAccount, account

from connector.model.persons import NewCustomer
from connector.sandbox.kit.faults import Faults
from connector.store import views

from . import whole_path
from .whole_path import ADA, TOMORROW

pytestmark = pytest.mark.anyio
EVENTS, CLIENTS = 50, 5
#: What stands in `[crm.main]`; nothing is found by a search that is new, and waits are as short as a test needs.
CRMS = {
    "pipedrive": 'token = "sandbox-token"\nlimits = { per_2_seconds = 0, searches_per_2_seconds = 0, daily_tokens = 0 }\n'
    "wait_minutes = 0.01\n",
    "odoo": 'api_key = "sandbox-key"\nlimits = { per_second = 0 }\n',
}


class World(whole_path.World):
    """The service between Booxi and the sandbox of a CRM."""

    def __init__(self, folder: Path, system: str) -> None:
        self.crm: CrmAccount = account(system)
        settings = f'system = "{system}"\nbase_url = "https://crm.test"\n{CRMS[system]}'
        super().__init__(folder, settings, self.crm.checked(httpx.ASGITransport(self.crm.app)))

    def calm_down(self, queue: dict[str, int]) -> None:
        """After the first ten events nothing more goes wrong."""
        if queue["done"] > 10:
            self.crm.sandbox.faults = Faults(search_lag_seconds=600)


@pytest.mark.parametrize("faults", [{}, {"lost_answer": 0.15, "error_500": 0.1, "seed": 3}], ids=["calm", "with lost answers"])
@pytest.mark.parametrize("system", CRMS)
async def test_fifty_events_of_one_new_person_at_once_make_one_customer_and_each_appointment_once(tmp_path, system, faults):
    """The person has five client records at Booxi, which all hold the customer's id afterwards."""
    world = World(tmp_path, system)
    async with world.running() as service:
        clients = world.book(CLIENTS, EVENTS)
        world.crm.sandbox.faults = Faults(**faults, search_lag_seconds=600)
        await world.settled(meanwhile=world.calm_down)
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
    async with world.running():
        client = world.booxi.add_client(**ADA)
        world.booxi.book(client, starts_at=TOMORROW)
        await world.settled(meanwhile=world.calm_down)
    assert world.crm.customers() == [there]
    assert world.booxi.links() == {client: there}
    adapter = world.crm.connect()
    found = await adapter.get(there)
    await adapter.remote.aclose()
    assert "+15145550123" in (found.mobile_phone, found.phone)
