"""How soon an event starts: from its commit to its first step, and the claim of the next one while many others wait.

Claims are compared with one fdatasync of the same disk.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import tempfile
import time
from functools import partial
from pathlib import Path

import uvloop
from measuring import machine, percentile, spread, table

from connector.config import logs
from connector.model.bookings import Client, Event, Reading
from connector.model.deliveries import Delivery
from connector.model.jobs import Verdict, Work
from connector.store import Store, tallies
from connector.store.connection import Connection
from connector.store.opening import Location
from connector.worker.worker import Worker

#: Rows that one commit adds to a backlog.
_AT_ONCE = 20_000
_NUMBERS = "WITH RECURSIVE numbers (n) AS (SELECT CAST(:first AS bigint) UNION ALL SELECT n + 1 FROM numbers WHERE n < :last)"


def delivery(number: int, client: str) -> Delivery:
    """A delivery about one client."""
    event = Event(type="appointment.created", client=Client(id=client, email=f"c{client}@example.com"))
    reading = Reading(event_id=f"e{number}", type=event.type, events=(event,))
    return Delivery("stores", f"e{number}", False, {}, b"{}", time.time(), reading)


def fdatasync(folder: Path, times: int) -> list[float]:
    """Milliseconds of a small write and its fdatasync."""
    found = []
    handle = os.open(folder / "probe", os.O_RDWR | os.O_CREAT)
    for _ in range(times):
        begun = time.perf_counter()
        os.pwrite(handle, b"x" * 4096, 0)
        os.fdatasync(handle)
        found.append((time.perf_counter() - begun) * 1000)
    os.close(handle)
    return found


async def add_behind(store: Store, event: str, number: int) -> None:
    """Store `number` more deliveries as `accept` would, in seconds: copies of the one that it accepted under this id."""
    for first in range(1, number + 1, _AT_ONCE):
        some = range(first, min(first + _AT_ONCE, number + 1))
        await store.database.write(partial(_copy, event=event, numbers=some))


def _copy(connection: Connection, event: str, numbers: range) -> None:
    given = {"event": event, "first": numbers.start, "last": numbers.stop - 1}
    before = connection.execute("SELECT max(id) FROM deliveries").fetchone()[0]
    connection.execute(
        f"{_NUMBERS} INSERT INTO deliveries (id, source, event, derived, type, received_at, headers, body, digest)"
        f" SELECT {before} + 1 + n - :first, source, event || '-' || n, derived, type, received_at, headers, body, digest"
        " FROM deliveries, numbers WHERE event = :event ORDER BY n",
        given,
    )
    connection.execute(
        "INSERT INTO events (delivery_id, lane_id, source, client_id, type, state, received_at, updated_at, payload)"
        " SELECT d.id, e.lane_id, e.source, e.client_id, e.type, 'queued', e.received_at, e.received_at, e.payload"
        " FROM deliveries AS d, events AS e JOIN deliveries AS model ON model.id = e.delivery_id"
        " WHERE model.event = :event AND d.id > :before ORDER BY d.id",
        {"event": event, "before": before},
    )
    at = connection.execute("SELECT received_at FROM deliveries WHERE event = ?", (event,)).fetchone()[0]
    counted = len(numbers)
    tallies.add(connection, [("queued", "", 0, counted), (tallies.Tally.RECEIVED, "", tallies.hour_of(at), counted)])


async def claims(where: Path | Location, backlog: int, times: int) -> tuple[list[float], list[float]]:
    """Milliseconds of a claim with nothing else waiting, and with the backlog behind one client."""
    store = Store.open(where)
    numbers = iter(range(10**9))

    async def measure() -> list[float]:
        found = []
        for _ in range(times):
            await store.inbox.accept(delivery(n := next(numbers), str(n + 1000)))
            begun = time.perf_counter()
            (work,) = await store.lanes.claim(1, time.time())
            found.append((time.perf_counter() - begun) * 1000)
            await store.lanes.conclude(work, Verdict("done"), time.time())
        return found

    alone = await measure()
    await store.inbox.accept(delivery(next(numbers), "busy"))
    (busy,) = await store.lanes.claim(1, time.time())
    await add_behind(store, busy.delivery, backlog)
    behind = await measure()
    await store.lanes.conclude(busy, Verdict("done"), time.time())
    await store.close()
    return alone, behind


class Started:
    """A runner that does nothing but note when it was asked: seconds of the monotonic clock, by event id."""

    def __init__(self) -> None:
        self.at: dict[str, float] = {}

    async def run(self, work: Work) -> None:
        """Be done at once."""
        self.at[work.delivery] = time.perf_counter()


async def starts(folder: Path, times: int, at_once: int) -> list[float]:
    """Milliseconds from the commit of a delivery to the first step of its event, `at_once` arriving together."""
    store, runner = Store.open(folder / f"starts{at_once}.db"), Started()
    worker = Worker(store, {"stores": runner}, {}, concurrency=16)
    working, numbers, found = asyncio.create_task(worker.run()), iter(range(10**9)), []
    concluded = asyncio.Event()
    worker.watch(concluded)

    async def arrive(number: int) -> tuple[str, float]:
        await store.inbox.accept(one := delivery(number, str(number)))
        worker.wake()
        return one.event, time.perf_counter()

    for _ in range(times // at_once):
        for event, committed in await asyncio.gather(*(arrive(next(numbers)) for _ in range(at_once))):
            while event not in runner.at:
                concluded.clear()
                await concluded.wait()
            # A delivery whose neighbour woke the worker may have been claimed before its own sender was told.
            found.append(max(runner.at[event] - committed, 0.0) * 1000)
    await worker.drain(1)
    await working
    await store.close()
    return found


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--backlog", type=int, default=50_000)
    parser.add_argument("--times", type=int, default=300)
    parser.add_argument("--folder", default=".", help="where the database is made: a disk, not a tmpfs")
    args = parser.parse_args()
    print(f"Machine: {machine()}")
    logs.set_up(json=True, level="warning")
    rows = []
    ratios = []
    for n in range(3):
        with tempfile.TemporaryDirectory(dir=args.folder) as name:
            sync = sorted(fdatasync(Path(name), args.times))
            alone, behind = uvloop.run(claims(Path(name) / "bench.db", args.backlog, args.times))
            again = sorted(fdatasync(Path(name), args.times))
            middle = (sync[len(sync) // 2] + again[len(again) // 2]) / 2
            ratio = sorted(behind)[len(behind) // 2] / middle
            ratios.append(ratio)
            rows.append([str(n + 1), f"{middle:.3f}", spread(alone, 3), spread(behind, 3), f"{ratio:.2f}"])
    columns = (
        "round",
        "fdatasync ms (median)",
        "claim ms, empty queue",
        f"claim ms, {args.backlog:,} behind one client",
        "ratio to fdatasync",
    )
    table("From commit to start", ("arriving together", "p50 ms", "p99 ms"), _starting(args.folder, args.times))
    table("Claiming: median (minimum–maximum)", columns, rows)
    print(f"Ratio: {spread(ratios)}")


def _starting(folder: str, times: int) -> list[list[str]]:
    rows = []
    for at_once in (1, 16):
        with tempfile.TemporaryDirectory(dir=folder) as name:
            found = sorted(uvloop.run(starts(Path(name), times * at_once, at_once)))
        rows.append([str(at_once), f"{percentile(found, 0.5):.2f}", f"{percentile(found, 0.99):.2f}"])
    return rows


if __name__ == "__main__":
    main()
