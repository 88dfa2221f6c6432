"""The keys of `[booking.NAME]` with `system = "bookeo"`."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, Self

from pydantic import AfterValidator, Field, SecretStr, model_validator

from connector.booking_systems.bookeo.signature import sign
from connector.config.settings import BookingSettings
from connector.remote.limits import CallLimits, Calls

#: The vendor's address: https://www.bookeo.com/api/
BASE_URL = "https://api.bookeo.com/v2"
API_PATH = "/v2"
#: Days that one listing of bookings may cover, and characters of a booking's external reference: Bookeo's own limits.
MAX_DAYS = 31
MAX_EXTERNAL_REF = 64


def _key(value: SecretStr) -> SecretStr:
    key = value.get_secret_value()
    if not key or not key.isascii() or not key.isprintable() or key != key.strip():
        raise ValueError("a key must be non-empty printable ASCII without spaces around it")
    return value


def _field(value: str) -> str:
    if not value.strip():
        raise ValueError("the name of the custom field must not be blank; write it exactly as in Bookeo")
    return value.strip()


def _prefix(value: str) -> str:
    if not value.isascii() or not value.isprintable() or " " in value:
        raise ValueError('the prefix must be printable ASCII without spaces, such as "crm:"')
    return value


Key = Annotated[SecretStr, AfterValidator(_key)]


class Limits(CallLimits):
    """What we allow ourselves. Bookeo publishes no figure; public clients hold about 1.5 calls a second. 0: no limit."""

    per_second: Calls = 2
    per_minute: Calls = 90


class BookeoSettings(BookingSettings):
    """One Bookeo account, as our application sees it."""

    own_verification: ClassVar[bool] = True

    base_url: str = BASE_URL
    #: One for each business account that installed the application.
    api_key: Key
    #: One for the application: it proves our calls, and signs Bookeo's deliveries.
    secret_key: Key
    #: Earlier secret keys whose signatures still count while the key is being changed.
    previous_secret_keys: tuple[Key, ...] = ()
    #: How far the sender's clock may be from ours; the vendor suggests two minutes.
    tolerance_seconds: Annotated[float, Field(gt=0)] = 120.0
    write_back: Literal["custom_field", "external_ref", "none"] = "custom_field"
    #: The name of the customers' text field that takes the customer id.
    custom_field: Annotated[str, AfterValidator(_field)] = "CRM customer id"
    #: Public code sends `mode=backend` when it writes a customer; the call's published parameters do not list it.
    customer_mode: Literal["backend", "none"] = "backend"
    #: What marks a booking's external reference as ours; whatever lacks it belongs to others and is left alone.
    external_ref_prefix: Annotated[str, Field(min_length=1, max_length=24), AfterValidator(_prefix)] = "crm:"
    #: Members not sent back when a booking is written, because public code that does it leaves them out.
    booking_omits: tuple[str, ...] = ("startTime", "endTime", "customer", "participants.details")
    limits: Limits = Limits()
    #: For one request.
    timeout_seconds: Annotated[float, Field(gt=0, le=300)] = 20.0
    #: Days of bookings asked for in one go.
    backfill_window_days: Annotated[int, Field(ge=1, le=MAX_DAYS)] = MAX_DAYS
    #: Whether a backfill also walks all customers, with and without bookings.
    backfill_customers: bool = True

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.webhook is not None:
            raise ValueError("Bookeo signs its deliveries with secret_key: remove the [booking.NAME.webhook] table")
        return self

    def sample_query(self) -> dict[str, str]:
        """A kind of delivery that Bookeo does not have."""
        return {"domain": "connector", "type": "test"}

    def own_proof(self, address: str | None, body: bytes, message_id: str, now: float) -> dict[str, str]:
        """Bookeo's signature over the address that was registered; nothing can be proven without a public_url."""
        return {} if address is None else sign(address, self.secrets, body, message_id, now)

    @property
    def api(self) -> str:
        """The API's base address; a base_url without a path gets Bookeo's own path."""
        base = self.base_url.rstrip("/")
        return base + API_PATH if base.count("/") == 2 else base

    @property
    def secrets(self) -> tuple[bytes, ...]:
        """Every key that may have signed a delivery, today's first."""
        return tuple(key.get_secret_value().encode() for key in (self.secret_key, *self.previous_secret_keys))
