"""What the worker asks a person, and what it does not ask twice."""

from __future__ import annotations

import pytest
from operations.backfill.world import World

from connector.operations.operations import Operations
from connector.store import views
from connector.store.reviews import views as review_views

pytestmark = pytest.mark.anyio
ADA = {"firstName": "Ada", "lastName": "Moreau", "mobilePhoneNumber": "+1 514 555 0123"}


@pytest.fixture
def world(lines, tmp_path):
    return World(tmp_path)


async def book(world: World, **fields: str) -> int:
    """Somebody new books; returns the client's id when the event has come to rest."""
    client = world.client(**ADA | fields)
    world.booxi.book(client)
    await world.deliver()
    await world.settled()
    return client


async def decided(world: World) -> tuple[str, str]:
    """Ada is in the CRM twice, and a person has chosen; returns (the chosen one, the other one)."""
    one, other = (world.hubspot.add_contact(age=9, firstname="Ada", lastname="Moreau", phone="+15145550123") for _ in "ab")
    await book(world)
    (item,) = await world.engine.store.read(review_views.reviews)
    assert await world.engine.store.reviews.decide(item["id"], "link", other, "the operator", world.engine.clock()) is None
    world.engine.worker.wake()
    await world.settled()
    return other, one


async def test_another_client_of_a_person_who_was_decided_about_is_not_asked_about(world):
    async with world.running():
        chosen, _ = await decided(world)
        later = await book(world)
        event = next(event for event in await world.events() if event["client_id"] == str(later))
        assert (event["state"], event["attempts"]) == ("done", 1)
        shown = await world.engine.store.read(views.event, event["id"])
        entry = next(entry for entry in shown["trace"] if entry["rule"] == "review")
        assert (entry["result"], entry["customer_id"]) == ("link", chosen)
        assert entry["note"] == "the operator decided this for another client of this person in review 1"
        assert world.booxi.links()[later] == chosen
        assert await world.engine.store.read(review_views.reviews) == []


async def test_somebody_else_with_the_same_phone_is_asked_about(world):
    async with world.running():
        await decided(world)
        await book(world, firstName="Grace", lastName="Hopper")
        (item,) = await world.engine.store.read(review_views.reviews)
        assert item["reason"] == "the phone number matches, the name does not"


async def test_a_link_to_a_customer_of_another_crm_keeps_nobody_from_creating_one_here(world):
    client = world.client(**ADA)
    world.hubspot.add_contact(age=9, firstname="Bob", lastname="Stone", phone="+15145550123")
    values = f"('stores', '{client}', 'older', '77', 'email', 0)"
    insert = f"INSERT INTO links (source, client_id, crm, customer_id, origin, linked_at) VALUES {values}"
    async with world.running():
        await world.engine.store.database.write(lambda connection: connection.execute(insert))
        world.booxi.book(client)
        await world.deliver()
        await world.settled()
        asked = {"review": 1, "decision": "create", "customer_id": None, "by": "the operator"}
        await Operations(world.engine, works=True).call("decide", asked)
        await world.settled()
        (link,) = await world.engine.store.read(views.links)
        assert (link["crm"], link["origin"]) == ("main", "created")
