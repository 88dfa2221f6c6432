"""Reading a booking back, the optional write-back, checks."""

from datetime import UTC, datetime, timedelta

import httpx
import pytest
from msgspec.structs import asdict, replace

from connector.booking_systems.base import ClientLink
from connector.booking_systems.bookingflow.bookings import booking_in, read_event, read_status
from connector.model.bookings import Appointment, Client, Event, Status
from connector.model.capabilities import BookingCapability
from connector.model.errors import AccountPaused, RateLimited, Rejected, Transient, UnknownOutcome
from connector.remote.signatures import VerificationFailed
from connector.sandbox.bookingflow.app import BookingFlowSandbox
from connector.sandbox.kit.faults import Faults

from .conftest import made

pytestmark = pytest.mark.anyio

ADA = {"name": "Ada Moreau", "email": "ada@example.com", "phone": "+15145550101"}
START = datetime(2027, 3, 1, 14, tzinfo=UTC)


def about(booking):
    return Event(type="booking.updated", client=Client(id=f"booking:{booking}"), appointment=Appointment(id=booking))


def answering(data, status=200):
    return lambda request: httpx.Response(status, json=data)


# Reading back.


async def test_the_person_of_a_booking(connect, sandbox):
    booking = sandbox.book(**ADA, starts_at=START)
    client = await connect(sandbox).client(f"booking:{booking}")
    assert asdict(client) == {
        "id": f"booking:{booking}",
        "first_name": "Ada Moreau",
        "last_name": "",
        "email": "ada@example.com",
        "mobile_phone": "+15145550101",
        "home_phone": "",
    }


async def test_where_a_booking_stands(connect, sandbox):
    booking, adapter = sandbox.book(**ADA, starts_at=START), connect(sandbox)
    found = await adapter.appointment(about(booking))
    assert (found.id, found.status) == (booking, Status.SCHEDULED)
    assert (found.starts_at, found.ends_at) == (START, START + timedelta(hours=1))
    assert (found.title, found.location) == ("game_vault", "room_2")
    sandbox.cancel(booking)
    assert (await adapter.appointment(about(booking))).status is Status.CANCELLED
    sandbox.delete(booking)
    gone = await adapter.appointment(about(booking))
    assert (gone.id, gone.status, gone.starts_at) == (booking, Status.CANCELLED, None)
    assert await adapter.client(f"booking:{booking}") is None
    assert await adapter.appointment(replace(about(booking), appointment=None)) is None


@pytest.mark.parametrize(
    "answer",
    [
        {"ok": True, "booking": {"bookingId": "b1", "customer": {"email": "ada@example.com"}}},
        {"data": {"booking": {"id": "b1", "customer": {"email": "ada@example.com"}}}},
        {"data": {"bookingId": "b1", "customer": {"email": "ada@example.com"}}},
        {"id": "b1", "customer": {"email": "ada@example.com"}},
    ],
)
async def test_the_places_where_an_answer_may_keep_the_booking(connect, answer):
    assert (await connect(answering(answer)).client("booking:b1")).email == "ada@example.com"


async def test_other_names(connect):
    record = {"place": ["/result"], "id": ["/uid"], "email": ["/guest/mail"], "first_name": ["/guest/first"]}
    answer = {"result": {"uid": 7, "guest": {"mail": "ada@example.com", "first": "Ada"}}}
    adapter = connect(answering(answer), record=record, paths={"booking": "/v2/reservations/{id}"})
    client = await adapter.client("booking:7")
    assert (client.email, client.first_name) == ("ada@example.com", "Ada")


async def test_the_path_and_the_key(connect):
    asked = []

    def handle(request):
        asked.append(request)
        return httpx.Response(404, json={"ok": False, "error": "booking_not_found"})

    assert await connect(handle).client("booking:a:b") is None
    assert asked[0].url.raw_path == b"/api/v1/bookings/a%3Ab"
    assert asked[0].headers["authorization"] == "Bearer sandbox-api-key"


@pytest.mark.parametrize("answer", [{}, [], "x", None, {"ok": False, "booking": {"id": "b1"}}, {"booking": {"id": "other"}}])
async def test_an_answer_that_is_not_this_booking_is_not_absence(connect, answer):
    with pytest.raises(Transient, match="unexpected shape"):
        await connect(answering(answer)).client("booking:b1")


@pytest.mark.parametrize("client_id", ["booking:", "booking:../x", "", "10374001/../x"])
async def test_an_id_that_is_none(connect, sandbox, client_id):
    with pytest.raises(Rejected) as caught:
        await connect(sandbox).client(client_id)
    assert caught.value.hint


async def test_a_refused_key_and_a_limit(connect):
    sandbox = BookingFlowSandbox(per_minute=1)
    adapter = connect(sandbox)
    await adapter.probe()
    with pytest.raises(RateLimited):
        await adapter.probe()
    with pytest.raises(AccountPaused):
        await connect(sandbox, api_key="another").probe()


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("confirmed", Status.SCHEDULED),
        ("Canceled", Status.CANCELLED),
        ("no-show", Status.NO_SHOW),
        ("no_show", Status.NO_SHOW),
        ("completed", Status.COMPLETED),
        ("checked in", Status.ARRIVED),
        ("refunded", Status.CANCELLED),
        ("floating", Status.UNKNOWN),
        ("", Status.UNKNOWN),
    ],
)
def test_statuses(text, status):
    assert read_status(text) is status


def test_odd_bookings_are_read():
    record = made().record
    assert read_event({"customer": {"email": "ada@example.com"}}, record) is None
    event = read_event({"id": 5, "customer": "Ada", "startAt": "soon", "status": ["x"]}, record)
    assert (event.client.id, event.client.email, event.appointment.starts_at) == ("booking:5", "", None)
    assert event.appointment.unread == ("start",)
    naive = read_event({"id": 5, "startAt": "2026-11-21T09:00:00"}, record, "America/Montreal")
    assert naive.appointment.starts_at == datetime(2026, 11, 21, 14, tzinfo=UTC)
    assert booking_in({"booking": {"name": "x"}, "data": 5}, record) is None


# Writing.


async def test_by_default_nothing_is_read_or_written(connect, sandbox):
    adapter = connect(sandbox)
    assert not adapter.can(BookingCapability.WRITES_LINKS)
    assert await adapter.read_link("booking:b1") == ClientLink(client_id="booking:b1")
    with pytest.raises(Rejected, match="no field"):
        await adapter.write_link(ClientLink(client_id="booking:b1"), "6001")
    assert sandbox.requests.total() == 0


@pytest.fixture
def writable():
    return BookingFlowSandbox(free_fields=("externalId",))


async def test_the_field_alone_is_written(connect, writable):
    booking = writable.book(**ADA, starts_at=START)
    adapter = connect(writable, write_back_field="externalId")
    before = dict(writable.bookings[booking])
    link = await adapter.write_link(await adapter.read_link(f"booking:{booking}"), "6001")
    assert link.customer_id == "6001"
    assert writable.bookings[booking] == before | {"externalId": "6001"}


async def test_a_booking_that_moves_when_it_is_written_is_told_to_a_person(connect):
    starts = iter(["2027-03-01T14:00:00Z", "2027-03-01T14:00:00Z", "1970-01-01T00:00:00Z"])

    def handle(request):
        shown = {"bookingId": "b1", "externalId": "6001", "startAt": "x" if request.method == "PUT" else next(starts)}
        return httpx.Response(200, json={"booking": shown})

    adapter = connect(handle, write_back_field="externalId")
    link = await adapter.read_link("booking:b1")
    with pytest.raises(Rejected, match="another time") as caught:
        await adapter.write_link(link, "6001")
    assert "at once" in caught.value.hint


async def test_a_field_that_reads_back_otherwise_is_no_success(connect):
    adapter = connect(answering({"booking": {"bookingId": "b1"}}), write_back_field="externalId")
    with pytest.raises(Transient, match="has another value"):
        await adapter.write_link(ClientLink(client_id="booking:b1"), "6001")


async def test_a_key_that_may_only_read(connect):
    sandbox = BookingFlowSandbox(read_only=True, free_fields=("externalId",))
    booking = sandbox.book(**ADA)
    adapter = connect(sandbox, write_back_field="externalId")
    with pytest.raises(Rejected, match="403") as caught:
        await adapter.write_link(ClientLink(client_id=f"booking:{booking}"), "6001")
    assert "may only read" in caught.value.hint
    assert await adapter.client(f"booking:{booking}"), "the account itself works"


async def test_a_field_that_is_not_there(connect, sandbox):
    booking = sandbox.book(**ADA)
    with pytest.raises(Rejected, match="400"):
        await connect(sandbox, write_back_field="externalId").write_link(ClientLink(client_id=f"booking:{booking}"), "6001")


async def test_a_cut_write_is_unknown_and_sent_once(connect, writable):
    booking = writable.book(**ADA)
    adapter = connect(writable, write_back_field="externalId", write_back_method="PUT")
    writable.faults = Faults(methods=("PUT",), lost_answer=1)
    with pytest.raises(UnknownOutcome):
        await adapter.write_link(ClientLink(client_id=f"booking:{booking}"), "6001")
    writable.faults = Faults()
    assert (await adapter.read_link(f"booking:{booking}")).customer_id == "6001"
    assert writable.requests["PUT /bookings/{id}"] == 1


# Proof and checks.


async def test_the_key_of_the_address_and_what_the_webhook_table_says(connect, sandbox):
    verifier = connect(sandbox, webhook={"verify": "token", "tokens": ["abc"]}).verifier()
    path = {":path": "/webhooks/rooms?key=0123456789abcdef"}
    assert verifier.verify({**path, "authorization": "abc"}, b"", now=0)
    for headers in ({"authorization": "abc"}, path, {":path": "/?key=x", "authorization": "abc"}):
        with pytest.raises(VerificationFailed):
            verifier.verify(headers, b"", now=0)


async def test_checks(connect, sandbox):
    adapter = connect(sandbox)
    adapter.address = "https://hooks.example.com/webhooks/rooms"
    found = {check.id: check for check in await adapter.checks()}
    assert found["booking.rooms.announced"].level == "warning"
    assert "stored in connector only" in found["booking.rooms.write_back"].message
    assert found["booking.rooms.addresses"].message.endswith("/webhooks/rooms?key=PATH_KEY")
    writing = {check.id: check for check in await connect(sandbox, write_back_field="externalId").checks()}
    assert writing["booking.rooms.write_back"].level == "warning"


@pytest.mark.parametrize("answer", [{"ok": False}, {"ok": False, "error": "not_found"}, {"error": ["booking_not_found"]}, None])
async def test_a_404_that_may_mean_the_path_is_not_absence(connect, answer):
    adapter = connect(lambda _: httpx.Response(404, json=answer))
    with pytest.raises(Rejected, match="without saying") as refused:
        await adapter.client("booking:b1")
    assert ".paths]" in refused.value.hint
    assert "gone" in refused.value.hint


async def test_the_code_of_a_booking_that_is_gone_can_be_set(connect):
    record = {"error": ["/fault/code"], "gone": ["E404"]}
    adapter = connect(lambda _: httpx.Response(404, json={"fault": {"code": "E404"}}), record=record)
    assert await adapter.client("booking:b1") is None


@pytest.mark.parametrize("there", [{"guest": "vip"}, ["a"], 3.5, True, "x" * 1001])
async def test_what_is_no_id_in_the_field_is_never_written_over(connect, there):
    sandbox = BookingFlowSandbox(free_fields=("notes",))
    adapter = connect(sandbox, write_back_field="notes")
    booking = sandbox.book(name="Ada Moreau", email="ada@example.com", notes=there)
    with pytest.raises(Rejected, match="no id"):
        await adapter.read_link(f"booking:{booking}")
    with pytest.raises(Rejected, match="no id"):
        await adapter.write_link(ClientLink(client_id=f"booking:{booking}"), "77")
    assert sandbox.bookings[booking]["notes"] == there


async def test_an_id_that_came_between_reading_and_writing_stays(connect):
    sandbox = BookingFlowSandbox(free_fields=("notes",))
    adapter = connect(sandbox, write_back_field="notes")
    booking = sandbox.book(name="Ada Moreau", email="ada@example.com", notes="55")
    with pytest.raises(Transient, match="meanwhile"):
        await adapter.write_link(ClientLink(client_id=f"booking:{booking}"), "77")
    assert sandbox.bookings[booking]["notes"] == "55"
