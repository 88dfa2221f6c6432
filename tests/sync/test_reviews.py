"""What a person decides about an ambiguous client, and that it is remembered."""

import pytest

from connector.model.errors import Hold, NeedsReview
from connector.sandbox.kit.faults import Faults

from .gate import BEFORE_IT_ARRIVED, LOST
from .harness import ADA, PHONE, Ended, World

pytestmark = pytest.mark.anyio
CREATE = ("POST", "/contacts$")


@pytest.fixture
async def ambiguous(world: World) -> tuple[str, str]:
    """Ada, held because somebody who may be her has her phone: (client id, the candidate's id)."""
    contact = world.contact(lastname="Byron", mobilephone=PHONE)
    ada = world.client()
    ended = await world.process(ada)
    assert isinstance(ended.error, NeedsReview)
    return ada, contact


async def decide(world: World, decision: str, customer_id: str | None = None) -> list[Ended]:
    """Decide the open review and run what it lets go."""
    ((review,),) = await world.rows("SELECT id FROM reviews WHERE decision IS NULL")
    assert await world.store.reviews.decide(review, decision, customer_id, "the operator", world.clock()) is None
    return await world.run_all()


# ---- link ----


async def test_link_takes_the_customer_and_writes_it_back(world: World, ambiguous):
    ada, contact = ambiguous
    (ended,) = await decide(world, "link", contact)
    assert (ended.state, ended.work.outcome) == ("done", "matched")
    assert await world.link(ada) == (contact, "review")
    assert world.stored(ada) == contact
    assert list(world.contacts()) == [contact]


async def test_link_is_remembered_for_the_next_booking(world: World, ambiguous):
    ada, contact = ambiguous
    await decide(world, "link", contact)
    ended = await world.process(ada)
    assert ended.rules == [("our_link", "match")]
    assert ended.work.outcome == "already_linked"


async def test_link_to_a_customer_who_is_gone_is_held(world: World, ambiguous):
    ada, contact = ambiguous
    world.hubspot.archive(contact)
    (ended,) = await decide(world, "link", contact)
    assert (ended.state, type(ended.error)) == ("held", Hold)
    assert world.stored(ada) is None


async def test_link_follows_a_merge(world: World, ambiguous):
    ada, contact = ambiguous
    survivor = world.hubspot.merge(world.contact(email="b@example.com"), contact)
    await decide(world, "link", contact)
    assert (await world.link(ada), world.stored(ada)) == ((survivor, "review"), survivor)


async def test_link_replaces_the_id_that_somebody_else_stored(world: World):
    ada = world.client()
    foreign = world.contact(email="grace@example.com")
    await _contested(world, ada, foreign)
    ours, _ = await world.link(ada)
    (ended,) = await decide(world, "link", ours)
    assert (ended.state, world.stored(ada)) == ("done", ours)
    assert ended.work.outcome == "created", "it was, before the contest"


async def test_link_to_the_id_that_somebody_else_stored_writes_nothing(world: World):
    ada = world.client()
    foreign = world.contact(email="grace@example.com")
    await _contested(world, ada, foreign)
    (ended,) = await decide(world, "link", foreign)
    assert (ended.state, world.stored(ada)) == ("done", foreign)
    assert await world.link(ada) == (foreign, "review")
    assert world.effects["PUT link"] == 0


async def _contested(world: World, ada: str, foreign: str) -> None:
    """Our link could not be written back, and then somebody else stored another id."""
    world.booxi_gate.on("PUT", "moduleLink", Faults(error_500=1))
    await world.process(ada)
    world.booxi.set_link(int(ada), foreign)
    (ended,) = await world.again()
    assert isinstance(ended.error, NeedsReview)


# ---- create ----


async def test_create_makes_a_second_customer_although_the_phone_is_known(world: World, ambiguous):
    ada, contact = ambiguous
    (ended,) = await decide(world, "create")
    assert (ended.state, ended.work.outcome) == ("done", "created")
    made, origin = await world.link(ada)
    assert (made != contact, origin) == (True, "created")
    assert world.stored(ada) == made
    assert len(world.contacts()) == 2


async def test_create_is_allowed_by_a_person_where_the_sync_does_not_create(world: World, ambiguous):
    world.use(create=False)
    (ended,) = await decide(world, "create")
    assert ended.work.outcome == "created"


async def test_create_that_the_crm_refuses_for_the_email_is_made_without_it(world: World, ambiguous):
    ada, contact = ambiguous
    taken = world.contact(email="ada@example.com")
    (ended,) = await decide(world, "create")
    assert ended.state == "done"
    said = ended.note("create", "created")
    assert said["note"] == f"a customer was created without the e-mail address, which belongs to customer {taken}"
    made = said["customer_id"]
    assert set(world.contacts()) == {contact, taken, made}
    assert (world.contacts()[made].get("email", ""), world.contacts()[made]["mobilephone"]) == ("", PHONE)
    assert (await world.link(ada), world.stored(ada)) == ((made, "created"), made)
    assert await world.open_effects() == [], "nobody else waits for it"


async def test_create_whose_answer_was_lost_is_found_again(world: World, ambiguous):
    ada, _ = ambiguous
    world.hubspot_gate.on(*CREATE, LOST)
    (ended,) = await decide(world, "create")
    assert ended.state == "retrying"
    (ended,) = await world.again()
    assert ended.work.outcome == "created"
    assert len(world.contacts()) == 2
    assert (await world.link(ada))[1] == "created"


async def test_create_whose_effect_comes_late_is_not_taken_for_somebody_else(world: World, ambiguous):
    ada, _ = ambiguous
    world.hubspot_gate.on(*CREATE, BEFORE_IT_ARRIVED)
    await decide(world, "create")
    world.fix()
    world.hubspot_gate.on(*CREATE, lambda: world.contact(key_of=ada, email="ada@example.com"))
    world.clock.now += 10
    (ended,) = await world.run_all()
    assert (ended.state, ended.work.outcome) == ("done", "created")
    assert len(world.contacts()) == 2


# ---- dismiss ----


async def test_dismiss_ends_what_waits_and_whatever_comes_later(world: World, ambiguous):
    ada, _ = ambiguous
    assert await decide(world, "dismiss") == []
    assert await world.rows("SELECT state FROM events") == [("discarded",)]
    sent = len(world.booxi_gate.sent + world.hubspot_gate.sent)
    ended = await world.process(ada)
    assert ended.state == "ignored"
    assert "dismissed in review" in str(ended.error)
    assert len(world.booxi_gate.sent + world.hubspot_gate.sent) == sent
    assert await world.links() == {}


# ---- meanwhile ----


async def test_events_that_come_while_a_review_is_open_wait_in_the_same_review(world: World, ambiguous):
    ada, contact = ambiguous
    assert (await world.process(ada)).state == "held"
    assert await world.rows("SELECT count(*) FROM reviews") == [(1,)]
    assert [ended.state for ended in await decide(world, "link", contact)] == ["done", "done"]


async def test_what_was_held_goes_on_when_the_ambiguity_is_gone(world: World, ambiguous):
    ada, contact = ambiguous
    world.hubspot.records.update_contact(contact, {"firstname": "Ada", "lastname": "Byron"})
    await world.book(ada)
    await world.run_all()
    states = {state for (state,) in await world.rows("SELECT state FROM events")}
    assert states == {"done"}
    assert await world.link(ada) == (contact, "phone")


async def test_another_client_is_not_touched_by_a_decision(world: World, ambiguous):
    _, contact = ambiguous
    other = world.client(**{**ADA, "email": "second@example.com"})
    await world.process(other)
    (review, *_), *_ = await world.rows("SELECT id FROM reviews ORDER BY id")
    await world.store.reviews.decide(review, "link", contact, "the operator", world.clock())
    await world.run_all()
    assert await world.link(other) is None
