"""Walks the past of a source and queues what it finds; the worker does the rest, live events first.

The cursor is stored with each page, so a run that was killed goes on where it was when the same request comes again.
"""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from datetime import UTC, datetime, time, timedelta
from typing import Any, ClassVar, Literal

import structlog
from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from connector.model.dates import moment
from connector.model.errors import PASSING, AccountPaused, ActionRefused, ConnectorError, LimitReached, RemoteError, StoreError
from connector.operations.engine import Engine
from connector.operations.running import Kind
from connector.store.backfills import COUNTS, Run

#: How far back and ahead a backfill looks when it is not told.
DEFAULT_PAST, DEFAULT_FUTURE = timedelta(days=365), timedelta(days=365)
#: Seconds between looks at what is still open.
LOOK_AGAIN = 1.0
#: Seconds: a run that nobody goes on with later does not wait for the end of a limit that lasts as long.
LONG_LIMIT = 900.0


def period(since: str | None, until: str | None, now: datetime) -> tuple[datetime, datetime]:
    """Read the two dates as [from, to): days are whole and inclusive, in UTC unless they carry an offset.

    Raises:
        ValueError: not a date, or the end lies before the beginning; the text says which.
    """
    start = moment(since, "--since", now=now) if since else datetime.combine(now.date() - DEFAULT_PAST, time(), UTC)
    end = moment(until, "--until", end=True, now=now) if until else datetime.combine(now.date() + DEFAULT_FUTURE, time(), UTC)
    if start >= end:
        raise ValueError("--until lies before --since")
    return start, end


class Progress:
    """How far a run is; `as_dict` is what the command line shows."""

    def __init__(self, source: str, *, dry_run: bool) -> None:
        self.source = source
        self.dry_run = dry_run
        self.state: Literal["walking", "working", "done", "failed"] = "walking"
        self.counts = dict.fromkeys(COUNTS, 0)
        self.open = 0
        self.fraction = 0.0
        self.resumed = False
        #: Why nothing moves at the moment, or why the run failed.
        self.reason = ""
        self.hint = ""

    def fail(self, error: ConnectorError) -> None:
        """The run cannot go on."""
        self.state, self.reason, self.hint = "failed", str(error), error.hint

    def as_dict(self) -> dict[str, Any]:
        """The figures as JSON-able data."""
        return dict(vars(self))


class Backfill:
    """One run. With `patient`, problem that a person must fix is waited out; otherwise the run ends as failed.

    With `changes`, the period is when something changed and not when bookings start: the repair after lost deliveries.
    """

    kind: ClassVar[Kind] = "backfill"

    def __init__(
        self, engine: Engine, source: str, since: str | None, until: str | None, *, patient: bool, changes: bool = False
    ) -> None:
        self.progress = Progress(source, dry_run=False)
        self._engine = engine
        self._source = source
        self.asked = json.dumps([since, until, "changes"] if changes else [since, until])
        self._period = period(since, until, datetime.now(UTC))
        self._patient = patient
        #: What the walk may wait for.
        self._passing = (*PASSING, AccountPaused) if patient else PASSING
        self._run: Run | None = None
        self._booking = engine.connections.booking[source]
        self._pages = self._booking.changes if changes else self._booking.walk
        self._sync = engine.syncs[source]
        self._log = structlog.get_logger("connector.operations.backfill").bind(source=source)

    async def run(self) -> None:
        """Walk, then wait until everything the walk found is decided; a database unavailable is waited for."""
        try:
            async for attempt in AsyncRetrying(
                retry=retry_if_exception_type(StoreError),
                stop=stop_after_attempt(1000 if self._patient else 5),
                wait=wait_random_exponential(0.5, max=60),
                before_sleep=lambda state: self._log.warning("backfill waits for the database", attempt=state.attempt_number),
                reraise=True,
            ):
                with attempt:
                    await self._run_on()
        except ConnectorError as error:
            with suppress(StoreError):
                await self.refresh()
            self.progress.fail(error)
            self._log.error("backfill ended early", reason=str(error), hint=error.hint)

    async def _run_on(self) -> None:
        """Begin, or go on where the run of the same request was."""
        store, clock = self._engine.store, self._engine.clock
        since, until = self._period
        run = await store.backfills.begin(
            self._source, self.asked, since.timestamp(), until.timestamp(), self._patient, clock()
        )
        if self._run is None:
            self.progress.resumed = run.resumed
        self._run = run
        self._log.info("backfill goes on" if run.resumed else "backfill begins", run=run.id)
        if run.state == "walking":
            await self._walk(run)
            await store.backfills.move(run, "working", clock())
        self.progress.state = "working"
        await self._settle(run)
        await self.refresh()
        await store.backfills.move(run, "done", clock())
        self.progress.state = "done"
        self._log.info("backfill done", **self.progress.counts)

    async def refresh(self) -> None:
        """Read the figures; say what stands in the way, if anything does."""
        if self._run is None or self.progress.state in ("done", "failed"):
            return
        progress = self.progress
        progress.counts, progress.open, progress.fraction = await self._engine.store.backfills.progress(self._run)
        progress.reason = progress.hint = ""
        if (problem := self._failure()) is not None:
            progress.reason, progress.hint = str(problem), problem.hint

    def as_dict(self) -> dict[str, Any]:
        """The figures as JSON-able data."""
        return self.progress.as_dict()

    async def _walk(self, run: Run) -> None:
        """Walk to the end. What uses up the patience is problem without a page in between."""
        cursor, finished = run.cursor, False
        while not finished:
            async for attempt in AsyncRetrying(
                retry=retry_if_exception_type(self._passing),
                stop=stop_after_attempt(1000 if self._patient else 20),
                wait=wait_random_exponential(0.5, max=60),
                reraise=True,
            ):
                with attempt:
                    cursor, finished = await self._walk_on(run, cursor)

    async def _walk_on(self, run: Run, cursor: dict[str, Any] | None) -> tuple[dict[str, Any] | None, bool]:
        """Queue page after page, to the end or to the first problem; raise the problem if no page came before it."""
        await self._ready()
        store, begun = self._engine.store, cursor
        since, until = datetime.fromtimestamp(run.since, UTC), datetime.fromtimestamp(run.until, UTC)
        every = self._sync.settings.record_appointments or self._booking.links_appointments
        # What a page says is as old as the moment it was asked for: a webhook received since knows better.
        asked_at = self._engine.clock()
        try:
            async for page in self._pages(since, until, cursor):
                await store.backfills.add_page(
                    run, page.events, page.cursor, page.fraction, every_appointment=every, now=asked_at
                )
                cursor = page.cursor
                self._engine.worker.wake()
                asked_at = self._engine.clock()
        except self._passing:
            if cursor is begun:
                raise
            return cursor, False
        return cursor, True

    async def _ready(self) -> None:
        """Wait until the booking system can be used; a pause for a person's work ends an impatient run."""
        breaker = self._booking.remote.breaker
        while not breaker.usable.is_set():
            if not self._patient and (error := _needs_somebody(breaker.error)) is not None:
                raise error
            # Not only when it can be used: the first probe may find the key refused.
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_AGAIN):
                    await breaker.usable.wait()

    async def _settle(self, run: Run) -> None:
        concluded = asyncio.Event()
        forget = self._engine.worker.watch(concluded)
        try:
            while remaining := (await self._engine.store.backfills.progress(run))[1]:
                if not self._patient:
                    await self._give_up(run, remaining)
                concluded.clear()
                # Not only when something ends: an account may get into problem meanwhile.
                with suppress(TimeoutError):
                    async with asyncio.timeout(LOOK_AGAIN):
                        await concluded.wait()
                # Many end at once, and each look counts all clients of the run.
                await asyncio.sleep(LOOK_AGAIN / 4)
        finally:
            forget()

    async def _give_up(self, run: Run, remaining: int) -> None:
        """Raise what needs a person's work: an account, or an action that all of the `remaining` clients wait for."""
        if (problem := _needs_somebody(self._failure())) is None:
            return
        if not isinstance(problem, ActionRefused) or await self._engine.store.backfills.waiting(run) >= remaining:
            raise problem

    def _failure(self) -> RemoteError | None:
        """What keeps one of our two accounts from being used, or else a kind of action that is refused."""
        breakers = [adapter.remote.breaker for adapter in (self._booking, self._sync.crm)]
        for breaker in breakers:
            if breaker.error is not None:
                return breaker.error
        return next((entry.error for breaker in breakers for entry in breaker.stopped().values()), None)


def _needs_somebody(error: RemoteError | None) -> AccountPaused | None:
    """The error if it does not pass while a run waits; a limit that ends soon does."""
    if not isinstance(error, AccountPaused):
        return None
    return None if isinstance(error, LimitReached) and (error.retry_after or 0.0) < LONG_LIMIT else error
