"""The keys of `[booking.NAME]` with `system = "bookablesites"`."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, SecretStr, model_validator

from connector.config.settings import BookingSettings, Section
from connector.config.values import Zone
from connector.remote.keyed_address import PathKey
from connector.remote.limits import CallLimits, Calls

Api = Literal["v1", "v2"]
Encoding = Literal["json", "form"]
Method = Literal["PUT", "PATCH"]
FieldCase = Literal["camel", "snake"]


def _secret(value: SecretStr) -> SecretStr:
    if not value.get_secret_value().strip():
        raise ValueError("must not be empty")
    return value


def _format(value: str) -> str:
    """A format that loses the date or the minute would give wrong times."""
    sample = datetime(2001, 2, 3, 16, 5)  # noqa: DTZ001 - as naive as what the format reads
    try:
        kept = datetime.strptime(sample.strftime(value), value) == sample  # noqa: DTZ007
    except ValueError:
        kept = False
    if not kept:
        raise ValueError('must say date and time in strptime\'s letters, such as "%d/%m/%Y %I:%M %p" for 31/05/2025 3:00 PM')
    return value


Names = Annotated[tuple[Annotated[str, Field(min_length=1)], ...], Field(min_length=1)]


class Limits(CallLimits):
    """How often we call; Bookablesites publishes no limits, so these are ours. 0 or null: no limit."""

    per_second: Calls = 5
    per_minute: Calls = 120


class Profile(Section):
    """How one generation of the API differs from the other. What is not said is as `api` has it."""

    token_path: str | None = None
    token_encoding: Encoding | None = None
    update_method: Method | None = None
    field_case: FieldCase | None = None


#: Not verified which generation an account has: v1 fits Bookablesites' own outline, v2 was seen live at Trafft.
GENERATIONS: dict[str, Profile] = {
    "v1": Profile(token_path="/auth/token", token_encoding="json", update_method="PUT", field_case="camel"),  # noqa: S106
    "v2": Profile(token_path="/token", token_encoding="form", update_method="PATCH", field_case="snake"),  # noqa: S106
}


class Fields(Section):
    """The members of a delivery's flat body: names tried in order. The defaults are Trafft's."""

    email: Names = ("customerEmail",)
    first_name: Names = ("customerFirstName",)
    last_name: Names = ("customerLastName",)
    full_name: Names = ("customerFullName",)
    phone: Names = ("customerPhone",)
    status: Names = ("appointmentStatus",)
    starts_at: Names = ("appointmentStartDateTime",)
    ends_at: Names = ("appointmentEndDateTime",)
    service: Names = ("serviceName",)
    location: Names = ("locationName",)
    staff: Names = ("employeeFullName",)


class BookablesitesSettings(BookingSettings):
    """One Bookablesites account."""

    base_url: str
    api: Api = "v1"
    client_id: Annotated[str, Field(min_length=1)]
    client_secret: Annotated[SecretStr, AfterValidator(_secret)]
    path_key: PathKey
    #: How the account shows date and time (strptime's letters), in `time_zone`. Never guessed.
    date_format: Annotated[str, AfterValidator(_format)] | None = None
    #: The zone of the API's times where they name none; the account's own if not given.
    api_time_zone: Zone | None = None
    write_back: Literal["none", "description"] = "none"
    repeat_window_seconds: Annotated[float, Field(ge=1, le=86_400)] = 60.0
    page_size: Annotated[int, Field(ge=1, le=100)] = 100
    timeout_seconds: Annotated[float, Field(gt=0, le=300)] = 20.0
    limits: Limits = Limits()
    profile: Profile = Profile()
    fields: Fields = Fields()

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.date_format is not None and self.time_zone is None:
            raise ValueError("date_format needs time_zone: the account's times name no zone")
        scheme, _, rest = self.base_url.partition("://")
        if scheme not in ("http", "https") or not rest.strip("/") or any(mark in rest for mark in "?#@ "):
            raise ValueError('base_url must look like "https://salon.example.com", without user, query or fragment')
        return self

    @property
    def address(self) -> str:
        """The API's base address; a base_url without a path gets that of the generation."""
        base = self.base_url.rstrip("/")
        return f"{base}/api/{self.api}" if base.count("/") == 2 else base

    @property
    def generation(self) -> Profile:
        """The profile of the generation, with what the configuration says otherwise."""
        said = {key: value for key, value in self.profile.model_dump().items() if value is not None}
        return GENERATIONS[self.api].model_copy(update=said)

    def sample_query(self) -> dict[str, str]:
        """The key that the sender's address holds."""
        return {"key": self.path_key.get_secret_value()}
