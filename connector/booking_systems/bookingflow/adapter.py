"""The BookingFlow adapter: one configured organisation behind the contract of `connector.booking_systems.base`.

The product has no customers: a person lives inside the booking. So each booking is a client of ours, known as
`booking:ID`; that two of them are one person is found out by e-mail and phone in the CRM.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from datetime import datetime
from typing import Any, ClassVar, Self

import httpx
from msgspec.structs import replace

from connector.booking_systems.base import BookingSystem, ClientLink, Page
from connector.booking_systems.bookingflow import webhook
from connector.booking_systems.bookingflow.api import ABSENT, BookingFlowClient
from connector.booking_systems.bookingflow.bookings import booking_in, read_appointment, read_client
from connector.booking_systems.bookingflow.settings import BookingFlowSettings
from connector.booking_systems.bookingflow.walk import Walk
from connector.config.settings import BookingSettings
from connector.model.bookings import Appointment, Client, Event, Reading, Status
from connector.model.capabilities import BookingCapability, Capability
from connector.model.errors import Rejected, Transient
from connector.model.problems import Check, Topic
from connector.remote.keyed_address import keyed_verifier
from connector.remote.rate_limit import QuotaFor
from connector.remote.signatures import Verifier
from connector.remote.values import read_key


class BookingFlow(BookingSystem):
    """One BookingFlow organisation. Links are ours alone, unless the configuration names a field of a booking for them."""

    system: ClassVar[str] = "bookingflow"
    title: ClassVar[str] = "BookingFlow"
    settings_model: ClassVar[type[BookingSettings]] = BookingFlowSettings
    capabilities = frozenset({BookingCapability.READS_LINKS})
    by_setting: ClassVar[frozenset[Capability]] = frozenset({BookingCapability.WRITES_LINKS})

    def __init__(self, name: str, settings: BookingFlowSettings, client: BookingFlowClient) -> None:
        super().__init__(name, client.remote)
        if settings.write_back_field is not None:
            self.capabilities = self.capabilities | {BookingCapability.WRITES_LINKS}
        named = (settings.fields.type_header, settings.fields.event_id_header)
        self.reads_headers = frozenset(name.lower() for name in named if name)
        self._settings = settings
        self._client = client

    @classmethod
    def connect(
        cls, name: str, settings: Any, quota_for: QuotaFor, *, transport: httpx.AsyncBaseTransport | None = None
    ) -> Self:
        """Build the adapter; makes no request. Sources that share a key share its quota."""
        quota = quota_for(f"bookingflow:{settings.api_key.get_secret_value()}", settings.limits.windows())
        return cls(name, settings, BookingFlowClient.connect(f"booking.{name}", settings, quota, transport=transport))

    def verifier(self) -> Verifier | None:
        """The key in the address, then what `[booking.NAME.webhook]` says; no scheme of BookingFlow's own is known."""
        return keyed_verifier(self.name, self._settings.webhook, self._settings.path_key)

    def read_delivery(self, headers: Mapping[str, str], data: Any) -> Reading:
        """Take the type and the booking's id from a verified delivery; see `webhook.read`."""
        return webhook.read(headers, data, self._settings)

    async def appointment(self, event: Event) -> Appointment | None:
        """The booking as the API has it now; one that is gone counts as cancelled."""
        said = event.appointment
        if said is None:
            return None
        booking = await self._booking(said.id)
        if booking is None:
            return replace(said, status=Status.CANCELLED)
        return read_appointment(booking, said.id, self._settings.record, self._settings.time_zone)

    async def client(self, client_id: str) -> Client | None:
        """The person of the booking, read back; None when the booking is gone."""
        booking_id = self._booking_id(client_id)
        booking = await self._booking(booking_id)
        return None if booking is None else read_client(booking, booking_id, self._settings.record)

    async def read_link(self, client_id: str, appointment_id: str | None = None) -> ClientLink:  # noqa: ARG002 - the client is the booking
        """The customer's id in the booking's configured field; none where no field is configured or filled."""
        field = self._settings.write_back_field
        if field is None:
            return ClientLink(client_id=client_id)
        booking = await self._booking(self._booking_id(client_id)) or {}
        return ClientLink(client_id=client_id, customer_id=self._stored(booking, field))

    async def write_link(self, link: ClientLink, customer_id: str) -> ClientLink:
        """Write the customer's id into the configured field alone, and look whether the booking stays where it is.

        Raises:
            Rejected: there is no such booking, no field is configured, or the booking has another time now.
            Transient: the field has another value when it is read back. UnknownOutcome: no clear answer came.
        """
        field = self._settings.write_back_field
        if field is None:
            raise self.rejected("no field is configured", "Name the field in write_back_field, restart, then retry the event.")
        booking_id = self._booking_id(link.client_id)
        before = await self._booking(booking_id)
        if before is None:
            raise self.rejected("the booking is gone", "Look at the booking in BookingFlow, then discard the event.")
        if self._stored(before, field) not in (None, customer_id, link.customer_id):
            text = "BookingFlow: write the booking: another id was stored meanwhile"
            raise Transient(text, account=self.remote.account)
        await self._client.update_booking(booking_id, {field: customer_id})
        after = await self._booking(booking_id) or {}
        if self._when(after) != self._when(before):
            hint = "Look at the booking in BookingFlow at once, and remove write_back_field until this is understood."
            raise self.rejected("the booking has another time since its field was written", hint)
        if self._stored(after, field) != customer_id:
            raise Transient(
                "BookingFlow: write the booking: the field has another value when it is read back", account=self.remote.account
            )
        return link.model_copy(update={"customer_id": customer_id})

    async def clear_link(self, link: ClientLink) -> bool:
        """Empty the configured field of the booking; its other fields are not sent."""
        field, booking_id = self._settings.write_back_field, self._booking_id(link.client_id)
        if field is None:
            return False
        try:
            await self._client.update_booking(booking_id, {field: ""})
        except Rejected:
            return False
        return self._stored(await self._booking(booking_id) or {}, field) is None

    async def _booking(self, booking_id: str) -> dict[str, Any] | None:
        answer = await self._client.get_booking(booking_id)
        if answer.status in ABSENT:
            return None
        booking = booking_in(answer.data, self._settings.record)
        if booking is None or webhook.read_booking_id(booking, self._settings.record.id) != booking_id:
            # Another booking than the one asked for is no answer either.
            raise self._client.unexpected("read the booking", answer)
        return booking

    def _booking_id(self, client_id: str) -> str:
        booking_id = webhook.usable_id(client_id.removeprefix(webhook.CLIENT))
        if booking_id is None:
            raise self.rejected("this is not the id of a booking", "Discard the event.")
        return booking_id

    def _when(self, booking: dict[str, Any]) -> tuple[datetime | None, datetime | None]:
        appointment = read_appointment(booking, "", self._settings.record, self._settings.time_zone)
        return appointment.starts_at, appointment.ends_at

    def _stored(self, booking: Mapping[str, Any], field: str) -> str | None:
        """The id in the field. What is no id is somebody's: it must not pass for "none" and be written over."""
        value = booking.get(field)
        if value is None or (isinstance(value, str) and not value.strip()):
            return None
        if (stored := read_key(value)) is None:
            hint = f"Name another field in write_back_field of [{self.remote.account}], restart, then retry the event."
            raise self.rejected(f"the field {field} of the booking holds something that is no id", hint)
        return stored

    async def walk(self, since: datetime, until: datetime, cursor: dict[str, Any] | None) -> AsyncIterator[Page]:
        """Yield the bookings that start within [since, until); see `walk.Walk`. Naive times are not accepted."""
        async for page in Walk(self._client, self._settings, since, until).pages(cursor):
            yield page

    async def probe(self) -> None:
        """Ask who the key belongs to."""
        await self._client.probe()

    async def checks(self) -> list[Check]:
        """That this API is announced only, where links are kept, and which address to enter there."""
        announced = "BookingFlow's API and webhooks are announced, and have not been tried: watch the first deliveries"
        account = self.remote.account
        hint = (
            f"Compare [{account}.paths], .fields, .record and .listing with BookingFlow's documentation;"
            " each of them can be set."
        )
        topic = Topic(account, "announced")
        found = [Check(topic=topic, level="warning", message=announced, hint=hint), self._write_back_check()]
        if self.address is not None:
            text = f"the webhook goes to {self.address}?key=PATH_KEY"
            found.append(Check(topic=Topic(account, "addresses"), level="ok", message=text))
        return found

    def _write_back_check(self) -> Check:
        topic, field = Topic(self.remote.account, "write_back"), self._settings.write_back_field
        if field is None:
            text = "links are stored in connector only: BookingFlow has no known field for them"
            return Check(topic=topic, level="ok", message=text)
        hint = "Try it with one booking that may be lost: the call is described for rescheduling and guests only."
        text = f"customer ids are written into the field {field} of bookings by {self._settings.write_back_method}"
        return Check(topic=topic, level="warning", message=text, hint=hint)
