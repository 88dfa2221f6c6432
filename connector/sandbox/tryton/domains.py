"""Tryton's domains over the sandbox's records: lists of clauses, nested, with OR in front or AND understood."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

Json = dict[str, Any]
#: What stands in a clause's field: value, or records where the clause goes on inside them.
Field = Callable[[Json, str], Any]

OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "=": lambda there, value: there == value,
    "!=": lambda there, value: there != value,
    "in": lambda there, value: there in value,
    ">": lambda there, value: there is not None and there > value,
    "ilike": lambda there, value: isinstance(there, str) and _pattern(value).fullmatch(there) is not None,
}


def fits(domain: Any, record: Json, field: Field) -> bool:
    """Whether a record meets a domain. Raises KeyError for a field or an operator that does not exist."""
    if isinstance(domain, list) and len(domain) == 3 and isinstance(domain[0], str) and domain[0] not in ("AND", "OR"):
        return _clause(domain, record, field)
    how, *rest = domain if domain and domain[0] in ("AND", "OR") else ["AND", *domain]
    return (any if how == "OR" else all)(fits(part, record, field) for part in rest)


def names(domain: Any) -> set[str]:
    """The fields of the record itself that a domain names."""
    if isinstance(domain, list) and len(domain) == 3 and isinstance(domain[0], str) and domain[0] not in ("AND", "OR"):
        return {domain[0]}
    return {name for part in domain if isinstance(part, list) for name in names(part)}


def _clause(clause: list[Any], record: Json, field: Field) -> bool:
    name, operator, value = clause
    there = field(record, name)
    if operator == "where":
        inner = value if "active" in names(value) else [value, ["active", "=", True]]
        return any(fits(inner, nested, field) for nested in there)
    return OPERATORS[operator](there, value)


def _pattern(value: str) -> re.Pattern[str]:
    parts = {"%": ".*", "_": "."}
    return re.compile("".join(parts.get(one, re.escape(one)) for one in value), re.IGNORECASE | re.DOTALL)
