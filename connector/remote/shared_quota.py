"""A quota that several processes share: the ledger that counts the calls is in their database.

Callers that wait at the same time are entered together, in one round trip, and the answers of calls are noted behind them:
a call waits for the ledger once, and not at all behind another one's.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Any, Protocol

from connector.model.errors import ConnectorError, RateLimited, StoreError
from connector.remote.rate_limit import MARGIN, PATIENCE, Call, Quota, Window

#: Seconds until a database that could not take a note is asked again.
NOTE_AGAIN = 1.0


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


class Ledger(Protocol):
    """Where the calls of all processes are counted; `connector.store.shared.Ledger` in the service."""

    async def reserve(self, quota: str, windows: Sequence[tuple[int, float]], costs: Sequence[int], margin: float) -> Answer:
        """Count as many of the calls as fit. Raises StoreError."""
        ...

    async def settle(self, calls: Sequence[tuple[int, int]]) -> None:
        """Calls (id, cost) were answered. Raises StoreError."""
        ...

    async def block(self, quota: str, seconds: float) -> None:
        """Nobody may call for so long. Raises StoreError."""
        ...


class SharedQuota(Quota):
    """One budget of all processes. What one of them was sending when it ended counts as answered when others notice."""

    def __init__(self, key: str, windows: Iterable[Window], *, ledger: Ledger) -> None:
        super().__init__(key, windows)
        self._ledger = ledger
        self._asking: list[tuple[int, asyncio.Future[int]]] = []
        self._answered: list[tuple[int, int]] = []
        self._pause = 0.0
        self._used = [0] * len(self.windows)
        self._jobs: dict[str, asyncio.Task[None]] = {}

    def block(self, seconds: float) -> None:
        """Make everybody wait, in all processes."""
        super().block(seconds)
        self._pause = max(self._pause, seconds)
        self._start("notes", self._note)

    def used(self, seconds: float) -> int:
        """Cost of the calls in the window of so many seconds, when this process made its last call."""
        return max(
            (used for used, window in zip(self._used, self.windows, strict=True) if window.seconds == seconds), default=0
        )

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
        self._asking.append((cost, counted))
        self._start("room", self._find_room)
        call = Call(cost)
        try:
            await counted
            yield call
        finally:
            if counted.done() and not counted.cancelled() and counted.exception() is None:
                self._answered.append((counted.result(), call.cost))
                self._start("notes", self._note)

    async def close(self) -> None:
        """Stop waiting for the ledger; calls whose answers it does not know are noted when others miss this process."""
        for task in self._jobs.values():
            task.cancel()
        await asyncio.gather(*self._jobs.values(), return_exceptions=True)

    def _start(self, name: str, job: Callable[[], Coroutine[Any, Any, None]]) -> None:
        if name not in self._jobs or self._jobs[name].done():
            self._jobs[name] = asyncio.create_task(job())

    async def _find_room(self) -> None:
        try:
            while self._waiting():
                answer = await self._enter_all(self._asking)
                if not self._waiting():
                    return
                if answer.blocked and answer.wait > PATIENCE:
                    self._refuse(partial(RateLimited, "the remote system asked for a longer pause", retry_after=answer.wait))
                    return
                self._changed.clear()
                with suppress(TimeoutError):
                    async with asyncio.timeout(answer.wait):
                        await self._changed.wait()
        except ConnectorError as error:
            self._refuse(partial(StoreError, str(error), hint=error.hint))
        except Exception:
            self._refuse(lambda: StoreError("The calls of this quota cannot be counted."))
            raise

    def _waiting(self) -> bool:
        self._asking = [one for one in self._asking if not one[1].done()]
        return bool(self._asking)

    async def _enter_all(self, asking: Sequence[tuple[int, asyncio.Future[int]]]) -> Answer:
        answer = await self._ledger.reserve(self.key, self.windows, [cost for cost, _ in asking], MARGIN)
        self._used = answer.used or self._used
        for id_, (_, counted) in zip(answer.ids, asking, strict=False):
            if counted.done():
                # Whoever asked was cancelled meanwhile, and sends nothing.
                self._answered.append((id_, 0))
                self._start("notes", self._note)
            else:
                counted.set_result(id_)
        return answer

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
                if answered:
                    await self._ledger.settle(answered)
                    answered = []
                if pause:
                    await self._ledger.block(self.key, pause)
            except StoreError:
                self._answered += answered
                self._pause = max(self._pause, pause)
                await asyncio.sleep(NOTE_AGAIN)
            self._changed.set()
