"""What the page tells a new operator to enter at the sender."""

from __future__ import annotations

from pathlib import Path

import pytest

from connector import registry
from connector.config import settings as config
from connector.operations.first_steps import first_steps

BOOXI = """
[server]
{server}
[booking.stores]
system = "booxi"
base_url = "https://booxi.example.com"
partner_key = "a-partner-key"
module_id = "hubspot"
[crm.main]
system = "hubspot"
token = "a-token-of-tests"
[[sync]]
booking = "stores"
crm = "main"
[status]
token = "a-status-token-of-tests"
[booking.stores.webhook]
{webhook}
"""
TOKEN = 'verify = "token"\ntokens = ["0123456789abcdef"]'


def steps(folder: Path, server: str, webhook: str) -> dict[str, str]:
    file = folder / "connector.toml"
    file.write_text(BOOXI.format(server=server, webhook=webhook), encoding="utf-8")
    return first_steps(config.load(file, systems=registry.Registry()), "stores")


@pytest.mark.parametrize(
    ("server", "address"),
    [
        ('public_url = "https://hooks.example.com"', "https://hooks.example.com/webhooks/stores"),
        ("port = 9000", "http://127.0.0.1:9000/webhooks/stores"),
        ('host = "::1"\nport = 9000', "http://[::1]:9000/webhooks/stores"),
    ],
)
def test_the_address_is_the_one_that_the_sender_sees(tmp_path: Path, server: str, address: str) -> None:
    assert steps(tmp_path, server, TOKEN)["address"] == address


@pytest.mark.parametrize(
    ("webhook", "proof"),
    [
        (TOKEN, "`Authorization: Bearer TOKEN`, with a token of [booking.stores.webhook]"),
        (f'{TOKEN}\nheader = "X-Token"', "`X-Token: TOKEN`, with a token of [booking.stores.webhook]"),
        (
            'verify = "hmac"\nheader = "X-Signature"\nsecrets = ["0123456789abcdef"]',
            "`X-Signature`, a signature made with a secret of [booking.stores.webhook]",
        ),
        ('verify = "none"', "no header: anybody who knows the address can send"),
    ],
)
def test_the_proof_is_named_and_no_secret_is_shown(tmp_path: Path, webhook: str, proof: str) -> None:
    found = steps(tmp_path, "", webhook)
    assert found["proof"] == proof
    assert "0123456789abcdef" not in str(found)
