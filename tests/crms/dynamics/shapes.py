"""Dataverse's published shapes, as models: every request of the adapter and every answer of the sandbox must fit.

From Microsoft's documentation (MicrosoftDocs/powerapps-docs, CC BY 4.0): the table references of contact, appointment and
activity party, use-upsert-insert-update-record, perform-conditional-operations-using-web-api, define-alternate-keys-entity,
create-update-column-definitions-using-web-api, compose-http-requests-handle-errors. They show shapes only, never races or
limits.
"""

import json
import re
from typing import Annotated, Any, Literal
from urllib.parse import parse_qs, unquote

import httpx
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, TypeAdapter

Guid = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")]
Moment = Annotated[str, StringConstraints(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")]
Etag = Annotated[str, StringConstraints(pattern=r'^W/"\d+"$')]
Code = Annotated[str, StringConstraints(pattern=r"^(0x[0-9A-Fa-f]{8})?$")]


def text(most: int) -> Any:
    """A text that is not empty; None: not sent."""
    return Annotated[str, Field(min_length=1, max_length=most)] | None


class Shape(BaseModel):
    """An answer: others may be added at any time."""

    model_config = ConfigDict(extra="allow", strict=True)


class Closed(BaseModel):
    """A request: a column that does not exist is refused."""

    model_config = ConfigDict(extra="forbid", strict=True)


# ---- requests ----


class ContactBody(Closed):
    """What is written: no column that only Dataverse writes, and never the key that stands in the address."""

    firstname: text(50) = None
    lastname: text(50) = None
    emailaddress1: text(100) = None
    mobilephone: text(50) = None
    telephone1: text(50) = None
    #: Columns that `[sync.fields]` may write, and the owner.
    jobtitle: text(100) = None
    description: text(2_000) = None
    birthdate: Annotated[str, StringConstraints(pattern=r"^\d{4}-\d\d-\d\d$")] | None = None
    owner: Annotated[str | None, Field(alias="ownerid@odata.bind", pattern=r"^/systemusers\([0-9a-f-]{36}\)$")] = None


class NewContactBody(ContactBody):
    """`lastname` is demanded."""

    lastname: Annotated[str, Field(min_length=1, max_length=50)]


class AppointmentBody(Closed):
    """What is written; the state and its reason only together, and never with anything else."""

    subject: text(200) = None
    location: text(200) = None
    scheduledstart: Moment | None = None
    scheduledend: Moment | None = None
    statecode: Literal[0, 1, 2, 3] | None = None
    statuscode: Literal[1, 2, 3, 4, 5, 6] | None = None


class NewAppointmentBody(Closed):
    """`statecode` is not valid for create; subject, start and end are demanded."""

    subject: Annotated[str, Field(min_length=1, max_length=200)]
    location: text(200) = None
    description: text(1_048_576) = None
    scheduledstart: Moment
    scheduledend: Moment
    statuscode: Literal[1, 2, 5, 6]
    regarding: Annotated[str, Field(alias="regardingobjectid_contact@odata.bind", pattern=r"^/contacts\([0-9a-f-]{36}\)$")]


class Label(Closed):
    class Localized(Closed):
        kind: Annotated[Literal["Microsoft.Dynamics.CRM.LocalizedLabel"], Field(alias="@odata.type")]
        Label: str
        LanguageCode: int

    kind: Annotated[Literal["Microsoft.Dynamics.CRM.Label"], Field(alias="@odata.type")]
    LocalizedLabels: Annotated[list[Localized], Field(min_length=1)]


class ColumnBody(Closed):
    class Value(Closed):
        Value: str

    class Level(Closed):
        Value: Literal["None", "Recommended", "ApplicationRequired"]
        CanBeChanged: bool
        ManagedPropertyLogicalName: Literal["canmodifyrequirementlevelsettings"]

    kind: Annotated[Literal["Microsoft.Dynamics.CRM.StringAttributeMetadata"], Field(alias="@odata.type")]
    AttributeType: Literal["String"]
    AttributeTypeName: Value
    SchemaName: Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9]{1,7}_\w+$")]
    MaxLength: Annotated[int, Field(ge=1, le=4000)]
    FormatName: Value
    RequiredLevel: Level
    DisplayName: Label
    Description: Label


class KeyBody(Closed):
    kind: Annotated[Literal["Microsoft.Dynamics.CRM.EntityKeyMetadata"], Field(alias="@odata.type")]
    SchemaName: str
    KeyAttributes: Annotated[list[str], Field(min_length=1, max_length=16)]
    DisplayName: Label


class ReactivateBody(Closed):
    EntityLogicalName: str
    EntityKeyLogicalName: str


# ---- answers ----


class Row(Shape):
    etag: Annotated[Etag, Field(alias="@odata.etag")]


class Contact(Row):
    contactid: Guid
    statecode: Literal[0, 1]
    merged: bool | None
    master: Annotated[Guid | None, Field(alias="_masterid_value")]
    emailaddress1: str | None
    lastname: str
    createdon: Moment


class AppointmentRow(Row):
    activityid: Guid
    statecode: Literal[0, 1, 2, 3]
    statuscode: Literal[1, 2, 3, 4, 5, 6]
    scheduledstart: Moment
    scheduledend: Moment
    regarding: Annotated[Guid | None, Field(alias="_regardingobjectid_value")]


class Page(Shape):
    context: Annotated[str, Field(alias="@odata.context")]


class Contacts(Page):
    value: list[Contact]


class Appointments(Page):
    value: list[AppointmentRow]


class Definition(Shape):
    class Key(Shape):
        LogicalName: str
        KeyAttributes: list[str]
        EntityKeyIndexStatus: Literal["Pending", "InProgress", "Active", "Failed"]

    LogicalName: Literal["contact"]
    MetadataId: Guid
    Keys: list[Key]


class Columns(Page):
    class Column(Shape):
        class Value(Shape):
            Value: str

        LogicalName: str
        AttributeTypeName: Value
        IsValidForCreate: bool
        IsValidForUpdate: bool

    value: list[Column]


class Users(Page):
    class User(Row):
        systemuserid: Guid
        internalemailaddress: str | None

    value: list[User]


class Strings(Page):
    class Column(Shape):
        class Level(Shape):
            Value: Literal["None", "SystemRequired", "ApplicationRequired", "Recommended"]

        LogicalName: str
        MaxLength: int
        RequiredLevel: Level
        IsValidForCreate: bool
        IsValidForUpdate: bool

    value: list[Column]


class Who(Shape):
    UserId: Guid


class Privileges(Shape):
    class Held(Shape):
        Depth: Literal["Basic", "Local", "Deep", "Global"]
        PrivilegeName: str

    RolePrivileges: list[Held]


class Organizations(Page):
    class Row(Shape):
        languagecode: int

    value: list[Row]


class Error(Shape):
    class Inner(Shape):
        code: Code
        message: str

    error: Inner


class TokenAnswer(Shape):
    access_token: str
    token_type: Literal["Bearer"]
    expires_in: int


class TokenError(Shape):
    error: str
    error_description: str


DATA = "^/api/data/v9\\.2/"
GUID = "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
CONTACT = r"EntityDefinitions\(LogicalName='contact'\)"
STRINGS = "/Attributes/Microsoft.Dynamics.CRM.StringAttributeMetadata"
KINDS = "(Memo|DateTime|Picklist|MultiSelectPicklist)"
HELD = r"/Microsoft.Dynamics.CRM.RetrieveUserSetOfPrivilegesByNames\(PrivilegeNames=@names\)"
#: method, path, conditional headers that must be there, body of the request, status → shape of the answer (None: empty).
CALLS: list[tuple[str, str, dict[str, str], Any, dict[int, Any]]] = [
    ("POST", r"^/[\w.-]+/oauth2/v2\.0/token$", {}, None, {200: TokenAnswer, 400: TokenError, 401: TokenError}),
    ("GET", f"{DATA}contacts$", {}, None, {200: Contacts}),
    ("GET", f"{DATA}appointments$", {}, None, {200: Appointments}),
    ("PATCH", f"{DATA}contacts\\(\\w+='[0-9a-f]{{1,64}}'\\)$", {"if-none-match": r"^\*$"}, NewContactBody, {201: Contact}),
    ("PATCH", f"{DATA}contacts\\({GUID}\\)$", {"if-match": r'^(W/"\d+"|\*)$'}, ContactBody, {204: None}),
    ("PATCH", f"{DATA}appointments\\({GUID}\\)$", {"if-none-match": r"^\*$"}, NewAppointmentBody, {204: None}),
    ("PATCH", f"{DATA}appointments\\({GUID}\\)$", {"if-match": r"^\*$"}, AppointmentBody, {204: None}),
    ("GET", f"{DATA}{CONTACT}$", {}, None, {200: Definition}),
    ("GET", f"{DATA}{CONTACT}{STRINGS}$", {}, None, {200: Strings | Columns}),
    ("GET", f"{DATA}{CONTACT}/Attributes(/Microsoft\\.Dynamics\\.CRM\\.{KINDS}AttributeMetadata)?$", {}, None, {200: Columns}),
    ("GET", f"{DATA}systemusers$", {}, None, {200: Users}),
    ("POST", f"{DATA}{CONTACT}/Attributes$", {}, ColumnBody, {204: None}),
    ("POST", f"{DATA}{CONTACT}/Keys$", {}, KeyBody, {204: None}),
    ("POST", f"{DATA}ReactivateEntityKey$", {}, ReactivateBody, {204: None}),
    ("GET", f"{DATA}WhoAmI$", {}, None, {200: Who}),
    ("GET", f"{DATA}systemusers\\({GUID}\\){HELD}$", {}, None, {200: Privileges}),
    ("GET", f"{DATA}organizations$", {}, None, {200: Organizations}),
]


class Checked(httpx.AsyncBaseTransport):
    """A transport that lets through only what fits; `seen` holds each call's method, path and status.

    Columns whose names match `further` are the user's own: what they are given is between `[sync.fields]` and the environment.
    """

    def __init__(self, inner: httpx.AsyncBaseTransport, further: str = "(?!)") -> None:
        self.inner = inner
        self.further = further
        self.seen: list[tuple[str, str, int]] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        path = unquote(request.url.raw_path.decode().partition("?")[0])
        call = next((call for call in CALLS if _is(call, request, path)), None)
        assert call is not None, f"no such call is published: {request.method} {path}"
        if path.startswith("/api/"):
            assert request.headers["odata-version"] == request.headers["odata-maxversion"] == "4.0"
        if call[3] is not None:
            assert request.headers["content-type"] == "application/json"
            body = {name: value for name, value in json.loads(request.content).items() if not re.fullmatch(self.further, name)}
            call[3].model_validate_json(json.dumps(body))
            state = {"statecode", "statuscode"}
            given = json.loads(request.content).keys()
            assert "statecode" not in given or given == state, "a state is written with its reason, and alone"
        elif request.method == "POST":
            asked = parse_qs(request.content.decode())
            assert {"grant_type", "client_id", "client_secret", "scope"} == asked.keys()
        response = await self.inner.handle_async_request(request)
        body = await response.aread()
        self.seen.append((request.method, path.removeprefix("/api/data/v9.2/"), response.status_code))
        _check(call[4], response, body)
        return httpx.Response(response.status_code, content=body, headers=response.headers, request=request)


def _is(call: tuple[str, str, dict[str, str], Any, Any], request: httpx.Request, path: str) -> bool:
    named = all(re.search(pattern, request.headers.get(name, "")) for name, pattern in call[2].items())
    return call[0] == request.method and re.search(call[1], path) is not None and named


def _check(shapes: dict[int, Any], response: httpx.Response, body: bytes) -> None:
    if b'"status":"error"' in body or body.startswith(b"<"):
        return  # a fault that was ordered: no answer of Dataverse's
    if response.status_code == 401 and not body:
        return
    if response.status_code == 429:
        assert response.headers["retry-after"].isdigit()
    shape = shapes.get(response.status_code, Error)
    if shape is None:
        assert body == b""
    else:
        TypeAdapter(shape).validate_python(json.loads(body))
