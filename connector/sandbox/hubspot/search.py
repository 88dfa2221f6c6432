"""The search of the HubSpot sandbox: its limits, its filters, and an index that lags."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from connector.sandbox.hubspot.model import CONTACT_PROPERTIES, Record, Refusal
from connector.sandbox.hubspot.records import Records

MAX_GROUPS, MAX_FILTERS, MAX_FILTERS_IN_ALL = 5, 6, 18
MAX_LIMIT, MAX_RESULTS, MAX_BODY = 200, 10_000, 3_000


def _equals(stored: str | None, given: Mapping[str, Any]) -> bool:
    return stored is not None and stored.casefold() == str(given.get("value", "")).casefold()


def _among(stored: str | None, given: Mapping[str, Any]) -> bool:
    # Values that are not in lower case match nothing, as in HubSpot.
    return stored is not None and stored.casefold() in [str(value) for value in given.get("values", [])]


def _holds(stored: str | None, given: Mapping[str, Any]) -> bool:
    return str(given.get("value", "")).strip("*").casefold() in (stored or "").casefold()


OPERATORS: dict[str, Callable[[str | None, Mapping[str, Any]], bool]] = {
    "EQ": _equals,
    "NEQ": lambda stored, given: not _equals(stored, given),
    "IN": _among,
    "NOT_IN": lambda stored, given: not _among(stored, given),
    "HAS_PROPERTY": lambda stored, given: stored is not None,  # noqa: ARG005
    "NOT_HAS_PROPERTY": lambda stored, given: stored is None,  # noqa: ARG005
    "CONTAINS_TOKEN": _holds,
}


def search(records: Records, query: Mapping[str, Any], lag: float) -> dict[str, Any]:
    """Answer a search over contacts as they were `lag` seconds ago; archived ones are never found."""
    groups = _groups(records, query)
    limit, after = _number(query, "limit", 10), _number(query, "after", 0)
    if limit > MAX_LIMIT:
        raise Refusal(400, f"limit is over {MAX_LIMIT}", "VALIDATION_ERROR")
    if after + limit > MAX_RESULTS:
        raise Refusal(400, f"Search cannot page past {MAX_RESULTS} results", "VALIDATION_ERROR")
    moment = records.clock() - lag
    found = [record for record in records.contacts.values() if not record.archived and _matches(record, groups, moment)]
    page = found[after : after + limit]
    answer: dict[str, Any] = {"total": len(found), "results": [_document(r, query.get("properties"), moment) for r in page]}
    if after + limit < len(found):
        answer["paging"] = {"next": {"after": str(after + limit)}}
    return answer


def _document(record: Record, names: Any, moment: float) -> dict[str, Any]:
    stale = Record(record.id, record.as_of(moment) or {}, record.created, record.updated)
    return stale.document(names or ["email", "firstname", "lastname"])


def _matches(record: Record, groups: list[list[Mapping[str, Any]]], moment: float) -> bool:
    seen = record.as_of(moment)
    if seen is None:
        return False
    return any(all(OPERATORS[f["operator"]](seen.get(f["propertyName"]), f) for f in group) for group in groups or [[]])


def _groups(records: Records, query: Mapping[str, Any]) -> list[list[Mapping[str, Any]]]:
    groups = [list(group.get("filters", [])) for group in query.get("filterGroups", [])]
    filters = [entry for group in groups for entry in group]
    if len(groups) > MAX_GROUPS or any(len(g) > MAX_FILTERS for g in groups) or len(filters) > MAX_FILTERS_IN_ALL:
        raise Refusal(400, "There are too many filters in this search.", "VALIDATION_ERROR")
    for entry in filters:
        name = entry.get("propertyName")
        if name not in CONTACT_PROPERTIES and name not in records.properties:
            raise Refusal(400, f"There was a problem with the request: no property {name}", "VALIDATION_ERROR")
        if entry.get("operator") not in OPERATORS:
            raise Refusal(400, "Invalid operator", "VALIDATION_ERROR")
    return groups


def _number(query: Mapping[str, Any], key: str, default: int) -> int:
    try:
        return max(0, int(query.get(key) or default))
    except (TypeError, ValueError):
        raise Refusal(400, f"{key} must be a number", "VALIDATION_ERROR") from None
