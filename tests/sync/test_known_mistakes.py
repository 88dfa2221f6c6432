"""Mistakes that integrations of this kind are known to make, each as a test that the naive behaviour fails."""

import asyncio

import httpx
import pytest
import structlog

from connector.model.errors import ConnectorError, NeedsReview
from connector.sandbox.kit.faults import Faults

from .gate import BEFORE_IT_ARRIVED, LOST
from .harness import ADA, PHONE, World

pytestmark = pytest.mark.anyio

NAME = {"firstname": ADA["firstName"], "lastname": ADA["lastName"]}
FAULTS = {
    "a 500": Faults(error_500=1),
    "a 503": Faults(error_503=1),
    "a time-out": httpx.ReadTimeout("too slow"),
    "a reset": httpx.ReadError("reset"),
    "a 401": httpx.Response(401, json={"status": "error", "message": "expired"}),
    "a 429": httpx.Response(429, json={"policyName": "SECONDLY"}),
    "a page of HTML": httpx.Response(200, html="<html>maintenance</html>"),
}


@pytest.mark.parametrize("problem", FAULTS.values(), ids=FAULTS)
async def test_1_a_look_up_that_fails_is_not_an_empty_one(world: World, problem):
    contact = world.contact(email="ada@example.com", **NAME)
    world.hubspot_gate.on("GET", "contacts/ada", problem, times=20)
    ada = world.client()
    ended = await world.process(ada)
    assert isinstance(ended.error, ConnectorError)
    assert list(world.contacts()) == [contact]
    await world.again()
    assert list(world.contacts()) == [contact]
    assert await world.link(ada) == (contact, "email")


async def test_1_a_partial_page_of_a_search_is_not_an_empty_one(world: World):
    contact = world.contact(mobilephone=PHONE, **NAME)
    partial = httpx.Response(200, json={"total": 3, "results": "cut short"})
    world.hubspot_gate.on("POST", "search", partial, times=20)
    ada = world.client(**{key: value for key, value in ADA.items() if key != "email"})
    await world.process(ada)
    assert list(world.contacts()) == [contact]
    await world.again()
    assert await world.link(ada) == (contact, "phone")


async def test_2_as_many_records_as_people_does_not_mean_everybody_was_found(world: World):
    """One person with two records and one with none: two records, two people, and yet somebody is missing."""
    for _ in range(2):
        world.contact(mobilephone=PHONE, **NAME)
    ada = world.client(**{key: value for key, value in ADA.items() if key != "email"})
    grace = world.client(firstName="Grace", lastName="Hopper", email="grace@example.com")
    await world.book(ada, attendees=[int(grace)])
    await world.run_all()
    assert await world.link(ada) is None
    assert isinstance(next(e for e in world.ended if e.work.client_id == ada).error, NeedsReview)
    assert (await world.link(grace))[1] == "created"


async def test_3_the_case_of_an_email_makes_no_second_customer(world: World):
    contact = world.contact(email="ada@example.org", **NAME)
    ada = world.client(**{**ADA, "email": "Ada@Example.ORG"})
    await world.process(ada)
    assert await world.link(ada) == (contact, "email")
    assert list(world.contacts()) == [contact]


@pytest.mark.parametrize(
    ("first", "last", "expected"),
    [
        ("Jean Pierre", "Dupont", ("Jean Pierre", "Dupont")),
        ("Jean Pierre Dupont", "", ("Jean Pierre", "Dupont")),
        ("", "", (None, None)),
        ("Cher", "", ("Cher", None)),
    ],
)
async def test_4_names_keep_their_parts_and_are_never_an_email(world: World, first, last, expected):
    ada = world.client(firstName=first, lastName=last, email="jp@example.com")
    await world.process(ada)
    customer, _ = await world.link(ada)
    stored = world.contacts()[customer]
    found = (stored.get("firstname") or None, stored.get("lastname") or None)
    assert found == expected


@pytest.mark.parametrize("problem", FAULTS.values(), ids=FAULTS)
async def test_5_problem_of_the_crm_is_waited_out_and_ends_well(world: World, problem):
    world.hubspot_gate.on("GET", "contacts", problem, times=4)
    ada = world.client()
    await world.process(ada)
    await world.again()
    assert (await world.link(ada))[1] == "created"
    assert len(world.contacts()) == 1
    assert world.stored(ada) == (await world.link(ada))[0]


async def test_6_a_crash_between_effect_and_bookkeeping_makes_no_second_record(world: World):
    world.use(record_appointments=True)
    world.journal.breaks = {"recorded"}
    ada = world.client()
    await world.process(ada)
    assert len(world.meetings()) == 1
    await world.restart()
    world.use(record_appointments=True)
    await world.again()
    assert len(world.meetings()) == 1
    assert len(world.contacts()) == 1


async def test_7_overlapping_runs_do_each_thing_once(world: World):
    clients = [world.client(**{**ADA, "email": f"c{n}@example.com", "mobilePhoneNumber": ""}) for n in range(20)]
    for client in clients:
        await world.book(client)
    await asyncio.gather(*(world.run_all() for _ in range(4)))
    assert len(world.ended) == len({ended.work.event_id for ended in world.ended}) == 20
    assert len(world.contacts()) == 20
    assert world.effects["POST contacts"] == 20


async def test_8_an_apostrophe_is_no_query_and_nothing_personal_is_logged(world: World):
    with structlog.testing.capture_logs() as logs:
        contact = world.contact(email="o'hara@example.org", firstname="Scarlett", lastname="O'Hara")
        client = world.client(firstName="Scarlett", lastName="O'Hara", email="o'hara@example.org")
        await world.process(client)
    assert await world.link(client) == (contact, "email")
    assert "hara" not in str(logs).lower()


async def test_9_one_booking_is_one_activity_and_every_attendee_is_a_customer_of_their_own(world: World):
    world.use(record_appointments=True)
    ada = world.client()
    grace = world.client(firstName="Grace", lastName="Hopper", email="grace@example.com")
    booking = await world.book(ada, attendees=[int(grace)])
    await world.run_all()
    world.booxi.update_booking(booking, notes="later")
    await world.deliver_all()
    await world.run_all()
    (first, _), (second, _) = await world.link(ada), await world.link(grace)
    assert first != second
    assert {customer: contact["email"] for customer, contact in world.contacts().items()} == {
        first: "ada@example.com",
        second: "grace@example.com",
    }
    # One record for each person of the booking, and none more after the update.
    assert sorted(meeting["contacts"] for meeting in world.meetings()) == sorted([[first], [second]])


async def test_10_more_hits_than_one_page_are_all_compared(world: World):
    """Eleven people behind one switchboard; the one with the agreeing name is found, wherever the page ends."""
    for n in range(10):
        world.contact(mobilephone=PHONE, firstname=f"Colleague{n}", lastname=f"Other{n}")
    contact = world.contact(mobilephone=PHONE, **NAME)
    ada = world.client(**{key: value for key, value in ADA.items() if key != "email"})
    await world.process(ada)
    assert await world.link(ada) == (contact, "phone")


async def test_10_a_conflict_in_other_words_is_still_a_conflict(world: World):
    """The look-ups come too early, and HubSpot's sentence about the existing record has changed its words."""
    ada = world.client()
    made: list[str] = []

    def somebody_else_first() -> None:
        made.append(world.contact(email="ada@example.com", **NAME))

    reworded = httpx.Response(409, json={"status": "error", "category": "CONFLICT", "message": "Kontakt existiert schon"})
    world.hubspot_gate.on("POST", "contacts$", somebody_else_first)
    world.hubspot_gate.on("POST", "contacts$", reworded)
    await world.process(ada)
    await world.again()
    assert await world.link(ada) == (made[0], "email")
    assert list(world.contacts()) == made


async def test_a_time_out_after_a_create_makes_no_second_customer(world: World):
    world.hubspot_gate.on("POST", "contacts$", LOST)
    ada = world.client()
    await world.process(ada)
    await world.again()
    assert len(world.contacts()) == 1
    assert (await world.link(ada))[1] == "created"


async def test_a_time_out_before_a_create_loses_nobody(world: World):
    world.hubspot_gate.on("POST", "contacts$", BEFORE_IT_ARRIVED)
    ada = world.client()
    await world.process(ada)
    await world.again()
    assert len(world.contacts()) == 1


@pytest.mark.parametrize("address", ["o&#039;hara@example.com", "O\\'Hara@example.com", "o%27hara@example.com"])
async def test_a_sign_written_for_a_page_leads_to_the_same_person_and_to_nobody_else(world: World, address):
    """SuiteCRM/SuiteCRM issue 7962: addresses are kept as a page needs them. What stands behind the sign is another's."""
    world.contact(email="hara@example.com")
    conan = world.contact(email="o'hara@example.com", firstname="Conan", lastname="O'Hara")
    client = world.client(firstName="Conan", lastName="O&#039;Hara", email=address)
    await world.process(client)
    assert await world.link(client) == (conan, "email")
    assert world.contacts()[conan]["lastname"] == "O'Hara"


async def test_half_of_an_address_is_nobody_s(world: World):
    """A comma for the dot, and of "john,doe@…" the second half is a customer of theirs."""
    doe = world.contact(email="doe@example.com")
    client = world.client(firstName="John", lastName="Doe", email="john,doe@example.com")
    await world.process(client)
    assert await world.link(client) is None
    assert list(world.contacts()) == [doe]
