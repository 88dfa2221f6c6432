"""The Bookablesites adapter: one configured account behind the contract of `connector.booking_systems.base`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from datetime import datetime
from typing import Any, ClassVar, Self

import httpx

from connector.booking_systems.base import BookingSystem, ClientLink, Page
from connector.booking_systems.bookablesites import webhook
from connector.booking_systems.bookablesites.api import BookablesitesClient
from connector.booking_systems.bookablesites.appointments import Appointments
from connector.booking_systems.bookablesites.customers import Customers
from connector.booking_systems.bookablesites.settings import BookablesitesSettings
from connector.booking_systems.bookablesites.values import camel, customer_id, member, read_customer, read_phone
from connector.booking_systems.bookablesites.walk import Walk
from connector.config.settings import BookingSettings
from connector.model.bookings import Appointment, Client, Event, Reading
from connector.model.capabilities import BookingCapability, Capability
from connector.model.errors import Rejected
from connector.model.problems import Check, Topic
from connector.remote.keyed_address import keyed_verifier
from connector.remote.rate_limit import QuotaFor
from connector.remote.signatures import Verifier
from connector.remote.values import read_text


class Bookablesites(BookingSystem):
    """One Bookablesites account. Clients are known by a digest of their e-mail; links are ours alone by default."""

    system: ClassVar[str] = "bookablesites"
    title: ClassVar[str] = "Bookablesites"
    settings_model: ClassVar[type[BookingSettings]] = BookablesitesSettings
    reads_headers = frozenset({":path"})
    #: The description, where an id can be written, is not shown by any read.
    capabilities = frozenset({BookingCapability.MOVING_IDS, BookingCapability.FORMS})
    by_setting: ClassVar[frozenset[Capability]] = frozenset({BookingCapability.WRITES_LINKS})

    def __init__(self, name: str, settings: BookablesitesSettings, client: BookablesitesClient) -> None:
        super().__init__(name, client.remote)
        if settings.write_back == "description":
            self.capabilities = self.capabilities | {BookingCapability.WRITES_LINKS}
        self._settings = settings
        self._client = client
        self._customers = Customers(client, name, settings.page_size)
        self._appointments = Appointments(client, self._customers, settings)

    @classmethod
    def connect(
        cls, name: str, settings: Any, quota_for: QuotaFor, *, transport: httpx.AsyncBaseTransport | None = None
    ) -> Self:
        """Build the adapter; makes no request. Sources that share an API client share its quota."""
        key = f"bookablesites:{settings.address}:{settings.client_id}"
        quota = quota_for(key, settings.limits.windows())
        return cls(name, settings, BookablesitesClient.connect(f"booking.{name}", settings, quota, transport=transport))

    def verifier(self) -> Verifier | None:
        """The key in the address, then what `[booking.NAME.webhook]` says."""
        return keyed_verifier(self.name, self._settings.webhook, self._settings.path_key)

    def read_delivery(self, headers: Mapping[str, str], data: Any) -> Reading:
        """Turn one verified delivery into an event; see `webhook.read`."""
        return webhook.read(headers, data, self.name, self._settings)

    async def appointment(self, event: Event) -> Appointment | None:
        """The appointment with the product's own id, found in the list where a delivery could not name it.

        Raises:
            Hold: no appointment fits, or several do.
        """
        said = event.appointment
        if said is None or not said.id.startswith(webhook.SAID):
            return said
        return await self._appointments.find(event.client.id, said)

    async def client(self, client_id: str) -> Client | None:
        """Read the customer's record, fresh; None when no customer has that e-mail (any more)."""
        record = await self._customers.find(client_id)
        return None if record is None else read_customer(self.name, record)

    async def read_link(self, client_id: str, appointment_id: str | None = None) -> ClientLink:  # noqa: ARG002 - see below
        """There is nothing to read: the description can be written, and is not shown by any read."""
        return ClientLink(client_id=client_id)

    async def write_link(self, link: ClientLink, customer_id: str) -> ClientLink:
        """Write `[crm:ID]` into the customer's description, re-sending what the API wants along with it, as just read.

        A staff note that was there is lost: it cannot be read. Afterwards the customer is read again, because what is
        sent as `phone` is read under other names.

        Raises:
            Rejected: there is no such customer, or the write has changed more than the description.
            UnknownOutcome: no clear answer came.
        """
        before = await self._customers.find(link.client_id)
        theirs = self._id(before)
        if before is None or theirs is None:
            raise self._rejected(
                "no customer has this client's e-mail any more", "Look at the customer there; discard the event."
            )
        await self._client.update_customer(theirs, self._body(before, customer_id))
        after = await self._client.get_customer(theirs)
        if after is None or _contact(after) != _contact(before):
            hint = 'Look at the customer\'s name, e-mail and phone there, and set write_back = "none" until this is understood.'
            raise self._rejected("the customer reads back differently after the write", hint)
        return link.model_copy(update={"customer_id": customer_id})

    def _body(self, record: Mapping[str, Any], customer: str) -> dict[str, str]:
        body = {name: read_text(member(record, name)) for name in ("first_name", "last_name", "email")}
        body |= {"phone": read_phone(record), "description": f"[crm:{customer}]"}
        camels = self._settings.generation.field_case == "camel"
        return {camel(name) if camels else name: value for name, value in body.items()}

    def _id(self, record: Mapping[str, Any] | None) -> str | None:
        return None if record is None else customer_id(record)

    def _rejected(self, how: str, hint: str) -> Rejected:
        return self.rejected(f"write the customer's description: {how}", hint)

    async def walk(self, since: datetime, until: datetime, cursor: dict[str, Any] | None) -> AsyncIterator[Page]:
        """Sweep customers and appointments; see `walk.Walk`. Naive times are not accepted."""
        walk = Walk(self._client, self._customers, self._appointments, self._settings, since, until)
        async for page in walk.pages(cursor):
            yield page

    async def probe(self) -> None:
        """List one customer."""
        await self._client.list_customers(1, 1, probe=True)

    async def checks(self) -> list[Check]:
        """What the account's settings leave open, and which addresses to enter there."""
        found = [self._write_back_check()]
        if self._settings.date_format is None:
            text = "times in deliveries are not read, so that two appointments of one client may be confused"
            hint = f"Set date_format and time_zone in [booking.{self.name}] as the account displays them."
            found.append(Check(topic=Topic(self.remote.account, "times"), level="warning", message=text, hint=hint))
        if self.address is not None:
            events = ", ".join(webhook.EVENTS)
            text = f"one webhook for each event goes to {self.address}?event=EVENT&key=PATH_KEY; EVENT is one of {events}"
            found.append(Check(topic=Topic(self.remote.account, "addresses"), level="ok", message=text))
        return found

    def _write_back_check(self) -> Check:
        topic = Topic(self.remote.account, "write_back")
        if not self.can(BookingCapability.WRITES_LINKS):
            return Check(
                topic=topic, level="ok", message="links are stored in connector only: Bookablesites has no field for them"
            )
        text = 'write_back = "description" overwrites the note that staff may keep on a customer: it cannot be read before'
        return Check(topic=topic, level="warning", message=text, hint='Set write_back = "none" if anybody uses that note.')


def _contact(record: Mapping[str, Any]) -> tuple[str, ...]:
    """What a write must not change; a phone is compared by its digits."""
    names = tuple(read_text(member(record, name)) for name in ("first_name", "last_name", "email"))
    return (*names, "".join(c for c in read_phone(record) if c.isdigit()).lstrip("0"))
