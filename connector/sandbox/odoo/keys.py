"""The API keys of the Odoo sandbox's one user: those in its list, and those that a program made.

As read in Odoo's source and documentation, 19.0: a new key is made for one that is shown, and lives ninety days at most.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta

from connector.sandbox.odoo.model import OdooError, invalid

#: Days that a key lives at most, and keys that programs may make.
LIFE, MOST = 90, 10


class Keys:
    """`clock` answers Unix time. `allowed`: whether the administrator lets programs make keys."""

    def __init__(self, configured: Callable[[], str], ends: datetime | None, clock: Callable[[], float]) -> None:
        self.allowed = True
        #: Those that a program made, with the day on which they end.
        self.made: dict[str, date] = {}
        self._configured = configured
        self._ends = ends
        self._clock = clock

    def opens(self, key: str) -> bool:
        """Whether a key is one of the user's that has not ended."""
        now = datetime.fromtimestamp(self._clock(), UTC)
        if hmac.compare_digest(key.encode(), self._configured().encode()):
            return self._ends is None or now < self._ends
        until = self.made.get(key)
        return until is not None and now < datetime.combine(until, time.min, UTC)

    def generate(self, key: str, scope: str | None, expiration_date: str) -> str:
        """Make a key, which is shown once. Raises OdooError."""
        if not self.allowed:
            raise OdooError("odoo.exceptions.UserError", "Programmatic API keys are not enabled", 422)
        if not self.opens(key):
            raise OdooError("odoo.exceptions.AccessDenied", "The provided API key is invalid.", 403)
        if len(self.made) >= MOST:
            raise OdooError("odoo.exceptions.UserError", f"Limit of {MOST} API keys is reached", 422)
        until, today = date.fromisoformat(expiration_date), datetime.fromtimestamp(self._clock(), UTC).date()
        if scope not in (None, "rpc") or not today < until <= today + timedelta(days=LIFE):
            raise invalid(f"You cannot exceed {LIFE} days.")
        new = secrets.token_hex(20)
        self.made[new] = until
        return new
