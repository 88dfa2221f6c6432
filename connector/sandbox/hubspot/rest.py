"""The REST routes of the HubSpot sandbox: method, path and body in, status and document out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from connector.sandbox.hubspot.model import Record, Refusal
from connector.sandbox.hubspot.records import Records
from connector.sandbox.hubspot.search import search

VERSION = "2026-09"
MAX_BATCH = 100
DEFAULT_PROPERTIES = ("email", "firstname", "lastname")
NO_METHOD = (405, "No such method on this resource.", "METHOD_NOT_ALLOWED")


class Rest:
    """The routes over one account's records; `lag` gives the search index's delay in seconds, `requests` counts."""

    def __init__(self, records: Records, lag: Callable[[], float]) -> None:
        self.records = records
        self.requests: Counter[str] = Counter()
        self._lag = lag

    def answer(self, method: str, path: list[str], query: Mapping[str, str], data: Any) -> tuple[int, Any]:
        """Serve one request; raises `Refusal`."""
        match path:
            case ["crm", "objects", version, "contacts", *rest] if version == VERSION:
                self.requests[f"{method} contacts{_shape(rest)}"] += 1
                return self._contacts(method, rest, query, data)
            case ["crm", "objects", version, "meetings", *rest] if version == VERSION:
                self.requests[f"{method} meetings{_shape(rest)}"] += 1
                return self._meetings(method, rest, query, data)
            case ["crm", "properties", version, "contacts", *rest] if version == VERSION:
                self.requests[f"{method} properties{_shape(rest)}"] += 1
                return self._properties(method, rest, data)
            case ["crm", "owners", version] if version == VERSION and method == "GET":
                self.requests["GET owners"] += 1
                return 200, {"results": self._owners(archived=query.get("archived") == "true")}
        raise Refusal(404, "No such resource in this version of the API.", "OBJECT_NOT_FOUND")

    def _owners(self, *, archived: bool) -> list[dict[str, Any]]:
        records = self.records
        ids = [identity for identity in records.owners if (identity in records.former_owners) == archived]
        return [{"id": one, "email": records.owners[one], "type": "PERSON", "archived": archived} for one in ids]

    def _contacts(  # noqa: PLR0911 - a table of routes
        self, method: str, rest: list[str], query: Mapping[str, str], data: Any
    ) -> tuple[int, Any]:
        records = self.records
        match method, rest:
            case "GET", [identity]:
                return 200, records.contact(identity, query.get("idProperty")).document(_names(query))
            case "POST", []:
                return 201, records.create_contact(given(data)).document()
            case "PATCH", [identity]:
                return 200, records.update_contact(identity, given(data)).document()
            case "DELETE", [identity]:
                records.archive_contact(identity)
                return 204, None
            case "POST", ["search"]:
                return 200, search(records, data, self._lag())
            case "POST", ["merge"]:
                return 200, records.merge(str(data.get("primaryObjectId")), str(data.get("objectIdToMerge"))).document()
            case "POST", ["batch", "read"]:
                return _batch(data, lambda i: records.contact(i, data.get("idProperty")))
            case "GET", [identity, "associations", "meetings"]:
                return 200, _associations(records.meetings_of(identity), query)
        raise Refusal(*NO_METHOD)

    def _meetings(self, method: str, rest: list[str], query: Mapping[str, str], data: Any) -> tuple[int, Any]:
        match method, rest:
            case "GET", [identity]:
                return 200, self.records.meeting(identity).document(_names(query))
            case "POST", []:
                return 201, self.records.create_meeting(given(data), _associated(data)).document()
            case "PATCH", [identity]:
                return 200, self.records.update_meeting(identity, given(data)).document()
            case "POST", ["batch", "read"]:
                return _batch(data, self.records.meeting)
        raise Refusal(*NO_METHOD)

    def _properties(self, method: str, rest: list[str], data: Any) -> tuple[int, Any]:
        match method, rest:
            case "GET", []:
                return 200, {"results": self.records.all_properties()}
            case "GET", [name]:
                return 200, self.records.property(name)
            case "POST", []:
                return 201, self.records.create_property(data)
        raise Refusal(*NO_METHOD)


def _shape(rest: list[str]) -> str:
    """The endpoint without ids, for counting."""
    fixed = {"search", "merge", "batch", "read", "associations", "meetings"}
    return "".join(f"/{part if part in fixed else '{id}'}" for part in rest)


def given(data: Any) -> dict[str, Any]:
    """The properties of a request's body."""
    properties = data.get("properties", {})
    if not isinstance(properties, dict):
        raise Refusal(400, "properties must be an object", "VALIDATION_ERROR")
    return properties


def _names(query: Mapping[str, str]) -> list[str]:
    return [name for name in query.get("properties", "").split(",") if name] or list(DEFAULT_PROPERTIES)


def _associated(data: Any) -> list[str]:
    return [str(association["to"]["id"]) for association in data.get("associations", [])]


def _batch(data: Any, read: Callable[[str], Record]) -> tuple[int, Any]:
    inputs = [str(entry.get("id")) for entry in data.get("inputs", [])]
    if len(inputs) > MAX_BATCH:
        raise Refusal(400, f"The maximum number of inputs is {MAX_BATCH}", "VALIDATION_ERROR")
    found, missing = [], []
    for identity in dict.fromkeys(inputs):
        try:
            found.append(read(identity).document(data.get("properties") or DEFAULT_PROPERTIES))
        except Refusal:
            missing.append(identity)
    answer: dict[str, Any] = {"status": "COMPLETE", "results": found}
    if missing:
        error = {"status": "error", "category": "OBJECT_NOT_FOUND", "context": {"ids": missing}}
        answer |= {"numErrors": 1, "errors": [error]}
    return (207 if missing else 200), answer


def _associations(meetings: list[Record], query: Mapping[str, str]) -> dict[str, Any]:
    limit, after = int(query.get("limit", 500)), int(query.get("after", 0))
    kinds = [{"category": "HUBSPOT_DEFINED", "typeId": 199, "label": None}]
    page = [{"toObjectId": int(meeting.id), "associationTypes": kinds} for meeting in meetings[after : after + limit]]
    answer: dict[str, Any] = {"results": page}
    if after + limit < len(meetings):
        answer["paging"] = {"next": {"after": str(after + limit)}}
    return answer
