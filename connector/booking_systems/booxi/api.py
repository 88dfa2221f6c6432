"""Booxi's REST calls, one method each; no mapping here. Paths are relative to `…/booking/v1`."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote

import httpx

from connector.booking_systems.booxi.settings import BooxiSettings
from connector.booking_systems.booxi.values import read_id
from connector.model.errors import Rejected, RemoteError, Transient
from connector.remote.http import Answer, Remote
from connector.remote.rate_limit import Quota
from connector.remote.values import write_time

#: Answered for "there is none" by reads of one client or link; which of them Booxi uses is not known.
ABSENT = (404, 410)


class ClientMerged(Rejected):
    """Booxi has merged the asked client away; `survivor` is the id to use from now on. Never leaves the adapter."""

    def __init__(self, survivor: str, *, account: str, status: int) -> None:
        super().__init__("Booxi: the client was merged into another one", account=account, status=status)
        self.survivor = survivor


def cost_of(status: int) -> int:
    """What a call costs of the quota: one that ends in 400 counts twice.

    https://help.booxi.com/en/articles/10302096-booxi-api-fair-use-policy
    """
    return 2 if status == 400 else 1


def interpreter(account: str) -> Callable[[str, Answer, bool], RemoteError | None]:
    """Booxi's own refusals: merged clients and refused external ids, recognised by the body at any status."""

    def interpret(what: str, answer: Answer, writes: bool) -> RemoteError | None:
        if answer.status in (401, 429) or answer.status >= 500 or not isinstance(answer.data, dict):
            return None
        if (survivor := read_id(answer.data.get("newClientId"))) is not None:
            return ClientMerged(survivor, account=account, status=answer.status)
        if answer.data.get("error") == "InvalidExternalId":
            hint = "Booxi does not take this customer id for the module; ask Booxi which ids it accepts, then retry the event."
            return Rejected(f"Booxi: {what}: InvalidExternalId", account=account, status=answer.status, hint=hint)
        if writes and answer.status in ABSENT:
            hint = "Booxi does not know this client or this module; compare module_id with Booxi, then retry the event."
            return Rejected(f"Booxi: {what}: answered {answer.status}", account=account, status=answer.status, hint=hint)
        code = answer.data.get("code")
        if answer.status == 400 and type(code) is int and abs(code) < 1_000_000:
            return Rejected(f"Booxi: {what}: answered 400, code {code}", account=account, status=400)
        return None

    return interpret


class BooxiClient:
    """The calls. Each raises what `Remote.call` raises, and `ClientMerged` where a client id was merged away."""

    def __init__(self, remote: Remote) -> None:
        self.remote = remote

    @classmethod
    def connect(
        cls, account: str, settings: BooxiSettings, quota: Quota, *, transport: httpx.AsyncBaseTransport | None = None
    ) -> BooxiClient:
        """Build the remote; makes no request. https://help.booxi.com/en/articles/10302108 (the key's header)."""
        remote = Remote(
            account,
            settings.address,
            title="Booxi",
            headers={"Booxi-PartnerKey": settings.partner_key.get_secret_value()},
            quota=quota,
            timeout=settings.timeout_seconds,
            cost_of=cost_of,
            interpret=interpreter(account),
            transport=transport,
        )
        return cls(remote)

    async def get_client(self, client_id: str) -> Answer:
        """Read one client; accepted also when there is none (see `ABSENT`).

        https://help.booxi.com/en/articles/10302567-how-to-use-the-client-api
        """
        return await self._of_client("read the client", "GET", f"client/{quote(client_id, safe='')}", accept=(200, *ABSENT))

    async def get_module_link(self, client_id: str, module_id: str) -> Answer:
        """Read the external id and metadata stored under a module; accepted also when there is none.

        https://help.booxi.com/en/articles/14173304-how-to-integrate-booxi-with-a-clienteling-app
        """
        return await self._of_client("read the client's link", "GET", _link(client_id, module_id), accept=(200, 204, *ABSENT))

    async def put_module_link(
        self, client_id: str, module_id: str, external_id: str, metadata: dict[str, Any] | None
    ) -> Answer:
        """Replace external id **and** metadata of a module; what is not sent is gone.

        https://help.booxi.com/en/articles/14173304-how-to-integrate-booxi-with-a-clienteling-app
        """
        body: dict[str, Any] = {"externalId": external_id}
        if metadata is not None:
            body["metadata"] = metadata
        return await self._of_client("write the client's link", "PUT", _link(client_id, module_id), json=body)

    async def list_bookings(self, since: datetime, until: datetime, merchant_id: str, cursor: str | None) -> Answer:
        """One page of a merchant's bookings; the filters go along with the cursor (assumption).

        https://help.booxi.com/en/articles/10302256-how-to-retrieve-a-client-s-booking-history-using-the-booxi-api
        """
        # Whole seconds only, rounded outwards: the caller drops what is too much.
        params = {
            "from": write_time(since),
            "to": write_time(until + timedelta(microseconds=999_999)),
            "merchantId": merchant_id,
            "order": "Ascending",
        }
        if cursor is not None:
            params["cursor"] = cursor
        return await self.remote.call("list bookings", "GET", "booking", params=params, accept=(200,))

    async def list_merchants(self, offset: int, limit: int, *, probe: bool = False) -> Answer:
        """One page of the merchants the key can see.

        https://help.booxi.com/en/articles/10629242-how-to-use-the-merchant-api
        """
        params = {"offset": offset, "limit": limit}
        return await self.remote.call("list merchants", "GET", "merchant/list", params=params, accept=(200,), probe=probe)

    async def _of_client(
        self, what: str, method: str, path: str, *, json: Any = None, accept: tuple[int, ...] = (200, 201, 204)
    ) -> Answer:
        """Call about one client. A 403 may speak of this client or of the key: a cheap call tells which."""
        answer = await self.remote.call(what, method, path, json=json, accept=(*accept, 403))
        if isinstance(answer.data, dict) and (survivor := read_id(answer.data.get("newClientId"))) is not None:
            raise ClientMerged(survivor, account=self.remote.account, status=answer.status)
        if answer.status == 403:
            await self.list_merchants(0, 1, probe=True)
            if not isinstance(answer.data, dict):
                # Not Booxi's own words: a firewall's page, which passes.
                raise self.unexpected(what, answer)
            hint = "The key works, but not for this client or module: ask Booxi to authorise it, then retry the event."
            raise Rejected(f"Booxi: {what}: answered 403", account=self.remote.account, status=403, hint=hint)
        return answer

    def unexpected(self, what: str, answer: Answer) -> Transient:
        """The error for an accepted answer whose shape says nothing: it must not be read as "there is none"."""
        message = f"Booxi: {what}: answered {answer.status} in an unexpected shape"
        return Transient(message, account=self.remote.account, status=answer.status)


def _link(client_id: str, module_id: str) -> str:
    return f"client/{quote(client_id, safe='')}/moduleLink/{quote(module_id, safe='')}"
