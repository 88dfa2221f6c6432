"""Between our words and HubSpot's properties; pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

import phonenumbers

from connector.model.bookings import Appointment, Status
from connector.model.fields import Value
from connector.model.persons import Customer, NewCustomer
from connector.remote import contacts
from connector.remote.fields import Field, Kind
from connector.remote.values import read_object, read_objects, read_text

#: Our field → HubSpot's property.
FIELDS = {
    "email": "email",
    "first_name": "firstname",
    "last_name": "lastname",
    "mobile_phone": "mobilephone",
    "phone": "phone",
}
READ = (*FIELDS.values(), "hs_additional_emails")
#: Computed by HubSpot from `phone` and `mobilephone`, without the country code.
SEARCHABLE_PHONES = ("hs_searchable_calculated_phone_number", "hs_searchable_calculated_mobile_number")

#: HubSpot's types of properties.
KINDS = {
    "string": Kind.TEXT,
    "number": Kind.NUMBER,
    "bool": Kind.YES_NO,
    "date": Kind.DATE,
    "datetime": Kind.TIME,
    "enumeration": Kind.OPTION,
}
#: Characters that a text property holds at most (documented for rich and plain text alike).
TEXT = 65_536

#: A reschedule is only a new time: HubSpot's RESCHEDULED would say that this meeting does not take place. Every outcome
#: can be taken back (cancelled → scheduled again), because each update writes the outcome that holds now.
OUTCOMES = {Status.COMPLETED: "COMPLETED", Status.NO_SHOW: "NO_SHOW", Status.CANCELLED: "CANCELED"}


def customer(data: Any, person_key_property: str, kept: Iterable[str] = ()) -> Customer | None:
    """Read a contact, with the properties `kept`; None when `data` is not one."""
    if not isinstance(data, dict) or not is_id(data.get("id")):
        return None
    properties = data.get("properties")
    if not isinstance(properties, dict):
        return None

    def text(name: str) -> str:
        value = properties.get(name)
        # Half of a surrogate pair can be shown nowhere.
        return value.strip().encode("utf-8", "replace").decode() if isinstance(value, str) else ""

    emails = [text("email"), *(part.strip() for part in text("hs_additional_emails").split(";"))]
    return Customer(
        id=str(data["id"]),
        first_name=text("firstname"),
        last_name=text("lastname"),
        emails=tuple(dict.fromkeys(email for email in emails if email)),
        mobile_phone=text("mobilephone"),
        phone=text("phone"),
        person_key=text(person_key_property),
        created_at=_moment(data.get("createdAt")),
        active_at=_moment(data.get("updatedAt")),
        properties={name: text(name) for name in kept},
    )


def is_id(value: Any) -> bool:
    """Whether this is a record's id: digits, as a number or as text."""
    return re.fullmatch(r"[0-9]{1,20}", str(value)) is not None


def _moment(value: Any) -> datetime | None:
    """A record's own date, as HubSpot writes it in every answer; None for anything else."""
    try:
        found = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
    return found if found is not None and found.tzinfo is not None else None


def is_archived(data: Any) -> bool:
    """Whether the record lies in HubSpot's recycle bin."""
    return isinstance(data, dict) and data.get("archived") is True


def properties_of(new: NewCustomer, fields: Iterable[str] = FIELDS) -> dict[str, str]:
    """The properties that say something; blanks are never sent, because they would clear what is there."""
    return contacts.named(new, FIELDS, fields)


def ours(names: Iterable[str]) -> tuple[str, ...]:
    """Our words for these properties; those that are not ours keep HubSpot's."""
    return contacts.our_words(FIELDS, names)


def written(properties: Mapping[str, Value]) -> dict[str, str]:
    """Values as HubSpot takes them: all of them as text, times in UTC."""
    return {name: _written(value) for name, value in properties.items()}


def _written(value: Value) -> str:
    if isinstance(value, datetime):
        return _time(value)
    if isinstance(value, tuple):
        return ";".join(value)
    return str(value).lower() if isinstance(value, bool) else str(value)


def field(definition: dict[str, Any]) -> Field | None:
    """A property's definition; None without a name."""
    name = definition.get("name")
    if not isinstance(name, str) or not name:
        return None
    kind = KINDS.get(str(definition.get("type")), Kind.OTHER)
    if definition.get("fieldType") == "textarea":
        kind = Kind.LINES
    elif definition.get("fieldType") == "checkbox":
        kind = Kind.OPTIONS
    options = {read_text(one.get("value")): read_text(one.get("label")) for one in read_objects(definition.get("options"))}
    read_only = read_object(definition.get("modificationMetadata")).get("readOnlyValue") is True
    writable = not read_only and definition.get("calculated") is not True
    length = TEXT if kind in (Kind.TEXT, Kind.LINES) else None
    return Field(name, kind, read_text(definition.get("label")), writable, length, options)


def phone_search(phone: str) -> list[list[tuple[str, str]]]:
    """Filter groups that find an E.164 number in HubSpot's calculated properties.

    They hold area code and local number. Whether a trunk prefix (the 0 of 079…) that somebody typed is kept there is
    not documented, so both forms are asked for. Raises `phonenumbers.NumberParseException` for what is no number.
    """
    number = phonenumbers.parse(phone)
    national = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.NATIONAL)
    forms = dict.fromkeys((phonenumbers.national_significant_number(number), re.sub(r"\D", "", national)))
    return [[(name, form)] for form in forms for name in SEARCHABLE_PHONES]


def meeting(appointment: Appointment) -> dict[str, str]:
    """The properties of a meeting that say something; an unknown end is left out."""
    said = {
        "hs_meeting_title": appointment.title,
        "hs_meeting_location": appointment.location,
        "hs_meeting_body": _body(appointment),
        "hs_timestamp": _time(appointment.starts_at),
        "hs_meeting_start_time": _time(appointment.starts_at),
        "hs_meeting_end_time": _time(appointment.ends_at),
        "hs_meeting_outcome": OUTCOMES.get(appointment.status, "SCHEDULED"),
    }
    return {name: value for name, value in said.items() if value}


def _body(appointment: Appointment) -> str:
    """Its description; and which of its times nobody should believe."""
    warning = (
        f"The {' and '.join(appointment.unread)} could not be read: look at the booking itself." if appointment.unread else ""
    )
    return "\n".join(part for part in (appointment.description[: TEXT - 200], warning) if part)


def new_meeting(appointment: Appointment, marker: str, now: datetime) -> dict[str, str]:
    """The properties of a meeting that is made: with our marker, a title, and the time HubSpot requires."""
    fallback = {"hs_meeting_title": "Appointment", "hs_timestamp": _time(appointment.updated_at or now)}
    return {**fallback, **meeting(appointment), "hs_internal_meeting_notes": contacts.marker_line(marker)}


def after(data: Any) -> str | None:
    """Where the next page begins; None on the last one."""
    paging = data.get("paging") if isinstance(data, dict) else None
    following = paging.get("next") if isinstance(paging, dict) else None
    cursor = following.get("after") if isinstance(following, dict) else None
    return str(cursor) if cursor not in (None, "") else None


def associated(result: dict[str, Any]) -> str | None:
    """The id of an associated record; None where it is none."""
    identity = result.get("toObjectId", result.get("id"))
    return str(identity) if is_id(identity) else None


def _time(value: datetime | None) -> str:
    return "" if value is None else value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
