"""HubSpot's REST calls, each with the address of its page above it. No mapping here, and no decisions.

Every call raises what `connector.remote.http.Remote.call` raises, after `refusals.Refusals` was asked.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from connector.crms.hubspot.settings import API_VERSION
from connector.remote.http import Answer, Remote
from connector.remote.rate_limit import Quota

CONTACTS = f"crm/objects/{API_VERSION}/contacts"
OWNERS = f"crm/owners/{API_VERSION}"
MEETINGS = f"crm/objects/{API_VERSION}/meetings"
PROPERTIES = f"crm/properties/{API_VERSION}/contacts"
CREATE_CONTACT, UPDATE_CONTACT = "create a contact", "update a contact"
#: The actions whose refusal may mean that another contact holds a value.
CONTACT_WRITES = frozenset((CREATE_CONTACT, UPDATE_CONTACT))
#: meeting → contact, defined by HubSpot.
MEETING_TO_CONTACT = 200


class Client:
    """Calls of one account; `search_quota` is the separate budget of searches."""

    def __init__(self, remote: Remote, search_quota: Quota) -> None:
        self._remote = remote
        self._search_quota = search_quota

    # https://developers.hubspot.com/docs/api-reference/latest/crm/objects/contacts/guide
    async def contact(self, record: str, properties: Sequence[str], *, id_property: str | None = None) -> Answer:
        """Read one contact; status 200 or 404. `record` may hold an e-mail address, so it is fully percent-encoded."""
        params = {"properties": ",".join(properties)}
        if id_property is not None:
            params["idProperty"] = id_property
        what = f"look up a contact by {'record id' if id_property is None else id_property}"
        return await self._remote.call(what, "GET", f"{CONTACTS}/{_segment(record)}", params=params, accept=(200, 404))

    # https://developers.hubspot.com/docs/api-reference/latest/crm/search-the-crm
    async def search(self, groups: Sequence[Sequence[tuple[str, str]]], properties: Sequence[str], after: str | None) -> Answer:
        """Search contacts: any group whose (property, value) pairs all equal. The index lags behind the records."""
        body: dict[str, Any] = {
            "filterGroups": [
                {"filters": [{"propertyName": name, "operator": "EQ", "value": value} for name, value in group]}
                for group in groups
            ],
            "properties": list(properties),
            "limit": 100,
        }
        if after is not None:
            body["after"] = after
        return await self._remote.call(
            "search contacts", "POST", f"{CONTACTS}/search", json=body, accept=(200,), writes=False, budget=self._search_quota
        )

    # https://developers.hubspot.com/docs/api-reference/latest/crm/objects/contacts/guide
    async def create_contact(self, properties: dict[str, str]) -> Answer:
        """Create one contact; raises Conflict where HubSpot knows the e-mail address or our key already."""
        return await self._remote.call(CREATE_CONTACT, "POST", CONTACTS, json={"properties": properties}, accept=(200, 201))

    # https://developers.hubspot.com/docs/api-reference/latest/crm/objects/contacts/guide
    async def update_contact(self, record: str, properties: dict[str, str]) -> Answer:
        """Write some properties of one contact; status 200 or 404."""
        path = f"{CONTACTS}/{_segment(record)}"
        return await self._remote.call(UPDATE_CONTACT, "PATCH", path, json={"properties": properties}, accept=(200, 404))

    # https://developers.hubspot.com/docs/api-reference/latest/crm/activities/meetings/guide
    async def create_meeting(self, properties: dict[str, str], contact: str) -> Answer:
        """Create a meeting on a contact."""
        association = {
            "to": {"id": contact},
            "types": [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": MEETING_TO_CONTACT}],
        }
        body = {"properties": properties, "associations": [association]}
        return await self._remote.call("record the appointment", "POST", MEETINGS, json=body, accept=(200, 201))

    # https://developers.hubspot.com/docs/api-reference/latest/crm/activities/meetings/guide
    async def update_meeting(self, record: str, properties: dict[str, str]) -> Answer:
        """Write some properties of a meeting; status 200 or 404."""
        path = f"{MEETINGS}/{_segment(record)}"
        body = {"properties": properties}
        return await self._remote.call("update the appointment", "PATCH", path, json=body, accept=(200, 404))

    # https://developers.hubspot.com/docs/api-reference/latest/crm/associations/associate-records/guide
    async def meetings_of(self, contact: str, after: str | None) -> Answer:
        """Ids of a contact's meetings, read from the associations and not from the search index; status 200 or 404."""
        params = {"limit": "500"} if after is None else {"limit": "500", "after": after}
        path = f"{CONTACTS}/{_segment(contact)}/associations/meetings"
        return await self._remote.call("list a contact's meetings", "GET", path, params=params, accept=(200, 404))

    # https://developers.hubspot.com/docs/api-reference/latest/crm/activities/meetings/guide
    async def read_meetings(self, records: Sequence[str], properties: Sequence[str]) -> Answer:
        """Read up to 100 meetings; 207 where some of them could not be read, and perhaps 404 where none is there."""
        body = {"inputs": [{"id": record} for record in records], "properties": list(properties)}
        path = f"{MEETINGS}/batch/read"
        return await self._remote.call("read meetings", "POST", path, json=body, accept=(200, 207, 404), writes=False)

    # https://developers.hubspot.com/docs/api-reference/latest/crm/properties/guide
    async def property(self, name: str) -> Answer:
        """Read the definition of a contact property; status 200 or 404. Asked although the account is marked as down."""
        path = f"{PROPERTIES}/{_segment(name)}"
        return await self._remote.call("read a property's definition", "GET", path, accept=(200, 404), probe=True)

    # https://developers.hubspot.com/docs/api-reference/latest/crm/properties/guide
    async def properties(self, what: str) -> Answer:
        """Read the definitions of all contact properties."""
        return await self._remote.call(what, "GET", PROPERTIES, accept=(200,))

    # https://developers.hubspot.com/docs/api-reference/latest/crm/owners/guide
    async def owners(self, what: str, after: str | None) -> Answer:
        """List the users who can own records, without those who were deactivated."""
        params = {"limit": "500", "archived": "false"} | ({"after": after} if after is not None else {})
        return await self._remote.call(what, "GET", OWNERS, params=params, accept=(200,))

    # https://developers.hubspot.com/docs/api-reference/latest/crm/properties/guide
    async def create_property(self, definition: dict[str, Any]) -> Answer:
        """Create a contact property; 409: it is there already, 403: the key lacks `crm.schemas.contacts.write`."""
        return await self._remote.call(
            "create a property", "POST", PROPERTIES, json=definition, accept=(200, 201, 403, 409), probe=True
        )


def _segment(text: str) -> str:
    return quote(text, safe="")
