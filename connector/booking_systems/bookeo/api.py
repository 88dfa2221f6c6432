"""Bookeo's REST calls, one method each; no mapping here. Paths are relative to `…/v2`.

The vendor's reference is at https://www.bookeo.com/apiref/; the paths and parameters used here are those of a public
listing of 2018 and of public clients (README.md).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import quote

import httpx

from connector.booking_systems.bookeo.settings import BookeoSettings
from connector.model.errors import AccountPaused, RateLimited, Rejected, RemoteError, Transient
from connector.remote.http import Answer, Remote
from connector.remote.rate_limit import Quota
from connector.remote.retry_after import retry_after
from connector.remote.values import write_time

#: Answered for "there is none" by reads of one object; which of them Bookeo uses is not known.
ABSENT = (404, 410)
#: Seconds to wait after a 429 that does not say how long.
DEFAULT_PAUSE = 60.0
#: Bookeo's own bound on the items of one page.
PER_PAGE = 100


def interpreter(account: str, quota: Quota) -> Callable[[str, Answer, bool], RemoteError | None]:
    """Bookeo's own refusals: throttling, with the seconds in the body or in a header; a refused key or permission.

    https://www.bookeo.com/api/protocol/
    """

    def interpret(what: str, answer: Answer, writes: bool) -> RemoteError | None:
        where = f"Bookeo: {what}: answered {answer.status}"
        if answer.status == 429:
            pause = _pause(answer)
            quota.block(pause)
            return RateLimited(f"{where}: too many calls", account=account, status=429, retry_after=pause)
        if answer.status in (401, 403):
            hint = (
                f"Check api_key, secret_key and the permissions of the application (customers and bookings) in [{account}]; "
                "nothing is lost, events wait and continue by themselves."
            )
            return AccountPaused(f"{where}: the credentials were refused", account=account, status=answer.status, hint=hint)
        if writes and answer.status in ABSENT:
            hint = "Bookeo does not know this customer or booking; look for it there, then retry or discard the event."
            return Rejected(where, account=account, status=answer.status, hint=hint)
        return None

    return interpret


def _pause(answer: Answer) -> float:
    """Seconds asked for by a 429: in the body, else in the header, else a minute."""
    said = answer.data.get("retryAfter") if isinstance(answer.data, dict) else None
    if isinstance(said, (int, float)) and not isinstance(said, bool) and 0 <= said <= 86_400:
        return float(said)
    header = retry_after(answer.headers)
    return DEFAULT_PAUSE if header is None else header


class BookeoClient:
    """The calls. Each raises what `Remote.call` raises."""

    def __init__(self, remote: Remote) -> None:
        self.remote = remote

    @classmethod
    def connect(
        cls, account: str, settings: BookeoSettings, quota: Quota, *, transport: httpx.AsyncBaseTransport | None = None
    ) -> BookeoClient:
        """Build the remote; makes no request. The keys go into headers, since queries end up in logs.

        https://www.bookeo.com/api/protocol/
        """
        remote = Remote(
            account,
            settings.api,
            title="Bookeo",
            headers={
                "X-Bookeo-secretKey": settings.secret_key.get_secret_value(),
                "X-Bookeo-apiKey": settings.api_key.get_secret_value(),
            },
            quota=quota,
            timeout=settings.timeout_seconds,
            interpret=interpreter(account, quota),
            transport=transport,
        )
        return cls(remote)

    async def get_api_key_info(self, *, probe: bool = False) -> Answer:
        """What our key is: `accountId`, `permissions`, `creationTime`.

        https://www.bookeo.com/apiref/ (GET /settings/apikeyinfo)
        """
        return await self._get("read what the key is", "settings/apikeyinfo", probe=probe)

    async def get_custom_fields(self, *, probe: bool = False) -> Answer:
        """The definitions of customers' custom fields, by kind.

        https://www.bookeo.com/apiref/ (GET /settings/customercustomfields)
        """
        return await self._get("read the custom fields", "settings/customercustomfields", accept=(200, *ABSENT), probe=probe)

    async def get_customer(self, customer_id: str) -> Answer:
        """One customer; accepted also when there is none (see `ABSENT`).

        https://www.bookeo.com/apiref/ (GET /customers/{id})
        """
        return await self._get("read the customer", f"customers/{_segment(customer_id)}", accept=(200, *ABSENT))

    async def put_customer(self, customer_id: str, customer: Mapping[str, Any], mode: str | None) -> Answer:
        """Replace a customer; what is not sent may be gone.

        https://www.bookeo.com/apiref/ (PUT /customers/{id})
        """
        params = {"mode": mode} if mode else None
        path = f"customers/{_segment(customer_id)}"
        return await self.remote.call("write the customer", "PUT", path, params=params, json=customer)

    async def get_booking(self, number: str) -> Answer:
        """One booking, without customer and participants in full.

        https://www.bookeo.com/apiref/ (GET /bookings/{bookingNumber})
        """
        return await self._get("read the booking", f"bookings/{_segment(number)}", accept=(200, *ABSENT))

    async def put_booking(self, number: str, booking: Mapping[str, Any]) -> Answer:
        """Replace a booking as its manager would, and tell nobody.

        https://www.bookeo.com/apiref/ (PUT /bookings/{bookingNumber})
        """
        params = {"mode": "backend", "notifyUsers": "false", "notifyCustomer": "false"}
        path = f"bookings/{_segment(number)}"
        return await self.remote.call("write the booking", "PUT", path, params=params, json=booking)

    async def list_bookings(self, since: datetime, until: datetime, *, changed: bool) -> Answer:
        """The first page of bookings that start (or were last changed) within both ends, cancelled ones too; 31 days at most.

        https://www.bookeo.com/apiref/ (GET /bookings), which asks not to poll for changes: use webhooks.
        """
        first, last = ("lastUpdatedStartTime", "lastUpdatedEndTime") if changed else ("startTime", "endTime")
        params = {first: write_time(since), last: write_time(until), "includeCanceled": "true", "expandCustomer": "true"}
        return await self._get("list bookings", "bookings", params={**params, "itemsPerPage": PER_PAGE})

    async def list_customers(self, created_since: datetime | None) -> Answer:
        """The first page of all customers, or of those created since.

        https://www.bookeo.com/apiref/ (GET /customers)
        """
        params: dict[str, Any] = {"currentMembers": "true", "currentNonMembers": "true", "itemsPerPage": PER_PAGE}
        if created_since is not None:
            params["createdSince"] = write_time(created_since)
        return await self._get("list customers", "customers", params=params)

    async def next_page(self, path: str, token: str, number: int) -> Answer:
        """A later page of a listing (`bookings` or `customers`): the token stands for what was asked for first."""
        params = {"pageNavigationToken": token, "pageNumber": number}
        return await self._get(f"list {path}", path, params=params)

    async def list_webhooks(self) -> Answer:
        """All webhooks of our key, blocked ones too.

        https://www.bookeo.com/apiref/ (GET /webhooks)
        """
        return await self._get("list webhooks", "webhooks")

    async def create_webhook(self, url: str, domain: str, type_: str) -> Answer:
        """Register a webhook; it replaces the one of the same domain and type.

        https://www.bookeo.com/api/webhooks/ (POST /webhooks)
        """
        body = {"url": url, "domain": domain, "type": type_}
        return await self.remote.call("register a webhook", "POST", "webhooks", json=body, accept=(200, 201, 202, 204))

    def unexpected(self, what: str, answer: Answer) -> Transient:
        """The error for an accepted answer whose shape says nothing: it must not be read as "there is none"."""
        message = f"Bookeo: {what}: answered {answer.status} in an unexpected shape"
        return Transient(message, account=self.remote.account, status=answer.status)

    async def _get(
        self,
        what: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        accept: tuple[int, ...] = (200,),
        probe: bool = False,
    ) -> Answer:
        return await self.remote.call(what, "GET", path, params=params, accept=accept, probe=probe)


def _segment(value: str) -> str:
    return quote(value, safe="")
