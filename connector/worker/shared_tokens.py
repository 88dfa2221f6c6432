"""The access token of one account, for all processes on one database: one of them fetches it, and it is stored sealed.

A vendor may allow few tokens (Zoho: ten in ten minutes), or take the newest one alone.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

from connector.model.errors import StoreError, Transient
from connector.remote.oauth import Token
from connector.store import Store
from connector.store.shared import StateKind

#: Seconds between two looks for the token that another process fetches, and how long it is waited for.
LOOK, PATIENCE = 0.25, 60.0


class SharedToken:
    """`credentials` tell the configured account from one that somebody configures in its place under the same name."""

    def __init__(self, store: Store, account: str, credentials: str) -> None:
        self._database, self._locks, self._states, self._account = store.database, store.locks, store.states, account
        self._digest = store.database.keyed(f"token:{credentials}")[-16:]
        #: Of its lock, and what it is sealed for: no other account's token can be put in its place.
        self._name = f"token {account} {self._digest}"

    async def current(self, refused: str, fetch: Callable[[], Awaitable[Token]]) -> Token:
        """The token that all use, unless it is the one that was refused; else a new one, fetched by one process.

        `seconds` of either is how long it may be used from now. Raises what `fetch` raises, and StoreError.
        """
        for _ in range(int(PATIENCE / LOOK)):
            if (token := await self._read(refused)) is not None:
                return token
            if await self._locks.take([self._name]):
                try:
                    return await self._read(refused) or await self._fetched(fetch)
                finally:
                    await self._locks.release([self._name])
            await asyncio.sleep(LOOK)
        raise Transient("another process fetches an access token and has not come to an end", account=self._account)

    async def _fetched(self, fetch: Callable[[], Awaitable[Token]]) -> Token:
        token = await fetch()
        until = None if token.seconds is None else self._database.now() + token.seconds
        value = self._database.seal(json.dumps({"token": token.value, "until": until}), self._name)
        # Where it cannot be stored it is good for this process all the same.
        with suppress(StoreError):
            await self._states.save(StateKind.LOGIN, self._account, {"sealed": value}, part=self._digest)
        return token

    async def _read(self, refused: str) -> Token | None:
        value, _ = (await self._states.parts(StateKind.LOGIN)).get((self._account, self._digest), ({}, 0.0))
        if not value:
            return None
        found: dict[str, Any] = json.loads(self._database.unseal(value["sealed"], self._name))
        left = None if found["until"] is None else found["until"] - self._database.now()
        return None if found["token"] == refused or (left is not None and left <= 0) else Token(found["token"], left)
