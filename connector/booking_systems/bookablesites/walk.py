"""The walk over a Bookablesites account: all customers into the index, then all appointments, filtered by us.

Neither list can be filtered by time, so a walk is a full sweep. Lists come newest first (seen for customers): what is
added meanwhile pushes records to later pages, where they come twice; when the list gets shorter, the walk steps back.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from connector.booking_systems.base import Page
from connector.booking_systems.bookablesites.api import BookablesitesClient, Sheet
from connector.booking_systems.bookablesites.appointments import Appointments, start_of
from connector.booking_systems.bookablesites.customers import MAX_PAGES, Customers, Pager
from connector.booking_systems.bookablesites.settings import BookablesitesSettings
from connector.booking_systems.bookablesites.values import in_utc
from connector.model.bookings import Event
from connector.model.errors import Rejected, Transient

#: The widest a time zone may be from UTC: a naive time without a zone to read it in may be meant anywhere within.
WIDEST = timedelta(hours=14)


class Position(BaseModel):
    """Where the walk goes on: the stored cursor of a `Page`."""

    model_config = ConfigDict(extra="forbid")

    stage: Literal["customers", "appointments", "done"] = "customers"
    page: int = Field(default=1, ge=1)
    #: How long the list was, to notice when it gets shorter.
    total: int | None = None


class Walk:
    """One walk over [since, until). Every appointment that starts in it comes at least once."""

    def __init__(
        self,
        client: BookablesitesClient,
        customers: Customers,
        appointments: Appointments,
        settings: BookablesitesSettings,
        since: datetime,
        until: datetime,
    ) -> None:
        self._client = client
        self._customers = customers
        self._appointments = appointments
        self._settings = settings
        self._since = since
        self._until = until
        self._pager = Pager()

    async def pages(self, cursor: dict[str, Any] | None) -> AsyncIterator[Page]:
        """Yield the pages after `cursor`; those of customers hold no events.

        Raises:
            Transient: a list does not end, or answers in an unexpected shape.
            Rejected: the stored cursor is not one of ours, or the listing is refused for good.
        """
        position = self._begin(cursor)
        while position.stage != "done" and self._since < self._until:
            sheet = await self._fetch(position)
            events = await self._events(position, sheet)
            fraction = _fraction(position, sheet)
            position = self._next(position, sheet)
            yield Page(events=tuple(events), cursor=position.model_dump(mode="json"), fraction=fraction)

    def _begin(self, cursor: dict[str, Any] | None) -> Position:
        try:
            return Position() if cursor is None else Position.model_validate(cursor)
        except ValidationError:
            hint = "Start the backfill again; what it has already seen is not done twice."
            raise Rejected("Bookablesites: the stored place of the backfill cannot be read", hint=hint) from None

    async def _fetch(self, position: Position) -> Sheet:
        if position.page >= MAX_PAGES:
            account = self._client.remote.account
            raise Transient(f"Bookablesites: list {position.stage}: the list does not end", account=account)
        ask = self._client.list_customers if position.stage == "customers" else self._client.list_appointments
        return await ask(position.page, self._settings.page_size)

    async def _events(self, position: Position, sheet: Sheet) -> list[Event]:
        if position.stage == "customers":
            for record in sheet.records:
                self._customers.learn(record)
            return []
        inside = [record for record in sheet.records if self._inside(record)]
        return [event for record in inside for event in await self._appointments.events(record)]

    def _inside(self, record: dict[str, Any]) -> bool:
        """Whether it starts within the walk; kept where that is not known."""
        start = start_of(record)
        moment = in_utc(start, self._settings.api_time_zone or self._settings.time_zone)
        if moment is not None:
            return self._since <= moment < self._until
        if start is None or start.tzinfo is not None:
            return True
        roughly = start.replace(tzinfo=UTC)
        # Differences: the sums would leave the calendar at its ends.
        return roughly - self._since >= -WIDEST and roughly - self._until < WIDEST

    def _next(self, position: Position, sheet: Sheet) -> Position:
        lost = (position.total or 0) - sheet.total if sheet.total is not None else 0
        if lost > 0 and position.page > 1:
            # As many records as are gone have moved to pages that were read before.
            back = 1 + (lost - 1) // self._settings.page_size
            self._pager = Pager()
            return Position(stage=position.stage, page=max(1, position.page - back), total=sheet.total)
        if not self._pager.ended(position.page, sheet):
            return Position(stage=position.stage, page=position.page + 1, total=sheet.total)
        self._pager = Pager()
        return Position(stage="appointments" if position.stage == "customers" else "done")


def _fraction(position: Position, sheet: Sheet) -> float:
    """How much is done: the customers are the first tenth; 0 within a list of unknown length."""
    share = min(1.0, position.page / sheet.pages) if sheet.pages else 0.0
    return 0.1 * share if position.stage == "customers" else 0.1 + 0.9 * share
