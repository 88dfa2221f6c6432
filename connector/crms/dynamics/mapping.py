"""Between our words and Dataverse's columns; pure."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

import phonenumbers

from connector.model.bookings import Appointment, Status
from connector.model.persons import Customer, NewCustomer
from connector.remote import contacts
from connector.remote.values import read_text, read_time, write_time

#: Our field → Dataverse's column.
FIELDS = {
    "email": "emailaddress1",
    "first_name": "firstname",
    "last_name": "lastname",
    "mobile_phone": "mobilephone",
    "phone": "telephone1",
}
EMAILS = ("emailaddress1", "emailaddress2", "emailaddress3")
#: Where a number may stand. Somebody who is found by one of the last two has it at least there.
PHONES = ("mobilephone", "telephone1", "telephone2", "telephone3")
READ = ("contactid", "firstname", "lastname", *EMAILS, *PHONES, "statecode", "merged", "_masterid_value", "createdon",
        "modifiedon")  # fmt: skip
APPOINTMENT = ("activityid", "subject", "location", "scheduledstart", "scheduledend", "statecode", "statuscode",
               "_regardingobjectid_value")  # fmt: skip
#: Most characters, as Microsoft documents them; an environment may have others.
LENGTHS = {"firstname": 50, "lastname": 50, "emailaddress1": 100, "mobilephone": 50, "telephone1": 50}
#: What can be cut: half an address or number would be another one.
NAMES = ("first_name", "last_name")
#: Characters of an appointment's subject and location.
SHORT = 200
#: Characters of an appointment's description.
LONG = 1_048_576
#: State and status reason: open (tentative), scheduled (busy), completed, cancelled.
TENTATIVE, BUSY, COMPLETED, CANCELLED = (0, 2), (3, 5), (1, 3), (2, 4)
REOPENED = (0, 1)
#: The states in which Dataverse lets nobody change an appointment.
CLOSED = (1, 2)
STATES = {
    Status.PENDING: TENTATIVE,
    Status.COMPLETED: COMPLETED,
    Status.CANCELLED: CANCELLED,
    Status.NO_SHOW: CANCELLED,
}
PREFIXES = {Status.NO_SHOW: "No-show: "}
_GUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
#: Never to be changed: an appointment's id follows from it.
_OURS = uuid.UUID("6c1f7f0e-1d0b-5b7e-9f57-0c0d1f3b7a52")


def guid(value: Any) -> str | None:
    """The id in lower case; None where it is none."""
    return value.lower() if isinstance(value, str) and _GUID.fullmatch(value) else None


def appointment_id(marker: str) -> str:
    """The id of the appointment with this marker: always the same, so that it cannot be made twice."""
    return str(uuid.uuid5(_OURS, marker))


def literal(value: str) -> str:
    """The value as an OData string."""
    return "'" + value.replace("'", "''") + "'"


def is_any(columns: Iterable[str], values: Iterable[str]) -> str:
    """A condition: one of the columns has one of the values; Dataverse compares text without regard to case."""
    values = list(values)
    return "(" + " or ".join(f"{column} eq {literal(value)}" for column in columns for value in values) + ")"


def has_digits(phone: str) -> str:
    """A condition: one of the phones holds these digits in this order, whatever is between them; compare exactly afterwards.

    Raises `phonenumbers.NumberParseException` where `phone` is not in E.164 form.
    """
    pattern = literal("%".join(str(phonenumbers.parse(phone).national_number)))
    return "(" + " or ".join(f"contains({column},{pattern})" for column in PHONES) + ")"


def customer(row: Any, key: str, missing_last_name: str, properties: Mapping[str, Any] | None = None) -> Customer | None:
    """Read a contact; None when `row` is not one."""
    identity = guid(row.get("contactid")) if isinstance(row, dict) else None
    if identity is None:
        return None

    def text(name: str) -> str:
        return read_text(row.get(name))

    last_name = text("lastname")
    return Customer(
        id=identity,
        first_name=text("firstname"),
        last_name="" if last_name == missing_last_name.strip() else last_name,
        emails=tuple(dict.fromkeys(text(name) for name in EMAILS if text(name))),
        mobile_phone=text("mobilephone"),
        phone=text("telephone1"),
        person_key=text(key),
        created_at=read_time(row.get("createdon")),
        active_at=read_time(row.get("modifiedon")),
        properties=dict(properties or {}),
    )


def has_phone(row: Mapping[str, Any], phone: str) -> bool:
    """Whether one of the row's numbers is this E.164 number; see `contacts.is_phone_among`."""
    return contacts.is_phone_among(phone, (read_text(row.get(name)) for name in PHONES))


def fields_of(
    new: NewCustomer, lengths: Mapping[str, int], fields: Iterable[str] = FIELDS
) -> tuple[dict[str, str], tuple[str, ...]]:
    """The columns that say something, and which of our fields did not fit: a name is cut, anything else left out."""
    said, unfit = {}, []
    for field in fields:
        column, value = FIELDS[field], str(getattr(new, field)).strip()
        most = lengths.get(column, LENGTHS[column])
        if len(value) > most:
            unfit.append(field)
            value = value[:most].strip() if field in NAMES else ""
        if value:
            said[column] = value
    return said, tuple(unfit)


def state_of(appointment: Appointment) -> tuple[int, int]:
    """State and status reason of an appointment."""
    return STATES.get(appointment.status, BUSY)


def state(pair: tuple[int, int]) -> dict[str, int]:
    """Both as columns; they are always written together."""
    return {"statecode": pair[0], "statuscode": pair[1]}


def appointment(appointment: Appointment, unknown_end: timedelta) -> dict[str, str]:
    """The columns of an appointment that say something. The subject is always sent: it says who did not come."""
    said = {
        "subject": (PREFIXES.get(appointment.status, "") + (appointment.title.strip() or "Appointment"))[:SHORT],
        "location": appointment.location.strip()[:SHORT],
        **_times(appointment.starts_at, appointment.ends_at, unknown_end),
    }
    return {name: value for name, value in said.items() if value}


def regarding(contact: str) -> dict[str, str]:
    """What puts an appointment on a contact. Nobody takes part in it: who does may be sent mail."""
    return {"regardingobjectid_contact@odata.bind": f"/contacts({contact})"}


def new_appointment(item: Appointment, contact: str, now: datetime, unknown_end: timedelta) -> dict[str, Any]:
    """The columns of one that is made: on the contact, with the times Dataverse demands, and open: closing comes afterwards."""
    fallback = _times(item.updated_at or now, None, unknown_end)
    text = {"description": item.description[:LONG]} if item.description else {}
    status = (TENTATIVE if item.status is Status.PENDING else BUSY)[1]
    return {**fallback, **appointment(item, unknown_end), **text, "statuscode": status, **regarding(contact)}


def says(row: Mapping[str, Any], fields: Mapping[str, str]) -> bool:
    """Whether the appointment has these columns already; times are compared as moments."""
    times = ("scheduledstart", "scheduledend")
    return all(
        read_time(row.get(name)) == read_time(value) if name in times else read_text(row.get(name)) == value
        for name, value in fields.items()
    )


def _times(start: datetime | None, end: datetime | None, unknown_end: timedelta) -> dict[str, str]:
    """Start and end, always together: Dataverse refuses one that contradicts the other."""
    if start is None:
        return {}
    end = start + unknown_end if end is None or end < start else end
    return {"scheduledstart": write_time(start), "scheduledend": write_time(end)}
