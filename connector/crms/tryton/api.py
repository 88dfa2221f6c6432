"""The calls of Tryton's REST API, one method each. No mapping here, and no decisions.

Tryton publishes no reference of this API, which came with version 8.0: the addresses are those of
https://code.tryton.org/tryton/ (trytond/protocols/rest.py), the answers were measured on a local server of 8.2. Models and
domains: https://docs.tryton.org/latest/server/ref/models.html and https://docs.tryton.org/latest/server/topics/domain.html.
Every call raises what `connector.remote.http.Remote.call` raises, after `refusals.Refusals` was asked.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from connector.crms.tryton.refusals import Refusals
from connector.remote.http import Answer, Remote
from connector.remote.values import read_object

PARTY, MECHANISM, ATTACHMENT = "party.party", "party.contact_mechanism", "ir.attachment"


class Client:
    """Calls of one database."""

    def __init__(self, remote: Remote, database: str, refusals: Refusals) -> None:
        self._remote = remote
        self._base = f"{quote(database, safe='')}/rest/model"
        self._refusals = refusals

    async def search(
        self, what: str, model: str, domain: Sequence[Any], fields: Sequence[str], *, limit: int | None = None
    ) -> list[dict[str, Any]]:
        """Read the records that meet the domain, oldest first; those that are not active only if it names `active`.

        By the action `search_read`, whose domain stands in the body: an address would show e-mail addresses to every log
        on the way.
        """
        asked = {"domain": list(domain), "fields_names": list(fields), "order": [["id", "ASC"]], "limit": limit}
        answer = await self._remote.call(what, "POST", f"{self._base}/{model}/search_read", json=asked, writes=False)
        found = answer.data
        if not isinstance(found, list) or not all(isinstance(one, dict) and type(one.get("id")) is int for one in found):
            raise self._refusals.unclear(what, "answered with something that is not a list of records", writes=False)
        return found

    async def create(self, what: str, model: str, values: Mapping[str, Any], fields: Sequence[str]) -> Answer:
        """Make a record and answer it with these fields. Status 400: refused, and nothing was done."""
        return await self._write(what, "POST", model, values, fields)

    async def update(self, what: str, model: str, record: int, values: Mapping[str, Any]) -> Answer:
        """Write some fields of one active record; status 400 as above. Raises Rejected with status 404: there is none."""
        return await self._write(what, "PUT", f"{model}/{record}", values, ["id"])

    async def _write(self, what: str, method: str, path: str, values: Mapping[str, Any], fields: Sequence[str]) -> Answer:
        params = {"f": list(fields)}
        return await self._remote.call(what, method, f"{self._base}/{path}", params=params, json=values, accept=(200, 204, 400))

    async def rights(self, models: Sequence[str], *, probe: bool) -> dict[str, dict[str, Any]]:
        """What our user may do: model → `read`, `create`, `write`, `delete`. By the action `get_access`, which only reads."""
        what = "ask for our rights"
        path = f"{self._base}/ir.model.access/get_access"
        answer = await self._remote.call(what, "POST", path, json={"models": list(models)}, writes=False, probe=probe)
        found = read_object(answer.data)
        if not all(isinstance(found.get(model), dict) for model in models):
            raise self._refusals.unclear(what, "answered with something that is not a list of rights", writes=False)
        return found
