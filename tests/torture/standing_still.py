"""Processes that stood still while others took over what they were doing: what they sent before they took part again."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import psycopg
from acceptance.world import OnServer, rows
from arrivals import Arrival, Arrivals, Counts

#: Seconds after the stop: what the server had been asked to do until then has been done.
DONE = 0.2
#: Seconds between two looks.
LOOK = 0.05
_ROW = "SELECT boot, started_at, seen_at + lease FROM processes WHERE pid = ?"


@dataclass(frozen=True)
class Lease:
    """What the row of a process said when it had been stopped; Unix seconds by the server's clock, which is ours."""

    pid: int
    boot: str
    struck: float
    end: float


@dataclass(frozen=True)
class Replaced:
    """A process that others took the lease of, what arrived from it, and from when on it took part again, if it did."""

    lease: Lease
    seen: list[Arrival]
    until: float

    def counts(self) -> Counts:
        """What waited for an answer when it was stopped, and what came too late."""
        return Arrivals(seen=self.seen).after(self.lease.struck, self.lease.end, self.until)


async def lease_of(database: OnServer, pid: int) -> Lease | None:
    """The lease of a process that has just been stopped; None where it has none, or the server is away."""
    struck = time.time()
    await asyncio.sleep(DONE)
    row = await _row(database, pid)
    return Lease(pid, row[0], struck, row[2]) if row else None


async def replaced(database: OnServer, lease: Lease, ended: Callable[[], bool], seen: list[Arrival]) -> Replaced | None:
    """Look until a process that may go on takes part again, or has ended; None where nobody has taken its lease."""
    while True:
        over = ended()
        row = await _row(database, lease.pid)
        if row is None and over:
            return Replaced(lease, seen, math.inf)
        if row and row[0] != lease.boot:
            return Replaced(lease, seen, row[1])
        if row and row[2] > lease.end:
            return None
        await asyncio.sleep(LOOK)


async def _row(database: OnServer, pid: int) -> tuple[str, float, float] | tuple[()] | None:
    """Boot, start and end of the lease of a process; None where it has no row, () where the server is away."""
    try:
        found = await asyncio.to_thread(rows, database, _ROW, pid)
    except psycopg.OperationalError:
        return ()
    return found[0] if found else None  # type: ignore[return-value]


def fenced(processes: Sequence[Replaced]) -> Iterator[str]:
    """Nothing arrived from a process between the end of its lease and the moment when it took part again."""
    for counts in (one.counts() for one in processes):
        if counts.writes or counts.reads:
            yield f"{counts.writes} writes and {counts.reads} reads of a process that stood still came after its lease"
