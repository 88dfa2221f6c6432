"""The walk over a Bookeo account: bookings by windows of at most 31 days, then customers, page by page."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from connector.booking_systems.base import Page
from connector.booking_systems.bookeo.api import BookeoClient
from connector.booking_systems.bookeo.webhook import read_booking, read_client, read_customer, read_moment
from connector.model.bookings import Event, Kind
from connector.model.errors import Rejected, Transient
from connector.remote.http import Answer
from connector.remote.values import read_count, read_object, read_objects, read_text

_SECOND = timedelta(seconds=1)


class Position(BaseModel):
    """Where the walk goes on: the stored cursor of a `Page`. With a token, `page` is the page to ask for."""

    model_config = ConfigDict(extra="forbid")

    stage: Literal["bookings", "customers", "done"]
    window_start: AwareDatetime
    token: str | None = None
    page: int = Field(default=1, ge=1)


class Walk:
    """One walk over [since, until): bookings that start in it (or, with `changed`, were changed in it), then customers.

    `customers` says which: all of them, those created since, or none. Every booking comes at least once. Bookeo's page
    token may have died while the walk was paused (its life time is not known); then the window starts again.
    """

    def __init__(
        self,
        client: BookeoClient,
        since: datetime,
        until: datetime,
        window: timedelta,
        *,
        prefix: str | None,
        changed: bool = False,
        customers: Literal["all", "new", "none"] = "all",
        zone: str | None = None,
    ) -> None:
        self._client = client
        self._since = since
        self._until = until
        # Whole seconds, rounded outwards: a window of 31 days must not become a second longer on the wire.
        self._begin = since.replace(microsecond=0)
        self._end = until if until.microsecond == 0 else until.replace(microsecond=0) + _SECOND
        self._window = window
        self._prefix = prefix
        self._changed = changed
        self._customers = customers
        self._zone = zone
        self._position = Position(stage="bookings", window_start=self._begin)
        self._restarted = False

    async def pages(self, cursor: dict[str, Any] | None) -> AsyncIterator[Page]:
        """Yield the pages after `cursor`.

        Raises:
            Transient: Bookeo answers in an unexpected shape, or a list is cut short.
            Rejected: the stored cursor is not one of ours, or Bookeo refuses the listing for good.
        """
        self._position = self._resumed(cursor)
        while self._position.stage != "done" and self._since < self._until:
            answer = await self._fetch()
            if answer is None:
                continue
            events = self._events(answer)
            share = self._advance(answer)
            yield Page(events=events, cursor=self._position.model_dump(mode="json"), fraction=self._fraction(share))

    def _resumed(self, cursor: dict[str, Any] | None) -> Position:
        if cursor is None:
            return Position(stage="bookings", window_start=self._begin)
        try:
            return Position.model_validate(cursor)
        except ValidationError:
            hint = "Start the backfill again; what it has already seen is not done twice."
            raise Rejected("Bookeo: the stored place of the backfill cannot be read", hint=hint) from None

    @property
    def _window_end(self) -> datetime:
        return min(self._position.window_start + self._window, self._end)

    async def _fetch(self) -> Answer | None:
        """The page at the position; None when its token was refused and the window starts again."""
        position = self._position
        if position.token is None:
            return await self._first()
        try:
            return await self._client.next_page(position.stage, position.token, position.page)
        except Rejected as error:
            if self._restarted or error.status not in (400, 404, 410):
                raise
        position.token, position.page = None, 1
        self._restarted = True
        return None

    async def _first(self) -> Answer:
        if self._position.stage == "bookings":
            return await self._client.list_bookings(self._position.window_start, self._window_end, changed=self._changed)
        return await self._client.list_customers(self._begin if self._customers == "new" else None)

    def _events(self, answer: Answer) -> tuple[Event, ...]:
        items = read_object(answer.data).get("data")
        if not isinstance(items, list):
            raise self._client.unexpected(f"list {self._position.stage}", answer)
        if self._position.stage == "customers":
            people = (read_client(item) for item in read_objects(items))
            return tuple(Event(type="backfill", kind=Kind.BACKFILL, client=client) for client in people if client)
        return tuple(
            read_booking(item, client, type_="backfill", kind=Kind.BACKFILL, prefix=self._prefix, zone=self._zone)
            for item in read_objects(items)
            if self._inside(item) and (client := read_customer(item))
        )

    def _inside(self, booking: dict[str, Any]) -> bool:
        """Whether it starts in this window, whose ends Bookeo counts in; one without a readable start is kept."""
        start = read_moment(booking.get("startTime"), self._zone)
        if self._changed or start is None:
            return True
        return max(self._since, self._position.window_start) <= start < min(self._until, self._window_end)

    def _advance(self, answer: Answer) -> float:
        """Move on: to the next page, else the next window, else the customers; answers the share of the list that is done."""
        position = self._position
        info = read_object(read_object(answer.data).get("info"))
        pages, current = read_count(info.get("totalPages")), read_count(info.get("currentPage", position.page))
        token = read_text(info.get("pageNavigationToken")) or position.token
        if pages is None or pages <= position.page:
            self._next_window()
            return 0.0
        if not token or current != position.page or not read_object(answer.data).get("data"):
            raise Transient(f"Bookeo: list {position.stage}: the list is cut short", account=self._client.remote.account)
        share = position.page / pages
        position.token, position.page = token, position.page + 1
        return share

    def _next_window(self) -> None:
        position, end = self._position, self._window_end
        position.token, position.page = None, 1
        self._restarted = False
        if position.stage == "customers" or (end >= self._end and self._customers == "none"):
            position.stage = "done"
        elif end >= self._end:
            position.stage = "customers"
        position.window_start = end

    def _fraction(self, share: float) -> float:
        """How much of the walk is done; where customers are walked, bookings count for one half."""
        stage, whole = self._position.stage, self._end - self._begin
        if stage == "done":
            return 1.0
        if stage == "customers":
            return 0.5 + share / 2
        window = (self._window_end - self._position.window_start) / whole
        done = (self._position.window_start - self._begin) / whole + share * window
        return done if self._customers == "none" else done / 2
