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

_REFUSED, _AGAIN = "action refused ", "action again "
Found = dict[str, tuple[dict[str, Any], float]]


class SharedActions:
    """Compares what the breakers of this process know with what the others have written down."""

    def __init__(self, store: Store, breakers: Mapping[str, CircuitBreaker]) -> None:
        self._states, self._breakers = store.states, breakers
        #: When what this process has last read or written of an action was written; and the same of those who asked.
        self._seen: dict[str, float] = {}
        self._asked = {account: breaker.asked_again for account, breaker in breakers.items()}

    async def compare(self) -> None:
        """Take over what is new, and say what is new here. Raises StoreError.

        An account that cannot be used says nothing of its actions, and what was refused is tried again when it can.
        """
        found, again = await self._states.list(_REFUSED), await self._states.list(_AGAIN)
        for account, breaker in self._breakers.items():
            if breaker.error is None and breaker.answered:
                known = [name.partition(" ")[2] for name in found if name.partition(" ")[0] == account]
                for action in {*known, *breaker.stopped()}:
                    await self._compare(breaker, action, found)
                await self._compare_asked(breaker, again)

    async def _compare(self, breaker: CircuitBreaker, action: str, found: Found) -> None:
        name, here = f"{breaker.account} {action}", breaker.stopped().get(action)
        value, at = found.get(name, ({}, 0.0))
        if at != self._seen.get(name, 0.0):
            self._seen[name] = at
            if value and here is None:
                breaker.adopt(_read(value, action, breaker.account), value["since"])
            elif not value:
                breaker.works(action)
        elif bool(value) != (here is not None):
            self._seen[name] = await self._states.save(f"{_REFUSED}{name}", {} if here is None else _written(here))

    async def _compare_asked(self, breaker: CircuitBreaker, again: Found) -> None:
        name = f"{_AGAIN}{breaker.account}"
        _, at = again.get(breaker.account, ({}, 0.0))
        if breaker.asked_again != self._asked[breaker.account]:
            self._seen[name] = await self._states.save(name, {})
        elif at != self._seen.setdefault(name, at):
            self._seen[name] = at
            breaker.try_again()
        self._asked[breaker.account] = breaker.asked_again


def _written(entry: RefusedAction) -> dict[str, Any]:
    error = entry.error
    known = {"text": str(error), "status": error.status, "hint": error.hint}
    return {**known, "certain": error.certain, "since": entry.since}


def _read(value: Mapping[str, Any], action: str, account: str) -> ActionRefused:
    given = {"status": value["status"], "hint": value["hint"], "certain": value["certain"]}
    return ActionRefused(value["text"], action=action, account=account, **given)
