"""Odoo's documented calls, as models: every request of the adapter and every answer of the sandbox must fit.

From the page on the external API (https://www.odoo.com/documentation/19.0/developer/reference/external_api.html, and that of
18.0 for JSON-RPC), the signatures of the ORM's methods, and answers that were measured on servers of 19.0 and 17.0; the form of
requests, answers and errors was compared with a table of these facts by script. What a call of the older API carries is held to
the same shapes as in JSON-2. Tighter than documented: no value and no cell is blank, since that would clear a field, an import
says that its times are in UTC, and whatever touches an event says that nobody is invited.
"""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

import httpx
from conforming import Call, Closed, Conforming, Nonconforming, Open, fits
from pydantic import Field, JsonValue, StringConstraints

Text = Annotated[str, StringConstraints(min_length=1)]
Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$")]
#: A column of an import: a field, the external id, or a relation by database id.
Column = Annotated[str, StringConstraints(pattern=r"^(id|[a-z][a-z0-9_]*(/\.id)?)$")]
#: UTC, without saying so.
Moment = Annotated[str, StringConstraints(pattern=r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$")]
Id = Annotated[int, Field(ge=1)]
Value = Text | bool | int | float | list[Any]

# ---- requests ----


class Context(Closed):
    active_test: bool | None = None
    no_mail_to_attendees: Literal[True] | None = None
    tz: Literal["UTC"] | None = None


class Silent(Context):
    no_mail_to_attendees: Literal[True]


class Import(Silent):
    tz: Literal["UTC"]


class Body(Closed):
    context: Context


class SearchRead(Body):
    domain: list[JsonValue]
    fields: Annotated[list[Name], Field(min_length=1)]
    order: Literal["id"]
    limit: Annotated[int, Field(ge=1)] | None = None


class Load(Closed):
    fields: Annotated[list[Column], Field(min_length=2)]
    data: Annotated[list[list[Text]], Field(min_length=1)]
    context: Import


class Write(Closed):
    ids: Annotated[list[Id], Field(min_length=1)]
    vals: Annotated[dict[Name, Value], Field(min_length=1)]
    context: Silent


class EventValues(Closed):
    name: Text
    start: Moment | None = None
    stop: Moment | None = None
    location: Text | None = None
    description: Text | None = None
    show_as: Literal["free", "busy"] | None = None


class WriteEvent(Closed):
    ids: Annotated[list[Id], Field(min_length=1)]
    vals: EventValues
    context: Silent


class ExternalIds(Body):
    ids: Annotated[list[Id], Field(min_length=1)]


class Reference(Body):
    module: Text
    xml_id: Text


class FieldsGet(Body):
    allfields: Annotated[list[Name], Field(min_length=1)] | None = None
    attributes: list[Name]


class HasAccess(Body):
    """Not a method of the model: it works on records, here on none."""

    operation: Literal["read", "create", "write", "unlink"]
    ids: Annotated[list[Id], Field(max_length=0)]


class CheckAccessRights(Body):
    operation: Literal["read", "create", "write", "unlink"]
    raise_exception: Literal[False]


class NewField(Closed):
    model_id: Id
    name: Annotated[str, StringConstraints(pattern=r"^x_[a-z0-9_]+$")]
    field_description: Text
    ttype: Literal["char"]


class CreateField(Body):
    vals_list: Annotated[list[NewField], Field(min_length=1)]


class GenerateKey(Body):
    key: Text
    scope: Literal["rpc"] | None
    name: Text
    expiration_date: Annotated[str, StringConstraints(pattern=r"^\d{4}-\d\d-\d\d( \d\d:\d\d:\d\d)?$")]


class RevokeKey(Body):
    key: Text


class Params(Closed):
    service: Literal["common", "object"]
    method: Literal["version", "authenticate", "execute_kw"]
    args: list[JsonValue]


class Rpc(Closed):
    jsonrpc: Literal["2.0"]
    method: Literal["call"]
    id: int
    params: Params


# ---- answers ----


class Row(Open):
    id: int


class Message(Open):
    type: Literal["error", "warning"]
    message: str
    record: int


class Loaded(Closed):
    """A failure is a success with messages."""

    ids: list[int] | Literal[False]
    messages: list[Message]
    nextrow: int


class Definition(Open):
    type: str


class Version(Open):
    version_info: list[Any]
    version: str


class OlderVersion(Open):
    server_version: str
    server_version_info: list[Any]
    protocol_version: int


class Error(Closed):
    name: str
    message: str
    arguments: list[Any]
    context: dict[str, Any]
    debug: str


class TooMany(Closed):
    """Of something in front of the server: Odoo itself was not seen to limit."""

    message: str


class RpcError(Closed):
    code: int
    message: str
    data: Error


class RpcResult(Closed):
    jsonrpc: Literal["2.0"]
    id: int | None
    result: JsonValue


class RpcRefusal(Closed):
    jsonrpc: Literal["2.0"]
    id: int | None
    error: RpcError


# ---- calls ----

#: Each method of each model: what it takes and what it answers.
METHODS: dict[tuple[str, str], tuple[Any, Any]] = {
    **{
        (model, "search_read"): (SearchRead, list[Row])
        for model in ("res.partner", "calendar.event", "res.users", "res.users.apikeys", "ir.model")
    },
    **{(model, "load"): (Load, Loaded) for model in ("res.partner", "calendar.event")},
    **{(model, "has_access"): (HasAccess, bool) for model in ("res.partner", "calendar.event", "res.users.apikeys")},
    **{(model, "check_access_rights"): (CheckAccessRights, bool) for model in ("res.partner", "calendar.event")},
    **{(model, "fields_get"): (FieldsGet, dict[str, Definition]) for model in ("res.partner", "res.users.apikeys")},
    **{(model, "get_external_id"): (ExternalIds, dict[str, str]) for model in ("res.partner", "calendar.event")},
    ("res.partner", "write"): (Write, Literal[True]),
    ("calendar.event", "write"): (WriteEvent, Literal[True]),
    ("ir.model.data", "check_object_reference"): (Reference, tuple[str, int | Literal[False]]),
    ("ir.model.fields", "create"): (CreateField, list[int]),
    ("res.users.apikeys", "generate"): (GenerateKey, Text),
    ("res.users.apikeys", "revoke"): (RevokeKey, JsonValue),
}
#: Each service of JSON-RPC: its arguments and its answer.
SERVICES: dict[str, tuple[Any, Any]] = {
    "version": (tuple[()], OlderVersion),
    "authenticate": (tuple[Text, Text, Text, dict[str, Any]], Id | Literal[False]),
    "execute_kw": (tuple[Text, Id, Text, Text, Text, list[list[Id]], dict[str, Any]], JsonValue),
}
KEY = {"authorization": r"bearer \S+"}
CALLS = [
    *(
        Call("POST", f"/json/2/{model}/{method}", {200: answer}, body, headers=KEY)
        for (model, method), (body, answer) in METHODS.items()
    ),
    Call("POST", "/jsonrpc", {200: RpcResult | RpcRefusal}, Rpc),
    Call("GET", "/web/version", {200: Version}),
]


class OdooConforming(Conforming):
    """Also holds what JSON-RPC carries to the shape of its method, and lists of records to the fields that were asked for.

    `called` holds model, method and API of every call that was answered.
    """

    def __init__(self, inner: httpx.AsyncBaseTransport) -> None:
        super().__init__(inner, CALLS, Error | TooMany)
        self.called: set[tuple[str, str, str]] = set()

    def check_request(self, call: Call, request: httpx.Request) -> None:
        """Hold a request to its call, and to the method that it carries."""
        super().check_request(call, request)
        if request.url.path == "/jsonrpc":
            params = json.loads(request.content)["params"]
            fits(SERVICES[params["method"]][0], json.dumps(params["args"]), f"JSON-RPC {params['method']}: the request")
        if (carried := _carried(request)) is not None and request.url.path == "/jsonrpc":
            model, method, body = carried
            if (model, method) not in METHODS:
                raise Nonconforming(f"{model} {method} is no documented method")
            fits(METHODS[model, method][0], json.dumps(body), f"{model} {method} by JSON-RPC: the request")
        if (
            carried is not None
            and carried[1] == "load"
            and any(len(row) != len(carried[2]["fields"]) for row in carried[2]["data"])
        ):
            raise Nonconforming(f"{carried[0]} load: a row has not as many cells as there are columns")

    def check_answer(self, call: Call, request: httpx.Request, response: httpx.Response) -> None:
        """Hold an answer to its call, and to the method that was carried."""
        super().check_answer(call, request, response)
        data, carried = response.json(), _carried(request)
        if request.url.path == "/jsonrpc" and "error" not in data:
            method = json.loads(request.content)["params"]["method"]
            fits(SERVICES[method][1], json.dumps(data["result"]), f"JSON-RPC {method}: the answer")
        if response.status_code != 200 or carried is None:
            return
        model, method, body = carried
        by_rpc = request.url.path == "/jsonrpc"
        if by_rpc:
            if "error" in data:
                return
            data = data["result"]
            fits(METHODS[model, method][1], json.dumps(data), f"{model} {method} by JSON-RPC: the answer")
        self.called.add((model, method, "json-rpc" if by_rpc else "json-2"))
        if method == "search_read" and any(row.keys() != {"id", *body["fields"]} for row in data):
            raise Nonconforming(f"{model} search_read: a record has other fields than those that were asked for")


def _carried(request: httpx.Request) -> tuple[str, str, dict[str, Any]] | None:
    """Model, method and named arguments of a call, whichever API carries it; None for a log-in or a version."""
    if request.method != "POST":
        return None
    body = json.loads(request.content)
    if request.url.path != "/jsonrpc":
        _, _, _, model, method = request.url.path.split("/")
        return model, method, body
    params = body["params"]
    if params["method"] != "execute_kw":
        return None
    _database, _user, _key, model, method, positional, named = params["args"]
    return model, method, {**named, "ids": positional[0]} if positional else named


def conforming(inner: httpx.AsyncBaseTransport) -> OdooConforming:
    """Hold all that goes through `inner` to Odoo's shapes."""
    return OdooConforming(inner)
