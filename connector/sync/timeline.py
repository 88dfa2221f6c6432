"""Appointments on the customer's timeline: one record for each appointment and client, whatever was lost, late or merged."""

from __future__ import annotations

import math
from collections.abc import Callable

from connector.booking_systems.base import BookingSystem
from connector.crms.base import CRM
from connector.model.bookings import Appointment, Kind
from connector.model.errors import Postponed, Rejected
from connector.model.jobs import Work
from connector.model.links import Link, Records
from connector.sync.effects import effect, wait_until_visible
from connector.sync.locks import IdentityLocks
from connector.sync.person.identity import person_key
from connector.sync.repositories import EffectsJournal
from connector.sync.trace import note


class Recorder:
    """Keeps the records of one sync. No CRM makes a record's place unique, so the journal and a marker do."""

    def __init__(
        self,
        booking: BookingSystem,
        crm: CRM,
        *,
        journal: EffectsJournal,
        locks: IdentityLocks,
        clock: Callable[[], float],
    ) -> None:
        self.booking = booking
        self.crm = crm
        self.journal = journal
        self.locks = locks
        self.clock = clock

    async def record(self, work: Work, link: Link, appointment: Appointment) -> None:
        """Make the record, or bring it up to date unless what it says is newer.

        Raises:
            Postponed: another client, the same one since a merge, may have a record of this appointment.
            Rejected: the CRM refuses the record.
        """
        ended = appointment.ends_at.timestamp() if appointment.ends_at else math.inf
        if work.event.kind is Kind.DELETED and ended < work.received_at:
            note(work, "record", "skipped", "the appointment was over when it was deleted; its record stays what it was")
            return
        # Clients of one appointment take turns: they may be one client since a moment ago.
        async with self.locks.hold(f"{work.source}/appointments", [appointment.id]):
            await self._record(work, link, appointment)

    async def _record(self, work: Work, link: Link, appointment: Appointment) -> None:
        version = appointment.updated_at.timestamp() if appointment.updated_at else work.received_at
        marker = person_key(f"{work.source}/appointments", f"{appointment.id}/{work.client_id}")[:32]
        intent = f"record:{work.source}/{appointment.id}/{work.client_id}"
        there = await self.journal.records(link, appointment.id, intent)
        known, begun = there.own, there.own is None and there.begun
        record_id = known[0] if known else None
        # Our own records may be lost: since the database was a backup, or, which a backfill may follow, altogether.
        lost = work.event.kind is Kind.BACKFILL or self.journal.restored
        if known is None and (begun or lost):
            record_id = await self.crm.find_appointment(link.customer_id, marker)
        if record_id is None and (known := await self._of_merged(work, there, appointment.id, begun=begun)) is not None:
            record_id = known[0]
        if known is not None and known[1] > version:
            note(work, "record", "skipped", "a newer state of this appointment has been recorded already")
            return
        if record_id is None:
            await wait_until_visible(self.journal, intent, self.crm.record_settle_seconds, self.clock())
        async with effect(self.journal, work, intent, "record", self.clock()):
            try:
                record_id = await self.crm.record_appointment(link.customer_id, appointment, marker, record_id)
            except Rejected as error:
                if error.status != 404 or record_id is None:
                    raise
                note(
                    work, "record", "skipped", "a person deleted this appointment's record in the CRM; it is not created again"
                )
                await self.journal.settled(work, intent, self.clock())
                return
        if appointment.unread:
            what = " and ".join(appointment.unread)
            note(work, "record", "unread", f"the appointment's {what} could not be read; the record says so")
        note(work, "record", "recorded", f"the appointment is record {record_id}: {appointment.status}", link.customer_id)
        await self.journal.recorded(work, appointment.id, record_id, version, intent, self.clock())

    async def _of_merged(self, work: Work, there: Records, appointment_id: str, *, begun: bool) -> tuple[str, float] | None:
        """(record id, version) of the appointment under a client who is the same one since a merge.

        Raises Postponed while it is not known whether such a record was made; of two that were `begun`, one goes on.
        """
        if not there.beside:
            return None
        here = await self.booking.read_link(work.client_id, appointment_id)
        for client_id, record in there.beside.items():
            other = await self.booking.read_link(client_id, appointment_id)
            if other.client_id != here.client_id:
                continue
            if record is not None:
                note(
                    work,
                    "record",
                    "merged",
                    f"the record of client {client_id} is continued: the booking system merged the two",
                )
                return record
            if not begun or client_id < work.client_id:
                raise Postponed(f"client {client_id}, the same one since a merge, has begun to record this", retry_after=3.0)
        return None
