"""The whole way: Booxi's webhooks over a socket, the real service, Salesforce's sandbox."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from connector import registry
from connector.app import Service
from connector.config import settings as config
from connector.sandbox.booxi.app import BooxiSandbox
from connector.sandbox.booxi.webhooks import Target
from connector.sandbox.kit.faults import Faults
from connector.sandbox.salesforce.app import Rules, SalesforceSandbox
from connector.store import views

from .shapes import conforming

pytestmark = pytest.mark.anyio
KEY = "Connector_Key__c"
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
module_id = "salesforce"
default_country = "CA"
limits = { per_second = 0, per_minute = 0 }
[booking.stores.webhook]
verify = "none"
[crm.main]
system = "salesforce"
base_url = "https://example.my.salesforce.com"
client_id = "sandbox-client"
client_secret = "sandbox-client-secret"
[[sync]]
booking = "stores"
crm = "main"
record_appointments = true
"""


class World:
    """Both sandboxes, and the service between them while `running`."""

    def __init__(self, folder: Path) -> None:
        self.booxi = BooxiSandbox(quota=None, module_ids=("salesforce",), retries=[0.05] * 200)
        self.salesforce = SalesforceSandbox(key_fields=(KEY,))
        self.way = conforming(httpx.ASGITransport(self.salesforce.app))
        self.file = folder / "connector.toml"
        self.file.write_text(CONFIG, encoding="utf-8")

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        loaded = config.load(self.file, systems=registry.Registry())
        transports = {"booking.stores": httpx.ASGITransport(self.booxi.app), "crm.main": self.way}
        self.service = await Service.open(loaded, transports=transports)
        await self.service.start()
        self.booxi.outbox.target = Target(f"{self.service.url}/webhooks/stores")
        try:
            yield
        finally:
            await self.service.stop()

    async def settled(self) -> None:
        """Send what waits, and let everything come to its end."""
        await self.booxi.send_webhooks(concurrency=16)
        concluded = asyncio.Event()
        forget = self.service.engine.worker.watch(concluded)
        async with asyncio.timeout(30):
            while True:
                concluded.clear()
                queue = await self.service.engine.store.read(views.queue)
                if not queue["queued"] + queue["running"] + queue["retrying"]:
                    return forget()
                await concluded.wait()

    async def states(self) -> set[str]:
        return {event["state"] for event in await self.service.engine.store.read(views.events, limit=1_000)}


@pytest.fixture
def world(tmp_path) -> World:
    return World(tmp_path)


@pytest.mark.parametrize("clients", [1, 6])
async def test_thirty_events_for_one_new_person_at_once_make_one_contact(world, clients):
    async with world.running():
        ids = [world.booxi.add_client(**ADA) for _ in range(clients)]
        for number in range(30):
            world.booxi.book(ids[number % clients], starts_at=TOMORROW + timedelta(hours=number))
        await world.settled()
        assert await world.states() == {"done"}
    (contact,) = world.salesforce.contacts()
    assert (contact["Email"], contact["LastName"], contact["MobilePhone"]) == ("ada@example.com", "Byron", "+15145550123")
    assert set(world.booxi.links().values()) == {contact["Id"]}
    assert len(world.booxi.links()) == clients
    events = world.salesforce.events()
    assert len(events) == 30
    assert {event["WhoId"] for event in events} == {contact["Id"]}
    assert len({event["StartDateTime"] for event in events}) == 30


async def test_answers_that_are_lost_and_tokens_that_end_make_no_second_contact_and_no_second_event(world):
    async with world.running():
        world.salesforce.faults = Faults(seed=3, lost_answer=0.2, error_after_effect=0.1, error_500=0.1)
        ids = [world.booxi.add_client(**{**ADA, "email": f"ada{n}@example.com", "firstName": f"Ada{n}"}) for n in range(5)]
        for number in range(10):
            world.booxi.book(ids[number % 5], starts_at=TOMORROW + timedelta(hours=number))
        await world.booxi.send_webhooks(concurrency=8)
        world.salesforce.expire_tokens()
        world.salesforce.faults = Faults()
        await world.settled()
        assert await world.states() == {"done"}
    assert sorted(contact["Email"] for contact in world.salesforce.contacts()) == [f"ada{n}@example.com" for n in range(5)]
    assert len(world.salesforce.events()) == 10
    assert sorted(world.booxi.links().values()) == sorted(contact["Id"] for contact in world.salesforce.contacts())


async def test_a_contact_that_is_merged_afterwards_is_followed_and_booxi_hears_of_it(world):
    async with world.running():
        client = world.booxi.add_client(**ADA)
        world.booxi.book(client, starts_at=TOMORROW)
        await world.settled()
        (made,) = world.salesforce.contacts()
        survivor = world.salesforce.add_contact(FirstName="Ada", LastName="Byron")
        world.salesforce.merge(survivor, made["Id"])
        world.booxi.book(client, starts_at=TOMORROW + timedelta(hours=2))
        await world.settled()
    assert [contact["Id"] for contact in world.salesforce.contacts()] == [survivor]
    assert list(world.booxi.links().values()) == [survivor]
    assert {event["WhoId"] for event in world.salesforce.events()} == {survivor}


async def test_a_duplicate_rule_that_names_somebody_similar_asks_a_person(world):
    world.salesforce.records.rules = world.salesforce.rules = Rules(duplicate_rule="block", duplicate_match="last name")
    similar = world.salesforce.add_contact(FirstName="George", LastName="Byron", Email="george@example.com")
    async with world.running():
        world.booxi.book(world.booxi.add_client(**ADA), starts_at=TOMORROW)
        await world.settled()
        assert await world.states() == {"held"}
        (review,) = await world.service.engine.store.read(views.reviews)
        assert [candidate["customer_id"] for candidate in review["candidates"]] == [similar]
    assert len(world.salesforce.contacts()) == 1
