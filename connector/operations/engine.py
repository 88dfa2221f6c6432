"""Everything that works on the queue, put together: store, accounts, syncs, worker, watchers, housekeeping.

The service runs it beside the receiver; `connector backfill` runs it alone when no service does.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import structlog

from connector.config.settings import Config
from connector.model.errors import ConnectorError
from connector.model.jobs import Awaited
from connector.remote.integration import Integration
from connector.store import Store
from connector.sync.locks import IdentityLocks
from connector.sync.pipeline import Sync
from connector.worker.accounts import Connections, Transports, connect
from connector.worker.housekeeping import AccountChecks, prune_forever
from connector.worker.probes import Watcher
from connector.worker.shared_accounts import SharedAccounts
from connector.worker.taking_part import TakingPart
from connector.worker.worker import Worker

#: Seconds which the accounts get to answer their first probe before the worker begins anyway.
FIRST_PROBES = 5.0


class Engine:
    """Made by `open`, run between `start` and `stop`. `clock` gives Unix time."""

    def __init__(
        self, config: Config, store: Store, connections: Connections, clock: Callable[[], float] | None = None
    ) -> None:
        self.config = config
        self.store = store
        self.connections = connections
        self.clock = clock = clock or store.database.now
        self.breakers = connections.breakers()
        self.syncs = self._build_syncs()
        self.worker = Worker(store, self.syncs, self.breakers, concurrency=config.worker.concurrency, clock=clock)
        self.watchers: list[Watcher] = []
        self.account_checks = AccountChecks(connections)
        self.shared_accounts = SharedAccounts(store, self.breakers, self.account_checks, lambda: self.taking_part.leads)
        self.taking_part = TakingPart(store, self.worker, self.shared_accounts, clock)
        self.taking_part.on_pause = connections.pause
        self.taking_part.on_replaced.append(self._lead_no_more)
        self.taking_part.on_round.append(lambda: connections.take_renewed(store))
        self._tasks: list[asyncio.Task[None]] = []
        self._leading: list[asyncio.Task[None]] = []
        self._log = structlog.get_logger("connector.operations.engine").bind()

    @classmethod
    async def open(cls, config: Config, *, transports: Transports | None = None, role: str = "command") -> Engine:
        """Open the database for this process and connect the accounts; makes no request yet. Raises StoreError.

        `role` is what others on the same database see that this process does.
        """
        store = Store.open(config.database, role=role)
        try:
            return cls(config, store, await connect(config, store, transports=transports))
        except BaseException:
            await store.close()
            raise

    def _build_syncs(self) -> dict[str, Sync]:
        # The locks are shared: clients of different sources may be one person.
        locks = IdentityLocks(self.store.locks if self.store.database.shared else None)
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
        if self.store.database.shared:
            await self.taking_part.look()
            self._spawn(self.taking_part.run())
        leads = (lambda: self.taking_part.leads) if self.store.database.shared else None
        self.watchers = [
            Watcher(adapter.remote.breaker, self._probe(adapter), self._recovered, leads=leads)
            for adapter in self.connections.adapters()
        ]
        for watcher in self.watchers:
            self._spawn(watcher.run())
        self._spawn(self._begin())
        if self.store.database.shared:
            self.account_checks.then = self.shared_accounts.share_checks
            self.taking_part.on_leading.append(self._housekeep)
        else:
            self._spawn(prune_forever(store=self.store, clock=self.clock))
            self._spawn(self.account_checks.run(self.watchers))

    async def stop(self) -> None:
        """Drain the worker within `worker.drain_seconds`, then close everything."""
        await self.worker.drain(self.config.worker.drain_seconds)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._lead_no_more()
        await self.connections.close()
        await self.store.close()

    async def _housekeep(self) -> None:
        """As the leader of several processes; what runs is not started twice, nor goes on where this one leads no more."""
        if not self._leading:
            self._leading = [
                asyncio.create_task(prune_forever(store=self.store, clock=self.clock)),
                asyncio.create_task(self.account_checks.run(self.watchers)),
            ]

    async def _lead_no_more(self) -> None:
        for task in self._leading:
            task.cancel()
        await asyncio.gather(*self._leading, return_exceptions=True)
        self._leading = []

    def _probe(self, adapter: Integration) -> Callable[[], Awaitable[None]]:
        if not self.store.database.shared:
            return adapter.probe
        return self.shared_accounts.probe(adapter.remote.account, adapter.probe)

    @asynccontextmanager
    async def alone(self, kind: str, source: str) -> AsyncIterator[None]:
        """Do something long for a source that one process at a time may do.

        Raises:
            ConnectorError: another process does it.
        """
        if not self.store.database.shared:
            yield
            return
        name = f"{kind} {source}"
        if not await self.store.locks.take([name]):
            hint = "Wait until it has ended; its log shows how far it is."
            raise ConnectorError(f"Another connector process runs the {kind} of {source}.", hint=hint)
        try:
            yield
        finally:
            await asyncio.shield(self.store.locks.release([name]))

    async def follow_others(self) -> None:
        """For a process without a worker: stay one of those that work on the database."""
        if self.store.database.shared:
            self._spawn(self.taking_part.follow())

    def _spawn(self, job: Coroutine[Any, Any, None]) -> None:
        self._tasks.append(asyncio.create_task(job))

    async def _begin(self) -> None:
        waiting = [asyncio.ensure_future(watcher.checked.wait()) for watcher in self.watchers]
        if waiting:
            _, late = await asyncio.wait(waiting, timeout=FIRST_PROBES)
            for task in late:
                task.cancel()
        await self.worker.run()

    async def _recovered(self, wanted: Awaited, *, one: bool = False) -> None:
        woken = await self.store.lanes.wake(wanted, self.clock(), one=one)
        if woken and not one:
            self._log.info("events continue", account=wanted, clients=woken)
        self.worker.wake()
