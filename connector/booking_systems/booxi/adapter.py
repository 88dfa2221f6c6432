"""The Booxi adapter: one configured account behind the contract of `connector.booking_systems.base`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, ClassVar, Self

import httpx

from connector.booking_systems.base import BookingSystem, ClientLink, Page
from connector.booking_systems.booxi import webhook
from connector.booking_systems.booxi.api import ABSENT, BooxiClient, ClientMerged
from connector.booking_systems.booxi.settings import BooxiSettings
from connector.booking_systems.booxi.values import read_id
from connector.booking_systems.booxi.walk import Walk
from connector.config.settings import BookingSettings
from connector.model.bookings import Client, Reading
from connector.model.errors import Rejected, Transient
from connector.model.problems import Check, Topic
from connector.remote.http import Answer
from connector.remote.rate_limit import QuotaFor
from connector.remote.values import read_count, read_key, read_object

_MERGED_HINT = "Look at both clients in Booxi and decide which customer is right, then retry the event."


class Booxi(BookingSystem):
    """One Booxi account. Its links live in `client/{id}/moduleLink/{module_id}`."""

    system: ClassVar[str] = "booxi"
    title: ClassVar[str] = "Booxi"
    settings_model: ClassVar[type[BookingSettings]] = BooxiSettings

    def __init__(self, name: str, settings: BooxiSettings, client: BooxiClient) -> None:
        super().__init__(name, client.remote)
        self._settings = settings
        self._module = settings.module_id
        self._client = client

    @classmethod
    def connect(
        cls, name: str, settings: Any, quota_for: QuotaFor, *, transport: httpx.AsyncBaseTransport | None = None
    ) -> Self:
        """Build the adapter; makes no request. Sources that share a partner key share its quota."""
        quota = quota_for(f"booxi:{settings.partner_key.get_secret_value()}", settings.limits.windows())
        return cls(name, settings, BooxiClient.connect(f"booking.{name}", settings, quota, transport=transport))

    def read_delivery(self, headers: Mapping[str, str], data: Any) -> Reading:  # noqa: ARG002 - Booxi's headers are unknown
        """Turn one verified delivery into events; see `webhook.read`."""
        return webhook.read(data, self._settings.fields, self._module, self._settings.time_zone)

    async def client(self, client_id: str) -> Client | None:
        """Read the client's record, following a merge once; None: there is none.

        Raises:
            Rejected: the survivor of a merge was merged away as well.
            Transient: the answer is not a client.
        """
        _, answer = await self._following(client_id, self._client.get_client)
        if answer.status in ABSENT:
            return None
        client = webhook.read_client(read_object(answer.data))
        if client is None:
            raise self._client.unexpected("read the client", answer)
        return client

    async def read_link(self, client_id: str, appointment_id: str | None = None) -> ClientLink:  # noqa: ARG002 - Booxi keeps links with clients
        """Read the link under our module, fresh, following a merge once. A 404 and an empty link both mean: none.

        Raises:
            Rejected: the survivor of a merge was merged away as well.
            Transient: the answer says nothing about a link.
        """
        survivor, answer = await self._following(client_id, lambda id_: self._client.get_module_link(id_, self._module))
        if answer.status in ABSENT:
            return ClientLink(client_id=survivor)
        return self._link_of(survivor, answer)

    async def write_link(self, link: ClientLink, customer_id: str) -> ClientLink:
        """Store the customer id, sending the metadata back as it was read; confirmed by the answer or by reading back.

        A client that was merged away meanwhile is followed once, unless the survivor holds another id: whose that is must
        be asked of the CRM first, as it would have been had the merge come before our look.

        Raises:
            Rejected: Booxi refuses the id, knows no such client, or the survivor was merged away as well.
            Transient: the link read back is not the one written, or the survivor of a merge holds another id.
            UnknownOutcome: no clear answer came.
        """
        try:
            return await self._put(link, customer_id)
        except ClientMerged as merged:
            survivor = await self._survivor_link(merged)
        if survivor.customer_id == customer_id:
            return survivor
        if survivor.customer_id is not None:
            raise self._changed("the client was merged a moment ago, into one that holds another customer id")
        try:
            return await self._put(survivor, customer_id)
        except ClientMerged:
            raise self._twice() from None

    async def clear_link(self, link: ClientLink) -> bool:
        """Replace the external id by an empty text and read back.

        ASSUMPTION: Booxi documents no way to unlink; whether an empty id clears the link or is refused is not known. Both
        are understood, and an answer of success counts only with the read that follows.
        """
        try:
            await self._client.put_module_link(link.client_id, self._module, "", link.metadata)
        except (Rejected, ClientMerged):
            return False
        return (await self.read_link(link.client_id)).customer_id is None

    async def _put(self, link: ClientLink, customer_id: str) -> ClientLink:
        answer = await self._client.put_module_link(link.client_id, self._module, customer_id, link.metadata)
        entry = read_object(read_object(answer.data).get("link"))
        if read_key(entry.get("externalId")) == customer_id:
            client_id = read_id(entry.get("clientId")) or link.client_id
            return ClientLink(client_id=client_id, customer_id=customer_id, metadata=link.metadata)
        stored = await self.read_link(link.client_id)
        if stored.customer_id != customer_id:
            raise self._changed("the link read back is another one")
        return stored

    async def _survivor_link(self, merged: ClientMerged) -> ClientLink:
        try:
            answer = await self._client.get_module_link(merged.survivor, self._module)
        except ClientMerged:
            raise self._twice() from None
        if answer.status in ABSENT:
            return ClientLink(client_id=merged.survivor)
        return self._link_of(merged.survivor, answer)

    async def _following(self, client_id: str, ask: Callable[[str], Awaitable[Answer]]) -> tuple[str, Answer]:
        """Ask about the client, and once more about the survivor where it was merged away."""
        try:
            return client_id, await ask(client_id)
        except ClientMerged as merged:
            survivor = merged.survivor
        try:
            return survivor, await ask(survivor)
        except ClientMerged:
            raise self._twice() from None

    def _link_of(self, client_id: str, answer: Answer) -> ClientLink:
        """Read the answer's link. What cannot be read is an error: it must not pass for "no link"."""
        data = answer.data if answer.data is not None else {}
        if not isinstance(data, dict) or (data and not data.keys() & {"link", "client"}):
            raise self._client.unexpected("read the client's link", answer)
        entry = data.get("link") or {}
        if not isinstance(entry, dict):
            raise self._client.unexpected("read the client's link", answer)
        external, metadata = entry.get("externalId"), entry.get("metadata")
        customer_id = read_key(external)
        blank = external is None or (isinstance(external, str) and not external.strip())
        if (customer_id is None and not blank) or not (metadata is None or isinstance(metadata, dict)):
            raise self._client.unexpected("read the client's link", answer)
        return ClientLink(client_id=read_id(entry.get("clientId")) or client_id, customer_id=customer_id, metadata=metadata)

    def _changed(self, how: str) -> Transient:
        return Transient(f"Booxi: write the client's link: {how}", account=self.remote.account)

    def _rejected(self, how: str) -> Rejected:
        return self.rejected(how, _MERGED_HINT)

    def _twice(self) -> Rejected:
        return self._rejected("the client was merged, and the one it was merged into was merged as well")

    async def walk(self, since: datetime, until: datetime, cursor: dict[str, Any] | None) -> AsyncIterator[Page]:
        """Yield the bookings of every merchant that the key can see; see `walk.Walk`. Naive times are not accepted."""
        window = timedelta(days=self._settings.backfill_window_days)
        async for page in Walk(self._client, self._module, since, until, window, self._settings.time_zone).pages(cursor):
            yield page

    async def probe(self) -> None:
        """List one merchant."""
        await self._client.list_merchants(0, 1, probe=True)

    async def checks(self) -> list[Check]:
        """How many merchants the key sees; with none there is nothing to walk and probably no authorisation.

        Booxi does not say which modules the key may write links of.
        """
        links = self.unchecked(f"whether the partner key may write links of the module {self._module}")
        answer = await self._client.list_merchants(0, 1)
        data, topic = read_object(answer.data), Topic(self.remote.account, "merchants")
        items, total = data.get("items"), read_count(data.get("total"))
        count = total if total is not None else len(items) if isinstance(items, list) else 0
        if count > 0:
            seen = "1 merchant" if count == 1 else f"{count} merchants"
            return [Check(topic=topic, level="ok", message=f"the partner key sees {seen}"), links]
        hint = "Ask Booxi which merchants this partner key is authorised for; without any, a backfill finds nothing."
        return [Check(topic=topic, level="warning", message="the partner key sees no merchant", hint=hint), links]
