"""Whose record is it? The rules of docs/matching.md in their order: the first that decides, decides.

Each rule writes to the trace what it found. Whatever a look-up *fails* to answer is raised as an error: only an answered,
empty look-up lets the next rule speak, so nobody is created on doubt.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from connector.booking_systems.base import BookingSystem, ClientLink
from connector.config.settings import SyncSettings
from connector.crms.base import CRM
from connector.model.bookings import Client, Kind
from connector.model.errors import Conflict, Hold, Ignore, Lasting, NothingToIdentify
from connector.model.jobs import Work
from connector.model.links import Link
from connector.model.persons import Customer
from connector.sync.effects import effect
from connector.sync.locks import IdentityLocks
from connector.sync.matching import decisions, others
from connector.sync.matching.decisions import Ask, Take
from connector.sync.matching.evidence import agreement, has_email, new_customer, review
from connector.sync.matching.lookup import Customers
from connector.sync.person.agreement import Agreement
from connector.sync.person.identity import Identity, identify, person_key
from connector.sync.repositories import EffectsJournal, LinksMemory
from connector.sync.trace import note

_COMPLETE = "Create or complete the customer in the CRM and retry the event, or set `create = true` in its [[sync]]."
_UNREADABLE = "Correct it in the booking system, or set default_country in [booking.{}]; then retry the event."
_HIDDEN = "Look in the CRM's recycle bin and its list of erased contacts: restore or release it there, then retry the event."
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


class Matcher:
    """Finds or creates the customer of a client, and commits the link."""

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

    async def resolve(self, work: Work, seen: Seen) -> None:
        """Find or create the customer, and commit the link."""
        found = await self.by_our_link(work) or await self.by_delivery(work) or await self.by_booking_system(work, seen)
        if found is not None:
            await self._commit(work, seen, found)
            return
        person = await self._identify(work, seen)
        # Two clients of whom one was merged into the other are one person too, whatever they say of themselves.
        living = f"client:{work.source}:{seen.stored.client_id if seen.stored else work.client_id}"
        async with self.locks.hold(self.crm.name, [*person.keys(), living]):
            found = await self._by_survivor(work, seen) or await self.by_key(work, person)
            if found is None and self._asked_to_create(work):
                found = await self.by_newcomer(work, person)
            elif found is None:
                found = await self.by_email(work, person) or await self.by_phone(work, person)
            if found is None:
                found = await self.create(work, person)
            await self._commit(work, seen, found)

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
        if asked is None or self._of_another_crm(work, asked):
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
        if stored.customer_id and not self._of_another_crm(work, stored.customer_id):
            return await self._adopt(work, "booking_system", stored.customer_id)
        why = "the id that is stored is another CRM's" if stored.customer_id else "no link is stored for this client"
        note(work, "booking_system", "none", why)
        return None

    async def _by_survivor(self, work: Work, seen: Seen) -> Found | None:
        """The customer of the client into which this one was merged."""
        if seen.stored is None or seen.stored.client_id == work.client_id:
            return None
        survivor = await self.links.find(self.booking.name, seen.stored.client_id)
        if survivor is None or survivor.crm != self.crm.name:
            return None
        return await self._follow(work, survivor, "already_linked")

    def _of_another_crm(self, work: Work, customer_id: str) -> bool:
        """Whether we ourselves stored this id when the source was synced with another CRM: here it is somebody else's."""
        link = work.link
        return link is not None and link.crm != self.crm.name and customer_id in (link.stored_id, link.customer_id)

    async def by_key(self, work: Work, person: Identity) -> Found | None:
        """Rule 4: a customer carries our own key for this client."""
        key = person_key(work.source, work.client_id)
        customer = await self.crm.by_key(key)
        if customer is None:
            note(work, "crm_key", "none", "no customer carries our key for this client")
            return None
        intent = self._create_intent(work)
        ours = await self.journal.is_open(intent)
        how = "the customer which an earlier try created" if ours else "the customer that carries our key for this client"
        note(work, "crm_key", "match", how, customer.id)
        if not ours:
            return Found(customer, "crm_key", "matched")
        return Found(customer, "created", "created", keys=person.keys(), intent=intent)

    async def by_email(self, work: Work, person: Identity) -> Found | None:
        """Rule 5: exactly one customer has the same e-mail address, by a fresh read."""
        if person.email is None:
            return None
        found, known = await self.customers.by_email(person)
        answer = decisions.by_email(person, found, known, self.settings)
        if isinstance(answer, Take) and self.settings.name_mismatch == "hold":
            asked = (self.booking, self.links, self.crm.name, self.identity)
            if await others.speak_against(*asked, work, answer.customer):
                answer = Ask("the e-mail address matches, the name does not", [answer.customer], "e-mail")
        return self._answered(work, person, "email", answer, person.email_keys, "no customer has this e-mail address")

    async def by_phone(self, work: Work, person: Identity) -> Found | None:
        """Rule 6: exactly one customer has the same phone and a name that agrees."""
        if not person.phones or not self.settings.match_phone:
            return None
        answer = decisions.by_phone(person, await self.customers.by_phone(person), self.settings)
        return self._answered(work, person, "phone", answer, person.keys(), "no customer has this phone number")

    async def by_newcomer(self, work: Work, person: Identity) -> Found | None:
        """Rule 6 after a person said that it is none of the customers shown."""
        if work.decision is None or not person.phones or not self.settings.match_phone:
            return None
        found = await self.customers.by_phone(person)
        shown = {*work.decision.shown, *(c.id for c in await self.customers.alive(work.decision.shown))} if found else set()
        answer = decisions.since_decision(person, found, shown, self.settings)
        return self._answered(work, person, "phone", answer, person.keys(), "")

    def _answered(
        self, work: Work, person: Identity, rule: str, answer: Take | Ask | None, keys: Sequence[str], none: str
    ) -> Found | None:
        """The one place where an answer becomes a line of the trace, a match, or a question for a person."""
        match answer:
            case Take():
                note(work, rule, "match", answer.how, answer.customer.id)
                return Found(answer.customer, rule, "matched", keys=keys)
            case Ask():
                note(work, rule, "ambiguous", answer.reason)
                raise review(answer.reason, answer.among, person, answer.shared)
        if none:
            note(work, rule, "none", none)
        return None

    async def create(self, work: Work, person: Identity) -> Found:
        """Rule 7: nobody was found, by answered and empty look-ups."""
        told = self._asked_to_create(work)
        if work.event.kind is Kind.DELETED and not told:
            raise Ignore("no customer matches, and nobody is created for what was deleted")
        if not self.settings.create and not told:
            raise Hold("no customer matches, and this sync only links existing ones", hint=_COMPLETE)
        if (lacking := person.lacks(self.settings.minimum_identity)) and not told:
            raise Hold(f"no customer matches, and too little is known to create one: {lacking}", hint=_COMPLETE)
        intent, now = self._create_intent(work), self.clock()
        async with effect(self.journal, work, intent, "create", now, crm=self.crm.name, identity=person.keys()) as may_exist:
            return await self._create(work, person, intent, unsettled=may_exist)

    async def _create(self, work: Work, person: Identity, intent: str, *, unsettled: bool) -> Found:
        try:
            customer = await self.crm.create(new_customer(person), person_key(work.source, work.client_id))
        except Conflict as conflict:
            return await self._winner(work, conflict, person, intent, unsettled=unsettled)
        left_out = f"; the CRM refused: {', '.join(customer.refused)}" if customer.refused else ""
        note(work, "create", "created", f"no customer was found, so one was created{left_out}", customer.id)
        return Found(customer, "created", "created", keys=person.keys(), intent=intent)

    # What the rules share.

    async def _commit(self, work: Work, seen: Seen, found: Found) -> None:
        stored_id = found.stored_id
        if stored_id is None and work.link is not None and work.link.crm != self.crm.name:
            # Ours from another CRM, so it may be written over.
            stored_id = work.link.stored_id
        link = Link(
            work.source, work.client_id, self.crm.name, found.customer.id, found.origin, stored_id, found.written_back_at
        )
        work.outcome = work.outcome or found.outcome
        keys = {*found.keys, *await self._unremembered(work, found)}
        if link != work.link or found.intent is not None or keys:
            links = [link]
            if seen.stored is not None and seen.stored.client_id != work.client_id:
                links.append(replace(link, client_id=seen.stored.client_id))
            await self.journal.linked(
                work, links, "write_back", self.clock(), keys=sorted(keys), merged_from=found.merged_from, intent=found.intent
            )
        work.link, work.step, seen.customer = link, "write_back", found.customer

    async def _unremembered(self, work: Work, found: Found) -> list[str]:
        """What the client says of itself that we have not tied to the customer yet.

        It may reach the CRM only by the step that fills blanks, or never; the person's next client must be recognised by
        it at once. An address that came with another name may be another person's, unless somebody said that it is not.
        """
        person = self.identity(work.event.client)
        keys = list(person.phone_keys)
        if found.origin == "review" or agreement(person, found.customer) is not Agreement.AGAINST:
            keys += person.email_keys
        link = Link(work.source, work.client_id, self.crm.name, found.customer.id, found.origin)
        return await self.links.missing_keys(link, keys) if keys else []

    async def _adopt(self, work: Work, origin: str, customer_id: str) -> Found | None:
        """Take an id that the booking system gave us, once the CRM has confirmed that it lives."""
        customer = await self._existing(work, origin, customer_id)
        if customer is None:
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

    async def _identify(self, work: Work, seen: Seen) -> Identity:
        person = self.identity(work.event.client)
        if person.lacks(self.settings.minimum_identity):
            client_id = seen.stored.client_id if seen.stored else work.client_id
            seen.client = await self.booking.client(client_id)
            if seen.client is not None:
                # What is known of the person from here on, also where others ask who it is.
                work.event = work.event.model_copy(update={"client": seen.client.model_copy(update={"id": work.client_id})})
                person = self.identity(work.event.client)
        if not person.matchable and person.unreadable:
            fields = ", ".join(field.replace("_", " ") for field in person.unreadable)
            raise Hold(
                f"nothing to identify the client: what is written as {fields} cannot be read",
                hint=_UNREADABLE.format(work.source),
            )
        if not person.matchable:
            raise NothingToIdentify("nothing to identify the client: no e-mail address and no phone number that can be read")
        return person

    async def _winner(self, work: Work, conflict: Conflict, person: Identity, intent: str, *, unsettled: bool) -> Found:
        """The CRM refused a second record: the one it has is the customer."""
        customer = await self.customers.winner(conflict, person, person_key(work.source, work.client_id))
        if customer is None:
            text = f"{self.crm.title} says that this person exists already but does not show the record yet"
            raise Lasting(text, account=self.crm.remote.account, hint=_HIDDEN)
        # An earlier try may have had its effect only after we had looked for it.
        ours = conflict.by == "key" or customer.person_key == person_key(work.source, work.client_id)
        if not ours and self._asked_to_create(work):
            way = f"`connector review undo {work.decision.review_id}`, then link it to {customer.id}" if work.decision else ""
            raise Hold("the CRM refuses a second customer with this e-mail address", hint=f"Take the decision back: {way}.")
        if not ours and self.settings.name_mismatch == "hold" and agreement(person, customer) is Agreement.AGAINST:
            self._answered(
                work, person, "email", Ask("the e-mail address matches, the name does not", [customer], "e-mail"), (), ""
            )
        if ours:
            origin, outcome = ("created", "created") if unsettled else ("crm_key", "matched")
        else:
            origin, outcome = "email", "matched"
        note(work, "create", "conflict", f"the CRM already had this person (same {conflict.by})", customer.id)
        return Found(customer, origin, outcome, keys=person.keys(), intent=intent)

    def _asked_to_create(self, work: Work) -> bool:
        decision = work.decision
        return decision is not None and decision.decision == "create" and decision.crm == self.crm.name

    def _create_intent(self, work: Work) -> str:
        return f"create:{self.crm.name}:{person_key(work.source, work.client_id)}"
