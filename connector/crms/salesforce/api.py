"""Salesforce's REST calls, each with the address of its page above it. No mapping here, and no decisions.

Every call raises what `connector.remote.http.Remote.call` raises, after `refusals.Refusals` was asked.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping
from typing import Any
from urllib.parse import quote

from connector.crms.salesforce.settings import API_VERSION
from connector.model.errors import Transient
from connector.remote.http import Answer, Remote
from connector.remote.rate_limit import Quota
from connector.remote.values import read_object

DATA = f"services/data/v{API_VERSION}"
TOKEN = "services/oauth2/token"  # noqa: S105 - a path
CREATE_CONTACT, UPDATE_CONTACT = "create a contact", "update a contact"
RECORD_EVENT, UPDATE_EVENT = "record the appointment", "update the appointment"
CREATE_FIELD, PERMIT_FIELD = "create a field", "permit a field"
#: Seconds until somebody asks again after the day's calls were used up.
DAY_PAUSE = 900.0
#: The organisation's own figure; the app's, where there is one, has another name in front.
_USAGE = re.compile(r"(?:^|[,;\s])api-usage=(\d{1,12})/(\d{1,12})")
_LOCATOR = re.compile(r"/query/([A-Za-z0-9]{15,24}-\d{1,9})$")


class DayCalls:
    """The calls of the last 24 hours, of all programs of the organisation, as every answer states them."""

    def __init__(self, quota: Quota, percent: int) -> None:
        self.used = 0
        self.limit = 0
        self._quota = quota
        self._percent = percent

    def note(self, headers: Mapping[str, str]) -> None:
        """Read the figures of an answer; make everybody wait where our share is used up."""
        if found := _USAGE.search(headers.get("sforce-limit-info", "")):
            self.used, self.limit = int(found[1]), int(found[2])
            if self.over:
                self._quota.block(DAY_PAUSE)

    @property
    def over(self) -> bool:
        """Whether so much of the day is used up that we pause."""
        return self._percent < 100 and self.limit > 0 and self.used * 100 >= self.limit * self._percent


class Client:
    """Calls of one organisation."""

    def __init__(self, remote: Remote, day: DayCalls) -> None:
        self._remote = remote
        self.day = day

    @property
    def limited_until(self) -> str:
        """When the pause ends that the account is in, for people; empty where there is none."""
        return self._remote.breaker.limited_until

    async def _call(self, what: str, method: str, path: str, **more: Any) -> Answer:
        answer = await self._remote.call(what, method, f"{DATA}/{path}", **more)
        self.day.note(answer.headers)
        return answer

    # https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/resources_query.htm
    # https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/resources_queryall.htm
    async def pages(
        self, what: str, query: str, *, deleted: bool = False, most: int = 1, probe: bool = False
    ) -> AsyncIterator[tuple[list[dict[str, Any]], bool]]:
        """Run a query, with the rows of the recycle bin where `deleted`.

        Yields the rows of up to `most` pages, each with whether it is the last one. Raises Transient for an answer that is
        no page.
        """
        path = "queryAll" if deleted else "query"
        answer = await self._call(what, "GET", path, params={"q": query}, accept=(200,), probe=probe)
        for number in range(1, most + 1):
            data = read_object(answer.data)
            rows, last = data.get("records"), data.get("done") is True
            if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
                raise Transient(f"{self._remote.title}: {what}: answered without records", account=self._remote.account)
            yield rows, last
            if last or number == most:
                return
            answer = await self._next(what, data, probe=probe)

    async def _next(self, what: str, page: dict[str, Any], *, probe: bool) -> Answer:
        """The page after this one. Only its locator is taken from the answer, never an address to call."""
        found = _LOCATOR.search(str(page.get("nextRecordsUrl")))
        if found is None:
            raise Transient(f"{self._remote.title}: {what}: the next page is not named", account=self._remote.account)
        return await self._call(what, "GET", f"query/{found[1]}", accept=(200,), probe=probe)

    # https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/dome_upsert.htm
    async def upsert_contact(self, field: str, key: str, fields: dict[str, Any], *, allow_save: bool) -> Answer:
        """Create the contact with this external id, or write to the one that has it; 201, 200 or 204.

        `allow_save` overrides duplicate rules that only alert.
        """
        path = f"sobjects/Contact/{field}/{quote(key, safe='')}"
        headers = {"Sforce-Duplicate-Rule-Header": "allowSave=true"} if allow_save else None
        return await self._call(CREATE_CONTACT, "PATCH", path, json=fields, headers=headers, accept=(200, 201, 204))

    # https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/dome_update_fields.htm
    async def update_contact(self, record: str, fields: dict[str, Any]) -> Answer:
        """Write some fields of one contact."""
        return await self._call(UPDATE_CONTACT, "PATCH", f"sobjects/Contact/{record}", json=fields, accept=(200, 204))

    # https://developer.salesforce.com/docs/platform/object-reference/references/standard-objects/object-event.html
    async def create_event(self, fields: dict[str, str]) -> Answer:
        """Create an event."""
        return await self._call(RECORD_EVENT, "POST", "sobjects/Event", json=fields, accept=(200, 201))

    # https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/dome_update_fields.htm
    async def update_event(self, record: str, fields: dict[str, str]) -> Answer:
        """Write some fields of an event."""
        path = f"sobjects/Event/{quote(record, safe='')}"
        return await self._call(UPDATE_EVENT, "PATCH", path, json=fields, accept=(200, 204))

    # https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/resources_sobject_describe.htm
    async def describe(self, kind: str) -> Answer:
        """What an object has and what our user may do with it; status 200 or 404. Asked although the account is down."""
        what, path = f"read what a {kind.lower()} has", f"sobjects/{kind}/describe"
        return await self._call(what, "GET", path, accept=(200, 404), probe=True)

    # https://developer.salesforce.com/docs/atlas.en-us.api_tooling.meta/api_tooling/tooling_api_objects_customfield.htm
    async def create_field(self, name: str, metadata: dict[str, Any]) -> Answer:
        """Create a field of contacts, which nobody sees yet; 400: perhaps it is there already."""
        body = {"FullName": f"Contact.{name}", "Metadata": metadata}
        path = "tooling/sobjects/CustomField"
        return await self._call(CREATE_FIELD, "POST", path, json=body, accept=(200, 201, 400), probe=True)

    # https://developer.salesforce.com/docs/platform/object-reference/references/standard-objects/object-fieldpermissions.html
    async def permit_field(self, permission_set: str, name: str, permission: str | None) -> Answer:
        """Let everybody with the permission set see and write the field; `permission` is the row that says less, if any."""
        rights: dict[str, Any] = {"PermissionsRead": True, "PermissionsEdit": True}
        if permission is not None:
            path = f"sobjects/FieldPermissions/{permission}"
            return await self._call(PERMIT_FIELD, "PATCH", path, json=rights, accept=(200, 204), probe=True)
        body = {"ParentId": permission_set, "SobjectType": "Contact", "Field": f"Contact.{name}", **rights}
        return await self._call(PERMIT_FIELD, "POST", "sobjects/FieldPermissions", json=body, accept=(200, 201), probe=True)
