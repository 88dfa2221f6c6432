"""The methods of Odoo that are called, one function each, whichever of its two APIs carries them.

The methods are the ORM's: https://www.odoo.com/documentation/19.0/developer/reference/external_api.html and
https://www.odoo.com/documentation/19.0/developer/reference/backend/orm.html. No mapping here, and no decisions. Every
call raises what `connector.remote.http.Remote.call` raises, after `refusals.Refusals` was asked.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any

from connector.crms.odoo.protocols import JSON_2, Method, Server
from connector.crms.odoo.refusals import NoReference, Refusals
from connector.remote.values import read_object

PARTNER, EVENT, KEYS, USERS = "res.partner", "calendar.event", "res.users.apikeys", "res.users"
#: Nobody is invited and nobody is informed of a change.
SILENT = {"no_mail_to_attendees": True}
#: `load` reads times in the zone of the user, or of this context; ours are in UTC.
IN_UTC = {"tz": "UTC"}
#: Archived records are shown as well.
ALL = {"active_test": False}
#: What is asked of each field.
ATTRIBUTES = ("type", "string", "readonly", "size", "selection")
#: The first version whose models have `has_access`; before it was `check_access_rights`.
HAS_ACCESS = 18


class Client:
    """Calls of one account."""

    def __init__(self, server: Server, refusals: Refusals) -> None:
        self._server = server
        self._refusals = refusals

    async def _call(self, method: Method) -> Any:
        caller, _ = await self._server.caller(probe=method.probe)
        return await caller.call(method)

    async def search(
        self,
        what: str,
        model: str,
        domain: Sequence[Any],
        fields: Sequence[str],
        *,
        limit: int | None = None,
        context: Mapping[str, Any] | None = None,
        probe: bool = False,
    ) -> list[dict[str, Any]]:
        """Read the records that meet the domain, oldest first. Archived ones are left out unless the context asks for them."""
        arguments: dict[str, Any] = {"domain": list(domain), "fields": list(fields), "order": "id"}
        if limit is not None:
            arguments["limit"] = limit
        found = await self._call(Method(what, model, "search_read", arguments, context=context or {}, probe=probe))
        if not isinstance(found, list) or not all(isinstance(one, dict) and type(one.get("id")) is int for one in found):
            raise self._refusals.unclear(what, "answered with something that is not a list of records", writes=False)
        return found

    async def load(self, what: str, model: str, reference: str, values: Mapping[str, str]) -> int:
        """Make or change the one record with this external id; every cell must say something, an empty one clears.

        https://www.odoo.com/documentation/19.0/developer/reference/backend/orm.html (load): a failure is a success
        with messages. Raises Transient where another write of the same external id was faster.
        """
        names = ["id", *values]
        arguments = {"fields": names, "data": [[reference, *values.values()]]}
        data = await self._call(Method(what, model, "load", arguments, context={**SILENT, **IN_UTC}, writes=True))
        ids = read_object(data).get("ids")
        if isinstance(ids, list) and len(ids) == 1 and type(ids[0]) is int:
            return ids[0]
        raise self._refusals.of_load(what, data)

    async def write(self, what: str, model: str, record: int, values: Mapping[str, Any]) -> None:
        """Write some fields of one record. Raises Rejected with status 404 where there is none."""
        done = await self._call(Method(what, model, "write", {"vals": dict(values)}, [record], SILENT, writes=True))
        if done is not True:
            raise self._refusals.unclear(what, "answered with something else than true", writes=True)

    async def external_ids(self, what: str, model: str, records: Sequence[int]) -> dict[str, str]:
        """One external id of each record, `module.name`; an empty text where it has none."""
        found = await self._call(Method(what, model, "get_external_id", {}, list(records)))
        if not isinstance(found, dict) or not all(isinstance(one, str) for one in found.values()):
            raise self._refusals.unclear(what, "answered with something that is not a list of external ids", writes=False)
        return found

    async def reference(self, what: str, module: str, name: str, model: str) -> int | None:
        """The id of the record with this external id, archived or not; None: there is none.

        Odoo reads a missing one from its database, never from a cache, and says so with an error that quotes it.
        Raises Transient where the record is there but hidden from our user.
        """
        method = Method(what, "ir.model.data", "check_object_reference", {"module": module, "xml_id": name}, context=ALL)
        try:
            found = await self._call(method)
        except NoReference as error:
            if error.reference == f"{module}.{name}":
                return None
            raise
        match found:
            case [kind, int(record)] if kind == model and type(record) is int:
                return record
        raise self._refusals.unclear(what, "the record is hidden from our user, or of another kind", writes=False)

    async def fields(self, what: str, model: str, names: Iterable[str], *, probe: bool = False) -> Mapping[str, Any]:
        """The definitions of those of the fields that exist."""
        arguments = {"allfields": list(names), "attributes": ["type"]}
        found = await self._call(Method(what, model, "fields_get", arguments, probe=probe))
        if not isinstance(found, dict):
            raise self._refusals.unclear(what, "answered with something that is not a list of fields", writes=False)
        return found

    async def all_fields(self, what: str, model: str) -> Mapping[str, Any]:
        """The definitions of all fields that our user sees."""
        found = await self._call(Method(what, model, "fields_get", {"attributes": list(ATTRIBUTES)}))
        if not isinstance(found, dict):
            raise self._refusals.unclear(what, "answered with something that is not a list of fields", writes=False)
        return found

    async def may(self, model: str, operation: str, *, probe: bool = True) -> bool:
        """Whether our user has the right to `read`, `create` or `write` records of a model."""
        what = "ask for our rights"
        caller, major = await self._server.caller(probe=probe)
        if major >= HAS_ACCESS:
            method = Method(what, model, "has_access", {"operation": operation}, [], probe=probe)
        else:
            arguments = {"operation": operation, "raise_exception": False}
            method = Method(what, model, "check_access_rights", arguments, probe=probe)
        found = await caller.call(method)
        if not isinstance(found, bool):
            raise self._refusals.unclear(what, "answered with something else than yes or no", writes=False)
        return found

    async def renews_keys(self) -> bool:
        """Whether the server makes keys for programs: from version 19 on."""
        return (await self._server.caller())[1] >= JSON_2

    async def generate_key(self, key: str, name: str, until: date) -> str:
        """Make a further API key of the user to whom `key` belongs; it is shown once.

        https://www.odoo.com/documentation/19.0/developer/reference/external_api.html
        """
        what = "renew the API key"
        arguments = {"key": key, "scope": "rpc", "name": name, "expiration_date": until.isoformat()}
        found = await self._call(Method(what, KEYS, "generate", arguments, writes=True))
        if not isinstance(found, str) or re.fullmatch(r"[!-~]{8,200}", found) is None:
            raise self._refusals.unclear(what, "answered without a key", writes=True)
        return found

    async def create_field(self, model: str, name: str, label: str) -> None:
        """Make a custom text field. https://www.odoo.com/documentation/18.0/developer/reference/external_api.html"""
        what = "create a field of contacts"
        found = await self.search(what, "ir.model", [["model", "=", model]], ["model"], probe=True)
        if len(found) != 1:
            raise self._refusals.unclear(what, "the model is not shown to our user", writes=False)
        values = {"model_id": found[0]["id"], "name": name, "field_description": label, "ttype": "char"}
        await self._call(Method(what, "ir.model.fields", "create", {"vals_list": [values]}, writes=True, probe=True))
