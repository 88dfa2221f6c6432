"""What the rules work with: the parts of one sync, and one client on its way through the rules."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from connector.booking_systems.base import BookingSystem, ClientLink
from connector.config.settings import SyncSettings
from connector.crms.base import CRM
from connector.model.bookings import Client
from connector.model.jobs import Work
from connector.model.persons import Customer
from connector.model.reviews import Decision
from connector.sync.locks import IdentityLocks
from connector.sync.matching.evidence import one_person
from connector.sync.matching.lookup import Customers
from connector.sync.person.identity import Identity, identify, person_key
from connector.sync.repositories import EffectsJournal, LinksMemory

#: Clients whose identity is kept: more than run at once.
REMEMBERED = 32


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts of one source's sync into one CRM. `country` reads national numbers; the clock answers Unix time."""

    settings: SyncSettings
    booking: BookingSystem
    crm: CRM
    links: LinksMemory
    journal: EffectsJournal
    locks: IdentityLocks
    country: str | None
    clock: Callable[[], float]
    #: Of the last few clients, by the object's id: a run asks for the same one several times, and comparing takes a while.
    _known: dict[int, tuple[Client, Identity]] = field(default_factory=dict, init=False, repr=False, compare=False)

    @property
    def customers(self) -> Customers:
        """Look-ups in the CRM."""
        return Customers(self.settings, self.crm, self.links, self.country)

    def identity(self, client: Client) -> Identity:
        """What is known of a client, as this sync sees it."""
        if (known := self._known.get(id(client))) is not None:
            return known[1]
        if len(self._known) >= REMEMBERED:
            self._known.clear()
        settings = self.settings
        found = identify(
            client,
            self.country,
            settings.shared_email_domains,
            settings.ignore_dots_and_tags,
            shared_emails=settings.shared_emails,
            shared_phones=settings.shared_phones,
        )
        # With the client itself, so that no other one gets its id.
        self._known[id(client)] = client, found
        return found


@dataclass(slots=True)
class Seen:
    """What this run has read already, so that a later step need not read it again."""

    stored: ClientLink | None = None
    client: Client | None = None
    customer: Customer | None = None


@dataclass(slots=True)
class Case:
    """One client: whose record is it? `person` is what is known of the client so far."""

    parts: Parts
    work: Work
    seen: Seen
    person: Identity
    #: Customers that the client is not, as a person said.
    apart: frozenset[str] = frozenset()
    #: Customers of the other clients of the same booking.
    beside: frozenset[str] = frozenset()
    #: Those of the person's keys that we tied to a customer; None: not known.
    tied: frozenset[str] | None = None
    #: Which of our keys for this client is free: those before are on customers that the client is not.
    key_number: int = 0
    #: Those who have the person's address, those whom we tied to it, and those with a number; None: not looked up yet.
    _by_email: tuple[list[Customer], list[Customer]] | None = None
    _by_phone: list[Customer] | None = None

    @property
    def key(self) -> str:
        """Our own key for the client, as a CRM's record carries it."""
        return person_key(self.work.source, self.work.client_id, self.key_number)

    @property
    def create_intent(self) -> str:
        """The journal's name for creating this client's customer."""
        return f"create:{self.parts.crm.name}:{self.key}"

    @property
    def appointment_id(self) -> str | None:
        """The booking that the event speaks of."""
        return self.work.event.appointment.id if self.work.event.appointment else None

    @property
    def living_client_id(self) -> str:
        """The client itself, or the one into which the booking system has merged it."""
        return self.seen.stored.client_id if self.seen.stored else self.work.client_id

    @property
    def decision(self) -> Decision | None:
        """What a person decided about this client in this CRM."""
        decision = self.work.decision
        return decision if decision is not None and decision.crm == self.parts.crm.name else None

    @property
    def to_create(self) -> bool:
        """Whether a person said that the client is none of the customers shown."""
        return self.decision is not None and self.decision.decision == "create"

    async def by_email(self) -> tuple[list[Customer], list[Customer]]:
        """Those who have the person's address, and those whom we tied to it, if the client can be them; looked up once."""
        if self._by_email is None:
            self._by_email = await self.parts.customers.by_email(self.person, self.tied)
        found, known = self._by_email
        return self.possible(found), self.possible(known)

    async def by_phone(self) -> list[Customer]:
        """Those who have one of the person's numbers, if the client can be them; looked up once."""
        if self._by_phone is None:
            self._by_phone = await self.parts.customers.by_phone(self.person, self.tied)
        return self.possible(self._by_phone)

    async def person_read(self) -> Identity:
        """The person; the booking system is read where the delivery says nothing at all."""
        if not self.person.blank:
            return self.person
        client = await self.parts.booking.client(self.work.event.client.id)
        return self.parts.identity(client) if client else self.person

    @property
    def _shown(self) -> Sequence[str]:
        """The customers that a person was shown who said that the client is none of them."""
        return self.decision.shown if self.decision is not None and self.to_create else ()

    async def is_apart(self, customer_id: str) -> bool:
        """Whether a person has said that the client is not this customer, whose id somebody stored."""
        parts, work, person = self.parts, self.work, one_person(self.person)
        different = await parts.links.different(parts.crm.name, work.source, work.client_id, person)
        self.apart = frozenset({*different, *self._shown})
        return customer_id in self.apart

    async def read_known(self) -> None:
        """Learn in one look who the client is not, who the booking's other clients are, and what its keys are known for."""
        parts, person = self.parts, self.person
        known = await parts.links.known_of(parts.crm.name, self.work, person.keys(), one_person(person))
        self.person = person.sharing(known.shared)
        self.apart = frozenset({*known.different, *self._shown})
        self.beside, self.tied = frozenset(known.beside), known.tied

    def possible(self, found: list[Customer]) -> list[Customer]:
        """Those whom the client can be. Several clients of one booking are different people, whatever keys they share."""
        return [customer for customer in found if customer.id not in self.apart | self.beside]

    def is_of_another_crm(self, customer_id: str) -> bool:
        """Whether we ourselves stored this id when the source was synced with another CRM: here it is somebody else's."""
        link = self.work.link
        return link is not None and link.crm != self.parts.crm.name and customer_id in (link.stored_id, link.customer_id)
