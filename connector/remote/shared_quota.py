"""A quota that several processes share: the ledger that counts the calls is in their database.

A quota in use has a few calls counted ahead (`connector.remote.portion`), so that most wait for no round trip. Callers who
must wait at the same time are entered together, in one round trip, and the answers of calls are noted behind them.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Any, Protocol

from connector.model.errors import ConnectorError, RateLimited, StoreError
from connector.remote.portion import Portion
from connector.remote.rate_limit import MARGIN, PATIENCE, Call, Quota, Window

#: Seconds until a database that could not take a note is asked again.
NOTE_AGAIN = 1.0
#: Seconds for which what is used of the windows need not be read again, when no call is made.
FRESH = 5.0


class Answer(Protocol):
    """What the ledger says; see `connector.store.shared.Reserved`."""

    @property
    def ids(self) -> list[int]:
        """The calls that may be sent."""

    @property
    def wait(self) -> float:
        """Seconds until the next one may fit."""

    @property
    def used(self) -> list[int]:
        """What is used of each window."""

    @property
    def blocked(self) -> bool:
        """Whether the remote system asked for the wait."""

    @property
    def ahead(self) -> Sequence[int]:
        """Calls that may be sent as long as the lease is held."""

    @property
    def lease(self) -> str:
        """Under which all of them were counted."""


class Ledger(Protocol):
    """Where the calls of all processes are counted; `connector.store.shared.Ledger` in the service."""

    def lease(self) -> str:
        """Names the lease that this process holds; empty where it holds none."""
        ...

    async def reserve(
        self, quota: str, windows: Sequence[tuple[int, float]], costs: Sequence[int], margin: float, ahead: int = 0
    ) -> Answer:
        """Count as many of the calls as fit, and some of those `ahead`. Raises StoreError."""
        ...

    async def used(self, quota: str, windows: Sequence[tuple[int, float]], margin: float) -> list[int]:
        """What is used of each window. Raises StoreError."""
        ...

    async def settle(self, calls: Sequence[tuple[int, int]]) -> None:
        """Calls (id, cost) were answered, or never made: cost 0. Raises StoreError."""
        ...

    def warn(self, quota: str, seconds: float) -> None:
        """Let all processes know that nobody may call for so long, before it is written down."""
        ...

    async def block(self, quota: str, seconds: float) -> None:
        """Nobody may call for so long. Raises StoreError."""
        ...


class SharedQuota(Quota):
    """One budget of all processes. What one of them was sending when it ended counts as answered when others notice."""

    def __init__(
        self, key: str, windows: Iterable[Window], *, ledger: Ledger, clock: Callable[[], float] = time.monotonic
    ) -> None:
        super().__init__(key, windows, clock=clock)
        self._ledger = ledger
        self._portion = Portion(ledger.lease, clock)
        self._asking: list[tuple[int, asyncio.Future[int]]] = []
        self._answered: list[tuple[int, int]] = []
        self._pause = 0.0
        self._used, self._used_at = [0] * len(self.windows), clock()
        self._jobs: dict[str, asyncio.Task[None]] = {}

    def block(self, seconds: float) -> None:
        """Make everybody wait, in all processes."""
        super().block(seconds)
        self._ledger.warn(self.key, seconds)
        self._pause = max(self._pause, seconds)
        self._start("notes", self._note)

    def pause(self, seconds: float) -> None:
        """Wait, and give back what is ready; whichever process was asked for the pause writes it down."""
        super().pause(seconds)
        self._give_back()

    def used(self, seconds: float) -> int:
        """Cost of all processes' calls in the window of so many seconds, as this one knew it a moment ago."""
        if self._clock() >= self._used_at + FRESH:
            self._used_at = self._clock()
            self._start("look", self.look)
        return max(
            (used for used, window in zip(self._used, self.windows, strict=True) if window.seconds == seconds), default=0
        )

    async def look(self) -> None:
        """Read what others have used. Where the database cannot say it, what was known stays."""
        if self.windows:
            with suppress(StoreError):
                self._used = await self._ledger.used(self.key, self.windows, MARGIN)

    @asynccontextmanager
    async def spend(self, cost: int = 1) -> AsyncIterator[Call]:
        """Wait for room, then count the call made inside the block.

        Raises:
            RateLimited: the remote system asked for a pause longer than `PATIENCE`.
            StoreError: the ledger cannot be read; nothing was sent.
        """
        if not self.windows:
            async with super().spend(cost) as call:
                yield call
            return
        counted: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._portion.asked()
        self._asking.append((cost, counted))
        self._serve()
        if not counted.done() or self._portion.wanted():
            self._start("room", self._find_room)
        call = Call(cost)
        try:
            await counted
            yield call
        finally:
            if counted.done() and not counted.cancelled() and counted.exception() is None:
                self._answered.append((counted.result(), call.cost))
                self._portion.answered()
                self._start("notes", self._note)

    async def close(self) -> None:
        """Stop waiting for the ledger; calls whose answers it does not know are noted when others miss this process."""
        for task in self._jobs.values():
            task.cancel()
        await asyncio.gather(*self._jobs.values(), return_exceptions=True)
        if left := [*self._answered, *((id_, 0) for id_ in self._portion.drain())]:
            with suppress(StoreError):
                await self._ledger.settle(left)

    def _start(self, name: str, job: Callable[[], Coroutine[Any, Any, None]]) -> None:
        if name not in self._jobs or self._jobs[name].done():
            self._jobs[name] = asyncio.create_task(job())

    async def _find_room(self) -> None:
        try:
            while True:
                wait, blocked = await self._enter_all(self._asking)
                if not self._waiting():
                    return
                if blocked and wait > PATIENCE:
                    self._refuse(partial(RateLimited, "the remote system asked for a longer pause", retry_after=wait))
                    return
                self._changed.clear()
                with suppress(TimeoutError):
                    async with asyncio.timeout(wait):
                        await self._changed.wait()
        except ConnectorError as error:
            self._refuse(partial(StoreError, str(error), hint=error.hint))
        except Exception:
            self._refuse(lambda: StoreError("The calls of this quota cannot be counted."))
            raise

    def _waiting(self) -> bool:
        self._asking = [one for one in self._asking if not one[1].done()]
        return bool(self._asking)

    async def _enter_all(self, asking: Sequence[tuple[int, asyncio.Future[int]]]) -> tuple[float, bool]:
        """Seconds until those who are left should be entered, and whether that is because the remote system asked for it."""
        if (pause := self._blocked_until - self._clock()) > 0:
            return pause, True
        costs, ahead = [cost for cost, _ in asking], self._portion.wanted()
        answer = await self._ledger.reserve(self.key, self.windows, costs, MARGIN, ahead)
        if (pause := self._blocked_until - self._clock()) > 0:
            # It was heard of while the answer was on its way.
            self._unmade([*answer.ids, *answer.ahead])
            return pause, True
        if answer.used:
            self._used, self._used_at = answer.used, self._clock()
        for id_, (_, counted) in zip(answer.ids, asking, strict=False):
            if counted.done():
                # Whoever asked was cancelled meanwhile, and sends nothing.
                self._unmade([id_])
            else:
                counted.set_result(id_)
        self._portion.put(answer.ahead, answer.lease)
        self._serve()
        if answer.blocked or (answer.wait and self._waiting()):
            # What is left is of no use to those who wait here, and others may have room for it.
            self._give_back()
        elif len(self._portion):
            self._start("idle", self._give_back_when_idle)
        return answer.wait, answer.blocked

    def _serve(self) -> None:
        """Who waits gets what is ready, in their order; while the remote system asked for a pause, nobody does."""
        while self._waiting() and self._asking[0][0] == 1 and self._clock() >= self._blocked_until:
            if (id_ := self._portion.take()) is None:
                self._give_back()
                return
            self._asking[0][1].set_result(id_)

    def _give_back(self) -> None:
        self._unmade(self._portion.drain())

    def _unmade(self, ids: Sequence[int]) -> None:
        if ids:
            self._answered += [(id_, 0) for id_ in ids]
            self._start("notes", self._note)

    async def _give_back_when_idle(self) -> None:
        while len(self._portion):
            if (left := self._portion.idle_in()) == 0:
                self._give_back()
                return
            await asyncio.sleep(left)

    def _refuse(self, error: Callable[[], ConnectorError]) -> None:
        """A new error for each: one that is raised again collects tracebacks."""
        for _, counted in self._asking:
            if not counted.done():
                counted.set_exception(error())

    async def _note(self) -> None:
        """Write down which calls were answered, and for how long to pause; again until the database takes it."""
        while self._answered or self._pause:
            answered, self._answered = self._answered, []
            pause, self._pause = self._pause, 0.0
            try:
                if pause:
                    await self._ledger.block(self.key, pause)
                    pause = 0.0
                if answered:
                    await self._ledger.settle(answered)
            except StoreError:
                self._answered += answered
                self._pause = max(self._pause, pause)
                await asyncio.sleep(NOTE_AGAIN)
            self._changed.set()
