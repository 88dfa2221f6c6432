"""BookingFlow's bookings as the API answers them → client and appointment. Pure; a wrong type is "not said"."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from connector.booking_systems.bookingflow.settings import Record
from connector.booking_systems.bookingflow.webhook import CLIENT, first, read_booking_id
from connector.model.bookings import Appointment, Client, Event, Kind, Status
from connector.remote.values import at, read_object, read_said, read_text, read_time, unread

#: `confirmed` and `canceled` are in the public source; the others are what such products commonly say (assumed).
STATUSES = {
    "confirmed": Status.SCHEDULED,
    "pending": Status.PENDING,
    "completed": Status.COMPLETED,
    "checkedin": Status.ARRIVED,
    "noshow": Status.NO_SHOW,
    "canceled": Status.CANCELLED,
    "cancelled": Status.CANCELLED,
    "refunded": Status.CANCELLED,
    "deleted": Status.CANCELLED,
}


def booking_in(answer: Any, record: Record) -> dict[str, Any] | None:
    """The booking within an answer, the first place that holds an object with an id; None where there is none."""
    places = (read_object(at(answer, path)) for path in record.place)
    return next((place for place in places if read_booking_id(place, record.id)), None)


def read_client(booking: dict[str, Any], booking_id: str, record: Record) -> Client:
    """The person of a booking. A name that comes in one piece stays so: it is split where names are compared."""
    first_name, last_name = _said(booking, record.first_name), _said(booking, record.last_name)
    if not first_name and not last_name:
        first_name = _said(booking, record.name)
    return Client(
        id=CLIENT + booking_id,
        first_name=first_name,
        last_name=last_name,
        email=_said(booking, record.email),
        mobile_phone=_said(booking, record.phone),
    )


def read_appointment(booking: dict[str, Any], booking_id: str, record: Record, zone: str | None = None) -> Appointment:
    """Where a booking stands; times without an offset are in `zone`."""
    starts_at, ends_at, updated_at = (
        next((moment for path in paths if (moment := read_time(at(booking, path), zone))), None)
        for paths in (record.starts_at, record.ends_at, record.updated_at)
    )
    start, end = (
        next((said for path in paths if (said := at(booking, path))), None) for paths in (record.starts_at, record.ends_at)
    )
    return Appointment(
        id=booking_id,
        status=read_status(_text(booking, record.status)),
        starts_at=starts_at,
        ends_at=ends_at,
        title=_text(booking, record.title),
        location=_text(booking, record.location),
        updated_at=updated_at,
        unread=unread(start=(start, starts_at), end=(end, ends_at)),
    )


def read_status(text: str) -> Status:
    """The status, whatever its case and its hyphens; UNKNOWN for a word we do not know."""
    return STATUSES.get("".join(c for c in text.lower() if c.isalpha()), Status.UNKNOWN)


def read_event(booking: dict[str, Any], record: Record, zone: str | None = None) -> Event | None:
    """A booking of a list as an event of the backfill; None without a usable id."""
    booking_id = read_booking_id(booking, record.id)
    if booking_id is None:
        return None
    client, appointment = read_client(booking, booking_id, record), read_appointment(booking, booking_id, record, zone)
    return Event(type="backfill", kind=Kind.BACKFILL, client=client, appointment=appointment)


def _said(booking: dict[str, Any], pointers: Iterable[str]) -> str:
    return first(read_said(at(booking, path)) for path in pointers) or ""


def _text(booking: dict[str, Any], pointers: Iterable[str]) -> str:
    return first(read_text(at(booking, path)) for path in pointers) or ""
