"""Claiming the next event while 50,000 others wait behind one busy client, against one fdatasync of the same disk."""

from __future__ import annotations

import argparse
import asyncio
import os
import tempfile
import time
from pathlib import Path

import uvloop
from measuring import machine, spread, table

from connector.model.bookings import Client, Event, Reading
from connector.model.deliveries import Delivery
from connector.model.jobs import Verdict
from connector.store import Store


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


async def claims(folder: Path, backlog: int, times: int) -> tuple[list[float], list[float]]:
    """Milliseconds of a claim with nothing else waiting, and with the backlog."""
    store = Store.open(folder / "bench.db")
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
    for _ in range(0, backlog, 500):
        await asyncio.gather(*(store.inbox.accept(delivery(next(numbers), "busy")) for _ in range(500)))
    behind = await measure()
    await store.lanes.conclude(busy, Verdict("done"), time.time())
    await store.close()
    return alone, behind


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--backlog", type=int, default=50_000)
    parser.add_argument("--times", type=int, default=300)
    parser.add_argument("--folder", default=".", help="where the database is made: a disk, not a tmpfs")
    args = parser.parse_args()
    print(f"Machine: {machine()}")
    rows = []
    ratios = []
    for n in range(3):
        with tempfile.TemporaryDirectory(dir=args.folder) as name:
            sync = sorted(fdatasync(Path(name), args.times))
            alone, behind = uvloop.run(claims(Path(name), args.backlog, args.times))
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
    table("Claiming: median (minimum–maximum)", columns, rows)
    print(f"Ratio: {spread(ratios)}")


if __name__ == "__main__":
    main()
