"""The keys of `[booking.NAME]` with `system = "bookingflow"`.

No public evidence shows the keyed API or the webhooks at work, so every path and name is a setting. The defaults are what
the vendor announces (https://www.bookingflowai.com/developers) and what its public source code has; the rest is assumed.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, SecretStr, model_validator

from connector.config.settings import BookingSettings, Section
from connector.remote.keyed_address import PathKey
from connector.remote.limits import CallLimits, Calls


def _pointer(value: str) -> str:
    if value and not value.startswith("/"):
        raise ValueError('a field path is a JSON pointer and begins with "/", such as "/data/booking"; "" is the whole')
    return value


def _path(value: str) -> str:
    if not value.startswith("/") or any(mark in value for mark in "?#"):
        raise ValueError('must begin with "/" and hold no query, such as "/bookings"')
    return value


def _with_id(value: str) -> str:
    if value.count("{id}") != 1:
        raise ValueError('must hold {id} once, such as "/bookings/{id}"')
    return _path(value)


def _key(value: SecretStr) -> SecretStr:
    key = value.get_secret_value()
    if not key or not key.isascii() or not key.isprintable() or key != key.strip():
        raise ValueError("must be non-empty printable ASCII without spaces around it")
    return value


Pointers = Annotated[tuple[Annotated[str, AfterValidator(_pointer)], ...], Field(min_length=1)]
Path = Annotated[str, AfterValidator(_path)]


class Limits(CallLimits):
    """How often we call; BookingFlow publishes no figures, so these are ours. 0 or null: no limit."""

    per_second: Calls = 5
    per_minute: Calls = 120


class Paths(Section):
    """Where the API's calls are, relative to `base_url`."""

    bookings: Path = "/bookings"
    booking: Annotated[str, AfterValidator(_with_id)] = "/bookings/{id}"
    #: A cheap call that shows whether the key works.
    probe: Path = "/public/me"


class Fields(Section):
    """Where a delivery says what it is about: JSON pointers tried in order. Nothing else in it is believed."""

    event_id: Pointers = ("/id", "/eventId")
    type: Pointers = ("/type", "/event")
    booking_id: Pointers = (
        "/data/bookingId",
        "/data/booking/bookingId",
        "/booking/bookingId",
        "/bookingId",
        "/data/booking/id",
        "/booking/id",
        "/data/id",
    )
    #: Headers that say the same, where the body does not.
    event_id_header: str | None = None
    type_header: str | None = None


class Record(Section):
    """Where the API's answer keeps a booking, and a booking its values: JSON pointers tried in order."""

    place: Pointers = ("/booking", "/data/booking", "/data", "")
    id: Pointers = ("/bookingId", "/id")
    name: Pointers = ("/customer/name",)
    first_name: Pointers = ("/customer/firstName",)
    last_name: Pointers = ("/customer/lastName",)
    email: Pointers = ("/customer/email",)
    phone: Pointers = ("/customer/phone",)
    status: Pointers = ("/status",)
    starts_at: Pointers = ("/startAt",)
    ends_at: Pointers = ("/endAt",)
    title: Pointers = ("/gameName", "/gameId")
    location: Pointers = ("/roomName", "/roomId")
    updated_at: Pointers = ("/updatedAt",)
    #: Where a refusal keeps its code, and the codes by which a 404 says that there is no such booking (the public source's).
    error: Pointers = ("/error",)
    gone: tuple[str, ...] = ("booking_not_found",)


class Listing(Section):
    """How bookings are listed: by date, page after page until one is empty, short of new ones, or names no next one."""

    items: Pointers = ("/bookings", "/data/bookings", "/data", "/items", "")
    #: The filter by date. With `until_param` it is the first day of a step and that the last one; "" asks for everything.
    date_param: str = "date"
    until_param: str = ""
    step_days: Annotated[int, Field(ge=1, le=366)] = 1
    pager: Literal["page", "offset", "cursor", "none"] = "page"
    page_param: str = "page"
    first_page: Annotated[int, Field(ge=0, le=1)] = 1
    size_param: str = "limit"
    page_size: Annotated[int, Field(ge=1, le=1000)] = 50
    next: Pointers = ("/nextCursor", "/pagination/nextCursor")


class BookingFlowSettings(BookingSettings):
    """One BookingFlow organisation."""

    base_url: str = "https://bookingflowai.com/api/v1"
    api_key: Annotated[SecretStr, AfterValidator(_key)]
    path_key: PathKey
    #: The member of a booking that takes the customer's id; none is known, so nothing is written by default.
    write_back_field: Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")] | None = None
    write_back_method: Literal["PUT", "PATCH"] = "PUT"
    repeat_window_seconds: Annotated[float, Field(ge=1, le=86_400)] = 60.0
    timeout_seconds: Annotated[float, Field(gt=0, le=300)] = 20.0
    limits: Limits = Limits()
    paths: Paths = Paths()
    fields: Fields = Fields()
    record: Record = Record()
    listing: Listing = Listing()

    @model_validator(mode="after")
    def _complete(self) -> Self:
        scheme, _, rest = self.base_url.partition("://")
        if scheme not in ("http", "https") or not rest.strip("/") or any(mark in rest for mark in "?#@ "):
            raise ValueError('base_url must look like "https://host/path", without user, query or fragment')
        if self.listing.step_days > 1 and not self.listing.until_param:
            raise ValueError("listing: step_days above 1 needs until_param: the date alone filters one day")
        return self

    def sample_query(self) -> dict[str, str]:
        """The key that the sender's address holds."""
        return {"key": self.path_key.get_secret_value()}
