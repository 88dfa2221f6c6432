"""Reading BookingFlow's deliveries. All bodies are synthetic: only the names of the events are announced."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.booking_systems.bookingflow.webhook import read, usable_id
from connector.model.bookings import Kind

from .conftest import made

ID = "booking_hold1"


def reading(body, headers=None, **settings):
    return read(headers or {}, body, made(**settings))


@pytest.mark.parametrize(
    ("type_", "kind"),
    [
        ("booking.created", Kind.CREATED),
        ("booking.updated", Kind.UPDATED),
        ("booking.canceled", Kind.STATUS),
        ("booking.cancelled", Kind.STATUS),
        ("payment.succeeded", Kind.UPDATED),
    ],
)
@pytest.mark.parametrize("name", ["type", "event"])
def test_the_announced_events(type_, kind, name):
    found = reading({"id": "evt_1", name: type_, "data": {"bookingId": ID}})
    (event,) = found.events
    assert (found.event_id, found.type, event.type, event.kind) == ("evt_1", type_, type_, kind)
    assert (event.client.id, event.appointment.id) == (f"booking:{ID}", ID)


@pytest.mark.parametrize(
    "place",
    [
        {"data": {"bookingId": ID}},
        {"data": {"booking": {"bookingId": ID}}},
        {"booking": {"bookingId": ID}},
        {"bookingId": ID},
        {"data": {"booking": {"id": ID}}},
        {"booking": {"id": ID}},
        {"data": {"id": ID}},
        {"data": {"id": "pay_1", "bookingId": ID}},
    ],
)
def test_where_the_booking_may_be(place):
    (event,) = reading({"type": "booking.created", **place}).events
    assert event.appointment.id == ID


def test_nothing_else_of_the_body_is_believed():
    customer = {"name": "Ada", "email": "ada@example.com", "phone": "+15145550101"}
    (event,) = reading({"type": "booking.created", "data": {"booking": {"bookingId": ID, "customer": customer}}}).events
    assert (event.client.email, event.client.first_name, event.client.mobile_phone) == ("", "", "")
    assert event.appointment.starts_at is None


@pytest.mark.parametrize(("value", "found"), [(" booking_1 ", "booking_1"), (0, None), ("0", None), (-5, None), (7, "7")])
def test_an_id_with_something_around_it_and_one_that_is_none(value, found):
    assert usable_id(value) == found


@pytest.mark.parametrize("type_", ["Booking.Created", "BOOKING.CREATED"])
def test_the_case_of_a_type_makes_no_difference(type_):
    (event,) = reading({"id": "evt_1", "type": type_, "data": {"bookingId": ID}}).events
    assert event.kind is Kind.CREATED


def test_the_id_of_the_booking_is_not_the_id_of_the_delivery():
    """Every later delivery about the booking would pass for a duplicate."""
    found = reading({"id": ID, "type": "booking.updated", "bookingId": ID})
    assert (found.event_id, found.repeat_window) == (None, 60.0)
    assert reading({"id": ID, "type": "booking.updated"}).event_id is None


def test_other_paths_and_headers():
    fields = {"type_header": "X-Event", "event_id_header": "X-Id", "booking_id": ["/object/uid"]}
    found = reading({"object": {"uid": ID}}, {"x-event": "booking.created", "x-id": "e1"}, fields=fields)
    assert (found.event_id, found.events[0].appointment.id) == ("e1", ID)
    assert reading({"type": "booking.created", "object": {"uid": ID}}, {}, fields=fields).events


def test_an_unknown_event_is_ignored():
    found = reading({"id": "evt_1", "type": "room.created", "data": {"id": "room_1"}})
    assert found.ignored
    assert found.type == "room.created"


@pytest.mark.parametrize(
    "body",
    [
        [],
        "x",
        None,
        {},
        {"type": 5},
        {"type": "booking.created"},
        {"type": "booking.created", "data": {"bookingId": ""}},
        {"type": "booking.created", "data": {"bookingId": ".."}},
        {"type": "booking.created", "data": {"bookingId": "../admin"}},
        {"type": "booking.created", "data": {"bookingId": "a?b=c"}},
        {"type": "booking.created", "data": {"bookingId": "x" * 101}},
        {"type": "booking.created", "data": {"bookingId": True}},
        {"type": "booking.created", "data": {"bookingId": 0}},
        {"data": {"bookingId": ID}},
    ],
)
def test_what_cannot_be_understood_is_held(body):
    found = reading(body)
    assert found.held
    assert found.hint


@given(st.text() | st.integers() | st.none() | st.lists(st.text()))
def test_an_id_can_stand_in_an_address(value):
    found = usable_id(value)
    assert found is None or (found[0].isalnum() and not set(found) & set("/?#%&\\ "))
