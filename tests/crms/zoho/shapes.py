"""The published shapes of the calls we make, and a transport that holds every request and answer to them.

Written down from the class descriptions in Zoho's own Python SDK (zohocrmsdk8-0 7.0.0, `json_details.json` and
`record/field.py`, API version 8), and, where it says more (statuses, required members of errors), from the vendor's OpenAPI
files (github.com/zoho/crm-oas, v8.0, 2026). They prove shapes, never races, lag or limits.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any

import httpx
from conforming import INJECTED

#: The fields of our two modules which the SDK lists, as far as we name them.
CONTACTS = {
    "id", "Email", "Secondary_Email", "First_Name", "Last_Name", "Mobile", "Phone", "Home_Phone", "Created_Time",
    "Modified_Time", "Description", "Title", "Lead_Source", "Owner",
}  # fmt: skip
EVENTS = {"id", "Event_Title", "Start_DateTime", "End_DateTime", "Venue", "Description", "Who_Id", "What_Id", "Participants"}
OWN = {"Contacts": CONTACTS | {"Connector_Person_Key"}, "Events": EVENTS | {"Connector_Marker"}}
#: `record.BodyWrapper`.
BODY = {
    "data", "trigger", "duplicate_check_fields", "process", "wf_trigger", "lar_id", "skip_feature_execution",
    "apply_feature_execution",
}  # fmt: skip
ACTIONS = {"insert", "update"}
QUERY = re.compile(r"select (?P<columns>[\w, ]+) from (?P<module>\w+) where (?P<where>.+) limit (?P<limit>\d+) offset \d+")
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d\d:\d\d")


class Nonconforming(AssertionError):
    """A request or an answer is not as published."""


def must(holds: object, what: str) -> None:
    """Raise unless it holds."""
    if not holds:
        raise Nonconforming(what)


def check_request(request: httpx.Request, further: str = "(?!)") -> None:
    """Hold a request to the published shape of its call; fields whose names match `further` are the user's own."""
    path = request.url.path
    if path == "/oauth/v2/token":
        form = dict(httpx.QueryParams(request.content.decode()))
        must(form.keys() == {"grant_type", "client_id", "client_secret", "refresh_token"}, "the token's parameters")
        must("authorization" not in request.headers, "no token is sent to fetch a token")
        return
    must(request.headers["authorization"].startswith("Zoho-oauthtoken "), "the scheme of the header")
    body = json.loads(request.content) if request.content else None
    match request.method, path.removeprefix("/crm/v8/").split("/"):
        case "GET", [("Contacts" | "Events") as module, identity]:
            must(identity.isdigit(), "a numeric id")
            must(_named(request.url.params["fields"].split(","), further) <= OWN[module], "fields of the module")
        case "POST", ["coql"]:
            _check_query(body, further)
        case "POST", ["Contacts", "upsert"]:
            _check_body("Contacts", body, further)
            must(body["duplicate_check_fields"] == ["Connector_Person_Key"], "an upsert checks our own field alone")
        case "POST", ["Events"]:
            _check_body("Events", body, further)
            must("duplicate_check_fields" not in body, "events cannot be upserted")
        case "PUT", [("Contacts" | "Events") as module, identity]:
            must(identity.isdigit(), "a numeric id")
            _check_body(module, body, further)
        case "GET", ["users"]:
            must(request.url.params["type"] == "ActiveUsers" and int(request.url.params["per_page"]) <= 200, "active users")
        case "GET", ["settings", "fields"]:
            must(request.url.params["module"] in OWN, "a module")
        case "POST", ["settings", "fields"]:
            must(request.url.params["module"] in OWN, "a module")
            must(body.keys() == {"fields"} and len(body["fields"]) <= 5, "at most five fields")
            must({"field_label", "data_type"} <= body["fields"][0].keys(), "a label and a type")
        case _:
            raise Nonconforming(f"{request.method} {path} is no published call of ours")


def _named(names: Iterable[str], further: str) -> set[str]:
    return {name for name in names if not re.fullmatch(further, name)}


def _check_query(body: Any, further: str) -> None:
    must(body.keys() == {"select_query"}, "one query")
    query = QUERY.fullmatch(body["select_query"])
    must(query is not None, "a query of the form we use")
    assert query is not None
    columns = query["columns"].split(", ")
    must(_named(columns, further) <= OWN[query["module"]] and len(columns) <= 50, "columns of the module, at most 50")
    must(int(query["limit"]) <= 200, "at most 200 records, for one credit")
    must(all(len(values.split(", ")) <= 50 for values in re.findall(r"in \(([^()]*)\)", query["where"])), "at most 50 values")
    must("Description" not in query["where"], "no multi-line field in the criteria")


def _check_body(module: str, body: Any, further: str) -> None:
    must(body.keys() <= BODY, "members of a body")
    must(isinstance(body["data"], list) and 1 <= len(body["data"]) <= 100, "1 to 100 records")
    must(isinstance(body.get("trigger", []), list), "a list of triggers")
    for record in body["data"]:
        named = {name: record[name] for name in _named(record, further)}
        must(named.keys() <= OWN[module] - {"id", "Created_Time", "Modified_Time"}, "fields that can be written")
        for name, value in named.items():
            if name in ("Who_Id", "Owner"):
                must(value.keys() == {"id"} and value["id"].isdigit(), "a look-up by id")
            else:
                must(isinstance(value, str) and value, f"{name} is a text, and never empty")
            if name.endswith("_DateTime"):
                must(TIME.fullmatch(value), "a time to the second, with an offset")


def check_answer(request: httpx.Request, status: int, data: Any) -> None:
    """Hold an answer to the published shape of its call; errors of one record stand in its list."""
    path = request.url.path
    if path == "/oauth/v2/token":
        must({"access_token", "expires_in"} <= data.keys() or isinstance(data.get("error"), str), "a token or an error")
        return
    if status >= 500:
        return  # Of the fault injector, as of anything that stands in between.
    if status == 204:
        must(data is None, "204 has no body")
        return
    if status >= 400 and "data" not in data and "fields" not in data:
        _check_error(data)
        return
    if path.endswith("/users"):
        must(all({"id", "email"} <= user.keys() for user in data["users"]), "users with an id and an address")
        return
    if path.endswith("/settings/fields") and request.method == "GET":
        must(all({"api_name", "unique", "data_type"} <= field.keys() for field in data["fields"]), "definitions of fields")
        return
    if path.endswith("/settings/fields"):
        for item in data["fields"]:
            _check_item(item, actions=False)
        return
    must(isinstance(data["data"], list) and data["data"], "a list of records or results")
    if request.method == "GET" or path.endswith("/coql"):
        must(all(isinstance(record["id"], str) and record["id"].isdigit() for record in data["data"]), "records with ids")
        if path.endswith("/coql"):
            must(data["info"].keys() == {"count", "more_records"}, "count and more_records")
        return
    for item in data["data"]:
        _check_item(item, actions=path.endswith("/upsert"))


def _check_item(item: Any, *, actions: bool) -> None:
    """`record.SuccessResponse` or `record.APIException`."""
    if item["status"] == "error":
        _check_error(item)
        return
    must(item["status"] == "success" and item["code"] == "SUCCESS" and isinstance(item["message"], str), "a success")
    must(item["details"]["id"].isdigit(), "the id of what was written")
    if actions:
        must(item["action"] in ACTIONS, "insert or update")
        must(item["duplicate_field"] is None or item["action"] == "update", "an insert found no duplicate")


def _check_error(item: Any) -> None:
    must(item.keys() == {"code", "details", "message", "status"} and item["status"] == "error", "the members of an error")
    details = item["details"]
    must(isinstance(details, dict), "details are an object")
    if "duplicate_record" in details:
        must(details["duplicate_record"]["id"].isdigit(), "the id of the record that holds the value")
    for error in details.get("errors", []):
        _check_error(error)


class Checked(httpx.AsyncBaseTransport):
    """Passes requests on to `inner`, and raises where one of the two sides does not conform. `exchanges` keeps both.

    Fields whose names match `further` are the user's own: what they are given is between `[sync.fields]` and the account.
    """

    def __init__(self, inner: httpx.AsyncBaseTransport, further: str = "(?!)") -> None:
        self._inner = inner
        self._further = further
        self.exchanges: list[tuple[httpx.Request, int, Any]] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Check, pass on, check."""
        await request.aread()
        check_request(request, self._further)
        response = await self._inner.handle_async_request(request)
        body = await response.aread()
        if body in INJECTED or body.startswith(b"<"):
            return httpx.Response(response.status_code, headers=response.headers, content=body)
        data = json.loads(body) if body.strip() else None
        self.exchanges.append((request, response.status_code, data))
        check_answer(request, response.status_code, data)
        return httpx.Response(response.status_code, headers=response.headers, content=body)
