"""Zoho CRM's published shapes, as models: every request of the adapter and every answer of the sandbox must fit.

From the class descriptions in Zoho's own Python SDK (zohocrmsdk8-0 7.0.0, API version 8) and, where it says more (statuses,
required members of errors), the vendor's OpenAPI files (github.com/zoho/crm-oas, v8.0). Tokens follow the page on refreshing
one, and the one error that was seen there. Tighter than published: no value that is written is blank, an upsert checks our
own field alone, a query has the form we use. Looser: the codes and texts of refusals are open, and their details too.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Annotated, Any, Literal

import httpx
from conforming import Call, Closed, Conforming, Nonconforming, Open
from pydantic import Field, StringConstraints

Text = Annotated[str, StringConstraints(min_length=1)]
#: Ids have more digits than a JSON number keeps, so they are texts.
Id = Annotated[str, StringConstraints(pattern=r"^[1-9][0-9]{0,19}$")]
Moment = Annotated[str, StringConstraints(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d\d:\d\d$")]
Code = Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Z0-9_]+$")]
Query = Annotated[str, StringConstraints(pattern=r"^select [\w, ]+ from (Contacts|Events) where .+ limit \d+ offset \d+$")]
#: Names of fields with commas between them; one call names at most 50.
Names = Annotated[str, StringConstraints(pattern=r"^\w+(,\w+){0,49}$")]
Kind = Literal[
    "text", "textarea", "integer", "double", "boolean", "date", "datetime", "picklist", "multiselectpicklist", "email",
    "phone", "website", "currency", "percent", "ownerlookup", "lookup",
]  # fmt: skip

# ---- requests ----


class One(Closed):
    """A look-up by id."""

    id: Id


class Contact(Closed):
    Email: Text | None = None
    Secondary_Email: Text | None = None
    First_Name: Text | None = None
    Last_Name: Text | None = None
    Mobile: Text | None = None
    Phone: Text | None = None
    #: Standard fields that `[sync.fields]` and `[sync.owner]` may write.
    Title: Text | None = None
    Lead_Source: Text | None = None
    Description: Text | None = None
    Owner: One | None = None
    Connector_Person_Key: Text | None = None


class NewContact(Contact):
    Last_Name: Text
    Connector_Person_Key: Text


class Event(Closed):
    Event_Title: Text | None = None
    Start_DateTime: Moment | None = None
    End_DateTime: Moment | None = None
    Venue: Text | None = None


class NewEvent(Event):
    Event_Title: Text
    Start_DateTime: Moment
    End_DateTime: Moment
    Description: Text | None = None
    Who_Id: One
    Connector_Marker: Text


class Body(Closed):
    """`record.BodyWrapper`; an empty list of triggers keeps workflows still."""

    trigger: Annotated[list[str], Field(max_length=0)] | None = None


class UpsertBody(Body):
    data: Annotated[list[NewContact], Field(min_length=1, max_length=100)]
    duplicate_check_fields: tuple[Literal["Connector_Person_Key"]]


class ContactBody(Body):
    data: Annotated[list[Contact], Field(min_length=1, max_length=100)]


class EventBody(Body):
    data: Annotated[list[Event], Field(min_length=1, max_length=100)]


class NewEventBody(Body):
    """Events cannot be upserted."""

    data: Annotated[list[NewEvent], Field(min_length=1, max_length=100)]


class CoqlBody(Closed):
    select_query: Query


class NewField(Closed):
    class Unique(Closed):
        case_sensitive: bool

    field_label: Text
    data_type: Literal["text"]
    length: Annotated[int, Field(ge=1, le=255)]
    unique: Unique | None = None


class FieldsBody(Closed):
    fields: Annotated[list[NewField], Field(min_length=1, max_length=5)]


class TokenBody(Closed):
    grant_type: Literal["refresh_token"]
    client_id: Text
    client_secret: Text
    refresh_token: Text


class FieldsQuery(Closed):
    fields: Names


class ModuleQuery(Closed):
    module: Literal["Contacts", "Events"]


class UsersQuery(Closed):
    type: Literal["ActiveUsers"]
    page: Annotated[str, StringConstraints(pattern=r"^[1-9]\d{0,3}$")]
    per_page: Annotated[str, StringConstraints(pattern=r"^(1?\d?\d|200)$")]


# ---- answers ----


class Person(Open):
    """`users.MinifiedUser`, or a contact as a look-up answers it."""

    id: Id
    name: str | None = None
    email: str | None = None


class Record(Open):
    """`record.Record`: members that nobody filled in are null."""

    id: Id
    Email: str | None = None
    Secondary_Email: str | None = None
    First_Name: str | None = None
    Last_Name: str | None = None
    Mobile: str | None = None
    Phone: str | None = None
    Owner: Person | None = None
    Created_Time: Moment | None = None
    Modified_Time: Moment | None = None
    Connector_Person_Key: str | None = None
    Start_DateTime: Moment | None = None
    End_DateTime: Moment | None = None
    Who_Id: Person | None = None
    Connector_Marker: str | None = None


class Info(Open):
    count: int
    more_records: bool


class Records(Closed):
    """`record.ResponseWrapper` of one record by its id: without `info`."""

    data: Annotated[list[Record], Field(min_length=1)]


class Found(Records):
    """`coql.ResponseWrapper`."""

    info: Info


class Error(Closed):
    """`record.APIException`; `details` of several errors hold each of them."""

    class Details(Open):
        class Holder(Open):
            class Module(Open):
                api_name: str
                id: Id

            id: Id
            Owner: Person | None = None
            module: Module | None = None

        id: Id | None = None
        api_name: str | None = None
        json_path: str | None = None
        expected_data_type: str | None = None
        maximum_length: str | None = None
        param_name: str | None = None
        resource_path_index: int | None = None
        limit: int | None = None
        permissions: list[str] | None = None
        duplicate_record: Holder | None = None
        errors: list[Error] | None = None

    code: Code
    details: Details
    message: str
    status: Literal["error"]


class Success(Closed):
    """`record.SuccessResponse`."""

    class Details(Closed):
        id: Id
        Created_Time: Moment
        Modified_Time: Moment
        Created_By: Person
        Modified_By: Person

    code: Literal["SUCCESS"]
    details: Details
    message: str
    status: Literal["success"]


class Inserted(Success):
    action: Literal["insert"]
    duplicate_field: None


class Updated(Success):
    action: Literal["update"]
    duplicate_field: str | None


class FieldMade(Closed):
    class Details(Closed):
        id: Id

    code: Literal["SUCCESS"]
    details: Details
    message: str
    status: Literal["success"]


class Results(Closed):
    """`record.ActionWrapper`: one result for each record, in their order."""

    data: Annotated[list[Success | Error], Field(min_length=1)]


class UpsertResults(Closed):
    data: Annotated[list[Inserted | Updated | Error], Field(min_length=1)]


class FieldResults(Closed):
    fields: Annotated[list[FieldMade | Error], Field(min_length=1)]


class Definition(Open):
    class Unique(Open):
        case_sensitive: bool | None = None

    class Option(Open):
        actual_value: str
        display_value: str

    id: Id
    api_name: str
    field_label: str
    data_type: Kind
    length: int
    unique: Unique
    custom_field: bool
    read_only: bool
    pick_list_values: list[Option]


class Definitions(Open):
    fields: Annotated[list[Definition], Field(min_length=1)]


class Users(Open):
    class User(Open):
        id: Id
        email: str

    class More(Open):
        more_records: bool

    users: Annotated[list[User], Field(min_length=1)]
    info: More


class Token(Closed):
    access_token: Text
    api_domain: str
    token_type: Literal["Bearer"]
    expires_in: int


class TokenError(Open):
    """Also with status 200."""

    error: Text


# ---- calls ----

API = r"/crm/v8/"
ID = r"/[1-9][0-9]{0,19}"
KEY = {"authorization": r"Zoho-oauthtoken \S+"}
FORM = "application/x-www-form-urlencoded"


def _written(shape: Any) -> dict[int, Any]:
    """The answers to a write; which status a refused record has is not documented, and the vendor's files disagree."""
    return {200: shape, 201: shape, 202: shape, 207: shape, 400: shape | Error}


CALLS = [
    # No token is sent to fetch one.
    Call(
        "POST",
        "/oauth/v2/token",
        {200: Token | TokenError, 400: TokenError},
        TokenBody,
        content_type=FORM,
        headers={"authorization": "(?!.)"},
    ),
    Call("GET", f"{API}(Contacts|Events){ID}", {200: Records, 204: None}, query=FieldsQuery, headers=KEY),
    Call("POST", f"{API}coql", {200: Found, 204: None}, CoqlBody, headers=KEY),
    Call("POST", f"{API}Contacts/upsert", _written(UpsertResults), UpsertBody, headers=KEY),
    Call("PUT", f"{API}Contacts{ID}", _written(Results), ContactBody, headers=KEY),
    Call("POST", f"{API}Events", _written(Results), NewEventBody, headers=KEY),
    Call("PUT", f"{API}Events{ID}", _written(Results), EventBody, headers=KEY),
    Call("GET", f"{API}users", {200: Users, 204: None}, query=UsersQuery, headers=KEY),
    Call("GET", f"{API}settings/fields", {200: Definitions}, query=ModuleQuery, headers=KEY),
    Call("POST", f"{API}settings/fields", _written(FieldResults), FieldsBody, query=ModuleQuery, headers=KEY),
]

#: The fields that accounts have from the start, as far as we name them, and our own.
FIELDS = {
    "Contacts": {*Contact.model_fields, "id", "Home_Phone", "Created_Time", "Modified_Time"},
    "Events": {*NewEvent.model_fields, "id", "What_Id", "Participants"},
}
QUERY = re.compile(r"select (?P<columns>[\w, ]+) from (?P<module>\w+) where (?P<where>.+) limit (?P<limit>\d+) offset \d+")


class ZohoConforming(Conforming):
    """Also holds queries to the language and to the fields of their module, and records to the fields that were asked for.

    Fields whose names match `further` are the user's own. `exchanges` keeps what was answered.
    """

    def __init__(self, inner: httpx.AsyncBaseTransport, further: str = "(?!)") -> None:
        super().__init__(inner, CALLS, Error)
        self._own = further
        self.exchanges: list[tuple[httpx.Request, httpx.Response]] = []

    def check_request(self, call: Call, request: httpx.Request) -> None:
        """Hold a request to its call, apart from the user's own fields."""
        super().check_request(call, self._without_own(request))
        module, columns = asked_for(request)
        if strange := self._named(columns) - FIELDS.get(module, set()):
            raise Nonconforming(f"{module} has no field {', '.join(sorted(strange))}")
        if request.url.path.endswith("/coql"):
            self._check_query(json.loads(request.content)["select_query"])

    def _without_own(self, request: httpx.Request) -> httpx.Request:
        """The request without the user's own fields in the records that it writes."""
        body = json.loads(request.content) if request.headers.get("content-type") == "application/json" else None
        if not isinstance(body, dict) or not isinstance(body.get("data"), list):
            return request
        body["data"] = [{name: record[name] for name in self._named(record)} for record in body["data"]]
        headers = {name: value for name, value in request.headers.items() if name != "content-length"}
        return httpx.Request(request.method, request.url, headers=headers, content=json.dumps(body))

    def _named(self, names: Iterable[str]) -> set[str]:
        return {name for name in names if not re.fullmatch(self._own, name)}

    def _check_query(self, text: str) -> None:
        query = QUERY.fullmatch(text)
        assert query is not None, "CoqlBody let it through"
        where = re.sub(r"'(?:[^']|'')*'", "''", query["where"])
        used = self._named(re.findall(r"(\w+) (?:=|in\b)", where))
        if used - FIELDS[query["module"]] or "Description" in used:
            raise Nonconforming("the criteria name a field that cannot be asked for")
        if int(query["limit"]) > 200:
            raise Nonconforming("more than 200 records cost more than one credit")
        if any(len(values.split(", ")) > 50 for values in re.findall(r"in \(([^()]*)\)", where)):
            raise Nonconforming("more than 50 values in one list")
        if re.sub(r"\w+ (= ''|in \(''(, '')*\))| or | and |[()]", "", where):
            raise Nonconforming("the criteria are not of the form we use")

    def check_answer(self, call: Call, request: httpx.Request, response: httpx.Response) -> None:
        """Hold an answer to its call, and its records to the request."""
        super().check_answer(call, request, response)
        self.exchanges.append((request, response))
        _, columns = asked_for(request)
        if response.status_code == 204:
            return
        if columns and response.status_code == 200:
            for record in response.json()["data"]:
                if record.keys() != {"id", *columns}:
                    raise Nonconforming(f"{call.path}: a record has other fields than those that were asked for")
        elif response.status_code < 300 and "/json" in request.headers.get("content-type", ""):
            sent, answered = json.loads(request.content), response.json()
            for name in ("data", "fields"):
                if name in sent and len(sent[name]) != len(answered[name]):
                    raise Nonconforming(f"{call.path}: not one result for each record")


def asked_for(request: httpx.Request) -> tuple[str, list[str]]:
    """The module and the fields that a request wants to read; no fields where it reads no records."""
    if request.url.path.endswith("/coql"):
        query = QUERY.fullmatch(json.loads(request.content).get("select_query", ""))
        return (query["module"], query["columns"].split(", ")) if query is not None else ("", [])
    names = request.url.params.get("fields")
    return (request.url.path.split("/")[3], names.split(",")) if names else ("", [])


def conforming(inner: httpx.AsyncBaseTransport, further: str = "(?!)") -> ZohoConforming:
    """Hold all that goes through `inner` to Zoho's shapes; see `ZohoConforming` for `further`."""
    return ZohoConforming(inner, further)
