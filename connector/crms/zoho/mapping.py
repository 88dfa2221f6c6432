"""Between our words and Zoho's fields; pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import phonenumbers

from connector.model.bookings import Appointment, Status
from connector.model.persons import Customer, NewCustomer
from connector.remote.values import read_object, read_text, read_time

#: Our field → Zoho's field of contacts.
FIELDS = {"email": "Email", "first_name": "First_Name", "last_name": "Last_Name", "mobile_phone": "Mobile", "phone": "Phone"}
READ = (*FIELDS.values(), "Secondary_Email", "Created_Time", "Modified_Time")

#: Events have no status of their own, so the title says how the appointment ended. A later event can take it back.
TITLES = {Status.COMPLETED: "Completed", Status.NO_SHOW: "No-show", Status.CANCELLED: "Cancelled"}
MAX_TITLE = 255
#: Values that one `in` of a query may hold.
MAX_VALUES = 50


def customer(record: Any, key_field: str, missing_last_name: str) -> Customer | None:
    """Read a contact; None when `record` is not one."""
    if not isinstance(record, dict) or not is_id(record.get("id")):
        return None
    last_name = read_text(record.get("Last_Name"))
    emails = (read_text(record.get(name)) for name in ("Email", "Secondary_Email"))
    return Customer(
        id=str(record["id"]),
        first_name=read_text(record.get("First_Name")),
        last_name="" if last_name == missing_last_name else last_name,
        emails=tuple(dict.fromkeys(email for email in emails if email)),
        mobile_phone=read_text(record.get("Mobile")),
        phone=read_text(record.get("Phone")),
        person_key=read_text(record.get(key_field)),
        created_at=read_time(record.get("Created_Time")),
        active_at=read_time(record.get("Modified_Time")),
    )


def is_id(value: Any) -> bool:
    """Whether this is a record's id: digits, as a number or as text."""
    return not isinstance(value, bool) and re.fullmatch(r"[1-9][0-9]{0,19}", str(value)) is not None


def values_of(new: NewCustomer, fields: Iterable[str] = FIELDS) -> dict[str, str]:
    """The fields that say something; blanks are never sent, because they would clear what is there."""
    pairs = ((FIELDS[field], str(getattr(new, field)).strip()) for field in fields)
    return {name: value for name, value in pairs if value}


def ours(names: Iterable[str]) -> tuple[str, ...]:
    """Our own names of Zoho's fields, of those that we write."""
    wanted = set(names)
    return tuple(field for field, name in FIELDS.items() if name in wanted)


# ---- queries ----


def quoted(value: str) -> str:
    """The value as a text of the query language: quotes are doubled. Raises ValueError for what cannot be said safely.

    Whether a backslash is an ordinary character there is not documented.
    """
    if "\\" in value or not value.isprintable():
        raise ValueError("the value cannot stand in a query")
    return "'" + value.replace("'", "''") + "'"


def phone_spellings(phone: str) -> list[str]:
    """The ways in which people write an E.164 number: queries compare texts, not numbers.

    Raises `phonenumbers.NumberParseException` for what is no number.
    """
    number = phonenumbers.parse(phone)
    formats = phonenumbers.PhoneNumberFormat
    shown = [phonenumbers.format_number(number, f) for f in (formats.E164, formats.INTERNATIONAL, formats.NATIONAL)]
    found: dict[str, None] = dict.fromkeys([phonenumbers.national_significant_number(number), phone.lstrip("+")])
    for text in shown:
        groups = re.findall(r"[0-9]+", text)
        plus = "+" if text.startswith("+") else ""
        found |= dict.fromkeys([text, *(plus + mark.join(groups) for mark in ("", " ", "-", "."))])
    country = str(number.country_code)
    national = shown[2]
    found |= dict.fromkeys((f"+{country} {national}", f"{country} {national}", f"+{country}{national}", f"00{phone[1:]}"))
    return list(found)[:MAX_VALUES]


# ---- events ----


def event(appointment: Appointment, default: timedelta) -> dict[str, Any]:
    """What an update of an event says: where the start is not known, the times stay what they are.

    The description is left alone, since people write there too.
    """
    title = read_text(appointment.title) or "Appointment"
    ending = TITLES.get(appointment.status)
    said: dict[str, Any] = {
        "Event_Title": (f"{ending}: {title}" if ending else title)[:MAX_TITLE],
        "Venue": appointment.location[:MAX_TITLE],
    }
    if appointment.starts_at is not None:
        said |= times(appointment.starts_at, appointment.ends_at, default)
    return {name: value for name, value in said.items() if value}


def new_event(appointment: Appointment, customer_id: str, now: datetime, default: timedelta) -> dict[str, Any]:
    """An event that is made: on the contact, without participants (they would be invited), and with the times Zoho demands."""
    start = appointment.starts_at or appointment.updated_at or now
    staff = {"Description": f"With {appointment.staff}"} if appointment.staff else {}
    on = {"Who_Id": {"id": customer_id}}
    return {**times(start, appointment.ends_at, default), **event(appointment, default), **staff, **on}


def times(start: datetime, end: datetime | None, default: timedelta) -> dict[str, str]:
    """Start and end; an end that is missing or not after the start is set `default` after it."""
    end = end if end is not None and end > start else start + default
    return {"Start_DateTime": _time(start), "End_DateTime": _time(end)}


def _time(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds")


def holder_of(record: Any) -> str | None:
    """The contact an event is on; None where it is on none."""
    who = read_object(record).get("Who_Id")
    identity = who.get("id") if isinstance(who, dict) else who
    return str(identity) if is_id(identity) else None


def select(columns: Sequence[str], module: str, where: str, *, limit: int = 200, offset: int = 0) -> str:
    """One query. https://www.zoho.com/crm/developer/docs/api/v8/COQL-Overview.html"""
    return f"select {', '.join(columns)} from {module} where {where} limit {limit} offset {offset}"
