"""A new API key before the old one ends: made by Odoo for the old one, kept on the disk, and only then used.

https://www.odoo.com/documentation/19.0/developer/reference/external_api.html; the old key is left to end by itself.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, time, timedelta

from connector.crms.odoo.api import Client
from connector.crms.odoo.protocols import Login
from connector.crms.odoo.settings import OdooSettings
from connector.model.errors import RemoteError
from connector.model.renewed import Renewed, RenewedSecrets, fingerprint

#: Days before the end from which on a key is renewed, and the longest that Odoo lets a key live.
EARLY, LIFE = 14, 90
#: After a try that failed; each try may have made a key that nobody knows, and Odoo allows ten.
AGAIN = timedelta(days=1)


class KeyRenewal:
    """The renewal of one account's key. Without a memory, nothing is renewed."""

    def __init__(
        self, account: str, client: Client, login: Login, settings: OdooSettings, clock: Callable[[], datetime]
    ) -> None:
        #: When the key in use ends, where it is one of ours; and why the last try failed.
        self.ends: datetime | None = None
        self.failure = ""
        self._account = account
        self._client = client
        self._login = login
        self._settings = settings
        self._clock = clock
        self._configured = fingerprint(login.key)
        self._memory: RenewedSecrets | None = None
        self._not_before = datetime.min.replace(tzinfo=UTC)

    def remember(self, memory: RenewedSecrets) -> None:
        """Go on with the key that was kept, unless somebody has configured another one since. Raises StoreError."""
        self._memory = memory
        kept = memory.get(self._account)
        if kept is not None and kept.instead_of == self._configured:
            self._login.key, self.ends = kept.value, kept.ends

    async def run(self, ends: datetime | None) -> list[str]:
        """Renew a key that ends soon; what was done, in one sentence. Raises StoreError where it cannot be kept."""
        now = self._clock()
        soon = ends is not None and ends - now < timedelta(days=EARLY)
        if not soon or self._memory is None or not self._settings.renew_api_key or now < self._not_before:
            return []
        self._not_before = now + AGAIN
        until = datetime.combine((now + timedelta(days=LIFE)).date(), time.min, UTC)
        try:
            if not await self._client.renews_keys():
                return []
            name = f"{self._settings.api_key_name or 'connector'}, renewed {now:%Y-%m-%d}"
            key = await self._client.generate_key(self._login.key, name, until.date())
        except RemoteError as error:
            self.failure = str(error)
            return []
        await self._memory.keep(self._account, Renewed(key, until, self._configured))
        self._login.key, self.ends, self.failure = key, until, ""
        return [f"Odoo: renewed the API key; the new one ends on {until:%Y-%m-%d}"]
