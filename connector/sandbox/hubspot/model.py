"""What the HubSpot sandbox stores and how it refuses: one record, the account's property names, HubSpot's error body."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import phonenumbers

#: Names that exist in every account; True: only HubSpot writes them.
CONTACT_PROPERTIES = {
    **dict.fromkeys(
        (
            "email",
            "firstname",
            "lastname",
            "phone",
            "mobilephone",
            "company",
            "lifecyclestage",
            "hs_lead_status",
            "hubspot_owner_id",
        ),
        False,
    ),
    **dict.fromkeys(("hs_object_id", "createdate", "lastmodifieddate", "hs_additional_emails", "hs_merged_object_ids"), True),
    **dict.fromkeys(("hs_searchable_calculated_phone_number", "hs_searchable_calculated_mobile_number"), True),
}
#: HubSpot's own lists of options; an account may have others.
OPTIONS = {
    name: {
        "type": "enumeration",
        "fieldType": "radio",
        "options": [{"value": value, "label": label, "hidden": False} for value, label in pairs],
    }
    for name, pairs in {
        "lifecyclestage": (
            ("subscriber", "Subscriber"),
            ("lead", "Lead"),
            ("opportunity", "Opportunity"),
            ("customer", "Customer"),
        ),
        "hs_lead_status": (("NEW", "New"), ("OPEN", "Open"), ("IN_PROGRESS", "In progress"), ("CONNECTED", "Connected")),
    }.items()
}
#: Properties of meetings, with their types.
MEETING_PROPERTIES = {
    **dict.fromkeys(("hs_timestamp", "hs_meeting_start_time", "hs_meeting_end_time"), "datetime"),
    **dict.fromkeys(("hs_meeting_title", "hs_meeting_body", "hs_internal_meeting_notes", "hs_meeting_location"), "string"),
    **dict.fromkeys(("hs_meeting_external_url", "hs_meeting_outcome", "hubspot_owner_id"), "string"),
}
#: From a meeting to a contact and back, defined by HubSpot.
MEETING_TO_CONTACT, CONTACT_TO_MEETING = 200, 199
#: Characters of a text.
LONGEST = 65_536
NUMBER = re.compile(r"-?\d+(\.\d+)?([eE][+-]?\d+)?")
YES_NO = re.compile(r"true|false")
MILLISECONDS = re.compile(r"-?\d{1,14}")
DATE = re.compile(r"\d{4}-\d\d-\d\d")
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,6})?)?(Z|[+-]\d\d:\d\d)")
MEETING_OUTCOMES = {"SCHEDULED", "COMPLETED", "RESCHEDULED", "NO_SHOW", "CANCELED"}


class Refusal(Exception):
    """A request that HubSpot would refuse; `body` is its answer."""

    def __init__(self, status: int, message: str, category: str, **more: Any) -> None:
        super().__init__(message)
        self.status = status
        self.body = {"status": "error", "message": message, "correlationId": str(uuid.uuid4()), "category": category, **more}


@dataclass
class Record:
    """One contact or meeting; `history` holds what a lagging search index still sees."""

    id: str
    properties: dict[str, str]
    created: datetime
    updated: datetime
    archived: bool = False
    contacts: list[str] = field(default_factory=list)
    history: list[tuple[float, dict[str, str]]] = field(default_factory=list)
    #: Before the names of the dates that HubSpot keeps of a record: meetings have `hs_createdate`.
    prefix: str = ""

    def as_of(self, moment: float) -> dict[str, str] | None:
        """The properties that an index of that moment holds; None: the record was not there yet."""
        return next((properties for time, properties in reversed(self.history) if time <= moment), None)

    def document(self, names: Iterable[str] | None = None) -> dict[str, Any]:
        """The record as HubSpot answers it, with the asked properties (None: all that are set)."""
        dates = {"createdate": iso(self.created), "lastmodifieddate": iso(self.updated)}
        always = {"hs_object_id": self.id, **{f"{self.prefix}{name}": moment for name, moment in dates.items()}}
        chosen = self.properties if names is None else {name: self.properties.get(name) for name in names}
        return {
            "id": self.id,
            "properties": {**chosen, **always},
            "createdAt": iso(self.created),
            "updatedAt": iso(self.updated),
            "archived": self.archived,
        }


def searchable(phone: str) -> str:
    """The number as HubSpot's search knows it: area code and local number. The details are synthetic."""
    try:
        return phonenumbers.national_significant_number(phonenumbers.parse(phone, "US"))
    except phonenumbers.NumberParseException:
        return re.sub(r"\D", "", phone)


def checked_meeting(given: Mapping[str, str]) -> dict[str, str]:
    """The properties of a meeting as they would be stored, or the refusal of those that cannot be."""
    faults = []
    for name, value in given.items():
        if name not in MEETING_PROPERTIES:
            faults.append((name, "PROPERTY_DOESNT_EXIST", f"Property {name} does not exist"))
        elif name == "hs_meeting_outcome" and value and value not in MEETING_OUTCOMES:
            faults.append((name, "INVALID_OPTION", f"{value} was not one of the allowed options"))
        elif value and (code := misfit(value, {"type": MEETING_PROPERTIES[name]})) is not None:
            faults.append((name, code, f"{value} is not a valid value"))
    if faults:
        raise invalid(faults)
    return dict(given)


def invalid(faults: Iterable[tuple[str, str, str]]) -> Refusal:
    """The refusal of values: HubSpot puts JSON into its message, and a list of errors beside it."""
    faults = list(faults)
    inner = ",".join(f'{{"isValid":false,"message":"{text}","error":"{code}","name":"{name}"}}' for name, code, text in faults)
    errors = [{"message": text, "code": code, "context": {"propertyName": [name]}} for name, code, text in faults]
    return Refusal(400, f"Property values were not valid: [{inner}]", "VALIDATION_ERROR", errors=errors)


def misfit(value: str, definition: Mapping[str, Any]) -> str | None:
    """The code with which a value is refused that its property does not take; the codes of types are synthetic.

    White space around a value is only taken off texts (documented).
    """
    if options := definition.get("options"):
        chosen = value.split(";") if definition.get("fieldType") == "checkbox" else [value]
        return None if set(chosen) <= {one["value"] for one in options} else "INVALID_OPTION"
    kind = definition.get("type")
    if kind == "string":
        return "INVALID_STRING" if len(value) > LONGEST else None
    fits: dict[Any, Callable[[str], object]] = {
        "number": NUMBER.fullmatch,
        "bool": YES_NO.fullmatch,
        "date": _is_date,
        "datetime": _is_time,
    }
    return None if kind not in fits or fits[kind](value) else f"INVALID_{str(kind).upper()}"


def _is_date(text: str) -> bool:
    """A calendar date, or midnight in UTC in milliseconds since 1970."""
    if MILLISECONDS.fullmatch(text):
        return int(text) % 86_400_000 == 0
    return DATE.fullmatch(text) is not None and _exists(text)


def _is_time(text: str) -> bool:
    """A moment in ISO 8601 with its offset, or in milliseconds since 1970."""
    return MILLISECONDS.fullmatch(text) is not None or (TIME.fullmatch(text) is not None and _exists(text))


def _exists(text: str) -> bool:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


def listed(record: Record, name: str) -> list[str]:
    """A property that holds a list, joined by semicolons."""
    return [part for part in record.properties.get(name, "").split(";") if part]


def iso(moment: datetime) -> str:
    """A moment in UTC as HubSpot writes it."""
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
