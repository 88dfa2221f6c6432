"""Between our words and Odoo's fields; pure."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

import phonenumbers
from msgspec.structs import replace

from connector.model.bookings import Appointment, Status
from connector.model.fields import Value
from connector.model.persons import Customer, NewCustomer
from connector.remote import contacts, fields
from connector.remote.fields import Field, Kind
from connector.remote.values import clean, read_object, read_text

#: Where external ids of imported records are kept. A module of the database would be wrong: what carries the name of a
#: module is deleted when that module is upgraded without it.
MODULE = "__import__"
READ = ("name", "email", "email_normalized", "phone", "create_date", "write_date")
#: What stands before the title while an appointment does not take place; every update writes what holds now.
LABELS = {Status.CANCELLED: "Cancelled: ", Status.NO_SHOW: "No-show: "}
#: Characters of an event's text before they become HTML. Odoo knows no limit of it.
MAX_TEXT = 60_000
UNTITLED = "Appointment"
#: The salesperson of a contact, who is a user.
OWNER = "user_id"
#: Odoo's types of fields.
KINDS = {
    "char": Kind.TEXT,
    "text": Kind.LINES,
    "float": Kind.NUMBER,
    "monetary": Kind.NUMBER,
    "integer": Kind.WHOLE,
    "boolean": Kind.YES_NO,
    "date": Kind.DATE,
    "datetime": Kind.TIME,
    "selection": Kind.OPTION,
}
#: The largest id that Odoo's database can hold.
LARGEST = 2**31 - 1


def person_reference(person_key: str) -> str:
    """The name of the external id that carries our key."""
    return f"connector_person_{person_key}"


def event_reference(marker: str) -> str:
    """The name of the external id that carries an appointment's marker."""
    return f"connector_appointment_{marker}"


def record_id(text: str) -> int | None:
    """The id as a number; None where no record can have it."""
    if not re.fullmatch(r"[1-9][0-9]{0,9}", text):
        return None
    return int(text) if int(text) <= LARGEST else None


def customer(
    data: Any, mobile_field: str | None, external_id: str | None = None, kept: Mapping[str, Field] | None = None
) -> Customer | None:
    """Read a contact; None when `data` is not one. The whole name is given as first name: Odoo keeps it in one field."""
    if not isinstance(data, dict) or type(data.get("id")) is not int:
        return None
    values = {name: read_text(data.get(name), 10_000) for name in (*READ, mobile_field) if name}
    email = values["email_normalized"] or values["email"]
    mobile, phone = values[mobile_field] if mobile_field else "", values["phone"]
    stands_in = {email.casefold(), values["email"].casefold(), mobile, phone}
    prefix = f"{MODULE}.{person_reference('')}"
    return Customer(
        id=str(data["id"]),
        first_name="" if values["name"].casefold() in stands_in else values["name"],
        one_name=True,
        emails=(email,) if email else (),
        mobile_phone=mobile,
        phone=phone,
        person_key=external_id.removeprefix(prefix) if external_id and external_id.startswith(prefix) else "",
        created_at=moment(data.get("create_date")),
        active_at=moment(data.get("write_date")),
        properties=_properties(data, kept or {}),
    )


def _properties(data: dict[str, Any], kept: Mapping[str, Field]) -> dict[str, Any]:
    """What stands in these fields: Odoo says false for every field that is empty."""
    found = fields.kept(data, kept)
    # A relation to one record is answered with its id and its name.
    found = {
        n: str(value[0]) if kept[n].kind is Kind.USER and isinstance(value, list) and value else value
        for n, value in found.items()
    }
    return {n: None if value is False and kept[n].kind is not Kind.YES_NO else value for n, value in found.items()}


def field(name: str, definition: Any) -> Field:
    """A field as the server describes it. A number has no empty value: 0 counts as one."""
    about = read_object(definition)
    kind, size, pairs = KINDS.get(str(about.get("type")), Kind.OTHER), about.get("size"), about.get("selection")
    options = {str(one[0]): str(one[1]) for one in pairs if len(one) == 2} if isinstance(pairs, list) else {}
    length = size if isinstance(size, int) and not isinstance(size, bool) and size > 0 else None
    blank = 0 if kind in (Kind.NUMBER, Kind.WHOLE) else None
    return Field(name, kind, read_text(about.get("string")), about.get("readonly") is not True, length, options, blank)


def written(properties: Mapping[str, Value]) -> dict[str, Any]:
    """Values as `write` takes them: times in UTC without saying so."""
    return {name: int(str(v)) if name == OWNER else _written(v) for name, v in properties.items()}


def cells(properties: Mapping[str, Value]) -> dict[str, str]:
    """Values as cells of `load`, all of them text."""
    return {cell(name): str(int(v) if isinstance(v, bool) else v) for name, v in written(properties).items()}


def cell(name: str) -> str:
    """The name of a column of `load`; that of a relation says that its ids are those of the database."""
    return f"{name}/.id" if name == OWNER else name


def _written(value: Value) -> Any:
    if isinstance(value, datetime):
        return _time(value)
    return value.isoformat() if isinstance(value, date) else value


def new_values(new: NewCustomer, mobile_field: str | None) -> dict[str, str]:
    """The fields of a contact that is made; blanks are left out, since an empty cell clears a field.

    The name is required: without one, the address or the number takes its place until a name is known.
    """
    values = {"name": _name(new), "email": _said(new.email), **_phones(new, mobile_field)}
    values["name"] = values["name"] or values["email"] or next((v for v in values.values() if v), "")
    return {name: value for name, value in values.items() if value}


def left_out(new: NewCustomer, mobile_field: str | None) -> tuple[str, ...]:
    """Those of our fields that have no place: the second number where Odoo keeps only one."""
    mobile, phone = _said(new.mobile_phone), _said(new.phone)
    return ("phone",) if mobile_field is None and mobile and phone and mobile != phone else ()


def fill_values(current: Customer, new: NewCustomer, mobile_field: str | None) -> dict[str, tuple[str, tuple[str, ...]]]:
    """Odoo's field → (value, our fields in it), for what `new` knows and `current` does not."""
    found: dict[str, tuple[str, tuple[str, ...]]] = {}
    names = tuple(field for field in ("first_name", "last_name") if _said(getattr(new, field)))
    if contacts.whole_name(current, new):
        found["name"] = (_name(new), names)
    if _said(new.email) and not current.emails:
        found["email"] = (_said(new.email), ("email",))
    has = {"phone": current.phone, mobile_field: current.mobile_phone}
    for name, value in _phones(new, mobile_field).items():
        if value and not has[name]:
            ours = "mobile_phone" if name == mobile_field or value == _said(new.mobile_phone) else "phone"
            found[name] = (value, (ours,))
    return found


def _phones(new: NewCustomer, mobile_field: str | None) -> dict[str, str]:
    mobile, phone = _said(new.mobile_phone), _said(new.phone)
    return {"phone": mobile or phone} if mobile_field is None else {"phone": phone, mobile_field: mobile}


def _name(new: NewCustomer) -> str:
    return " ".join(part for part in (_said(new.first_name), _said(new.last_name)) if part)


def _said(text: str) -> str:
    return clean(text).strip()


def email_spellings(email: str) -> list[str]:
    """The address in lower case, as Odoo normalises it, in every spelling of its domain."""
    return list(dict.fromkeys(spelling.lower() for spelling in contacts.email_spellings(email)))


def phone_domain(phone: str, known: Mapping[str, Any], mobile_field: str | None) -> list[Any]:
    """A domain that finds at least every contact with this E.164 number, however it was typed.

    The digits of the national number in their order, with anything between them: what Odoo calculates
    (`phone_sanitized`) is E.164 only on some servers and for one of two numbers, so it is asked for as well, not instead.
    Raises `phonenumbers.NumberParseException` for what is no number.
    """
    digits = phonenumbers.national_significant_number(phonenumbers.parse(phone))
    pattern = f"%{'%'.join(digits)}%"
    terms: list[Any] = [[name, "=ilike", pattern] for name in ("phone", mobile_field) if name]
    if "phone_sanitized" in known:
        terms.append(["phone_sanitized", "=", phone])
    return ["|"] * (len(terms) - 1) + terms


def event(appointment: Appointment, minutes: int) -> dict[str, str]:
    """The fields of an event that say something. A start brings an end: Odoo refuses an event that ends before it starts."""
    starts, ends = appointment.starts_at, appointment.ends_at
    if starts is not None and (ends is None or ends < starts):
        ends = starts + timedelta(minutes=minutes)
    text = html.escape(_said(appointment.description)[:MAX_TEXT]).replace("\n", "<br>")
    said = {
        "start": _time(starts),
        "stop": _time(ends) if starts is not None else "",
        "location": _said(appointment.location),
        "description": f"<p>{text}</p>" if text else "",
        "show_as": "free" if appointment.status in LABELS else "busy",
    }
    return {name: value for name, value in said.items() if value}


def new_event(appointment: Appointment, minutes: int, now: datetime) -> dict[str, str]:
    """The fields of an event that is made: with a title, and the time that Odoo requires."""
    starts = appointment.starts_at or appointment.updated_at or now
    whole = appointment if appointment.starts_at else replace(appointment, starts_at=starts, ends_at=None)
    return {"name": title(appointment.title, appointment.status), **event(whole, minutes)}


def title(text: Any, status: Status) -> str:
    """The title with the label of its status; an earlier label is taken away."""
    plain = _said(text) if isinstance(text, str) else ""
    for label in LABELS.values():
        plain = plain.removeprefix(label)
    return f"{LABELS.get(status, '')}{plain or UNTITLED}"


def _time(value: datetime | None) -> str:
    return "" if value is None else value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")


def moment(value: Any) -> datetime | None:
    """A time as Odoo writes it, in UTC; None for anything else."""
    try:
        return datetime.strptime(value, "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC) if isinstance(value, str) else None
    except ValueError:
        return None
