"""Secrets that a remote system gave us in place of the configured ones: kept before they are used, or they are lost."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Renewed:
    """A secret, when it ends (an aware time), and the fingerprint of the configured one in whose place it came."""

    value: str = field(repr=False)
    ends: datetime
    instead_of: str


class RenewedSecrets(Protocol):
    """What is kept, by account; the store keeps it beside the database."""

    def get(self, account: str) -> Renewed | None:
        """Read what is kept of an account. Raises StoreError where it cannot be read."""

    async def keep(self, account: str, renewed: Renewed) -> None:
        """Return once the secret is on the disk. Raises StoreError where it is not."""


def fingerprint(secret: str) -> str:
    """Tells a configured secret from another one that somebody put in its place, without showing it."""
    return hashlib.sha256(b"renewed:" + secret.encode()).hexdigest()
