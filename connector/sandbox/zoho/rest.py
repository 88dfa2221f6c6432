"""The REST routes of the Zoho CRM sandbox: method, path and body in, status and document out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from connector.sandbox.zoho.coql import Query
from connector.sandbox.zoho.model import FIELDS, ItemRefusal, Json, Record, Refusal
from connector.sandbox.zoho.records import Records

VERSION = "v8"
MAX_RECORDS = 100


class Rest:
    """The routes over one account's records; `lag` gives the search index's delay in seconds, `requests` counts."""

    def __init__(self, records: Records, lag: Callable[[], float]) -> None:
        self.records = records
        self.requests: Counter[str] = Counter()
        self._lag = lag

    def answer(self, method: str, path: list[str], query: Mapping[str, str], data: Any) -> tuple[int, Any]:
        """Serve one request; raises `Refusal`."""
        match method, path:
            case "POST", ["crm", version, "coql"] if version == VERSION:
                self.requests["POST coql"] += 1
                return Query(str(data.get("select_query")), self.records).run()
            case "GET", ["crm", version, "users"] if version == VERSION:
                self.requests["GET users"] += 1
                active = [{"id": one, "email": email} for one, (email, works) in self.records.users.items() if works]
                return (200, {"users": active, "info": {"more_records": False}}) if active else (204, None)
            case _, ["crm", version, "settings", "fields"] if version == VERSION:
                self.requests[f"{method} fields"] += 1
                return self._fields(method, query.get("module", ""), data)
            case _, ["crm", version, module, *rest] if version == VERSION:
                self.records.module(module)
                shape = rest[0] if rest in (["upsert"], ["search"]) else "{id}" if rest else ""
                self.requests[f"{method} {'/'.join(part for part in (module, shape) if part)}"] += 1
                return self._records(method, module, rest, query, data)
        raise Refusal(404, "INVALID_URL_PATTERN", "Please check if the URL trying to access is a correct one")

    def _fields(self, method: str, module: str, data: Any) -> tuple[int, Any]:
        self.records.module(module)
        if method == "GET":
            return 200, {"fields": self.records.list_fields(module)}
        if method != "POST":
            raise Refusal(400, "INVALID_REQUEST_METHOD", "The http request method type is not a valid one")
        results, failed = [], 0
        for definition in data["fields"]:
            try:
                results.append(self.records.create_field(module, definition))
            except ItemRefusal as refusal:
                results.append(refusal.item)
                failed += 1
        return 400 if failed == len(results) else 207 if failed else 201, {"fields": results}

    def _records(self, method: str, module: str, rest: list[str], query: Mapping[str, str], data: Any) -> tuple[int, Any]:
        match method, rest:
            case "GET", ["search"]:
                return self._search(module, query)
            case "GET", [identity]:
                return self._read(module, identity, query)
            case "PUT", [identity]:
                return self._each(data, 200, lambda given: self._updated(module, identity, given))
            case "POST", []:
                return self._each(data, 201, lambda given: self.records.insert(module, given).result("record added"))
            case "POST", ["upsert"] if module != "Events":
                check = data.get("duplicate_check_fields") or ["Email"]
                return self._each(data, 200, lambda given: self.records.upsert(given, check))
        raise Refusal(400, "INVALID_REQUEST_METHOD", "The http request method type is not a valid one")

    def _updated(self, module: str, identity: str, given: Json) -> Json:
        return self.records.update(module, identity, given).result("record updated")

    def _each(self, data: Any, done: int, write: Callable[[Json], Json]) -> tuple[int, Any]:
        """Write the records one by one; the answer has one result for each, in their order."""
        given = data.get("data")
        if not isinstance(given, list) or not 1 <= len(given) <= MAX_RECORDS:
            raise Refusal(400, "MANDATORY_NOT_FOUND", "required field not found", api_name="data", json_path="$.data")
        results, failed = [], 0
        for record in given:
            try:
                results.append(write(record))
            except ItemRefusal as refusal:
                results.append(refusal.item)
                failed += 1
        status = self.records.rules.item_failure if failed == len(results) else 207 if failed else done
        return status, {"data": results}

    def _read(self, module: str, identity: str, query: Mapping[str, str]) -> tuple[int, Any]:
        record = self.records.find(module, identity)
        if record is not None:
            return 200, {"data": [record.document(_names(query) or FIELDS[module])]}
        if self.records.rules.absent == 204:
            return 204, None
        raise Refusal(self.records.rules.absent, "INVALID_DATA", "the id given seems to be invalid", resource_path_index=1)

    def _search(self, module: str, query: Mapping[str, str]) -> tuple[int, Any]:
        """Search by e-mail or phone, in an index that lags."""
        names = {"email": ("Email", "Secondary_Email"), "phone": ("Phone", "Mobile", "Home_Phone", "Other_Phone")}
        by = next((key for key in names if key in query), None)
        if by is None:
            raise Refusal(400, "REQUIRED_PARAM_MISSING", "One of the expected parameter is missing", param_name="email")
        moment = self.records.clock() - self._lag()

        def fits(record: Record) -> bool:
            seen = record.as_of(moment)
            return any(str(seen.get(name) or "").casefold() == query[by].casefold() for name in names[by])

        found = [r.document(_names(query) or FIELDS[module]) for r in self.records.module(module).values() if fits(r)]
        info = {"per_page": 200, "count": len(found), "page": 1, "more_records": False}
        return (200, {"data": found, "info": info}) if found else (204, None)


def _names(query: Mapping[str, str]) -> list[str]:
    return [name for name in query.get("fields", "").split(",") if name]
