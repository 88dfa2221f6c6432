"""The walk over a BookingFlow organisation's bookings: step of dates by step, page by page.

How the list pages is not known, so the pager is a setting and distrustful: a step ends with a page that is empty, brings
nothing new, or names no next one.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from connector.booking_systems.base import Page
from connector.booking_systems.bookingflow.api import BookingFlowClient
from connector.booking_systems.bookingflow.bookings import read_event
from connector.booking_systems.bookingflow.settings import BookingFlowSettings
from connector.model.bookings import Event
from connector.model.errors import Rejected, Transient
from connector.remote.http import Answer
from connector.remote.values import at, read_key, read_objects

#: Pages of one step; beyond it the list is taken to be endless.
MAX_PAGES = 10_000
#: A day in the account's time zone, which is not known, reaches at most this far over the same day in UTC.
MARGIN = timedelta(days=1)


class Position(BaseModel):
    """Where the walk goes on: the stored cursor of a `Page`. `day` None: there is no step left."""

    model_config = ConfigDict(extra="forbid")

    day: date | None
    number: int = Field(default=0, ge=0)
    #: BookingFlow's own cursor, where it pages by one.
    after: str | None = None
    #: A digest of the page before, which must not come again.
    before: str | None = None


class Walk:
    """One walk over [since, until). Every booking that starts in it comes at least once."""

    def __init__(self, client: BookingFlowClient, settings: BookingFlowSettings, since: datetime, until: datetime) -> None:
        self._client = client
        self._settings = settings
        self._listing = settings.listing
        self._since = since
        self._until = until
        self._first = _day(since, -MARGIN)
        self._last = _day(until, MARGIN)

    async def pages(self, cursor: dict[str, Any] | None) -> AsyncIterator[Page]:
        """Yield the pages after `cursor`.

        Raises:
            Transient: an answer in an unexpected shape, or a list that does not end.
            Rejected: the stored cursor is not one of ours, or BookingFlow does not filter by our dates.
        """
        position = self._begin(cursor)
        while position.day is not None and self._since < self._until:
            answer = await self._client.list_bookings(self._params(position))
            bookings = self._bookings(answer)
            self._check_filter(position.day, bookings)
            position, events = self._next(position, answer, bookings), self._events(bookings)
            yield Page(events=events, cursor=position.model_dump(mode="json"), fraction=self._fraction(position))

    def _begin(self, cursor: dict[str, Any] | None) -> Position:
        try:
            return Position(day=self._first) if cursor is None else Position.model_validate(cursor)
        except ValidationError:
            hint = "Start the backfill again; what it has already seen is not done twice."
            raise Rejected("BookingFlow: the stored place of the backfill cannot be read", hint=hint) from None

    def _params(self, position: Position) -> dict[str, Any]:
        listing, day = self._listing, position.day or self._first
        params: dict[str, Any] = {listing.size_param: listing.page_size} if listing.size_param else {}
        if listing.date_param:
            params[listing.date_param] = day.isoformat()
        if listing.date_param and listing.until_param:
            params[listing.until_param] = (day + min(self._step - timedelta(days=1), self._last - day)).isoformat()
        if listing.pager == "page":
            params[listing.page_param] = listing.first_page + position.number
        elif listing.pager == "offset":
            params[listing.page_param] = position.number
        elif listing.pager == "cursor" and position.after is not None:
            params[listing.page_param] = position.after
        return params

    def _bookings(self, answer: Answer) -> list[dict[str, Any]]:
        for path in self._listing.items:
            found = at(answer.data, path)
            if isinstance(found, list):
                return read_objects(found)
        raise self._client.unexpected("list bookings", answer)

    def _check_filter(self, day: date, bookings: list[dict[str, Any]]) -> None:
        """A filter that is ignored would have us read everything once for each day."""
        if not self._listing.date_param:
            return
        starts = [start for event in self._events(bookings, everywhere=True) if (start := _start(event))]
        # Differences of dates: the sums would leave the calendar at its ends.
        if not all(-1 <= (start.date() - day).days <= self._listing.step_days + 1 for start in starts):
            account = self._client.remote.account
            hint = f'Set date_param in [{account}.listing] to the filter\'s name; "" asks for everything and filters here.'
            raise Rejected(
                "BookingFlow: list bookings: the answer is not limited to the dates asked for", account=account, hint=hint
            )

    def _events(self, bookings: list[dict[str, Any]], *, everywhere: bool = False) -> tuple[Event, ...]:
        """Those that start within the walk; one without a start is kept."""
        events = [
            event for booking in bookings if (event := read_event(booking, self._settings.record, self._settings.time_zone))
        ]
        return tuple(e for e in events if everywhere or (start := _start(e)) is None or self._since <= start < self._until)

    def _next(self, position: Position, answer: Answer, bookings: list[dict[str, Any]]) -> Position:
        """The next page, else the next step, else the end."""
        digest = hashlib.sha256(json.dumps(bookings, sort_keys=True).encode()).hexdigest()
        pager, after = self._listing.pager, self._after(answer)
        ended = (
            not bookings
            or digest == position.before
            or pager == "none"
            or (pager == "cursor" and after in (None, position.after))
        )
        if not ended:
            if position.number >= MAX_PAGES * (self._listing.page_size if pager == "offset" else 1):
                raise Transient("BookingFlow: list bookings: the list does not end", account=self._client.remote.account)
            step = len(bookings) if pager == "offset" else 1
            return Position(day=position.day, number=position.number + step, after=after, before=digest)
        if not self._listing.date_param or position.day is None or self._last - position.day < self._step:
            return Position(day=None)
        return Position(day=position.day + self._step)

    @property
    def _step(self) -> timedelta:
        return timedelta(days=self._listing.step_days)

    def _after(self, answer: Answer) -> str | None:
        return next((key for path in self._listing.next if (key := read_key(at(answer.data, path)))), None)

    def _fraction(self, position: Position) -> float:
        if position.day is None:
            return 1.0
        return min(1.0, (position.day - self._first) / (self._last - self._first + timedelta(days=1)))


def _start(event: Event) -> datetime | None:
    return event.appointment.starts_at if event.appointment else None


def _day(moment: datetime, margin: timedelta) -> date:
    """The day some way before or after; the calendar's own end where it lies beyond."""
    try:
        return (moment.astimezone(UTC) + margin).date()
    except OverflowError:
        return moment.date()
