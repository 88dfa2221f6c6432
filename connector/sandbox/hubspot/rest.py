"""The REST routes of the HubSpot sandbox: method, path and body in, status and document out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from connector.sandbox.hubspot import bodies
from connector.sandbox.hubspot.model import CONTACT_TO_MEETING, MEETING_TO_CONTACT, Record, Refusal, iso
from connector.sandbox.hubspot.records import Records
from connector.sandbox.hubspot.search import search

VERSION = "2026-09"
#: The properties of an answer to a request that names none, next to the dates.
DEFAULT_PROPERTIES = ("email", "firstname", "lastname")
NO_METHOD = (405, "No such method on this resource.", "METHOD_NOT_ALLOWED")
MAX_PAGE = 500


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
                found = self.records.owners_list(archived=query.get("archived") == "true")
                return 200, _page(found, query)
        raise Refusal(404, "No such resource in this version of the API.", "OBJECT_NOT_FOUND")

    def _contacts(  # noqa: PLR0911 - a table of routes
        self, method: str, rest: list[str], query: Mapping[str, str], data: Any
    ) -> tuple[int, Any]:
        records = self.records
        match method, rest:
            case "POST", []:
                return 201, records.create_contact(_new(data, None).properties).document()
            case "POST", ["search"]:
                return 200, search(records, bodies.read(bodies.Search, data), self._lag())
            case "POST", ["merge"]:
                pair = bodies.read(bodies.Merge, data)
                return 200, records.merge(pair.primaryObjectId, pair.objectIdToMerge).document()
            case "POST", ["gdpr-delete"]:
                one = bodies.read(bodies.PrivacyDelete, data)
                records.delete_for_privacy(one.objectId, one.idProperty)
                return 204, None
            case "POST", ["batch", "read"]:
                return self._batch(data, records.contact, DEFAULT_PROPERTIES)
            case "GET", [identity]:
                return 200, records.contact(identity, query.get("idProperty")).document(_names(query, DEFAULT_PROPERTIES))
            case "PATCH", [identity]:
                return 200, records.update_contact(identity, bodies.read(bodies.Update, data).properties).document()
            case "DELETE", [identity]:
                records.archive_contact(identity)
                return 204, None
            case "GET", [identity, "associations", "meetings"]:
                kinds = [{"category": "HUBSPOT_DEFINED", "typeId": CONTACT_TO_MEETING, "label": None}]
                found = [{"toObjectId": meeting.id, "associationTypes": kinds} for meeting in records.meetings_of(identity)]
                return 200, _page(found, query)
        raise Refusal(*NO_METHOD)

    def _meetings(self, method: str, rest: list[str], query: Mapping[str, str], data: Any) -> tuple[int, Any]:
        match method, rest:
            case "POST", []:
                new = _new(data, MEETING_TO_CONTACT)
                return 201, self.records.create_meeting(new.properties, [a.to.id for a in new.associations]).document()
            case "POST", ["batch", "read"]:
                return self._batch(data, lambda identity, _: self.records.meeting(identity), ())
            case "GET", [identity]:
                return 200, self.records.meeting(identity).document(_names(query, ()))
            case "PATCH", [identity]:
                return 200, self.records.update_meeting(identity, bodies.read(bodies.Update, data).properties).document()
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

    def _batch(
        self, data: Any, read: Callable[[str, str | None], Record], default: tuple[str, ...]
    ) -> tuple[int, dict[str, Any]]:
        asked = bodies.read(bodies.BatchRead, data)
        if len(asked.inputs) > bodies.MAX_BATCH:
            raise Refusal(400, f"The maximum number of inputs is {bodies.MAX_BATCH}", "VALIDATION_ERROR")
        found, missing = [], []
        for identity in dict.fromkeys(one.id for one in asked.inputs):
            try:
                found.append(read(identity, asked.idProperty).document(asked.properties or default))
            except Refusal as refusal:
                if refusal.status != 404:
                    raise
                missing.append(identity)
        now = iso(self.records.now())
        answer: dict[str, Any] = {"status": "COMPLETE", "results": found, "startedAt": now, "completedAt": now}
        if not missing:
            return 200, answer
        error = {**Refusal(404, "Could not get some objects", "OBJECT_NOT_FOUND").body, "context": {"ids": missing}}
        return 207, answer | {"numErrors": 1, "errors": [error]}


def _shape(rest: list[str]) -> str:
    """The endpoint without ids, for counting."""
    fixed = {"search", "merge", "gdpr-delete", "batch", "read", "associations", "meetings"}
    return "".join(f"/{part if part in fixed else '{id}'}" for part in rest)


def _new(data: Any, kind: int | None) -> bodies.Create:
    """A new record; its associations must all be of this kind (None: of no kind, which is synthetic)."""
    new = bodies.read(bodies.Create, data)
    for association in new.associations:
        if [(one.associationCategory, one.associationTypeId) for one in association.types] != [("HUBSPOT_DEFINED", kind)]:
            raise Refusal(400, "No such association type between these objects", "VALIDATION_ERROR")
    return new


def _names(query: Mapping[str, str], default: tuple[str, ...]) -> list[str]:
    return [name for name in query.get("properties", "").split(",") if name] or list(default)


def _page(found: list[dict[str, Any]], query: Mapping[str, str]) -> dict[str, Any]:
    """One page of results, and where the next one begins."""
    limit, after = (query.get(key, default) for key, default in (("limit", str(MAX_PAGE)), ("after", "0")))
    if not (limit.isdecimal() and after.isdecimal() and 1 <= int(limit) <= MAX_PAGE):
        raise Refusal(400, f"limit is a number up to {MAX_PAGE}, and after comes from an earlier page", "VALIDATION_ERROR")
    end = int(after) + int(limit)
    more = {"paging": {"next": {"after": str(end)}}} if end < len(found) else {}
    return {"results": found[int(after) : end], **more}
