"""How long a secret must be that strangers may guess at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from pydantic import SecretStr

from connector.config.reader import Tables

#: Characters. Where strangers can reach us, shorter ones of webhooks are refused, and all below the second number warned of.
SHORTEST = 8
SHORT = 16


class Webhook(Protocol):
    """The secrets of one `[booking.NAME.webhook]`."""

    @property
    def tokens(self) -> Sequence[SecretStr]:
        """Fixed tokens."""

    @property
    def secrets(self) -> Sequence[SecretStr]:
        """Secrets of signatures."""


def check_webhooks(tables: Tables, webhooks: Mapping[str, Webhook]) -> None:
    """Check the secrets of sources, by the source's name; an empty one is refused elsewhere."""
    for name, webhook in webhooks.items():
        for key, values in (("tokens", webhook.tokens), ("secrets", webhook.secrets)):
            for secret in values:
                text = secret.get_secret_value().strip()
                token = text[7:].strip() if text.lower().startswith("bearer ") else text
                if token:
                    check_length(tables, f"booking.{name}.webhook", key, token, "because strangers can try", shortest=SHORTEST)


def check_length(tables: Tables, table: str, key: str, value: str, why: str, *, shortest: int = 0) -> None:
    """Warn of a secret that can be guessed, and refuse one below `shortest`; `why` says what makes it matter."""
    text = f"is so short that it can be guessed; use at least {SHORT} characters, {why}"
    if len(value) < shortest:
        tables.fault(table, key, text)
    elif len(value) < SHORT:
        tables.warn(table, key, text)
