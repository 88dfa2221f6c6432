"""Reading Bookablesites' deliveries. Bodies are synthetic, by the member names on Trafft's page."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import asdict

from connector.booking_systems.bookablesites.settings import BookablesitesSettings
from connector.booking_systems.bookablesites.values import (
    client_key,
    in_utc,
    read_api_time,
    read_customer,
    read_local,
    read_phone,
    read_status,
)
from connector.booking_systems.bookablesites.webhook import SAID, read
from connector.model.bookings import Kind, Status

from .conftest import MINIMAL, key

BODY = {
    "appointmentStatus": "approved",
    "appointmentStartDateTime": "31/05/2025 3:00 PM",
    "appointmentEndDateTime": "31/05/2025 3:45 PM",
    "customerFullName": "Ada Moreau",
    "customerFirstName": "Ada",
    "customerLastName": "Moreau",
    "customerEmail": "Ada@Example.com",
    "customerPhone": "+15145550101",
    "serviceName": "Haircut",
    "locationName": "Main Street",
    "employeeFullName": "Robin Example",
}


def reading(body, path="/webhooks/salon?event=booked&key=x", **settings):
    return read({":path": path}, body, "salon", BookablesitesSettings.model_validate(MINIMAL | settings))


def only(body, *args, **settings):
    (event,) = reading(body, *args, **settings).events
    return event


def test_everything_of_a_delivery():
    event = only(BODY)
    assert asdict(event.client) == {
        "id": key("ada@example.com"),
        "first_name": "Ada",
        "last_name": "Moreau",
        "email": "Ada@Example.com",
        "mobile_phone": "+15145550101",
        "home_phone": "",
    }
    appointment = event.appointment
    assert appointment.id.startswith(SAID)
    assert appointment.starts_at == datetime(2025, 5, 31, 13, tzinfo=UTC)
    assert appointment.ends_at == datetime(2025, 5, 31, 13, 45, tzinfo=UTC)
    assert (appointment.title, appointment.location, appointment.staff) == ("Haircut", "Main Street", "Robin Example")
    assert appointment.status is Status.SCHEDULED


@pytest.mark.parametrize(
    ("query", "type_", "kind", "status"),
    [
        ("event=booked", "appointment.booked", Kind.CREATED, Status.SCHEDULED),
        ("event=canceled", "appointment.canceled", Kind.STATUS, Status.CANCELLED),
        ("event=Cancelled", "appointment.canceled", Kind.STATUS, Status.CANCELLED),
        ("key=x&event=rescheduled", "appointment.rescheduled", Kind.UPDATED, Status.SCHEDULED),
        ("event=status", "appointment.status", Kind.STATUS, Status.SCHEDULED),
        ("event=else", "unknown", Kind.UNKNOWN, Status.SCHEDULED),
        ("event=booked&event=status", "unknown", Kind.UNKNOWN, Status.SCHEDULED),
        ("", "unknown", Kind.UNKNOWN, Status.SCHEDULED),
        ("%zz&&=&event", "unknown", Kind.UNKNOWN, Status.SCHEDULED),
    ],
)
def test_the_event_stands_in_the_address(query, type_, kind, status):
    event = only(BODY, f"/webhooks/salon?{query}")
    assert (event.type, event.kind, event.appointment.status) == (type_, kind, status)


def test_a_new_customer_has_no_appointment():
    event = only(BODY, "/webhooks/salon?event=customer")
    assert (event.type, event.appointment) == ("customer.created", None)


def test_a_body_says_nothing_of_an_appointment():
    assert only({"customerEmail": "ada@example.com"}).appointment is None


def test_no_delivery_has_an_id_so_equal_ones_are_told_apart_by_time():
    found = reading(BODY, repeat_window_seconds=90)
    assert (found.event_id, found.repeat_window) == (None, 90)
    assert reading([]).repeat_window == 60


@pytest.mark.parametrize("body", [[], "x", 5, None, {}, {"customerEmail": ""}, {"customerEmail": {}, "customerPhone": []}])
def test_what_says_nothing_of_a_customer_is_held(body):
    found = reading(body)
    assert found.held
    assert found.hint


def test_other_names_of_the_members():
    event = only({"mail": "ada@example.com"}, fields={"email": ["customerEmail", "mail"]})
    assert event.client.email == "ada@example.com"


def test_the_full_name_where_there_is_no_other():
    event = only({"customerFullName": "Ada Moreau", "customerEmail": "ada@example.com"})
    assert (event.client.first_name, event.client.last_name) == ("Ada Moreau", "")


@pytest.mark.parametrize("email", [["a@example.com"], {"value": "a@example.com"}])
def test_an_address_in_another_shape_is_said(email):
    assert only({"customerEmail": email, "customerFirstName": "Ada"}).client.email == "a@example.com"


def test_a_phone_given_as_a_number():
    assert only({**BODY, "customerPhone": 5145550101}).client.mobile_phone == "5145550101"


# Who it is.


@pytest.mark.parametrize("email", ["ada@example.com", "ADA@EXAMPLE.COM", "  Ada@Example.com "])
def test_the_case_of_an_address_makes_nobody_else(email):
    assert client_key("salon", email, "", "") == client_key("salon", "ada@example.com", "1", "x")


def test_the_digest_shows_nothing_and_belongs_to_its_source():
    ours = client_key("salon", "ada@example.com", "", "")
    assert len(ours) == 32
    assert ours != client_key("other", "ada@example.com", "", "")


def test_without_an_address_phone_and_name_count_and_then_the_name():
    assert client_key("salon", "", "+1 514 555-0101", "Ada  Moreau") == client_key(
        "salon", "none", "+15145550101", "ada moreau"
    )
    assert client_key("salon", "", "+15145550101", "Ada") != client_key("salon", "", "+15145550101", "Ben")
    assert client_key("salon", "", "", "Ada") == client_key("salon", "", "", "ADA")
    assert client_key("salon", " ", "-", "  ") is None


# Values.


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("approved", Status.SCHEDULED),
        ("Approved", Status.SCHEDULED),
        ("pending", Status.PENDING),
        ("canceled", Status.CANCELLED),
        ("cancelled", Status.CANCELLED),
        ("rejected", Status.CANCELLED),
        ("no-show", Status.NO_SHOW),
        ("no_show", Status.NO_SHOW),
        ("No show", Status.NO_SHOW),
        ("waiting", Status.UNKNOWN),
        (5, Status.UNKNOWN),
        (None, Status.UNKNOWN),
    ],
)
def test_statuses(text, status):
    assert read_status(text) is status


@pytest.mark.parametrize("text", ["31/05/2025 3:00 PM", " 31/05/2025  3:00\u202fpm "])
def test_times_as_the_account_displays_them(text):
    assert read_local(text, "%d/%m/%Y %I:%M %p", "Europe/Paris") == datetime(2025, 5, 31, 13, tzinfo=UTC)


@pytest.mark.parametrize("text", ["05/31/2025 3:00 PM", "31/05/2025", "", None, 5, "x" * 1000, "01/01/0001 1:00 AM"])
def test_a_time_in_another_format_is_not_guessed(text):
    assert read_local(text, "%d/%m/%Y %I:%M %p", "Asia/Tokyo") is None


def test_without_a_format_or_a_zone_no_time_is_read():
    assert read_local("31/05/2025 3:00 PM", None, "Europe/Paris") is None
    assert read_local("31/05/2025 3:00 PM", "%d/%m/%Y %I:%M %p", None) is None
    event = only(BODY, date_format=None, time_zone=None)
    assert event.appointment.starts_at is None
    assert event.appointment.title == "Haircut"


def test_an_hour_that_comes_twice_is_the_first():
    assert read_local("26/10/2025 2:30 AM", "%d/%m/%Y %I:%M %p", "Europe/Paris") == datetime(2025, 10, 26, 0, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "zone", "moment"),
    [
        ("2025-05-31 15:00:00", "Europe/Paris", datetime(2025, 5, 31, 13, tzinfo=UTC)),
        ("2025-05-31T15:00:00+02:00", None, datetime(2025, 5, 31, 13, tzinfo=UTC)),
        ("2025-05-31T13:00:00Z", "Europe/Paris", datetime(2025, 5, 31, 13, tzinfo=UTC)),
        ("2025-05-31 15:00:00", None, None),
        ("31/05/2025", "Europe/Paris", None),
        (None, "Europe/Paris", None),
    ],
)
def test_times_of_the_api(text, zone, moment):
    assert in_utc(read_api_time(text), zone) == moment
    assert zone is None or ZoneInfo(zone)


@pytest.mark.parametrize(
    ("number", "code", "phone"),
    [
        ("5145550101", "+1", "+1 5145550101"),
        ("5145550101", "1", "+1 5145550101"),
        ("5145550101", 1, "+1 5145550101"),
        ("5145550101", "CA", "+1 5145550101"),
        ("079460100", "ch", "+41 079460100"),
        ("+15145550101", "+44", "+15145550101"),
        ("0015145550101", "+44", "0015145550101"),
        ("5145550101", "", "5145550101"),
        ("5145550101", "ZZ", "5145550101"),
        ("5145550101", "Canada", "5145550101"),
        (5145550101, "+1", "+1 5145550101"),
        ("", "+1", ""),
        (None, None, ""),
    ],
)
@pytest.mark.parametrize("camel", [False, True])
def test_phones(number, code, phone, camel):
    names = ("phoneNumber", "phoneCountryCode") if camel else ("phone_number", "phone_country_code")
    assert read_phone(dict(zip(names, (number, code), strict=True))) == phone


@given(st.dictionaries(st.sampled_from(["id", "email", "first_name", "lastName", "phone_number"]), st.text() | st.integers()))
def test_any_customer_record_is_read(record):
    client = read_customer("salon", record)
    assert client is None or client.id
