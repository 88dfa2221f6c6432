"""Bookeo's deliveries, bookings and customers → canonical events. Pure: no I/O, and no exception whatever the input.

A body says neither its domain nor its type; both stand in the query of the address that was registered, and the
signature covers them. A participant of a booking is not its customer and gives no event.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import parse_qs

from msgspec.structs import replace

from connector.booking_systems.bookeo.signature import MESSAGE_ID
from connector.model.bookings import Appointment, Client, Event, Kind, Reading, Status
from connector.remote.values import (
    read_event_id,
    read_key,
    read_object,
    read_said,
    read_text,
    read_time,
    unread,
)

KINDS = {"created": Kind.CREATED, "updated": Kind.UPDATED, "deleted": Kind.DELETED}
#: "true" where Bookeo gave up on an earlier delivery.
MESSAGE_LOST = "x-bookeo-previousmessagelost"
#: What is registered; what Bookeo has besides (payments, seat blocks …) concerns no customer.
DOMAINS = ("bookings", "customers")
#: Characters; Bookeo's ids have about twenty.
MAX_ID = 200
_HINT = (
    "Look at the body (`connector events show ID --body`);"
    " if Bookeo changed what it sends, a newer version may read it: then retry the event."
)
_ADDRESS_HINT = (
    "Run `connector check --fix`: it registers addresses that end in ?domain=…&type=…, by which deliveries are distinguished."
)


def read(headers: Mapping[str, str], data: Any, prefix: str | None, zone: str | None = None) -> Reading:
    """Read one delivery; with a prefix, external references that begin with it are customer ids of ours.

    `zone` is the account's own, for times that name none.
    """
    reading = _read(headers.get(":path", ""), data, prefix, zone)
    lost = headers.get(MESSAGE_LOST, "").strip().lower() == "true"
    return replace(reading, event_id=read_event_id(headers.get(MESSAGE_ID)), lost_before=lost)


def _read(path: str, data: Any, prefix: str | None, zone: str | None) -> Reading:
    domain, action = _subject(path)
    type_ = f"{domain}.{action}"
    if not domain or not action:
        return Reading(held="the address does not say which kind of delivery this is", hint=_ADDRESS_HINT)
    if domain not in DOMAINS or action not in KINDS:
        return Reading(type=type_, ignored="unknown kind of delivery; nothing to do for it")
    if type_ == "customers.deleted":
        return Reading(type=type_, ignored="the customer was deleted in Bookeo; the link and the CRM stay as they are")
    return _read_item(domain, KINDS[action], type_, read_object(data), prefix, zone)


def _read_item(domain: str, kind: Kind, type_: str, data: dict[str, Any], prefix: str | None, zone: str | None) -> Reading:
    item = data.get("item")
    if not isinstance(item, dict):
        return Reading(type=type_, held="the delivery has no item", hint=_HINT)
    client = read_client(item) if domain == "customers" else read_customer(item)
    if client is None:
        return Reading(type=type_, held=f"the {domain.removesuffix('s')} has no customer id", hint=_HINT)
    event = Event(type=type_, kind=kind, client=client)
    if domain == "bookings":
        said_at = data.get("timestamp")
        event = read_booking(item, client, type_=type_, kind=kind, prefix=prefix, said_at=said_at, zone=zone)
    return Reading(type=type_, events=(event,))


def _subject(path: str) -> tuple[str, str]:
    """Domain and type out of the address's query; empty where they are not said, or said twice."""
    try:
        query = parse_qs(path.partition("?")[2], max_num_fields=50)
    except ValueError:
        return "", ""
    domain, action = (values[0] if len(values := query.get(name, [])) == 1 else "" for name in ("domain", "type"))
    return read_text(domain, 40), read_text(action, 40)


def read_booking(
    booking: dict[str, Any],
    client: Client,
    *,
    type_: str,
    kind: Kind,
    prefix: str | None,
    said_at: Any = None,
    zone: str | None = None,
) -> Event:
    """The event of a booking's customer. `said_at` is the delivery's own time, which counts for deletions only."""
    appointment = read_appointment(booking, gone=kind is Kind.DELETED, said_at=said_at, zone=zone)
    ours = None if prefix is None else customer_of(booking.get("externalRef"), prefix)
    return Event(type=type_, kind=kind, client=client, appointment=appointment, linked_customer_id=ours)


def read_customer(booking: dict[str, Any]) -> Client | None:
    """The booking's customer, in full where it is embedded, otherwise the bare id; None without an id."""
    embedded = read_client(read_object(booking.get("customer")))
    if embedded is not None:
        return embedded
    customer_id = read_id(booking.get("customerId"))
    return None if customer_id is None else Client(id=customer_id)


def read_client(customer: dict[str, Any]) -> Client | None:
    """A customer's record; None without a usable id."""
    customer_id = read_id(customer.get("id"))
    if customer_id is None:
        return None
    mobile, other = _phones(customer.get("phoneNumbers"))
    return Client(
        id=customer_id,
        first_name=read_said(customer.get("firstName")),
        last_name=read_said(customer.get("lastName")),
        email=read_said(customer.get("emailAddress")),
        mobile_phone=mobile,
        home_phone=other,
    )


def read_id(value: Any) -> str | None:
    """An id that can stand in a path: not one of dots alone, which would name another path.

    Zero, or a number below it, is no id: it is what an unset number looks like, and would make one person of everybody.
    """
    key = (read_key(value) or "").strip()
    return key if key.strip(".") and len(key) <= MAX_ID and key != "0" and not (isinstance(value, int) and value < 0) else None


def _phones(numbers: Any) -> tuple[str, str]:
    """The mobile number, and the best of the others: at home, then without a type, then at work. A fax is no phone."""
    found: dict[str, str] = {}
    entries = numbers if isinstance(numbers, list) else [numbers]
    for entry in (one if isinstance(one, dict) else {"number": one} for one in entries):
        kind = read_text(entry.get("type"), 40).lower()
        if number := read_said(entry.get("number")):
            found.setdefault(kind if kind in ("mobile", "home", "work", "fax") else "", number)
    return found.get("mobile", ""), next((found[kind] for kind in ("home", "", "work") if found.get(kind)), "")


def read_appointment(
    booking: dict[str, Any], *, gone: bool = False, said_at: Any = None, zone: str | None = None
) -> Appointment | None:
    """The booking; None when it has no number. `gone`: the delivery says that it was cancelled or deleted."""
    number = read_id(booking.get("bookingNumber"))
    if number is None:
        return None
    times = [booking.get(name) for name in ("creationTime", "lastChangeTime", "cancelationTime")]
    known = [moment for value in [*times, said_at if gone else None] if (moment := read_moment(value, zone))]
    starts_at, ends_at = read_moment(booking.get("startTime"), zone), read_moment(booking.get("endTime"), zone)
    return Appointment(
        id=number,
        status=Status.CANCELLED if gone else read_status(booking),
        starts_at=starts_at,
        ends_at=ends_at,
        title=read_text(booking.get("productName")) or read_text(booking.get("title")),
        service=read_text(booking.get("productName")),
        service_id=read_text(booking.get("productId")),
        updated_at=max(known, default=None),
        unread=unread(start=(booking.get("startTime"), starts_at), end=(booking.get("endTime"), ends_at)),
    )


def read_status(booking: dict[str, Any]) -> Status:
    """Where the booking stands. That `accepted` false means "waits to be accepted" is inferred from its name."""
    said = {name: str(booking.get(name)).lower() for name in ("canceled", "noShow", "accepted")}
    if said["canceled"] == "true":
        return Status.CANCELLED
    if said["noShow"] == "true":
        return Status.NO_SHOW
    return Status.PENDING if said["accepted"] == "false" else Status.SCHEDULED


def read_moment(value: Any, zone: str | None = None) -> datetime | None:
    """A date-time in UTC. The offset -00:00 means the account's own time, which cannot be read without its zone."""
    own = isinstance(value, str) and value.strip().endswith("-00:00")
    if not own:
        return read_time(value, zone)
    return read_time(value.strip().removesuffix("-00:00"), zone) if zone else None


def customer_of(reference: Any, prefix: str) -> str | None:
    """The customer id in an external reference of ours; None where it is empty or belongs to others."""
    text = read_text(reference)
    return text.removeprefix(prefix).strip() or None if text.startswith(prefix) else None
