"""Locks on identity keys: two clients who are one person take turns, whichever lanes they come from.

So do the clients of one appointment while it is recorded.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager


class IdentityLocks:
    """One lock per (CRM, identity key), made when wanted and dropped when nobody wants it any more.

    They need to hold within one process only: the database belongs to one process. What a crash leaves half done is
    guarded by the claims of the journal.
    """

    def __init__(self) -> None:
        self._locks: dict[tuple[str, str], tuple[asyncio.Lock, list[int]]] = {}

    @asynccontextmanager
    async def hold(self, crm: str, keys: Iterable[str]) -> AsyncIterator[None]:
        """Hold all `keys`; they are taken in sorted order, so two holders cannot wait for each other."""
        async with AsyncExitStack() as stack:
            for key in sorted(set(keys)):
                await stack.enter_async_context(self._one((crm, key)))
            yield

    @asynccontextmanager
    async def _one(self, key: tuple[str, str]) -> AsyncIterator[None]:
        lock, users = self._locks.setdefault(key, (asyncio.Lock(), [0]))
        users[0] += 1
        try:
            async with lock:
                yield
        finally:
            users[0] -= 1
            if users[0] == 0:
                del self._locks[key]
