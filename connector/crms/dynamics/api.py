"""Dataverse's Web API calls, each with the address of its page. No mapping here, and no decisions.

Every call raises what `connector.remote.http.Remote.call` raises, after `refusals.Refusals` was asked.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from typing import Any

from connector.model.errors import Transient
from connector.remote.http import Answer, Remote
from connector.remote.values import read_object

API = "api/data/v9.2"
CREATE_CONTACT, UPDATE_CONTACT = "create a contact", "update a contact"
RECORD, UPDATE = "record the appointment", "update the appointment"
READ_DEFINITION, CHANGE_DEFINITION = "read what a contact has", "change what a contact has"
#: Rows of one answer; more than these are never looked at.
MOST = 500
CONTACT = "EntityDefinitions(LogicalName='contact')"
STRINGS = f"{CONTACT}/Attributes/Microsoft.Dynamics.CRM.StringAttributeMetadata"
#: Definitions and privileges are read as they are now; they are cached for some seconds otherwise.
FRESH = {"Consistency": "Strong"}


class Client:
    """Calls of one environment; at most `simultaneous` at the same time."""

    def __init__(self, remote: Remote, simultaneous: int, solution: str | None) -> None:
        self._remote = remote
        self._room = asyncio.Semaphore(simultaneous)
        self._solution = {"MSCRM.SolutionUniqueName": solution} if solution is not None else {}

    async def _call(self, what: str, method: str, path: str, **more: Any) -> Answer:
        async with self._room:
            return await self._remote.call(what, method, f"{API}/{path}", **more)

    # ---- rows ----

    async def rows(self, what: str, table: str, columns: Sequence[str], condition: str) -> tuple[list[dict[str, Any]], bool]:
        """Read the rows that a filter lets through, and whether these are all. Raises Transient for another answer.

        https://learn.microsoft.com/en-us/power-apps/developer/data-platform/webapi/query/filter-rows
        """
        params = {"$select": ",".join(columns), "$filter": condition}
        headers = {"Prefer": f"odata.maxpagesize={MOST}", "If-None-Match": "null"}
        answer = await self._call(what, "GET", table, params=params, headers=headers, accept=(200,))
        data = read_object(answer.data)
        rows = data.get("value")
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise Transient(f"{self._remote.title}: {what}: answered without rows", account=self._remote.account)
        return rows, "@odata.nextLink" not in data

    async def create_contact(
        self, column: str, key: str, fields: Mapping[str, Any], columns: Sequence[str], *, detect_duplicates: bool
    ) -> Answer:
        """Create the contact with this alternate key, and only create it; 201 with the columns asked for.

        https://learn.microsoft.com/en-us/power-apps/developer/data-platform/use-upsert-insert-update-record
        https://learn.microsoft.com/en-us/power-apps/developer/data-platform/webapi/perform-conditional-operations-using-web-api
        """
        headers = {"If-None-Match": "*", "Prefer": "return=representation"}
        if detect_duplicates:
            headers["MSCRM.SuppressDuplicateDetection"] = "false"
        path, params = f"contacts({column}='{key}')", {"$select": ",".join(columns)}
        accept = (200, 201, 204)
        return await self._call(CREATE_CONTACT, "PATCH", path, params=params, json=dict(fields), headers=headers, accept=accept)

    async def update_contact(self, record: str, fields: Mapping[str, Any], etag: str) -> Answer:
        """Write some columns of a contact that is as it was when it had this etag.

        https://learn.microsoft.com/en-us/power-apps/developer/data-platform/webapi/update-delete-entities-using-web-api
        """
        headers = {"If-Match": etag}
        return await self._call(
            UPDATE_CONTACT, "PATCH", f"contacts({record})", json=dict(fields), headers=headers, accept=(200, 204)
        )

    async def create_appointment(self, record: str, fields: Mapping[str, Any]) -> Answer:
        """Create the appointment under this id of ours. Raises Conflict where there is one.

        https://learn.microsoft.com/en-us/power-apps/developer/data-platform/webapi/perform-conditional-operations-using-web-api
        """
        headers, path = {"If-None-Match": "*"}, f"appointments({record})"
        return await self._call(RECORD, "PATCH", path, json=dict(fields), headers=headers, accept=(200, 201, 204))

    async def update_appointment(self, record: str, fields: Mapping[str, Any]) -> Answer:
        """Write some columns of an appointment that is there; also its state.

        https://learn.microsoft.com/en-us/power-apps/developer/data-platform/webapi/update-delete-entities-using-web-api
        """
        path, headers = f"appointments({record})", {"If-Match": "*"}
        return await self._call(UPDATE, "PATCH", path, json=dict(fields), headers=headers, accept=(200, 204))

    # ---- definitions; asked although the account is marked as down ----

    async def keys(self) -> Answer:
        """Read the alternate keys of contacts and the state of their indexes.

        https://learn.microsoft.com/en-us/power-apps/developer/data-platform/define-alternate-keys-entity
        """
        expand = "Keys($select=LogicalName,KeyAttributes,EntityKeyIndexStatus)"
        params = {"$select": "LogicalName", "$expand": expand}
        return await self._call(READ_DEFINITION, "GET", CONTACT, params=params, headers=FRESH, accept=(200,), probe=True)

    async def strings(self, *, probe: bool = False) -> Answer:
        """Read the text columns of contacts: lengths, required levels, whether they can be written.

        https://learn.microsoft.com/en-us/power-apps/developer/data-platform/webapi/query-metadata-web-api
        """
        params = {"$select": "LogicalName,MaxLength,RequiredLevel,IsValidForCreate,IsValidForUpdate"}
        return await self._call(READ_DEFINITION, "GET", STRINGS, params=params, headers=FRESH, accept=(200,), probe=probe)

    async def columns(self, kind: str = "", members: Sequence[str] = (), parts: Sequence[str] = ()) -> Answer:
        """Read the columns of contacts: all of them, or those of one kind with `members` and `parts` that only it has.

        https://learn.microsoft.com/en-us/power-apps/developer/data-platform/webapi/query-metadata-web-api
        """
        always = ("LogicalName", "AttributeTypeName", "IsValidForCreate", "IsValidForUpdate", "DisplayName")
        params = {"$select": ",".join((*always, *members))}
        params |= {"$expand": ",".join(f"{part}($select=Options)" for part in parts)} if parts else {}
        path = f"{CONTACT}/Attributes" + (f"/Microsoft.Dynamics.CRM.{kind}AttributeMetadata" if kind else "")
        return await self._call(READ_DEFINITION, "GET", path, params=params, headers=FRESH, accept=(200,), probe=True)

    async def create_column(self, body: Mapping[str, Any]) -> Answer:
        """Make a text column of contacts.

        https://learn.microsoft.com/en-us/power-apps/developer/data-platform/webapi/create-update-column-definitions-using-web-api
        """
        return await self._change(f"{CONTACT}/Attributes", body)

    async def create_key(self, body: Mapping[str, Any]) -> Answer:
        """Make an alternate key of contacts; its index is made in the background.

        https://learn.microsoft.com/en-us/power-apps/developer/data-platform/define-alternate-keys-entity
        """
        return await self._change(f"{CONTACT}/Keys", body)

    async def reactivate_key(self, name: str) -> Answer:
        """Make the index of a key that failed once more.

        https://learn.microsoft.com/en-us/power-apps/developer/data-platform/webapi/reference/reactivateentitykey
        """
        return await self._change("ReactivateEntityKey", {"EntityLogicalName": "contact", "EntityKeyLogicalName": name})

    async def _change(self, path: str, body: Mapping[str, Any]) -> Answer:
        accept, headers = (200, 201, 204), self._solution
        return await self._call(CHANGE_DEFINITION, "POST", path, json=dict(body), headers=headers, accept=accept, probe=True)

    async def language(self) -> Answer:
        """Read the base language of the environment, which every label must be in.

        https://learn.microsoft.com/en-us/power-apps/developer/data-platform/reference/entities/organization
        """
        what, params = "read the environment's language", {"$select": "languagecode"}
        return await self._call(what, "GET", "organizations", params=params, accept=(200,), probe=True)

    # ---- our user ----

    async def who(self) -> Answer:
        """Read who we are.

        https://learn.microsoft.com/en-us/power-apps/developer/data-platform/webapi/reference/whoami
        """
        return await self._call("ask who we are", "GET", "WhoAmI", accept=(200,), probe=True)

    async def privileges(self, user: str, names: Sequence[str]) -> Answer:
        """Read which of these privileges a user has, and how far each reaches.

        https://learn.microsoft.com/en-us/power-apps/developer/data-platform/webapi/reference/retrieveusersetofprivilegesbynames
        """
        path = f"systemusers({user})/Microsoft.Dynamics.CRM.RetrieveUserSetOfPrivilegesByNames(PrivilegeNames=@names)"
        params = {"@names": json.dumps(list(names))}
        return await self._call("read our privileges", "GET", path, params=params, headers=FRESH, accept=(200,), probe=True)
