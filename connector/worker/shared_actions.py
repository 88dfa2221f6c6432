"""Kinds of action that an account is refused, as all processes on one database see them.

What one process was refused stops in all of them; as soon as one finds that it works again, it goes on in all. That somebody
may have fixed it, and asked one of them to try, all of them hear.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from connector.model.errors import ActionRefused
from connector.remote.circuit_breaker import CircuitBreaker, RefusedAction
from connector.store import Store
from connector.store.shared import Stated, StateKind

#: (Account, action) → whether it is refused.
Refused = dict[tuple[str, str], Stated]


class SharedActions:
    """Compares what the breakers of this process know with what the others have written down."""

    def __init__(self, store: Store, breakers: Mapping[str, CircuitBreaker]) -> None:
        self._states, self._breakers = store.states, breakers
        #: When what this process has last read or written of an action was written; and the same of those who asked.
        self._seen: dict[tuple[str, str], float] = {}
        self._seen_asked: dict[str, float] = {}
        self._asked = {account: breaker.asked_again for account, breaker in breakers.items()}

    async def compare(self) -> None:
        """Take over what is new, and say what is new here. Raises StoreError.

        An account that cannot be used says nothing of its actions, and what was refused is tried again when it can.
        """
        found = await self._states.parts(StateKind.ACTION_REFUSED)
        asked = await self._states.list(StateKind.ACTIONS_ASKED)
        for account, breaker in self._breakers.items():
            if breaker.error is None and breaker.answered:
                known = [action for of, action in found if of == account]
                for action in {*known, *breaker.stopped()}:
                    await self._compare(breaker, action, found)
                await self._compare_asked(breaker, asked)

    async def _compare(self, breaker: CircuitBreaker, action: str, found: Refused) -> None:
        one, here = (breaker.account, action), breaker.stopped().get(action)
        value, at = found.get(one, ({}, 0.0))
        if at != self._seen.get(one, 0.0):
            self._seen[one] = at
            if value and here is None:
                breaker.adopt(_read(value, action, breaker.account), value["since"])
            elif not value:
                breaker.works(action)
        elif bool(value) != (here is not None):
            said = {} if here is None else _written(here)
            self._seen[one] = await self._states.save(StateKind.ACTION_REFUSED, breaker.account, said, part=action)

    async def _compare_asked(self, breaker: CircuitBreaker, asked: Mapping[str, Stated]) -> None:
        account, (_, at) = breaker.account, asked.get(breaker.account, ({}, 0.0))
        if breaker.asked_again != self._asked[account]:
            self._seen_asked[account] = await self._states.save(StateKind.ACTIONS_ASKED, account, {})
        elif at != self._seen_asked.setdefault(account, at):
            self._seen_asked[account] = at
            breaker.try_again()
        self._asked[account] = breaker.asked_again


def _written(entry: RefusedAction) -> dict[str, Any]:
    error = entry.error
    known = {"text": str(error), "status": error.status, "hint": error.hint}
    return {**known, "certain": error.certain, "since": entry.since}


def _read(value: Mapping[str, Any], action: str, account: str) -> ActionRefused:
    given = {"status": value["status"], "hint": value["hint"], "certain": value["certain"]}
    return ActionRefused(value["text"], action=action, account=account, **given)
