"""How long the API key lives. Odoo gives a key three months at most; without a warning the account stops one day with 401."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, time

from connector.crms.odoo.api import KEYS, Client
from connector.crms.odoo.mapping import moment
from connector.crms.odoo.renewal import EARLY, KeyRenewal
from connector.crms.odoo.settings import OdooSettings
from connector.model.errors import RemoteError
from connector.model.problems import Check, Level, Topic
from connector.remote.http import Remote


class _Endless(Exception):
    """The key does not end."""


class KeyExpiry:
    """The key of one account: its end is configured, or read from the list of the user's own keys."""

    def __init__(
        self, remote: Remote, client: Client, settings: OdooSettings, clock: Callable[[], datetime], renewal: KeyRenewal
    ) -> None:
        self._account = remote.account
        self._client = client
        self._settings = settings
        self._clock = clock
        self._renewal = renewal
        self._last: datetime | None = None

    async def ends(self) -> datetime | None:
        """When the key ends; None where that is not known, or where it has no end."""
        try:
            return await self._known()
        except (_Endless, RemoteError):
            return None

    async def _known(self) -> datetime | None:
        # A try to renew may have left a key in the list that makes it ambiguous.
        self._last = (self._renewal.ends or self._configured() or await self._listed()) or self._last
        return self._last

    async def check(self) -> Check:
        """A warning two weeks before the end, an error after it, and a warning where the end is not known."""
        try:
            ends = await self._known()
        except _Endless:
            return self._found("ok", "the API key has no end", "")
        except RemoteError as error:
            return self._found("warning", f"the end of the API key cannot be read ({error})", self._how_to_say())
        if ends is None:
            return self._found("warning", "when the API key ends is not known", self._how_to_say())
        days = (ends - self._clock()).days
        if days >= EARLY:
            return self._found("ok", f"the API key is good for {days} more days", "")
        hint = f"Make a new API key in Odoo and put it into [{self._account}]; a key lives three months at most."
        if self._renewal.failure:
            why = f"a renewal failed ({self._renewal.failure}); does base.enable_programmatic_api_keys allow it?"
            hint = f"{hint} Until then: {why}"
        if days < 0:
            return self._found("error", f"the API key ended on {ends:%Y-%m-%d}", hint)
        return self._found("warning", f"the API key ends in {days} days", hint)

    def _configured(self) -> datetime | None:
        day = self._settings.api_key_expires
        return None if day is None else datetime.combine(day, time.min, UTC)

    async def _listed(self) -> datetime | None:
        """The end of the one key that can be ours; a key is not shown, so of several only a name tells it.

        Raises _Endless where keys do not end: before Odoo 18, and for administrators who asked for it.
        """
        name = self._settings.api_key_name
        domain = [["name", "=", name]] if name is not None else []
        what = "read the list of our keys"
        if "expiration_date" not in await self._client.fields(what, KEYS, ["expiration_date"], probe=True):
            raise _Endless
        keys = await self._client.search(what, KEYS, domain, ["expiration_date"], limit=2, probe=True)
        if len(keys) == 1 and keys[0].get("expiration_date") is False:
            raise _Endless
        return moment(keys[0].get("expiration_date")) if len(keys) == 1 else None

    def _how_to_say(self) -> str:
        where = f"in [{self._account}]"
        return f"Set api_key_expires {where} to the day that Odoo showed with the key, or api_key_name to its description."

    def _found(self, level: Level, text: str, hint: str) -> Check:
        return Check(topic=Topic(self._account, "key"), level=level, message=f"Odoo: {text}", hint=hint)
