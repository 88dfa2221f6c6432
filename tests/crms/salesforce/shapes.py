"""Salesforce's published shapes, as models: every request of the adapter and every answer of the sandbox must fit.

From the types of jsforce (MIT) at commit e744dad, src/types/common.ts and standard-schema.ts, and from answers recorded in
public test suites. They show shapes only, never races, lag or limits.
"""
# ruff: noqa: N815 - the names are the vendor's

from typing import Annotated, Any, Literal

import httpx
from conforming import Call, Closed, Conforming, Open
from pydantic import Field as Limits
from pydantic import StringConstraints

Id = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9]{15}(?:[A-Za-z0-9]{3})?$")]
Moment = Annotated[str, StringConstraints(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{3})?(Z|[+-]\d\d:?\d\d)$")]


class Saved(Open):
    success: Literal[True]
    id: Id
    errors: Annotated[list[Any], Limits(max_length=0)]


class Upserted(Saved):
    created: bool


class Match(Open):
    class Entry(Open):
        class Row(Open):
            Id: Id

        record: Row
        matchConfidence: float

    entityType: str
    success: bool
    matchRecords: list[Entry]


class Duplicates(Open):
    allowSave: bool
    duplicateRule: str
    matchResults: list[Match]


class Error(Open):
    errorCode: Annotated[str, StringConstraints(pattern=r"^[A-Z_]+$")]
    message: str
    fields: list[str] | None = None
    duplicateResut: Duplicates | None = None
    duplicateResult: Duplicates | None = None


class Page(Open):
    class Row(Open):
        class Attributes(Open):
            type: str
            url: str

        attributes: Attributes

    totalSize: int
    done: bool
    records: list[Row]
    nextRecordsUrl: str | None = None


class Described(Open):
    class Column(Open):
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


class TokenAnswer(Open):
    access_token: str
    instance_url: str
    token_type: Literal["Bearer"]


class TokenError(Open):
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


class TokenBody(Closed):
    """Client credentials, or a signed assertion."""

    grant_type: Literal["client_credentials", "urn:ietf:params:oauth:grant-type:jwt-bearer"]
    client_id: str | None = None
    client_secret: str | None = None
    assertion: str | None = None


class QueryText(Closed):
    """A page that follows has none."""

    q: Annotated[str, StringConstraints(pattern=r"^SELECT .+ FROM \w+( WHERE .+)?$")] | None = None


DATA = r"/services/data/v67\.0/"
KEY = r"sobjects/Contact/\w+__c/[0-9a-f]{1,64}"
FORM = "application/x-www-form-urlencoded"
CALLS = [
    Call("POST", "/services/oauth2/token", {200: TokenAnswer, 400: TokenError}, TokenBody, content_type=FORM),
    Call("GET", DATA + r"(query|queryAll|query/01g[A-Za-z0-9]{15}-\d+)", {200: Page}, query=QueryText),
    Call("GET", DATA + r"sobjects/(Contact|Event)/describe", {200: Described}),
    Call("PATCH", DATA + KEY, {200: Upserted, 201: Upserted, 204: None, 300: list[str]}, ContactBody),
    Call("PATCH", DATA + r"sobjects/Contact/003\w{15}", {204: None}, ContactBody),
    Call("POST", DATA + r"sobjects/Event", {201: Saved}, EventBody),
    Call("PATCH", DATA + r"sobjects/Event/00U\w{15}", {204: None}, EventBody),
    Call("POST", DATA + r"tooling/sobjects/CustomField", {201: Saved}, FieldBody),
    Call("POST", DATA + r"sobjects/FieldPermissions", {201: Saved}, PermissionBody),
    Call("PATCH", DATA + r"sobjects/FieldPermissions/01k\w{15}", {204: None}, PermissionBody),
]


def conforming(inner: httpx.AsyncBaseTransport, further: str = "(?!)") -> Conforming:
    """Hold all that goes through `inner` to Salesforce's shapes; see `Conforming` for `further`."""
    return Conforming(inner, CALLS, list[Error], further)
