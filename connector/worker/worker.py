"""Runs the queue: claims due lanes, lets the sync do each event's steps, and writes down what became of it.

This is the only place where an exception becomes a state (`judge`). Nothing is polled: the worker is woken when a delivery
has been stored, when a running event ends, and when the next waiting one is due.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from itertools import count
from typing import Protocol

import structlog
from tenacity import RetryCallState, wait_random_exponential

from connector.config.logs import bare
from connector.model.errors import (
    AccountPaused,
    ActionRefused,
    ConnectorError,
    Hold,
    Ignore,
    Lasting,
    NeedsReview,
    NothingToIdentify,
    Postponed,
    RateLimited,
    Rejected,
    RemoteError,
    StoreError,
    Transient,
    Unavailable,
)
from connector.model.jobs import Awaited, StaleClaim, Verdict, Work
from connector.model.measures import OUTCOMES
from connector.remote.circuit_breaker import CircuitBreaker
from connector.remote.rate_limit import LONGEST_OUTAGE
from connector.store import Store
from connector.store.tallies import Tally

#: Seconds: the first retry comes within two, the later ones within an hour of each other.
FIRST_RETRY, LAST_RETRY = 2.0, 3600.0
#: An event that has failed for this long (seconds), and at least this often, waits for a person.
GIVE_UP_AFTER, GIVE_UP_ATTEMPTS = 7 * 86_400.0, 10
#: The same for a state of the data that rarely passes by itself.
LASTING_AFTER, LASTING_ATTEMPTS = 300.0, 5
#: A remote system that is "unavailable" to one event this many times in a row, but not to others, is that event's own problem.
PATIENT_SNOOZES = 5
#: Seconds; an event that waits for another one looks again at growing intervals up to this.
LONGEST_POSTPONEMENT = 60.0

#: Seconds by which a clock must have been put back before what waits is set back with it, and between looks at the clock.
CLOCK_STEP, CLOCK_LOOK = 10.0, 60.0
#: Seconds between attempts to store a verdict while the database is unavailable.
STORE_PAUSE = 15.0

_backoff = wait_random_exponential(multiplier=FIRST_RETRY, max=LAST_RETRY)


class Runner(Protocol):
    """What does an event's steps; `connector.sync.pipeline.Sync` in the service."""

    async def run(self, work: Work) -> None:
        """Return when everything is done; raise one of our errors otherwise."""


class Worker:
    """`concurrency` lanes at once. `syncs` by source name; `accounts` by account name (`crm.main`)."""

    def __init__(
        self,
        store: Store,
        syncs: Mapping[str, Runner],
        accounts: Mapping[str, CircuitBreaker],
        *,
        concurrency: int = 8,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.concurrency = concurrency
        #: Why the queue cannot be read, while it cannot.
        self.problem: str | None = None
        self._store = store
        self._syncs = syncs
        self._accounts = accounts
        self._clock = clock
        self._wake = asyncio.Event()
        #: Clear while `run` looks for work.
        self._looking = asyncio.Event()
        self._looking.set()
        #: What runs, and for which source.
        self._running: dict[asyncio.Task[None], str] = {}
        #: One source gets no more slots than this: it may sleep in all of them until its quota has room, and others would wait.
        self._share = max(1, concurrency - len(syncs) + 1)
        self._stopping = self._paused = False
        self._watchers: set[asyncio.Event] = set()
        #: What the clock says beyond the loop's own time, which nobody sets.
        self._ahead: float | None = None
        self._log = structlog.get_logger("connector.worker.worker").bind()

    def wake(self) -> None:
        """Something may be due."""
        self._wake.set()

    def watch(self, event: asyncio.Event) -> Callable[[], None]:
        """Set `event` whenever an event has been concluded; the returned function ends that."""
        self._watchers.add(event)
        return lambda: self._watchers.discard(event)

    async def run(self) -> None:
        """Work until `drain` is called."""
        self._looking.clear()
        try:
            while not self._stopping:
                self._wake.clear()
                await self._sleep(await self._look())
        finally:
            self._looking.set()

    async def _look(self) -> float | None:
        """Start what is due; when to look again. Whatever goes wrong is logged, and nothing ends the loop."""
        try:
            await self._follow_clock()
            due = await self._fill()
        except ConnectorError as error:
            self.problem = str(error)
            self._log.error("the queue cannot be read", error=str(error), hint=error.hint)
        except Exception as error:
            self.problem = type(error).__name__
            self._log.error("the queue cannot be read", error=type(error).__name__, exc_info=bare(error))
        else:
            self.problem = None
            return due
        return self._clock() + 1.0

    async def run_once(self) -> int:
        """Work until nothing is due; returns how many events were run. For tests and small jobs."""
        count = 0
        while claimed := await self._store.lanes.claim(self.concurrency, self._clock()):
            count += len(claimed)
            await asyncio.gather(*(self._run(work) for work in claimed))
        return count

    async def drain(self, seconds: float) -> None:
        """Claim nothing more; wait for what runs, then put back what has not ended within `seconds`."""
        self._stopping = True
        self._wake.set()
        # A claim may be on its way to the disk: what it takes runs, too.
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._looking.wait()
        running = set(self._running)
        if not running:
            return
        _, late = await asyncio.wait(running, timeout=seconds)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)
        if late:
            self._log.warning("stopped before everything had ended", put_back=len(late))

    async def let_go(self) -> None:
        """Drop what runs: others have taken it over. Nothing more is claimed until `go_on`."""
        self._paused = True
        running = set(self._running)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    def go_on(self) -> None:
        """Claim again."""
        self._paused = False
        self.wake()

    async def _fill(self) -> float | None:
        """Start what is due; when the next is due, while there are slots for it."""
        while not (self._stopping or self._paused) and (free := self.concurrency - len(self._running)) > 0:
            served, busy = self._served(), Counter(self._running.values())
            most = max((number for source, number in busy.items() if source not in served), default=0)
            limit = min(free, self._share - most)
            claimed, due = await self._store.lanes.claim_or_next(limit, self._clock(), without=served)
            for work in claimed:
                task = asyncio.create_task(self._run(work))
                self._running[task] = work.source
                task.add_done_callback(self._ended)
            if len(claimed) < limit:
                return due
        return None

    def _served(self) -> list[str]:
        """The sources that have their share of the slots."""
        return [source for source, number in Counter(self._running.values()).items() if number >= self._share]

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._running.pop(task, None)
        self._wake.set()

    async def _sleep(self, due: float | None) -> None:
        if due is None:
            await self._wake.wait()
            return
        while not self._wake.is_set():
            # The loop's timers know nothing of a clock that is put right, nor of a machine that slept.
            with suppress(TimeoutError):
                # Below a millisecond a timer may fire early and spin.
                async with asyncio.timeout(min(max(due - self._clock(), 0.001), CLOCK_LOOK)):
                    await self._wake.wait()
            if due <= self._clock() or self._put_back() > 0:
                return

    def _put_back(self) -> float:
        """Seconds by which somebody has put the clock back since the last look; 0 where it is less than a step."""
        back = 0.0 if self._ahead is None else self._ahead - self._offset()
        return back if back > CLOCK_STEP else 0.0

    def _offset(self) -> float:
        return self._clock() - asyncio.get_running_loop().time()

    async def _follow_clock(self) -> None:
        """What waits for a time comes when it would have come, whatever the clock says meanwhile."""
        if back := self._put_back():
            self._log.warning("the clock was set back", seconds=round(back))
            await self._store.lanes.set_back(back, self._clock())
        self._ahead = self._offset()

    async def _run(self, work: Work) -> None:
        """Run one event to its verdict. Never raises, but for a cancellation."""
        log = self._log.bind(delivery=work.delivery, event_id=work.event_id, source=work.source, client=work.client_id)
        # For this task alone: its context is its own.
        structlog.contextvars.bind_contextvars(delivery=work.delivery)
        try:
            await self._conclude(work, await self._verdict(work, log), log)
        except asyncio.CancelledError:
            put_back = Verdict("queued", "stopped while it ran", due=self._clock(), counts=False)
            await asyncio.shield(self._conclude(work, put_back, log))
            raise
        except StaleClaim:
            log.info("event was taken over")
        except StoreError as error:
            # We are stopping; the next start takes the lane back.
            log.error("result of an event not saved; the next start repeats it", error=str(error), hint=error.hint)
        for event in self._watchers:
            event.set()

    async def _verdict(self, work: Work, log: structlog.typing.FilteringBoundLogger) -> Verdict:
        sync = self._syncs.get(work.source)
        if sync is None:
            hint = f'Add a [[sync]] with booking = "{work.source}" (or discard the event), restart, then retry it.'
            return Verdict("held", f"no [[sync]] uses the source {work.source}", hint)
        try:
            return await self._attempt(work, sync)
        except StaleClaim:
            raise
        except Exception as error:
            log.error("event failed unexpectedly", error=type(error).__name__, exc_info=bare(error))
            return self._again(work, f"unexpected {type(error).__name__}; the log has the details", "Report it, with the log.")

    async def _attempt(self, work: Work, sync: Runner) -> Verdict:
        try:
            await sync.run(work)
        except StaleClaim:
            raise
        except ConnectorError as error:
            return self.judge(work, await self._take_in(work, error))
        return Verdict("done")

    async def _take_in(self, work: Work, error: ConnectorError) -> ConnectorError:
        """Do what an error asks for besides the verdict; answer what is to be judged: where the database cannot, that."""
        try:
            if isinstance(error, NeedsReview):
                return await self._ask(work, error)
            if isinstance(error, NothingToIdentify):
                await self._store.upkeep.count(Tally.WITHOUT_IDENTITY)
                work.outcome = "skipped"
            elif isinstance(error, AccountPaused) and (account := self._accounts.get(error.account)) is not None:
                if not isinstance(error, ActionRefused):
                    account.trip(error)
                elif account.error is None and error.action not in account.refusals():
                    # The adapter's own conclusion, which no call has reported.
                    account.refused(error)
        except StoreError as problem:
            return problem
        return error

    async def _ask(self, work: Work, error: NeedsReview) -> ConnectorError:
        """Open a review, unless somebody has answered the same question for another client of this person."""
        asked, now = (work.source, work.client_id, error.crm, str(error)), self._clock()
        # Only who the client is: what the booking system holds for one client says nothing of another.
        if error.person is not None and work.step == "resolve":
            ids = [candidate["customer_id"] for candidate in error.candidates]
            if (entry := await self._store.reviews.answered(*asked, ids, now, person=error.person)) is not None:
                work.trace.append(entry)
                return Postponed("linked as decided for another client of this person", retry_after=0.0)
        await self._store.reviews.open(*asked, error.candidates, now, person=error.person, key=error.key)
        return error

    def judge(self, work: Work, error: ConnectorError) -> Verdict:  # noqa: PLR0911 - one return per row of the table
        """What an error makes of the event; `connector.model.errors` says the same in a table."""
        now, text, hint = self._clock(), str(error), error.hint or None
        match error:
            case Ignore():
                return Verdict("ignored", text, hint)
            case Hold():
                return Verdict("held", text, hint)
            case Rejected():
                work.outcome = "failed"
                return Verdict("held", text, hint or "Fix what the remote system refuses, then retry the event.")
            case Postponed():
                wait = min(error.retry_after * 2.0 ** min(work.snoozes, 10), LONGEST_POSTPONEMENT)
                return Verdict("queued", text, hint, due=now + wait, counts=False)
            case RateLimited():
                return Verdict("queued", text, hint, due=now + (error.retry_after or 1.0), counts=False)
        if isinstance(error, RemoteError) and self._is_closed(Awaited(error.account)):
            return Verdict("queued", text, hint, waits_for=Awaited(error.account), counts=False)
        if isinstance(error, ActionRefused) and self._is_closed(wanted := Awaited(error.account, error.action)):
            return Verdict("queued", text, hint, waits_for=wanted, counts=False)
        if isinstance(error, Unavailable) and work.snoozes < PATIENT_SNOOZES:
            wait = max(self._pause(work.snoozes + 1), min(error.retry_after or 0.0, LONGEST_OUTAGE))
            return Verdict("queued", text, hint, due=now + wait, counts=False)
        lasting = isinstance(error, Lasting | ActionRefused)
        limits = (LASTING_AFTER, LASTING_ATTEMPTS) if lasting else (GIVE_UP_AFTER, GIVE_UP_ATTEMPTS)
        return self._again(work, text, hint, error.retry_after if isinstance(error, Transient) else None, limits)

    def _again(
        self,
        work: Work,
        text: str,
        hint: str | None,
        at_least: float | None = None,
        limits: tuple[float, int] = (GIVE_UP_AFTER, GIVE_UP_ATTEMPTS),
    ) -> Verdict:
        now = self._clock()
        since = now if work.failing_since is None else work.failing_since
        if now - since > limits[0] and work.attempts >= limits[1]:
            work.outcome = "failed"
            return Verdict("held", f"given up after {work.attempts} attempts: {text}", hint or "Fix the cause, then retry it.")
        return Verdict("retrying", text, hint, due=now + max(self._pause(work.attempts), at_least or 0.0))

    def _pause(self, attempt: int) -> float:
        state = RetryCallState(retry_object=None, fn=None, args=(), kwargs={})  # type: ignore[arg-type]
        state.attempt_number = max(1, attempt)
        return float(_backoff(state))

    def _is_closed(self, wanted: Awaited) -> bool:
        """Whether an account cannot be used now, or this kind of action of it."""
        breaker = self._accounts.get(wanted.account)
        if breaker is None:
            return False
        return breaker.error is not None if wanted.action is None else breaker.is_stopped(wanted.action)

    async def _conclude(self, work: Work, verdict: Verdict, log: structlog.typing.FilteringBoundLogger) -> None:
        """Store the verdict, however long the database cannot: until then the lane is ours and stands still."""
        lanes = self._store.lanes
        await self._stubbornly(lambda: lanes.conclude(work, verdict, self._clock()), log)
        if (wanted := verdict.waits_for) is not None and not self._is_closed(wanted):
            # It came back while the verdict was being written.
            await self._stubbornly(lambda: lanes.wake(wanted, self._clock()), log)
        # A snooze is not worth a line: whoever watches the account has logged once, as an error, what it waits for.
        tell = {"queued": log.debug, "done": log.info, "ignored": log.info}.get(verdict.state, log.warning)
        if verdict.counts:
            OUTCOMES.labels(work.source, verdict.state).observe(max(self._clock() - work.received_at, 0.0))
        tell("event " + verdict.state, outcome=work.outcome, attempts=work.attempts, reason=verdict.reason)

    async def _stubbornly(self, write: Callable[[], Awaitable[object]], log: structlog.typing.FilteringBoundLogger) -> None:
        """Write until the database has taken it, or until we stop."""
        for attempt in count(1):
            try:
                await write()
            except StaleClaim:
                raise
            except StoreError:
                if self._stopping:
                    raise
                log.error("result of an event not saved; the next start repeats it", attempt=attempt)
            else:
                return
            await asyncio.sleep(min(0.1 * 2.0 ** min(attempt, 10), STORE_PAUSE))
