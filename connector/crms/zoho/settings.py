"""The keys of `[crm.NAME]` with `system = "zoho"`."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, Field, SecretStr

from connector.config.addresses import base_url as web_address
from connector.config.addresses import is_exposed
from connector.config.settings import Section, WaitingCrmSettings
from connector.remote.rate_limit import Window

API_VERSION = "v8"
DAY = 86_400.0

DataCentre = Literal["au", "ca", "cn", "eu", "in", "jp", "sa", "uk", "us"]
Environment = Literal["production", "sandbox", "developer"]

#: Data centre → host of the accounts server, domain of the API. Addresses come from here and never from an answer: whoever
#: could forge an answer would be sent our credentials. Sources and grades: README.md.
DATA_CENTRES: dict[DataCentre, tuple[str, str]] = {
    "au": ("accounts.zoho.com.au", "zohoapis.com.au"),
    "ca": ("accounts.zohocloud.ca", "zohoapis.ca"),
    "cn": ("accounts.zoho.com.cn", "zohoapis.com.cn"),
    "eu": ("accounts.zoho.eu", "zohoapis.eu"),
    "in": ("accounts.zoho.in", "zohoapis.in"),
    "jp": ("accounts.zoho.jp", "zohoapis.jp"),
    "sa": ("accounts.zoho.sa", "zohoapis.sa"),
    "uk": ("accounts.zoho.uk", "zohoapis.uk"),
    "us": ("accounts.zoho.com", "zohoapis.com"),
}
#: What stands before the API's domain.
HOSTS: dict[Environment, str] = {"production": "www", "sandbox": "sandbox", "developer": "developer"}


def _secret(value: SecretStr) -> SecretStr:
    text = value.get_secret_value()
    if not text or not text.isascii() or not text.isprintable() or " " in text:
        raise ValueError("must be non-empty printable ASCII without spaces, as Zoho issued it")
    return value


def _private(value: str) -> str:
    if is_exposed(value):
        raise ValueError("must be https: the client secret and the refresh token are sent there")
    return value


Secret = Annotated[SecretStr, AfterValidator(_secret)]
Address = Annotated[str, AfterValidator(web_address)]
#: The API name of a field, as Zoho shows it under Developer Hub, APIs, API names.
ApiName = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]{0,49}$")]


class Limits(Section):
    """What connector may use of the account."""

    #: Calls at the same time; 5 is the smallest edition's. Queries have a limit of 10 on every edition besides.
    simultaneous_calls: Annotated[int, Field(ge=1, le=100)] = 5
    #: Credits in any 24 hours; 0: no limit of ours. Zoho's own depends on edition and users, and other programs share it.
    credits_per_day: Annotated[int, Field(ge=0)] = 0

    def windows(self) -> tuple[Window, ...]:
        """The day's credits; almost every call of ours costs one.

        The calls that are in progress when they run out still find room, since a quota makes its callers wait: for hours.
        """
        return (Window(self.credits_per_day + 4 * self.simultaneous_calls, DAY),) if self.credits_per_day else ()


class ZohoSettings(WaitingCrmSettings):
    """One Zoho CRM organisation, used with the refresh token of a self client or a server-based client."""

    owner_field: ClassVar[str | None] = "Owner"
    data_centre: DataCentre
    environment: Environment = "production"
    client_id: Annotated[str, Field(pattern=r"^[!-~]{1,200}$")]
    client_secret: Secret
    refresh_token: Secret
    #: Instead of the data centre's own addresses, for a sandbox of ours.
    base_url: Address | None = None
    accounts_url: Annotated[Address, AfterValidator(_private)] | None = None
    limits: Limits = Limits()
    #: API name of the unique text field of contacts that carries our key; `connector check --fix` makes it.
    person_key_field: ApiName = "Connector_Person_Key"
    #: API name of the text field of events that carries our marker; `connector check --fix` makes it.
    marker_field: ApiName = "Connector_Marker"
    #: What is written as last name, which Zoho demands, where none is known; counts as blank when it is read.
    missing_last_name: Annotated[str, Field(min_length=1, max_length=80)] = "(no last name)"
    #: How long an event of ours lasts in the calendar where the booking system names no end.
    default_minutes: Annotated[int, Field(ge=1, le=1_440)] = 60
    #: Whether what we write starts the workflows of the account, which may send mail.
    run_workflows: bool = False
    timeout_seconds: Annotated[float, Field(gt=0, le=300)] = 20.0

    def identity_fields(self) -> frozenset[str]:
        """What matching reads and writes, and our key."""
        names = ("Full_Name", "First_Name", "Last_Name", "Email", "Secondary_Email", "Mobile", "Phone")
        return frozenset((*names, self.person_key_field))

    @property
    def api_address(self) -> str:
        """Where the API is, without a slash at its end."""
        return self.base_url or f"https://{HOSTS[self.environment]}.{DATA_CENTRES[self.data_centre][1]}"

    @property
    def accounts_address(self) -> str:
        """Where access tokens are fetched, without a slash at its end."""
        return self.accounts_url or f"https://{DATA_CENTRES[self.data_centre][0]}"
