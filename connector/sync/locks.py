"""Locks on identity keys: two clients who are one person take turns, whichever lanes they come from.

So do the clients of one appointment while it is recorded.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Protocol

from connector.model.errors import Postponed

#: Seconds after which an event looks again whether another process has given the person free.
LOOK_AGAIN = 0.25


class SharedLocks(Protocol):
    """Locks that hold in all processes; `connector.store.shared.Locks` in the service."""

    async def take(self, keys: Collection[str]) -> bool:
        """Take all of them, or none; False where another process holds one."""
        ...

    async def release(self, keys: Collection[str]) -> None:
        """Give them up."""
        ...


class IdentityLocks:
    """One lock per (CRM, identity key), made when wanted and dropped when nobody wants it any more.

    With `shared` they hold in every process that works on the database. What a crash leaves half done is guarded by the
    claims of the journal.
    """

    def __init__(self, shared: SharedLocks | None = None) -> None:
        self._locks: dict[tuple[str, str], tuple[asyncio.Lock, list[int]]] = {}
        self._shared = shared

    @asynccontextmanager
    async def hold(self, crm: str, keys: Iterable[str]) -> AsyncIterator[None]:
        """Hold all `keys`; they are taken in sorted order, so two holders cannot wait for each other.

        Raises:
            Postponed: another process holds one of them.
        """
        wanted = sorted(set(keys))
        async with AsyncExitStack() as stack:
            for key in wanted:
                await stack.enter_async_context(self._one((crm, key)))
            if self._shared is not None and wanted:
                await stack.enter_async_context(_everywhere(self._shared, [f"{crm}/{key}" for key in wanted]))
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


@asynccontextmanager
async def _everywhere(shared: SharedLocks, keys: Collection[str]) -> AsyncIterator[None]:
    if not await shared.take(keys):
        raise Postponed("another process works on the same person or appointment", retry_after=LOOK_AGAIN)
    try:
        yield
    finally:
        # What cannot be given up now ends with the process, or is taken again by it.
        await asyncio.shield(shared.release(keys))
