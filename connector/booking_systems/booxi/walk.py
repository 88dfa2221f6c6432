"""The walk over a Booxi account's past: merchant by merchant, window by window, page by page."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from connector.booking_systems.base import Page
from connector.booking_systems.booxi.api import BooxiClient
from connector.booking_systems.booxi.values import read_id
from connector.booking_systems.booxi.webhook import read_booking
from connector.model.bookings import Event, Kind
from connector.model.errors import Rejected, Transient
from connector.remote.http import Answer
from connector.remote.values import MAX_TEXT, read_count, read_object, read_objects, read_time

#: Merchants asked for in one call, and a bound on the calls.
MERCHANTS_PER_CALL = 100
MAX_MERCHANT_CALLS = 1_000


class Position(BaseModel):
    """Where the walk goes on: the stored cursor of a `Page`. `window_start` None means the merchant's first window."""

    model_config = ConfigDict(extra="forbid")

    merchants: list[str]
    merchant_index: int = 0
    window_start: datetime | None = None
    #: Booxi's own cursor within the window.
    page: str | None = None


class Walk:
    """One walk over [since, until). Every booking that starts in it comes at least once; some may come twice.

    Booxi's cursor may have died while the walk was paused (its life time is not known); then the window starts again.
    """

    def __init__(
        self,
        client: BooxiClient,
        module_id: str,
        since: datetime,
        until: datetime,
        window: timedelta,
        zone: str | None = None,
    ) -> None:
        self._client = client
        self._module_id = module_id
        self._since = since
        self._until = until
        self._window = window
        self._zone = zone
        self._position = Position(merchants=[])
        #: Cursors met in this window: a server that repeats one would keep us for ever.
        self._met: set[str] = set()
        self._restarted = False

    async def pages(self, cursor: dict[str, Any] | None) -> AsyncIterator[Page]:
        """Yield the pages after `cursor`.

        Raises:
            Transient: Booxi repeats a cursor or answers in an unexpected shape.
            Rejected: the stored cursor is not one of ours, or Booxi refuses the listing for good.
        """
        self._position = await self._begin(cursor)
        self._met = {self._position.page} if self._position.page else set()
        while self._position.merchant_index < len(self._position.merchants) and self._since < self._until:
            answer = await self._fetch()
            if answer is None:
                continue
            events = self._events(answer)
            self._advance(answer)
            yield Page(events=events, cursor=self._position.model_dump(mode="json"), fraction=self._fraction())

    async def _begin(self, cursor: dict[str, Any] | None) -> Position:
        if cursor is None:
            return Position(merchants=await self._merchants())
        try:
            position = Position.model_validate(cursor)
        except ValidationError:
            hint = "Start the backfill again; what it has already seen is not done twice."
            raise Rejected("Booxi: the stored place of the backfill cannot be read", hint=hint) from None
        start = position.window_start
        if start is not None and start.tzinfo is None:
            position.window_start = start.replace(tzinfo=UTC)
        return position

    async def _merchants(self) -> list[str]:
        """Ids of all merchants the key can see, in a stable order; a list cut short is an error, not an answer."""
        found: set[int] = set()
        offset = 0
        for _ in range(MAX_MERCHANT_CALLS):
            answer = await self._client.list_merchants(offset, MERCHANTS_PER_CALL)
            items, total = read_object(answer.data).get("items"), read_count(read_object(answer.data).get("total"))
            if not isinstance(items, list) or (not items and total is not None and offset < total):
                raise self._client.unexpected("list merchants", answer)
            found.update(int(merchant) for item in read_objects(items) if (merchant := read_id(item.get("id"))))
            offset += len(items)
            if not items or (total is not None and offset >= total):
                return [str(merchant) for merchant in sorted(found)]
        raise Transient("Booxi: list merchants: the list does not end", account=self._client.remote.account)

    @property
    def _start(self) -> datetime:
        return self._position.window_start or self._since

    @property
    def _end(self) -> datetime:
        return min(self._start + self._window, self._until)

    async def _fetch(self) -> Answer | None:
        """The page at the position; None when its cursor was refused and the window starts again."""
        position = self._position
        merchant = position.merchants[position.merchant_index]
        try:
            return await self._client.list_bookings(self._start, self._end, merchant, position.page)
        except Rejected as error:
            if position.page is None or self._restarted or error.status not in (400, 404, 410):
                error.hint = (
                    error.hint or "Ask Booxi whether this key may list bookings by merchant; see the integration's README."
                )
                raise
        position.page = None
        self._restarted = True
        self._met = set()
        return None

    def _events(self, answer: Answer) -> tuple[Event, ...]:
        data = read_object(answer.data)
        if not isinstance(data.get("bookings"), list):
            raise self._client.unexpected("list bookings", answer)
        bookings = [booking for booking in read_objects(data["bookings"]) if self._inside(booking)]
        links = data.get("clientLinks")
        return tuple(
            event
            for booking in bookings
            for event in read_booking(booking, links, self._module_id, type_="backfill", kind=Kind.BACKFILL, zone=self._zone)
        )

    def _inside(self, booking: dict[str, Any]) -> bool:
        """Whether it starts within the walk by any of its starts; one without a start is kept."""
        span = read_object(booking.get("totalClientTimespan"))
        starts = [start for value in (booking.get("startsOn"), span.get("start")) if (start := read_time(value, self._zone))]
        return not starts or any(self._since <= start < self._until for start in starts)

    def _advance(self, answer: Answer) -> None:
        """Move on: to the next page, else the next window, else the next merchant."""
        position, page = self._position, self._next_page(answer)
        if page is not None:
            self._met.add(page)
            position.page = page
            return
        end = self._end
        position.page = None
        position.window_start = end if end < self._until else None
        if end >= self._until:
            position.merchant_index += 1
        self._met = set()
        self._restarted = False

    def _next_page(self, answer: Answer) -> str | None:
        value = read_object(answer.data).get("cursor")
        if value is None or value == "":
            return None
        page = str(value) if type(value) is int else value
        if not isinstance(page, str) or len(page) > 4 * MAX_TEXT:
            raise self._client.unexpected("list bookings", answer)
        if page in self._met:
            raise Transient("Booxi: list bookings: the same cursor came twice", account=self._client.remote.account)
        return page

    def _fraction(self) -> float:
        """How much of the walk is done, by merchants and time."""
        position = self._position
        within = (self._start - self._since) / (self._until - self._since)
        return min(1.0, (position.merchant_index + max(0.0, within)) / len(position.merchants))
