"""Between our words and Zoho's fields; pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import phonenumbers

from connector.model.bookings import Appointment, Status
from connector.model.fields import Value
from connector.model.persons import Customer, NewCustomer
from connector.remote import contacts, fields
from connector.remote.fields import Field, Kind
from connector.remote.values import read_object, read_objects, read_text, read_time

#: Our field → Zoho's field of contacts.
FIELDS = {"email": "Email", "first_name": "First_Name", "last_name": "Last_Name", "mobile_phone": "Mobile", "phone": "Phone"}
READ = (*FIELDS.values(), "Secondary_Email", "Created_Time", "Modified_Time")

#: The user to whom a contact belongs.
OWNER = "Owner"
#: Zoho's types of fields.
KINDS = {
    **dict.fromkeys(("text", "email", "phone", "website"), Kind.TEXT),
    "textarea": Kind.LINES,
    **dict.fromkeys(("double", "currency", "percent"), Kind.NUMBER),
    "integer": Kind.WHOLE,
    "boolean": Kind.YES_NO,
    "date": Kind.DATE,
    "datetime": Kind.TIME,
    "picklist": Kind.OPTION,
    "multiselectpicklist": Kind.OPTIONS,
}

#: Events have no status of their own, so the title says how the appointment ended. A later event can take it back.
TITLES = {Status.COMPLETED: "Completed", Status.NO_SHOW: "No-show", Status.CANCELLED: "Cancelled"}
MAX_TITLE = 255
#: Characters of an event's description. How many it holds is not documented; the smaller kind of text area has so many.
MAX_TEXT = 2_000
#: Values that one `in` of a query may hold.
MAX_VALUES = 50


def customer(record: Any, key_field: str, missing_last_name: str, kept: Iterable[str] = ()) -> Customer | None:
    """Read a contact, with the fields `kept`; None when `record` is not one."""
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
        properties=fields.kept(record, kept),
    )


def is_id(value: Any) -> bool:
    """Whether this is a record's id: digits, as a number or as text."""
    return not isinstance(value, bool) and re.fullmatch(r"[1-9][0-9]{0,19}", str(value)) is not None


def values_of(new: NewCustomer, wanted: Iterable[str] = FIELDS) -> dict[str, str]:
    """The fields that say something; blanks are never sent, because they would clear what is there."""
    return contacts.named(new, FIELDS, wanted)


def ours(names: Iterable[str]) -> tuple[str, ...]:
    """Our words for these fields; those that are not ours keep Zoho's."""
    return contacts.our_words(FIELDS, names)


def written(properties: Mapping[str, Value]) -> dict[str, Any]:
    """Values as Zoho takes them: times in UTC with an offset, several options as a list."""
    return {name: {"id": str(v)} if name == OWNER else _written(v) for name, v in properties.items()}


def _written(value: Value) -> Any:
    if isinstance(value, datetime):
        return _time(value)
    if isinstance(value, tuple):
        return list(value)
    return value.isoformat() if isinstance(value, date) else value


def field(definition: dict[str, Any]) -> Field:
    """A field as the definitions of contacts have it. Formatted text is not written, and so is the option for "none"."""
    kind = KINDS.get(str(definition.get("data_type")), Kind.OTHER)
    if read_object(definition.get("textarea")).get("type") == "rich_text":
        kind = Kind.OTHER
    may = read_object(definition.get("operation_type"))
    closed = definition.get("read_only") is True or definition.get("field_read_only") is True
    writable = not closed and may.get("api_create") is not False and may.get("api_update") is not False
    length = definition.get("length")
    longest = length if kind in (Kind.TEXT, Kind.LINES) and isinstance(length, int) and length > 0 else None
    listed = read_objects(definition.get("pick_list_values"))
    options = {read_text(one.get("actual_value")): read_text(one.get("display_value")) for one in listed}
    options.pop("-None-", None)
    return Field(
        read_text(definition.get("api_name")), kind, read_text(definition.get("field_label")), writable, longest, options
    )


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
    national = phonenumbers.format_number(number, formats.NATIONAL)
    digits = phonenumbers.national_significant_number(number)
    country = str(number.country_code)
    groups = _groups(country, digits, phonenumbers.format_number(number, formats.INTERNATIONAL))
    spaced = [" ".join(groups), digits, *(" ".join(_regular(digits, size)) for size in (3, 4))]
    if not phonenumbers.is_valid_number(number):
        spaced.append(_former(digits))
    found = [phone, phone[1:], national, digits, f"00{phone[1:]}", f"{country} {spaced[0]}", f"{country} {national}"]
    found += [f"+{country}{mark}{mark.join(groups)}" for mark in "-."]
    found += [f"+{country} {text}" for text in (*spaced, "-".join(groups), national)]
    found += [f"+{country}{text}" for text in (*spaced, national)]
    found += [f"00{country} {text}" for text in spaced]
    found += [mark.join(re.findall(r"[0-9]+", national)) for mark in ("", " ", "-", ".")]
    if re.sub(r"\D", "", national) == f"0{digits}":
        found += [f"0{text}" for text in spaced]
        found += [f"+{country}{gap}(0){text}" for gap in (" ", "") for text in (*spaced[:2], "-".join(groups))]
    return list(dict.fromkeys(found))[:MAX_VALUES]


def _groups(country: str, digits: str, international: str) -> list[str]:
    """The groups in which the number is usually shown, without the country."""
    if country == "52" and len(digits) == 11:
        # Mexico's mobile numbers began with a 1 until 2019.
        return [digits[0], digits[1:3], digits[3:7], digits[7:]]
    return re.findall(r"[0-9]+", international)[1:] or [digits]


def _former(digits: str) -> str:
    """A number from before a renumbering, whose groups are no longer known: in pairs, and ten digits as 120 123 4567."""
    return " ".join([digits[:3], digits[3:6], digits[6:]] if len(digits) == 10 else _regular(digits, 2))


def _regular(digits: str, size: int) -> list[str]:
    """Groups of so many digits from the right; the first has what is left."""
    first = len(digits) % size or size
    return [digits[:first], *(digits[at : at + size] for at in range(first, len(digits), size))]


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
    text = {"Description": appointment.description[:MAX_TEXT]} if appointment.description else {}
    on = {"Who_Id": {"id": customer_id}}
    return {**times(start, appointment.ends_at, default), **event(appointment, default), **text, **on}


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
