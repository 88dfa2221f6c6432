"""What a process does besides its work where several work on one database: it looks after the others.

Once a second it takes over what ended processes were doing, tries to be the one that leads, and compares what the leader has
found out about the accounts. The leader alone prunes, checks and probes accounts, and resumes what a process that ended was
doing for long.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress

import structlog

from connector.config.logs import bare
from connector.model.errors import ConnectorError
from connector.store import Store
from connector.store.shared import pause_of
from connector.worker.shared_accounts import SharedAccounts
from connector.worker.worker import Worker

#: Seconds between two looks at the others.
LOOK = 1.0
#: Seconds between two looks of the leader for what nobody does any more, and of all for what changes rarely.
ROUND = 10.0
_LEADER = "leader"

Then = Callable[[], Awaitable[None]]


class TakingPart:
    """Runs beside the worker of a process. Of one process on a file it only says that it leads."""

    def __init__(self, store: Store, worker: Worker, accounts: SharedAccounts, clock: Callable[[], float]) -> None:
        #: Whether this process does what one alone should do.
        self.leads = not store.database.shared
        #: What else to let go of when others have taken over, what a new leader has to begin, and what all do in each round.
        self.on_replaced: list[Then] = []
        self.on_leading: list[Then] = []
        self.on_round: list[Then] = []
        self._store, self._worker, self._accounts, self._clock = store, worker, accounts, clock
        self._loop = asyncio.get_running_loop()
        self._look_now = asyncio.Event()
        self._next_round = 0.0
        self._log = structlog.get_logger("connector.worker.taking_part").bind()
        #: Called with the quota that a remote system asked not to be used for so many seconds; with "" and 0 where
        #: such a notification may have been missed.
        self.on_pause: Callable[[str, float], None] = lambda _quota, _seconds: None
        store.database.on_due = self._heard
        store.database.on_notice = self._noticed

    def _heard(self) -> None:
        """From the thread that listens: a lane is due, or others have taken over."""
        with suppress(RuntimeError):  # the loop has ended
            self._loop.call_soon_threadsafe(self._wake)

    def _noticed(self, text: str) -> None:
        """From the same thread: what a process lets all know."""
        with suppress(RuntimeError):  # the loop has ended
            self._loop.call_soon_threadsafe(self._take, text)

    def _take(self, text: str) -> None:
        if not text:
            self.on_pause("", 0.0)
        elif (pause := pause_of(text)) is not None:
            quota, until = pause
            self.on_pause(quota, until - self._store.database.now())

    def _wake(self) -> None:
        self._worker.wake()
        if self._store.database.replaced:
            self._look_now.set()

    async def run(self) -> None:
        """Look after the others until cancelled; a look that fails is followed by the next one."""
        await self._repeat(self.look)

    async def follow(self) -> None:
        """Only stay one of them until cancelled: for a process without a worker."""
        await self._repeat(self._follow)

    async def _follow(self) -> None:
        await self._stay()
        await self._accounts.compare(leads=False, watches=False)
        if self._clock() >= self._next_round:
            self._next_round = self._clock() + ROUND
            await _all(self.on_round)

    async def _repeat(self, look: Then) -> None:
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK):
                    await self._look_now.wait()
            self._look_now.clear()
            try:
                await look()
            except ConnectorError as error:
                # That the database is away has been said by whoever noticed it first.
                self._log.debug("the other processes cannot be seen", error=str(error))
            except Exception as error:
                self._log.error("the other processes cannot be seen", error=type(error).__name__, exc_info=bare(error))

    async def look(self) -> None:
        """One look. Raises StoreError."""
        await self._stay()
        if taken := await self._store.lanes.take_over(self._clock()):
            self._log.warning("took over events of a process that has ended", events=taken)
            self._worker.wake()
        await self._store.locks.tidy()
        led, self.leads = self.leads, self.leads or await self._lead()
        await self._accounts.compare(leads=self.leads)
        if self.leads and not led:
            self._log.info("this process leads")
        if self._clock() >= self._next_round or (self.leads and not led):
            self._next_round = self._clock() + ROUND
            await _all([*self.on_round, *(self.on_leading if self.leads else [])])

    async def _lead(self) -> bool:
        # Whether somebody leads is read first: every write waits for its turn, and this is asked once a second by all.
        return not await self._store.locks.are_held([_LEADER]) and await self._store.locks.take([_LEADER])

    async def _stay(self) -> None:
        if self._store.database.replaced:
            await self._begin_again()

    async def _begin_again(self) -> None:
        reason = "It was stopped, or cut off from the database, for longer than database.lease_seconds"
        hint = f"{reason}, or another server became the primary. It continues by itself."
        self._log.error("other processes have taken over what this one was doing", hint=hint)
        self.leads = False
        await self._worker.let_go()
        await _all(self.on_replaced)
        self._store.locks.forget()
        await self._store.database.begin_again()
        self._worker.go_on()


async def _all(jobs: Sequence[Then]) -> None:
    for job in jobs:
        await job()
