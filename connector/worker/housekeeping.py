"""What is done once an hour beside the queue: old bodies are dropped, and every account that works is checked."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence

import structlog

from connector.model.errors import ConnectorError
from connector.model.problems import ACCOUNT, Check
from connector.store import Store
from connector.worker.accounts import Connections
from connector.worker.probes import Watcher

#: Seconds between rounds of pruning and between checks of the accounts.
PRUNE_EVERY = 3600.0
CHECK_EVERY = 3600.0
#: Seconds for which bodies of finished deliveries are kept.
KEEP_BODIES = 30 * 86_400.0
#: Seconds after which no quota window reaches a counted call any more.
KEEP_CALLS = 2 * 86_400.0


class AccountChecks:
    """What each account has to say beyond its probe: a blocked webhook, a property that is gone."""

    def __init__(self, connections: Connections) -> None:
        #: What the last check of each account found, by account name; checks that passed are left out.
        self.findings: dict[str, list[Check]] = {}
        #: What follows a round of checks.
        self.then: Callable[[], Awaitable[None]] | None = None
        self._connections = connections
        self._log = structlog.get_logger("connector.housekeeping").bind()

    async def run(self, watchers: Sequence[Watcher]) -> None:
        """Check every hour, once the first probe of every account has ended. Runs until cancelled."""
        for watcher in watchers:
            await watcher.checked.wait()
        while True:
            await self.check_all()
            if self.then is not None:
                try:
                    await self.then()
                except ConnectorError as error:
                    self._log.warning("what the checks found could not be shared", error=str(error))
            await asyncio.sleep(CHECK_EVERY)

    async def check_all(self) -> None:
        """Check every account that can be used; a failed check is logged and comes again in the next round."""
        for adapter in self._connections.adapters():
            account = adapter.remote.account
            if not adapter.remote.breaker.usable.is_set():
                continue
            try:
                for text in await adapter.renew():
                    self._log.info("account was renewed", account=account, what=text)
                found = [check for check in await adapter.checks() if check.level != "ok"]
            except ConnectorError as error:
                # An account with a problem has a watcher of its own.
                self._log.warning("account could not be checked", account=account, reason=str(error))
                continue
            except Exception as error:
                # A defect in one adapter must not end the checks of the others; its text may hold anything.
                self._log.error("account could not be checked", account=account, error=type(error).__name__)
                continue
            for check in found:
                if check not in self.findings.get(account, []):
                    self._log.warning("account needs attention", check=check.id, reason=check.message, hint=check.hint)
            self.findings[account] = found

    def save(self, found: Sequence[Check]) -> None:
        """Take over what `connector check` has just found out."""
        for account in self._connections.breakers():
            mine = [check for check in found if check.topic.subject == account and check.topic.kind != ACCOUNT]
            self.findings[account] = [check for check in mine if check.level != "ok"]


async def prune_forever(*, store: Store, clock: Callable[[], float]) -> None:
    """Drop old bodies and counted calls every hour. Runs until cancelled; a round that fails is logged and tried again."""
    log = structlog.get_logger("connector.housekeeping").bind()
    while True:
        try:
            pruned = await store.upkeep.prune(clock() - KEEP_BODIES)
            await store.upkeep.forget_calls(time.time() - KEEP_CALLS)
        except ConnectorError as error:
            log.error("housekeeping failed; it is tried again later", error=str(error), hint=error.hint)
        except Exception as error:
            log.error("housekeeping failed; it is tried again later", error=type(error).__name__)
        else:
            if pruned:
                log.info("dropped old bodies; ids and links stay", deliveries=pruned)
        await asyncio.sleep(PRUNE_EVERY)
