"""The shapes of Tryton's REST calls, as models: requests, and answers of the real server and of the sandbox, must fit.

Tryton publishes no description of this API. The forms are those of its source (trytond/protocols/rest.py, of series 8.2) and
of the answers that a server of 8.2 gave; the tests that run against the real server hold that server to them. Booleans may be
numbers, which is what SQLite answers.
"""

from __future__ import annotations

from typing import Annotated, Literal

import httpx
from conforming import Call, Closed, Conforming, Nonconforming
from pydantic import Field, JsonValue, StringConstraints

Text = Annotated[str, StringConstraints(min_length=1)]
Id = Annotated[int, Field(ge=1)]
YesNo = bool | Annotated[int, Field(ge=0, le=1)]
#: A domain: clauses and lists of them, perhaps after "OR".
Domain = list[JsonValue]

# ---- requests ----


class Search(Closed):
    domain: Domain
    fields_names: Annotated[list[Text], Field(min_length=1)]
    order: tuple[tuple[Literal["id"], Literal["ASC"]]]
    limit: Id | None


class NewMechanism(Closed):
    type: Literal["email", "mobile", "phone"]
    value: Text


Mechanisms = tuple[tuple[Literal["create"], Annotated[list[NewMechanism], Field(min_length=1)]]]


class PartyBody(Closed):
    name: Text | None = None
    contact_mechanisms: Mechanisms | None = None


class NewPartyBody(PartyBody):
    name: Text
    code: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class AttachmentBody(Closed):
    name: Text
    description: Text


class NewAttachmentBody(AttachmentBody):
    type: Literal["link"]
    resource: Annotated[str, StringConstraints(pattern=r"^party\.party,[1-9]\d*$")]


class AccessBody(Closed):
    models: Annotated[list[Text], Field(min_length=1)]


class FieldsQuery(Closed):
    """The fields of the answer, each in a parameter of its own."""

    f: Text


# ---- answers ----


class Stamp(Closed):
    kind: Literal["datetime"] = Field(alias="__class__")
    year: int
    month: int
    day: int
    hour: int
    minute: int
    second: int
    microsecond: int


class Mechanism(Closed):
    id: Id
    type: str
    value: str
    value_compact: str | None


class MadeMechanism(Mechanism):
    model: Literal["party.contact_mechanism"] = Field(alias="__name__")


class Party(Closed):
    id: Id
    name: str | None
    code: str
    active: YesNo
    replaced_by: Id | None
    create_date: Stamp
    write_date: Stamp | None


class FoundParty(Party):
    mechanisms: list[Mechanism] = Field(alias="contact_mechanisms.")


class MadeParty(Party):
    model: Literal["party.party"] = Field(alias="__name__")
    contact_mechanisms: list[MadeMechanism]


class Identity(Closed):
    id: Id


class WrittenParty(Identity):
    model: Literal["party.party"] = Field(alias="__name__")


class WrittenAttachment(Identity):
    model: Literal["ir.attachment"] = Field(alias="__name__")


class Name(Identity):
    name: str


class Description(Identity):
    description: str | None


class Access(Closed):
    read: YesNo
    write: YesNo
    create: YesNo
    delete: YesNo


class Refusal(Closed):
    """What else is refused is answered with a page."""

    status: Literal[400]
    message: str
    description: str


# ---- calls ----

MODEL = r"/\w+/rest/model/"
KEY = {"authorization": r"[Bb]earer \S+"}
CALLS = [
    Call("POST", MODEL + r"party\.party/search_read", {200: list[FoundParty] | list[Identity]}, Search, headers=KEY),
    Call("POST", MODEL + r"ir\.attachment/search_read", {200: list[Name] | list[Description]}, Search, headers=KEY),
    Call("POST", MODEL + r"ir\.model\.access/get_access", {200: dict[str, Access]}, AccessBody, headers=KEY),
    Call("POST", MODEL + r"party\.party", {200: MadeParty, 400: Refusal}, NewPartyBody, FieldsQuery, headers=KEY),
    Call("PUT", MODEL + r"party\.party/[1-9]\d*", {200: WrittenParty, 400: Refusal}, PartyBody, FieldsQuery, headers=KEY),
    Call(
        "POST", MODEL + r"ir\.attachment", {200: WrittenAttachment, 400: Refusal}, NewAttachmentBody, FieldsQuery, headers=KEY
    ),
    Call(
        "PUT",
        MODEL + r"ir\.attachment/[1-9]\d*",
        {200: WrittenAttachment, 400: Refusal},
        AttachmentBody,
        FieldsQuery,
        headers=KEY,
    ),
]


class TrytonConforming(Conforming):
    """Also holds the answers with a page to the statuses that Tryton gives one with."""

    def check_answer(self, call: Call, request: httpx.Request, response: httpx.Response) -> None:
        """Hold an answer in JSON to its call: only a success and a refusal are."""
        if response.status_code not in (200, 400):
            raise Nonconforming(f"{call.method} {call.path}: the answer {response.status_code} is a page")
        super().check_answer(call, request, response)


def conforming(inner: httpx.AsyncBaseTransport) -> TrytonConforming:
    """Hold all that goes through `inner` to Tryton's shapes."""
    return TrytonConforming(inner, CALLS, Refusal)
