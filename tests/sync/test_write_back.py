"""Telling the booking system: written once, confirmed, and never over what somebody else stored."""

import httpx
import pytest

from connector.model.capabilities import BookingCapability
from connector.model.errors import NeedsReview, Rejected, Transient, UnknownOutcome
from connector.sandbox.kit.faults import Faults

from .gate import BEFORE_IT_ARRIVED, LOST
from .harness import World

pytestmark = pytest.mark.anyio
PUT = ("PUT", "/moduleLink/hubspot$")


async def written_back_at(world: World, client_id: str):
    return (await world.links())[client_id]["written_back_at"]


async def test_the_id_is_stored_under_our_module_and_the_date_is_kept(world: World):
    ada = world.client()
    world.booxi.set_link(int(ada), "L-7", module_id="loyalty", metadata={"points": 3})
    ended = await world.process(ada)
    (contact,) = world.contacts()
    assert world.stored(ada) == contact
    assert world.booxi.links("loyalty") == {int(ada): "L-7"}
    assert ended.work.written_back
    assert ended.note("write_back", "written")["customer_id"] == contact
    assert await written_back_at(world, ada) is not None
    assert (await world.rows("SELECT stored_id FROM links")) == [(contact,)]


async def test_an_id_that_is_there_is_not_written_again(world: World):
    contact = world.contact(email="ada@example.com")
    ada = world.client()
    world.booxi.set_link(int(ada), contact, metadata={"by": "hand"})
    world.booxi.links_in_webhooks = False
    ended = await world.process(ada)
    assert world.effects["PUT link"] == 0
    assert not ended.work.written_back
    assert await written_back_at(world, ada) is None
    assert world.booxi.state.links[int(ada), "hubspot"]["metadata"] == {"by": "hand"}


async def test_an_id_that_appeared_between_two_tries_is_present_and_not_ours(world: World):
    ada = world.client()
    world.booxi_gate.on(*PUT, httpx.Response(429, headers={"retry-after": "0"}))
    await world.process(ada)
    world.booxi.set_link(int(ada), *world.contacts())
    (ended,) = await world.again(60)
    assert ended.rules[-1] == ("write_back", "present")
    assert (ended.state, ended.work.written_back) == ("done", False)
    assert await written_back_at(world, ada) is None
    assert world.effects["PUT link"] == 0


async def test_an_answer_that_confirms_nothing_is_followed_by_reading_back(world: World):
    world.booxi.rest.put_answer = "nothing"
    ada = world.client()
    ended = await world.process(ada)
    assert (ended.state, ended.work.written_back) == ("done", True)
    assert world.booxi.requests["GET /client/{clientId}/moduleLink/{moduleId}"] == 2


async def test_a_write_that_did_not_stick_is_not_called_done(world: World):
    world.booxi_gate.on(*PUT, httpx.Response(204))
    ada = world.client()
    ended = await world.process(ada)
    assert (ended.state, type(ended.error)) == ("retrying", Transient)
    assert await written_back_at(world, ada) is None
    (ended,) = await world.again()
    assert (ended.state, world.stored(ada)) == ("done", (await world.link(ada))[0])


@pytest.mark.parametrize("mishap", [LOST, Faults(timeout=1, timeout_seconds=0), Faults(error_after_effect=1)])
async def test_a_lost_answer_is_one_effect_and_counts_as_ours(world: World, mishap):
    world.booxi_gate.on(*PUT, mishap)
    ada = world.client()
    ended = await world.process(ada)
    assert (ended.state, type(ended.error)) == ("retrying", UnknownOutcome)
    assert await written_back_at(world, ada) is None
    assert await world.rows("SELECT key, state FROM intents WHERE kind = 'write_back'") == [
        (f"write_back:stores:{ada}:{world.stored(ada)}", "intent")
    ]

    (ended,) = await world.again()
    assert (ended.state, ended.work.written_back) == ("done", True)
    assert world.effects == {"POST contacts": 1, "PUT link": 1}
    assert await written_back_at(world, ada) is not None
    assert await world.open_effects() == []


@pytest.mark.parametrize("mishap", [Faults(error_500=1), Faults(error_503=1), Faults(html=1), BEFORE_IT_ARRIVED])
async def test_a_write_that_failed_is_done_by_the_retry(world: World, mishap):
    world.booxi_gate.on(*PUT, mishap)
    ada = world.client()
    ended = await world.process(ada)
    assert ended.state in ("retrying", "queued")
    assert world.stored(ada) is None
    (ended,) = await world.again()
    assert (ended.state, ended.work.written_back) == ("done", True)
    assert world.stored(ada) == (await world.link(ada))[0]
    assert world.effects == {"POST contacts": 1, "PUT link": 1}


async def test_a_definite_failure_after_an_unknown_one_does_not_forget_the_unknown_one(world: World):
    world.booxi_gate.on(*PUT, BEFORE_IT_ARRIVED)
    ada = world.client()
    await world.process(ada)
    world.fix()
    world.booxi_gate.on(*PUT, httpx.Response(429, headers={"retry-after": "0"}))
    world.clock.now += 10
    await world.run_all()
    assert await world.open_effects() == ["write_back"]
    world.booxi.set_link(int(ada), *world.contacts())  # the first request arrives after all
    (ended,) = await world.again(60)
    assert (ended.rules[-1], ended.work.written_back) == (("write_back", "present"), True)


# ---- what somebody else stored ----


@pytest.mark.parametrize("there", ["another customer", "something else"])
async def test_an_id_that_somebody_else_stored_meanwhile_needs_a_person(world: World, there):
    foreign = world.contact(email="grace@example.com") if there == "another customer" else "POS-42"
    ada = world.client()
    world.booxi_gate.on(*PUT, Faults(error_500=1))
    await world.process(ada)
    world.booxi.set_link(int(ada), foreign)
    (ended,) = await world.again()
    ours, origin = await world.link(ada)
    assert (ended.state, type(ended.error)) == ("held", NeedsReview)
    assert ended.error.candidates == [
        {"customer_id": foreign, "evidence": ["stored in the booking system"]},
        {"customer_id": ours, "evidence": [f"our link ({origin})"]},
    ]
    assert world.stored(ada) == foreign
    assert world.effects["PUT link"] == 0


async def test_the_id_of_a_customer_who_was_merged_into_ours_may_be_replaced(world: World):
    ada = world.client()
    await world.process(ada)
    (first,) = world.contacts()
    second = world.hubspot.merge(world.contact(email="b@example.com"), first)
    world.booxi_gate.on(*PUT, Faults(error_500=1))
    await world.process(ada)
    assert world.stored(ada) == first
    await world.again()
    assert world.stored(ada) == second


async def test_an_older_alias_that_is_stored_may_be_replaced(world: World):
    """Somebody restored an old backup of the booking system: the id there is of a customer merged long ago."""
    ada = world.client()
    await world.process(ada)
    (first,) = world.contacts()
    second = world.hubspot.merge(world.contact(email="b@example.com"), first)
    await world.process(ada)
    third = world.hubspot.merge(world.contact(email="c@example.com"), second)
    world.booxi.links_in_webhooks = False
    world.booxi.set_link(int(ada), first)
    await world.process(ada)
    assert world.stored(ada) == third


async def test_the_metadata_that_stands_with_an_id_is_sent_back_unchanged(world: World):
    old = world.contact(email="ada@example.com")
    ada = world.client()
    metadata = {"Größe": "38", "list": [1, 2.5, None, {"deep": True}], "": ""}
    world.booxi.set_link(int(ada), old, metadata=metadata)
    survivor = world.hubspot.merge(world.contact(email="b@example.com"), old)
    await world.process(ada)
    link = world.booxi.state.links[int(ada), "hubspot"]
    assert (link["externalId"], link["metadata"]) == (survivor, metadata)


async def test_where_there_was_no_metadata_none_is_invented(world: World):
    ada = world.client()
    await world.process(ada)
    assert "metadata" not in world.booxi.state.links[int(ada), "hubspot"]


# ---- refusals ----


async def test_an_id_that_the_booking_system_does_not_take_is_held_with_the_way_out(world: World):
    refusal = httpx.Response(409, json={"message": "no, ada@example.com", "code": 4090, "error": "InvalidExternalId"})
    world.booxi_gate.on(*PUT, refusal)
    ada = world.client()
    ended = await world.process(ada)
    assert (ended.state, type(ended.error)) == ("held", Rejected)
    assert "InvalidExternalId" in str(ended.error)
    assert "retry the event" in ended.error.hint
    assert (await world.link(ada))[1] == "created", "the link is known, only not told"
    assert await world.open_effects() == []

    world.fix()
    await world.store.upkeep.retry([ended.work.event_id], world.clock())
    (ended,) = await world.run_all()
    assert (ended.state, world.stored(ada)) == ("done", (await world.link(ada))[0])
    assert world.effects["POST contacts"] == 1


async def test_a_module_the_key_may_not_use_is_held_and_nothing_is_created(world: World, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(world.booxi.state, "module_ids", ("loyalty",))
    ended = await world.process(world.client())
    assert (ended.state, type(ended.error)) == ("held", Rejected)
    assert world.contacts() == {}


async def test_a_booking_system_without_a_place_for_links_is_not_asked_to_store_one(world: World):
    world.booking.capabilities -= {BookingCapability.WRITES_LINKS}
    ada = world.client()
    ended = await world.process(ada)
    assert ended.state == "done"
    assert world.effects == {"POST contacts": 1}
    assert await written_back_at(world, ada) is None
