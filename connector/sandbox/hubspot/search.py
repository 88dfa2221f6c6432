"""The search of the HubSpot sandbox: its limits, its filters, and an index that lags."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from connector.sandbox.hubspot.bodies import Filter, Search
from connector.sandbox.hubspot.model import CONTACT_PROPERTIES, Record, Refusal
from connector.sandbox.hubspot.records import Records

MAX_GROUPS, MAX_FILTERS, MAX_FILTERS_IN_ALL = 5, 6, 18
MAX_LIMIT, MAX_RESULTS, MAX_BODY = 200, 10_000, 3_000


def _equals(stored: str | None, given: Filter) -> bool:
    return stored is not None and stored.casefold() == (given.value or "").casefold()


def _among(stored: str | None, given: Filter) -> bool:
    # Values that are not in lower case match nothing, as in HubSpot.
    return stored is not None and stored.casefold() in given.values


def _holds(stored: str | None, given: Filter) -> bool:
    return (given.value or "").strip("*").casefold() in (stored or "").casefold()


OPERATORS: dict[str, Callable[[str | None, Filter], bool]] = {
    "EQ": _equals,
    "NEQ": lambda stored, given: not _equals(stored, given),
    "IN": _among,
    "NOT_IN": lambda stored, given: not _among(stored, given),
    "HAS_PROPERTY": lambda stored, given: stored is not None,  # noqa: ARG005
    "NOT_HAS_PROPERTY": lambda stored, given: stored is None,  # noqa: ARG005
    "CONTAINS_TOKEN": _holds,
}
#: Operators that take a list of values, and those that take none; that a value is demanded of the others is synthetic.
LISTS, ALONE = {"IN", "NOT_IN"}, {"HAS_PROPERTY", "NOT_HAS_PROPERTY"}


def search(records: Records, query: Search, lag: float) -> dict[str, Any]:
    """Answer a search over contacts as they were `lag` seconds ago; archived ones are never found."""
    groups = _groups(records, query)
    if not 1 <= query.limit <= MAX_LIMIT:
        raise Refusal(400, f"limit is not between 1 and {MAX_LIMIT}", "VALIDATION_ERROR")
    if not (query.after or "0").isdecimal():
        raise Refusal(400, "after comes from an earlier page", "VALIDATION_ERROR")
    after = int(query.after or 0)
    if after + query.limit > MAX_RESULTS:
        raise Refusal(400, f"Search cannot page past {MAX_RESULTS} results", "VALIDATION_ERROR")
    moment = records.clock() - lag
    found = [record for record in records.contacts.values() if not record.archived and _matches(record, groups, moment)]
    page = found[after : after + query.limit]
    answer: dict[str, Any] = {"total": len(found), "results": [_document(r, query.properties, moment) for r in page]}
    if after + query.limit < len(found):
        answer["paging"] = {"next": {"after": str(after + query.limit)}}
    return answer


def _document(record: Record, names: list[str], moment: float) -> dict[str, Any]:
    stale = Record(record.id, record.as_of(moment) or {}, record.created, record.updated)
    return stale.document(names or ["email", "firstname", "lastname"])


def _matches(record: Record, groups: list[list[Filter]], moment: float) -> bool:
    seen = record.as_of(moment)
    if seen is None:
        return False
    return any(all(OPERATORS[f.operator](seen.get(f.propertyName), f) for f in group) for group in groups or [[]])


def _groups(records: Records, query: Search) -> list[list[Filter]]:
    groups = [group.filters for group in query.filterGroups]
    filters = [entry for group in groups for entry in group]
    if len(groups) > MAX_GROUPS or any(len(g) > MAX_FILTERS for g in groups) or len(filters) > MAX_FILTERS_IN_ALL:
        raise Refusal(400, "There are too many filters in this search.", "VALIDATION_ERROR")
    for entry in filters:
        name = entry.propertyName
        if name not in CONTACT_PROPERTIES and name not in records.properties:
            raise Refusal(400, f"There was a problem with the request: no property {name}", "VALIDATION_ERROR")
        if entry.operator not in OPERATORS:
            raise Refusal(400, "Invalid operator", "VALIDATION_ERROR")
        if not (entry.values if entry.operator in LISTS else entry.value or entry.operator in ALONE):
            raise Refusal(400, f"The operator {entry.operator} needs a value", "VALIDATION_ERROR")
    return groups
