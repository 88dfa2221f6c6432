"""What the lists of the status page are narrowed to: the fields of the search forms, and what a query asks for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from connector.model.dates import moment
from connector.model.states import STATES

#: Characters of one field; nothing that is looked for is longer.
LONGEST = 200
#: What the fields are called in `connector.store.lists.Wanted`, where it differs.
_NAMES = {"client": "client_id", "customer": "customer_id", "appointment": "appointment_id"}


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a search form; with `choices` (value, text) it is a selection."""

    name: str
    label: str
    hint: str = ""
    choices: tuple[tuple[str, str], ...] = ()


_WHO = (Field("client", "Client"), Field("customer", "Customer"))
_WHEN = (Field("since", "Since", "7d or 2026-01-31"), Field("until", "Until", "yesterday"))
_STATES = tuple((state, state) for state in STATES)
_LINKS = (("written_back", "written back"), ("already_there", "already there"))
FIELDS = {
    "events": (
        Field("state", "State", choices=_STATES),
        *_WHO,
        Field("appointment", "Appointment"),
        Field("reason", "Reason", "a part of it"),
        *_WHEN,
    ),
    "reviews": (
        Field("state", "State", choices=(("open", "open"), ("decided", "decided"))),
        *_WHO,
        Field("reason", "Reason", "a part of it"),
        *_WHEN,
    ),
    "links": (
        Field("state", "State", choices=_LINKS),
        *_WHO,
        Field("reason", "Found by", "email, created, …"),
        *_WHEN,
    ),
}


class BadSearch(ValueError):
    """What was asked for cannot be looked for; the text says why."""


@dataclass(frozen=True, slots=True)
class Search:
    """One search: `given` is what was filled in, as text; `wanted` is what the store is asked."""

    kind: str
    given: Mapping[str, str]
    wanted: Mapping[str, Any]

    def address(self, **changes: Any) -> str:
        """The page's address for this search with some fields changed; None leaves a field out."""
        fields = {**self.given, **{name: str(value) for name, value in changes.items() if value is not None}}
        kept = {name: value for name, value in fields.items() if not (name in changes and changes[name] is None)}
        return f"/status/{self.kind}" + (f"?{urlencode(kept)}" if kept else "")


def fields_of(kind: str, sources: tuple[str, ...]) -> tuple[Field, ...]:
    """The fields of a form, the selection of sources among them."""
    source = Field("source", "Source", choices=tuple((name, name) for name in sources))
    return (FIELDS[kind][0], source, *FIELDS[kind][1:])


def read(kind: str, query: Mapping[str, str], now: float) -> Search:
    """Read a page's query; `now` is Unix time. Raises BadSearch. Fields that nobody knows are left out."""
    names = ["source", *(field.name for field in FIELDS[kind])]
    given = {name: text for name in names if (text := query.get(name, "").strip())}
    for field in fields_of(kind, ()):
        _check(field, given)
    wanted: dict[str, Any] = {_NAMES.get(name, name): text for name, text in given.items() if name not in ("since", "until")}
    for name in ("since", "until"):
        if name in given:
            wanted[name] = _time(given[name], name, now)
    if wanted.get("since", 0.0) >= wanted.get("until", float("inf")):
        raise BadSearch("“Until” is earlier than “Since”.")
    cursor = query.get("cursor", "")
    if cursor:
        if not (cursor.isascii() and cursor.isdigit() and len(cursor) <= 18):
            raise BadSearch("The cursor is not a number.")
        wanted["cursor"] = int(cursor)
    return Search(kind, given, wanted)


def _check(field: Field, given: Mapping[str, str]) -> None:
    text = given.get(field.name, "")
    if len(text) > LONGEST:
        raise BadSearch(f"{field.label}: at most {LONGEST} characters can be looked for.")
    if text and field.choices and text not in {value for value, _ in field.choices}:
        raise BadSearch(f"{field.label}: choose one of {', '.join(value for value, _ in field.choices)}.")


def _time(text: str, name: str, now: float) -> float:
    try:
        return moment(text, name.capitalize(), end=name == "until", now=datetime.fromtimestamp(now, UTC)).timestamp()
    except ValueError as error:
        raise BadSearch(f"{error}.") from None
