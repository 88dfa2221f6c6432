"""Merged and deleted records on both sides: the survivor is linked and written back, what is gone waits for a person."""

import pytest

from connector.sandbox.hubspot.app import Rules

from .harness import ADA, PHONE, World

pytestmark = pytest.mark.anyio
NO_EMAIL = {key: value for key, value in ADA.items() if key != "email"}


# ---- the CRM merges ----


@pytest.mark.parametrize("merged_id", ["new", "primary"])
async def test_a_linked_customer_who_was_merged_is_followed_and_written_back(world: World, merged_id):
    world.hubspot.records.rules = Rules(merged_id=merged_id)
    ada = world.client()
    await world.process(ada)
    (before,) = world.contacts()
    survivor = world.hubspot.merge(world.contact(email="grace@example.com"), before)
    ended = await world.process(ada)
    assert survivor != before
    assert ended.note("our_link", "match")["note"] == f"customer {before} was merged into this one"
    assert await world.link(ada) == (survivor, "created")
    assert world.stored(ada) == survivor
    assert await world.store.links.is_alias("main", before, survivor)
    assert (await world.process(ada)).rules == [("our_link", "match")], "it is followed once"


async def test_a_merge_keeps_the_metadata_which_others_stored_with_the_link(world: World):
    ada = world.client()
    await world.process(ada)
    (before,) = world.contacts()
    world.booxi.set_link(int(ada), before, metadata={"tier": "gold", "nested": {"n": [1, None]}})
    survivor = world.hubspot.merge(world.contact(email="grace@example.com"), before)
    await world.process(ada)
    link = world.booxi.state.links[int(ada), "hubspot"]
    assert (link["externalId"], link["metadata"]) == (survivor, {"tier": "gold", "nested": {"n": [1, None]}})


@pytest.mark.parametrize("in_delivery", [True, False], ids=["delivery", "booking_system"])
async def test_an_adopted_id_that_was_merged_gives_the_survivor(world: World, in_delivery):
    old, other = world.contact(email="ada@example.com"), world.contact(email="grace@example.com")
    survivor = world.hubspot.merge(other, old)
    ada = world.client()
    world.booxi.set_link(int(ada), old)
    world.booxi.links_in_webhooks = in_delivery
    ended = await world.process(ada)
    assert await world.link(ada) == (survivor, "delivery" if in_delivery else "booking_system")
    assert world.stored(ada) == survivor
    assert ended.work.written_back
    assert (await world.links())[ada]["written_back_at"] is not None
    assert await world.store.links.is_alias("main", old, survivor)


async def test_a_merge_of_a_merge_leads_to_the_last_survivor(world: World):
    ada = world.client()
    await world.process(ada)
    (first,) = world.contacts()
    second = world.hubspot.merge(world.contact(email="b@example.com"), first)
    await world.process(ada)
    third = world.hubspot.merge(world.contact(email="c@example.com"), second)
    await world.process(ada)
    assert world.stored(ada) == third
    assert await world.store.links.is_alias("main", first, third)
    assert await world.store.links.is_alias("main", second, third)


async def test_two_merges_between_two_bookings_are_one_step(world: World):
    ada = world.client()
    await world.process(ada)
    (first,) = world.contacts()
    second = world.hubspot.merge(world.contact(email="b@example.com"), first)
    third = world.hubspot.merge(world.contact(email="c@example.com"), second)
    await world.process(ada)
    assert (await world.link(ada), world.stored(ada)) == ((third, "created"), third)


async def test_what_we_remember_of_a_person_follows_the_merge_although_search_lags(world: World):
    ada, again = world.client(**NO_EMAIL), world.client(**NO_EMAIL)
    await world.process(ada)
    (before,) = world.contacts()
    survivor = world.hubspot.merge(world.contact(firstname="Ada", lastname="Byron", mobilephone=PHONE), before)
    world.hubspot.faults = world.hubspot.faults.model_copy(update={"search_lag_seconds": 60})
    await world.process(again)
    assert await world.link(again) == (survivor, "phone")
    assert list(world.contacts()) == [survivor]


# ---- the CRM deletes ----


@pytest.mark.parametrize("rule", ["our_link", "delivery", "booking_system"])
async def test_a_customer_who_is_gone_waits_for_a_person_and_is_not_made_again(world: World, rule):
    contact = world.contact(email="grace@example.com")
    ada = world.client()
    world.booxi.set_link(int(ada), contact)
    if rule == "our_link":
        await world.process(ada)
    world.booxi.links_in_webhooks = rule != "booking_system"
    world.hubspot.archive(contact)
    ended = await world.process(ada)
    assert (ended.state, type(ended.error).__name__) == ("held", "Hold")
    assert f"customer {contact}, which the CRM no longer has" in str(ended.error)
    assert "Restore" in ended.error.hint
    assert ended.rules[-1] == (rule, "gone")
    assert world.contacts() == {}
    assert world.stored(ada) == contact, "what the booking system holds is left alone"


async def test_an_id_that_can_never_have_been_the_crms_is_gone_too(world: World):
    ada = world.client()
    world.booxi.set_link(int(ada), "POS-0042")
    ended = await world.process(ada)
    assert ended.state == "held"
    assert world.contacts() == {}


async def test_a_customer_restored_in_the_crm_is_linked_when_the_event_is_retried(world: World):
    contact = world.contact(email="grace@example.com")
    ada = world.client()
    world.booxi.set_link(int(ada), contact)
    world.hubspot.archive(contact)
    ended = await world.process(ada)
    await world.store.upkeep.retry([ended.work.event_id], world.clock())
    (ended,) = await world.run_all()
    assert ended.rules == [("delivery", "gone")], "the same finding is not noted twice"
    world.hubspot.records.contacts[contact].archived = False
    await world.store.upkeep.retry([ended.work.event_id], world.clock())
    (ended,) = await world.run_all()
    assert (ended.state, await world.link(ada)) == ("done", (contact, "delivery"))


async def test_somebody_we_remember_and_who_was_deleted_is_no_candidate(world: World):
    ada, again = world.client(), world.client()
    await world.process(ada)
    (gone,) = world.contacts()
    world.hubspot.archive(gone)
    await world.process(again)
    assert (await world.link(again)) == (*world.contacts(), "created")


# ---- the booking system merges ----


async def test_a_merged_client_is_followed_once_and_both_ids_are_linked(world: World):
    loser, survivor = world.client(), world.client(firstName="Ada", lastName="B", email="new@example.com")
    await world.book(loser)
    world.booxi.merge_clients(int(loser), int(survivor))
    (ended,) = await world.run_all()
    assert ended.note("booking_system", "merged")["note"].endswith(f"merged this client into {survivor}")
    (contact,) = world.contacts()
    assert await world.link(loser) == await world.link(survivor) == (contact, "created")
    assert world.booxi.links() == {int(survivor): contact}


async def test_the_link_of_the_survivor_is_adopted_for_the_merged_client(world: World):
    contact = world.contact(email="new@example.com")
    loser, survivor = world.client(), world.client(firstName="Ada", email="new@example.com")
    world.booxi.set_link(int(survivor), contact)
    await world.book(loser)
    world.booxi.merge_clients(int(loser), int(survivor))
    await world.run_all()
    assert await world.link(loser) == await world.link(survivor) == (contact, "booking_system")
    assert list(world.contacts()) == [contact]


async def test_a_survivor_whom_we_linked_before_keeps_the_link_and_its_date(world: World):
    loser, survivor = world.client(email="old@example.com"), world.client()
    await world.process(survivor)
    before = (await world.links())[survivor]
    await world.book(loser)
    world.booxi.merge_clients(int(loser), int(survivor))
    world.clock.now += 100
    (ended,) = await world.run_all()
    assert ended.work.outcome == "already_linked"
    assert (await world.links())[survivor] == before
    assert (await world.link(loser)) == (before["customer_id"], before["origin"])
    assert len(world.contacts()) == 1


async def test_a_survivor_on_both_sides(world: World):
    """The client was merged in the booking system, and the survivor's customer in the CRM."""
    loser, survivor = world.client(email="old@example.com"), world.client()
    await world.process(survivor)
    (before,) = world.contacts()
    await world.book(loser)
    world.booxi.merge_clients(int(loser), int(survivor))
    customer = world.hubspot.merge(world.contact(email="c@example.com"), before)
    (ended,) = await world.run_all()
    assert ended.state == "done"
    assert {link["customer_id"] for link in (await world.links()).values()} == {customer}
    assert world.booxi.links() == {int(survivor): customer}
    assert await world.store.links.is_alias("main", before, customer)


async def test_a_client_merged_twice_waits_for_a_person(world: World):
    first, second, third = (world.client(firstName="Ada", email=f"{n}@example.com") for n in "abc")
    await world.book(first)
    world.booxi.merge_clients(int(first), int(second))
    world.booxi.merge_clients(int(second), int(third))
    (ended,) = await world.run_all()
    assert (ended.state, type(ended.error).__name__) == ("held", "Rejected")
    assert world.effects == {}


async def test_a_client_merged_while_its_id_is_written_back(world: World):
    loser, survivor = world.client(), world.client(firstName="Ada", email="new@example.com")
    world.booxi_gate.on("PUT", "moduleLink", lambda: world.booxi.merge_clients(int(loser), int(survivor)))
    ended = await world.process(loser)
    assert ended.state == "done"
    assert world.booxi.links() == {int(survivor): (await world.link(loser))[0]}
