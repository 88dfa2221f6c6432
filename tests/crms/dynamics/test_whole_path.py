"""The whole way: Booxi's webhooks over a socket, the real service, Dynamics 365's sandbox."""

from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from connector.sandbox.dynamics.app import DynamicsSandbox
from connector.sandbox.kit.faults import Faults

from .. import whole_path
from ..whole_path import ADA, TOMORROW
from .shapes import conforming

pytestmark = pytest.mark.anyio
SETTINGS = """
system = "dynamics"
base_url = "https://example.crm.dynamics.com"
tenant_id = "sandbox-tenant"
client_id = "sandbox-client"
client_secret = "sandbox-secret"
"""


class World(whole_path.World):
    """The service between Booxi and Dynamics."""

    def __init__(self, folder: Path) -> None:
        self.dynamics = DynamicsSandbox(key_columns=("new_connectorkey",))
        super().__init__(folder, SETTINGS, conforming(httpx.ASGITransport(self.dynamics.app)))


@pytest.fixture
def world(tmp_path) -> World:
    return World(tmp_path)


@pytest.mark.parametrize("clients", [1, 6])
async def test_thirty_events_for_one_new_person_at_once_make_one_contact(world, clients):
    async with world.running():
        world.book(clients, 30)
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
