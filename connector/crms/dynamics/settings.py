"""The keys of `[crm.NAME]` with `system = "dynamics"`."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import AfterValidator, Field, SecretStr

from connector.config.addresses import base_url as web_address
from connector.config.addresses import is_exposed
from connector.config.settings import CrmSettings, Section
from connector.remote.rate_limit import Window

#: Seconds of the sliding window of Dataverse's service protection limits.
WINDOW = 300.0


def _secret(value: SecretStr) -> SecretStr:
    text = value.get_secret_value()
    if not text or not text.isascii() or not text.isprintable() or " " in text:
        raise ValueError("must be non-empty printable ASCII without spaces, as Entra ID showed it")
    return value


def _private(value: str) -> str:
    if is_exposed(value):
        raise ValueError("must be https: the client secret is sent there")
    return value


Address = Annotated[str, AfterValidator(web_address)]


class Limits(Section):
    """How much of the service protection limits we use; they count for our user alone, on each web server."""

    #: Calls in any 5 minutes; Dataverse refuses more than 6000. 0: no limit of ours.
    per_5_minutes: Annotated[int, Field(ge=0)] = 5_000
    #: Calls at the same time; Dataverse refuses more than 52.
    simultaneous_calls: Annotated[int, Field(ge=1, le=100)] = 20

    def windows(self) -> tuple[Window, ...]:
        """The calls as a sliding window."""
        return (Window(self.per_5_minutes, WINDOW),) if self.per_5_minutes else ()


class DynamicsSettings(CrmSettings):
    """One Dataverse environment, used by an application user with client credentials of Entra ID."""

    owner_field: ClassVar[str | None] = "ownerid"
    #: The environment's address, `https://example.crm4.dynamics.com`.
    base_url: Address
    #: The directory's id or one of its domains.
    tenant_id: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9.-]{0,254}$")]
    client_id: Annotated[str, Field(pattern=r"^[!-~]{1,200}$")]
    client_secret: Annotated[SecretStr, AfterValidator(_secret)]
    #: Where tokens are fetched: another address in national clouds, and for a sandbox of ours.
    login_url: Annotated[Address, AfterValidator(_private)] = "https://login.microsoftonline.com"
    limits: Limits = Limits()
    #: Logical name of the text column of contacts that carries our key; `connector check --fix` makes it, with its
    #: alternate key. What stands before the underscore is a publisher's prefix; `new` is the default publisher's.
    person_key_field: Annotated[str, Field(pattern=r"^[a-z][a-z0-9]{1,7}_[a-z0-9_]{1,40}$")] = "new_connectorkey"
    #: Unique name of the unmanaged solution in which they are made; None: the default solution.
    solution: Annotated[str | None, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,64}$")] = None
    #: Stands as last name while none is known, and counts as a blank.
    missing_last_name: Annotated[str, Field(min_length=1, max_length=50)] = "(no last name)"
    #: Whether the environment's duplicate detection rules run when a contact is created; off for API calls by default.
    detect_duplicates: bool = False
    #: Dataverse demands an end of an appointment. So many minutes after its start, where the booking system names none.
    unknown_end_minutes: Annotated[int, Field(ge=0, le=1440)] = 60
    timeout_seconds: Annotated[float, Field(gt=0, le=300)] = 30.0

    def identity_fields(self) -> frozenset[str]:
        """What matching reads and writes, and our key."""
        emails = ("emailaddress1", "emailaddress2", "emailaddress3")
        phones = ("mobilephone", "telephone1", "telephone2", "telephone3")
        return frozenset(("fullname", "firstname", "lastname", *emails, *phones, self.person_key_field))
