"""Between our words and Pipedrive's values; pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import UTC
from typing import Any

import phonenumbers

from connector.model.bookings import Appointment, Status
from connector.model.persons import Customer, NewCustomer
from connector.remote import contacts
from connector.remote.values import read_object, read_objects, read_text, read_time

#: An activity is only open or done: what else there is to say stands before its subject.
PREFIXES = {Status.CANCELLED: "Cancelled: ", Status.NO_SHOW: "No-show: "}
DONE = frozenset({Status.COMPLETED, Status.CANCELLED, Status.NO_SHOW})
#: Characters of an activity's public description. How many it holds is not documented.
MAX_TEXT = 2_000
FIELDS = ("email", "first_name", "last_name", "mobile_phone", "phone")


def is_id(value: Any) -> bool:
    """Whether this is a record's id: a positive number, or its digits."""
    return not isinstance(value, bool) and re.fullmatch(r"[1-9][0-9]{0,17}", str(value)) is not None


def customer(data: Any, field: str, properties: Mapping[str, Any] | None = None) -> Customer | None:
    """Read a person; None when `data` is not one. `field` is the code of our own field.

    The whole name is given as first name: Pipedrive is sent one name, and how it divides that is not documented.
    """
    person = read_object(data)
    if not is_id(person.get("id")):
        return None
    emails, phones = values(person, "emails"), values(person, "phones")
    name = read_text(person.get("name"))
    # Where no name is known, an address or a number stands in its place: Pipedrive needs one.
    named = name not in (*emails, *phones)
    mobile = [number for number in phones if label(person, number) == "mobile"]
    other = [number for number in phones if number not in mobile]
    return Customer(
        id=str(person["id"]),
        first_name=name if named else "",
        one_name=True,
        emails=emails,
        mobile_phone=mobile[0] if mobile else "",
        phone=other[0] if other else "",
        person_key=read_text(read_object(person.get("custom_fields")).get(field)),
        created_at=read_time(person.get("add_time")),
        active_at=read_time(person.get("update_time")),
        properties=dict(properties or {}),
    )


def values(person: dict[str, Any], key: str) -> tuple[str, ...]:
    """The e-mail addresses or phones of a person, each once."""
    found = (read_text(entry.get("value")) for entry in read_objects(person.get(key)))
    return tuple(dict.fromkeys(value for value in found if value))


def label(person: dict[str, Any], number: str) -> str:
    """What kind of phone a number is."""
    entries = read_objects(person.get("phones"))
    return next((read_text(entry.get("label")).lower() for entry in entries if read_text(entry.get("value")) == number), "")


def has_email(person: dict[str, Any], email: str) -> bool:
    """Whether the person has this address; see `contacts.is_email_among`."""
    return contacts.is_email_among(email, values(person, "emails"))


def has_phone(person: dict[str, Any], phone: str) -> bool:
    """Whether one of the person's numbers is this E.164 number; see `contacts.is_phone_among`."""
    return contacts.is_phone_among(phone, values(person, "phones"))


def phone_terms(phone: str) -> tuple[tuple[str, bool], ...]:
    """What is searched for an E.164 number, and whether exactly: whether the search ignores the form is not documented."""
    return ((phone, True), (phonenumbers.national_significant_number(phonenumbers.parse(phone)), False))


def new_person(new: NewCustomer, field: str, person_key: str) -> dict[str, Any]:
    """The values of a person that is made, with our key."""
    name = f"{new.first_name} {new.last_name}".strip() or new.email or new.mobile_phone or new.phone
    lists = _contacts({}, new, FIELDS)
    return {"name": name, **lists, "custom_fields": {field: person_key}}


def filled(person: dict[str, Any], current: Customer, new: NewCustomer, fields: Iterable[str]) -> dict[str, Any]:
    """The values that add `fields` to a person; lists are sent whole, with what is there."""
    fields = list(fields)
    written = _contacts(person, new, fields)
    if {"first_name", "last_name"} & set(fields):
        written["name"] = contacts.whole_name(current, new)
    return written


def _contacts(person: dict[str, Any], new: NewCustomer, fields: Iterable[str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for field, key, kind in (("email", "emails", "work"), ("mobile_phone", "phones", "mobile"), ("phone", "phones", "home")):
        value = str(getattr(new, field)).strip()
        if field in fields and value:
            there = found.get(key) or [dict(entry) for entry in read_objects(person.get(key)) if read_text(entry.get("value"))]
            found[key] = [*there, {"value": value, "primary": not there, "label": kind}]
    return found


def activity(appointment: Appointment, subject: str = "") -> dict[str, Any]:
    """The values of an activity that say something; `subject` is the present one, used where the appointment has no title."""
    title = appointment.title or bare(subject) or "Appointment"
    said: dict[str, Any] = {"subject": PREFIXES.get(appointment.status, "") + title, "done": appointment.status in DONE}
    if appointment.starts_at is not None:
        start = appointment.starts_at.astimezone(UTC)
        said |= {"due_date": start.strftime("%Y-%m-%d"), "due_time": start.strftime("%H:%M")}
        if appointment.ends_at is not None and (minutes := int((appointment.ends_at - start).total_seconds() // 60)) > 0:
            said["duration"] = f"{minutes // 60:02}:{minutes % 60:02}"
    said |= {"location": {"value": appointment.location}} if appointment.location else {}
    return said | ({"public_description": appointment.description[:MAX_TEXT]} if appointment.description else {})


def new_activity(appointment: Appointment, kind: str, customer_id: str, marker: str) -> dict[str, Any]:
    """The values of an activity that is made, on the person and with our marker."""
    participants = [{"person_id": int(customer_id), "primary": True}]
    return {
        **activity(appointment),
        "type": kind,
        "participants": participants,
        "note": contacts.marker_line(marker),
        "busy": False,
    }


def bare(subject: str) -> str:
    """A subject without what we put before it."""
    prefix = next((prefix for prefix in PREFIXES.values() if subject.startswith(prefix)), "")
    return subject[len(prefix) :]
