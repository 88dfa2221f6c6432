"""Pipedrive's REST calls with their published price in tokens. No mapping here, and no decisions.

Pages: https://developers.pipedrive.com/docs/api/v1/Persons, …/Activities, …/PersonFields, …/Users. Every call raises what
`connector.remote.http.Remote.call` raises, and `LimitReached` where the day's tokens are used up by our own count.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from connector.crms.pipedrive.settings import DAY
from connector.model.errors import LimitReached
from connector.remote.http import Answer, Remote
from connector.remote.rate_limit import Quota

PAGE = "500"
#: Own fields that a list can be asked for by code.
NAMED_FIELDS = 15
#: Seconds until the day's tokens are looked at again.
TOKENS_WAIT = 900.0
Json = dict[str, Any]


class Client:
    """Calls of one company; `searches` and `tokens` are budgets beside that of all calls."""

    def __init__(self, remote: Remote, searches: Quota, tokens: Quota) -> None:
        self._remote = remote
        self._searches = searches
        self._tokens = tokens

    async def _call(self, cost: int, what: str, method: str, path: str, **more: Any) -> Answer:
        for window in self._tokens.windows:
            # Waiting here would last for hours and keep everybody else waiting.
            if self._tokens.used(DAY) + cost > window.calls:
                text = f"{self._remote.title}: {what}: the {window.calls} tokens of 24 hours are used up (limits.daily_tokens)"
                raise LimitReached(text, account=self._remote.account, retry_after=TOKENS_WAIT)
        async with self._tokens.spend(cost):
            return await self._remote.call(what, method, path, **more)

    # https://developers.pipedrive.com/docs/api/v1/Persons#getPerson
    async def person(self, record: str) -> Answer:
        """Read one person; status 200 or 404."""
        return await self._call(1, "read a person", "GET", f"api/v2/persons/{record}", accept=(200, 404))

    # https://developers.pipedrive.com/docs/api/v1/Persons#getPersons
    async def persons_since(self, moment: str, fields: Sequence[str], cursor: str | None) -> Answer:
        """List the persons changed since then, the longest unchanged first: one that changes meanwhile is not missed.

        `fields` are the codes of own fields to answer; of more than can be named all are asked for.
        """
        params = {
            "updated_since": moment,
            "sort_by": "update_time",
            "sort_direction": "asc",
            "limit": PAGE,
        }
        params |= {"custom_fields": ",".join(fields)} if len(fields) <= NAMED_FIELDS else {}
        params |= {"cursor": cursor} if cursor else {}
        return await self._call(10, "list the newest persons", "GET", "api/v2/persons", params=params, accept=(200,))

    # https://developers.pipedrive.com/docs/api/v1/Persons#searchPersons
    async def search(self, term: str, field: str, *, exact: bool, cursor: str | None) -> Answer:
        """Search persons by `email`, `phone` or `custom_fields`. The index lags behind the records."""
        params = {"term": term, "fields": field, "exact_match": "true" if exact else "false", "limit": PAGE}
        params |= {"cursor": cursor} if cursor else {}
        return await self._call(
            20, "search persons", "GET", "api/v2/persons/search", params=params, accept=(200,), budget=self._searches
        )

    # https://developers.pipedrive.com/docs/api/v1/Persons#addPerson
    async def create_person(self, values: Json) -> Answer:
        """Create a person. Pipedrive refuses no second one."""
        return await self._call(5, "create a person", "POST", "api/v2/persons", json=values, accept=(200, 201))

    # https://developers.pipedrive.com/docs/api/v1/Persons#updatePerson
    async def update_person(self, record: str, values: Json) -> Answer:
        """Write some values of a person; status 200 or 404."""
        return await self._call(5, "update a person", "PATCH", f"api/v2/persons/{record}", json=values, accept=(200, 404))

    # https://developers.pipedrive.com/docs/api/v1/Activities#getActivity
    async def activity(self, record: str) -> Answer:
        """Read one activity; status 200 or 404."""
        return await self._call(1, "read an activity", "GET", f"api/v2/activities/{record}", accept=(200, 404))

    # https://developers.pipedrive.com/docs/api/v1/Activities#getActivities
    async def activities_of(self, person: str, cursor: str | None) -> Answer:
        """List the activities whose primary participant is the person."""
        params = {"person_id": person, "limit": PAGE} | ({"cursor": cursor} if cursor else {})
        return await self._call(10, "list a person's activities", "GET", "api/v2/activities", params=params, accept=(200,))

    # https://developers.pipedrive.com/docs/api/v1/Activities#addActivity
    async def create_activity(self, values: Json) -> Answer:
        """Create an activity."""
        return await self._call(5, "record the appointment", "POST", "api/v2/activities", json=values, accept=(200, 201))

    # https://developers.pipedrive.com/docs/api/v1/Activities#updateActivity
    async def update_activity(self, record: str, values: Json) -> Answer:
        """Write some values of an activity; status 200 or 404."""
        path = f"api/v2/activities/{record}"
        return await self._call(5, "update the appointment", "PATCH", path, json=values, accept=(200, 404))

    # https://developers.pipedrive.com/docs/api/v1/PersonFields#getPersonFields
    async def fields(self, cursor: str | None, *, probe: bool) -> Answer:
        """List the definitions of persons' fields."""
        params = {"limit": PAGE} | ({"cursor": cursor} if cursor else {})
        return await self._call(
            10, "list the person fields", "GET", "api/v2/personFields", params=params, accept=(200,), probe=probe
        )

    # https://developers.pipedrive.com/docs/api/v1/Users#getUsers
    async def users(self) -> Answer:
        """List the users of the company."""
        return await self._call(20, "list the users", "GET", "v1/users", accept=(200,))

    # https://developers.pipedrive.com/docs/api/v1/PersonFields#addPersonField
    async def create_field(self, name: str) -> Answer:
        """Create a text field of persons; 403: the token's user may not do that."""
        body = {"field_name": name, "field_type": "varchar"}
        return await self._call(
            5, "create a person field", "POST", "api/v2/personFields", json=body, accept=(200, 201, 403), probe=True
        )
