"""Rules 1 to 3: an id that somebody has stored, here, in the delivery or in the booking system."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from connector.booking_systems.base import BookingSystem, ClientLink
from connector.config.settings import SyncSettings
from connector.crms.base import CRM
from connector.model.bookings import Client
from connector.model.errors import Hold
from connector.model.jobs import Work
from connector.model.links import Link
from connector.model.persons import Customer
from connector.sync.locks import IdentityLocks
from connector.sync.matching.evidence import CHOOSE, agreement, has_email, one_person, review
from connector.sync.matching.lookup import Customers
from connector.sync.person.agreement import Agreement
from connector.sync.person.identity import Identity, identify
from connector.sync.repositories import EffectsJournal, LinksMemory
from connector.sync.trace import note

#: Seconds after which an id in a delivery may have been corrected in the booking system: then that is asked.
FRESH_FOR = 3600.0


@dataclass(slots=True)
class Found:
    """The customer, and how we know. `stored_id` is what the booking system is known to hold for the client."""

    customer: Customer
    origin: str
    outcome: str
    keys: Sequence[str] = ()
    stored_id: str | None = None
    merged_from: str | None = None
    intent: str | None = None
    written_back_at: float | None = None


@dataclass(slots=True)
class Seen:
    """What this run has read already, so that a later step need not read it again."""

    stored: ClientLink | None = None
    client: Client | None = None
    customer: Customer | None = None


class StoredIds:
    """What an id that is stored somewhere says, once the CRM has confirmed it. Ids are believed, but not blindly."""

    def __init__(
        self,
        settings: SyncSettings,
        booking: BookingSystem,
        crm: CRM,
        *,
        links: LinksMemory,
        journal: EffectsJournal,
        locks: IdentityLocks,
        country: str | None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.settings = settings
        self.booking = booking
        self.crm = crm
        self.links = links
        self.journal = journal
        self.locks = locks
        self.country = country
        self.clock = clock
        self.customers = Customers(settings, crm, links, country)

    def identity(self, client: Client) -> Identity:
        """What is known of a client, as this sync sees it."""
        settings = self.settings
        return identify(
            client,
            self.country,
            settings.shared_email_domains,
            settings.ignore_dots_and_tags,
            shared_emails=settings.shared_emails,
            shared_phones=settings.shared_phones,
        )

    async def by_our_link(self, work: Work) -> Found | None:
        """Rule 1: we linked this client before."""
        link = work.link
        if link is None or link.crm != self.crm.name:
            return None
        chosen = link.origin == "review" and link.stored_id is None
        found = await self._follow(work, link, "matched" if chosen else "already_linked")
        if found is not None and self.booking.ids_may_move and link.origin != "review":
            await self._check_whose(work, "our_link", found.customer, "the e-mail address by which this client is known")
        return found

    async def by_delivery(self, work: Work) -> Found | None:
        """Rule 2: the delivery names the customer of this client under our module."""
        asked = work.event.linked_customer_id
        if asked is None or self._of_another_crm(work, asked) or await self._is_apart(work, asked):
            return None
        if self.booking.reads_links and self.clock() - work.received_at > FRESH_FOR:
            return None
        return await self._adopt(work, "delivery", asked)

    async def by_booking_system(self, work: Work, seen: Seen) -> Found | None:
        """Rule 3: the booking system stores a link (the delivery may not have been allowed to show it)."""
        appointment_id = work.event.appointment.id if work.event.appointment else None
        seen.stored = stored = await self.booking.read_link(work.client_id, appointment_id)
        if stored.client_id != work.client_id:
            note(work, "booking_system", "merged", f"the booking system has merged this client into {stored.client_id}")
            if (found := await self._by_survivor(work, seen)) is not None:
                return found
        if stored.customer_id and await self._is_apart(work, stored.customer_id):
            why = "the id that is stored is of a customer that this client is not, as a person decided"
        elif stored.customer_id and not self._of_another_crm(work, stored.customer_id):
            return await self._adopt(work, "booking_system", stored.customer_id)
        else:
            why = "the id that is stored is another CRM's" if stored.customer_id else "no link is stored for this client"
        note(work, "booking_system", "none", why)
        return None

    async def _by_survivor(self, work: Work, seen: Seen) -> Found | None:
        """The customer of the client into which this one was merged."""
        if seen.stored is None or seen.stored.client_id == work.client_id:
            return None
        survivor = await self.links.find(self.booking.name, seen.stored.client_id)
        if survivor is None or survivor.crm != self.crm.name or survivor.customer_id in work.apart:
            return None
        return await self._follow(work, survivor, "already_linked")

    def _of_another_crm(self, work: Work, customer_id: str) -> bool:
        """Whether we ourselves stored this id when the source was synced with another CRM: here it is somebody else's."""
        link = work.link
        return link is not None and link.crm != self.crm.name and customer_id in (link.stored_id, link.customer_id)

    def _check_decided(self, work: Work) -> None:
        """Raise Hold where a decision about this client was taken back: nothing is matched until there is a new one."""
        decision = work.decision
        if decision is not None and decision.decision == "undecided" and decision.crm == self.crm.name:
            text = f"the decision about this client was taken back; it waits for a new one in review {decision.review_id}"
            raise Hold(text, hint=CHOOSE)

    async def _is_apart(self, work: Work, customer_id: str) -> bool:
        """Whether a person has said that the client is not this customer, whose id somebody stored."""
        person = one_person(self.identity(work.event.client))
        work.apart = await self._apart(work, person)
        return customer_id in work.apart

    async def _apart(self, work: Work, person: str | None) -> frozenset[str]:
        shown = work.decision.shown if work.decision is not None and self._is_to_create(work) else ()
        return frozenset({*await self.links.different(self.crm.name, work.source, work.client_id, person), *shown})

    async def _adopt(self, work: Work, origin: str, customer_id: str) -> Found | None:
        """Take an id that the booking system gave us, once the CRM has confirmed that it lives."""
        customer = await self._existing(work, origin, customer_id)
        if customer is None or customer.id in work.apart:
            return None
        if self.booking.links_appointments:
            await self._check_whose(work, origin, customer, "the booking that carries this customer's id")
        merged = customer_id if customer.id != customer_id else None
        return Found(customer, origin, "already_linked", stored_id=customer_id, merged_from=merged)

    async def _check_whose(self, work: Work, rule: str, customer: Customer, what: str) -> None:
        """What leads to this customer may have passed to another person: then a person decides."""
        client = work.event.client
        if self.identity(client).blank:
            client = await self.booking.client(client.id) or client
        person = self.identity(client)
        known = self.settings.name_mismatch == "link" and has_email(customer, person, self.settings.ignore_dots_and_tags)
        if agreement(person, customer) is Agreement.AGAINST and not known:
            reason = f"{what} may have passed to another person: the names differ"
            note(work, rule, "ambiguous", reason, customer.id)
            raise review(reason, [customer], person, "link")

    async def _follow(self, work: Work, link: Link, outcome: str) -> Found | None:
        """The customer of a link of ours, or the one it was merged into."""
        customer = await self._existing(work, "our_link", link.customer_id)
        if customer is None:
            return None
        merged = link.customer_id if customer.id != link.customer_id else None
        return Found(
            customer, link.origin, outcome, stored_id=link.stored_id, merged_from=merged, written_back_at=link.written_back_at
        )

    async def _existing(self, work: Work, rule: str, customer_id: str) -> Customer | None:
        """The customer with this id; None where it was deleted and the sync says that the person is looked for anew."""
        customer = await self.crm.get(customer_id)
        if customer is None:
            note(work, rule, "gone", "this customer no longer exists in the CRM", customer_id)
            if self.settings.deleted_customer == "create":
                return None
            raise Hold(
                f"the client is linked to customer {customer_id}, which the CRM no longer has",
                hint=f"Restore it there and retry the event, or choose another: `connector check --drift {work.source} --fix`.",
            )
        how = "linked to this customer" if customer.id == customer_id else f"customer {customer_id} was merged into this one"
        note(work, rule, "match", how, customer.id)
        return customer

    def _is_to_create(self, work: Work) -> bool:
        decision = work.decision
        return decision is not None and decision.decision == "create" and decision.crm == self.crm.name
