"""Appointments regarding a contact: made under an id of ours, kept up to date, found again."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from connector.crms.dynamics import mapping
from connector.crms.dynamics.api import Client
from connector.crms.dynamics.refusals import Gone
from connector.model.bookings import Appointment
from connector.model.errors import Conflict, Rejected, Transient


class Appointments:
    """The appointments of one environment; `unknown_end` is how long one lasts whose end is not said."""

    def __init__(self, account: str, client: Client, unknown_end: timedelta) -> None:
        self._account = account
        self._client = client
        self._unknown_end = unknown_end

    async def record(
        self, customer_id: str, appointment: Appointment, marker: str, record_id: str | None, now: datetime
    ) -> str:
        """Make it, or bring the one with `record_id` up to date; `Rejected` where a person deleted that."""
        if record_id is None:
            return await self._record(customer_id, appointment, mapping.appointment_id(marker), now)
        row = await self._appointment(record_id)
        if row is None:
            raise self._deleted()
        try:
            await self._bring_up_to_date(row, record_id, appointment)
        except Gone:
            raise self._deleted() from None
        return record_id

    async def _record(self, customer_id: str, appointment: Appointment, record_id: str, now: datetime) -> str:
        """Make it, or bring it up to date where an earlier attempt has made it and its answer was lost."""
        new = mapping.new_appointment(appointment, customer_id, now, self._unknown_end)
        try:
            await self._client.create_appointment(record_id, new)
        except Conflict:
            row = await self._appointment(record_id)
            if row is None:
                raise _transient(self._account, "record the appointment: answered that it is there, and it is not") from None
            await self._bring_up_to_date(row, record_id, appointment)
        else:
            await self._close(record_id, appointment)
        return record_id

    async def _close(self, record_id: str, appointment: Appointment) -> None:
        """After it was made open: Dataverse takes the states that close it only as a change."""
        target = mapping.state_of(appointment)
        if target[0] in mapping.CLOSED:
            await self._client.update_appointment(record_id, mapping.state(target))

    async def _bring_up_to_date(self, row: dict[str, Any], record_id: str, appointment: Appointment) -> None:
        """Write what it says and its state; one that is completed or cancelled is reopened before, unless nothing changes."""
        fields = mapping.appointment(appointment, self._unknown_end)
        target = mapping.state_of(appointment)
        is_closed = row.get("statecode") in mapping.CLOSED
        there = (row.get("statecode"), row.get("statuscode"))
        if is_closed and there == target and mapping.says(row, fields):
            return
        if is_closed:
            await self._client.update_appointment(record_id, mapping.state(mapping.REOPENED))
            there = mapping.REOPENED
        await self._client.update_appointment(record_id, fields)
        if there != target:
            await self._client.update_appointment(record_id, mapping.state(target))

    async def find(self, customer_id: str, marker: str) -> str | None:
        """Read the appointment whose id follows from the marker, if it is on this contact."""
        record_id = mapping.appointment_id(marker)
        row = await self._appointment(record_id)
        if row is None or mapping.guid(row.get("_regardingobjectid_value")) != mapping.guid(customer_id):
            return None
        return record_id

    async def _appointment(self, record_id: str) -> dict[str, Any] | None:
        what, identity = "read the appointment", mapping.guid(record_id)
        if identity is None:
            return None
        rows, _ = await self._client.rows(what, "appointments", mapping.APPOINTMENT, f"activityid eq {identity}")
        if rows and mapping.guid(rows[0].get("activityid")) != identity:
            raise _transient(self._account, f"{what}: answered with another appointment")
        return rows[0] if rows else None

    def _deleted(self) -> Rejected:
        hint = "Somebody deleted the appointment in Dynamics. Make it there by hand, or discard the event."
        text = "Dynamics 365: update the appointment: it is gone"
        return Rejected(text, account=self._account, status=404, hint=hint)


def _transient(account: str, how: str) -> Transient:
    return Transient(f"Dynamics 365: {how}", account=account)
