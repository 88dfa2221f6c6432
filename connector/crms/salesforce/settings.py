"""The keys of `[crm.NAME]` with `system = "salesforce"`."""

from __future__ import annotations

from typing import Annotated, ClassVar, Self

from pydantic import AfterValidator, Field, SecretStr, model_validator

from connector.config.addresses import base_url as web_address
from connector.config.settings import Section, WaitingCrmSettings
from connector.remote.rs256 import read_private_key

#: Salesforce's API versions are numbers, three new ones a year. Change it here and nowhere else.
API_VERSION = "67.0"


def _secret(value: SecretStr) -> SecretStr:
    text = value.get_secret_value()
    if not text or not text.isascii() or not text.isprintable() or " " in text:
        raise ValueError("must be non-empty printable ASCII without spaces, as Salesforce shows it")
    return value


def _private_key(value: SecretStr) -> SecretStr:
    read_private_key(value.get_secret_value())
    return value


class Limits(Section):
    """How much of the organisation's calls we use up; it has so many in any 24 hours, for all programs together."""

    #: When so many percent are used, by any program, we pause until fewer are. 100: no limit of ours.
    percent_of_day: Annotated[int, Field(ge=1, le=100)] = 90


class SalesforceSettings(WaitingCrmSettings):
    """One Salesforce organisation, used by an external client app with its secret, or with a private key that signs."""

    owner_field: ClassVar[str | None] = "OwnerId"
    #: The organisation's My Domain address: tokens are fetched there, and every call goes there.
    base_url: Annotated[str, AfterValidator(web_address)]
    client_id: Annotated[str, Field(min_length=1, pattern=r"^[!-~]+$")]
    #: The client-credentials flow.
    client_secret: Annotated[SecretStr, AfterValidator(_secret)] | None = None
    #: The JWT bearer flow: the app holds the certificate of this RSA key, in PEM form.
    private_key: Annotated[SecretStr, AfterValidator(_private_key)] | None = None
    #: The name of the user that we work as; only with a private key.
    username: Annotated[str, Field(pattern=r"^[!-~]{1,80}$")] | None = None
    #: For whom a signed statement is meant. None: `base_url`.
    audience: Annotated[str, AfterValidator(web_address)] | None = None
    limits: Limits = Limits()
    #: API name of the unique external-id field of contacts that carries our key; `connector check --fix` makes it.
    person_key_field: Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]{0,54}__c$")] = "Connector_Key__c"
    #: API name of the permission set of our user, to which `connector check --fix` adds the field.
    permission_set: Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]{0,79}$")] = "connector"
    #: The account new contacts are put under; None: none, so that only the owner and administrators see them.
    account_id: Annotated[str | None, Field(pattern=r"^001[A-Za-z0-9]{12}(?:[A-Za-z0-9]{3})?$")] = None
    #: Salesforce demands a last name. This stands there while none is known, and counts as a blank.
    missing_last_name: Annotated[str, Field(min_length=1, max_length=80)] = "[not provided]"
    #: Salesforce demands an end of an event. So many minutes after its start, where the booking system names none.
    unknown_end_minutes: Annotated[int, Field(ge=0, le=1440)] = 60
    #: Whether a duplicate rule that only alerts is overridden when a contact is created.
    override_duplicate_alerts: bool = False
    timeout_seconds: Annotated[float, Field(gt=0, le=300)] = 20.0

    @model_validator(mode="after")
    def _one_flow(self) -> Self:
        if (self.client_secret is None) == (self.private_key is None):
            raise ValueError("needs either client_secret or private_key")
        if (self.private_key is None) != (self.username is None):
            raise ValueError("username and private_key belong together")
        if self.audience is not None and self.private_key is None:
            raise ValueError("audience is only for a private_key")
        return self

    def identity_fields(self) -> frozenset[str]:
        """What matching reads and writes, the account of new contacts, and our key."""
        names = ("Name", "FirstName", "LastName", "Email", "MobilePhone", "Phone", "HomePhone", "OtherPhone", "AccountId")
        return frozenset((*names, self.person_key_field))
