"""What the tests of the configuration share: two booking systems and a CRM that exist only here, and a good file."""

from pathlib import Path
from typing import Annotated, ClassVar, Literal

import pytest
from pydantic import Field, SecretStr

from connector.config.settings import BookingSettings, Config, CrmSettings, Section, load
from connector.model.errors import ConfigError

SECRET = "s3cret-that-must-not-be-seen"


class Limits(Section):
    per_second: Annotated[int, Field(ge=0)] | None = 5


class DiarySettings(BookingSettings):
    region: Literal["na", "eu"] | None = None
    base_url: str | None = None
    partner_key: SecretStr
    limits: Limits = Limits()


class CalendarSettings(BookingSettings):
    own_verification: ClassVar[bool] = True


class RolodexSettings(CrmSettings):
    token: SecretStr


class Systems:
    """Two booking systems and a CRM, which exist only here."""

    def booking_systems(self):
        return ["calendar", "diary"]

    def crms(self):
        return ["rolodex"]

    def booking(self, system):
        return {"diary": DiarySettings, "calendar": CalendarSettings}.get(system)

    def crm(self, system):
        return {"rolodex": RolodexSettings}.get(system)

    def webhook_faults(self, webhook, *, where):
        return [f"[{where}] tokens: is missing; add one"] if webhook.verify == "token" and not webhook.tokens else []


SOURCE = f"""
[booking.stores]
system = "diary"
partner_key = "{SECRET}"
"""
WEBHOOK = """
[booking.stores.webhook]
verify = "token"
tokens = [{ env = "HOOK_TOKEN" }]
"""
CRM = """
[crm.main]
system = "rolodex"
token = { env = "CRM_TOKEN" }
"""
SYNC = """
[[sync]]
booking = "stores"
crm = "main"
"""
GOOD = SOURCE + WEBHOOK + CRM + SYNC
ENVIRON = {"HOOK_TOKEN": "hook-secret-0123456789", "CRM_TOKEN": "crm-secret", "EMPTY": ""}


def read(folder: Path, text: str, environ: dict[str, str] = ENVIRON) -> Config:
    """Write the text as a configuration and load it."""
    path = folder / "connector.toml"
    path.write_text(text, encoding="utf-8")
    return load(path, systems=Systems(), environ=environ)


def faults(folder: Path, text: str, environ: dict[str, str] = ENVIRON) -> list[str]:
    """Load a text that must be refused; return its faults without the file's name, which each must begin with."""
    with pytest.raises(ConfigError) as caught:
        read(folder, text, environ)
    prefix = f"{folder / 'connector.toml'}: "
    assert all(line.startswith(prefix) for line in caught.value.faults)
    assert not any("\n" in line for line in caught.value.faults)
    assert SECRET not in str(caught.value)
    return [line.removeprefix(prefix) for line in caught.value.faults]
