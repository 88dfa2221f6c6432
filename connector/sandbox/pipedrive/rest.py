"""The REST routes of the Pipedrive sandbox: method, path and body in, status and document out."""

from __future__ import annotations

import base64
import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from connector.sandbox.pipedrive.model import Refusal, seconds
from connector.sandbox.pipedrive.records import Records

PAGE, LARGEST_PAGE = 100, 500
MAX_IDS, MAX_FIELDS = 100, 15
NAMED = {"search", "merge", "me", "token"}
Query = Mapping[str, str]


class Rest:
    """The routes over one company's records; `lag` gives the search index's delay in seconds, `requests` counts."""

    def __init__(self, records: Records, lag: Callable[[], float]) -> None:
        self.records = records
        self.requests: Counter[str] = Counter()
        self._lag = lag

    def answer(self, method: str, version: str, path: list[str], query: Query, data: dict[str, Any]) -> dict[str, Any]:
        """Serve one request; raises `Refusal`."""
        name = "/".join(part if not index or part in NAMED else "{id}" for index, part in enumerate(path))
        self.requests[f"{method} {name}"] += 1
        match version, path:
            case "v2", ["persons", *rest]:
                return self._persons(method, rest, query, data)
            case "v2", ["activities", *rest]:
                return self._activities(method, rest, query, data)
            case "v2", ["personFields", *rest]:
                return self._fields(method, rest, query, data)
            case "v1", _:
                return self._older(method, path, data)
        raise Refusal(404, "Unknown method .")

    def _older(self, method: str, path: list[str], data: dict[str, Any]) -> dict[str, Any]:
        """What only version 1 has."""
        match path:
            case ["persons", identity, "merge"] if method == "PUT":
                return _one({"id": self.records.merge(_id(identity), int(data["merge_with_id"])).id})
            case ["users", "me"] if method == "GET":
                return _one({"id": 1, "name": "Sandbox", "company_id": 1, "timezone_name": "UTC"})
            case ["users"] if method == "GET":
                users = self.records.users.items()
                return {"success": True, "data": [{"id": n, "email": e, "active_flag": active} for n, (e, active) in users]}
            case ["activityTypes"] if method == "GET":
                types = enumerate(self.records.activity_types, 1)
                return {"success": True, "data": [{"id": n, "key_string": key, "active_flag": True} for n, key in types]}
        raise Refusal(404, "Unknown method .")

    def _persons(self, method: str, rest: list[str], query: Query, data: dict[str, Any]) -> dict[str, Any]:
        records = self.records
        match method, rest:
            case "GET", []:
                found = records.updated_since(seconds(query["updated_since"]) if "updated_since" in query else None)
                if (ids := _ids(query)) is not None:
                    found = [person for person in found if person.id in ids]
                return _page([person.document(_codes(query)) for person in _sorted(found, query)], query)
            case "GET", ["search"]:
                return self._search(query)
            case "GET", [identity]:
                return _one(records.person(_id(identity)).document(_codes(query)))
            case "POST", []:
                return _one(records.create_person(data).document())
            case "PATCH", [identity]:
                return _one(records.update_person(_id(identity), data).document())
            case "DELETE", [identity]:
                return _one({"id": records.delete_person(_id(identity)).id})
        raise Refusal(404, "Unknown method .")

    def _search(self, query: Query) -> dict[str, Any]:
        exact = query.get("exact_match") == "true"
        term, fields = query.get("term", ""), query.get("fields", "name,email,phone,custom_fields").split(",")
        if len(term) < (1 if exact else 2):
            raise Refusal(400, "Validation failed: term: too short")
        items = [
            {
                "result_score": 0.5,
                "item": {
                    "id": person.id,
                    "type": "person",
                    "name": data["name"],
                    "phones": [entry["value"] for entry in data.get("phones", [])],
                    "emails": [entry["value"] for entry in data.get("emails", [])],
                    "visible_to": 3,
                    "custom_fields": [str(value) for value in data.get("custom_fields", {}).values() if value],
                    "notes": [],
                },
            }
            for person, data in self.records.search(term, fields, exact=exact, lag=self._lag())
        ]
        page = _page(items, query)
        return {**page, "data": {"items": page["data"]}}

    def _activities(self, method: str, rest: list[str], query: Query, data: dict[str, Any]) -> dict[str, Any]:
        records = self.records
        match method, rest:
            case "GET", []:
                seen = records.clock() - records.rules.list_lag_seconds
                found = [one for one in records.activities.values() if not one.is_deleted and one.added <= seen]
                if "person_id" in query:
                    found = [activity for activity in found if activity.person == _id(query["person_id"])]
                return _page([activity.document() for activity in _sorted(found, query)], query)
            case "GET", [identity]:
                return _one(records.activity(_id(identity)).document())
            case "POST", []:
                return _one(records.create_activity(data).document())
            case "PATCH", [identity]:
                return _one(records.update_activity(_id(identity), data).document())
            case "DELETE", [identity]:
                return _one({"id": records.delete_activity(_id(identity)).id})
        raise Refusal(404, "Unknown method .")

    def _fields(self, method: str, rest: list[str], query: Query, data: dict[str, Any]) -> dict[str, Any]:
        match method, rest:
            case "GET", []:
                always = {"options": None, "subfields": None, "is_custom_field": False, "is_optional_response_field": False}
                built_in = [
                    {"field_name": name, "field_code": name.lower(), "field_type": kind, **always}
                    for name, kind in (("Name", "varchar"), ("Phone", "phone"), ("Email", "varchar"), ("Org", "org"))
                ]
                return _page([*built_in, *self.records.fields.values()], query)
            case "GET", [code]:
                return _one(self.records.field(code))
            case "POST", []:
                return _one(self.records.create_field(data))
        raise Refusal(404, "Unknown method .")


def _one(data: dict[str, Any]) -> dict[str, Any]:
    return {"success": True, "data": data}


def _id(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise Refusal(400, "Validation failed: id: Expected number")
    return int(text)


def _ids(query: Query) -> set[int] | None:
    if "ids" not in query:
        return None
    ids = {_id(text) for text in query["ids"].split(",")}
    if len(ids) > MAX_IDS:
        raise Refusal(400, "Validation failed: ids: too many")
    return ids


def _codes(query: Query) -> list[str] | None:
    codes = query["custom_fields"].split(",") if query.get("custom_fields") else None
    if codes is not None and len(codes) > MAX_FIELDS:
        raise Refusal(400, "Validation failed: custom_fields: too many")
    return codes


def _sorted(found: Sequence[Any], query: Query) -> list[Any]:
    keys = {
        "id": lambda one: one.id,
        "update_time": lambda one: (one.updated, one.id),
        "add_time": lambda one: (one.added, one.id),
    }
    by = query.get("sort_by", "id")
    if by not in keys:
        raise Refusal(400, "Validation failed: sort_by")
    return sorted(found, key=keys[by], reverse=query.get("sort_direction") == "desc")


def _page(found: list[dict[str, Any]], query: Query) -> dict[str, Any]:
    """One page; the cursor is opaque to the caller."""
    limit = int(query.get("limit", PAGE))
    if not 0 < limit <= LARGEST_PAGE:
        raise Refusal(400, "Validation failed: limit")
    try:
        start = json.loads(base64.urlsafe_b64decode(query["cursor"]))["start"] if query.get("cursor") else 0
    except (ValueError, KeyError, TypeError):
        raise Refusal(400, "Validation failed: cursor") from None
    more = start + limit < len(found)
    cursor = base64.urlsafe_b64encode(json.dumps({"start": start + limit}).encode()).decode() if more else None
    return {"success": True, "data": found[start : start + limit], "additional_data": {"next_cursor": cursor}}
