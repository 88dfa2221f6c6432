"""The use case: event → resolve the customer → write the id back → fill blanks → record the appointment.

Each step commits on its own; a retry resumes at the one that failed. How the customer is found is in `matching`, how
appointments are kept in `recording`.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from connector.booking_systems.base import BookingSystem, ClientLink
from connector.config.settings import SyncSettings
from connector.crms.base import CRM
from connector.model.bookings import Client
from connector.model.capabilities import BookingCapability
from connector.model.errors import Conflict, Hold, Ignore, NeedsReview, Rejected
from connector.model.fields import FieldValue
from connector.model.jobs import Work
from connector.model.links import Link
from connector.model.persons import Customer, NewCustomer
from connector.remote.fields import Changes
from connector.sync.confirmed import Confirmed
from connector.sync.effects import effect
from connector.sync.fields import wanted, worded
from connector.sync.locks import IdentityLocks
from connector.sync.matching.case import Parts, Seen
from connector.sync.matching.evidence import CHOOSE, may_fill, may_lack, missing_fields, new_customer, one_person
from connector.sync.matching.matcher import resolve
from connector.sync.person.identity import Identity
from connector.sync.repositories import EffectsJournal, LinksMemory
from connector.sync.timeline import Recorder
from connector.sync.trace import note


class Sync:
    """One source into one CRM. `run` returns when everything is done and raises one of our errors otherwise."""

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
        crm.keep(settings.fields, owner=settings.owner.named if settings.owner else None)
        self.country = country
        self.clock = clock
        self.parts = Parts(settings, booking, crm, links, journal, locks, country, clock)
        self.confirmed = Confirmed(settings.confirmed_for, clock)
        self.recorder = Recorder(booking, crm, journal=journal, locks=locks, clock=clock)

    async def run(self, work: Work) -> None:
        """Do every step that is left of `work`; its trace, outcome and step are kept up to date."""
        if work.decision is not None and work.decision.decision == "dismiss":
            raise Ignore(f"dismissed in review {work.decision.review_id}")
        try:
            await self._steps(work, Seen())
        except NeedsReview as review:
            review.crm, review.person = self.crm.name, one_person(self.parts.identity(work.event.client))
            raise

    async def _steps(self, work: Work, seen: Seen) -> None:
        if work.step == "resolve" and self._is_confirmed(work):
            work.outcome, work.step = work.outcome or "already_linked", "record"
        if work.step == "resolve":
            await resolve(self.parts, work, seen)
        if work.step == "write_back":
            await self.write_back(work, seen)
        if work.step == "fill":
            await self.fill(work, seen)
        if work.step == "record":
            await self.record(work)

    def _is_confirmed(self, work: Work) -> bool:
        """Whether the link was confirmed not long ago, and this event has nothing to write but its appointment."""
        link = work.link
        if not self.settings.confirmed_for or link is None or link.crm != self.crm.name or work.decision is not None:
            return False
        # An id that may pass to another person says nothing without the customer's record.
        if self.booking.can(BookingCapability.MOVING_IDS) or self._must_write(work, link):
            return False
        if not self.confirmed.holds(link, self._said(work)):
            return False
        note(work, "our_link", "match", "linked to this customer, who was confirmed not long ago", link.customer_id)
        return True

    def _said(self, work: Work) -> tuple[Client, tuple[FieldValue, ...]]:
        """Everything of an event that may be written to its customer."""
        client = work.event.client
        return client, wanted(self.settings, self.crm, client, work.event.appointment)

    # Step 2: tell the booking system.

    async def write_back(self, work: Work, seen: Seen) -> None:
        """Store the customer's id in the booking system, unless it is there."""
        link = self._link(work)
        appointment_id = work.event.appointment.id if work.event.appointment else None
        if not self._must_write(work, link):
            work.step = "fill"
            return
        stored = seen.stored or await self.booking.read_link(work.client_id, appointment_id)
        place = appointment_id if self.booking.can(BookingCapability.LINKS_APPOINTMENTS) else work.client_id
        intent = f"write_back:{work.source}:{place}:{link.customer_id}"
        if stored.customer_id == link.customer_id:
            ours = intent if await self.journal.is_open(intent) else None
            note(work, "write_back", "present", "the booking system holds the id already", link.customer_id)
        elif not stored.writable:
            note(work, "write_back", "no place", "the place for the id is in use by others, or gone; nothing was written")
            work.step = "fill"
            return
        elif not await self._is_free(link, stored):
            await self._dispute(work, seen, link, stored)
            return
        else:
            ours = intent
            await self._write(work, intent, stored, link.customer_id)
            note(work, "write_back", "written", "the id was stored in the booking system and confirmed", link.customer_id)
        work.written_back = work.written_back or ours is not None
        await self.journal.wrote_back(work, link, "fill", self.clock(), intent=ours)
        work.link = replace(link, stored_id=link.customer_id)
        work.step = "fill"

    def _must_write(self, work: Work, link: Link) -> bool:
        """Whether the booking system has a place for the id that may not hold it yet."""
        if self.booking.can(BookingCapability.LINKS_APPOINTMENTS):
            stated = work.event.linked_customer_id == link.customer_id
            return self.booking.can(BookingCapability.WRITES_LINKS) and work.event.appointment is not None and not stated
        return self.booking.can(BookingCapability.WRITES_LINKS) and link.stored_id != link.customer_id

    async def _write(self, work: Work, intent: str, stored: ClientLink, customer_id: str) -> None:
        async with effect(self.journal, work, intent, "write_back", self.clock()):
            await self.booking.write_link(stored, customer_id)

    async def _is_free(self, link: Link, stored: ClientLink) -> bool:
        """Whether what is there is nothing, or ours; an id that somebody else stored is only replaced if a person said so."""
        there = stored.customer_id
        if not there or there == link.stored_id or link.origin == "review":
            return True
        if await self.links.is_alias(self.crm.name, there, link.customer_id):
            return True
        if there in await self.links.different(self.crm.name, link.source, link.client_id, None):
            return True
        # A merge of clients brings ids of other clients here, and theirs may have been merged without our having heard of it.
        alive = await self.crm.get(there)
        if alive is None:
            return self.settings.deleted_customer == "create"
        return alive.id == link.customer_id

    async def _dispute(self, work: Work, seen: Seen, link: Link, stored: ClientLink) -> None:
        """Another id is there. Our customer may have been merged into it meanwhile: then write back that; else ask a person."""
        await resolve(self.parts, work, seen)
        if self._link(work).customer_id != link.customer_id:
            await self.write_back(work, seen)
            return
        candidates: list[dict[str, Any]] = [
            {"customer_id": stored.customer_id, "evidence": ["stored in the booking system"]},
            {"customer_id": link.customer_id, "evidence": [f"our link ({link.origin})"]},
        ]
        reason = "the booking system holds another customer's id for this client"
        raise NeedsReview(reason, candidates=candidates, hint=CHOOSE)

    # Step 3: fill what the CRM does not know.

    async def fill(self, work: Work, seen: Seen) -> None:
        """Write blanks, and what `[sync.fields]` says; a CRM that refuses a field does not undo the link."""
        link, customer = self._link(work), seen.customer
        if self.settings.fill_blanks or self.settings.fields or self.settings.owner:
            customer = customer or await self.crm.get(link.customer_id)
            client = await self._client(work, seen)
            person = self.parts.identity(client)
            new, said = new_customer(person), wanted(self.settings, self.crm, client, work.event.appointment)
            if customer is not None and (said or may_lack(customer, new)) and may_fill(customer, new, origin=link.origin):
                missing = await self._missing(customer, person, link.origin)
                changes = await self.crm.changes(said, customer)
                if missing != NewCustomer() or changes.values or changes.left_out:
                    await self._fill(work, customer, missing, changes)
        if customer is not None:
            self.confirmed.mark(link, self._said(work))
        work.step = "record"

    async def _missing(self, customer: Customer, person: Identity, origin: str) -> NewCustomer:
        """What the customer lacks of our own fields."""
        missing = missing_fields(customer, new_customer(person), origin=origin) if self.settings.fill_blanks else None
        if missing is not None and missing.email and await self.links.shared(self.crm.name, person.email_keys, None):
            # Somebody else has the address of several in a CRM that keeps addresses unique.
            missing = missing.model_copy(update={"email": ""})
        return missing or NewCustomer()

    async def _client(self, work: Work, seen: Seen) -> Client:
        """What is known of the client. What an earlier try read beside a delivery that says nothing is read again."""
        client = seen.client or work.event.client
        if work.attempts > 1 and self.parts.identity(client).blank:
            client = await self.booking.client(work.client_id) or client
        return client

    async def _fill(self, work: Work, customer: Customer, missing: NewCustomer, changes: Changes) -> None:
        for name, why in changes.left_out.items():
            note(work, "fill", "left out", f"the field {name}: {why}", customer.id)
        if missing == NewCustomer() and not changes.values:
            return
        intent = f"fill:{work.event_id}"
        async with effect(self.journal, work, intent, "fill", self.clock()):
            try:
                written = await self.crm.fill(customer, missing, changes.values)
            except (Rejected, Conflict) as error:
                note(work, "fill", "refused", str(error), customer.id)
            else:
                asked = [*(name for name, value in missing if value), *changes.values]
                refused = [name for name in asked if name not in written]
                left_out = f"; the CRM refused: {', '.join(refused)}" if refused else ""
                note(
                    work,
                    "fill",
                    "written",
                    f"{'fields written' if changes.values else 'blanks filled'}: {', '.join(written) or 'none'}{left_out}",
                    customer.id,
                )
        await self.journal.settled(work, intent, self.clock())

    # Step 4: the appointment on the customer's timeline.

    async def record(self, work: Work) -> None:
        """Keep one record per appointment and client, brought up to date by newer statements only."""
        if self.settings.record_appointments and (appointment := await self.booking.appointment(work.event)) is not None:
            title, text = self.settings.appointment_title, self.settings.appointment_text
            appointment = worded(title, text, work.event.client, appointment)
            await self.recorder.record(work, self._link(work), appointment)

    def _link(self, work: Work) -> Link:
        if work.link is None:
            raise Hold("the link of this client is missing although it was resolved before", hint="Retry the event.")
        return work.link
