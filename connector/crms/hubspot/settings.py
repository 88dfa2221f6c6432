"""The keys of `[crm.NAME]` with `system = "hubspot"`."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import AfterValidator, Field, SecretStr

from connector.config.addresses import base_url as web_address
from connector.config.settings import Section, WaitingCrmSettings
from connector.remote.rate_limit import Window

#: HubSpot's API versions are dates; each is supported for 18 months. Change it here and nowhere else.
API_VERSION = "2026-09"
API = "https://api.hubapi.com"


def _token(value: SecretStr) -> SecretStr:
    token = value.get_secret_value()
    if not token or not token.isascii() or not token.isprintable() or " " in token:
        raise ValueError("the token must be non-empty printable ASCII without spaces, as HubSpot issued it")
    return value


class Limits(Section):
    """What one app may call. 100 per 10 seconds is the smallest plan's; 0 or null: no limit of ours."""

    per_10_seconds: Annotated[int | None, Field(ge=0)] = 100
    #: Search has a budget of its own, for the whole account.
    search_per_second: Annotated[int | None, Field(ge=0)] = 5

    def windows(self) -> tuple[Window, ...]:
        """The limit of all calls."""
        return (Window(self.per_10_seconds, 10.0),) if self.per_10_seconds else ()

    def search_windows(self) -> tuple[Window, ...]:
        """The further limit of searches."""
        return (Window(self.search_per_second, 1.0),) if self.search_per_second else ()


class HubSpotSettings(WaitingCrmSettings):
    """One HubSpot account, used with a service key or a private app's token."""

    owner_field: ClassVar[str | None] = "hubspot_owner_id"
    token: Annotated[SecretStr, AfterValidator(_token)]
    base_url: Annotated[str, AfterValidator(web_address)] = API
    limits: Limits = Limits()
    #: Internal name of the unique contact property that carries our key; `connector check --fix` makes it.
    person_key_property: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,99}$")] = "connector_person_key"
    timeout_seconds: Annotated[float, Field(gt=0, le=300)] = 20.0
    #: A contact's own meetings are read without the search index, so only a request that is still at work can be late.
    wait_minutes: Annotated[float, Field(ge=0, le=1440)] = 0.5

    def identity_fields(self) -> frozenset[str]:
        """What matching writes, and our key."""
        names = ("email", "firstname", "lastname", "mobilephone", "phone", "hs_additional_emails")
        return frozenset((*names, self.person_key_property))
