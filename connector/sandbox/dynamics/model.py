"""What the Dynamics sandbox stores and how it refuses: columns, states, rows, and Dataverse's error bodies."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

GUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
#: Set → (logical name, primary id).
TABLES = {
    "contacts": ("contact", "contactid"),
    "appointments": ("appointment", "activityid"),
    "systemusers": ("systemuser", "systemuserid"),
}
#: Column → (type, most characters), from Microsoft's table reference (contact, appointment).
COLUMNS: dict[str, dict[str, tuple[str, int]]] = {
    "contacts": {
        "contactid": ("guid", 0),
        **dict.fromkeys(("firstname", "lastname", "mobilephone", "telephone1", "telephone2", "telephone3"), ("text", 50)),
        **{f"emailaddress{number}": ("text", 100) for number in (1, 2, 3)},
        "jobtitle": ("text", 100),
        "description": ("memo", 2_000),
        "birthdate": ("date", 0),
        "statecode": ("state", 0),
        "statuscode": ("state", 0),
        "merged": ("bool", 0),
        "_masterid_value": ("guid", 0),
        "createdon": ("time", 0),
        "modifiedon": ("time", 0),
    },
    "systemusers": {"systemuserid": ("guid", 0), "internalemailaddress": ("text", 100), "isdisabled": ("bool", 0)},
    "appointments": {
        "activityid": ("guid", 0),
        "subject": ("text", 200),
        "location": ("text", 200),
        "description": ("text", 1_048_576),
        "scheduledstart": ("time", 0),
        "scheduledend": ("time", 0),
        "_regardingobjectid_value": ("guid", 0),
        "statecode": ("state", 0),
        "statuscode": ("state", 0),
        "createdon": ("time", 0),
        "modifiedon": ("time", 0),
    },
}
READ_ONLY = {"contactid", "activityid", "merged", "_masterid_value", "_regardingobjectid_value", "createdon", "modifiedon"}
#: Status reason → state.
STATES = {"contacts": {1: 0, 2: 1}, "appointments": {1: 0, 2: 0, 3: 1, 4: 2, 5: 3, 6: 3}}
#: The states in which a row can be changed.
OPEN = {"contacts": {0}, "appointments": {0, 3}}
NEEDED = {"contacts": ("lastname",), "appointments": ("subject", "scheduledstart", "scheduledend")}


class Refusal(Exception):
    """A request that Dataverse would refuse, with its answer."""

    def __init__(self, status: int, code: str, message: str, *, retry_after: int | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.body: Any = {"error": {"code": code, "message": message}}
        self.headers = {} if retry_after is None else {"Retry-After": str(retry_after)}


#: Types that are no text in JSON.
PLAIN: dict[str, tuple[type, ...]] = {"yes_no": (bool,), "whole": (int,), "decimal": (int, float), "choice": (int,)}


@dataclass
class Rules:
    """What is not documented or differs between environments, as settings."""

    #: The code of "there is one with this key already" where only a create was allowed: documented empty, also seen like this.
    exists_code: Literal["", "0x80040237"] = ""
    #: The code of "there is none" where only an update was allowed.
    missing_code: Literal["", "0x80040217"] = "0x80040217"
    #: How a taken key is worded; it is in the environment's language, and the holder's id is not always in it.
    taken_text: str = (
        "Entity Key Connector key violated. A record with the same value for Connector key already exists. "
        "<DuplicateAttributes><{column}>{value}</{column}></DuplicateAttributes><Id>{id}</Id>"
    )
    #: The environment's own duplicate detection rule on e-mail addresses, and the status of its refusal.
    duplicate_rule: bool = False
    duplicate_status: Literal[412, 500] = 500
    #: A plug-in of the environment that refuses contacts with this last name.
    plugin_refuses: str = ""
    #: How long the index of a new alternate key takes, and whether it can be made at all.
    index_seconds: float = 0.0
    index_fails: bool = False
    #: Whether a contact that lost a merge keeps its key (inferred).
    merged_keeps_key: bool = True
    #: What a write to a deactivated contact or a closed appointment answers (seen; synthetic for appointments).
    read_only_code: str = "0x8004022e"


@dataclass
class Row:
    """One row; `version` is what its etag says."""

    table: str
    id: str
    fields: dict[str, Any]
    version: int = 1
    order: int = field(default=0)

    @property
    def etag(self) -> str:
        """The row's etag."""
        return f'W/"{self.version}"'

    def value(self, name: str) -> Any:
        """One column as it is answered."""
        return self.id if name == TABLES[self.table][1] else self.fields.get(name)

    def document(self, names: Iterable[str]) -> dict[str, Any]:
        """The row as it is answered: its etag, its id, and the columns asked for."""
        return {
            "@odata.etag": self.etag,
            **{name: self.value(name) for name in names},
            TABLES[self.table][1]: self.id,
        }


def folded(value: Any) -> Any:
    """What is compared: text without regard to case (documented) and accents (believed), blanks at the end left out."""
    if not isinstance(value, str):
        return value
    plain = unicodedata.normalize("NFKD", value.casefold()).rstrip()
    return "".join(letter for letter in plain if not unicodedata.combining(letter))


def new_id(number: int) -> str:
    """A row's id; the letters are lower case, as Dataverse writes them."""
    return f"{number:08x}-5a3c-ef11-8e4f-000d3ab{number:05x}"


def moment(seconds: float) -> str:
    """A date-time as Dataverse writes it."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def stored(name: str, value: Any, kind: str, length: int, options: Iterable[int] = ()) -> Any:
    """The value as it would be stored, or the refusal of one that cannot be; `options` of a choice."""
    if value is None or value == "":
        return None
    if kind == "state":
        if type(value) is not int:
            raise Refusal(400, "0x80048d19", f"Error identified in Payload: cannot convert {name} to Edm.Int32")
        return value
    if kind in PLAIN:
        return _plain(name, value, kind, options)
    if not isinstance(value, str):
        raise Refusal(400, "0x80048d19", f"Error identified in Payload: cannot convert {name} to Edm.String")
    if kind in ("choices", "date", "time"):
        return _spelt(name, value, kind, options)
    if length and len(value) > length:
        raise Refusal(400, "0x80044331", f"The length of the '{name}' attribute exceeded the maximum of {length}.")
    return value


def _spelt(name: str, value: str, kind: str, options: Iterable[int]) -> str:
    """Several choices, a date or a time, all of which are texts in JSON."""
    if kind == "time":
        return _time(name, value)
    if kind == "choices":
        chosen = [int(part) for part in value.split(",") if part.strip().isdigit()]
        return ",".join(str(_plain(name, one, "choice", options)) for one in chosen or [-1])
    if re.fullmatch(r"\d{4}-\d\d-\d\d", value) is None:
        raise Refusal(400, "0x80048d19", f"Error identified in Payload: cannot convert {name} to Edm.Date")
    return value


def _plain(name: str, value: Any, kind: str, options: Iterable[int]) -> Any:
    """A number, a truth value or the number of a choice. The codes of these refusals are synthetic."""
    if type(value) not in PLAIN[kind]:
        raise Refusal(400, "0x80048d19", f"Error identified in Payload: cannot convert {name} to its type")
    if kind == "choice" and value not in options:
        raise Refusal(400, "0x80044330", f"A validation error occurred. The value of {name} is outside the valid range.")
    return value


def _time(name: str, text: str) -> str:
    try:
        return moment(datetime.fromisoformat(text).timestamp())
    except ValueError:
        raise Refusal(400, "0x80048d19", f"Error identified in Payload: cannot convert {name} to Edm.DateTimeOffset") from None
