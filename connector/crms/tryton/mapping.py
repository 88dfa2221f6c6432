"""Between our words and Tryton's fields; pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import phonenumbers

from connector.model.bookings import Appointment, Status
from connector.model.persons import Customer, NewCustomer
from connector.remote import contacts
from connector.remote.values import clean, read_object, read_objects, read_text

#: What is read of a party. The nested fields are those of its contact mechanisms that are active.
READ = (
    "name",
    "code",
    "active",
    "replaced_by",
    "create_date",
    "write_date",
    "contact_mechanisms.type",
    "contact_mechanisms.value",
    "contact_mechanisms.value_compact",
)
#: Our fields and the types of contact mechanisms that hold them.
TYPES = {"email": "email", "mobile_phone": "mobile", "phone": "phone"}
#: Characters of the part of an attachment's text that the sync writes. Tryton's field has no limit.
MAX_TEXT = 60_000
#: What stands before the name while an appointment does not take place; every update writes what holds now.
LABELS = {Status.CANCELLED: "Cancelled: ", Status.NO_SHOW: "No-show: "}
UNTITLED = "Appointment"
#: Active or not: a domain that does not name `active` finds only what is.
ANY = ["active", "in", [True, False]]
#: The largest id that Tryton's database can hold.
LARGEST = 2**31 - 1
#: The form of our key. A party that a person made has a number of Tryton's own sequence as its code.
KEY = re.compile(r"[0-9a-f]{64}")


def record_id(text: str) -> int | None:
    """The id as a number; None where no record can have it."""
    if not re.fullmatch(r"[1-9][0-9]{0,9}", text):
        return None
    return int(text) if int(text) <= LARGEST else None


def customer(data: Any) -> Customer | None:
    """Read a party; None when `data` is not one. The whole name is given as first name: Tryton keeps it in one field."""
    if not isinstance(data, dict) or type(data.get("id")) is not int:
        return None
    # An action answers nested records under the name with a dot, a create without.
    mechanisms = read_objects(data.get("contact_mechanisms.", data.get("contact_mechanisms")))
    of = {
        field: [text for one in mechanisms if one.get("type") == kind and (text := _value(one))]
        for field, kind in TYPES.items()
    }
    name, code = read_text(data.get("name"), 10_000), read_text(data.get("code"))
    values = {text.casefold() for texts in of.values() for text in texts}
    return Customer(
        id=str(data["id"]),
        first_name="" if name.casefold() in values else name,
        one_name=True,
        emails=tuple(dict.fromkeys(of["email"])),
        mobile_phone=next(iter(of["mobile_phone"]), ""),
        phone=next(iter(of["phone"]), ""),
        person_key=code if KEY.fullmatch(code) else "",
        created_at=moment(data.get("create_date")),
        active_at=moment(data.get("write_date")),
    )


def numbers(data: Mapping[str, Any]) -> tuple[str, ...]:
    """All numbers of a party: a person may have more than we show."""
    mechanisms = read_objects(data.get("contact_mechanisms.", data.get("contact_mechanisms")))
    return tuple(_value(one) for one in mechanisms if one.get("type") in ("mobile", "phone"))


def _value(mechanism: Mapping[str, Any]) -> str:
    """The value without the blanks that Tryton puts into a number for people."""
    compact = "" if mechanism.get("type") == "email" else read_text(mechanism.get("value_compact"))
    return compact or read_text(mechanism.get("value"))


def is_active(data: Mapping[str, Any]) -> bool:
    """Whether a record is active: 1 on SQLite, true on PostgreSQL."""
    return data.get("active") in (1, True)


def name_of(new: NewCustomer) -> str:
    """Both names as the one that Tryton keeps; empty where neither is known."""
    return " ".join(part for part in (_said(new.first_name), _said(new.last_name)) if part)


def values_of(new: NewCustomer) -> dict[str, str]:
    """Our field → value, for what becomes a contact mechanism."""
    return {field: text for field in TYPES if (text := _said(getattr(new, field)))}


def new_party(name: str, values: Mapping[str, str], person_key: str) -> dict[str, Any]:
    """A party that is made, under our key. Without a name, the address or number takes its place until a name is known."""
    return {"code": person_key, "name": name or next(iter(values.values()), ""), **_mechanisms(values)}


def fill_values(current: Customer, new: NewCustomer) -> dict[str, str]:
    """Our field → value, for what `new` knows and `current` does not; both names count as one."""
    found = contacts.blanks(current, new, ("first_name", "last_name", *TYPES))
    return {field: text for field in found if (text := _said(getattr(new, field)))}


def written(values: Mapping[str, str]) -> dict[str, Any]:
    """The fields of a party for our values, as `fill_values` gives them."""
    name = " ".join(values[field] for field in ("first_name", "last_name") if field in values)
    return {**({"name": name} if name else {}), **_mechanisms(values)}


def _mechanisms(values: Mapping[str, str]) -> dict[str, Any]:
    made = [{"type": kind, "value": values[field]} for field, kind in TYPES.items() if values.get(field)]
    return {"contact_mechanisms": [["create", made]]} if made else {}


def refused_fields(refusal: Any, values: Mapping[str, str], name: str) -> tuple[str, ...]:
    """Those of our fields whose value a refusal quotes, in whichever language it is. Nothing else of it is used.

    It quotes the party's name too (measured), which may be one of the values.
    """
    message = read_object(refusal).get("message")
    text = message if isinstance(message, str) else ""
    return tuple(field for field in TYPES if field in values and text.count(f'"{values[field]}"') > (values[field] == name))


def _said(text: str) -> str:
    return clean(text).strip()


def email_domain(email: str) -> list[Any]:
    """A domain that finds at least every active party with this address, whatever the case.

    In `ilike` an underscore and a percent sign stand for other characters, so it may find more.
    """
    spellings = [["value", "ilike", spelling.replace("\\", "_")] for spelling in contacts.email_spellings(email)]
    return [["contact_mechanisms", "where", [["type", "=", "email"], ["OR", *spellings]]]]


def phone_domain(phone: str) -> list[Any]:
    """A domain that finds at least every active party with this E.164 number, however it was typed.

    `value_compact` is E.164 only on a server that has a library for numbers, so the digits of the national number are
    looked for as well, with anything between them. Raises `phonenumbers.NumberParseException` for what is no number.
    """
    digits = phonenumbers.national_significant_number(phonenumbers.parse(phone))
    forms = ["OR", ["value_compact", "=", phone], ["value", "ilike", f"%{'%'.join(digits)}%"]]
    return [["contact_mechanisms", "where", [["type", "in", ["mobile", "phone"]], forms]]]


def attachment(appointment: Appointment, marker: str, before: str = "") -> dict[str, str]:
    """The name and the text of an appointment's attachment; `before` is the name that stands there."""
    return {"name": _title(appointment.title or before, appointment.status), "description": _description(appointment, marker)}


def _description(appointment: Appointment, marker: str) -> str:
    starts, ends = _time(appointment.starts_at), _time(appointment.ends_at)
    lines = [
        f"Start: {starts}" if starts else "",
        f"End: {ends}" if ends else "",
        _said(appointment.description)[:MAX_TEXT],
        f"Place: {_said(appointment.location)}" if _said(appointment.location) else "",
        f"Status: {appointment.status.value.replace('_', ' ')}",
        contacts.marker_line(marker),
    ]
    if appointment.unread:
        lines.insert(0, f"The {' and '.join(appointment.unread)} could not be read: look at the booking itself.")
    return "\n".join(line for line in lines if line)


def _title(text: Any, status: Status) -> str:
    plain = read_text(text)
    for label in LABELS.values():
        plain = plain.removeprefix(label)
    return f"{LABELS.get(status, '')}{plain or UNTITLED}"


def _time(value: datetime | None) -> str:
    return "" if value is None else value.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")


def moment(value: Any) -> datetime | None:
    """A time as Tryton writes it, an object of its parts in UTC; None for anything else."""
    if not isinstance(value, dict) or value.get("__class__") != "datetime":
        return None
    names = ("year", "month", "day", "hour", "minute", "second", "microsecond")
    year, month, day, hour, minute, second, fraction = (_whole(value.get(name)) for name in names)
    try:
        return datetime(year, month, day, hour, minute, second, fraction, tzinfo=UTC)
    except (ValueError, OverflowError):
        return None


def _whole(value: Any) -> int:
    """The number, or one that no part of a time can be."""
    return value if type(value) is int else -1
