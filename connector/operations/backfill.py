"""Walks the past of a source and queues what it finds; the worker does the rest, live events first.

The cursor is stored with each page, so a run that was killed goes on where it was when the same request comes again.
"""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from typing import Any, ClassVar

from connector.model.backfills import Mode, Request
from connector.model.capabilities import BookingCapability
from connector.model.dates import moment
from connector.model.errors import PASSING, AccountPaused, ActionRefused, LimitReached, RemoteError, StoreError
from connector.operations.engine import Engine
from connector.operations.running import Kind, LongOperation, Progress
from connector.operations.waiting import decided, retrying, usable
from connector.store.backfills import COUNTS, Run

#: How far back and ahead a backfill looks when nothing is said.
DEFAULT_PAST, DEFAULT_FUTURE = timedelta(days=365), timedelta(days=365)
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
        raise ValueError("--until is earlier than --since")
    return start, end


class Backfill(LongOperation):
    """One run. With `patient`, a problem that a person must fix is waited out; otherwise the run ends as failed."""

    kind: ClassVar[Kind] = "backfill"

    def __init__(self, engine: Engine, source: str, asked: Request, *, patient: bool) -> None:
        super().__init__(Progress(source, "walking", dict.fromkeys(COUNTS, 0)))
        self._engine = engine
        self._asked = asked
        self._resumed = False
        self._period = period(asked.since, asked.until, datetime.now(UTC))
        self._patient = patient
        #: What the walk may wait for.
        self._passing = (*PASSING, AccountPaused) if patient else PASSING
        self._run: Run | None = None
        self._booking = engine.connections.booking[source]
        self._pages = self._booking.changes if asked.mode is Mode.CHANGES else self._booking.walk
        self._sync = engine.syncs[source]

    @property
    def asked(self) -> Request:
        """What was asked for; the same request goes on where it was, also after a restart."""
        return self._asked

    async def _work(self) -> None:
        """Walk, then wait until everything the walk found is decided; a database that is unavailable is waited for."""
        async for attempt in retrying(
            (StoreError,),
            tries=1000 if self._patient else 5,
            longest=60,
            before_sleep=lambda state: self._log.warning("backfill waits for the database", attempt=state.attempt_number),
        ):
            with attempt:
                async with self._engine.alone(self.kind, self.progress.source):
                    await self._run_on()

    async def _run_on(self) -> None:
        """Begin, or go on where the run of the same request was."""
        store, clock = self._engine.store, self._engine.clock
        since, until = self._period
        run = await store.backfills.begin(
            self.progress.source, self.asked, since.timestamp(), until.timestamp(), self._patient, clock()
        )
        if self._run is None:
            self._resumed = run.resumed
        self._run = run
        self._log.info("backfill goes on" if run.resumed else "backfill begins", run=run.id)
        if run.state == "walking":
            await self._walk(run)
            await store.backfills.move(run, "working", clock())
        self.progress.state = "working"
        await self._settle(run)
        await self.refresh()
        await store.backfills.move(run, "done", clock())

    async def refresh(self) -> None:
        """Read the figures; say what stands in the way, if anything does."""
        if self._run is None or self.progress.ended:
            return
        progress = self.progress
        progress.counts, progress.open, progress.fraction = await self._engine.store.backfills.progress(self._run)
        progress.reason = progress.hint = ""
        if (problem := self._failure()) is not None:
            progress.reason, progress.hint = str(problem), problem.hint

    def as_dict(self) -> dict[str, Any]:
        """The figures as JSON-able data."""
        return {**super().as_dict(), "dry_run": False, "resumed": self._resumed}

    async def _walk(self, run: Run) -> None:
        """Walk to the end. What uses up the patience is a problem without a page in between."""
        cursor, finished = run.cursor, False
        while not finished:
            async for attempt in retrying(self._passing, tries=1000 if self._patient else 20, longest=60):
                with attempt:
                    cursor, finished = await self._walk_on(run, cursor)

    async def _walk_on(self, run: Run, cursor: dict[str, Any] | None) -> tuple[dict[str, Any] | None, bool]:
        """Queue page after page, to the end or to the first problem; raise the problem if no page came before it."""
        await self._ready()
        store, begun = self._engine.store, cursor
        since, until = datetime.fromtimestamp(run.since, UTC), datetime.fromtimestamp(run.until, UTC)
        every = self._sync.settings.record_appointments or self._booking.can(BookingCapability.LINKS_APPOINTMENTS)
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

        def ends(error: RemoteError | None) -> bool:
            if not self._patient and (needed := _needs_somebody(error)) is not None:
                raise needed
            return False

        await usable(self._booking, ends)

    async def _settle(self, run: Run) -> None:
        """Wait until every client is decided, or until an impatient run has nobody to wait for."""

        async def remaining() -> int:
            number = (await self._engine.store.backfills.progress(run))[1]
            if number and not self._patient:
                await self._give_up(run, number)
            return number

        await decided(self._engine.worker, remaining)

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
