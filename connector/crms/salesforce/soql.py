"""Queries as text. Values are put in by `literal` and nothing else, so that no value can become part of the query."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

#: Letters that have an escape of their own (Salesforce's page on quoted strings).
_ESCAPES = {"\\": "\\\\", "'": "\\'", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t", "\b": "\\b", "\f": "\\f"}
_SPECIAL = re.compile("[" + re.escape("".join(_ESCAPES)) + "]")


def literal(value: str) -> str:
    """The value as a quoted SOQL string."""
    return f"'{_SPECIAL.sub(lambda found: _ESCAPES[found[0]], value)}'"


def select(fields: Iterable[str], kind: str, where: str, tail: str = "") -> str:
    """A query of one object."""
    return f"SELECT {', '.join(fields)} FROM {kind} WHERE {where}{tail}"


def equals(field: str, value: str) -> str:
    """A field that has this value; Salesforce compares text without regard to case."""
    return f"{field} = {literal(value)}"


def among(field: str, values: Sequence[str]) -> str:
    """A field that has one of these values."""
    return f"{field} IN ({', '.join(literal(value) for value in values)})"


def digits(fields: Iterable[str], number: str) -> str:
    """Any of the fields holds these digits in this order, whatever stands between them; compare exactly afterwards."""
    pattern = "'%" + "%".join(re.sub(r"[^0-9]", "", number)) + "%'"
    return "(" + " OR ".join(f"{field} LIKE {pattern}" for field in fields) + ")"
