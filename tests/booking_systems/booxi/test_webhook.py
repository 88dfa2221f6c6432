"""Booxi's deliveries → canonical events."""

import json
import time
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import asdict, replace

from connector.booking_systems.booxi.settings import Fields
from connector.booking_systems.booxi.values import read_id
from connector.booking_systems.booxi.webhook import (
    KINDS,
    linked_customers,
    read,
    read_appointment,
    read_booking,
    read_client,
    read_status,
)
from connector.model.bookings import Kind, Reading, Status
from connector.remote.values import at, read_event_id, read_text, read_time

MODULE = "your_crm_module"
FIXTURES = sorted(Path(__file__).with_name("fixtures").glob("*.json"))


def delivery(**changes):
    client = {"id": 5, "firstName": "Ada", "email": "ada@example.org"}
    return {"id": "e", "type": "appointment.created", "content": {"booking": {"client": client}}} | changes


def of_booking(**booking):
    return delivery(content={"booking": booking})


def subset(expected, actual):
    """`actual`, reduced to what `expected` speaks of."""
    if isinstance(expected, dict) and isinstance(actual, dict):
        return {key: subset(value, actual.get(key)) for key, value in expected.items()}
    if isinstance(expected, list) and isinstance(actual, list) and len(expected) == len(actual):
        return [subset(one, other) for one, other in zip(expected, actual, strict=True)]
    return actual


@pytest.mark.parametrize("path", FIXTURES, ids=lambda path: path.stem)
def test_fixture(path):
    case = json.loads(path.read_text(encoding="utf-8"))
    assert case["provenance"].startswith(("from documentation", "synthetic"))
    reading = json.loads(msgspec.json.encode(read(case["delivery"], Fields(), MODULE)))
    assert subset(case["expected"], reading) == case["expected"]


def test_there_are_fixtures():
    assert len(FIXTURES) == 5


@pytest.mark.parametrize(
    ("type_", "kind"),
    [
        ("appointment.created", Kind.CREATED),
        ("appointment.updated", Kind.UPDATED),
        ("appointment.status_updated", Kind.STATUS),
        ("reservation.created", Kind.CREATED),
        ("reservation.updated", Kind.UPDATED),
        ("reservation.status_updated", Kind.STATUS),
    ],
)
def test_known_types(type_, kind):
    reading = read(delivery(type=type_), Fields(), MODULE)
    assert [(event.type, event.kind) for event in reading.events] == [(type_, kind)]
    assert len(KINDS) == 6


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (None, "not a JSON object"),
        ([], "not a JSON object"),
        ([delivery()], "not a JSON object"),
        ("text", "not a JSON object"),
        ({}, "event type"),
        (delivery(type=None), "event type"),
        (delivery(type=5), "event type"),
        (delivery(type="  "), "event type"),
        (delivery(content=None), "no content"),
        (delivery(content=[1]), "no content"),
        (delivery(content={}), "no booking"),
        (delivery(content={"booking": "B1"}), "no booking"),
        (of_booking(), "no client"),
        (of_booking(client=None), "no client"),
        (of_booking(client=[{"id": 5}]), "no client"),
        (of_booking(client=None, attendees="x"), "no client"),
        (of_booking(client={}), "client has no id"),
        (of_booking(client={"id": None, "email": "ada@example.org"}), "client has no id"),
        (of_booking(client={"id": True}), "client's id is not a whole number"),
        (of_booking(client={"id": 5.0}), "client's id is not a whole number"),
        (of_booking(client={"id": -5}), "client's id is not a whole number"),
        (of_booking(client={"id": 0}), "client's id is not a whole number"),
        (of_booking(client={"id": "five"}), "client's id is not a whole number"),
        (of_booking(client={"id": "٥"}), "client's id is not a whole number"),
        (of_booking(client={"id": {"id": 5}}), "client's id is not a whole number"),
        (of_booking(attendees=[{"firstName": "Ada"}]), "client has no id"),
    ],
)
def test_held(data, reason):
    reading = read(data, Fields(), MODULE)
    assert reason in reading.held
    assert reading.hint
    assert reading.events == ()
    assert reading.ignored is None


def test_held_texts_hold_no_personal_data():
    reading = read(of_booking(client={"email": "ada@example.org", "lastName": "Example"}), Fields(), MODULE)
    assert "xample" not in f"{reading.held}{reading.hint}"


def test_a_held_delivery_keeps_its_event_id():
    assert read(delivery(content=None), Fields(), MODULE).event_id == "e"


def test_attendees_with_ids_are_enough():
    reading = read(of_booking(client={"firstName": "Ada"}, attendees=[{"id": 7}, 3, None, {"id": 7}]), Fields(), MODULE)
    assert [event.client.id for event in reading.events] == ["7"]


def test_one_client_in_two_spellings_is_one_event():
    reading = read(of_booking(client={"id": 7}, attendees=[{"id": "007", "email": "x@example.org"}]), Fields(), MODULE)
    assert [(event.client.id, event.client.email) for event in reading.events] == [("7", "x@example.org")]


def test_a_phone_sent_as_a_json_number_is_read():
    client = read_client({"id": 7, "mobilePhoneNumber": 15145550123, "homePhoneNumber": 15145550124.0})
    assert client is not None
    assert (client.mobile_phone, client.home_phone) == ("15145550123", "15145550124")
    odd = read_client({"id": 7, "mobilePhoneNumber": True, "homePhoneNumber": 1.5})
    assert odd is not None
    assert (odd.mobile_phone, odd.home_phone) == ("", "")


def test_the_first_naming_of_a_client_wins():
    first, second = {"id": 7, "email": "one@example.org"}, {"id": 7, "email": "two@example.org", "lastName": "Example"}
    (event,) = read(of_booking(client=first, attendees=[second]), Fields(), MODULE).events
    assert (event.client.email, event.client.last_name) == ("one@example.org", "Example")


@pytest.mark.parametrize("wrong", [5.5, True, [], [None, True], {"a": []}, None])
def test_fields_of_a_wrong_type_are_not_said(wrong):
    names = ("firstName", "lastName", "email", "mobilePhoneNumber", "homePhoneNumber")
    booking = dict.fromkeys(
        ("status", "items", "totalClientTimespan", "startsOn", "staffFirstName", "location", "modifiedOn"), wrong
    )
    reading = read(of_booking(client={"id": 5, **dict.fromkeys(names, wrong)}, bookingId="B", **booking), Fields(), MODULE)
    (event,) = reading.events
    assert set((asdict(event.client) | {"id": ""}).values()) == {""}
    assert set((asdict(event.appointment) | dict.fromkeys(("id", "status", "unread"))).values()) <= {"", None}
    assert event.appointment.status is Status.UNKNOWN


@pytest.mark.parametrize(
    ("said", "read_as"),
    [
        (["a@example.org"], "a@example.org"),
        ({"value": "a@example.org"}, "a@example.org"),
        ([{"address": "a@example.org", "primary": True}, {"address": "b@example.org"}], "a@example.org b@example.org"),
        (["555-0101", None], "555-0101"),
        ({"number": 5145550101}, "5145550101"),
        ([[[["too deep"]]]], ""),
    ],
)
def test_what_is_said_in_an_array_or_an_object_is_not_taken_for_not_said(said, read_as):
    names = ("firstName", "lastName", "email", "mobilePhoneNumber", "homePhoneNumber")
    (event,) = read(of_booking(client={"id": 5, **dict.fromkeys(names, said)}), Fields(), MODULE).events
    assert set((asdict(event.client) | {"id": read_as}).values()) == {read_as}


@pytest.mark.parametrize(
    "booking",
    [
        {"client": {"id": "c-5", "email": "ada@example.org"}, "attendees": [{"id": 7}]},
        {"client": {"id": -5}, "attendees": [{"id": 7}]},
        {"client": [{"id": 5}], "attendees": [{"id": 7}]},
        {"client": {"id": 5}, "attendees": [{"id": "a-7"}]},
        {"client": {"id": 5}, "attendees": {"7": {"id": 7}}},
        {"client": {"id": 5}, "attendees": "7"},
    ],
)
def test_nobody_is_lost_among_those_who_can_be_read(booking):
    reading = read(of_booking(**booking), Fields(), MODULE)
    assert (bool(reading.held), reading.events) == (True, ())


def test_an_object_instead_of_the_array_is_one_attendee():
    reading = read(of_booking(client={"id": " 5 "}, attendees={"id": 7}), Fields(), MODULE)
    assert [event.client.id for event in reading.events] == ["5", "7"]


def test_a_guest_without_an_id_holds_nobody_up():
    reading = read(of_booking(client={"id": 0}, attendees=[{"id": 7}, {"id": "0"}, {"id": ""}]), Fields(), MODULE)
    assert [event.client.id for event in reading.events] == ["7"]


@pytest.mark.parametrize("type_", ["Appointment.Created", "APPOINTMENT.CREATED", "appointment.created"])
def test_the_case_of_a_type_makes_no_difference(type_):
    (event,) = read(of_booking(client={"id": 5}) | {"type": type_}, Fields(), MODULE).events
    assert event.kind is Kind.CREATED


@pytest.mark.parametrize("status", ["Cancelled", "cancelled", "Canceled"])
def test_a_cancelled_booking_is_one_in_every_spelling(status):
    (event,) = read(of_booking(client={"id": 5}, bookingId="B", status=status), Fields(), MODULE).events
    assert event.appointment.status is Status.CANCELLED


def test_texts_are_bounded():
    (event,) = read(of_booking(client={"id": 5, "firstName": "x" * 5000}), Fields(), MODULE).events
    assert len(event.client.first_name) == 1000


def test_field_paths_are_settings():
    fields = Fields(event_id=("/meta/uid",), type=("/meta/kinds/0",), content=("/da~1ta",))
    data = {"meta": {"uid": "u", "kinds": ["appointment.created"]}, "da/ta": {"booking": {"client": {"id": 1}}}}
    reading = read(data, fields, MODULE)
    assert (reading.event_id, reading.type, len(reading.events)) == ("u", "appointment.created", 1)


def test_paths_are_tried_until_one_fits():
    data = {
        "type": None,
        "eventType": "",
        "event": "appointment.created",
        "id": {},
        "eventId": "x",
        "content": [],
        "eventContent": {},
    }
    reading = read(data, Fields(), MODULE)
    assert (reading.event_id, reading.type, reading.held) == ("x", "appointment.created", "the content has no booking")


@pytest.mark.parametrize(
    ("status", "presence", "completed", "meaning"),
    [
        ("Approved", "Expecting", False, Status.SCHEDULED),
        ("Approved", "Arrived", False, Status.ARRIVED),
        ("Approved", "Arrived", True, Status.COMPLETED),
        ("Approved", "Expecting", True, Status.COMPLETED),
        ("Approved", "NoShow", False, Status.NO_SHOW),
        ("Approved", "NoShow", True, Status.NO_SHOW),
        ("PendingClientApproval", "Expecting", False, Status.PENDING),
        ("PendingStaffApproval", "Expecting", False, Status.PENDING),
        ("Cancelled", "Expecting", False, Status.CANCELLED),
        ("Cancelled", "NoShow", True, Status.CANCELLED),
        ("Approved", None, None, Status.SCHEDULED),
        ("Approved", "Expecting", "true", Status.SCHEDULED),
        ("Rescheduled", "Expecting", False, Status.UNKNOWN),
        (None, None, None, Status.UNKNOWN),
        ([], {}, [], Status.UNKNOWN),
    ],
)
def test_status(status, presence, completed, meaning):
    assert read_status({"status": status, "isCompleted": completed}, {"presence": presence}) is meaning


def link(client=5, module=MODULE, external="77"):
    return {"clientId": client, "moduleId": module, "externalId": external}


@pytest.mark.parametrize(
    ("links", "customer"),
    [
        ([link()], "77"),
        ([link(client="5")], "77"),
        ([link(external=77)], "77"),
        ([link(module="other", external="1"), link(client=6, external="2"), link()], "77"),
        ([link(), link()], "77"),
        ([link(), link(external="78")], None),
        ([link(external=""), link()], "77"),
        ([link(external=" ")], None),
        ([link(external=None)], None),
        ([link(external=True)], None),
        ([link(external="x" * 2000)], None),
        ([link(client=6)], None),
        ([link(client=None)], None),
        ([link(client=5.0)], None),
        ([link(module="other")], None),
        ([link(module=MODULE.upper())], None),
        ([None, 5, "x", [link()]], None),
        (link(), "77"),
        ({MODULE: link(), "other": link(module="other", external="1")}, "77"),
        ({MODULE: {"externalId": "77"}}, None),
        ({}, None),
        ([], None),
        (None, None),
        ("x", None),
        (7, None),
    ],
)
def test_linked_customer(links, customer):
    assert linked_customers(links, MODULE).get("5") == customer


def test_a_booking_of_many_people_services_and_links_is_read_once_each():
    number = 3_000
    people = [{"id": n, "presence": "Arrived" if n == 2 else ""} for n in range(1, number)]
    links = [link(client=n, external=str(n + 7)) for n in range(1, number)]
    whole = {"bookingId": "B1", "items": [{"serviceName": "Cut"}] * number, "attendees": people}
    began = time.process_time()
    events = read_booking(whole, links, MODULE, type_="x", kind=Kind.CREATED)
    assert time.process_time() - began < 1.0
    assert [event.linked_customer_id for event in events] == [str(n + 7) for n in range(1, number)]
    assert [event.appointment.status for event in events[:2]] == [Status.UNKNOWN, Status.ARRIVED]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("evt", "evt"),
        (5, "5"),
        (2**63, str(2**63)),
        ("x" * 200, "x" * 200),
        ("", None),
        (" ", None),
        (True, None),
        (1.5, None),
        ([], None),
        ({}, None),
        (None, None),
    ],
)
def test_event_id(value, expected):
    assert read_event_id(value) == expected


def test_event_ids_that_cannot_be_kept_are_hashed_and_stay_distinct():
    ids = ["x" * 201, "x" * 202, "a\ud800", "a\udfff", "a\x00", 10**5000, 10**5000 + 1]
    read_ids = [read_event_id(value) for value in ids]
    assert len(set(read_ids)) == len(ids)
    assert all(value.startswith("sha256:") and len(value) == 71 for value in read_ids)


@pytest.mark.parametrize(
    ("value", "expected"),
    [(5, "5"), ("5", "5"), (2**31, "2147483648"), (2**70, str(2**70)), ("000", None), ("9" * 50, None)],
)
def test_read_id(value, expected):
    assert read_id(value) == expected


def test_an_endless_number_is_no_id():
    assert read_id(10**5000) is None


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("2026-11-20T09:00:00Z", datetime(2026, 11, 20, 9, tzinfo=UTC)),
        ("2026-11-20t09:00:00z", datetime(2026, 11, 20, 9, tzinfo=UTC)),
        ("2026-11-20T09:00:00", datetime(2026, 11, 20, 9, tzinfo=UTC)),
        ("2026-11-20T09:00:00-05:00", datetime(2026, 11, 20, 14, tzinfo=UTC)),
        ("2026-11-20T09:00:00.5Z", datetime(2026, 11, 20, 9, 0, 0, 500_000, tzinfo=UTC)),
        # The end of a day, which Python reads from 3.14 on (python/cpython issue 102450), and a leap second, never.
        ("2028-02-28T24:00:00Z", datetime(2028, 2, 29, tzinfo=UTC)),
        ("2026-12-31T24:00", datetime(2027, 1, 1, tzinfo=UTC)),
        ("20261231T2400-0500", datetime(2027, 1, 1, 5, tzinfo=UTC)),
        ("2026-12-31T24:00:00.000+02:00", datetime(2026, 12, 31, 22, tzinfo=UTC)),
        ("2026-12-31T24:01:00Z", None),
        ("2026-02-29T24:00:00Z", None),
        ("9999-12-31T24:00:00Z", None),
        ("2016-12-31T23:59:60Z", datetime(2016, 12, 31, 23, 59, 59, tzinfo=UTC)),
        ("2017-01-01T05:29:60.5+05:30", datetime(2016, 12, 31, 23, 59, 59, 500_000, tzinfo=UTC)),
        ("2016-12-31T23:58:60Z", None),
        ("2016-12-31T23:60:00Z", None),
        # As Java, Go and Ruby write a moment: camunda/feel-scala issue 1061, CredentialEngine/CredentialRegistry issue 729.
        ("2026-11-20T09:00:00+01:00[Europe/Paris]", datetime(2026, 11, 20, 8, tzinfo=UTC)),
        ("2026-11-20T09:00Z[UTC]", datetime(2026, 11, 20, 9, tzinfo=UTC)),
        ("2026-11-20 09:00:00 -0500 EST", datetime(2026, 11, 20, 14, tzinfo=UTC)),
        ("2026-11-20 09:00:00.25 +0000 UTC", datetime(2026, 11, 20, 9, 0, 0, 250_000, tzinfo=UTC)),
        ("2026-11-20 09:00:00 UTC", datetime(2026, 11, 20, 9, tzinfo=UTC)),
        ("2026-11-20T09:00:00[Europe/Paris]", None),
        ("2026-11-20T09:00:00 EST", None),
        ("0001-01-01T00:00:00+14:00", None),
        ("2026-13-20T09:00:00Z", None),
        ("tomorrow", None),
        ("", None),
        (1700000000, None),
        (None, None),
    ],
)
def test_time(value, expected):
    assert read_time(value) == expected


def test_text_without_what_cannot_be_stored():
    assert read_text(" a\x00b ") == "ab"
    assert read_text("a\ud800b").encode().startswith(b"a")


@pytest.mark.parametrize(
    ("pointer", "value"),
    [("/a", {"b/c": [1, 2]}), ("/a/b~1c/1", 2), ("/a/b~1c/2", None), ("/a/b~1c/-1", None), ("/a/b~1c/x", None), ("/x/y", None)],
)
def test_json_pointer(pointer, value):
    assert at({"a": {"b/c": [1, 2]}}, pointer) == value


def test_the_backfill_reads_bookings_like_a_delivery():
    booking = {"bookingId": "B", "status": "Approved", "client": {"id": 5, "email": "ada@example.org"}}
    (from_walk,) = read_booking(booking, [link()], MODULE, type_="backfill", kind=Kind.BACKFILL)
    (from_delivery,) = read(delivery(content={"booking": booking, "clientLinks": [link()]}), Fields(), MODULE).events
    same = replace(from_delivery, type="backfill", kind=Kind.BACKFILL)
    assert from_walk == same


ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=20)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | ANY_TEXT | st.sampled_from(sorted(KINDS))
ANY_JSON = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(ANY_TEXT, inner, max_size=4), max_leaves=8
)
PERSON = (
    st.fixed_dictionaries({}, optional={"id": SCALARS, "firstName": ANY_JSON, "email": ANY_JSON, "presence": ANY_JSON})
    | ANY_JSON
)
ENTRY = st.fixed_dictionaries({"clientId": SCALARS, "moduleId": st.just(MODULE) | SCALARS, "externalId": ANY_JSON}) | ANY_JSON
BOOKING = st.fixed_dictionaries(
    {"client": PERSON},
    optional={
        "bookingId": SCALARS,
        "attendees": st.lists(PERSON, max_size=3) | ANY_JSON,
        "items": st.lists(st.fixed_dictionaries({"serviceName": ANY_JSON}), max_size=3) | ANY_JSON,
        "totalClientTimespan": st.fixed_dictionaries({"start": SCALARS, "end": SCALARS}) | ANY_JSON,
        "startsOn": SCALARS,
        "status": ANY_JSON,
    },
)
CONTENT = st.fixed_dictionaries({"booking": BOOKING | ANY_JSON, "clientLinks": st.lists(ENTRY, max_size=3) | ENTRY})
DELIVERY = st.fixed_dictionaries(
    {"id": ANY_JSON, "type": st.sampled_from(sorted(KINDS)) | ANY_JSON, "content": CONTENT | ANY_JSON}
)


@settings(max_examples=400, deadline=None)
@given(ANY_JSON | DELIVERY)
def test_no_input_breaks_the_reading(data):
    reading = read(data, Fields(), MODULE)
    assert msgspec.json.decode(msgspec.json.encode(reading), type=Reading) == reading
    assert bool(reading.events) + (reading.ignored is not None) + (reading.held is not None) == 1
    for event in reading.events:
        assert event.client.id.isdigit()
        assert not event.client.id.startswith("0")


def test_times_without_an_offset_are_in_the_configured_zone():
    booking = {"bookingId": 5, "totalClientTimespan": {"start": "2026-11-21T09:00:00", "end": "2026-11-21T10:00:00Z"}}
    found = read_appointment(booking, "America/Montreal")
    assert found.starts_at == datetime(2026, 11, 21, 14, tzinfo=UTC)
    assert found.ends_at == datetime(2026, 11, 21, 10, tzinfo=UTC)
    assert read_appointment(booking).starts_at == datetime(2026, 11, 21, 9, tzinfo=UTC)
    assert found.unread == ()


def test_a_time_that_cannot_be_read_is_named():
    booking = {"bookingId": 5, "startsOn": "21/11/2026 9h", "totalClientTimespan": {"end": 1795251600}}
    assert read_appointment(booking).unread == ("start", "end")
    assert read_appointment({"bookingId": 5, "startsOn": "", "totalClientTimespan": None}).unread == ()
    fallback = {"bookingId": 5, "startsOn": "2026-11-21T09:00:00Z", "totalClientTimespan": {"start": "9h"}}
    assert read_appointment(fallback).unread == ()
