"""Calls of one quota that the ledger has counted for this process before anybody here asked for them: a small portion.

A call that is ready waits for no round trip. Until it is made and answered, or given back, the ledger counts it as a call in
progress, so however late it is made, no window of the remote system can see one too many. Who counted it has a lease: when
that has run out others may have counted the call as over, and it must not be made any more.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable

#: A portion is for so many seconds, at the rate of the last so many seconds.
SPAN = 0.25
#: Seconds after the last call began, or was answered, until what is ready is given back.
KEEP = 0.5


class Portion:
    """`lease` names the lease that this process holds now, empty where it holds none; `clock` is in seconds."""

    def __init__(self, lease: Callable[[], str], clock: Callable[[], float]) -> None:
        self._lease, self._clock = lease, clock
        #: Ids of calls, and the lease under which they were counted.
        self._ready: deque[tuple[int, str]] = deque()
        self._recent: deque[float] = deque()
        self._touched = 0.0
        #: As large as a portion may be: twice what was ready when the ledger was asked last.
        self._most = 1

    def __len__(self) -> int:
        return len(self._ready)

    def asked(self) -> None:
        """Somebody wants to make a call: portions grow with use."""
        self._touched = self._clock()
        self._recent.append(self._touched)

    def answered(self) -> None:
        """A call was answered: the next one often follows."""
        self._touched = self._clock()

    def put(self, ids: Iterable[int], lease: str) -> None:
        """These calls are ready; they were counted under `lease`."""
        self._ready.extend((id_, lease) for id_ in ids)
        self._most = 2 * max(len(self._ready), 1)

    def take(self) -> int | None:
        """A call that may be made at once; None where none is ready or others may have counted it as over."""
        if self._ready and self._ready[0][1] == self._lease():
            return self._ready.popleft()[0]
        return None

    def drain(self) -> list[int]:
        """All that is ready, to be given back: none of it was made."""
        ids = [id_ for id_, _ in self._ready]
        self._ready.clear()
        return ids

    def wanted(self) -> int:
        """How many more calls to have ready: none while more than half of the portion is there."""
        while self._recent and self._recent[0] <= self._clock() - SPAN:
            self._recent.popleft()
        size = max(min(len(self._recent), self._most), 1)
        return size - len(self._ready) if len(self._ready) <= size // 2 else 0

    def idle_in(self) -> float:
        """Seconds until what is ready should be given back; 0 when it is time."""
        return max(self._touched + KEEP - self._clock(), 0.0)
