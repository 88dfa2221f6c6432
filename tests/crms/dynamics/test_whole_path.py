"""The whole way: Booxi's webhooks over a socket, the real service, Dynamics 365's sandbox."""

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
from connector.sandbox.dynamics.app import DynamicsSandbox
from connector.sandbox.kit.faults import Faults
from connector.store import views

from .shapes import conforming

pytestmark = pytest.mark.anyio
KEY = "new_connectorkey"
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
module_id = "dynamics"
default_country = "CA"
limits = { per_second = 0, per_minute = 0 }
[booking.stores.webhook]
verify = "none"
[crm.main]
system = "dynamics"
base_url = "https://example.crm.dynamics.com"
tenant_id = "sandbox-tenant"
client_id = "sandbox-client"
client_secret = "sandbox-secret"
[[sync]]
booking = "stores"
crm = "main"
record_appointments = true
"""


class World:
    """Both sandboxes, and the service between them while `running`."""

    def __init__(self, folder: Path) -> None:
        self.booxi = BooxiSandbox(quota=None, module_ids=("dynamics",), retries=[0.05] * 200)
        self.dynamics = DynamicsSandbox(key_columns=(KEY,))
        self.way = conforming(httpx.ASGITransport(self.dynamics.app))
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
    (contact,) = world.dynamics.contacts()
    assert (contact["emailaddress1"], contact["lastname"], contact["mobilephone"]) == (
        "ada@example.com",
        "Byron",
        "+15145550123",
    )
    assert set(world.booxi.links().values()) == {contact["id"]}
    assert len(world.booxi.links()) == clients
    events = world.dynamics.appointments()
    assert len(events) == 30
    assert {event["_regardingobjectid_value"] for event in events} == {contact["id"]}
    assert len({event["scheduledstart"] for event in events}) == 30


async def test_answers_that_are_lost_and_tokens_that_end_make_no_second_contact_and_no_second_event(world):
    async with world.running():
        world.dynamics.faults = Faults(seed=3, lost_answer=0.2, error_after_effect=0.1, error_500=0.1)
        ids = [world.booxi.add_client(**{**ADA, "email": f"ada{n}@example.com", "firstName": f"Ada{n}"}) for n in range(5)]
        for number in range(10):
            world.booxi.book(ids[number % 5], starts_at=TOMORROW + timedelta(hours=number))
        await world.booxi.send_webhooks(concurrency=8)
        world.dynamics.expire_tokens()
        world.dynamics.faults = Faults()
        await world.settled()
        assert await world.states() == {"done"}
    assert sorted(contact["emailaddress1"] for contact in world.dynamics.contacts()) == [
        f"ada{n}@example.com" for n in range(5)
    ]
    assert len(world.dynamics.appointments()) == 10
    assert sorted(world.booxi.links().values()) == sorted(contact["id"] for contact in world.dynamics.contacts())


async def test_a_contact_that_is_merged_afterwards_is_followed_and_booxi_hears_of_it(world):
    async with world.running():
        client = world.booxi.add_client(**ADA)
        world.booxi.book(client, starts_at=TOMORROW)
        await world.settled()
        (made,) = world.dynamics.contacts()
        survivor = world.dynamics.add_contact(firstname="Ada", lastname="Byron")
        world.dynamics.merge(survivor, made["id"])
        world.booxi.book(client, starts_at=TOMORROW + timedelta(hours=2))
        await world.settled()
    assert [contact["id"] for contact in world.dynamics.contacts()] == [survivor]
    assert list(world.booxi.links().values()) == [survivor]
    assert {event["_regardingobjectid_value"] for event in world.dynamics.appointments()} == {survivor}
