"""BookingFlow's deliveries → which booking to look at. Pure: no I/O, and no exception whatever the input.

No signature is known, so a delivery is a hint: its type and the booking's id are taken from it and nothing else. Who it is
and where the booking stands is read back from the API.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from connector.booking_systems.bookingflow.settings import BookingFlowSettings
from connector.model.bookings import Appointment, Client, Event, Kind, Reading
from connector.remote.values import at, read_event_id, read_text

#: The announced events. https://www.bookingflowai.com/developers
KINDS = {
    "booking.created": Kind.CREATED,
    "booking.updated": Kind.UPDATED,
    "booking.canceled": Kind.STATUS,
    "booking.cancelled": Kind.STATUS,
    "payment.succeeded": Kind.UPDATED,
}
#: A client is a booking: the product has no customers of its own. This stands before the booking's id.
CLIENT = "booking:"
#: It becomes part of an address, so it begins with a letter or digit and holds nothing that means something there.
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,99}")
_HINT = (
    "Look at the body (`connector events show ID --body`);"
    " set the paths in [booking.NAME.fields] to where it says this, restart, then retry the event."
)


def read(headers: Mapping[str, str], data: Any, settings: BookingFlowSettings) -> Reading:
    """Read one delivery: one event for its booking, or a reason to ignore or to hold it."""
    fields, window = settings.fields, settings.repeat_window_seconds
    if not isinstance(data, dict):
        return Reading(held="the body is not a JSON object", hint=_HINT, repeat_window=window)
    type_ = _header(headers, fields.type_header, 100) or _text(data, fields.type)
    if not type_:
        return Reading(held="the delivery does not say its event type", hint=_HINT, repeat_window=window)
    booking = read_booking_id(data, fields.booking_id)
    event_id = _event_id(headers, data, settings, booking)
    if (kind := KINDS.get(type_.lower())) is None:
        return Reading(event_id=event_id, type=type_, ignored="unknown event type; nothing to do for it", repeat_window=window)
    if booking is None:
        return Reading(type=type_, held="the delivery does not name its booking", hint=_HINT, repeat_window=window)
    event = Event(type=type_, kind=kind, client=Client(id=CLIENT + booking), appointment=Appointment(id=booking))
    return Reading(event_id=event_id, type=type_, events=(event,), repeat_window=window)


def _event_id(headers: Mapping[str, str], data: Any, settings: BookingFlowSettings, booking: str | None) -> str | None:
    """The delivery's own id. One that is the booking's would make every later delivery of it a duplicate."""
    name, pointers = settings.fields.event_id_header, settings.fields.event_id
    found = read_event_id(_header(headers, name, 500)) or first(read_event_id(at(data, path)) for path in pointers)
    return None if booking is None or found == booking else found


def read_booking_id(document: Any, pointers: Iterable[str]) -> str | None:
    """A booking's id that can stand in an address; None otherwise."""
    return first(value for path in pointers if (value := usable_id(at(document, path))))


def usable_id(value: Any) -> str | None:
    """An id as BookingFlow's look (`booking_…`), or a whole number; None for anything else."""
    text = str(value) if type(value) is int and 0 < value < 10**40 else value
    return text.strip() if isinstance(text, str) and text != "0" and _ID.fullmatch(text.strip()) else None


def first(values: Iterable[str | None]) -> str | None:
    """The first that says something."""
    return next((value for value in values if value), None)


def _text(data: Any, pointers: Iterable[str]) -> str:
    return first(read_text(at(data, path), 100) for path in pointers) or ""


def _header(headers: Mapping[str, str], name: str | None, limit: int) -> str:
    return read_text(headers.get(name.lower(), ""), limit) if name else ""
