"""The two fields which connector has in the account: the key of contacts, which must be unique, and the marker of events."""

from __future__ import annotations

from typing import Any

from connector.crms.zoho import mapping
from connector.crms.zoho.api import Client, unexpected
from connector.crms.zoho.refusals import HINT_FIX
from connector.model.errors import AccountPaused
from connector.remote.fields import Field
from connector.remote.http import Remote
from connector.remote.values import read_objects


class OwnFields:
    """Looks at both, and makes them. `key` and `marker` are their API names."""

    def __init__(self, remote: Remote, client: Client, key: str, marker: str) -> None:
        self._remote = remote
        self._client = client
        self._key = key
        self._marker = marker
        self._marker_seen = False

    async def require_key(self) -> None:
        """Raise AccountPaused, with a hint, unless the key's field is there and unique."""
        field = await self._find("Contacts", self._key)
        if field is None:
            raise self._problem("Contacts", self._key, "does not exist", HINT_FIX)
        if not field.get("unique"):
            tick = 'In Zoho, tick "Do not allow duplicate values" for it'
            hint = f"{tick}, or set another person_key_field in [{self._remote.account}]."
            raise self._problem("Contacts", self._key, "exists but is not unique", hint)

    async def require_marker(self) -> None:
        """Raise AccountPaused unless the marker's field is there; it is asked for until it was seen once.

        Zoho is believed to ignore fields that it does not know, and an event without its marker cannot be found again.
        """
        if not self._marker_seen:
            await self.look_at_marker()

    async def look_at_marker(self) -> None:
        """Raise AccountPaused unless the marker's field is there now."""
        self._marker_seen = await self._find("Events", self._marker) is not None
        if not self._marker_seen:
            raise self._problem("Events", self._marker, "does not exist", HINT_FIX)

    async def make(self) -> list[str]:
        """Make what is missing; one sentence each. Raises AccountPaused with a hint when the token may not do that."""
        made = [
            await self._make("Contacts", self._key, {"length": 64, "unique": {"case_sensitive": False}}),
            await self._make("Events", self._marker, {"length": 64}),
        ]
        return [sentence for sentence in made if sentence]

    async def _make(self, module: str, name: str, more: dict[str, Any]) -> str:
        if await self._find(module, name) is not None:
            return ""
        # Zoho makes the API name of the label: its spaces become underscores (inferred), so it is looked at afterwards.
        label = name.replace("_", " ")
        await self._client.create_field(module, {"field_label": label, "data_type": "text", **more})
        if await self._find(module, name) is None:
            key = "person_key_field" if module == "Contacts" else "marker_field"
            hint = f'Look up the API name of "{label}" in Zoho and set it as {key} in [{self._remote.account}].'
            raise self._problem(module, name, "was made, but Zoho gave it another API name", hint)
        return f"Zoho CRM: created the {'unique field' if 'unique' in more else 'field'} {name} of {module.lower()}."

    async def of_contacts(self) -> dict[str, Field]:
        """What contacts have now, by API name."""
        found = [mapping.field(definition) for definition in await self._definitions("Contacts")]
        return {about.name: about for about in found if about.name}

    async def _find(self, module: str, name: str) -> dict[str, Any] | None:
        """The definition of a field, None where there is none."""
        return next((field for field in await self._definitions(module) if field.get("api_name") == name), None)

    async def _definitions(self, module: str) -> list[dict[str, Any]]:
        answer = await self._client.fields(module)
        fields = answer.data.get("fields") if isinstance(answer.data, dict) else None
        if not isinstance(fields, list) or not fields:
            raise unexpected(self._remote, f"read the fields of {module}", "answered without fields")
        return read_objects(fields)

    def _problem(self, module: str, name: str, how: str, hint: str) -> AccountPaused:
        text = f"Zoho CRM: the field {name} of {module.lower()} {how}"
        return AccountPaused(text, account=self._remote.account, hint=hint)
