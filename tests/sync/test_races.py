"""Many clients who are one person, a search that lags, a process that ends at the worst moment: one customer."""

import httpx
import pytest

from connector.model.errors import NeedsReview, Postponed, UnknownOutcome
from connector.sandbox.kit.faults import Faults

from .gate import BEFORE_IT_ARRIVED, LOST
from .harness import ADA, PHONE, Crash, World

pytestmark = pytest.mark.anyio
NO_EMAIL = {key: value for key, value in ADA.items() if key != "email"}
BY_PHONE = {"firstName": "Ada", "lastName": "Byron", "mobilePhoneNumber": "514-555-0123"}
CREATE = ("POST", "/contacts$")
LAG = Faults(search_lag_seconds=60)


# ---- at once ----


@pytest.mark.parametrize("known", [ADA, BY_PHONE, {"email": "ada@example.com"}], ids=["both", "phone and name", "e-mail"])
async def test_fifty_clients_who_are_one_new_person_become_one_customer(world: World, known):
    world.hubspot.faults = LAG
    clients = [world.client(**known) for _ in range(50)]
    for client in clients:
        await world.book(client)
    ended = await world.run_all()
    assert {e.state for e in ended} == {"done"}
    (contact,) = world.contacts()
    assert world.effects["POST contacts"] == 1
    assert world.booxi.links() == {int(client): contact for client in clients}
    origins = sorted(link["origin"] for link in (await world.links()).values())
    assert origins.count("created") == 1
    assert set(origins) - {"created"} == {"email" if "email" in known else "phone"}


async def test_clients_who_share_only_a_phone_or_only_an_email_do_not_race_past_each_other(world: World):
    world.hubspot.faults = LAG
    bridge = world.client()
    others = [world.client(**(BY_PHONE if n % 2 else {"email": "ada@example.com"})) for n in range(20)]
    for client in (bridge, *others):
        await world.book(client)
    ended = [*await world.run_all(), *await world.again(), *await world.again()]
    assert {e.state for e in ended if e.work.client_id == bridge} == {"done"}
    created = [link for link in (await world.links()).values() if link["origin"] == "created"]
    assert len(world.contacts()) == len(created)
    assert len(created) == 1


async def test_fifty_different_people_become_fifty(world: World):
    clients = [world.client(firstName="Ada", lastName=f"B{n}", email=f"ada{n}@example.com") for n in range(50)]
    for client in clients:
        await world.book(client)
    await world.run_all()
    assert len(world.contacts()) == len(set(world.booxi.links().values())) == 50


async def test_a_storm_of_lost_answers_and_errors_still_makes_one_customer(world: World):
    world.hubspot.faults = Faults(seed=7, lost_answer=0.2, error_after_effect=0.2, error_500=0.2, search_lag_seconds=60)
    clients = [world.client(**(ADA if n % 2 else BY_PHONE)) for n in range(12)]
    for client in clients:
        await world.book(client)
    await world.run_all()
    for _ in range(30):
        world.clock.now += 1
        world.crm.remote.breaker.reset()
        world.clock.now += 10
        await world.run_all()
    await world.again()
    (contact,) = world.contacts()
    assert world.booxi.links() == {int(client): contact for client in clients}
    assert await world.open_effects() == []


# ---- a search that lags ----


async def test_for_a_minute_search_does_not_show_a_new_customer_and_nobody_is_made_twice(world: World):
    world.hubspot.faults = LAG
    clients = [world.client(**known) for known in (BY_PHONE, NO_EMAIL, BY_PHONE)]
    for client in clients:
        await world.process(client)
        world.clock.now += 20
    assert len(world.contacts()) == 1
    assert len(set(world.booxi.links().values())) == 1


async def test_a_customer_found_again_after_a_lost_answer_is_remembered_by_phone(world: World):
    world.hubspot.faults = LAG
    world.hubspot_gate.on(*CREATE, LOST)
    first, second = world.client(**BY_PHONE), world.client(**BY_PHONE)
    await world.process(first)
    await world.again()
    await world.process(second)
    assert len(world.contacts()) == 1
    assert await world.link(second) == ((await world.link(first))[0], "phone")


@pytest.mark.parametrize("fill", [True, False])
async def test_a_customer_matched_by_email_is_remembered_by_the_phone_that_came_with_it(world: World, fill):
    world.use(fill_blanks=fill)
    contact = world.contact(email="ada@example.com", firstname="Ada", lastname="Byron")
    world.hubspot.faults = LAG
    first, second = world.client(), world.client(**BY_PHONE)
    await world.process(first)
    await world.process(second)
    assert await world.link(second) == (contact, "phone")
    assert list(world.contacts()) == [contact]


@pytest.mark.parametrize("in_delivery", [True, False])
async def test_an_adopted_customer_is_remembered_by_phone_too(world: World, in_delivery):
    contact = world.contact(email="ada@example.com", firstname="Ada", lastname="Byron")
    world.hubspot.faults = LAG
    world.booxi.links_in_webhooks = in_delivery
    first, second = world.client(), world.client(**BY_PHONE)
    world.booxi.set_link(int(first), contact)
    await world.process(first)
    await world.process(second)
    assert await world.link(second) == (contact, "phone")


async def test_a_phone_that_came_with_another_name_makes_nobody_its_owner(world: World):
    """A family shares an e-mail address: the phone belongs to whoever booked, or to the one who has its record."""
    grace = world.contact(email="family@example.com", firstname="Grace", lastname="Hopper", mobilephone="+15145550199")
    first, second, third = (
        world.client(**{**ADA, "email": "family@example.com"}),
        world.client(**BY_PHONE),
        world.client(**{**BY_PHONE, "firstName": "Grace", "lastName": "Hopper"}),
    )
    world.use(name_mismatch="link")
    world.hubspot.faults = LAG
    await world.process(first)
    assert await world.link(first) == (grace, "email")
    await world.process(third)
    assert await world.link(third) == (grace, "phone")
    ended = await world.process(second)
    assert ended.work.outcome == "created"


async def test_a_client_with_the_email_of_somebody_matched_by_phone_is_not_made_a_second_customer(world: World):
    contact = world.contact(firstname="Ada", lastname="Byron", mobilephone=PHONE, email="older@example.com")
    first, second = world.client(), world.client(email="ada@example.com")
    await world.process(first)
    assert await world.link(first) == (contact, "phone")
    ended = await world.process(second)
    assert isinstance(ended.error, NeedsReview)
    assert [candidate["customer_id"] for candidate in ended.error.candidates] == [contact]
    assert list(world.contacts()) == [contact]


async def test_the_email_of_somebody_matched_by_phone_is_remembered_although_nobody_wrote_it_down(world: World):
    world.use(fill_blanks=False)
    contact = world.contact(firstname="Ada", lastname="Byron", mobilephone=PHONE)
    first, second = world.client(), world.client(email="ada@example.com")
    await world.process(first)
    await world.process(second)
    assert await world.link(second) == (contact, "email")


async def test_a_crm_that_does_not_show_an_email_yet_is_not_believed_before_our_own_memory(world: World):
    first, second = world.client(), world.client()
    await world.process(first)
    missing = httpx.Response(404, json={"status": "error", "message": "resource not found", "category": "OBJECT_NOT_FOUND"})
    world.hubspot_gate.on("GET", "/contacts/ada@", missing, times=9)
    await world.process(second)
    assert await world.link(second) == (*world.contacts(), "email")


async def test_a_number_that_its_owner_gave_up_is_no_reason_to_ask_a_person(world: World):
    await world.process(world.client(**BY_PHONE))
    (before,) = world.contacts()
    world.hubspot.records.update_contact(before, {"mobilephone": "+15145550177"})
    ended = await world.process(world.client(firstName="Grace", lastName="Hopper", mobilePhoneNumber=PHONE))
    assert ended.work.outcome == "created"


async def test_a_person_read_from_the_client_record_is_remembered_after_a_lost_answer(world: World):
    world.hubspot.faults = LAG
    world.hubspot_gate.on(*CREATE, LOST)
    first, second = world.client(**BY_PHONE), world.client(**BY_PHONE)
    world.booxi.book(int(first))
    world.booxi.outbox.waiting[0]["content"]["booking"]["client"] = {"id": int(first)}
    await world.deliver_all()
    await world.run_all()
    await world.again()
    await world.process(second)
    assert len(world.contacts()) == 1
    assert await world.link(second) == (*world.contacts(), "phone")


# ---- a create whose outcome is not known ----


async def test_while_a_create_is_unknown_another_client_of_that_identity_waits(world: World):
    world.hubspot_gate.on(*CREATE, BEFORE_IT_ARRIVED)
    first, second = world.client(**NO_EMAIL), world.client(**BY_PHONE)
    assert isinstance((await world.process(first)).error, UnknownOutcome)
    ended = await world.process(second)
    assert (ended.state, type(ended.error)) == ("queued", Postponed)
    assert ended.error.retry_after > 0
    assert world.effects == {}

    await world.again()
    await world.again()
    assert len(world.contacts()) == 1
    assert {link["customer_id"] for link in (await world.links()).values()} == set(world.contacts())
    assert await world.open_effects() == []


async def test_another_client_waits_also_while_a_lagging_search_hides_the_effect(world: World):
    world.hubspot.faults = LAG
    world.hubspot_gate.on(*CREATE, LOST)
    first, second = world.client(**BY_PHONE), world.client(**BY_PHONE)
    await world.process(first)
    assert isinstance((await world.process(second)).error, Postponed)
    assert len(world.contacts()) == 1
    await world.again()
    await world.again()
    assert len(world.contacts()) == 1
    assert {(await world.link(c))[0] for c in (first, second)} == set(world.contacts())


async def test_somebody_else_does_not_wait(world: World):
    world.hubspot_gate.on(*CREATE, BEFORE_IT_ARRIVED)
    await world.process(world.client())
    ended = await world.process(world.client(firstName="Grace", lastName="Hopper", email="grace@example.com"))
    assert ended.work.outcome == "created"


async def test_who_waited_does_not_hold_up_others_in_turn(world: World):
    """A postponed create leaves no claim behind: what it alone would have claimed stays free."""
    world.hubspot_gate.on(*CREATE, BEFORE_IT_ARRIVED)
    await world.process(world.client(**NO_EMAIL))
    await world.process(world.client(**{**ADA, "email": "other@example.com"}))
    ended = await world.process(world.client(email="other@example.com"))
    assert ended.work.outcome == "created"


async def test_a_client_linked_in_another_way_after_an_unknown_create_blocks_nobody(world: World):
    world.use(fill_blanks=False, record_appointments=True)
    world.hubspot_gate.on(*CREATE, BEFORE_IT_ARRIVED)
    first, second = world.client(**NO_EMAIL), world.client(**BY_PHONE)
    await world.process(first)
    world.booxi.set_link(int(first), world.contact(email="known@example.com", firstname="Grace"))
    world.fix()
    world.hubspot_gate.on("POST", "/meetings$", Faults(error_500=1))
    world.clock.now += 10
    (ended,) = await world.run_all()
    assert ended.state == "retrying"
    assert (await world.link(first))[1] == "booking_system"
    assert await world.open_effects() == ["record"]
    assert (await world.process(second)).work.outcome == "created"


# ---- the process ends ----


@pytest.mark.parametrize("known", [ADA, BY_PHONE], ids=["e-mail", "phone and name"])
async def test_a_process_that_ends_between_the_create_and_its_commit_leaves_one_contact(world: World, known):
    world.hubspot.faults = LAG
    ada, other = world.client(**known), world.client(**known)
    world.journal.breaks = {"linked"}
    ended = await world.process(ada)
    assert isinstance(ended.error, Crash)
    assert len(world.contacts()) == 1
    assert await world.links() == {}

    await world.restart()
    (ended,) = await world.run_all()
    assert ended.work.outcome == "created"
    await world.process(other)
    (contact,) = world.contacts()
    assert world.effects["POST contacts"] == 1
    assert world.booxi.links() == {int(ada): contact, int(other): contact}
    assert await world.link(ada) == (contact, "created")


async def test_a_process_that_ends_before_the_intent_is_written_has_created_nobody(world: World):
    world.journal.breaks = {"begin"}
    await world.process(world.client())
    assert world.contacts() == {}
    await world.restart()
    (ended,) = await world.run_all()
    assert ended.work.outcome == "created"
    assert len(world.contacts()) == 1


async def test_a_lost_answer_and_then_the_end_of_the_process(world: World):
    world.hubspot_gate.on(*CREATE, LOST)
    ada, other = world.client(**BY_PHONE), world.client(**{**BY_PHONE, "mobilePhoneNumber": PHONE})
    await world.book(ada)
    (ended,) = await world.run_all()
    assert isinstance(ended.error, UnknownOutcome)
    world.hubspot.faults = LAG
    await world.restart()
    await world.book(other)
    await world.run_all()
    await world.again()
    assert len(world.contacts()) == 1
    assert {(await world.link(c))[0] for c in (ada, other)} == set(world.contacts())
