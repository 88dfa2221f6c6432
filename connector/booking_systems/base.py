"""The contract every booking system meets: read a delivery, read and write a client's link, walk the past."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import AsyncIterator, Mapping
from datetime import datetime
from typing import Any, ClassVar

from connector.config.settings import BookingSettings
from connector.model.bookings import Appointment, Client, Event, Model, Reading, Value
from connector.model.capabilities import BookingCapability, Capability
from connector.remote.integration import Integration
from connector.remote.signatures import Verifier


class ClientLink(Model):
    """What the booking system stores under our module for one client.

    `client_id` differs from the asked one where the booking system has merged the client away.
    `customer_id` is None where no link is stored. `metadata` belongs to others and is sent back unchanged.
    """

    client_id: str
    customer_id: str | None = None
    metadata: dict[str, Any] | None = None
    #: The booking that carries the link, for products that keep it there and not with the client.
    appointment_id: str | None = None
    #: False where nothing may be written: the place holds what belongs to others, or is gone.
    writable: bool = True


class Page(Value, frozen=True, kw_only=True):
    """One step of a walk over the past.

    `cursor` is JSON-able and makes `walk` go on after this page; `fraction` is how much of the walk is done (0..1).
    """

    events: tuple[Event, ...]
    cursor: dict[str, Any]
    fraction: float = 0.0


class BookingSystem(Integration):
    """One configured account of a booking system: a *source*."""

    #: The table's keys in the configuration.
    settings_model: ClassVar[type[BookingSettings]]
    capabilities: frozenset[Capability] = frozenset({BookingCapability.WRITES_LINKS, BookingCapability.READS_LINKS})
    #: What `read_delivery` looks at (lower-case names, and `:path`): it is stored with a delivery, so that a held one can be
    #: read again. What proves a delivery is never stored, whatever is named here.
    reads_headers: frozenset[str] = frozenset()
    #: Our webhook's address as the product sees it, `https://…/webhooks/NAME`; None: no public_url is configured.
    address: str | None = None

    @abstractmethod
    def read_delivery(self, headers: Mapping[str, str], data: Any) -> Reading:
        """Turn one verified delivery into canonical events. Pure; never raises on odd input: it holds it.

        `headers` have lower-case names, and `:path` is the path and query that were asked for; `data` is the parsed JSON
        of any type, or a form's fields as text.
        """

    def verifier(self) -> Verifier | None:
        """The product's own way to prove a delivery; None: as `[booking.NAME.webhook]` says."""
        return None

    async def appointment(self, event: Event) -> Appointment | None:
        """What is known of the event's booking; products whose deliveries are only a hint read it back here."""
        return event.appointment

    @abstractmethod
    async def client(self, client_id: str) -> Client | None:
        """Read the client's record; its `id` is the survivor's where the client was merged. None: there is none."""

    @abstractmethod
    async def read_link(self, client_id: str, appointment_id: str | None = None) -> ClientLink:
        """Read the link stored for our module, fresh, following a merged client once.

        `appointment_id` is the booking at hand; only products that keep the link with the booking look at it.
        """

    @abstractmethod
    async def write_link(self, link: ClientLink, customer_id: str) -> ClientLink:
        """Store `customer_id` for the client of `link`, keeping its metadata; confirmed by the answer or by reading back.

        `link` is what `read_link` answered a moment ago. Raises `Rejected` when refused for good.
        """

    async def clear_link(self, link: ClientLink) -> bool:  # noqa: ARG002 - for products that can
        """Take the customer id away again, keeping everything else; True when it was read back as gone.

        `link` is what `read_link` answered a moment ago. False: the product knows no way, or refuses.
        """
        return False

    @abstractmethod
    def walk(self, since: datetime, until: datetime, cursor: dict[str, Any] | None) -> AsyncIterator[Page]:
        """Yield every appointment that starts within [since, until), page by page, from `cursor` on."""

    def changes(self, since: datetime, until: datetime, cursor: dict[str, Any] | None) -> AsyncIterator[Page]:
        """Yield what changed within [since, until), for products that can tell; by default what starts then."""
        return self.walk(since, until, cursor)
