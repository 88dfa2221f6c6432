"""Memory for bodies on their way in. What nobody has verified yet never keeps others out: it is dropped instead.

A delivery whose headers alone prove it (a token) is never dropped. Of the others, when there is no room, the oldest body
of the peer that has most on its way goes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

#: Unverified bodies on their way in at once; each of them is an open connection.
MOST_UNVERIFIED = 1000


class NoRoom(Exception):
    """There is no room for this body, and nothing to drop instead; or this one was dropped for another."""


class Arriving:
    """One body on its way in. `peer` is the address it comes from."""

    __slots__ = ("_room", "deadline", "dropped", "peer", "proven", "size")

    def __init__(self, room: Room, peer: str, proven: bool, deadline: asyncio.Timeout) -> None:
        self._room = room
        self.peer = peer
        self.proven = proven
        self.deadline = deadline
        self.dropped = False
        self.size = 0

    def take(self, size: int) -> None:
        """Count `size` more bytes, which may drop another body. Raises NoRoom."""
        self._room.take(self, size)


class Room:
    """All bodies on their way in, at most `size` bytes together, unverified ones at most half of that."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._used = 0
        self._unverified_used = 0
        #: In order of arrival.
        self._unverified: dict[Arriving, None] = {}

    @contextmanager
    def entered(self, peer: str, *, proven: bool, deadline: asyncio.Timeout) -> Iterator[Arriving]:
        """Hold the place of one body; `deadline` is the running time limit of its reading, by which it can be dropped."""
        body = Arriving(self, peer, proven, deadline)
        if not proven:
            self._unverified[body] = None
            if len(self._unverified) > MOST_UNVERIFIED:
                self._drop(next(iter(self._unverified)))
        try:
            yield body
        finally:
            self._leave(body)

    def take(self, body: Arriving, size: int) -> None:
        """Count `size` more bytes of `body` and make room for them. Raises NoRoom."""
        self._count(body, size)
        while self._used > self._size or self._unverified_used > self._size // 2:
            victim = self._victim(body)
            if victim is None:
                raise NoRoom
            self._drop(victim)

    def _victim(self, body: Arriving) -> Arriving | None:
        """The oldest body, other than `body`, of the peer that has most on its way."""
        used: dict[str, int] = {}
        for one in self._unverified:
            used[one.peer] = used.get(one.peer, 0) + one.size
        for peer in sorted(used, key=lambda peer: used[peer], reverse=True):
            victim = next((one for one in self._unverified if one.peer == peer and one is not body and one.size), None)
            if victim is not None:
                return victim
        return None

    def _drop(self, victim: Arriving) -> None:
        victim.dropped = True
        self._leave(victim)
        victim.deadline.reschedule(asyncio.get_running_loop().time())

    def _leave(self, body: Arriving) -> None:
        self._count(body, -body.size)
        self._unverified.pop(body, None)

    def _count(self, body: Arriving, size: int) -> None:
        body.size += size
        self._used += size
        if not body.proven:
            self._unverified_used += size
