"""The keys of `[crm.NAME]` with `system = "odoo"`."""

from __future__ import annotations

from datetime import date
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, Field, SecretStr, model_validator

from connector.config.addresses import base_url as web_address
from connector.config.settings import CrmSettings
from connector.remote.limits import CallLimits, Calls

#: What fits into a header.
PRINTABLE = r"^[\x21-\x7e]{1,200}$"
#: The name of a field of contacts; own fields begin with x_.
FIELD = r"^[a-z][a-z0-9_]{0,62}$"


def _key(value: SecretStr) -> SecretStr:
    key = value.get_secret_value()
    if not key or not key.isascii() or not key.isprintable() or " " in key:
        raise ValueError("the key must be non-empty printable ASCII without spaces, as Odoo showed it")
    return value


class Limits(CallLimits):
    """Calls a second and a minute. What hosted Odoo allows is not published; the default is our own moderation."""

    per_second: Calls = 10


class OdooSettings(CrmSettings):
    """One Odoo database, used by one user with an API key."""

    owner_field: ClassVar[str | None] = "user_id"
    api_key: Annotated[SecretStr, AfterValidator(_key)]
    base_url: Annotated[str, AfterValidator(web_address)]
    #: Required by the older API; JSON-2 needs it only where one server has several databases.
    database: Annotated[str, Field(pattern=PRINTABLE)] | None = None
    #: The user's login; only the older API needs it.
    login: Annotated[str, Field(pattern=PRINTABLE)] | None = None
    #: "auto" asks the server for its version.
    api: Literal["auto", "json-2", "json-rpc"] = "auto"
    #: The day on which the key ends, where Odoo does not say it.
    api_key_expires: date | None = None
    #: Which of the user's keys is ours, if there are several: its description in Odoo.
    api_key_name: str | None = None
    #: Whether a new key is made before the present one ends, where the server does that (19 and later).
    renew_api_key: bool = True
    #: The contact's field for a mobile number; None: `mobile` where the server has it.
    mobile_field: Annotated[str, Field(pattern=FIELD)] | None = None
    #: Length of an appointment whose end is not said: Odoo does not keep one without an end.
    appointment_minutes: Annotated[int, Field(ge=1, le=1440)] = 60
    limits: Limits = Limits()
    timeout_seconds: Annotated[float, Field(gt=0, le=300)] = 20.0

    def identity_fields(self) -> frozenset[str]:
        """What matching reads and writes."""
        names = ("name", "display_name", "complete_name", "email", "email_normalized", "phone", "mobile", "phone_sanitized")
        return frozenset((*names, self.mobile_field) if self.mobile_field else names)

    @model_validator(mode="after")
    def _for_the_older_api(self) -> OdooSettings:
        if self.api == "json-rpc" and (self.database is None or self.login is None):
            raise ValueError('api = "json-rpc" needs database and login')
        return self
