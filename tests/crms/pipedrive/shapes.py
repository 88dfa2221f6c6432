"""Pipedrive's published shapes, as models: every request of the adapter and every answer of the sandbox must fit.

From the vendor's OpenAPI files of 2026-08 (https://developers.pipedrive.com/docs/api/v1/openapi-v2.yaml and openapi-v1.yaml),
compared with them by script: each member is there, with the same type. Tighter than published, where the service is too or
where the adapter promises more: a new person has a name, a new activity a subject and a type, no list entry is blank, an
address and a number have a label. Looser: answers may say null for what is blank, which the files say of fields alone; the
search takes a list of fields, of which the files know one each; a refusal's body follows the page on errors.

Only members that one of both sides uses are named: another one does not fit.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import httpx
from conforming import Call, Closed, Conforming
from pydantic import Field, StringConstraints

Moment = Annotated[str, StringConstraints(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")]
Date = Annotated[str, StringConstraints(pattern=r"^\d{4}-\d\d-\d\d$")]
Minutes = Annotated[str, StringConstraints(pattern=r"^\d\d:\d\d(:\d\d)?$")]
Text = Annotated[str, StringConstraints(min_length=1)]
Id = Annotated[int, Field(ge=1)]
#: Whole numbers in an address.
Number = Annotated[str, StringConstraints(pattern=r"^[1-9][0-9]{0,17}$")]
Limit = Annotated[str, StringConstraints(pattern=r"^([1-9]|[1-9]\d|[1-4]\d\d|500)$")]
#: The code of a field; those of the company's own are 40 hexadecimal digits.
Code = Annotated[str, StringConstraints(pattern=r"^[a-z0-9_]+$")]
Kind = Literal[
    "int", "double", "boolean", "varchar", "text", "phone", "varchar_options", "varchar_auto", "date", "daterange", "time",
    "timerange", "enum", "set", "address", "monetary", "deal", "deals", "lead", "org", "people", "project", "stage", "user",
    "activity", "json", "picture", "status", "visible_to", "price_list", "billing_frequency", "projects_board",
    "projects_phase",
]  # fmt: skip

# ---- requests ----


class Reach(Closed):
    """An e-mail address or a phone."""

    value: Text
    primary: bool
    label: Text


class PersonBody(Closed):
    name: Text | None = None
    emails: list[Reach] | None = None
    phones: list[Reach] | None = None
    owner_id: Id | None = None
    #: No value is blank: null would clear it.
    custom_fields: dict[Code, Text | int | float | list[int | str]] | None = None


class NewPersonBody(PersonBody):
    name: Text


class Location(Closed):
    value: Text


class Participant(Closed):
    person_id: Id
    primary: bool


class ActivityBody(Closed):
    subject: Text | None = None
    busy: bool | None = None
    done: bool | None = None
    due_date: Date | None = None
    due_time: Minutes | None = None
    duration: Minutes | None = None
    location: Location | None = None
    public_description: Text | None = None


class NewActivityBody(ActivityBody):
    subject: Text
    type: Text
    note: Text
    participants: Annotated[list[Participant], Field(min_length=1)]


class Label(Closed):
    label: Text


class FieldBody(Closed):
    field_name: Annotated[str, Field(min_length=1, max_length=255)]
    field_type: Literal[
        "varchar", "text", "double", "phone", "date", "daterange", "time", "timerange", "set", "enum", "varchar_auto",
        "address", "monetary", "org", "people", "user",
    ]  # fmt: skip
    options: list[Label] | None = None


class MergeBody(Closed):
    merge_with_id: Id


class TokenBody(Closed):
    grant_type: Literal["refresh_token"]
    refresh_token: Text


class OneQuery(Closed):
    custom_fields: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{40}(,[0-9a-f]{40}){0,14}$")] | None = None


class PageQuery(Closed):
    limit: Limit | None = None
    cursor: Text | None = None


class PersonsQuery(OneQuery, PageQuery):
    ids: Annotated[str, StringConstraints(pattern=r"^\d+(,\d+){0,99}$")] | None = None
    updated_since: Moment | None = None
    sort_by: Literal["id", "update_time", "add_time"] | None = None
    sort_direction: Literal["asc", "desc"] | None = None


class SearchQuery(PageQuery):
    term: Text
    fields: Annotated[str, StringConstraints(pattern=r"^(custom_fields|email|notes|phone|name)(,(email|phone|name))*$")]
    exact_match: Literal["true", "false"]


class ActivitiesQuery(PageQuery):
    person_id: Number | None = None


# ---- answers ----


class Held(Closed):
    """An e-mail address or a phone, as it is kept."""

    value: str
    primary: bool
    label: str


class Person(Closed):
    id: int
    name: str
    first_name: str | None
    last_name: str | None
    owner_id: int
    org_id: int | None
    add_time: Moment
    update_time: Moment
    emails: list[Held]
    phones: list[Held]
    is_deleted: bool
    visible_to: int
    label_ids: list[int]
    picture_id: int | None
    custom_fields: dict[str, Any]


class Activity(Closed):
    id: int
    subject: str
    type: str
    owner_id: int
    creator_user_id: int
    is_deleted: bool
    add_time: Moment
    update_time: Moment
    deal_id: int | None
    lead_id: str | None
    person_id: int | None
    org_id: int | None
    project_id: int | None
    due_date: Date | None
    due_time: Minutes | None
    duration: Minutes | None
    busy: bool
    done: bool
    location: Location | None
    participants: list[Participant] | None
    public_description: str | None
    priority: int | None
    note: str | None


class Hit(Closed):
    class Owner(Closed):
        id: int

    class Organization(Closed):
        id: int
        name: str

    id: int
    type: Literal["person"]
    name: str
    phones: list[str]
    emails: list[str]
    visible_to: int
    owner: Owner | None = None
    organization: Organization | None = None
    custom_fields: list[str]
    notes: list[str]


class Found(Closed):
    class Item(Closed):
        result_score: float
        item: Hit

    items: list[Item]


class Option(Closed):
    id: int | str
    label: str


class Definition(Closed):
    field_name: str
    field_code: str
    field_type: Kind
    is_custom_field: bool
    is_optional_response_field: bool
    options: list[Option] | None = None
    subfields: list[Any] | None = None


class Identity(Closed):
    id: int


class User(Closed):
    id: int
    email: str
    active_flag: bool


class Me(Closed):
    id: int
    name: str
    company_id: int
    timezone_name: str


class ActivityType(Closed):
    id: int
    key_string: str
    active_flag: bool


class More(Closed):
    next_cursor: str | None


class Success(Closed):
    success: Literal[True]


class OnePerson(Success):
    data: Person


class Persons(Success):
    data: list[Person]
    additional_data: More


class Search(Success):
    data: Found
    additional_data: More


class OneActivity(Success):
    data: Activity


class Activities(Success):
    data: list[Activity]
    additional_data: More


class OneDefinition(Success):
    data: Definition


class Definitions(Success):
    data: list[Definition]
    additional_data: More


class Gone(Success):
    data: Identity


class Users(Success):
    data: list[User]


class Myself(Success):
    data: Me


class ActivityTypes(Success):
    data: list[ActivityType]


class Token(Closed):
    access_token: str
    token_type: Literal["Bearer"]
    refresh_token: str
    scope: str
    expires_in: int


class Refusal(Closed):
    success: Literal[False]
    error: str
    error_info: str
    errorCode: int  # noqa: N815 - the vendor's name


class TokenRefusal(Closed):
    """Not described in the files: what the page on refreshing a token shows."""

    success: Literal[False]
    error: str


# ---- calls ----

PERSONS, ACTIVITIES, FIELDS = "/api/v2/persons", "/api/v2/activities", "/api/v2/personFields"
ID = r"/[0-9]+"
CALLS = [
    Call("GET", f"{PERSONS}/search", {200: Search}, query=SearchQuery),
    Call("GET", f"{PERSONS}{ID}", {200: OnePerson}, query=OneQuery),
    Call("GET", PERSONS, {200: Persons}, query=PersonsQuery),
    Call("POST", PERSONS, {200: OnePerson}, NewPersonBody),
    Call("PATCH", f"{PERSONS}{ID}", {200: OnePerson}, PersonBody),
    Call("DELETE", f"{PERSONS}{ID}", {200: Gone}),
    Call("GET", f"{ACTIVITIES}{ID}", {200: OneActivity}),
    Call("GET", ACTIVITIES, {200: Activities}, query=ActivitiesQuery),
    Call("POST", ACTIVITIES, {200: OneActivity}, NewActivityBody),
    Call("PATCH", f"{ACTIVITIES}{ID}", {200: OneActivity}, ActivityBody),
    Call("DELETE", f"{ACTIVITIES}{ID}", {200: Gone}),
    Call("GET", f"{FIELDS}/[0-9a-z_]+", {200: OneDefinition}),
    Call("GET", FIELDS, {200: Definitions}, query=PageQuery),
    Call("POST", FIELDS, {200: OneDefinition}, FieldBody),
    Call("PUT", f"/v1/persons{ID}/merge", {200: Gone}, MergeBody),
    Call("GET", "/v1/users", {200: Users}),
    Call("GET", "/v1/users/me", {200: Myself}),
    Call("GET", "/v1/activityTypes", {200: ActivityTypes}),
    Call(
        "POST",
        "/oauth/token",
        {200: Token, 400: TokenRefusal, 401: TokenRefusal},
        TokenBody,
        content_type="application/x-www-form-urlencoded",
        headers={"authorization": r"Basic [A-Za-z0-9+/]+=*"},
    ),
]


def conforming(inner: httpx.AsyncBaseTransport) -> Conforming:
    """Hold all that goes through `inner` to Pipedrive's shapes."""
    return Conforming(inner, CALLS, Refusal)
