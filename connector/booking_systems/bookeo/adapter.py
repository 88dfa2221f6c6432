"""The Bookeo adapter: one configured account behind the contract of `connector.booking_systems.base`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from datetime import datetime, timedelta
from typing import Any, ClassVar, Literal, Self

import httpx

from connector.booking_systems.base import BookingSystem, ClientLink, Page
from connector.booking_systems.bookeo import webhook
from connector.booking_systems.bookeo.api import ABSENT, BookeoClient
from connector.booking_systems.bookeo.hooks import Hooks
from connector.booking_systems.bookeo.links import FieldLinks, Links, NoLinks, ReferenceLinks
from connector.booking_systems.bookeo.settings import BookeoSettings
from connector.booking_systems.bookeo.signature import MESSAGE_ID, BookeoVerifier
from connector.booking_systems.bookeo.walk import Walk
from connector.config.settings import BookingSettings
from connector.model.bookings import Client, Reading
from connector.model.capabilities import BookingCapability, Capability
from connector.model.errors import Rejected, RemoteError
from connector.model.problems import Check, Topic
from connector.remote.rate_limit import QuotaFor
from connector.remote.signatures import Verifier
from connector.remote.values import read_object, read_text


class Bookeo(BookingSystem):
    """One Bookeo account. Its links live in a custom field of the customer, on each booking, or nowhere."""

    system: ClassVar[str] = "bookeo"
    title: ClassVar[str] = "Bookeo"
    settings_model: ClassVar[type[BookingSettings]] = BookeoSettings
    by_setting: ClassVar[frozenset[Capability]] = frozenset(
        {BookingCapability.WRITES_LINKS, BookingCapability.LINKS_APPOINTMENTS}
    )
    reads_headers = frozenset({":path", MESSAGE_ID, webhook.MESSAGE_LOST})

    def __init__(self, name: str, settings: BookeoSettings, client: BookeoClient) -> None:
        super().__init__(name, client.remote)
        self._settings = settings
        self._client = client
        self._links: Links = NoLinks()
        if settings.write_back == "custom_field":
            self._links = FieldLinks(client, settings)
        elif settings.write_back == "external_ref":
            self._links = ReferenceLinks(client, settings)
            self.capabilities = self.capabilities | {BookingCapability.LINKS_APPOINTMENTS}
        else:
            self.capabilities = self.capabilities - {BookingCapability.WRITES_LINKS}
        #: External references that begin with this are customer ids of ours.
        self._prefix = settings.external_ref_prefix if self.can(BookingCapability.LINKS_APPOINTMENTS) else None
        self._hooks = Hooks(client, name)

    @classmethod
    def connect(
        cls, name: str, settings: Any, quota_for: QuotaFor, *, transport: httpx.AsyncBaseTransport | None = None
    ) -> Self:
        """Build the adapter; makes no request.

        Sources of one application share a quota: whether Bookeo counts by account, application or address is not known.
        """
        quota = quota_for(f"bookeo:{settings.secret_key.get_secret_value()}", settings.limits.windows())
        return cls(name, settings, BookeoClient.connect(f"booking.{name}", settings, quota, transport=transport))

    def verifier(self) -> Verifier | None:
        """Bookeo's own signature, over the address that was registered; see `signature`."""
        return BookeoVerifier(self.address, self._settings.secrets, self._settings.tolerance_seconds)

    def read_delivery(self, headers: Mapping[str, str], data: Any) -> Reading:
        """Turn one verified delivery into events; see `webhook.read`."""
        return webhook.read(headers, data, self._prefix, self._settings.time_zone)

    async def client(self, client_id: str) -> Client | None:
        """Read the customer's record; None: there is none. Raises Transient when the answer is not a customer."""
        answer = await self._client.get_customer(client_id)
        if answer.status in ABSENT:
            return None
        client = webhook.read_client(read_object(answer.data))
        if client is None:
            raise self._client.unexpected("read the customer", answer)
        return client

    async def read_link(self, client_id: str, appointment_id: str | None = None) -> ClientLink:
        """Read what is stored, fresh; see `links`. Raises AccountPaused while the custom field is missing."""
        return await self._links.read(client_id, appointment_id)

    async def write_link(self, link: ClientLink, customer_id: str) -> ClientLink:
        """Store the customer id, keeping everything else of the object; confirmed by the answer or by reading back.

        Nothing is written where the id is there already: each write makes Bookeo send an `updated` delivery (inferred).

        Raises:
            Rejected: Bookeo refuses, or knows no such customer or booking.
            Transient: what is stored has changed meanwhile, or does not stick.
            UnknownOutcome: no clear answer came.
        """
        return await self._links.write(link, customer_id)

    async def clear_link(self, link: ClientLink) -> bool:
        """Empty the field or the reference, as `write_link` fills it."""
        if not link.writable:
            return False
        try:
            await self._links.write(link, "")
        except Rejected:
            return False
        return (await self._links.read(link.client_id, link.appointment_id)).customer_id is None

    async def walk(self, since: datetime, until: datetime, cursor: dict[str, Any] | None) -> AsyncIterator[Page]:
        """Yield the bookings that start within, then (with `backfill_customers`) all customers; see `walk.Walk`."""
        customers: Literal["all", "none"] = "all" if self._settings.backfill_customers else "none"
        async for page in self._walk(since, until, customers=customers).pages(cursor):
            yield page

    async def changes(self, since: datetime, until: datetime, cursor: dict[str, Any] | None) -> AsyncIterator[Page]:
        """Yield the bookings changed within, then the customers created since; Bookeo lists no changed customers."""
        async for page in self._walk(since, until, customers="new", changed=True).pages(cursor):
            yield page

    def _walk(
        self, since: datetime, until: datetime, *, customers: Literal["all", "new", "none"], changed: bool = False
    ) -> Walk:
        window = timedelta(days=self._settings.backfill_window_days)
        return Walk(
            self._client,
            since,
            until,
            window,
            prefix=self._prefix,
            changed=changed,
            customers=customers,
            zone=self._settings.time_zone,
        )

    async def probe(self) -> None:
        """Look for our custom field, or where none is used read what our key is."""
        if isinstance(self._links, FieldLinks):
            await self._links.find_field(probe=True)
        else:
            await self._client.get_api_key_info(probe=True)

    async def checks(self) -> list[Check]:
        """Whether the webhooks are registered and not blocked, and whether the key seems to be allowed what we do."""
        return [*await self._hooks.checks(self.address), *await self._permissions()]

    async def fix(self) -> list[str]:
        """Register the webhooks that are missing, blocked or lead elsewhere; without a public_url none."""
        return await self._hooks.fix(self.address)

    async def _permissions(self) -> list[Check]:
        """A warning where the key's permissions are listed and lack one we use; their names are not fully known."""
        topic = Topic(self.remote.account, "permissions")
        try:
            listed = read_object((await self._client.get_api_key_info()).data).get("permissions")
        except RemoteError as error:
            return [Check(topic=topic, level="warning", message=str(error), hint=error.hint)]
        names = listed.split(",") if isinstance(listed, str) else listed if isinstance(listed, list) else []
        held = {read_text(name) for name in names}
        lacking = [wanted for wanted in self._wanted() if not any(name.startswith(wanted) for name in held)]
        if not held or not lacking:
            return []
        hint = f"Install the application again with the permissions {', '.join(f'{name}_all' for name in lacking)}."
        text = "the key may lack permissions that the configuration needs"
        return [Check(topic=topic, level="warning", message=text, hint=hint)]

    def _wanted(self) -> tuple[str, str]:
        """Beginnings of the permissions we use: reading, and writing where the link is kept."""
        kind = self._settings.write_back
        return (
            "customers_rw" if kind == "custom_field" else "customers_r",
            "bookings_rw" if kind == "external_ref" else "bookings_r",
        )
