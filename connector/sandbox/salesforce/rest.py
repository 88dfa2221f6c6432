"""The REST routes of the Salesforce sandbox: method, path and body in, status and document out."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Mapping
from typing import Any

from connector.sandbox.salesforce.describe import describe
from connector.sandbox.salesforce.model import API_VERSION, DATA, Record, Refusal, new_id
from connector.sandbox.salesforce.records import Records

ALLOW_SAVE = "sforce-duplicate-rule-header"
WRITABLE = {"Contact", "Event"}


class Rest:
    """The routes over one organisation's rows; `requests` counts them by endpoint."""

    def __init__(self, records: Records) -> None:
        self.records = records
        self.requests: Counter[str] = Counter()
        #: Rights on an object that the integration user lacks, such as {"Contact": {"createable"}}.
        self.denied: dict[str, set[str]] = {}
        #: False: the user may not make fields.
        self.may_customize = True
        self._pages: dict[str, tuple[list[Record], list[str]]] = {}
        self._cursors = itertools.count(1)

    async def answer(
        self, method: str, path: list[str], query: Mapping[str, str], headers: Mapping[str, str], data: Any
    ) -> tuple[int, Any]:
        """Serve one request; raises `Refusal`."""
        match path:
            case ["services", "data", version, *rest] if version == f"v{API_VERSION}":
                return await self._data(method, rest, query, headers, data)
            case ["services", "data", *_]:
                raise Refusal(404, "NOT_FOUND", "The requested resource does not exist")
        raise Refusal(404, "NOT_FOUND", "The requested resource does not exist")

    async def _data(
        self, method: str, path: list[str], query: Mapping[str, str], headers: Mapping[str, str], data: Any
    ) -> tuple[int, Any]:
        match method, path:
            case "GET", ["query" | "queryAll" as kind]:
                self.requests[f"GET {kind}"] += 1
                return 200, self._page(*self.records.query(query.get("q", ""), deleted=kind == "queryAll"))
            case "GET", ["query", locator]:
                self.requests["GET query/{locator}"] += 1
                return 200, self._next(locator)
            case "POST", ["tooling", "sobjects", "CustomField"]:
                self.requests["POST CustomField"] += 1
                return 201, self._make_field(data)
            case _, ["sobjects", kind, *rest]:
                return await self._sobjects(method, kind, rest, headers, data)
        raise Refusal(404, "NOT_FOUND", "The requested resource does not exist")

    async def _sobjects(
        self, method: str, kind: str, rest: list[str], headers: Mapping[str, str], data: Any
    ) -> tuple[int, Any]:
        self.requests[f"{method} {kind}{_shape(rest)}"] += 1
        match method, rest:
            case "GET", ["describe"]:
                return 200, describe(self.records, kind, self.denied.get(kind, set()))
            case "POST", [] if kind == "FieldPermissions":
                self.records.permit(data)
                return 201, {"id": self.records.create(kind, data).id, "success": True, "errors": []}
            case "PATCH", [identity] if kind == "FieldPermissions":
                self.records.permit(self.records.update(kind, identity, data).fields)
                return 204, None
            case "POST", [] if kind in WRITABLE:
                self._may(kind, "createable")
                row = self.records.create(kind, data, allow_save=_allows(headers))
                return 201, {"id": row.id, "success": True, "errors": []}
            case "PATCH", [identity] if kind in WRITABLE:
                self._may(kind, "updateable")
                self.records.update(kind, identity, data)
                return 204, None
            case "PATCH", [name, value] if kind == "Contact":
                return await self._upsert(name, value, data, allow_save=_allows(headers))
        raise Refusal(405, "METHOD_NOT_ALLOWED", f"HTTP Method '{method}' not allowed. Allowed are HEAD,GET,POST")

    async def _upsert(self, name: str, value: str, data: Any, *, allow_save: bool) -> tuple[int, Any]:
        self._may("Contact", "createable")
        row, created = await self.records.upsert(name, value, data, allow_save=allow_save)
        if not created and self.records.rules.upsert_answer == 204:
            return 204, None
        return (201 if created else 200), {"id": row.id, "success": True, "errors": [], "created": created}

    def _may(self, kind: str, right: str) -> None:
        if right in self.denied.get(kind, ()):
            text = "insufficient access rights on cross-reference id"
            raise Refusal(403, "INSUFFICIENT_ACCESS_OR_READONLY", text, [])

    def _make_field(self, data: Any) -> dict[str, Any]:
        if not self.may_customize:
            raise Refusal(403, "INSUFFICIENT_ACCESS", "insufficient access rights")
        identity = self.records.create_field(str(data.get("FullName")), data.get("Metadata") or {})
        return {"id": identity, "success": True, "errors": [], "warnings": [], "infos": []}

    def _page(self, rows: list[Record], names: list[str]) -> dict[str, Any]:
        size = self.records.rules.page_size
        answer: dict[str, Any] = {
            "totalSize": len(rows),
            "done": len(rows) <= size,
            "records": [row.document(names) for row in rows[:size]],
        }
        if len(rows) > size:
            cursor = new_id("Contact", next(self._cursors)).replace("003", "01g", 1)
            self._pages[cursor] = (rows, names)
            answer["nextRecordsUrl"] = f"{DATA}/query/{cursor}-{size}"
        return answer

    def _next(self, locator: str) -> dict[str, Any]:
        cursor, _, offset = locator.partition("-")
        if cursor not in self._pages or not offset.isdigit():
            raise Refusal(400, "INVALID_QUERY_LOCATOR", "invalid query locator")
        rows, names = self._pages[cursor]
        start, end = int(offset), int(offset) + self.records.rules.page_size
        answer: dict[str, Any] = {"totalSize": len(rows), "done": end >= len(rows)}
        answer["records"] = [row.document(names) for row in rows[start:end]]
        return answer if answer["done"] else {**answer, "nextRecordsUrl": f"{DATA}/query/{cursor}-{end}"}


def _allows(headers: Mapping[str, str]) -> bool:
    return headers.get(ALLOW_SAVE, "").replace(" ", "").casefold() == "allowsave=true"


def _shape(rest: list[str]) -> str:
    """The endpoint without ids, for counting."""
    if rest == ["describe"]:
        return "/describe"
    return {0: "", 1: "/{id}", 2: "/{key}"}.get(len(rest), "/…")
