"""Everything that works on the queue, put together: store, accounts, syncs, worker, watchers, housekeeping.

The service runs it beside the receiver; `connector backfill` runs it alone when no service does.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import structlog

from connector.config.settings import Config
from connector.model.errors import ConnectorError
from connector.model.problems import Check
from connector.store import Store
from connector.sync.locks import IdentityLocks
from connector.sync.pipeline import Sync
from connector.worker.accounts import Connections, Transports, connect
from connector.worker.probes import Watcher
from connector.worker.worker import Worker

#: Seconds which the accounts get to answer their first probe before the worker begins anyway.
FIRST_PROBES = 5.0
#: Seconds between rounds of housekeeping, between looks at the accounts, and how long bodies of finished deliveries are kept.
HOUSEKEEPING = 3600.0
LOOK_AROUND = 3600.0
KEEP_BODIES = 30 * 86_400.0
#: Seconds after which no quota window reaches a counted call any more.
KEEP_CALLS = 2 * 86_400.0


class Engine:
    """Made by `open`, run between `start` and `stop`. `clock` gives Unix time."""

    def __init__(self, config: Config, store: Store, connections: Connections, clock: Callable[[], float] = time.time) -> None:
        self.config = config
        self.store = store
        self.connections = connections
        self.clock = clock
        self.availabilities = connections.availabilities()
        self.syncs = self._build_syncs()
        self.worker = Worker(store, self.syncs, self.availabilities, concurrency=config.worker.concurrency, clock=clock)
        self.watchers: list[Watcher] = []
        #: What the hourly look at each account found, by account name.
        self.findings: dict[str, list[Check]] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._log = structlog.get_logger("connector.worker.engine").bind()

    @classmethod
    async def open(cls, config: Config, *, transports: Transports | None = None) -> Engine:
        """Open the database for this process and connect the accounts; makes no request yet. Raises StoreError."""
        store = Store.open(config.database.path)
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
            self._log.info("took back what was running when the last process ended", events=taken_back)
        adapters = self.connections.adapters()
        self.watchers = [Watcher(a.remote.availability, a.probe, self._recovered) for a in adapters]
        for watcher in self.watchers:
            self._spawn(watcher.run())
        self._spawn(self._begin())
        self._spawn(self._keep_house())
        self._spawn(self._look_around())

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

    async def _recovered(self, account: str) -> None:
        woken = await self.store.lanes.wake(account, self.clock())
        if woken:
            self._log.info("events go on", account=account, clients=woken)
        self.worker.wake()

    async def _look_around(self) -> None:
        """Ask the accounts that work what else they have to say: a blocked webhook, a property that is gone."""
        for watcher in self.watchers:
            await watcher.checked.wait()
        while True:
            for adapter in self.connections.adapters():
                if not adapter.remote.availability.usable.is_set():
                    continue
                try:
                    found = [check for check in await adapter.checks() if check.level != "ok"]
                except ConnectorError as error:
                    # An account in trouble has a watcher of its own; this look comes again.
                    self._log.warning("account could not be looked at", account=adapter.remote.account, reason=str(error))
                    continue
                except Exception as error:
                    # A defect in one adapter must not end the look at the others; its text may hold anything.
                    self._log.error(
                        "account could not be looked at", account=adapter.remote.account, error=type(error).__name__
                    )
                    continue
                for check in found:
                    if check not in self.findings.get(adapter.remote.account, []):
                        self._log.warning("account needs attention", check=check.id, reason=check.message, hint=check.hint)
                self.findings[adapter.remote.account] = found
            await asyncio.sleep(LOOK_AROUND)

    def note_findings(self, found: Sequence[Check]) -> None:
        """Take over what somebody has just found out with `connector check`."""
        for account in self.availabilities:
            mine = [check for check in found if check.id.startswith(f"{account}.") and not check.id.endswith(".account")]
            self.findings[account] = [check for check in mine if check.level != "ok"]

    async def _keep_house(self) -> None:
        while True:
            try:
                pruned = await self.store.upkeep.prune(self.clock() - KEEP_BODIES)
                await self.store.upkeep.forget_calls(time.time() - KEEP_CALLS)
            except ConnectorError as error:
                self._log.error("housekeeping failed; it is tried again later", error=str(error), hint=error.hint)
            except Exception as error:
                self._log.error("housekeeping failed; it is tried again later", error=type(error).__name__)
            else:
                if pruned:
                    self._log.info("dropped old bodies; ids and links stay", deliveries=pruned)
            await asyncio.sleep(HOUSEKEEPING)
