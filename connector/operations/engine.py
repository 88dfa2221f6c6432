"""Everything that works on the queue, put together: store, accounts, syncs, worker, watchers, housekeeping.

The service runs it beside the receiver; `connector backfill` runs it alone when no service does.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from typing import Any

import structlog

from connector.config.settings import Config
from connector.store import Store
from connector.sync.locks import IdentityLocks
from connector.sync.pipeline import Sync
from connector.worker.accounts import Connections, Transports, connect
from connector.worker.housekeeping import AccountChecks, prune_forever
from connector.worker.probes import Watcher
from connector.worker.worker import Worker

#: Seconds which the accounts get to answer their first probe before the worker begins anyway.
FIRST_PROBES = 5.0


class Engine:
    """Made by `open`, run between `start` and `stop`. `clock` gives Unix time."""

    def __init__(self, config: Config, store: Store, connections: Connections, clock: Callable[[], float] = time.time) -> None:
        self.config = config
        self.store = store
        self.connections = connections
        self.clock = clock
        self.breakers = connections.breakers()
        self.syncs = self._build_syncs()
        self.worker = Worker(store, self.syncs, self.breakers, concurrency=config.worker.concurrency, clock=clock)
        self.watchers: list[Watcher] = []
        self.account_checks = AccountChecks(connections)
        self._tasks: list[asyncio.Task[None]] = []
        self._log = structlog.get_logger("connector.operations.engine").bind()

    @classmethod
    async def open(cls, config: Config, *, transports: Transports | None = None) -> Engine:
        """Open the database for this process and connect the accounts; makes no request yet. Raises StoreError."""
        store = Store.open(config.database)
        try:
            return cls(config, store, await connect(config, store, transports=transports))
        except BaseException:
            await store.close()
            raise

    def _build_syncs(self) -> dict[str, Sync]:
        # The locks are shared: clients of different sources may be one person.
        locks = IdentityLocks()
        return {
            settings.booking: Sync(
                settings,
                self.connections.booking[settings.booking],
                self.connections.crms[settings.crm],
                links=self.store.links,
                journal=self.store.journal,
                locks=locks,
                country=self.config.booking[settings.booking].default_country,
                clock=self.clock,
            )
            for settings in self.config.sync
        }

    async def start(self) -> None:
        """Take back what an earlier process left, probe the accounts, and begin to work."""
        taken_back = await self.store.lanes.recover(self.clock())
        if taken_back:
            self._log.info("re-queued events interrupted by the last shutdown", events=taken_back)
        adapters = self.connections.adapters()
        self.watchers = [Watcher(a.remote.breaker, a.probe, self._recovered) for a in adapters]
        for watcher in self.watchers:
            self._spawn(watcher.run())
        self._spawn(self._begin())
        self._spawn(prune_forever(store=self.store, clock=self.clock))
        self._spawn(self.account_checks.run(self.watchers))

    async def stop(self) -> None:
        """Drain the worker within `worker.drain_seconds`, then close everything."""
        await self.worker.drain(self.config.worker.drain_seconds)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.connections.close()
        await self.store.close()

    def _spawn(self, job: Coroutine[Any, Any, None]) -> None:
        self._tasks.append(asyncio.create_task(job))

    async def _begin(self) -> None:
        waiting = [asyncio.ensure_future(watcher.checked.wait()) for watcher in self.watchers]
        if waiting:
            _, late = await asyncio.wait(waiting, timeout=FIRST_PROBES)
            for task in late:
                task.cancel()
        await self.worker.run()

    async def _recovered(self, wanted: str, *, one: bool = False) -> None:
        woken = await self.store.lanes.wake(wanted, self.clock(), one=one)
        if woken and not one:
            self._log.info("events go on", account=wanted, clients=woken)
        self.worker.wake()
