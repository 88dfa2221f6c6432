"""Bookablesites' appointments: read from the list, and found again for a delivery that names no id.

One appointment may hold several bookings, each with a customer and a status of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from msgspec.structs import replace

from connector.booking_systems.bookablesites.api import BookablesitesClient
from connector.booking_systems.bookablesites.customers import MAX_PAGES, Customers, Pager
from connector.booking_systems.bookablesites.settings import BookablesitesSettings
from connector.booking_systems.bookablesites.values import in_utc, member, name_of, read_api_time, read_status
from connector.model.bookings import Appointment, Event, Kind, Status
from connector.model.errors import Hold, Transient
from connector.remote.values import read_key, read_object, read_objects, read_text

#: Deliveries whose appointment is remembered, so that it is known when it has vanished from the list.
REMEMBERED = 10_000
_HINT = (
    "The client is linked; only the appointment's record in the CRM is not up to date. Compare date_format, time_zone and "
    "api_time_zone of this source with the account's settings and retry the event, or fix the record and discard the event."
)


def start_of(record: dict[str, Any]) -> datetime | None:
    """When an appointment starts, as the API says it: perhaps without a zone."""
    return read_api_time(member(record, "start_date_time"))


def read_appointment(record: dict[str, Any], booking: dict[str, Any], settings: BookablesitesSettings) -> Appointment | None:
    """One booking of an appointment; None when the appointment has no id."""
    appointment_id = read_key(record.get("id"))
    if appointment_id is None:
        return None
    zone = settings.api_time_zone or settings.time_zone
    employees = (_employee(employee) for employee in read_objects(record.get("employees")))
    return Appointment(
        id=appointment_id,
        status=_status(record, booking),
        starts_at=in_utc(start_of(record), zone),
        ends_at=in_utc(read_api_time(member(record, "end_date_time")), zone),
        title=name_of(record.get("service")),
        location=name_of(record.get("location")),
        service=name_of(record.get("service")),
        service_id=read_key(read_object(record.get("service")).get("id")) or "",
        store=name_of(record.get("location")),
        staff=read_text(", ".join(name for name in employees if name)),
    )


def _status(record: dict[str, Any], booking: dict[str, Any]) -> Status:
    """A cancelled appointment cancels its bookings; otherwise the booking's own word counts."""
    whole, own = read_status(record.get("status")), read_status(booking.get("status"))
    return whole if whole is Status.CANCELLED or own is Status.UNKNOWN else own


def _employee(employee: dict[str, Any]) -> str:
    names = (read_text(member(employee, name)) for name in ("first_name", "last_name"))
    return name_of(employee) or " ".join(name for name in names if name)


def bookings_of(record: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The bookings of an appointment; one that has none but names a customer counts as one booking."""
    bookings = read_objects(record.get("bookings"))
    yield from bookings or ([record] if isinstance(record.get("customer"), dict) else [])


class Appointments:
    """The appointments of one account."""

    def __init__(self, client: BookablesitesClient, customers: Customers, settings: BookablesitesSettings) -> None:
        self._client = client
        self._customers = customers
        self._settings = settings
        self._remembered: dict[str, str] = {}

    async def events(self, record: dict[str, Any]) -> list[Event]:
        """One event for each distinct customer of an appointment."""
        found: dict[str, Event] = {}
        for booking in bookings_of(record):
            client = await self._customers.of_booking(read_object(booking.get("customer")))
            appointment = read_appointment(record, booking, self._settings)
            known = found.get(client.id) if client is not None else None
            if client is not None and (known is None or _counts_less(known.appointment)):
                found[client.id] = Event(type="backfill", kind=Kind.BACKFILL, client=client, appointment=appointment)
        return list(found.values())

    async def find(self, client: str, said: Appointment) -> Appointment:
        """The appointment a delivery speaks of, as it stands now: the client's only one with that start and service.

        One that has vanished since it was found before is answered as the delivery has it, under the id known then.

        Raises:
            Hold: there is none, or several fit.
        """
        found = await self._fitting(client, said)
        alike = [one for one in found if one.status is said.status]
        chosen = found if len(found) == 1 else alike
        if len(chosen) == 1:
            self._remember(said.id, chosen[0].id)
            return chosen[0]
        if not found and (known := self._remembered.get(said.id)) is not None:
            return replace(said, id=known)
        how = "several appointments of this client fit" if found else "no appointment of this client fits"
        raise Hold(f"{how} what the delivery says of it", hint=_HINT)

    async def _fitting(self, client: str, said: Appointment) -> list[Appointment]:
        """All of them: the order of the list is not known, and a second one that fits would be overlooked."""
        found: dict[str, Appointment] = {}
        pager = Pager()
        for page in range(1, MAX_PAGES):
            sheet = await self._client.list_appointments(page, self._settings.page_size)
            for record in sheet.records:
                for one in await self._of_client(client, record, said):
                    if _counts_less(found.get(one.id)):
                        found[one.id] = one
            if pager.ended(page, sheet):
                return list(found.values())
        raise Transient("Bookablesites: list appointments: the list does not end", account=self._client.remote.account)

    async def _of_client(self, client: str, record: dict[str, Any], said: Appointment) -> list[Appointment]:
        found = []
        for booking in bookings_of(record):
            appointment = read_appointment(record, booking, self._settings)
            # Whoever it is costs a call at worst, so what the record itself says comes first.
            if appointment is None or not _fits(appointment, said):
                continue
            person = await self._customers.of_booking(read_object(booking.get("customer")))
            if person is not None and person.id == client:
                found.append(appointment)
        return found

    def _remember(self, said: str, appointment_id: str) -> None:
        self._remembered.pop(said, None)
        if len(self._remembered) >= REMEMBERED:
            self._remembered.pop(next(iter(self._remembered)))
        self._remembered[said] = appointment_id


def _counts_less(known: Appointment | None) -> bool:
    """Whether another booking of the same client in the appointment counts instead: who cancelled and booked again comes."""
    return known is None or known.status is Status.CANCELLED


def _fits(appointment: Appointment, said: Appointment) -> bool:
    if said.starts_at and appointment.starts_at and said.starts_at != appointment.starts_at.replace(second=0, microsecond=0):
        return False
    titles = (said.title.casefold(), appointment.title.casefold())
    return titles[0] == titles[1] or not all(titles)
