"""Customers by digest, appointments of deliveries, the optional write-back, checks."""

from datetime import UTC, datetime, timedelta

import httpx
import pytest
from msgspec.structs import replace

from connector.booking_systems.base import ClientLink
from connector.model.bookings import Appointment, Event, Status
from connector.model.capabilities import BookingCapability
from connector.model.errors import Hold, Rejected, UnknownOutcome
from connector.remote.signatures import NoVerification, VerificationFailed
from connector.sandbox.bookablesites.app import BookablesitesSandbox
from connector.sandbox.kit.faults import Faults

from .conftest import key

pytestmark = pytest.mark.anyio

ADA = {"first_name": "Ada", "last_name": "Moreau", "email": "ada@example.com", "phone": "+15145550101"}
START = datetime(2027, 3, 1, 14, tzinfo=UTC)


@pytest.fixture
def ada(sandbox):
    return sandbox.add_customer(**ADA)


def crowd(sandbox, number):
    for n in range(number):
        sandbox.add_customer(first_name="Una", last_name=str(n), email=f"una-{n}@example.com")


# Customers.


@pytest.mark.parametrize("paginates", [True, False])
async def test_a_customer_is_found_by_paging_and_then_by_the_index(connect, paginates):
    sandbox = BookablesitesSandbox(paginates=paginates)
    sandbox.add_customer(**ADA)
    crowd(sandbox, 7)
    booking = connect(sandbox)
    assert (await booking.client(key("ada@example.com"))).last_name == "Moreau"
    assert sandbox.requests["GET /customers"] == 3
    assert (await booking.client(key("ada@example.com"))).last_name == "Moreau"
    assert sandbox.requests["GET /customers"] == 3
    assert await booking.client(key("nobody@example.com")) is None
    assert await booking.client("0" * 32) is None


async def test_a_record_is_always_read_afresh(connect, sandbox, ada):
    booking = connect(sandbox)
    await booking.client(key("ada@example.com"))
    sandbox.state.customers[ada]["last_name"] = "Byron"
    assert (await booking.client(key("ada@example.com"))).last_name == "Byron"


async def test_an_address_that_moved_to_another_customer_is_followed(connect, sandbox, ada):
    booking = connect(sandbox)
    await booking.client(key("ada@example.com"))
    sandbox.state.customers[ada]["email"] = "old@example.com"
    sandbox.add_customer(**ADA | {"first_name": "Adam"})
    assert (await booking.client(key("ada@example.com"))).first_name == "Adam"
    assert (await booking.client(key("old@example.com"))).first_name == "Ada"


async def test_a_customer_who_was_deleted_is_gone(connect, sandbox, ada):
    booking = connect(sandbox)
    await booking.client(key("ada@example.com"))
    del sandbox.state.customers[ada]
    assert await booking.client(key("ada@example.com")) is None


# The appointment a delivery speaks of.


async def said(booking, sandbox, appointment, event="booked", customer=None):
    """The event of a delivery about the appointment as it stands."""
    sandbox.outbox.waiting.clear()
    (message, *_) = sandbox.queue(appointment, event, customer)
    (found,) = booking.read_delivery({":path": f"/webhooks/salon?event={event}"}, dict(message.body)).events
    return found


async def test_it_is_found_among_others(connect, sandbox, ada):
    booking = connect(sandbox)
    wanted = sandbox.book(ada, starts_at=START)
    for n in range(1, 8):
        sandbox.book(ada, starts_at=START + timedelta(hours=n))
    sandbox.book(sandbox.add_customer(**ADA | {"email": "ben@example.com"}), starts_at=START)
    found = await booking.appointment(await said(booking, sandbox, wanted))
    assert (found.id, found.starts_at, found.staff, found.location) == (str(wanted), START, "Robin Example", "Main Street")


async def test_what_stands_in_the_list_counts_and_not_what_was_said(connect, sandbox, ada):
    booking = connect(sandbox)
    wanted = sandbox.book(ada, starts_at=START)
    event = await said(booking, sandbox, wanted)
    sandbox.cancel(wanted)
    assert (await booking.appointment(event)).status is Status.CANCELLED


async def test_of_two_alike_the_one_with_that_status(connect, sandbox, ada):
    booking = connect(sandbox)
    first = sandbox.book(ada, starts_at=START)
    sandbox.cancel(first)
    second = sandbox.book(ada, starts_at=START)
    assert (await booking.appointment(await said(booking, sandbox, second))).id == str(second)
    assert (await booking.appointment(await said(booking, sandbox, first, "canceled"))).id == str(first)


async def test_two_that_fit_alike_need_a_person(connect, sandbox, ada):
    booking = connect(sandbox)
    sandbox.book(ada, starts_at=START)
    event = await said(booking, sandbox, sandbox.book(ada, starts_at=START))
    with pytest.raises(Hold, match="several") as caught:
        await booking.appointment(event)
    assert caught.value.hint


async def test_without_a_format_the_only_one_of_that_service_is_meant(connect, sandbox, ada):
    booking = connect(sandbox, date_format=None)
    wanted = sandbox.book(ada, starts_at=START, service="Haircut")
    sandbox.book(ada, starts_at=START, service="Massage")
    event = await said(booking, sandbox, wanted)
    assert event.appointment.starts_at is None
    assert (await booking.appointment(event)).id == str(wanted)
    sandbox.book(ada, starts_at=START + timedelta(days=1), service="Haircut")
    with pytest.raises(Hold, match="several"):
        await booking.appointment(event)


async def test_one_that_has_vanished_is_known_by_what_was_found_before(connect, sandbox, ada):
    booking = connect(sandbox)
    wanted = sandbox.book(ada, starts_at=START)
    booked, canceled = await said(booking, sandbox, wanted), await said(booking, sandbox, wanted, "canceled")
    await booking.appointment(booked)
    del sandbox.state.appointments[wanted]
    found = await booking.appointment(canceled)
    assert (found.id, found.status) == (str(wanted), Status.CANCELLED)
    with pytest.raises(Hold, match="no appointment"):
        await connect(sandbox).appointment(canceled)


async def test_a_time_zone_that_is_wrong_finds_nothing_rather_than_something_else(connect, sandbox, ada):
    booking = connect(sandbox, time_zone="America/New_York", api_time_zone="Europe/Paris")
    event = await said(booking, sandbox, sandbox.book(ada, starts_at=START))
    with pytest.raises(Hold, match="no appointment") as caught:
        await booking.appointment(event)
    assert "time_zone" in caught.value.hint


async def test_the_booking_of_one_among_several(connect, sandbox, ada):
    booking = connect(sandbox)
    ben = sandbox.add_customer(**ADA | {"email": "ben@example.com"})
    wanted = sandbox.book(ada, ben, starts_at=START)
    sandbox.set_status(wanted, "no-show", ben)
    assert (await booking.appointment(await said(booking, sandbox, wanted, "status", ben))).status is Status.NO_SHOW
    assert (await booking.appointment(await said(booking, sandbox, wanted, "status", ada))).status is Status.SCHEDULED
    sandbox.cancel(wanted)
    assert (await booking.appointment(await said(booking, sandbox, wanted, "status", ben))).status is Status.CANCELLED


async def test_what_the_backfill_says_is_taken_as_it_is(connect, sandbox):
    booking = connect(sandbox)
    (client,) = booking.read_delivery({}, {"customerEmail": "ada@example.com"}).events
    known = Appointment(id="4711")
    event = Event(type="backfill", client=client.client, appointment=known)
    assert await booking.appointment(event) is known
    assert await booking.appointment(replace(event, appointment=None)) is None
    assert sandbox.requests.total() == 0


# The write-back.


async def test_by_default_there_is_no_place_for_a_link(connect, sandbox):
    booking = connect(sandbox)
    assert not booking.can(BookingCapability.WRITES_LINKS)
    assert await booking.read_link("x") == ClientLink(client_id="x")
    assert sandbox.requests.total() == 0


@pytest.mark.parametrize("api", ["v1", "v2"])
async def test_the_description_is_written_with_everything_else_as_it_was(connect, sandbox, ada, api):
    before = dict(sandbox.state.customers[ada])
    booking = connect(sandbox, write_back="description", api=api)
    assert booking.can(BookingCapability.WRITES_LINKS)
    link = await booking.write_link(await booking.read_link(key("ada@example.com")), "6001")
    assert (link.client_id, link.customer_id) == (key("ada@example.com"), "6001")
    assert sandbox.descriptions() == {ada: "[crm:6001]"}
    assert sandbox.state.customers[ada] == before


async def test_a_customer_without_a_phone(connect, sandbox):
    ben = sandbox.add_customer(first_name="Ben", last_name="Okafor", email="ben@example.com")
    await connect(sandbox, write_back="description").write_link(ClientLink(client_id=key("ben@example.com")), "6001")
    assert sandbox.descriptions() == {ben: "[crm:6001]"}


async def test_a_write_that_changes_more_is_told_to_a_person(connect, sandbox, ada, monkeypatch):
    monkeypatch.setattr("connector.sandbox.bookablesites.state.cut_phone", lambda phone: {"phone_number": "5550199"})
    with pytest.raises(Rejected, match="reads back differently") as caught:
        await connect(sandbox, write_back="description").write_link(ClientLink(client_id=key("ada@example.com")), "6001")
    assert "write_back" in caught.value.hint


async def test_nobody_to_write_to(connect, sandbox):
    with pytest.raises(Rejected, match="no customer") as caught:
        await connect(sandbox, write_back="description").write_link(ClientLink(client_id=key("ada@example.com")), "6001")
    assert caught.value.hint


async def test_a_cut_write_is_unknown_and_sent_once(connect, sandbox, ada):
    booking = connect(sandbox, write_back="description")
    await booking.client(key("ada@example.com"))
    sandbox.faults = Faults(methods=("PATCH",), lost_answer=1)
    with pytest.raises(UnknownOutcome):
        await booking.write_link(ClientLink(client_id=key("ada@example.com")), "6001")
    assert sandbox.requests["PATCH /customers/{id}"] == 1


async def test_an_expired_token_does_not_make_a_write_two(connect, sandbox, ada):
    booking = connect(sandbox, write_back="description")
    await booking.probe()
    sandbox.expire_tokens()
    await booking.write_link(ClientLink(client_id=key("ada@example.com")), "6001")
    assert sandbox.descriptions() == {ada: "[crm:6001]"}


# Proof and checks.


async def test_the_key_of_the_address_comes_first(connect, sandbox):
    verifier = connect(sandbox).verifier()
    assert verifier.verify({":path": "/webhooks/salon?key=0123456789abcdef"}, b"", now=0)
    assert verifier.inner == NoVerification()
    for path in ("/webhooks/salon", "/webhooks/salon?key=x", "", "/?key=0123456789abcdef&key=0123456789abcdef"):
        with pytest.raises(VerificationFailed):
            verifier.verify({":path": path} if path else {}, b"", now=0)


async def test_then_the_token(connect, sandbox):
    verifier = connect(sandbox, webhook={"verify": "token", "tokens": ["abc"]}).verifier()
    path = {":path": "/webhooks/salon?event=booked&key=0123456789abcdef"}
    assert verifier.verify({**path, "authorization": "Bearer abc"}, b"", now=0)
    assert verifier.verify({**path, "authorization": "abc"}, b"", now=0)
    for headers in (path, {**path, "authorization": "abd"}):
        with pytest.raises(VerificationFailed):
            verifier.verify(headers, b"", now=0)


async def test_checks(connect, sandbox):
    booking = connect(sandbox)
    booking.address = "https://hooks.example.com/webhooks/salon"
    found = {check.id.rpartition(".")[2]: check for check in await booking.checks()}
    assert {check.level for check in found.values()} == {"ok"}
    assert "stored in connector only" in found["write_back"].message
    assert "https://hooks.example.com/webhooks/salon?event=EVENT&key=PATH_KEY" in found["addresses"].message
    assert "0123456789abcdef" not in str(found)
    careless = connect(sandbox, write_back="description", date_format=None)
    assert {check.level for check in await careless.checks()} == {"warning"}


@pytest.mark.parametrize("record", [{}, {"data": {}}, [], "x", {"message": "hello"}])
async def test_a_customer_in_an_unexpected_shape_is_not_absent(connect, record):
    def handle(request):
        if request.method == "POST":
            return httpx.Response(200, json={"access_token": "t"})
        listed = {"data": [{"id": 1, "email": "ada@example.com"}], "pagination": {"pages": 1}}
        return httpx.Response(200, json=listed if request.url.path.endswith("customers") else record)

    from connector.model.errors import Transient

    with pytest.raises(Transient, match="unexpected shape"):
        await connect(handle).client(key("ada@example.com"))
