"""Accounts as all processes on one database see them: one of them probes, and the others go by what it has found.

A process whose calls are refused or fail asks the leader, which stops using the account at once and probes it. While an account
cannot be used nobody but the leader asks the remote system anything. The kinds of action that are refused: `shared_actions`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from connector.model.errors import AccountPaused, LimitReached, RateLimited, RemoteError, Unavailable
from connector.model.problems import Check
from connector.remote.circuit_breaker import CircuitBreaker
from connector.store import Store
from connector.store.shared import StateKind
from connector.worker.housekeeping import AccountChecks
from connector.worker.shared_actions import SharedActions

#: Seconds between two looks for the leader's answer, and how long it is waited for.
LOOK, PATIENCE = 0.25, 10.0
#: The first that fits is written; what fits none is a remote system that cannot be used for now.
_KINDS: dict[str, type[RemoteError]] = {kind.__name__: kind for kind in (LimitReached, AccountPaused, RateLimited, Unavailable)}


class SharedAccounts:
    """`leads` says whether this process probes, `checks` is what it knows of each account beyond that."""

    def __init__(
        self, store: Store, breakers: Mapping[str, CircuitBreaker], checks: AccountChecks, leads: Callable[[], bool]
    ) -> None:
        self._store, self._breakers, self._checks, self._leads = store, breakers, checks, leads
        self._actions = SharedActions(store, breakers)

    def probe(self, account: str, probe: Callable[[], Awaitable[None]]) -> Callable[[], Awaitable[None]]:
        """What the watcher of an account asks instead of its own probe."""

        async def ask() -> None:
            if not self._leads():
                await self._ask_leader(account)
                return
            try:
                await probe()
            except RemoteError as error:
                await self._say(account, error)
                raise
            await self._say(account, None)

        return ask

    async def compare(self, *, leads: bool, watches: bool = True) -> None:
        """Once in a while: as the leader, take what others have met; otherwise stop using what the leader cannot use.

        `watches` is whether this process asks the leader again by itself when it has stopped using an account.
        """
        await self._compare_accounts(leads=leads, watches=watches)
        await self._actions.compare()

    async def _compare_accounts(self, *, leads: bool, watches: bool) -> None:
        found = await self._store.states.list(StateKind.ACCOUNT_FOUND)
        if leads:
            for account, (value, at) in (await self._store.states.list(StateKind.ACCOUNT_ASKED)).items():
                breaker = self._breakers.get(account)
                if breaker is not None and breaker.error is None and at > found.get(account, ({}, 0.0))[1]:
                    breaker.trip(self._read(account, value) or Unavailable("not checked yet", account=account))
            return
        for account, (value, _) in found.items():
            if (breaker := self._breakers.get(account)) is not None:
                self._go_by(breaker, self._read(account, value), watches)
        for account, (value, _) in (await self._store.states.list(StateKind.ACCOUNT_CHECKED)).items():
            self._checks.findings[account] = [Check.model_validate(check) for check in value["found"]]

    def _go_by(self, breaker: CircuitBreaker, error: RemoteError | None, watches: bool) -> None:
        if breaker.error is None and error is not None:
            breaker.trip(error)
        elif not watches and error is None and (breaker.error is not None or not breaker.answered):
            breaker.reset()

    async def share_checks(self) -> None:
        """Let the others know what the checks of the accounts have found."""
        for account, found in self._checks.findings.items():
            await self._store.states.save(
                StateKind.ACCOUNT_CHECKED, account, {"found": [check.model_dump() for check in found]}
            )

    async def _ask_leader(self, account: str) -> None:
        """Raise what the leader has found; where this process has met something itself, after the leader has looked again."""
        breaker, since = self._breakers[account], 0.0
        if breaker.answered and breaker.error is not None:
            since = self._store.database.now()
            await self._store.states.save(StateKind.ACCOUNT_ASKED, account, self._written(breaker.error))
        for _ in range(int(PATIENCE / LOOK)):
            value, at = (await self._store.states.list(StateKind.ACCOUNT_FOUND)).get(account, ({}, -1.0))
            if at > since or (at >= 0 and since == 0):
                if (error := self._read(account, value)) is not None:
                    raise error
                return
            await asyncio.sleep(LOOK)
        # The leader may be waiting for the end of a pause; what this process has met itself stays the reason.
        met = self._read(account, self._written(breaker.error)) if breaker.answered and breaker.error is not None else None
        raise met or Unavailable("the process that probes it does not answer", account=account)

    async def _say(self, account: str, error: RemoteError | None) -> None:
        await self._store.states.save(StateKind.ACCOUNT_FOUND, account, self._written(error))

    def _written(self, error: RemoteError | None) -> dict[str, Any]:
        if error is None:
            return {}
        kind = next((name for name, kind in _KINDS.items() if isinstance(error, kind)), "Unavailable")
        until = None if error.retry_after is None else self._store.database.now() + error.retry_after
        return {"kind": kind, "text": str(error), "status": error.status, "until": until, "hint": error.hint}

    def _read(self, account: str, value: Mapping[str, Any]) -> RemoteError | None:
        if not value:
            return None
        after = None if value["until"] is None else max(value["until"] - self._store.database.now(), 0.0)
        kind = _KINDS[value["kind"]]
        return kind(value["text"], account=account, status=value["status"], retry_after=after, hint=value["hint"])
