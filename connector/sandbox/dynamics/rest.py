"""The routes of the Dynamics sandbox: method, path and body in, status, document and headers out."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from connector.sandbox.dynamics.metadata import Metadata
from connector.sandbox.dynamics.model import GUID, TABLES, Refusal, Row
from connector.sandbox.dynamics.odata import unknown_column
from connector.sandbox.dynamics.records import Conditions, Records

API = "/api/data/v9.2"
ADDRESSED = re.compile(r"(\w+)\((.*)\)", re.DOTALL)
BY_KEY = re.compile(r"(\w+)='((?:[^']|'')*)'")
CONTACT = "EntityDefinitions(LogicalName='contact')"
STRINGS = "Microsoft.Dynamics.CRM.StringAttributeMetadata"
TYPED = re.compile(r"Microsoft\.Dynamics\.CRM\.([A-Za-z]+)AttributeMetadata")
HELD = "Microsoft.Dynamics.CRM.RetrieveUserSetOfPrivilegesByNames(PrivilegeNames=@names)"
USER = "00000001-5a3c-ef11-8e4f-000d3ab0a11c"
READ: dict[str, tuple[str, ...]] = {
    "contacts": ("prvReadContact",),
    "appointments": ("prvReadActivity",),
    "systemusers": (),
}
MAKE = {"contacts": ("prvCreateContact",), "appointments": ("prvCreateActivity", "prvAppendActivity", "prvAppendToContact")}
WRITE = {"contacts": ("prvWriteContact",), "appointments": ("prvWriteActivity",)}
Answer = tuple[int, Any, dict[str, str]]


class Rest:
    """The routes over one environment's rows; `requests` counts them by endpoint."""

    def __init__(self, records: Records, metadata: Metadata, origin: str = "") -> None:
        self.records = records
        self.metadata = metadata
        self.requests: Counter[str] = Counter()
        self._origin = origin

    async def answer(  # noqa: PLR0911 - one return for each route
        self, method: str, path: list[str], query: Mapping[str, str], headers: Mapping[str, str], data: Any
    ) -> Answer:
        """Serve one request; raises `Refusal`."""
        if path[:3] != ["api", "data", "v9.2"]:
            raise Refusal(404, "0x80060888", "Not Found")
        match method, path[3:]:
            case "GET", [table] if table in TABLES:
                return self._list(table, query, headers)
            case "PATCH", [addressed] if (found := ADDRESSED.fullmatch(addressed)) and found[1] in WRITE:
                return await self._patch(found[1], found[2], query, headers, data)
            case _, [definition, *rest] if definition == CONTACT:
                return self._definition(method, rest, data)
            case "POST", ["ReactivateEntityKey"]:
                self._count("POST ReactivateEntityKey")
                self.metadata.reactivate(data)
                return 204, None, {}
            case "GET", ["WhoAmI"]:
                self._count("GET WhoAmI")
                ids = {"BusinessUnitId": USER, "UserId": USER, "OrganizationId": USER}
                return 200, {"@odata.context": "#Microsoft.Dynamics.CRM.WhoAmIResponse", **ids}, {}
            case "GET", [user, function] if (user, function) == (f"systemusers({USER})", HELD):
                self._count("GET privileges")
                held = self.metadata.held(json.loads(query["@names"]))
                return 200, {"@odata.context": "#Microsoft.Dynamics.CRM.Privileges", "RolePrivileges": held}, {}
            case "GET", ["organizations"]:
                self._count("GET organizations")
                row = {"@odata.etag": 'W/"1"', "languagecode": self.metadata.language, "organizationid": USER}
                return 200, {"@odata.context": "#organizations", "value": [row]}, {}
        raise Refusal(404, "0x80060888", f"Resource not found for the segment '{path[-1]}'.")

    def _count(self, name: str) -> None:
        self.requests[name] += 1

    # ---- rows ----

    def _list(self, table: str, query: Mapping[str, str], headers: Mapping[str, str]) -> Answer:
        """One page. A page's address holds where it begins (a cookie at Dataverse)."""
        self._count(f"GET {table}")
        self.metadata.may(*READ[table])
        names = self._selected(table, query)
        found = self.records.query(table, query.get("$filter", ""))
        named = re.search(r"odata\.maxpagesize=(\d+)", headers.get("prefer", ""))
        size, start = int(named[1]) if named else 5_000, int(query.get("$skiptoken", "0"))
        page: dict[str, Any] = {"@odata.context": f"{self._origin}{API}/$metadata#{table}"}
        page["value"] = [row.document(names) for row in found[start : start + size]]
        if start + size < len(found):
            given = {**query, "$skiptoken": str(start + size)}
            asked = "&".join(f"{name}={quote(value)}" for name, value in given.items())
            page["@odata.nextLink"] = f"{self._origin}{API}/{table}?{asked}"
        return 200, page, {}

    async def _patch(
        self, table: str, inner: str, query: Mapping[str, str], headers: Mapping[str, str], data: dict[str, Any]
    ) -> Answer:
        address = _address(table, inner)
        by_id = address[0] == TABLES[table][1]
        self._count(f"PATCH {table}/{'{id}' if by_id else '{key}'}")
        conditions = Conditions(
            match=headers.get("if-match", ""),
            only_create=headers.get("if-none-match", "") == "*",
            detect_duplicates=headers.get("mscrm.suppressduplicatedetection", "").casefold() == "false",
        )
        there = self.records.find(table, address) is not None
        self.metadata.may(*(WRITE[table] if there else () if conditions.match else MAKE[table]))
        row, created = await self.records.upsert(table, address, data, conditions)
        return self._written(row, created, query, headers)

    def _written(self, row: Row, created: bool, query: Mapping[str, str], headers: Mapping[str, str]) -> Answer:
        if "return=representation" not in headers.get("prefer", ""):
            return 204, None, {"OData-EntityId": f"{self._origin}{API}/{row.table}({row.id})"}
        document = row.document(self._selected(row.table, query))
        context = {"@odata.context": f"{self._origin}{API}/$metadata#{row.table}/$entity"}
        return (201 if created else 200), {**context, **document}, {"Preference-Applied": "return=representation"}

    def _selected(self, table: str, query: Mapping[str, str]) -> list[str]:
        known = self.metadata.columns(table)
        names = query["$select"].split(",") if query.get("$select") else list(known)
        if unknown := [name for name in names if name not in known]:
            raise unknown_column(unknown[0], TABLES[table][0])
        return names

    # ---- definitions ----

    def _definition(self, method: str, rest: list[str], data: dict[str, Any]) -> Answer:
        self._count(f"{method} definition{''.join(f'/{part}' for part in rest)}")
        match method, rest:
            case "GET", []:
                context = f"{self._origin}{API}/$metadata#EntityDefinitions/$entity"
                return 200, {"@odata.context": context, **self.metadata.definition()}, {}
            case "GET", ["Attributes", kind] if kind == STRINGS:
                context = f"{self._origin}{API}/$metadata#EntityDefinitions('contact')/Attributes/{STRINGS}"
                return 200, {"@odata.context": context, "value": self.metadata.strings()}, {}
            case "GET", ["Attributes"]:
                context = f"{self._origin}{API}/$metadata#EntityDefinitions('contact')/Attributes"
                return 200, {"@odata.context": context, "value": self.metadata.attributes()}, {}
            case "GET", ["Attributes", kind] if typed := TYPED.fullmatch(kind):
                context = f"{self._origin}{API}/$metadata#EntityDefinitions('contact')/Attributes/{kind}"
                return 200, {"@odata.context": context, "value": self.metadata.attributes(typed[1])}, {}
            case "POST", ["Attributes"]:
                self.metadata.add_column(data)
                return 204, None, {}
            case "POST", ["Keys"]:
                self.metadata.add_key(data)
                return 204, None, {}
        raise Refusal(405, "0x80060888", "Method not allowed")


def _address(table: str, inner: str) -> tuple[str, str]:
    """The column and value that a row is addressed by."""
    if GUID.fullmatch(inner):
        return TABLES[table][1], inner
    found = BY_KEY.fullmatch(inner)
    if found is None:
        raise Refusal(400, "0x80060888", "Bad Request - Error in query syntax.")
    return found[1], found[2].replace("''", "'")
