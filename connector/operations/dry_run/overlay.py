"""What a dry run puts in front of both remote systems and our own records: everything is read, and every write stays in memory.

What would have been written is remembered for the rest of the run, so that the second client of a new person is matched
with the customer that the first one would have become, as in the real run.
"""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Self

from connector.booking_systems.base import BookingSystem, ClientLink, Page
from connector.crms.base import CRM, NOTHING
from connector.model.bookings import Appointment, Client, Reading
from connector.model.capabilities import CrmCapability
from connector.model.errors import Conflict
from connector.model.fields import FieldRule, Value
from connector.model.jobs import Work
from connector.model.links import KnownOfClient, Link, Records
from connector.model.persons import Customer, NewCustomer
from connector.model.states import Step
from connector.remote.fields import Field
from connector.remote.rate_limit import QuotaFor
from connector.store import Store
from connector.sync.person.identity import normalise_email


class DryBooking(BookingSystem):
    """A booking system whose links are only written in memory."""

    def __init__(self, real: BookingSystem) -> None:
        super().__init__(real.name, real.remote)
        self.capabilities = real.capabilities
        self._real = real
        self._written: dict[str, str] = {}

    @classmethod
    def connect(cls, name: str, settings: Any, quota_for: QuotaFor, *, transport: Any = None) -> Self:
        """Never called: a dry run wraps an adapter that is connected already."""
        raise TypeError("a dry run wraps a connected adapter")

    def read_delivery(self, headers: Mapping[str, str], data: Any) -> Reading:
        """As the real one."""
        return self._real.read_delivery(headers, data)

    async def client(self, client_id: str) -> Client | None:
        """As the real one."""
        return await self._real.client(client_id)

    async def read_link(self, client_id: str, appointment_id: str | None = None) -> ClientLink:
        """As the real one, with what would have been written."""
        stored = await self._real.read_link(client_id, appointment_id)
        written = self._written.get(stored.client_id)
        return stored.model_copy(update={"customer_id": written}) if written else stored

    async def write_link(self, link: ClientLink, customer_id: str) -> ClientLink:
        """Remember instead of writing."""
        self._written[link.client_id] = customer_id
        return link.model_copy(update={"customer_id": customer_id})

    async def walk(self, since: datetime, until: datetime, cursor: dict[str, Any] | None) -> AsyncIterator[Page]:
        """As the real one."""
        async for page in self._real.walk(since, until, cursor):
            yield page

    async def probe(self) -> None:
        """As the real one."""
        await self._real.probe()


class DryCRM(CRM):
    """A CRM whose customers are only created and filled in memory."""

    def __init__(self, real: CRM) -> None:
        super().__init__(real.name, real.remote)
        self.title = real.title  # type: ignore[misc]
        self.settings_model = real.settings_model  # type: ignore[misc]
        # `create` asks for the address only.
        self.capabilities = real.capabilities - {CrmCapability.REFUSES_KEYS}
        self._real = real
        self._changed: dict[str, Customer] = {}
        self._numbers = itertools.count(1)

    @classmethod
    def connect(cls, name: str, settings: Any, quota_for: QuotaFor, *, transport: Any = None) -> Self:
        """Never called: a dry run wraps an adapter that is connected already."""
        raise TypeError("a dry run wraps a connected adapter")

    async def get(self, customer_id: str) -> Customer | None:
        """As the real one, with what would have been created and filled."""
        if customer_id in self._changed:
            return self._changed[customer_id]
        return self._now(await self._real.get(customer_id))

    async def by_key(self, person_key: str) -> Customer | None:
        """As the real one, with what would have been created."""
        for customer in self._changed.values():
            if customer.person_key == person_key:
                return customer
        return self._now(await self._real.by_key(person_key))

    async def by_email(self, email: str) -> list[Customer]:
        """As the real one, with what would have been created and filled."""
        changed = [c for c in self._changed.values() if email in {normalise_email(raw) for raw in c.emails}]
        return self._merged(await self._real.by_email(email), changed)

    async def by_phone(self, phone: str) -> list[Customer]:
        """As the real one, with what would have been created and filled."""
        changed = [c for c in self._changed.values() if phone in (c.mobile_phone, c.phone)]
        return self._merged(await self._real.by_phone(phone), changed)

    async def fields(self) -> Mapping[str, Field]:
        """As the real one."""
        return await self._real.fields()

    async def users(self) -> Mapping[str, str]:
        """As the real one."""
        return await self._real.users()

    def keep(self, rules: Sequence[FieldRule], *, owner: Sequence[str] | None = None) -> None:
        """The real one reads them."""
        super().keep(rules, owner=owner)
        self._real.keep(rules, owner=owner)

    async def create(self, new: NewCustomer, person_key: str, properties: Mapping[str, Value] = NOTHING) -> Customer:
        """Remember instead of creating. Raises Conflict where the address is taken, as the real one does."""
        if new.email and (there := await self.by_email(new.email)):
            raise Conflict(f"{self.title} has this e-mail address already", by="email", winner=there[0].id)
        emails = (new.email,) if new.email else ()
        fields = new.model_dump(exclude={"email"})
        more = {"properties": dict(properties), **fields}
        customer = Customer(id=f"new:{next(self._numbers)}", emails=emails, person_key=person_key, **more)
        self._changed[customer.id] = customer
        return customer

    async def fill(self, customer: Customer, new: NewCustomer, properties: Mapping[str, Value] = NOTHING) -> tuple[str, ...]:
        """Remember instead of writing; an address that another customer has is left out."""
        said = {name: value for name, value in new.model_dump().items() if value}
        email = said.pop("email", None)
        if email and any(other.id != customer.id for other in await self.by_email(email)):
            email = None
        emails = (*customer.emails, email) if email else customer.emails
        more = {**said, "emails": emails, "properties": {**customer.properties, **properties}}
        self._changed[customer.id] = customer.model_copy(update=more)
        return (*said, *properties)

    async def record_appointment(self, customer_id: str, appointment: Appointment, marker: str, record_id: str | None) -> str:
        """Record nothing."""
        return record_id or f"new:{customer_id}:{appointment.id}:{marker}"

    async def find_appointment(self, customer_id: str, marker: str) -> str | None:
        """Find nothing: there is no unsettled write to look for."""
        return None

    async def probe(self) -> None:
        """As the real one."""
        await self._real.probe()

    def _now(self, customer: Customer | None) -> Customer | None:
        return None if customer is None else self._changed.get(customer.id, customer)

    def _merged(self, found: list[Customer], changed: list[Customer]) -> list[Customer]:
        together = {customer.id: self._changed.get(customer.id, customer) for customer in found}
        return list((together | {customer.id: customer for customer in changed}).values())


class DryMemory:
    """Links and journal: what the store remembers, and on top what would have been written."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.restored = False
        self._links: dict[tuple[str, str], Link] = {}
        self._remembered: dict[tuple[str, str], dict[str, None]] = {}
        self._aliases: dict[tuple[str, str], str] = {}
        #: The person who is asked about because of a key that was noticed.
        self._noticed: dict[tuple[str, str], str] = {}
        self._booked: dict[tuple[str, str], set[str]] = {}

    async def find(self, source: str, client_id: str) -> Link | None:
        """The link, stored or simulated."""
        return self._links.get((source, client_id)) or await self._store.links.find(source, client_id)

    async def remembered(self, crm: str, keys: Sequence[str]) -> list[str]:
        """The customers tied to these keys, stored or simulated."""
        stored = await self._store.links.remembered(crm, keys)
        simulated = [customer for key in keys for customer in self._remembered.get((crm, key), {})]
        return list(dict.fromkeys([*stored, *simulated]))

    async def missing_keys(self, work: Work, keys: Sequence[str]) -> list[str]:
        """The keys that are not tied to the customer, whoever said them."""
        link = work.link
        return [key for key in keys if link is None or link.customer_id not in await self.remembered(link.crm, [key])]

    async def clients_of(self, crm: str, customer_id: str, source: str, limit: int) -> list[str]:
        """The clients of a customer, simulated or stored."""
        simulated = [
            client_id
            for (name, client_id), link in self._links.items()
            if name == source and (link.crm, link.customer_id) == (crm, customer_id)
        ]
        stored = await self._store.links.clients_of(crm, customer_id, source, limit)
        return list(dict.fromkeys([*reversed(simulated), *stored]))[:limit]

    async def asked_about(self, crm: str, customer_id: str, source: str, limit: int) -> list[str]:
        """The clients for whom a stored review shows the customer; a dry run opens none."""
        return await self._store.links.asked_about(crm, customer_id, source, limit)

    async def shared(self, crm: str, keys: Sequence[str], person: str | None) -> set[str]:
        """The keys that belong to several people, stored or noticed in this dry run."""
        return await self._store.links.shared(crm, keys, person) | self._noticed_of(crm, keys, person)

    def _noticed_of(self, crm: str, keys: Sequence[str], person: str | None) -> set[str]:
        return {key for key in keys if self._noticed.get((crm, key), person or "") != (person or "")}

    async def notice(self, crm: str, key: str, people: int, *, person: str | None = None) -> None:
        """Remember it for the rest of the dry run."""
        self._noticed.setdefault((crm, key), person or "nobody")

    async def different(self, crm: str, source: str, client_id: str, person: str | None) -> list[str]:
        """What the store says: a dry run decides nothing for people."""
        return await self._store.links.different(crm, source, client_id, person)

    async def known_of(self, crm: str, work: Work, keys: Sequence[str], person: str | None) -> KnownOfClient:
        """What the store says, with what was noticed and who was linked in this dry run."""
        stored = await self._store.links.known_of(crm, work, keys, person)
        appointment = work.event.appointment
        booked = self._booked.setdefault((work.source, appointment.id), set()) if appointment else set()
        booked.add(work.client_id)
        links = [self._links.get((work.source, other)) for other in booked - {work.client_id}]
        beside = (link.customer_id for link in links if link is not None and link.crm == crm)
        shared = stored.shared | self._noticed_of(crm, keys, person)
        tied = stored.tied | {key for key in keys if (crm, key) in self._remembered}
        return replace(stored, shared=shared, tied=tied, beside=(*stored.beside, *beside))

    async def is_alias(self, crm: str, customer_id: str, survivor_id: str) -> bool:
        """Whether a merge is known."""
        if self._aliases.get((crm, customer_id)) == survivor_id:
            return True
        return await self._store.links.is_alias(crm, customer_id, survivor_id)

    async def begin(self, work: Work, key: str, kind: str, now: float, *, crm: str = "", identity: Sequence[str] = ()) -> bool:
        """Whether an earlier, real run left the effect unsettled."""
        return await self._store.journal.is_open(key)

    async def is_open(self, key: str) -> bool:
        """As `begin`."""
        return await self._store.journal.is_open(key)

    async def tried_at(self, key: str) -> float | None:
        """What the store says."""
        return await self._store.journal.tried_at(key)

    async def undone(self, key: str) -> None:
        """Nothing to note."""

    async def linked(
        self,
        work: Work,
        links: Sequence[Link],
        step: Step,
        now: float,
        *,
        keys: Sequence[str] = (),
        said: Sequence[str] = (),
        merged_from: str | None = None,
        intent: str | None = None,
    ) -> None:
        """Remember the links for the rest of the dry run."""
        own = links[0]
        self._links |= {(link.source, link.client_id): link for link in links}
        for key in keys:
            self._remembered.setdefault((own.crm, key), {})[own.customer_id] = None
        if merged_from is not None:
            self._aliases[own.crm, merged_from] = own.customer_id

    async def wrote_back(self, work: Work, link: Link, step: Step, now: float, *, intent: str | None) -> None:
        """Remember what the booking system would hold."""
        self._links[link.source, link.client_id] = replace(link, stored_id=link.customer_id)

    async def settled(self, work: Work, key: str, now: float) -> None:
        """Nothing to note."""

    async def recorded(self, work: Work, appointment_id: str, record_id: str, version: float, intent: str, now: float) -> None:
        """Nothing to note."""

    async def records(self, link: Link, appointment_id: str, intent: str) -> Records:
        """What the store says."""
        return await self._store.journal.records(link, appointment_id, intent)
