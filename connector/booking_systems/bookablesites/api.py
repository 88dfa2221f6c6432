"""Bookablesites' REST calls, one method each; no mapping here. Paths are relative to `…/api/v1` or `…/api/v2`.

Bookablesites' own page lists the calls without shapes (https://bookablesites.com/support-api/). Shapes are Trafft's, which
it seems to be a white label of (inferred): https://trafft.com/docs/custom-features/api/
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import httpx

from connector.booking_systems.bookablesites.settings import BookablesitesSettings
from connector.model.errors import AccountPaused, Rejected, RemoteError, Transient
from connector.remote.http import Answer, Remote
from connector.remote.oauth import Token, TokenSource
from connector.remote.rate_limit import Quota
from connector.remote.values import read_count, read_object, read_objects, read_text

#: Answered for "there is none" by reads of one record.
ABSENT = (404, 410)
_TOKEN = "fetch a token"  # noqa: S105 - the action, as error texts name it


def interpreter(account: str) -> Callable[[str, Answer, bool], RemoteError | None]:
    """Bookablesites' own refusals: an expired token, calls that this generation of the API does not offer."""

    def interpret(what: str, answer: Answer, writes: bool) -> RemoteError | None:  # noqa: ARG001 - as Remote asks
        status, said = answer.status, f"Bookablesites: {what}: answered {answer.status}"
        fix = f"Compare base_url, api and [{account}.profile] with the account's API card, then restart."
        if not answer.readable and 400 <= status < 500 and status not in (401, 403, 429):
            # Perhaps not the API's own words but a page of whatever stands in between, which passes.
            return Transient(f"{said}, without JSON", account=account, status=status, hint=fix)
        if what == _TOKEN:
            wrong = status in (400, 404, 405, 410, 415, 422)
            return AccountPaused(said, account=account, status=status, hint=fix) if wrong else None
        if status in (*ABSENT, 405):
            return Rejected(said, account=account, status=status, hint=fix)
        return None

    return interpret


@dataclass(frozen=True, slots=True)
class Sheet:
    """One page of a list. `pages` and `total` are None where the answer does not say."""

    records: list[dict[str, Any]]
    pages: int | None
    total: int | None


class BookablesitesClient:
    """The calls. The token is fetched on first use, kept, and renewed once when it is refused."""

    def __init__(self, remote: Remote, settings: BookablesitesSettings) -> None:
        self.remote = remote
        self._settings = settings
        self._profile = settings.generation
        remote.tokens = TokenSource(self._fetch)

    @classmethod
    def connect(
        cls,
        account: str,
        settings: BookablesitesSettings,
        quota: Quota,
        *,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> BookablesitesClient:
        """Build the remote; makes no request."""
        remote = Remote(
            account,
            settings.address,
            title="Bookablesites",
            headers={},
            quota=quota,
            timeout=settings.timeout_seconds,
            interpret=interpreter(account),
            transport=transport,
        )
        return cls(remote, settings)

    async def list_customers(self, page: int, limit: int, *, probe: bool = False) -> Sheet:
        """One page of the customers, newest first. `search` is not used: it was found to do nothing.

        https://trafft.com/docs/custom-features/api/
        """
        return await self._list("list customers", "customers", page, limit, probe=probe)

    async def list_appointments(self, page: int, limit: int) -> Sheet:
        """One page of the appointments with their bookings. Filters by customer or time were found to be ignored.

        https://trafft.com/docs/custom-features/api/
        """
        return await self._list("list appointments", "appointments", page, limit)

    async def get_customer(self, customer_id: str) -> dict[str, Any] | None:
        """Read one customer, fresh; None: there is none. https://trafft.com/docs/custom-features/api/"""
        path = f"customers/{quote(customer_id, safe='')}"
        answer = await self.remote.call("read the customer", "GET", path, accept=(200, *ABSENT))
        if answer.status in ABSENT:
            return None
        record = read_object(answer.data)
        # v1's shape is not known: the object bare, as in v2, or wrapped.
        record = read_object(record.get("data")) or record
        if "id" not in record:
            raise self.unexpected("read the customer", answer)
        return record

    async def update_customer(self, customer_id: str, body: Mapping[str, str]) -> None:
        """Write a customer; `body` has first_name, last_name, email and phone together (less was answered 500).

        https://trafft.com/docs/custom-features/api/
        """
        path = f"customers/{quote(customer_id, safe='')}"
        await self.remote.call("write the customer", self._profile.update_method or "PATCH", path, json=dict(body))

    async def _list(self, what: str, path: str, page: int, limit: int, *, probe: bool = False) -> Sheet:
        params = {"page": page, "limit": limit}
        answer = await self.remote.call(what, "GET", path, params=params, accept=(200,), probe=probe)
        data = answer.data.get("data") if isinstance(answer.data, dict) else answer.data
        if not isinstance(data, list):
            raise self.unexpected(what, answer)
        paging = read_object(read_object(answer.data).get("pagination"))
        pages, total = (read_count(paging.get(name)) for name in ("pages", "total"))
        if not data and total is not None and (page - 1) * limit < total:
            # An empty page before the end is a list cut short.
            raise self.unexpected(what, answer)
        return Sheet(read_objects(data), pages, total)

    async def _fetch(self, probe: bool) -> Token:
        """Fetch a token. v1: JSON, as Bookablesites' page has the path; v2: OAuth's client credentials as a form.

        https://bookablesites.com/support-api/
        """
        secret = self._settings.client_secret.get_secret_value()
        if self._profile.token_encoding == "form":  # noqa: S105 - an encoding
            grant = {"grant_type": "client_credentials", "client_id": self._settings.client_id, "client_secret": secret}
            sent: dict[str, Any] = {"form": grant}
        else:
            sent = {"json": {"clientId": self._settings.client_id, "clientSecret": secret}}
        path = self._profile.token_path or ""
        answer = await self.remote.call(
            _TOKEN, "POST", path, **sent, accept=(200, 201), writes=False, probe=probe, authorized=False
        )
        found = read_object(answer.data)
        token = read_text(found.get("access_token"), 10_000) or read_text(found.get("token"), 10_000)
        if not token or not token.isascii() or not token.isprintable():
            raise self.unexpected(_TOKEN, answer)
        return Token(token)

    def unexpected(self, what: str, answer: Answer) -> Transient:
        """The error for an accepted answer whose shape says nothing: it must not be read as "there is none"."""
        message = f"Bookablesites: {what}: answered {answer.status} in an unexpected shape"
        return Transient(message, account=self.remote.account, status=answer.status)
