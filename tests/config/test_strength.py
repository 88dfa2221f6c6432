"""Secrets that strangers can guess at have a least length."""

from __future__ import annotations

from pathlib import Path

import pytest

from connector import registry
from connector.config.settings import Config, load
from connector.model.errors import ConfigError

FILE = """
[server]
{server}
[status]
token = "a-status-token-of-tests"
[booking.stores]
system = "booxi"
region = "na"
partner_key = "partner-key"
module_id = "hubspot"
default_country = "CA"
[booking.stores.webhook]
{webhook}
[crm.main]
system = "hubspot"
token = "pat-of-tests"
[[sync]]
booking = "stores"
crm = "main"
"""
PUBLIC = 'public_url = "https://hooks.example.com"'
HMAC = 'verify = "hmac"\nheader = "x-signature"\nsecrets = ["{}"]'
TOKEN = 'verify = "token"\ntokens = ["{}"]'


def loaded(folder: Path, webhook: str, server: str = PUBLIC) -> Config:
    file = folder / "connector.toml"
    file.write_text(FILE.format(server=server, webhook=webhook), encoding="utf-8")
    return load(file, systems=registry.Registry(), environ={})


@pytest.mark.parametrize("form", [TOKEN, HMAC])
@pytest.mark.parametrize(
    ("length", "faults", "warnings"), [(1, 1, 0), (7, 1, 0), (8, 0, 1), (15, 0, 1), (16, 0, 0), (40, 0, 0)]
)
def test_a_short_secret_is_refused_or_warned_of_where_strangers_can_try(
    tmp_path: Path, form: str, length: int, faults: int, warnings: int
) -> None:
    key = "tokens" if form is TOKEN else "secrets"
    found: tuple[str, ...] = ()
    try:
        said = loaded(tmp_path, form.format("x" * length)).warnings
    except ConfigError as error:
        found, said = error.faults, ()
    assert len([line for line in found if f"[booking.stores.webhook] {key}" in line and "guessed" in line]) == faults
    assert len([line for line in said if key in line and "guessed" in line]) == warnings


def test_on_loopback_any_length_will_do(tmp_path: Path) -> None:
    assert not [line for line in loaded(tmp_path, TOKEN.format("x"), server="").warnings if "guessed" in line]


def test_the_word_bearer_is_not_part_of_the_token(tmp_path: Path) -> None:
    with pytest.raises(ConfigError):
        loaded(tmp_path, TOKEN.format("Bearer 1234567"))
