"""From Bookablesites' webhooks to linked HubSpot contacts and meetings, through the real service."""

import json
from collections import Counter
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from connector.operations.drift.comparison import Comparison
from connector.sandbox.bookablesites.app import BookablesitesSandbox
from connector.sandbox.kit.faults import Faults

from ..whole_path import PATH_KEY, TOKEN, World

pytestmark = pytest.mark.anyio

START = datetime(2027, 3, 1, 14, tzinfo=UTC)
BOOKING = """
system = "bookablesites"
base_url = "https://bookablesites.test"
api = "v2"
client_id = "sandbox-client"
client_secret = "sandbox-client-secret"
date_format = "%d/%m/%Y %I:%M %p"
time_zone = "Europe/Paris"
page_size = 3
"""
ADA = {"first_name": "Ada", "last_name": "Moreau", "email": "Ada@Example.com", "phone": "+15145550101"}
BEN = {"first_name": "Ben", "last_name": "Okafor", "email": "ben@example.com", "phone": ""}


@pytest.fixture
def world(tmp_path):
    return World(tmp_path, BookablesitesSandbox(retries=[0.01] * 50), BOOKING)


@pytest.mark.parametrize("encoding", ["json", "form"])
async def test_a_booking_becomes_a_linked_customer_and_a_meeting(world, encoding):
    world.sandbox.encoding = encoding
    async with world.running():
        ada = world.sandbox.add_customer(**ADA)
        appointment = world.sandbox.book(ada, starts_at=START)
        await world.deliver()
        assert world.contacts() == ["ada@example.com"]
        assert list((await world.links()).values()) == [world.hubspot.contacts()[0]["id"]]
        assert world.starts() == ["2027-03-01T14:00:00.000Z"]
        world.sandbox.reschedule(appointment, START + timedelta(days=1))
        await world.deliver()
        assert world.starts() == ["2027-03-02T14:00:00.000Z"]
        world.sandbox.no_show(appointment)
        await world.deliver()
        assert world.outcomes() == ["NO_SHOW"]
        world.sandbox.cancel(appointment)
        await world.deliver()
        assert world.outcomes() == ["CANCELED"]
        assert await world.states() == Counter(done=5)
        assert len(world.contacts()) == 1
    assert world.sandbox.descriptions() == {}, "nothing is written back unless it is asked for"


async def test_an_appointment_that_is_deleted_is_cancelled(world):
    async with world.running():
        appointment = world.sandbox.book(world.sandbox.add_customer(**ADA), starts_at=START)
        await world.deliver()
        world.sandbox.delete(appointment)
        await world.deliver()
        assert world.outcomes() == ["CANCELED"]


async def test_several_people_of_one_appointment_and_one_known_to_the_crm(world):
    world.hubspot.add_contact(age=3600, email="ben@example.com", firstname="Ben", lastname="Okafor")
    async with world.running():
        ada, ben = world.sandbox.add_customer(**ADA), world.sandbox.add_customer(**BEN)
        appointment = world.sandbox.book(ada, ben, starts_at=START)
        await world.deliver()
        world.sandbox.set_status(appointment, "canceled", ben)
        await world.deliver()
        assert world.contacts() == ["ada@example.com", "ben@example.com"]
        assert len(await world.links()) == 2
        assert world.outcomes() == ["CANCELED", "SCHEDULED"]


async def test_a_repetition_is_a_duplicate_and_another_event_with_the_same_body_is_not(world):
    async with world.running():
        world.sandbox.state.add_customer(**ADA)
        appointment = world.sandbox.book(*world.sandbox.state.customers, starts_at=START)
        (message,) = world.sandbox.outbox.waiting
        _, content = message.content()
        answers = [
            (await world.post(content, query=f"event={e}&key={PATH_KEY}")).json()["status"] for e in ("booked", "booked")
        ]
        # Should the clock pass into the next span in between, it is news; it is harmless then.
        assert answers in (["queued", "duplicate"], ["queued", "queued"])
        other = await world.post(content, query=f"event=status&key={PATH_KEY}")
        assert other.json()["status"] == "queued"
        await world.settled()
        assert len(world.contacts()) == len(world.hubspot.meetings()) == 1
        assert appointment in world.sandbox.state.appointments


REFUSED = [
    ("event=booked", TOKEN),
    ("event=booked&key=", TOKEN),
    ("event=booked&key=wrong", TOKEN),
    (f"event=booked&key={PATH_KEY}x", TOKEN),
    (f"event=booked&key={PATH_KEY}&key={PATH_KEY}", TOKEN),
    ("%%%&key=\xff", TOKEN),
    (f"event=booked&key={PATH_KEY}", "wrong"),
]


async def test_an_address_or_a_token_that_is_wrong_is_refused_and_stored_nowhere(world):
    async with world.running():
        for query, token in REFUSED:
            answer = await world.post(b'{"customerEmail": "ada@example.com"}', query=query, token=token)
            assert answer.status_code == 401, query
        assert await world.events() == []


FORM = "application/x-www-form-urlencoded"
ODD = [
    (b"[]", "application/json", 202),
    (b'"text"', "application/json", 202),
    (b"{}", "application/json", 202),
    (b'{"customerEmail": ["x"], "customerFirstName": {"a": 1}}', "application/json", 202),
    (b"a=b", FORM, 202),
    (b"", FORM, 400),
    (b"\xff=\xfe", FORM, 400),
    (b"customerEmail=%ff", FORM, 400),
    (b"{", "application/json", 400),
    (b'{"customerEmail": NaN}', "application/json", 400),
    (b"customerEmail=ada%40example.com", "text/plain", 400),
]


async def test_what_cannot_be_read_is_held_or_refused(world):
    async with world.running():
        for content, type_, status in ODD:
            answer = await world.post(content, query=f"event=booked&key={PATH_KEY}", type_=type_)
            assert answer.status_code == status, content
            assert status == 400 or answer.json()["status"] == "held"
        events = await world.events()
        assert len(events) == 5
        assert all(event["state"] == "held" and event["hint"] for event in events)


async def test_the_key_of_the_address_is_not_stored(world):
    async with world.running():
        await world.post(b"[]", query=f"event=booked&key={PATH_KEY}&x=1")
        database = world.service.engine.store.database
        headers = await database.read(lambda c: [row[0] for row in c.execute("SELECT headers FROM deliveries")])
        assert "event=booked" in headers[0]
        assert PATH_KEY not in headers[0]


async def test_faults_of_the_remote_systems_lose_nothing_and_make_nobody_twice(world):
    async with world.running():
        world.sandbox.faults = Faults(seed=3, error_500=0.2, lost_answer=0.1, duplicate_delivery=0.5, reorder_delivery=0.5)
        world.hubspot.faults = Faults(seed=4, error_503=0.1, retry_after=0.01)
        for n in range(4):
            customer = world.sandbox.add_customer(first_name="Una", last_name=f"Example {n}", email=f"una-{n}@example.com")
            world.sandbox.book(customer, starts_at=START + timedelta(hours=n))
        await world.sandbox.send_webhooks(concurrency=4)
        assert world.sandbox.outbox.counts["refused"] == 0
        world.fix()
        await world.settled()
        assert world.contacts() == [f"una-{n}@example.com" for n in range(4)]
        assert len(world.hubspot.meetings()) == 4
        assert set(await world.states()) == {"done"}


async def test_a_backfill_links_and_finds_the_same_clients_as_the_webhooks(world):
    async with world.running():
        ada, ben = world.sandbox.add_customer(**ADA), world.sandbox.add_customer(**BEN)
        world.sandbox.add_customer(first_name="No", last_name="Booking", email="nobody@example.com")
        world.sandbox.outbox.waiting.clear()
        for n in range(5):
            world.sandbox.book((ada, ben)[n % 2], starts_at=START + timedelta(days=n), service=f"Cut {n}")
        world.sandbox.book(ben, starts_at=START + timedelta(days=90))
        world.sandbox.outbox.waiting.clear()
        counts = await world.backfill("2027-03-01", "2027-03-31")
        assert counts == {
            "seen": 2,
            "already_linked": 0,
            "matched": 0,
            "created": 2,
            "written_back": 0,
            "held": 0,
            "failed": 0,
            "skipped": 0,
        }
        assert len(world.hubspot.meetings()) == 5
        assert {c.get("mobilephone") for c in world.hubspot.contacts() if c["email"] == "ada@example.com"} == {"+15145550101"}
        world.sandbox.cancel(min(world.sandbox.state.appointments))
        await world.deliver()
        assert len(world.contacts()) == len(await world.links()) == 2
        assert world.outcomes().count("CANCELED") == 1
        assert len(world.hubspot.meetings()) == 5


async def test_with_the_description_for_it_the_id_is_written_once(tmp_path):
    sandbox = BookablesitesSandbox()
    world = World(tmp_path, sandbox, BOOKING + 'write_back = "description"\n')
    async with world.running():
        ada = sandbox.add_customer(**ADA)
        for n in range(3):
            sandbox.book(ada, starts_at=START + timedelta(days=n))
        await world.deliver()
        assert sandbox.descriptions() == {ada: f"[crm:{world.hubspot.contacts()[0]['id']}]"}
        assert sandbox.requests["PATCH /customers/{id}"] == 1
        engine = world.service.engine
        (client_id,) = await world.links()
        link = await engine.store.links.find("salon", client_id)
        assert link.written_back_at
        assert await Comparison(engine.syncs["salon"], engine.store.links).compare(link) == [], "it cannot be read there"


async def test_an_address_that_leads_to_another_source_is_not_found(world):
    async with world.running(), httpx.AsyncClient() as client:
        answer = await client.post(f"{world.service.url}/webhooks/other?key={PATH_KEY}", json={})
        assert answer.status_code == 404


async def test_json_that_calls_itself_a_form_is_read(world):
    async with world.running():
        ada = world.sandbox.add_customer(**ADA)
        world.sandbox.book(ada, starts_at=START)
        body = json.dumps(world.sandbox.outbox.waiting.pop().body).encode()
        await world.post(body, query=f"event=booked&key={PATH_KEY}", type_="application/x-www-form-urlencoded")
        await world.settled()
        assert await world.states() == Counter(done=1)
        assert world.contacts() == ["ada@example.com"]


@pytest.mark.parametrize("statuses", [("canceled", "approved"), ("approved", "canceled")])
@pytest.mark.parametrize("backfill", [True, False])
async def test_who_cancelled_and_booked_anew_comes(world, statuses, backfill):
    async with world.running():
        ada = world.sandbox.add_customer(**ADA)
        appointment = world.sandbox.book(ada, ada, starts_at=START)
        for booking, status in zip(world.sandbox.state.appointments[appointment]["bookings"], statuses, strict=True):
            booking["status"] = status
        if backfill:
            await world.backfill("2027-02-28", "2027-03-02")
        else:
            await world.deliver()
        assert world.outcomes() == ["SCHEDULED"]


async def test_an_address_that_passes_to_another_person_is_asked_about(world):
    world.file.write_text(world.file.read_text() + 'name_mismatch = "hold"\n')
    async with world.running():
        ada = world.sandbox.add_customer(**ADA)
        world.sandbox.book(ada, starts_at=START)
        await world.deliver()
        world.sandbox.state.update_customer(ada, {**ADA, "email": "ada@elsewhere.example"})
        ben = world.sandbox.add_customer(**BEN | {"email": ADA["email"]})
        world.sandbox.book(ben, starts_at=START + timedelta(days=1))
        await world.deliver()
        assert await world.states() == Counter(done=2, held=2)
        assert world.starts() == ["2027-03-01T14:00:00.000Z"]
        assert {event["reason"] for event in await world.events() if event["state"] == "held"} == {
            "the e-mail address by which this client is known may have passed to another person: the names differ"
        }
