"""Bookablesites' deliveries → canonical events. Pure: no I/O, and no exception whatever the input.

The body is flat and names neither its event nor any id: the event stands in the address (`?event=booked`), the client is
known by the e-mail, and which appointment it is about has to be found out at the API (`appointments.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from connector.booking_systems.bookablesites.settings import BookablesitesSettings
from connector.booking_systems.bookablesites.values import client_key, digest, read_local, read_status
from connector.model.bookings import Appointment, Client, Event, Kind, Reading, Status
from connector.remote.keyed_address import query
from connector.remote.values import read_said

#: `event` in the address → type, kind, and the status it implies. The five are Bookablesites' own; the words are ours.
EVENTS: dict[str, tuple[str, Kind, Status | None]] = {
    "booked": ("appointment.booked", Kind.CREATED, None),
    "canceled": ("appointment.canceled", Kind.STATUS, Status.CANCELLED),
    "rescheduled": ("appointment.rescheduled", Kind.UPDATED, None),
    "status": ("appointment.status", Kind.STATUS, None),
    "customer": ("customer.created", Kind.UNKNOWN, None),
}
#: The id of an appointment of which only the delivery's words are known begins with this.
SAID = "said:"
#: Digits that are a phone number rather than something else.
_DIGITS = 6
_HINT = (
    "Look at the body (`connector events show ID --body`);"
    " if Bookablesites names its members otherwise, set them in [booking.NAME.fields], then retry."
)


def event_of(headers: Mapping[str, str]) -> tuple[str, Kind, Status | None]:
    """What the address says. An unknown event is no reason to lose a client, so it is read like any other."""
    name = query(headers.get(":path", "")).get("event", "").lower()
    return EVENTS.get("canceled" if name == "cancelled" else name, ("unknown", Kind.UNKNOWN, None))


def read(headers: Mapping[str, str], data: Any, source: str, settings: BookablesitesSettings) -> Reading:
    """Read one delivery, JSON or form: one event for its customer, or a reason to hold it."""
    type_, kind, implied = event_of(headers)
    window = settings.repeat_window_seconds
    if not isinstance(data, dict):
        return Reading(type=type_, held="the body is not a JSON object", hint=_HINT, repeat_window=window)
    client = read_client(data, source, settings)
    if client is None:
        return Reading(type=type_, held="the delivery does not name its customer", hint=_HINT, repeat_window=window)
    appointment = None if type_ == "customer.created" else read_appointment(data, client.id, settings, implied)
    event = Event(type=type_, kind=kind, client=client, appointment=appointment)
    return Reading(type=type_, events=(event,), repeat_window=window)


def read_client(data: Mapping[str, Any], source: str, settings: BookablesitesSettings) -> Client | None:
    """The customer of the flat body; None when neither e-mail nor phone nor name is said."""
    fields = settings.fields
    first, last = _text(data, fields.first_name), _text(data, fields.last_name)
    if not first and not last:
        # All of it in one field: it is split where names are compared.
        first = _text(data, fields.full_name)
    email, phone = _text(data, fields.email), _text(data, fields.phone)
    key = client_key(source, email, phone, f"{first} {last}")
    if key is None:
        return None
    return Client(id=key, first_name=first, last_name=last, email=email, mobile_phone=phone)


def read_appointment(
    data: Mapping[str, Any], client: str, settings: BookablesitesSettings, implied: Status | None
) -> Appointment | None:
    """What the delivery says of the appointment, under an id made of its words; None when it says nothing."""
    fields = settings.fields
    start, end, service = (_text(data, names) for names in (fields.starts_at, fields.ends_at, fields.service))
    status = read_status(_text(data, fields.status))
    if not start and not service and status is Status.UNKNOWN:
        return None
    return Appointment(
        id=SAID + digest(client, start, service),
        status=implied or status,
        starts_at=read_local(start, settings.date_format, settings.time_zone),
        ends_at=read_local(end, settings.date_format, settings.time_zone),
        title=service,
        location=_text(data, fields.location),
        staff=_text(data, fields.staff),
        staff_email=_text(data, ("employeeEmail",)),
        service=service,
        store=_text(data, fields.location),
    )


def _text(data: Mapping[str, Any], names: tuple[str, ...]) -> str:
    """The first of these members with a value; a number counts as its digits, of an array an address or a number does."""
    for name in names:
        value = data.get(name)
        if type(value) is int and abs(value) < 10**20:
            return str(value)
        text = read_said(value)
        if text and (not isinstance(value, list | dict) or "@" in text or sum(map(str.isdigit, text)) >= _DIGITS):
            return text
    return ""
