"""The values that a delivery is read into: stored as JSON, and small while they wait for the commit."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from msgspec import ValidationError

from connector.model.bookings import Appointment, Client, Event, Kind, Reading, Status, read_event, write_event

EVENT = Event(
    type="appointment.created",
    kind=Kind.CREATED,
    client=Client(id="7", first_name="Zoë", email="zoe@example.com"),
    appointment=Appointment(
        id="B1", status=Status.SCHEDULED, starts_at=datetime(2026, 12, 1, 15, 0, 0, 120_000, tzinfo=UTC), unread=("end",)
    ),
    linked_customer_id="501",
)


def test_an_event_is_read_as_it_was_written():
    assert read_event(write_event(EVENT)) == EVENT


def test_what_a_newer_version_has_added_is_left_out():
    written = json.loads(write_event(EVENT))
    written |= {"newer": 1, "client": written["client"] | {"newer": 1}, "appointment": written["appointment"] | {"newer": 1}}
    assert read_event(json.dumps(written)) == EVENT


@pytest.mark.parametrize("text", ["{}", "null", '{"type": "x", "client": {"id": 7}}', '{"type": "x", "client": {}}'])
def test_what_is_no_event_is_refused(text):
    with pytest.raises(ValidationError):
        read_event(text)


def test_values_hold_nothing_but_their_fields():
    """A dictionary for each value would be most of the memory that a delivery takes while it waits for the commit."""
    values = (EVENT, EVENT.client, EVENT.appointment, Reading(events=(EVENT,)))
    assert not [value for value in values if hasattr(value, "__dict__")]


def test_equal_values_are_one_key():
    assert {EVENT, read_event(write_event(EVENT))} == {EVENT}
