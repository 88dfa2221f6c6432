"""The keys of `[crm.NAME]` with `system = "pipedrive"`."""

from __future__ import annotations

from typing import Annotated, ClassVar, Self

from pydantic import AfterValidator, Field, SecretStr, model_validator

from connector.config.addresses import base_url as web_address
from connector.config.settings import CrmSettings, Section
from connector.remote.rate_limit import Window

API = "https://api.pipedrive.com"
DAY = 86_400.0


def _token(value: SecretStr) -> SecretStr:
    token = value.get_secret_value()
    if not token or not token.isascii() or not token.isprintable() or " " in token:
        raise ValueError("the token must be non-empty printable ASCII without spaces, as Pipedrive shows it")
    return value


class Limits(Section):
    """What one API token may call, on the smallest plan (Lite, one seat); 0 or null: no limit of ours."""

    per_2_seconds: Annotated[int | None, Field(ge=0)] = 20
    #: Searches have a limit of their own, the same on every plan.
    searches_per_2_seconds: Annotated[int | None, Field(ge=0)] = 10
    #: 30,000 × plan factor × seats; all integrations of the company share them.
    daily_tokens: Annotated[int | None, Field(ge=0)] = 30_000

    def windows(self) -> tuple[Window, ...]:
        """The limit of all calls."""
        return (Window(self.per_2_seconds, 2.0),) if self.per_2_seconds else ()

    def search_windows(self) -> tuple[Window, ...]:
        """The further limit of searches."""
        return (Window(self.searches_per_2_seconds, 2.0),) if self.searches_per_2_seconds else ()

    def token_windows(self) -> tuple[Window, ...]:
        """The day's tokens, counted over any 24 hours: Pipedrive's midnight is not documented."""
        return (Window(self.daily_tokens, DAY),) if self.daily_tokens else ()


class PipedriveSettings(CrmSettings):
    """One Pipedrive company, used with a user's API token."""

    owner_field: ClassVar[str | None] = "owner_id"
    token: Annotated[SecretStr, AfterValidator(_token)]
    base_url: Annotated[str, AfterValidator(web_address)] = API
    limits: Limits = Limits()
    #: Name of the custom field of persons that carries our key; `connector check --fix` makes it.
    person_key_field: Annotated[str, Field(min_length=1, max_length=255)] = "Connector person key"
    #: Key string of the activity type that appointments get.
    activity_type: Annotated[str, Field(pattern=r"^[a-z0-9_]{1,100}$")] = "meeting"
    #: How far back the list of newest persons is read. An assumption: the search index is not further behind.
    window_minutes: Annotated[float, Field(ge=1, le=1440)] = 15.0
    #: How long after a create without a clear answer the record may still appear, by an assumption too.
    wait_minutes: Annotated[float, Field(ge=0, le=1440)] = 5.0
    timeout_seconds: Annotated[float, Field(gt=0, le=300)] = 20.0

    @model_validator(mode="after")
    def _window(self) -> Self:
        if self.wait_minutes > self.window_minutes:
            raise ValueError(
                "wait_minutes is longer than window_minutes: a person who appears late would not be among the newest"
            )
        return self

    def identity_fields(self) -> frozenset[str]:
        """What matching reads and writes, by name and by code, and our key."""
        names = ("name", "first_name", "last_name", "First name", "Last name", "email", "emails", "phone", "phones")
        return frozenset((*names, self.person_key_field))
