"""Booxi's deliveries and bookings → canonical events. Pure: no I/O, and no exception whatever the input.

The envelope is only partly known (README.md), so its field paths are settings. A delivery that does not look as
expected is held with a reason; a field that does not is "not said".
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from msgspec.structs import asdict, replace

from connector.booking_systems.booxi.settings import Fields
from connector.booking_systems.booxi.values import read_id
from connector.model.bookings import Appointment, Client, Event, Kind, Reading, Status
from connector.remote.values import (
    at,
    read_event_id,
    read_key,
    read_number,
    read_object,
    read_objects,
    read_said,
    read_text,
    read_time,
    unread,
)

T = TypeVar("T")

#: The event types named on Booxi's public pages that this adapter acts on.
KINDS = {
    f"{what}.{action}": kind
    for what in ("appointment", "reservation")
    for action, kind in (("created", Kind.CREATED), ("updated", Kind.UPDATED), ("status_updated", Kind.STATUS))
}
#: What the booking's own status means where nothing more is said.
_OF_BOOKING = {
    "PendingClientApproval": Status.PENDING,
    "PendingStaffApproval": Status.PENDING,
    "Approved": Status.SCHEDULED,
}
_HINT = (
    "Look at the body (`connector events show ID --body`);"
    " if Booxi changed its envelope, set the paths in [booking.NAME.fields], then retry the event."
)
_NOBODY_HINT = "Without a client id there is nobody to link; look at the booking in Booxi, then discard the event."


def read(data: Any, fields: Fields, module_id: str, zone: str | None = None) -> Reading:
    """Read one delivery; times without an offset are in `zone`. Unknown event types are ignored, others held in doubt."""
    event_id = _first(data, fields.event_id, read_event_id)
    type_ = _first(data, fields.type, _read_type)
    if not isinstance(data, dict):
        return Reading(held="the body is not a JSON object", hint=_HINT)
    if not type_:
        return Reading(event_id=event_id, held="the delivery does not say its event type", hint=_HINT)
    if (kind := KINDS.get(type_.lower())) is None:
        return Reading(event_id=event_id, type=type_, ignored="unknown event type; nothing to do for it")
    content = _first(data, fields.content, _as_object)
    if content is None:
        return Reading(event_id=event_id, type=type_, held="the delivery has no content", hint=_HINT)
    return _read_content(content, module_id, event_id, type_, kind, zone)


def _first(data: Any, pointers: Sequence[str], reader: Callable[[Any], T | None]) -> T | None:
    """What the reader finds at the first of the paths where it finds something."""
    for pointer in pointers:
        if (found := reader(at(data, pointer))) is not None:
            return found
    return None


def _read_type(value: Any) -> str | None:
    return read_text(value, 100) or None


def _as_object(value: Any) -> dict[str, Any] | None:
    return value if isinstance(value, dict) else None


def _read_content(
    content: dict[str, Any], module_id: str, event_id: str | None, type_: str, kind: Kind, zone: str | None
) -> Reading:
    booking = content.get("booking")
    if not isinstance(booking, dict):
        return Reading(event_id=event_id, type=type_, held="the content has no booking", hint=_HINT)
    events = read_booking(booking, content.get("clientLinks"), module_id, type_=type_, kind=kind, zone=zone)
    if not events or _is_strange(booking):
        return Reading(event_id=event_id, type=type_, held=_nobody(booking), hint=_NOBODY_HINT)
    return Reading(event_id=event_id, type=type_, events=events)


def _nobody(booking: dict[str, Any]) -> str:
    """Why a booking gave no event."""
    people = _people(booking)
    if not people:
        return "the booking has no client"
    if any(person.get("id") not in (None, "") and read_id(person["id"]) is None for person in people):
        return "the client's id is not a whole number above zero"
    if any(read_id(person.get("id")) for person in people):
        return "a person in the booking is not an object"
    return "the client has no id"


def _people(booking: dict[str, Any]) -> list[dict[str, Any]]:
    """The client and the attendees; an object instead of the array is one attendee."""
    attendees = booking.get("attendees")
    return read_objects([booking.get("client"), *(attendees if isinstance(attendees, list) else [attendees])])


def _is_strange(booking: dict[str, Any]) -> bool:
    """Whether somebody stands in the booking in a way that is not Booxi's, and would be lost among those who do not."""
    client, attendees = booking.get("client"), booking.get("attendees")
    if client and not isinstance(client, dict):
        return True
    if attendees and not isinstance(attendees, list) and read_id(read_object(attendees).get("id")) is None:
        return True
    return any(map(_has_strange_id, _people(booking)))


def _has_strange_id(person: dict[str, Any]) -> bool:
    """Whether somebody has an id that is none of Booxi's, and would be lost among those who have one. 0 is a guest's."""
    value = person.get("id")
    return read_id(value) is None and value not in (None, "", 0, "0")


def read_booking(
    booking: dict[str, Any], links: Any, module_id: str, *, type_: str, kind: Kind, zone: str | None = None
) -> tuple[Event, ...]:
    """One event for each distinct person of the booking who has an id: the client first, then the attendees."""
    events: dict[str, Event] = {}
    # Read once: a booking may name thousands of people, services and links, and not each with each.
    appointment, linked = read_appointment(booking, zone), linked_customers(links, module_id)
    for person in _people(booking):
        client = read_client(person)
        if client is None:
            continue
        if (known := events.get(client.id)) is not None:
            events[client.id] = replace(known, client=_completed(known.client, client))
            continue
        if appointment is not None and (status := read_status(booking, person)) is not appointment.status:
            appointment = replace(appointment, status=status)
        events[client.id] = Event(
            type=type_,
            kind=kind,
            client=client,
            appointment=appointment,
            linked_customer_id=linked.get(client.id),
        )
    return tuple(events.values())


def read_client(person: dict[str, Any]) -> Client | None:
    """The person of a booking, or a client record; None without a usable id."""
    client_id = read_id(person.get("id"))
    if client_id is None:
        return None
    return Client(
        id=client_id,
        first_name=read_said(person.get("firstName")),
        last_name=read_said(person.get("lastName")),
        email=read_said(person.get("email")),
        mobile_phone=read_said(person.get("mobilePhoneNumber")),
        home_phone=read_said(person.get("homePhoneNumber")),
    )


def _completed(known: Client, again: Client) -> Client:
    """The same client named twice in one booking: the first naming counts, the second fills its blanks."""
    blanks = {name: value for name, value in asdict(again).items() if value and not getattr(known, name)}
    return replace(known, **blanks)


def linked_customers(links: Any, module_id: str) -> dict[str, str]:
    """The customer id of each client among `clientLinks` under our module; a client for whom two disagree is left out.

    The whole array is scanned: entries of other modules and of other attendees stand in it. An object instead of the
    array (a single entry, or entries by module) is read the same way; each entry must name its client and module.
    """
    if not links:
        return {}
    if isinstance(links, dict):
        links = [links, *links.values()]
    found: dict[str, set[str]] = {}
    for link in read_objects(links):
        client_id, customer_id = read_id(link.get("clientId")), read_key(link.get("externalId"))
        if link.get("moduleId") == module_id and client_id is not None and customer_id is not None:
            found.setdefault(client_id, set()).add(customer_id)
    return {client_id: customers.pop() for client_id, customers in found.items() if len(customers) == 1}


def read_appointment(booking: dict[str, Any], zone: str | None = None) -> Appointment | None:
    """The booking with its client's status; None without an id. Times are the client's where given."""
    booking_id = read_key(booking.get("bookingId"))
    if booking_id is None:
        return None
    span = read_object(booking.get("totalClientTimespan"))
    items = read_objects(booking.get("items"))
    services = read_text(_joined([read_text(item.get("serviceName")) for item in items], ", "))
    starts_at = read_time(span.get("start"), zone) or read_time(booking.get("startsOn"), zone)
    ends_at = read_time(span.get("end"), zone)
    missed = (
        ()
        if starts_at is not None and ends_at is not None
        else unread(start=(span.get("start") or booking.get("startsOn"), starts_at), end=(span.get("end"), ends_at))
    )
    return Appointment(
        id=booking_id,
        status=read_status(booking, read_object(booking.get("client"))),
        starts_at=starts_at,
        ends_at=ends_at,
        title=services,
        location=read_text(booking.get("locationText")) or read_text(booking.get("location")),
        staff=_joined([read_text(booking.get("staffFirstName")), read_text(booking.get("staffLastName"))], " "),
        staff_id=read_number(booking.get("staffId")),
        service=services,
        service_id=read_number(items[0].get("serviceId")) if len(items) == 1 else "",
        store_id=read_number(booking.get("merchantId")),
        updated_at=read_time(booking.get("modifiedOn"), zone),
        unread=missed,
    )


def _joined(texts: list[str], separator: str) -> str:
    """The texts that say something, in one."""
    return separator.join(filter(None, texts))


def read_status(booking: dict[str, Any], person: dict[str, Any]) -> Status:
    """Booxi spreads the status over three fields; see the table of its guide on updating an appointment.

    https://help.booxi.com/en/articles/10302349-how-to-update-an-appointment-using-the-booxi-api
    """
    status, presence = booking.get("status"), person.get("presence")
    if isinstance(status, str) and status.lower() in ("cancelled", "canceled"):
        return Status.CANCELLED
    if presence == "NoShow":
        return Status.NO_SHOW
    if booking.get("isCompleted") is True:
        return Status.COMPLETED
    if presence == "Arrived":
        return Status.ARRIVED
    return _OF_BOOKING.get(status, Status.UNKNOWN) if isinstance(status, str) else Status.UNKNOWN
