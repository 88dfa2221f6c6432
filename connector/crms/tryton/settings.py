"""The keys of `[crm.NAME]` with `system = "tryton"`."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field, SecretStr

from connector.config.addresses import base_url as web_address
from connector.config.settings import WaitingCrmSettings
from connector.remote.limits import CallLimits, Calls

#: A database's name, as it stands in the address.
DATABASE = r"^[A-Za-z0-9_:.-]{1,63}$"


def _key(value: SecretStr) -> SecretStr:
    key = value.get_secret_value()
    if not key or not key.isascii() or not key.isprintable() or " " in key:
        raise ValueError("the key must be non-empty printable ASCII without spaces, as Tryton showed it")
    return value


class Limits(CallLimits):
    """Calls a second and a minute. Tryton itself has no limit (measured); the default is our own moderation."""

    per_second: Calls = 20


class TrytonSettings(WaitingCrmSettings):
    """One Tryton database, used by one user with the key of a user application."""

    api_key: Annotated[SecretStr, AfterValidator(_key)]
    base_url: Annotated[str, AfterValidator(web_address)]
    database: Annotated[str, Field(pattern=DATABASE)]
    limits: Limits = Limits()
    timeout_seconds: Annotated[float, Field(gt=0, le=300)] = 20.0
