"""Dataverse's published shapes, as models: every request of the adapter and every answer of the sandbox must fit.

From Microsoft's documentation (MicrosoftDocs/powerapps-docs, CC BY 4.0): the table references of contact, appointment and
activity party, use-upsert-insert-update-record, perform-conditional-operations-using-web-api, define-alternate-keys-entity,
create-update-column-definitions-using-web-api, compose-http-requests-handle-errors. They show shapes only, never races or
limits.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import httpx
from conforming import Call, Closed, Conforming, Nonconforming, Open
from pydantic import Field, StringConstraints, model_validator

Guid = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")]
Moment = Annotated[str, StringConstraints(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")]
Etag = Annotated[str, StringConstraints(pattern=r'^W/"\d+"$')]
Code = Annotated[str, StringConstraints(pattern=r"^(0x[0-9A-Fa-f]{8})?$")]


def text(most: int) -> Any:
    """A text that is not empty; None: not sent."""
    return Annotated[str, Field(min_length=1, max_length=most)] | None


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

    @model_validator(mode="after")
    def _state_alone(self) -> AppointmentBody:
        if self.statecode is not None and self.model_fields_set != {"statecode", "statuscode"}:
            raise ValueError("a state is written with its reason, and alone")
        return self


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


class Row(Open):
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


class Page(Open):
    context: Annotated[str, Field(alias="@odata.context")]


class Contacts(Page):
    value: list[Contact]


class Appointments(Page):
    value: list[AppointmentRow]


class Definition(Open):
    class Key(Open):
        LogicalName: str
        KeyAttributes: list[str]
        EntityKeyIndexStatus: Literal["Pending", "InProgress", "Active", "Failed"]

    LogicalName: Literal["contact"]
    MetadataId: Guid
    Keys: list[Key]


class Columns(Page):
    class Column(Open):
        class Value(Open):
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
    class Column(Open):
        class Level(Open):
            Value: Literal["None", "SystemRequired", "ApplicationRequired", "Recommended"]

        LogicalName: str
        MaxLength: int
        RequiredLevel: Level
        IsValidForCreate: bool
        IsValidForUpdate: bool

    value: list[Column]


class Who(Open):
    UserId: Guid


class Privileges(Open):
    class Held(Open):
        Depth: Literal["Basic", "Local", "Deep", "Global"]
        PrivilegeName: str

    RolePrivileges: list[Held]


class Organizations(Page):
    class Row(Open):
        languagecode: int

    value: list[Row]


class Error(Open):
    class Inner(Open):
        code: Code
        message: str

    error: Inner


class TokenAnswer(Open):
    access_token: str
    token_type: Literal["Bearer"]
    expires_in: int


class TokenError(Open):
    error: str
    error_description: str


class TokenBody(Closed):
    grant_type: Literal["client_credentials"]
    client_id: str
    client_secret: str
    scope: str


DATA = r"/api/data/v9\.2/"
GUID = "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
CONTACT = r"EntityDefinitions\(LogicalName='contact'\)"
STRINGS = r"/Attributes/Microsoft\.Dynamics\.CRM\.StringAttributeMetadata"
KINDS = "(Memo|DateTime|Picklist|MultiSelectPicklist)"
HELD = r"/Microsoft\.Dynamics\.CRM\.RetrieveUserSetOfPrivilegesByNames\(PrivilegeNames=@names\)"
VERSION = {"odata-version": r"4\.0", "odata-maxversion": r"4\.0"}
NEW, WHATEVER = {"if-none-match": r"\*"}, {"if-match": r"\*"}
FORM = "application/x-www-form-urlencoded"
TOKEN = {200: TokenAnswer, 400: TokenError, 401: TokenError}


def _call(method: str, path: str, answers: Mapping[int, Any], body: Any = None, headers: Mapping[str, str] = VERSION) -> Call:
    """A call of the Web API; its parameters are those of OData, which are not held to anything."""
    return Call(method, DATA + path, answers, body, dict[str, str], headers={**VERSION, **headers})


CALLS = [
    Call("POST", r"/[\w.-]+/oauth2/v2\.0/token", TOKEN, TokenBody, content_type=FORM),
    _call("GET", "contacts", {200: Contacts}),
    _call("GET", "appointments", {200: Appointments}),
    _call("PATCH", r"contacts\(\w+='[0-9a-f]{1,64}'\)", {201: Contact}, NewContactBody, NEW),
    _call("PATCH", rf"contacts\({GUID}\)", {204: None}, ContactBody, {"if-match": r'(W/"\d+"|\*)'}),
    _call("PATCH", rf"appointments\({GUID}\)", {204: None}, NewAppointmentBody, NEW),
    _call("PATCH", rf"appointments\({GUID}\)", {204: None}, AppointmentBody, WHATEVER),
    _call("GET", CONTACT, {200: Definition}),
    _call("GET", CONTACT + STRINGS, {200: Strings | Columns}),
    _call("GET", rf"{CONTACT}/Attributes(/Microsoft\.Dynamics\.CRM\.{KINDS}AttributeMetadata)?", {200: Columns}),
    _call("GET", "systemusers", {200: Users}),
    _call("POST", f"{CONTACT}/Attributes", {204: None}, ColumnBody),
    _call("POST", f"{CONTACT}/Keys", {204: None}, KeyBody),
    _call("POST", "ReactivateEntityKey", {204: None}, ReactivateBody),
    _call("GET", "WhoAmI", {200: Who}),
    _call("GET", rf"systemusers\({GUID}\){HELD}", {200: Privileges}),
    _call("GET", "organizations", {200: Organizations}),
]


class DataverseConforming(Conforming):
    """Also knows that a refused token is answered with nothing, and too many calls with the seconds to wait."""

    def check_answer(self, call: Call, request: httpx.Request, response: httpx.Response) -> None:
        """Hold an answer to its call."""
        if response.status_code == 401 and not response.content:
            return
        if response.status_code == 429 and not response.headers["retry-after"].isdigit():
            raise Nonconforming("429 without the seconds to wait")
        super().check_answer(call, request, response)


def conforming(inner: httpx.AsyncBaseTransport, further: str = "(?!)") -> DataverseConforming:
    """Hold all that goes through `inner` to Dataverse's shapes; see `Conforming` for `further`."""
    return DataverseConforming(inner, CALLS, Error, further)
