"""A customer's further fields, the same for every CRM: what the live schema says, and what is written of it. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from difflib import get_close_matches
from enum import Enum
from typing import Any

from connector.model.dates import moment_of
from connector.model.fields import TIMES, FieldRule, FieldValue, Value
from connector.model.persons import Customer
from connector.remote.values import clean, read_time


class Kind(Enum):
    """What a field takes, as our error texts say it."""

    TEXT = "one line of text"
    LINES = "lines of text"
    NUMBER = "a number"
    WHOLE = "a whole number"
    YES_NO = "true or false"
    DATE = "a date"
    TIME = "a date and time"
    OPTION = "one of its options"
    OPTIONS = "some of its options"
    USER = "a user of the CRM"
    OTHER = "something that connector does not write"


@dataclass(frozen=True, slots=True)
class Field:
    """A field as the CRM describes it. `length` is in characters; `options` are value → label.

    `blank` is what stands there while nobody has set it, where the CRM has no empty value.
    """

    name: str
    kind: Kind
    label: str = ""
    writable: bool = True
    length: int | None = None
    options: Mapping[str, str] = field(default_factory=dict)
    blank: Value | None = None


@dataclass(frozen=True, slots=True)
class Changes:
    """What is to be written, typed, by the CRM's name of the field; and why other values are not."""

    values: dict[str, Value] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)


class Unfit(Exception):
    """A value that a field does not take; the text says why and never holds the value."""


def fitted(about: Field, value: Any) -> Value:
    """The value as the field takes it; raises Unfit. What the CRM answers for the field is read in the same way."""
    match about.kind:
        case Kind.TEXT | Kind.LINES:
            return _text(value)[: about.length]
        case Kind.NUMBER | Kind.WHOLE:
            return _number(value, whole=about.kind is Kind.WHOLE)
        case Kind.YES_NO:
            return _yes_no(value)
        case Kind.DATE:
            return _day(value)
        case Kind.TIME:
            return _moment(value)
        case Kind.OPTION | Kind.OPTIONS | Kind.USER:
            return _chosen(about, value)
        case Kind.OTHER:
            raise Unfit(f"it takes {about.kind.value}")


def _text(value: Any) -> str:
    if isinstance(value, datetime):
        return moment_of(value.timestamp())
    return str(value).lower() if isinstance(value, bool) else str(value).strip()


def _number(value: Any, *, whole: bool) -> int | float:
    try:
        number = math.nan if isinstance(value, bool | date) else float(value)
    except ValueError:
        number = math.nan
    if not math.isfinite(number) or (whole and not number.is_integer()):
        raise Unfit(f"the value is not {(Kind.WHOLE if whole else Kind.NUMBER).value}")
    return int(number) if number.is_integer() else number


def _yes_no(value: Any) -> bool:
    known = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
    if (found := known.get(str(value).strip().lower())) is None:
        raise Unfit("the value is not true or false")
    return found


def _day(value: Any) -> date:
    if isinstance(value, datetime):
        return value.astimezone(UTC).date()
    try:
        return value if isinstance(value, date) else date.fromisoformat(str(value)[:10])
    except ValueError:
        raise Unfit("the value is not a date") from None


def _moment(value: Any) -> datetime:
    found = value if isinstance(value, datetime) else read_time(value)
    if found is None:
        raise Unfit("the value is not a date and time")
    return found.astimezone(UTC).replace(microsecond=0)


def _option(about: Field, value: Any) -> str:
    text = _text(value)
    if text in about.options:
        return text
    same = [option for option, label in about.options.items() if text.casefold() in (label.casefold(), option.casefold())]
    if not same:
        raise Unfit("the value is none of its options")
    return same[0]


def _chosen(about: Field, value: Any) -> Value:
    if about.kind is Kind.OPTIONS:
        return _options(about, value)
    if about.kind is Kind.OPTION:
        return _option(about, value)
    try:
        return _option(about, value)
    except Unfit:
        raise Unfit("no active user of the CRM has this e-mail address or id") from None


def is_user(about: Field, user: str) -> bool:
    """Whether the owner's field has this user, by e-mail address or id."""
    try:
        return bool(fitted(about, user))
    except Unfit:
        return False


def _options(about: Field, value: Any) -> tuple[str, ...]:
    """Several options, in the CRM's order; as text they stand between semicolons."""
    given = [*value] if isinstance(value, tuple | list) else [value]
    try:
        chosen = {_option(about, one) for one in given}
    except Unfit:
        parts = [part for one in given for part in _text(one).split(";") if part.strip()]
        chosen = {_option(about, part) for part in parts}
    return tuple(option for option in about.options if option in chosen)


def kept(record: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    """What stands in those of the fields that the record has: text trimmed and never cut, everything else as it is."""
    found = {name: record[name] for name in names if name in record}
    return {name: clean(value).strip() if isinstance(value, str) else value for name, value in found.items()}


def plan(known: Mapping[str, Field], wanted: Sequence[FieldValue], customer: Customer | None) -> Changes:
    """What has to be written to a customer as it was read a moment ago; None: to one who is made."""
    found = Changes()
    for one in wanted:
        about = known.get(one.name)
        try:
            if about is None:
                raise Unfit("the CRM has no such field")
            if not about.writable:
                raise Unfit("it cannot be written")
            value = fitted(about, one.value)
            new = value if customer is None else _beside(about, one, value, customer)
        except Unfit as error:
            found.left_out[one.name] = str(error)
        else:
            if new is not None:
                found.values[one.name] = new
    return found


def _beside(about: Field, one: FieldValue, value: Value, customer: Customer) -> Value | None:
    """The value as it has to be written beside what is there; None: nothing has to be.

    A field that was not read, perhaps because the CRM had no such field a moment ago, is left alone: it may not be empty.
    """
    if one.name not in customer.properties:
        return None
    there = customer.properties.get(one.name)
    empty = there in (None, "", [], ()) or (about.blank is not None and there == about.blank)
    if one.name in customer.refused or one.mode == "on_create":
        return None
    if one.mode == "if_empty" and not empty:
        return None
    if one.mode in ("if_empty", "overwrite"):
        return None if there not in (None, "", [], ()) and _same(about, there, value) else value
    if isinstance(value, tuple):
        return _further(about, [] if empty else there, value)
    return value if empty else _appended(about, str(there), str(value))


def _same(about: Field, there: Any, value: Value) -> bool:
    try:
        return fitted(about, there) == value
    except Unfit:
        return False


def _appended(about: Field, there: str, line: str) -> str | None:
    """The text with a further line; None where the line is in it, so that a retry adds nothing."""
    if line in (present.strip() for present in there.splitlines()):
        return None
    text = f"{there.rstrip()}\n{line}"
    if about.length is not None and len(text) > about.length:
        raise Unfit("there is no room for a further line")
    return text


def _further(about: Field, there: Any, value: tuple[str, ...]) -> tuple[str, ...] | None:
    """What is chosen already with further options; None where they are among it."""
    chosen = _options(about, there)
    return None if set(value) <= set(chosen) else _options(about, (*chosen, *value))


def fault(rule: FieldRule, known: Mapping[str, Field]) -> str | None:
    """What is wrong with a rule, compared with the live schema; None when nothing is."""
    about = known.get(rule.name)
    if about is None:
        labels = {one.label.casefold(): one.name for one in known.values() if one.label}
        near = get_close_matches(rule.name.casefold(), [*(name.casefold() for name in known), *labels], n=1)
        names = {name.casefold(): name for name in known}
        hint = f'; did you mean "{labels.get(near[0]) or names[near[0]]}"?' if near else ""
        return f"there is no field {rule.name}{hint}"
    if not about.writable:
        return f"the field {rule.name} cannot be written"
    if rule.mode == "append" and about.kind not in (Kind.LINES, Kind.OPTIONS):
        return f"the field {rule.name} takes {about.kind.value}; append is for lines of text and for several options"
    return _misfit(rule, about)


def _misfit(rule: FieldRule, about: Field) -> str | None:
    """Whether the rule's kind of value fits: a constant itself, a source by its type."""
    takes = f"the field {rule.name} takes {about.kind.value}"
    if rule.source is None:
        try:
            fitted(about, rule.value)
        except Unfit:
            near = get_close_matches(str(rule.value), [*about.options, *about.options.values()], n=1, cutoff=0.5)
            return takes + (f'; did you mean "{near[0]}"?' if near else "")
        long = isinstance(rule.value, str) and about.length is not None and len(rule.value) > about.length
        return f"the field {rule.name} takes at most {about.length} characters" if long else None
    texts, times = (Kind.TEXT, Kind.LINES), (Kind.DATE, Kind.TIME)
    fits = (*texts, *times) if rule.source in TIMES else (*texts, Kind.OPTION, Kind.OPTIONS, Kind.USER)
    # An id may be a number.
    ids = (Kind.NUMBER, Kind.WHOLE) if rule.source.endswith(".id") else ()
    return (
        None if about.kind in (*fits, *ids) else f"{takes}, and {rule.source} is {'a time' if rule.source in TIMES else 'text'}"
    )
