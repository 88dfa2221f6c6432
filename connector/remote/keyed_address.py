"""A webhook's address as a second secret: the query parameter `key`, for senders that sign nothing.

It goes with whatever `[booking.NAME.webhook]` says, and is checked first. Proxies may write addresses into their logs, so
this is less than a signature; the receiver leaves the key out of what it stores.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated
from urllib.parse import parse_qsl

from pydantic import AfterValidator, SecretStr

from connector.config.settings import WebhookSettings
from connector.remote.signatures import NoVerification, VerificationFailed, Verified, Verifier, verifier_for

#: Characters; a shorter key could be guessed from outside.
MIN_KEY = 16
#: Parameters of a query; more is nobody's address.
MAX_PARAMETERS = 20


def query(path: str) -> dict[str, str]:
    """The query of a path; empty for one that cannot be read. A parameter given twice counts as not given."""
    try:
        pairs = parse_qsl(path.partition("?")[2], keep_blank_values=True, max_num_fields=MAX_PARAMETERS)
    except ValueError:
        return {}
    names = [name for name, _ in pairs]
    return {name: value for name, value in pairs if names.count(name) == 1}


def _long_enough(value: SecretStr) -> SecretStr:
    key = value.get_secret_value()
    if len(key) < MIN_KEY or not all(c.isascii() and (c.isalnum() or c in "-_") for c in key):
        raise ValueError(f"must have at least {MIN_KEY} letters, digits, - or _; for example: openssl rand -hex 24")
    return value


PathKey = Annotated[SecretStr, AfterValidator(_long_enough)]


def keyed_verifier(source: str, webhook: WebhookSettings | None, key: SecretStr) -> Verifier | None:
    """The key in the address, then what `[booking.SOURCE.webhook]` says; None without such a table."""
    return KeyedAddress.of(key, verifier_for(webhook, where=f"booking.{source}.webhook")) if webhook is not None else None


@dataclass(frozen=True, slots=True)
class KeyedAddress:
    """Expects the key in the address that was called, then whatever `inner` expects."""

    digest: bytes = field(repr=False)
    inner: Verifier

    @classmethod
    def of(cls, key: SecretStr, inner: Verifier) -> KeyedAddress:
        """Keep a digest only, so that comparing takes the same time whatever the key's length."""
        return cls(hashlib.sha256(key.get_secret_value().encode()).digest(), inner)

    def before_body(self, headers: Mapping[str, str], *, now: float) -> Verified | None:
        """Check the key, and what `inner` can say; where `inner` asks for nothing, the key proves it."""
        self._check_key(headers)
        return Verified() if isinstance(self.inner, NoVerification) else self.inner.before_body(headers, now=now)

    def verify(self, headers: Mapping[str, str], body: bytes, *, now: float) -> Verified:
        """Raise VerificationFailed where the address lacks the key, or `inner` is not content."""
        self._check_key(headers)
        return self.inner.verify(headers, body, now=now)

    def _check_key(self, headers: Mapping[str, str]) -> None:
        given = query(headers.get(":path", "")).get("key", "")
        digest = hashlib.sha256(given.encode("utf-8", "surrogateescape")).digest()
        if not hmac.compare_digest(digest, self.digest):
            raise VerificationFailed("the address does not carry the configured path_key")
