"""Deliveries → events. The customer's body is the vendor's published sample; bookings are synthetic, with the field names
of public code."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from connector.booking_systems.bookeo.webhook import customer_of, read, read_appointment, read_client, read_moment
from connector.model.bookings import Appointment, Client, Kind, Status

SAMPLE = json.loads((Path(__file__).parent / "fixtures" / "customer_created.json").read_bytes())
BOOKING = {
    "bookingNumber": "2856BK1",
    "startTime": "2026-12-01T10:00:00-08:00",
    "endTime": "2026-12-01T12:00:00-08:00",
    "customerId": "2856CU1",
    "customer": {
        "id": "2856CU1",
        "firstName": "Ada",
        "lastName": "Example",
        "emailAddress": "ada@example.org",
        "phoneNumbers": [{"number": "514-555-0101", "type": "mobile"}],
    },
    "title": "2 adults",
    "productName": "Harbour tour",
    "participants": {
        "numbers": [{"peopleCategoryId": "Cadults", "number": 2}],
        "details": [{"personId": "2856P1", "personDetails": {"id": "2856P1", "emailAddress": "guest@example.org"}}],
    },
    "canceled": False,
    "accepted": True,
    "creationTime": "2026-11-01T08:00:00-07:00",
    "lastChangeTime": "2026-11-02T08:00:00-07:00",
}


def delivery(domain, action, item, prefix=None, **more):
    path = f"/webhooks/spa?domain={domain}&type={action}"
    headers = {":path": path, "x-bookeo-messageid": "m-1", **more}
    data = {"itemId": "x", "timestamp": "2026-11-03T08:00:00-07:00", "item": item}
    return read(headers, {name: value for name, value in data.items() if value is not None}, prefix)


def test_the_published_sample():
    headers = {":path": "/webhooks/spa?domain=customers&type=created", "x-bookeo-messageid": "dvpwVQI0W7Pe187dc203154"}
    reading = read(headers, SAMPLE, None)
    assert (reading.event_id, reading.type, reading.lost_before) == ("dvpwVQI0W7Pe187dc203154", "customers.created", False)
    (event,) = reading.events
    assert event.client == Client(id="2856MUMPA187DC203130", first_name="John", last_name="Smith")
    assert (event.kind, event.appointment) == (Kind.CREATED, None)


@pytest.mark.parametrize("action", ["created", "updated", "deleted"])
def test_a_booking(action):
    (event,) = delivery("bookings", action, BOOKING).events
    assert (event.type, event.kind) == (f"bookings.{action}", Kind(action))
    assert event.client == Client(
        id="2856CU1", first_name="Ada", last_name="Example", email="ada@example.org", mobile_phone="514-555-0101"
    )
    assert event.appointment == Appointment(
        id="2856BK1",
        status=Status.CANCELLED if action == "deleted" else Status.SCHEDULED,
        starts_at=datetime(2026, 12, 1, 18, tzinfo=UTC),
        ends_at=datetime(2026, 12, 1, 20, tzinfo=UTC),
        title="Harbour tour",
        service="Harbour tour",
        updated_at=datetime(2026, 11, 3 if action == "deleted" else 2, 15, tzinfo=UTC),
    )


def test_a_customer_that_is_not_embedded_is_known_by_id():
    (event,) = delivery("bookings", "created", {**BOOKING, "customer": None}).events
    assert event.client == Client(id="2856CU1")


def test_a_participant_never_stands_for_the_customer():
    alone = {key: value for key, value in BOOKING.items() if key not in ("customer", "customerId")}
    reading = delivery("bookings", "created", alone)
    assert reading.held == "the booking has no customer id"
    assert reading.hint


@pytest.mark.parametrize(
    ("domain", "action", "words"),
    [
        ("payments", "created", "unknown kind"),
        ("seatblocks", "deleted", "unknown kind"),
        ("customers", "archived", "unknown kind"),
        ("customers", "deleted", "the link and the CRM stay"),
    ],
)
def test_ignored(domain, action, words):
    reading = delivery(domain, action, BOOKING)
    assert words in reading.ignored
    assert reading.event_id == "m-1"


@pytest.mark.parametrize(
    "path",
    [
        None,
        "",
        "/webhooks/spa",
        "/webhooks/spa?domain=bookings",
        "/webhooks/spa?type=created",
        "/webhooks/spa?domain=&type=created",
        "/webhooks/spa?domain=bookings&domain=customers&type=created",
        "/webhooks/spa?" + "&".join(f"a{n}=1" for n in range(100)),
        "/webhooks/spa#?domain",
    ],
)
def test_an_address_that_does_not_say_what_it_is_for(path):
    reading = read({":path": path} if path is not None else {}, SAMPLE, None)
    assert "address" in reading.held
    assert "check --fix" in reading.hint


def test_more_in_the_query_is_no_harm():
    headers = {":path": "/webhooks/spa?acct=1&type=created&domain=customers"}
    assert read(headers, SAMPLE, None).type == "customers.created"


@pytest.mark.parametrize("item", [None, [], "x", 5])
def test_without_an_item_it_is_held(item):
    assert delivery("bookings", "deleted", item).held == "the delivery has no item"


@pytest.mark.parametrize("data", [None, [], "x", 5, {}])
def test_another_body_is_held(data):
    assert read({":path": "?domain=bookings&type=created"}, data, None).held


@pytest.mark.parametrize("id_", [None, "", " ", 5.5, True, [], "..", ".", "x" * 201, 0, "0", -5])
def test_ids_that_are_none(id_):
    assert delivery("customers", "updated", {**BOOKING["customer"], "id": id_}).held == "the customer has no customer id"


@pytest.mark.parametrize(
    ("value", "lost"), [("true", True), ("TRUE", True), (" true ", True), ("false", False), ("", False), ("1", False)]
)
def test_a_lost_message_is_noticed_whatever_the_delivery_is(value, lost):
    for reading in (
        delivery("bookings", "created", BOOKING, **{"x-bookeo-previousmessagelost": value}),
        delivery("payments", "created", {}, **{"x-bookeo-previousmessagelost": value}),
    ):
        assert reading.lost_before is lost


def test_a_message_id_too_long_to_keep_is_hashed():
    reading = delivery("bookings", "created", BOOKING, **{"x-bookeo-messageid": "y" * 250})
    assert reading.event_id.startswith("sha256:")


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"canceled": True}, Status.CANCELLED),
        ({"canceled": True, "noShow": True}, Status.CANCELLED),
        ({"noShow": True}, Status.NO_SHOW),
        ({"accepted": False}, Status.PENDING),
        ({"accepted": None, "canceled": "no"}, Status.SCHEDULED),
    ],
)
def test_status(fields, status):
    assert read_appointment({**BOOKING, **fields}).status is status


def test_the_newest_of_its_times_is_a_bookings_version():
    cancelled = {**BOOKING, "cancelationTime": "2026-11-05T00:00:00Z"}
    assert read_appointment(cancelled).updated_at == datetime(2026, 11, 5, tzinfo=UTC)
    assert read_appointment({"bookingNumber": "1"}).updated_at is None


@pytest.mark.parametrize(
    ("value", "moment"),
    [
        ("2023-05-02T04:01:00-07:00", datetime(2023, 5, 2, 11, 1, tzinfo=UTC)),
        ("2023-05-02T04:01:00+00:00", datetime(2023, 5, 2, 4, 1, tzinfo=UTC)),
        ("2023-05-02T04:01:00-00:00", None),
        ("soon", None),
        (5, None),
        ("9999-12-31T23:59:59-14:00", None),
    ],
)
def test_moments(value, moment):
    assert read_moment(value) == moment


@pytest.mark.parametrize(
    ("numbers", "mobile", "other"),
    [
        ([("1", "mobile"), ("2", "home"), ("3", "work"), ("4", "fax")], "1", "2"),
        ([("3", "work"), ("1", "mobile")], "1", "3"),
        ([("4", "fax")], "", ""),
        ([("5", None)], "", "5"),
        ([("5", "pager"), ("2", "Home")], "", "2"),
        ([("1", "mobile"), ("9", "mobile")], "1", ""),
        ([(None, "mobile"), ("2", "home")], "", "2"),
        ([("", "mobile"), ("1", "mobile")], "1", ""),
    ],
)
def test_phones(numbers, mobile, other):
    client = read_client({"id": "1", "phoneNumbers": [{"number": number, "type": type_} for number, type_ in numbers]})
    assert (client.mobile_phone, client.home_phone) == (mobile, other)


@pytest.mark.parametrize("numbers", [None, {}, [None], [[]], True, ""])
def test_odd_phones_are_not_said(numbers):
    assert read_client({"id": "1", "phoneNumbers": numbers}) == Client(id="1")


@pytest.mark.parametrize(
    "numbers", ["514-555-0101", ["514-555-0101"], {"number": "514-555-0101"}, [{"number": ["514-555-0101"]}]]
)
def test_a_phone_in_another_shape_is_said(numbers):
    assert read_client({"id": "1", "phoneNumbers": numbers}) == Client(id="1", home_phone="514-555-0101")


def test_an_address_in_another_shape_is_said():
    assert read_client({"id": " 1 ", "emailAddress": ["a@example.com"]}) == Client(id="1", email="a@example.com")


@pytest.mark.parametrize(
    ("said", "status"),
    [
        ({"canceled": "true"}, Status.CANCELLED),
        ({"noShow": "True"}, Status.NO_SHOW),
        ({"accepted": "false"}, Status.PENDING),
        ({"canceled": "false", "noShow": None}, Status.SCHEDULED),
    ],
)
def test_a_truth_sent_as_a_text_is_one(said, status):
    assert read_appointment({**BOOKING, **said}).status is status


@pytest.mark.parametrize(
    ("reference", "customer"),
    [
        ("crm:77", "77"),
        ("crm: 77 ", "77"),
        ("crm:", None),
        ("77", None),
        ("CRM:77", None),
        ("", None),
        (None, None),
        (77, None),
    ],
)
def test_references_of_ours(reference, customer):
    assert customer_of(reference, "crm:") == customer
    (event,) = delivery("bookings", "updated", {**BOOKING, "externalRef": reference}, prefix="crm:").events
    assert event.linked_customer_id == customer


def test_a_reference_counts_only_where_we_keep_ids_there():
    (event,) = delivery("bookings", "updated", {**BOOKING, "externalRef": "crm:77"}).events
    assert event.linked_customer_id is None


def test_the_accounts_own_time_is_read_with_its_zone():
    own = {"bookingNumber": "1", "startTime": "2026-11-21T09:00:00-00:00", "endTime": "2026-11-21T10:00:00+01:00"}
    found = read_appointment(own, zone="Europe/Paris")
    assert (found.starts_at, found.ends_at) == (datetime(2026, 11, 21, 8, tzinfo=UTC), datetime(2026, 11, 21, 9, tzinfo=UTC))
    assert found.unread == ()
    assert read_appointment(own).unread == ("start",)
