"""The keys of `[booking.NAME]` with `system = "booxi"`."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, SecretStr, model_validator

from connector.config.settings import BookingSettings, Section
from connector.remote.limits import CallLimits, Calls

#: The vendor's two regions; an account lives in exactly one of them.
REGIONS = {"na": "https://api.booxi.com/booking/v1", "eu": "https://api.booxi.eu/booking/v1"}
API_PATH = "/booking/v1"


def _pointer(value: str) -> str:
    if not value.startswith("/"):
        raise ValueError('a field path is a JSON pointer and begins with "/", such as "/content"')
    return value


def _key(value: SecretStr) -> SecretStr:
    key = value.get_secret_value()
    if not key or not key.isascii() or not key.isprintable() or key != key.strip():
        raise ValueError("the partner key must be non-empty printable ASCII without spaces around it")
    return value


def _module(value: str) -> str:
    if not value.strip() or value.strip(".") == "":
        raise ValueError("the module id must not be blank; Booxi chose it when the module was set up")
    return value


Pointers = Annotated[tuple[Annotated[str, AfterValidator(_pointer)], ...], Field(min_length=1)]


class Limits(CallLimits):
    """Booxi's fair use: 5 calls a second and 300 a minute for each key. 0 or null: no limit."""

    per_second: Calls = 5
    per_minute: Calls = 300


class Fields(Section):
    """Where a delivery keeps its id, type and content: JSON pointers tried in order.

    Booxi's public pages name `content` and `eventContent`; the names of id and type are not known, hence settings.
    """

    event_id: Pointers = ("/id", "/eventId")
    type: Pointers = ("/type", "/eventType", "/event")
    content: Pointers = ("/content", "/eventContent")


class BooxiSettings(BookingSettings):
    """One Booxi account; exactly one of `region` and `base_url` is given."""

    region: Literal["na", "eu"] | None = None
    base_url: str | None = None
    partner_key: Annotated[SecretStr, AfterValidator(_key)]
    module_id: Annotated[str, AfterValidator(_module)]
    limits: Limits = Limits()
    fields: Fields = Fields()
    timeout_seconds: Annotated[float, Field(gt=0, le=300)] = 20.0
    #: Days of bookings asked for in one go by the backfill.
    backfill_window_days: Annotated[int, Field(ge=1, le=366)] = 31

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if (self.region is None) == (self.base_url is None):
            raise ValueError('give exactly one of region ("na" or "eu", where the account is hosted) and base_url')
        if self.base_url is not None:
            _check_address(self.base_url)
        if self.webhook is None:
            raise ValueError("Booxi sends webhooks: add a [booking.NAME.webhook] table that says how they are verified")
        return self

    @property
    def address(self) -> str:
        """The API's base address; a base_url without a path gets Booxi's own path."""
        if self.region is not None:
            return REGIONS[self.region]
        base = (self.base_url or "").rstrip("/")
        return base + API_PATH if base.count("/") == 2 else base


def _check_address(address: str) -> None:
    scheme, _, rest = address.partition("://")
    if scheme not in ("http", "https") or not rest.strip("/") or any(mark in rest for mark in "?#@ "):
        raise ValueError('base_url must look like "https://host" or "https://host/path", without user, query or fragment')
