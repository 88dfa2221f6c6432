"""Watches accounts: one that cannot be used is probed until it can, and whatever waited for it goes on.

A kind of action that is refused while the probe is fine is watched beside it: one waiting event at a time tries it again.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Protocol

import structlog

from connector.config.logs import bare
from connector.model.errors import AccountPaused, ConnectorError, LimitReached, RateLimited, RemoteError, Unavailable
from connector.model.jobs import Awaited
from connector.remote.circuit_breaker import TRIALS, CircuitBreaker

#: Seconds between probes; the last one repeats.
INTERVALS = (1.0, 2.0, 4.0, 8.0, 15.0)

#: An account that is refused again so soon (seconds) after a good probe is probed as if it had not been well: the probe
#: may be allowed what the events are not.
RELAPSE = 60.0


#: Seconds until a database that could not wake what waits is asked again.
WAKE_AGAIN = 1.0
#: Seconds: where several processes share an account, an event is woken to try so much later than a call is let through
#: again, so that whichever of them takes the event lets it through.
LATER = 1.0


class Recovered(Protocol):
    """Wakes what waits for an account or for one kind of its actions: all of it, or the first of the row."""

    async def __call__(self, wanted: Awaited, *, one: bool = False) -> None:
        """Make it due now."""


class Watcher:
    """One account. `probe` returns when it works and raises RemoteError otherwise; `recovered` wakes what waits.

    `leads` is whether this process is the one of several that wakes events to try a refused action; None: there is no other.
    """

    def __init__(
        self,
        breaker: CircuitBreaker,
        probe: Callable[[], Awaitable[None]],
        recovered: Recovered,
        *,
        clock: Callable[[], float] = time.monotonic,
        leads: Callable[[], bool] | None = None,
    ) -> None:
        #: Set once the account has been probed for the first time, whatever came of it.
        self.checked = asyncio.Event()
        self._breaker = breaker
        self._probe = probe
        self._recovered = recovered
        self._clock = clock
        self._leads = leads
        self._failures = 0
        #: The problem that was logged and has not ended.
        self._logged: tuple[object, ...] | None = None
        self._log = structlog.get_logger("connector.worker.probes").bind(account=breaker.account)
        #: The kinds of action whose events wait: when the next of them is woken to try, and how often that was done.
        self._trials: dict[str, tuple[float, int]] = {}
        breaker.trip(Unavailable("not checked yet", account=breaker.account))

    async def run(self) -> None:
        """Check the account now, then whenever it gets into problem, and its refused actions. Runs until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._follow_account())
            group.create_task(self._follow_actions())
            group.create_task(self._follow_suspicions())

    async def _follow_suspicions(self) -> None:
        """Whether a refusal is that of the whole account, the probe decides."""
        while True:
            await self._breaker.suspected.wait()
            self._breaker.suspected.clear()
            if self._breaker.error is None:
                try:
                    await self._probe()
                except AccountPaused as error:
                    self._breaker.trip(error)
                except Exception as error:
                    # It is no answer to the question; what the remote system lacks otherwise, other calls find.
                    self._log.info("the probe after a refusal gave no result", error=type(error).__name__)

    async def _follow_actions(self) -> None:
        while True:
            self._breaker.actions_changed.clear()
            try:
                wait = await self._look_at_actions()
            except Exception as error:
                said = str(error) if isinstance(error, ConnectorError) else type(error).__name__
                self._log.error("what waits for an action could not be woken", error=said)
                wait = WAKE_AGAIN
            with suppress(TimeoutError):
                async with asyncio.timeout(wait):
                    await self._breaker.actions_changed.wait()

    async def _look_at_actions(self) -> float | None:
        """Wake what waits for an action that is not refused any more, else one event whose turn it is; seconds to the next."""
        stopped, now = self._breaker.stopped(), self._clock()
        for action in [one for one in self._trials if one not in stopped]:
            await self._recovered(Awaited(self._breaker.account, action))
            del self._trials[action]
            if self._breaker.error is None:
                self._log.info("action works again", action=action)
        for action, entry in stopped.items():
            if action not in self._trials:
                said = {"action": action, "reason": str(entry.error), "hint": entry.error.hint}
                self._log.error("one kind of action is refused; its events wait, all others continue", **said)
            later, asked = 0.0 if self._leads is None else LATER, entry.trials == 0
            at, times = (now, 0) if asked else self._trials.get(action, (now + TRIALS[0] + later, 0))
            at = max(at, entry.try_at)
            if at <= now and not (asked or self._leads is None or self._leads()):
                at = now + LATER
            elif at <= now:
                await self._recovered(Awaited(self._breaker.account, action), one=True)
                at, times = now + TRIALS[min(times + 1, len(TRIALS) - 1)] + later, times + 1
                entry.trials = max(entry.trials, 1)
            self._trials[action] = (at, times)
        return min((at - now for at, _ in self._trials.values()), default=None)

    async def _follow_account(self) -> None:
        well_since: float | None = None
        while True:
            await self._until_tripped()
            if well_since is not None and self._clock() - well_since < RELAPSE:
                # A good probe may follow at once, and somebody has to hear of what the events met.
                self._tell()
                await self._pause()
            else:
                self._failures = 0
            await self._until_well()
            well_since = self._clock()

    async def _until_tripped(self) -> None:
        """Wait; what events met and no probe did is over only when nobody has met it for a while."""
        if self._logged is not None:
            with suppress(TimeoutError):
                async with asyncio.timeout(RELAPSE):
                    await self._breaker.tripped.wait()
                    return
            self._over()
        await self._breaker.tripped.wait()

    async def _until_well(self) -> None:
        shared = False
        while not await self._try():
            shared = True
            self.checked.set()
            self._tell()
            await self._pause()
        self.checked.set()
        if shared:
            self._over()

    def _over(self) -> None:
        if self._logged is not None:
            self._log.info("account works again")
        self._logged = None

    async def _pause(self) -> None:
        self._failures += 1
        error = self._breaker.error
        if isinstance(error, LimitReached) and self._breaker.error_left() > 0:
            # Whoever asks before it ends is refused, and some remote systems count that too.
            await asyncio.sleep(self._breaker.error_left())
            return
        await asyncio.sleep(INTERVALS[min(self._failures, len(INTERVALS)) - 1])

    async def _try(self) -> bool:
        try:
            await self._probe()
            self._breaker.reset()
            await self._recovered(Awaited(self._breaker.account))
        except RemoteError as error:
            # A probe that has to wait its turn learns nothing but how long: the reason that is known stays.
            if isinstance(error, LimitReached):
                self._breaker.prolong(error.retry_after or 0.0)
            if not (isinstance(error, RateLimited | LimitReached) and isinstance(self._breaker.error, AccountPaused)):
                self._breaker.trip(error)
        except Exception as error:
            # Nobody else opens the account again, so whatever it is, we look once more.
            self._log.error("the probe itself failed", error=type(error).__name__, exc_info=bare(error))
        else:
            return True
        return False

    def _tell(self) -> None:
        """Say what is wrong, once for each problem."""
        error = self._breaker.error
        if error is None or (problem := _problem(error)) == self._logged:
            return
        self._logged = problem
        tell = self._log.error if isinstance(error, AccountPaused) else self._log.warning
        more = {"until": until} if (until := self._breaker.limited_until) else {}
        tell("account cannot be used; its events wait", reason=str(error), hint=error.hint, **more)


def _problem(error: RemoteError) -> tuple[object, ...]:
    """What tells one problem from another: what to do about it; without a hint the text, which names the call that met it."""
    return type(error), error.status, error.hint or str(error)
