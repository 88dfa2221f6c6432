"""Zoho CRM's REST calls, each with the address of its page. No mapping here, and no decisions.

Every call raises what `connector.remote.http.Remote.call` raises, after `refusals.Refusals` was asked. A write has a result
for each record; the status of the answer says little about it, so the one result of our one record is read in any case.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from connector.crms.zoho.refusals import OF_ALL_RECORDS, Refusals, code_of, credits_left
from connector.crms.zoho.settings import API_VERSION, DAY, ZohoSettings
from connector.model.errors import AccountPaused, LimitReached, Transient, UnknownOutcome
from connector.remote.http import Answer, Remote
from connector.remote.oauth import Token, TokenSource, read_token
from connector.remote.rate_limit import Quota
from connector.remote.values import read_object

BASE = f"crm/{API_VERSION}"
#: Statuses of a write that may carry a result. The vendor's files disagree on the status of a record that was refused.
RESULTS = (200, 201, 202, 207, 400)
#: Queries at the same time, on every edition (documented).
QUERIES = 10
#: Access tokens that one refresh token may fetch, and in how many seconds (documented); beyond that it is blocked.
TOKENS, TOKEN_SECONDS = 10, 600.0
#: What Zoho answers then instead of a standard code (seen).
TOO_MANY_TOKENS = "Access Denied"
CREDENTIALS = {
    "invalid_code": "the refresh token is not valid (any more)",
    "invalid_client": "the client id is not known in this data centre",
    "invalid_client_secret": "the client secret is wrong",
}
FETCH = "fetch an access token"


class Client:
    """Calls of one account. `token_quota` counts the tokens that are fetched."""

    def __init__(self, remote: Remote, refusals: Refusals, settings: ZohoSettings, token_quota: Quota) -> None:
        self._remote = remote
        self._refusals = refusals
        self._settings = settings
        self._token_quota = token_quota
        self._slots = asyncio.Semaphore(settings.limits.simultaneous_calls)
        self._queries = asyncio.Semaphore(QUERIES)
        #: What Zoho last said is left of the day's credits; None while it says nothing.
        self.credits_left: int | None = None
        remote.tokens = TokenSource(self._fetch, scheme="Zoho-oauthtoken")

    # ---- reads ----

    async def record(self, module: str, identity: str, fields: Sequence[str]) -> Answer:
        """Read one record, fresh; status 200, 204, 400 or 404.

        https://www.zoho.com/crm/developer/docs/api/v8/get-records.html
        """
        params = {"fields": ",".join(fields)}
        what = f"read {'a contact' if module == 'Contacts' else 'an event'}"
        answer = await self._call(what, "GET", f"{BASE}/{module}/{identity}", params=params, accept=(200, 204, 400, 404))
        if answer.status >= 400 and code_of(answer.data) in OF_ALL_RECORDS:
            raise self._refusals.error(what, answer.status, read_object(answer.data), writes=False)
        return answer

    async def query(self, what: str, text: str) -> Answer:
        """Run one query over the records as they are; 204 where nothing matches.

        https://www.zoho.com/crm/developer/docs/api/v8/Get-Records-through-COQL-Query.html
        """
        async with self._queries:
            return await self._call(what, "POST", f"{BASE}/coql", json={"select_query": text}, accept=(200, 204), writes=False)

    async def fields(self, module: str) -> Answer:
        """Read the definitions of a module's fields. Asked although the account is marked as down.

        https://www.zoho.com/crm/developer/docs/api/v8/field-meta.html
        """
        what = f"read the fields of {module}"
        return await self._call(what, "GET", f"{BASE}/settings/fields", params={"module": module}, accept=(200,), probe=True)

    async def users(self, page: int) -> Answer:
        """Read one page of the active users; 204 where there are none.

        https://www.zoho.com/crm/developer/docs/api/v8/get-users.html
        """
        params = {"type": "ActiveUsers", "page": str(page), "per_page": "200"}
        return await self._call("list the users", "GET", f"{BASE}/users", params=params, accept=(200, 204))

    # ---- writes ----

    async def upsert_contact(self, values: dict[str, Any], check: str) -> dict[str, Any]:
        """Insert a contact, or update the one that carries the same value of `check`; returns the result.

        https://www.zoho.com/crm/developer/docs/api/v8/upsert-records.html
        """
        body = self._body(values) | {"duplicate_check_fields": [check]}
        return await self._write("create a contact", "POST", f"{BASE}/Contacts/upsert", body)

    async def update(self, what: str, module: str, identity: str, values: dict[str, Any]) -> dict[str, Any]:
        """Write some fields of one record; returns the result.

        https://www.zoho.com/crm/developer/docs/api/v8/update-records.html
        """
        return await self._write(what, "PUT", f"{BASE}/{module}/{identity}", self._body(values))

    async def create_event(self, values: dict[str, Any]) -> dict[str, Any]:
        """Make an event; returns the result. Events cannot be upserted.

        https://www.zoho.com/crm/developer/docs/api/v8/insert-records.html
        """
        return await self._write("record the appointment", "POST", f"{BASE}/Events", self._body(values))

    async def create_field(self, module: str, definition: dict[str, Any]) -> dict[str, Any]:
        """Make a field; returns the result, also where there is a field of this label already (`DUPLICATE_DATA`).

        https://www.zoho.com/crm/developer/docs/api/v8/create-custom-field.html
        """
        what, body = f"create a field of {module}", {"fields": [definition]}
        params = {"module": module}
        answer = await self._call(what, "POST", f"{BASE}/settings/fields", params=params, json=body, accept=RESULTS, probe=True)
        result = self._result(what, answer, "fields")
        if result.get("status") != "success" and code_of(result) != "DUPLICATE_DATA":
            raise self._refusals.error(what, answer.status, result, writes=True)
        return result

    def _body(self, values: dict[str, Any]) -> dict[str, Any]:
        # An empty list keeps the account's workflows still; without the key they run (documented).
        return {"data": [values]} | ({} if self._settings.run_workflows else {"trigger": []})

    async def _write(self, what: str, method: str, path: str, body: dict[str, Any]) -> dict[str, Any]:
        answer = await self._call(what, method, path, json=body, accept=RESULTS)
        result = self._result(what, answer, "data")
        if result.get("status") != "success" or code_of(result) != "SUCCESS":
            raise self._refusals.error(what, answer.status, result, writes=True)
        return result

    def _result(self, what: str, answer: Answer, key: str) -> dict[str, Any]:
        """The one result of our one record; an error of the whole request stands for it. Anything else proves nothing."""
        results = read_object(answer.data).get(key)
        if isinstance(results, list) and len(results) == 1 and code_of(results[0]) is not None:
            return read_object(results[0])
        if answer.status == 400 and code_of(answer.data) is not None:
            return read_object(answer.data)
        text = f"{self._remote.title}: {what}: answered {answer.status} without a result"
        raise UnknownOutcome(text, account=self._remote.account, status=answer.status)

    # ---- what all calls share ----

    async def _call(self, what: str, method: str, path: str, **more: Any) -> Answer:
        """One call, with no more at the same time than the settings allow."""
        async with self._slots:
            self._check_credits(what)
            answer = await self._remote.call(what, method, path, **more)
        self.credits_left = credits_left(answer)
        return answer

    def _check_credits(self, what: str) -> None:
        """Come back later, instead of waiting here for hours, where the day's credits that were set are used up."""
        limit = self._settings.limits.credits_per_day
        if limit and self._remote.quota.used(DAY) >= limit:
            text = f"{self._remote.title}: {what}: the credits that connector may use in 24 hours are used up"
            hint = f"Raise limits.credits_per_day in [{self._remote.account}], or wait."
            raise LimitReached(text, account=self._remote.account, retry_after=900.0, hint=hint)

    async def _fetch(self, probe: bool) -> Token:
        """Fetch an access token with the refresh token. Errors come with status 200 too (seen).

        https://www.zoho.com/crm/developer/docs/api/v8/refresh.html
        """
        if self._token_quota.used(TOKEN_SECONDS) >= TOKENS:
            raise self._too_many_tokens("not asked: ten tokens were fetched in ten minutes")
        secrets = self._settings
        form = {
            "grant_type": "refresh_token",
            "client_id": secrets.client_id,
            "client_secret": secrets.client_secret.get_secret_value(),
            "refresh_token": secrets.refresh_token.get_secret_value(),
        }
        answer = await self._remote.call(
            FETCH,
            "POST",
            f"{secrets.accounts_address}/oauth/v2/token",
            form=form,
            accept=(200, 400, 401, 403),
            writes=False,
            probe=probe,
            authorized=False,
        )
        # Counted once it is answered: in an outage, what never arrived must not use up the ten.
        async with self._token_quota.spend():
            pass
        found = read_object(answer.data)
        error = found.get("error")
        if error == TOO_MANY_TOKENS:
            raise self._too_many_tokens("refused: too many tokens were fetched")
        if answer.status >= 400 or error:
            raise self._refused(error, answer.status)
        return read_token(self._remote, found)

    def _too_many_tokens(self, how: str) -> LimitReached:
        hint = "Another program may use the same refresh token: give connector one of its own."
        text = f"{self._remote.title}: {FETCH}: {how}"
        return LimitReached(text, account=self._remote.account, retry_after=TOKEN_SECONDS, hint=hint)

    def _refused(self, error: Any, status: int) -> AccountPaused:
        why = CREDENTIALS.get(str(error), "the credentials were refused")
        hint = (
            f"Compare data_centre, client_id, client_secret and refresh_token in [{self._remote.account}] "
            "with Zoho's API console, correct them and restart; nothing is lost, events wait and continue by themselves."
        )
        text = f"{self._remote.title}: {FETCH}: {why}"
        return AccountPaused(text, account=self._remote.account, status=status, hint=hint)


def unexpected(remote: Remote, what: str, how: str) -> Transient:
    """The error for an answer that is not one of Zoho's, or not to what was asked."""
    return Transient(f"{remote.title}: {what}: {how}", account=remote.account)
