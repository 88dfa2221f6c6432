"""Watches accounts: one that cannot be used is probed until it can, and whatever waited for it goes on."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

import structlog

from connector.config.logs import bare
from connector.model.errors import AccountPaused, RateLimited, RemoteError, Unavailable
from connector.remote.circuit_breaker import CircuitBreaker

#: Seconds between probes; the last one repeats.
INTERVALS = (1.0, 2.0, 4.0, 8.0, 15.0)

#: An account that is refused again so soon (seconds) after a good probe is probed as if it had not been well: the probe
#: may be allowed what the events are not.
RELAPSE = 60.0


class Watcher:
    """One account. `probe` returns when it works and raises RemoteError otherwise; `recovered` wakes what waits."""

    def __init__(
        self,
        breaker: CircuitBreaker,
        probe: Callable[[], Awaitable[None]],
        recovered: Callable[[str], Awaitable[None]],
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        #: Set once the account has been probed for the first time, whatever came of it.
        self.checked = asyncio.Event()
        self._breaker = breaker
        self._probe = probe
        self._recovered = recovered
        self._clock = clock
        self._failures = 0
        self._told = ""
        self._log = structlog.get_logger("connector.worker.probes").bind(account=breaker.account)
        breaker.trip(Unavailable("not checked yet", account=breaker.account))

    async def run(self) -> None:
        """Check the account now, then whenever it gets into problem. Runs until cancelled."""
        well_since: float | None = None
        while True:
            await self._breaker.tripped.wait()
            if well_since is not None and self._clock() - well_since < RELAPSE:
                # A good probe may follow at once, and somebody has to hear of what the events met.
                self._tell()
                await self._pause()
            else:
                self._failures = 0
            await self._until_well()
            well_since = self._clock()

    async def _until_well(self) -> None:
        while not await self._try():
            self.checked.set()
            self._tell()
            await self._pause()
        self.checked.set()
        if self._told:
            self._log.info("account works again")
        self._told = ""

    async def _pause(self) -> None:
        self._failures += 1
        await asyncio.sleep(INTERVALS[min(self._failures, len(INTERVALS)) - 1])

    async def _try(self) -> bool:
        try:
            await self._probe()
            self._breaker.reset()
            await self._recovered(self._breaker.account)
        except RemoteError as error:
            # A probe that has to wait its turn learns nothing: the reason that is known stays.
            if not (isinstance(error, RateLimited) and isinstance(self._breaker.error, AccountPaused)):
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
        if error is None or str(error) == self._told:
            return
        self._told = str(error)
        tell = self._log.error if isinstance(error, AccountPaused) else self._log.warning
        tell("account cannot be used; its events wait", reason=self._told, hint=error.hint)
