"""Stay inside a remote's limits by counting, not by collecting 429s.

A call occupies its place in a window from the moment it is sent until `seconds` after its answer came: whenever the remote
system counted it, that was in between, so its sliding (or fixed) window can never see one call too many. Why this is not
pyrate-limiter: docs/adr/0004-own-quota.md.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import NamedTuple

from connector.model.errors import RateLimited

#: Added to every window, in seconds: covers clocks that tick differently.
MARGIN = 0.01
#: A caller that would have to wait longer than this is asked to come back instead.
PATIENCE = 60.0
#: Seconds: the longest pause after a 503 with Retry-After; then somebody asks again, whatever was announced. Shorter than
#: `PATIENCE`, so that it is waited for, and passes for no limit that was reached.
LONGEST_OUTAGE = 30.0

Record = Callable[[str, float, int], Awaitable[None]]


class Window(NamedTuple):
    """At most `calls` in any `seconds`."""

    calls: int
    seconds: float


@dataclass(slots=True)
class Call:
    """One counted call; `cost` may be raised after the answer, `done` is None while no answer has come."""

    cost: int
    done: float | None = None


class Quota:
    """One budget, shared by everything that uses the same key. Callers are served in the order in which they ask."""

    def __init__(
        self,
        key: str,
        windows: Iterable[Window] = (),
        *,
        clock: Callable[[], float] = time.monotonic,
        record: Record | None = None,
    ) -> None:
        self.key = key
        self.windows = tuple(windows)
        self._longest = max((w.seconds for w in self.windows), default=0.0)
        self._clock = clock
        self._record = record
        self._calls: deque[Call] = deque()
        self._turn = asyncio.Lock()
        self._changed = asyncio.Event()
        self._blocked_until = 0.0

    async def close(self) -> None:
        """Nothing more will be called."""

    def restore(self, calls: Iterable[tuple[float, int]]) -> None:
        """Count calls that an earlier process made: `(age in seconds, cost)` each."""
        now = self._clock()
        restored = [Call(cost, now - max(0.0, age - 0.5)) for age, cost in calls]
        self._calls = deque(sorted(restored, key=lambda c: c.done or now))

    def block(self, seconds: float) -> None:
        """Make everybody wait: the remote system said so."""
        self.pause(seconds)

    def pause(self, seconds: float) -> None:
        """Wait for so many seconds from now: the remote system said so, perhaps to another process that uses this quota."""
        self._blocked_until = max(self._blocked_until, self._clock() + seconds)

    def used(self, seconds: float) -> int:
        """Cost of the calls counted within the last `seconds`."""
        since = self._clock() - seconds
        return sum(c.cost for c in self._calls if c.done is None or c.done > since)

    def usage(self) -> dict[str, float] | None:
        """How much of the longest window is used: `{"used", "limit", "seconds"}`; None without limits."""
        if not self.windows:
            return None
        window = max(self.windows, key=lambda one: one.seconds)
        return {"used": self.used(window.seconds), "limit": window.calls, "seconds": window.seconds}

    @asynccontextmanager
    async def spend(self, cost: int = 1) -> AsyncIterator[Call]:
        """Wait for room, then count the call made inside the block.

        Raises:
            RateLimited: the remote system asked for a pause longer than `PATIENCE`.
        """
        call = await self._enter(cost)
        try:
            if self._record is not None and self.windows:
                await self._record(self.key, time.time(), cost)
            yield call
        finally:
            call.done = self._clock()
            self._changed.set()
            if call.cost > cost and self._record is not None and self.windows:
                await self._record(self.key, time.time(), call.cost - cost)

    async def _enter(self, cost: int) -> Call:
        async with self._turn:
            while (wait := self._wait(cost)) > 0:
                if (pause := self._blocked_until - self._clock()) > PATIENCE:
                    raise RateLimited("the remote system asked for a longer pause", retry_after=pause)
                self._changed.clear()
                try:
                    async with asyncio.timeout(min(wait, PATIENCE)):
                        await self._changed.wait()
                except TimeoutError:
                    continue
            call = Call(cost)
            if self.windows:
                self._calls.append(call)
            return call

    def _wait(self, cost: int) -> float:
        """Seconds until a call of `cost` fits into every window; 0 when it fits now."""
        now = self._clock()
        while self._calls and (done := self._calls[0].done) is not None and done <= now - self._longest - MARGIN:
            self._calls.popleft()
        return max([self._blocked_until - now, *(self._wait_for(window, cost, now) for window in self.windows)])

    def _wait_for(self, window: Window, cost: int, now: float) -> float:
        span = window.seconds + MARGIN
        ends = [(now + span if c.done is None else c.done + span, c.cost) for c in self._calls]
        live = sorted(entry for entry in ends if entry[0] > now)
        excess = sum(c for _, c in live) + cost - window.calls
        wait = 0.0
        for end, freed in live:
            if excess <= 0:
                break
            excess -= freed
            wait = end - now
        return wait


#: `(key material, windows)` → the one quota of that key in this process. The key material is a secret: it is hashed.
QuotaFor = Callable[[str, Iterable[Window]], Quota]
