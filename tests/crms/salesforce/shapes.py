"""Salesforce's published shapes, as models: every request of the adapter and every answer of the sandbox must fit.

From the types of jsforce (MIT) at commit e744dad, src/types/common.ts and standard-schema.ts, and from answers recorded in
public test suites. They show shapes only, never races, lag or limits.
"""
# ruff: noqa: N815 - the names are the vendor's

import json
import re
from typing import Annotated, Any, Literal
from urllib.parse import unquote

import httpx
from pydantic import BaseModel, ConfigDict, StringConstraints, TypeAdapter
from pydantic import Field as Limits

Id = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9]{15}(?:[A-Za-z0-9]{3})?$")]
Moment = Annotated[str, StringConstraints(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{3})?(Z|[+-]\d\d:?\d\d)$")]


class Shape(BaseModel):
    model_config = ConfigDict(extra="allow", strict=True)


class Closed(BaseModel):
    """A request: what is not in the schema of the object would be refused."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Saved(Shape):
    success: Literal[True]
    id: Id
    errors: Annotated[list[Any], Limits(max_length=0)]


class Upserted(Saved):
    created: bool


class Match(Shape):
    class Entry(Shape):
        class Row(Shape):
            Id: Id

        record: Row
        matchConfidence: float

    entityType: str
    success: bool
    matchRecords: list[Entry]


class Duplicates(Shape):
    allowSave: bool
    duplicateRule: str
    matchResults: list[Match]


class Error(Shape):
    errorCode: Annotated[str, StringConstraints(pattern=r"^[A-Z_]+$")]
    message: str
    fields: list[str] = []
    duplicateResut: Duplicates | None = None
    duplicateResult: Duplicates | None = None


class Page(Shape):
    class Row(Shape):
        class Attributes(Shape):
            type: str
            url: str

        attributes: Attributes

    totalSize: int
    done: bool
    records: list[Row]
    nextRecordsUrl: str | None = None


class Described(Shape):
    class Column(Shape):
        name: str
        type: str
        length: int
        createable: bool
        updateable: bool
        externalId: bool
        unique: bool
        nillable: bool
        filterable: bool

    name: str
    keyPrefix: str
    createable: bool
    updateable: bool
    queryable: bool
    fields: list[Column]


class TokenAnswer(Shape):
    access_token: str
    instance_url: str
    token_type: Literal["Bearer"]


class TokenError(Shape):
    error: str
    error_description: str


class ContactBody(Closed):
    FirstName: Annotated[str, Limits(min_length=1)] | None = None
    LastName: Annotated[str, Limits(min_length=1)] | None = None
    Email: Annotated[str, Limits(min_length=1)] | None = None
    Phone: Annotated[str, Limits(min_length=1)] | None = None
    MobilePhone: Annotated[str, Limits(min_length=1)] | None = None
    AccountId: Id | None = None
    OwnerId: Annotated[str, StringConstraints(pattern=r"^005[A-Za-z0-9]{15}$")] | None = None
    #: Standard fields that `[sync.fields]` may write.
    Title: Annotated[str, Limits(min_length=1, max_length=128)] | None = None
    LeadSource: Annotated[str, Limits(min_length=1, max_length=255)] | None = None
    Description: Annotated[str, Limits(min_length=1, max_length=32_000)] | None = None
    Birthdate: Annotated[str, StringConstraints(pattern=r"^\d{4}-\d\d-\d\d$")] | None = None


class EventBody(Closed):
    WhoId: Id | None = None
    Subject: Annotated[str, Limits(min_length=1, max_length=255)] | None = None
    Location: Annotated[str, Limits(min_length=1, max_length=255)] | None = None
    Description: Annotated[str, Limits(max_length=32_000)] | None = None
    StartDateTime: Moment | None = None
    EndDateTime: Moment | None = None
    ShowAs: Literal["Busy", "OutOfOffice", "Free"] | None = None


class PermissionBody(Closed):
    ParentId: Id | None = None
    SobjectType: Literal["Contact"] | None = None
    Field: str | None = None
    PermissionsRead: bool
    PermissionsEdit: bool


class FieldBody(Closed):
    class Definition(Closed):
        type: Literal["Text"]
        label: str
        description: str
        length: Annotated[int, Limits(ge=1, le=255)]
        externalId: bool
        unique: bool
        caseSensitive: bool

    FullName: Annotated[str, StringConstraints(pattern=r"^Contact\.\w+__c$")]
    Metadata: Definition


DATA = r"^/services/data/v67\.0/"
KEY = r"sobjects/Contact/\w+__c/[0-9a-f]{1,64}$"
#: method, path, body of the request, status → shape of the answer (None: empty).
CALLS: list[tuple[str, str, Any, dict[int, Any]]] = [
    ("POST", r"^/services/oauth2/token$", None, {200: TokenAnswer, 400: TokenError}),
    ("GET", DATA + r"(query|queryAll|query/01g[A-Za-z0-9]{15}-\d+)$", None, {200: Page}),
    ("GET", DATA + r"sobjects/(Contact|Event)/describe$", None, {200: Described}),
    ("PATCH", DATA + KEY, ContactBody, {200: Upserted, 201: Upserted, 204: None, 300: list[str]}),
    ("PATCH", DATA + r"sobjects/Contact/003\w{15}$", ContactBody, {204: None}),
    ("POST", DATA + r"sobjects/Event$", EventBody, {201: Saved}),
    ("PATCH", DATA + r"sobjects/Event/00U\w{15}$", EventBody, {204: None}),
    ("POST", DATA + r"tooling/sobjects/CustomField$", FieldBody, {201: Saved}),
    ("POST", DATA + r"sobjects/FieldPermissions$", PermissionBody, {201: Saved}),
    ("PATCH", DATA + r"sobjects/FieldPermissions/01k\w{15}$", PermissionBody, {204: None}),
]


def without(further: str, content: bytes) -> bytes:
    """A body without the members whose names match the pattern."""
    return json.dumps({name: value for name, value in json.loads(content).items() if not re.fullmatch(further, name)}).encode()


class Checked(httpx.AsyncBaseTransport):
    """A transport that lets through only what fits; `seen` holds the calls' names and statuses.

    Fields whose names match `further` are the user's own: what they are given is between `[sync.fields]` and the org.
    """

    def __init__(self, inner: httpx.AsyncBaseTransport, further: str = "(?!)") -> None:
        self.inner = inner
        self.further = further
        self.seen: list[tuple[str, int]] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        path = unquote(request.url.raw_path.decode().partition("?")[0])
        call = next((c for c in CALLS if c[0] == request.method and re.search(c[1], path)), None)
        assert call is not None, f"no such call is published: {request.method} {path}"
        if call[2] is not None:
            assert request.headers["content-type"] == "application/json"
            call[2].model_validate_json(without(self.further, request.content))
        response = await self.inner.handle_async_request(request)
        body = await response.aread()
        self.seen.append((call[1].removeprefix(DATA), response.status_code))
        self._check(call[3], response.status_code, body)
        return httpx.Response(response.status_code, content=body, headers=response.headers, request=request)

    def _check(self, shapes: dict[int, Any], status: int, body: bytes) -> None:
        if b'"status":"error"' in body or body.startswith(b"<"):
            return  # a fault that was ordered: no answer of Salesforce's
        shape = shapes.get(status, list[Error])
        if shape is None:
            assert body == b""
        else:
            TypeAdapter(shape).validate_python(json.loads(body))
