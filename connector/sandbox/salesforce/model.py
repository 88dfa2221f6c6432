"""What the Salesforce sandbox stores and how it refuses: ids, records, fields, and Salesforce's error bodies."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any, Literal

API_VERSION = "67.0"
DATA = f"/services/data/v{API_VERSION}"
#: The first three characters of an id say which object it is of.
PREFIXES = {
    "Contact": "003",
    "Event": "00U",
    "PermissionSet": "0PS",
    "FieldPermissions": "01k",
    "CustomField": "00N",
    "User": "005",
}
#: Field → (type, length).
FIELDS: dict[str, dict[str, tuple[str, int]]] = {
    "Contact": {
        "Id": ("id", 18),
        "IsDeleted": ("boolean", 0),
        "MasterRecordId": ("reference", 18),
        "AccountId": ("reference", 18),
        "OwnerId": ("reference", 18),
        "FirstName": ("string", 40),
        "LastName": ("string", 80),
        "Email": ("email", 80),
        "Phone": ("phone", 40),
        "MobilePhone": ("phone", 40),
        "HomePhone": ("phone", 40),
        "OtherPhone": ("phone", 40),
        "Title": ("string", 128),
        "Department": ("string", 80),
        "Description": ("textarea", 32_000),
        "LeadSource": ("picklist", 255),
        "Birthdate": ("date", 0),
        "CreatedDate": ("datetime", 0),
        "LastModifiedDate": ("datetime", 0),
    },
    "Event": {
        "Id": ("id", 18),
        "IsDeleted": ("boolean", 0),
        "WhoId": ("reference", 18),
        "Subject": ("combobox", 255),
        "Location": ("string", 255),
        "Description": ("textarea", 32_000),
        "StartDateTime": ("datetime", 0),
        "EndDateTime": ("datetime", 0),
        "ShowAs": ("picklist", 40),
        "CreatedDate": ("datetime", 0),
        "LastModifiedDate": ("datetime", 0),
    },
    "User": {"Id": ("id", 18), "Email": ("email", 128), "IsActive": ("boolean", 0)},
    "PermissionSet": {"Id": ("id", 18), "Name": ("string", 80), "Label": ("string", 80)},
    "FieldPermissions": {
        "Id": ("id", 18),
        "ParentId": ("reference", 18),
        "SobjectType": ("picklist", 40),
        "Field": ("picklist", 255),
        "PermissionsRead": ("boolean", 0),
        "PermissionsEdit": ("boolean", 0),
    },
}
#: What only Salesforce writes.
READ_ONLY = {"Id", "IsDeleted", "MasterRecordId", "CreatedDate", "LastModifiedDate"}
#: A long text cannot stand in a WHERE.
UNFILTERED = {"textarea"}
#: The values of picklists. Those of contacts' own fields stand in their definition.
OPTIONS = {"ShowAs": ["Busy", "OutOfOffice", "Free"], "LeadSource": ["Web", "Phone Inquiry", "Partner Referral", "Other"]}
#: Picklists that take other values too.
OPEN = {"LeadSource"}
EMAIL = re.compile(r"[^@\s,;]+@[^@\s,;]+\.[^@\s,;]+")
_SUFFIX = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"


class Refusal(Exception):
    """A request that Salesforce would refuse; `body` is its answer: a list with one error."""

    def __init__(self, status: int, code: str, message: str, fields: Iterable[str] | None = None, **more: Any) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        error: dict[str, Any] = {"message": message, "errorCode": code}
        if fields is not None:
            error["fields"] = list(fields)
        self.body: Any = [{**error, **more}]


@dataclass
class Rules:
    """What is not documented or differs between organisations, as settings."""

    #: What the answer to an upsert that changed a record looks like: 200 with a body (new versions) or 204 (old ones).
    upsert_answer: Literal[200, 204] = 200
    #: The organisation's own duplicate rule: on the same e-mail address, or the same last name.
    duplicate_rule: Literal["none", "alert", "block"] = "none"
    duplicate_match: Literal["email", "last name"] = "email"
    #: REST spells the member "duplicateResut"; both spellings were seen.
    duplicate_member: Literal["duplicateResut", "duplicateResult"] = "duplicateResut"
    #: How a taken key is worded: the text is translated, its id has 15 or 18 characters or is not named at all.
    duplicate_text: str = "duplicate value found: {field} duplicates value on record with id: {id}"
    duplicate_id: Literal[15, 18, "unknown"] = 15
    #: Whether the key of a merge's loser stays readable on the deleted row (synthetic: it does).
    merged_keeps_key: bool = True
    person_accounts: bool = False
    #: The statuses with which locked rows and expired sessions were seen.
    lock_status: Literal[400, 500] = 400
    session_status: Literal[401, 500] = 401
    #: Rows of one page of a query.
    page_size: int = 2000


@dataclass
class Record:
    """One row; `made` is when an index could know it, in seconds since the epoch."""

    object: str
    id: str
    fields: dict[str, Any]
    made: float = 0.0
    deleted: bool = False
    master: str | None = None
    order: int = field(default=0)

    def value(self, name: str) -> Any:
        """One field as it is answered."""
        if name == "Id":
            return self.id
        if name == "IsDeleted":
            return self.deleted
        return self.master if name == "MasterRecordId" else self.fields.get(name)

    def document(self, names: Iterable[str]) -> dict[str, Any]:
        """The row as a query answers it."""
        url = f"{DATA}/sobjects/{self.object}/{self.id}"
        return {"attributes": {"type": self.object, "url": url}, **{name: self.value(name) for name in names}}


def whole(identity: str) -> str:
    """The id with 18 characters: the last three say which of the others are capital letters."""
    parts = (identity[start : start + 5] for start in (0, 5, 10))
    return identity[:15] + "".join(_SUFFIX[sum(1 << i for i, c in enumerate(p) if "A" <= c <= "Z")] for p in parts)


def new_id(kind: str, number: int) -> str:
    """An id of this object; the letters are mixed, so that case matters."""
    digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
    text = ""
    for _ in range(7):
        number, rest = divmod(number, 62)
        text = digits[rest] + text
    return whole(f"{PREFIXES[kind]}5g000{text}")


def moment(seconds: float) -> str:
    """A date-time as Salesforce writes it: its offset has no colon."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.") + "000+0000"


def checked(
    kind: str, given: dict[str, Any], known: dict[str, tuple[str, int]], hidden: set[str], options: dict[str, list[str]]
) -> dict[str, Any]:
    """The values as they would be stored, or the refusal of those that cannot be; `options` of restricted picklists."""
    stored: dict[str, Any] = {}
    for name, value in given.items():
        if name not in known:
            raise Refusal(400, "INVALID_FIELD", f"No such column '{name}' on sobject of type {kind}")
        if name in READ_ONLY or name in hidden:
            text = f"Unable to create/update fields: {name}. Please check the security settings of this field."
            raise Refusal(400, "INVALID_FIELD_FOR_INSERT_UPDATE", text, [name])
        stored[name] = _value(name, value, *known[name], options.get(name))
    return stored


def _value(name: str, value: Any, kind: str, length: int, options: list[str] | None) -> Any:
    if value is None or value == "":
        return None
    if kind in ("boolean", "double", "int"):
        return _plain(value, kind)
    text = str(value).strip() if name != "Description" else str(value)
    if length and len(text) > length:
        raise Refusal(400, "STRING_TOO_LONG", f"{name}: data value too large: (max length={length})", [name])
    if kind == "email" and not EMAIL.fullmatch(text):
        raise Refusal(400, "INVALID_EMAIL_ADDRESS", f"{name}: invalid email address: {text}", [name])
    if kind == "date":
        return _stored_day(text)
    chosen = text.split(";") if kind == "multipicklist" else [text]
    if options is not None and not set(chosen) <= set(options):
        text = f"{name}: bad value for restricted picklist field: {text}"
        raise Refusal(400, "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", text, [name])
    return _stored_time(name, text) if kind == "datetime" else text


def _plain(value: Any, kind: str) -> Any:
    """A number or a truth value. Salesforce's refusal of another type names no field."""
    fits = isinstance(value, bool) if kind == "boolean" else type(value) in (int, float)
    if not fits or (kind == "int" and not float(value).is_integer()):
        text = f"Cannot deserialize instance of {kind} from VALUE_STRING value or request may be missing a required field"
        raise Refusal(400, "JSON_PARSER_ERROR", text)
    return float(value) if kind == "double" else value


def _stored_day(text: str) -> str:
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError:
        raise Refusal(400, "JSON_PARSER_ERROR", "Cannot deserialize instance of date from VALUE_STRING value") from None


def _stored_time(name: str, text: str) -> str:
    try:
        return moment(datetime.fromisoformat(text).timestamp())
    except ValueError:
        raise Refusal(400, "JSON_PARSER_ERROR", f"Cannot deserialize instance of datetime from {name}") from None
