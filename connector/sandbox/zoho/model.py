"""What the Zoho CRM sandbox stores and how it refuses: records, the fields of its modules, Zoho's error bodies.

Names of fields: the vendor's Python SDK 7.0.0 for API version 8. Shapes of errors: the vendor's OpenAPI files.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

Json = dict[str, Any]
#: Fields that exist in every account, with their greatest length. The lengths are synthetic.
FIELDS: dict[str, dict[str, int]] = {
    "Contacts": {
        "Email": 100, "Secondary_Email": 100, "First_Name": 40, "Last_Name": 80, "Mobile": 30, "Phone": 50,
        "Home_Phone": 30, "Other_Phone": 30, "Title": 100, "Department": 50, "Description": 32_000, "Lead_Source": 120,
        "Owner": 0,
    },
    "Events": {"Event_Title": 255, "Start_DateTime": 40, "End_DateTime": 40, "Venue": 255, "Description": 32_000, "Who_Id": 0},
}  # fmt: skip
#: Their types where that is not text, and the options of choices (synthetic).
TYPES = {
    "Owner": "ownerlookup",
    "Description": "textarea",
    "Lead_Source": "picklist",
    "Email": "email",
    "Secondary_Email": "email",
}
OPTIONS = {"Lead_Source": ["-None-", "Advertisement", "Online Store", "External Referral"]}
#: Types of fields that an account can have of its own.
OWN_TYPES = {
    "text", "textarea", "integer", "double", "boolean", "date", "datetime", "picklist", "multiselectpicklist",
}  # fmt: skip
READ_ONLY = ("id", "Created_Time", "Modified_Time")
MANDATORY = {"Contacts": ("Last_Name",), "Events": ("Event_Title", "Start_DateTime", "End_DateTime")}
#: Multi-line fields cannot be asked for in the criteria of a query.
MULTI_LINE = frozenset({"Description"})
USER = {"name": "Sandbox User", "id": "554023000000323001"}


class Refusal(Exception):
    """A request that Zoho would refuse as a whole; `body` is its answer."""

    def __init__(self, status: int, code: str, message: str, **details: Any) -> None:
        super().__init__(message)
        self.status = status
        self.body = error(code, message, **details)


class ItemRefusal(Exception):
    """One record that Zoho would refuse; `item` stands in the list of results."""

    def __init__(self, item: Json) -> None:
        super().__init__(item["code"])
        self.item = item


def error(code: str, message: str, **details: Any) -> Json:
    """An error, of a request or of one record in it."""
    return {"code": code, "details": details, "message": message, "status": "error"}


def refuse(errors: Iterable[Json]) -> None:
    """Raise the refusal of one record, if there is an error; several stand in one item."""
    found = list(errors)
    if len(found) == 1:
        raise ItemRefusal(found[0])
    if found:
        raise ItemRefusal(error("MULTIPLE_OR_MULTI_ERRORS", "Multiple errors in the request", errors=found))


def missing(name: str) -> Json:
    """A mandatory field without a value."""
    return error("MANDATORY_NOT_FOUND", "required field not found", api_name=name, json_path=f"$.data[0].{name}")


def invalid(name: str, **details: Any) -> Json:
    """A value that a field does not take."""
    return error("INVALID_DATA", "invalid data", api_name=name, json_path=f"$.data[0].{name}", **details)


def expected(kind: str, options: Container[str], value: Any) -> str | None:
    """The type that a field of another type than text expects, where the value is not of it."""
    match kind:
        case "integer" | "double" | "boolean":
            types = {"integer": (int,), "double": (int, float), "boolean": (bool,)}[kind]
            return None if type(value) in types else kind
        case "picklist":
            return None if isinstance(value, str) and value in options else kind
        case "multiselectpicklist":
            return None if isinstance(value, list) and all(one in options for one in value) else "jsonarray"
        case "date" | "datetime":
            form = r"\d{4}-\d\d-\d\d" + (r"T\d\d:\d\d:\d\d[+-]\d\d:\d\d" if kind == "datetime" else "")
            return None if isinstance(value, str) and re.fullmatch(form, value) else kind
    return None if isinstance(value, str) else "text"


def duplicate(name: str, holder: str, module: str) -> Json:
    """A value of a unique field that another record holds."""
    owner = {"id": holder, "Owner": USER, "module": {"api_name": module, "id": "554023000000002179"}}
    where = {"api_name": name, "json_path": f"$.data[0].{name}", "more_records": False}
    return error("DUPLICATE_DATA", "duplicate data", duplicate_record=owner, **where)


def no_such_record() -> Json:
    """An update of a record that is not there."""
    return error("INVALID_DATA", "the id given seems to be invalid", api_name="id", json_path="$.data[0].id")


@dataclass
class Record:
    """One contact or event. Times are seconds since the epoch."""

    id: str
    values: Json
    created: float
    modified: float
    history: list[tuple[float, Json]] = field(default_factory=list)

    def value(self, name: str) -> Any:
        """The value of a field, None where there is none."""
        match name:
            case "id":
                return self.id
            case "Created_Time":
                return moment(self.created)
            case "Modified_Time":
                return moment(self.modified)
        return self.values.get(name)

    def document(self, names: Iterable[str]) -> Json:
        """The record with these fields, as Zoho answers it; the id is always there."""
        return {"id": self.id} | {name: self.value(name) for name in names}

    def as_of(self, time: float) -> Json:
        """What a search index of that moment holds; empty: the record was not there yet."""
        return next((values for since, values in reversed(self.history) if since <= time), {})

    def result(self, message: str, **more: Any) -> Json:
        """The item of a list of results which says that a write was carried out."""
        by = {"Created_By": USER, "Modified_By": USER}
        times = {"Created_Time": moment(self.created), "Modified_Time": moment(self.modified)}
        return {"code": "SUCCESS", "details": {"id": self.id, **times, **by}, "message": message, "status": "success", **more}


def moment(seconds: float) -> str:
    """A time as Zoho writes it: to the second, with an offset."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
