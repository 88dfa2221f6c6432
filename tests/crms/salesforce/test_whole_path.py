"""The whole way: Booxi's webhooks over a socket, the real service, Salesforce's sandbox."""

from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from connector.sandbox.kit.faults import Faults
from connector.sandbox.salesforce.app import Rules, SalesforceSandbox
from connector.store.reviews import views as review_views

from .. import whole_path
from ..whole_path import ADA, TOMORROW
from .shapes import conforming

pytestmark = pytest.mark.anyio
SETTINGS = """
system = "salesforce"
base_url = "https://example.my.salesforce.com"
client_id = "sandbox-client"
client_secret = "sandbox-client-secret"
wait_minutes = 0.01
"""


class World(whole_path.World):
    """The service between Booxi and Salesforce."""

    def __init__(self, folder: Path) -> None:
        self.salesforce = SalesforceSandbox(key_fields=("Connector_Key__c",))
        super().__init__(folder, SETTINGS, conforming(httpx.ASGITransport(self.salesforce.app)))


@pytest.fixture
def world(tmp_path) -> World:
    return World(tmp_path)


@pytest.mark.parametrize("clients", [1, 6])
async def test_thirty_events_for_one_new_person_at_once_make_one_contact(world, clients):
    async with world.running():
        world.book(clients, 30)
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
        (review,) = await world.service.engine.store.read(review_views.reviews)
        assert [candidate["customer_id"] for candidate in review["candidates"]] == [similar]
    assert len(world.salesforce.contacts()) == 1
