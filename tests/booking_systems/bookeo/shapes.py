"""Bookeo's published shapes, as models: every request of the adapter and every answer of the sandbox must fit.

Paths and the names of parameters are those of a public listing of Bookeo's API v2 of 2018 (CC-BY 3.0), compared with it by
script; it has no types and no bodies. Those are the fields of public clients, whose comments follow the vendor's description,
and of the vendor's own sample (README.md of the adapter, "Sources"). The vendor's reference: https://www.bookeo.com/apiref/.
Not in that listing, and taken from newer public clients: GET /settings/customercustomfields, `mode` of PUT /customers/{id}.

An object may have members that nobody has described: they are sent back as they came.
"""
# ruff: noqa: N815 - the names are the vendor's

from __future__ import annotations

from typing import Annotated, Any, Literal

import httpx
from conforming import Call, Closed, Conforming, Open
from pydantic import Field, StringConstraints

Text = Annotated[str, StringConstraints(min_length=1)]
#: RFC 3339 with an offset.
Moment = Annotated[str, StringConstraints(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$")]
Whole = Annotated[str, StringConstraints(pattern=r"^[1-9]\d{0,8}$")]
Items = Annotated[str, StringConstraints(pattern=r"^([1-9]|[1-9]\d|100)$")]
YesNo = Literal["true", "false"]
Domain = Literal["bookings", "seatblocks", "resourceblocks", "customers", "payments"]
Type = Literal["created", "updated", "deleted"]

# ---- objects ----


class Phone(Open):
    number: str
    type: Literal["mobile", "work", "home", "fax"]


class CustomField(Open):
    """Addressed by its id or its name; a checkbox is a text too."""

    id: str | None = None
    name: str | None = None
    value: str | None = None


class Customer(Open):
    id: Text
    firstName: str | None = None
    middleName: str | None = None
    lastName: str | None = None
    emailAddress: str | None = None
    phoneNumbers: list[Phone] | None = None
    streetAddress: dict[str, Any] | None = None
    gender: Literal["male", "female", "unknown"] | None = None
    languageCode: str | None = None
    customFields: list[CustomField] | None = None
    credit: dict[str, str] | None = None
    acceptSmsReminders: bool | None = None
    member: bool | None = None
    numBookings: int | None = None
    numCancelations: int | None = None
    numNoShows: int | None = None
    creationTime: Moment | None = None


class Participants(Open):
    class Number(Open):
        peopleCategoryId: str
        number: int

    numbers: list[Number]
    details: list[Any] | None = None


class Booking(Open):
    bookingNumber: Text
    eventId: str | None = None
    startTime: Moment
    endTime: Moment
    customerId: Text
    customer: Customer | None = None
    title: str | None = None
    externalRef: Annotated[str, Field(max_length=64)] | None = None
    participants: Participants | None = None
    canceled: bool
    cancelationTime: Moment | None = None
    accepted: bool | None = None
    noShow: bool | None = None
    privateEvent: bool | None = None
    creationTime: Moment
    lastChangeTime: Moment | None = None
    productName: str | None = None
    productId: str | None = None


# ---- requests ----


class PagedQuery(Closed):
    itemsPerPage: Items | None = None
    pageNavigationToken: Text | None = None
    pageNumber: Whole | None = None


class CustomersQuery(PagedQuery):
    createdSince: Moment | None = None
    currentMembers: YesNo | None = None
    currentNonMembers: YesNo | None = None
    searchField: Literal["name", "firstName", "lastName", "emailAddress"] | None = None
    searchText: Text | None = None


class BookingsQuery(PagedQuery):
    startTime: Moment | None = None
    endTime: Moment | None = None
    lastUpdatedStartTime: Moment | None = None
    lastUpdatedEndTime: Moment | None = None
    includeCanceled: YesNo | None = None
    expandCustomer: YesNo | None = None
    expandParticipants: YesNo | None = None
    productId: Text | None = None


class BookingQuery(Closed):
    expandCustomer: YesNo | None = None
    expandParticipants: YesNo | None = None


class CustomerWrite(Closed):
    mode: Literal["backend"] | None = None


class BookingWrite(Closed):
    """Nobody is told of what we write."""

    mode: Literal["backend"]
    notifyUsers: Literal["false"]
    notifyCustomer: Literal["false"]


class BookingBody(Booking):
    """What public code leaves out of a booking that is sent back."""

    startTime: None = None
    endTime: None = None
    customer: None = None


class WebhookBody(Closed):
    url: Annotated[str, StringConstraints(pattern=r"^https://|^http://(127\.0\.0\.1|localhost)[:/]")]
    domain: Domain
    type: Type


# ---- answers ----


class Info(Closed):
    totalItems: int
    totalPages: int
    currentPage: int
    pageNavigationToken: Text | None = None


class Customers(Closed):
    info: Info
    data: list[Customer]


class Bookings(Closed):
    info: Info
    data: list[Booking]


class Webhook(Closed):
    id: Text
    url: str
    domain: Domain
    type: Type
    blockedTime: Moment | None = None
    blockedReason: str | None = None


class Webhooks(Closed):
    info: Info
    data: list[Webhook]


class FieldDefinition(Open):
    id: Text
    name: str
    shownToCustomers: bool
    forCustomer: bool
    forParticipants: bool
    index: int


class FieldDefinitions(Closed):
    choiceFields: list[FieldDefinition] | None = None
    numberFields: list[FieldDefinition] | None = None
    onOffFields: list[FieldDefinition] | None = None
    textFields: list[FieldDefinition] | None = None


class KeyInfo(Closed):
    accountId: Text
    permissions: list[str]
    creationTime: Moment


class Refusal(Closed):
    """`message` is seen in public code, the other members are likely; `retryAfter` stands in a 429."""

    message: str
    httpStatus: int | None = None
    errorId: str | None = None
    retryAfter: int | float | None = None


# ---- messages to a webhook ----


class CustomerMessage(Closed):
    """A deletion may come without the item."""

    itemId: Text
    timestamp: Moment
    item: Customer | None = None


class BookingMessage(Closed):
    itemId: Text
    timestamp: Moment
    item: Booking | None = None


class MessageHeaders(Open):
    """Names in lower case."""

    timestamp: Annotated[str, StringConstraints(pattern=r"^\d{13}$"), Field(alias="x-bookeo-timestamp")]
    message_id: Annotated[Text, Field(alias="x-bookeo-messageid")]
    signature: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$"), Field(alias="x-bookeo-signature")]


# ---- calls ----

KEYS = {"x-bookeo-secretkey": r"\S+", "x-bookeo-apikey": r"\S+"}
ID = "/[^/]+"
CALLS = [
    Call("GET", "/v2/customers", {200: Customers}, query=CustomersQuery, headers=KEYS),
    Call("GET", f"/v2/customers{ID}", {200: Customer}, headers=KEYS),
    Call("PUT", f"/v2/customers{ID}", {200: Customer}, Customer, CustomerWrite, headers=KEYS, may_be_empty=True),
    Call("GET", "/v2/bookings", {200: Bookings}, query=BookingsQuery, headers=KEYS),
    Call("GET", f"/v2/bookings{ID}", {200: Booking}, query=BookingQuery, headers=KEYS),
    Call("PUT", f"/v2/bookings{ID}", {200: Booking}, BookingBody, BookingWrite, headers=KEYS, may_be_empty=True),
    Call("GET", f"/v2/bookings{ID}/customer", {200: Customer}, headers=KEYS),
    Call("GET", "/v2/settings/apikeyinfo", {200: KeyInfo}, headers=KEYS),
    Call("GET", "/v2/settings/customercustomfields", {200: FieldDefinitions}, headers=KEYS),
    Call("GET", "/v2/webhooks", {200: Webhooks}, headers=KEYS),
    Call("POST", "/v2/webhooks", {200: None, 201: None}, WebhookBody, headers=KEYS),
    Call("GET", f"/v2/webhooks{ID}", {200: Webhook}, headers=KEYS),
    Call("DELETE", f"/v2/webhooks{ID}", {204: None}, headers=KEYS),
]


def conforming(inner: httpx.AsyncBaseTransport) -> Conforming:
    """Hold all that goes through `inner` to Bookeo's shapes."""
    return Conforming(inner, CALLS, Refusal)
