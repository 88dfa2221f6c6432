"""Booxi's documented shapes, as models: every request of the adapter and every answer of the sandbox must fit.

From Booxi's support pages (client linking, module links, history of a client, merchants) and, for the members of objects, the
models of a public PHP client; Booxi publishes no machine-readable description that we know of. Every member may be missing or
null, unless we could not do without it. Looser: whether a list of bookings carries links is not said, and a write of a link may
be answered without a body.

Only members that one of both sides uses are named: another one does not fit.
"""
# ruff: noqa: N815 - the names are the vendor's

from __future__ import annotations

from typing import Annotated, Any, Literal

import httpx
from conforming import Call, Closed, Conforming
from pydantic import Field, StringConstraints

Text = Annotated[str, StringConstraints(min_length=1)]
Id = Annotated[int, Field(ge=1)]
#: Whole numbers in an address.
Number = Annotated[str, StringConstraints(pattern=r"^\d{1,18}$")]
Moment = Annotated[str, StringConstraints(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$")]

# ---- requests ----


class LinkBody(Closed):
    """Replaces the external id and the metadata; how a link is taken off is not said, so an empty id is let through."""

    externalId: str
    metadata: dict[str, Any] | None = None


class BookingsQuery(Closed):
    """Both times are mandatory; a cursor goes on with the same question."""

    from_: Moment = Field(alias="from")
    to: Moment
    clientId: Number | None = None
    merchantId: Number | None = None
    order: Literal["Ascending", "Descending"] | None = None
    cursor: Text | None = None


class MerchantsQuery(Closed):
    offset: Number | None = None
    limit: Number | None = None


# ---- answers ----


class Link(Closed):
    """`ClientModuleLink`; an empty one stands for none."""

    clientId: Id | None = None
    moduleId: str | None = None
    externalId: str | None = None
    metadata: dict[str, Any] | None = None
    createdOn: Moment | None = None
    modifiedOn: Moment | None = None


class Person(Closed):
    firstName: str | None = None
    lastName: str | None = None
    email: str | None = None
    homePhoneNumber: str | None = None
    mobilePhoneNumber: str | None = None


class Client(Person):
    """The record of a client."""

    id: Id
    merchantId: int | None = None
    status: Literal["Active", "Blocked"] | None = None
    createdOn: Moment | None = None
    modifiedOn: Moment | None = None


class BookingClient(Person):
    """The client of a booking: less than the record."""

    id: Id
    presence: Literal["Expecting", "Arrived", "NoShow"] | None = None
    isAttending: bool | None = None


class Attendee(BookingClient):
    isRequester: bool | None = None


class Timespan(Closed):
    start: Moment
    end: Moment
    duration: int


class Item(Closed):
    serviceId: int
    serviceName: str | None = None


class Booking(Closed):
    bookingId: Text
    merchantId: int | None = None
    bookingMethod: Literal["Appointment", "GroupReservation", "Reservation", "Rental"] | None = None
    status: Literal["PendingStaffApproval", "PendingClientApproval", "Approved", "Cancelled"] | None = None
    isCompleted: bool | None = None
    startsOn: Moment | None = None
    totalClientTimespan: Timespan | None = None
    staffId: int | None = None
    staffFirstName: str | None = None
    staffLastName: str | None = None
    items: list[Item] | None = None
    location: Literal["Business", "Home", "Phone", "VideoConference", "Custom"] | None = None
    locationText: str | None = None
    client: BookingClient | None = None
    attendees: list[Attendee] | None = None
    groupEventId: int | None = None
    quickNote: str | None = None
    createdOn: Moment | None = None
    modifiedOn: Moment | None = None


class Merchant(Closed):
    id: Id
    name: str | None = None
    storeNumber: str | None = None
    timeZone: str | None = None


class Linked(Closed):
    link: Link | None
    client: Client


class Bookings(Closed):
    bookings: list[Booking]
    groupEvents: list[Any] | None = None
    services: list[Any] | None = None
    #: One object in the public client, though many are likelier.
    staff: Any = None
    merchants: list[Merchant] | None = None
    resources: list[Any] | None = None
    clientLinks: list[Link] | None = None
    cursor: str | None = None


class OneBooking(Closed):
    booking: Booking
    groupEvents: list[Any] | None = None


class Merchants(Closed):
    offset: int
    limit: int
    total: int
    items: list[Merchant]


class Refusal(Closed):
    """`ErrorMessage`; `ClientMergedRedirect` adds the id of the client that goes on, a conflict says of what kind it is."""

    message: str
    code: int
    newClientId: Id | None = None
    error: Literal["InvalidExternalId"] | None = None


class Merged(Refusal):
    """With which status it comes is not said."""

    newClientId: Id


# ---- calls ----

API = "/booking/v1"
KEY = {"booxi-partnerkey": r"\S+"}
LINK = rf"{API}/client/\d+/moduleLink/[^/]+"
CALLS = [
    Call("GET", rf"{API}/client/\d+", {200: Client | Merged}, headers=KEY),
    Call("GET", LINK, {200: Linked | Merged}, headers=KEY),
    Call("PUT", LINK, {200: Linked | Merged, 204: None}, LinkBody, headers=KEY, may_be_empty=True),
    Call("GET", f"{API}/booking", {200: Bookings}, query=BookingsQuery, headers=KEY),
    Call("GET", rf"{API}/booking/[^/]+", {200: OneBooking}, headers=KEY),
    Call("GET", f"{API}/merchant/list", {200: Merchants}, query=MerchantsQuery, headers=KEY),
]


def conforming(inner: httpx.AsyncBaseTransport) -> Conforming:
    """Hold all that goes through `inner` to Booxi's shapes."""
    return Conforming(inner, CALLS, Refusal)
