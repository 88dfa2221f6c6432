"""Between our words and Salesforce's fields; pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import date, datetime, timedelta
from typing import Any

import phonenumbers

from connector.model.bookings import Appointment, Status
from connector.model.fields import Value
from connector.model.persons import Customer, NewCustomer
from connector.remote import contacts, fields
from connector.remote.fields import Field, Kind
from connector.remote.values import read_objects, read_text, read_time, write_time

#: Our field → Salesforce's.
FIELDS = {
    "email": "Email",
    "first_name": "FirstName",
    "last_name": "LastName",
    "mobile_phone": "MobilePhone",
    "phone": "Phone",
}
#: Where a number may stand. Somebody who is found by one of the last two has it at least there.
PHONES = ("MobilePhone", "Phone", "HomePhone", "OtherPhone")
READ = (
    "Id", *FIELDS.values(), "HomePhone", "OtherPhone", "CreatedDate", "LastModifiedDate", "IsDeleted", "MasterRecordId",
)  # fmt: skip
CONTACT, EVENT, USER = "003", "00U", "005"
#: An event has no status: its subject says so.
PREFIXES = {Status.CANCELLED: "Cancelled: ", Status.NO_SHOW: "No-show: "}
#: Characters of an event's subject and location.
SHORT = 255
#: Characters of an event's description (believed).
LONG = 32_000
#: Salesforce's types of fields.
KINDS = {
    **dict.fromkeys(("string", "phone", "url", "email", "combobox"), Kind.TEXT),
    "textarea": Kind.LINES,
    **dict.fromkeys(("double", "currency", "percent"), Kind.NUMBER),
    **dict.fromkeys(("int", "long"), Kind.WHOLE),
    "boolean": Kind.YES_NO,
    "date": Kind.DATE,
    "datetime": Kind.TIME,
    "picklist": Kind.OPTION,
    "multipicklist": Kind.OPTIONS,
}
_SUFFIX = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"


def whole_id(value: Any, prefix: str = CONTACT) -> str | None:
    """The id with 18 characters, of 15 or 18; None where it is not one of an object with this prefix."""
    if not isinstance(value, str) or not re.fullmatch(rf"{prefix}[A-Za-z0-9]{{12}}(?:[A-Za-z0-9]{{3}})?", value, re.ASCII):
        return None
    parts = (value[start : start + 5] for start in (0, 5, 10))
    suffix = "".join(_SUFFIX[sum(1 << place for place, c in enumerate(part) if c.isupper())] for part in parts)
    return value[:15] + suffix if value[15:] in ("", suffix) else None


def customer(row: Any, key_field: str, missing_last_name: str, kept: Iterable[str] = ()) -> Customer | None:
    """Read a contact, with the fields `kept`; None when `row` is not one."""
    identity = whole_id(row.get("Id")) if isinstance(row, dict) else None
    if identity is None:
        return None

    def text(name: str) -> str:
        return read_text(row.get(name))

    last_name = text("LastName")
    return Customer(
        id=identity,
        first_name=text("FirstName"),
        last_name="" if last_name == missing_last_name.strip() else last_name,
        emails=(text("Email"),) if text("Email") else (),
        mobile_phone=text("MobilePhone"),
        phone=text("Phone"),
        person_key=text(key_field),
        created_at=read_time(row.get("CreatedDate")),
        active_at=read_time(row.get("LastModifiedDate")),
        properties=fields.kept(row, kept),
    )


def fields_of(new: NewCustomer, wanted: Iterable[str] = FIELDS) -> dict[str, str]:
    """The fields that say something; blanks are never sent, because they would clear what is there."""
    return contacts.named(new, FIELDS, wanted)


def ours(names: Iterable[str]) -> tuple[str, ...]:
    """Our words for these fields; those that are not ours keep Salesforce's."""
    return contacts.our_words(FIELDS, names)


def written(properties: Mapping[str, Value]) -> dict[str, Any]:
    """Values as Salesforce takes them: times in UTC, several options between semicolons."""
    return {name: _written(value) for name, value in properties.items()}


def _written(value: Value) -> Any:
    if isinstance(value, datetime):
        return write_time(value)
    if isinstance(value, tuple):
        return ";".join(value)
    return value.isoformat() if isinstance(value, date) else value


def field(described: dict[str, Any]) -> Field:
    """A field as a description of contacts has it. Formatted text is not written: plain text would pass for HTML."""
    kind = KINDS.get(str(described.get("type")), Kind.OTHER)
    if described.get("htmlFormatted") is True:
        kind = Kind.OTHER
    writable = described.get("createable") is True and described.get("updateable") is True
    length = described.get("length")
    long = length if kind in (Kind.TEXT, Kind.LINES) and isinstance(length, int) and length > 0 else None
    active = [one for one in read_objects(described.get("picklistValues")) if one.get("active") is not False]
    options = {read_text(one.get("value")): read_text(one.get("label")) for one in active}
    return Field(read_text(described.get("name")), kind, read_text(described.get("label")), writable, long, options)


def national_number(phone: str) -> str:
    """The digits of an E.164 number that stand in every way to write it. Raises `phonenumbers.NumberParseException`."""
    return str(phonenumbers.parse(phone).national_number)


def has_phone(row: dict[str, Any], phone: str) -> bool:
    """Whether one of the row's numbers is this E.164 number; see `contacts.is_phone_among`."""
    return contacts.is_phone_among(phone, (read_text(row.get(name)) for name in PHONES))


def event(appointment: Appointment, unknown_end: timedelta) -> dict[str, str]:
    """The fields of an event that say something. The subject is always sent: it says whether the appointment holds."""
    cancelled = appointment.status is Status.CANCELLED
    said = {
        "Subject": (PREFIXES.get(appointment.status, "") + (appointment.title.strip() or "Appointment"))[:SHORT],
        "Location": appointment.location.strip()[:SHORT],
        "ShowAs": "Free" if cancelled else "Busy",
        **_times(appointment.starts_at, appointment.ends_at, unknown_end),
    }
    return {name: value for name, value in said.items() if value}


def new_event(appointment: Appointment, contact: str, marker: str, now: datetime, unknown_end: timedelta) -> dict[str, str]:
    """The fields of an event that is made: on the contact, with our marker, and the times Salesforce demands."""
    fallback = _times(appointment.updated_at or now, None, unknown_end)
    line = contacts.marker_line(marker)
    text = appointment.description[: LONG - len(line) - 2]
    said = {"WhoId": contact, "Description": f"{text}\n\n{line}" if text else line}
    return {**fallback, **event(appointment, unknown_end), **said}


def _times(start: datetime | None, end: datetime | None, unknown_end: timedelta) -> dict[str, str]:
    """Start and end, always together: Salesforce refuses one that contradicts the other."""
    if start is None:
        return {}
    end = start + unknown_end if end is None or end < start else end
    return {"StartDateTime": write_time(start), "EndDateTime": write_time(end)}
