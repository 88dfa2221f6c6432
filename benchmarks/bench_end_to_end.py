"""What an event costs from webhook to link: events a second, processor time of the service, and calls, by kind of event.

The sandboxes answer at once and have no quota; they run in this process, the service in one of its own, so that its
processor time can be read from the kernel.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import uvloop
from measuring import cpu_seconds, machine, spread, table
from world import World, fill, world

KINDS = ("new client", "known client", "duplicate", "ignored")


@dataclass(frozen=True)
class Cost:
    """Events a second, processor milliseconds of the service for an event, and calls for an event by endpoint."""

    rate: float
    cpu_ms: float
    calls: str


async def drain(here: World, events: int) -> Cost:
    """Send what is waiting in the sandbox's outbox, and answer what it cost once nothing waits in the service."""
    calls, cpu, begun = _calls(here), cpu_seconds(here.process.pid), time.perf_counter()
    await here.booxi.send_webhooks(concurrency=32)
    while await _waiting(here):
        await asyncio.sleep(0.1)
    seconds = time.perf_counter() - begun
    made = {endpoint: n / events for endpoint, n in (_calls(here) - calls).items()}
    spoken = ", ".join(f"{n:.2f} {endpoint}".replace(".00 ", " ") for endpoint, n in sorted(made.items()) if n >= 0.005)
    return Cost(events / seconds, (cpu_seconds(here.process.pid) - cpu) * 1000 / events, spoken or "none")


async def _waiting(here: World) -> int:
    queue = (await here.status())["queue"]
    return sum(int(queue[state]) for state in ("queued", "running", "retrying"))


def _calls(here: World) -> Counter[str]:
    return here.booxi.requests + here.hubspot.requests


async def measure(folder: Path, clients: int) -> list[Cost]:
    """The cost of each of `KINDS`, in their order: new clients first, and then the same ones again."""
    async with world(folder) as here:
        fill(here.booxi, clients)
        first = list(here.booxi.outbox.waiting)
        new = await drain(here, clients)
        for booking in list(here.booxi.state.bookings):
            here.booxi.update_booking(booking, notes="moved")
        known = await drain(here, clients)
        here.booxi.outbox.waiting.extend(first)
        duplicate = await drain(here, clients)
        for n in range(clients):
            here.booxi.book(here.booxi.add_client(firstName="Ada", lastName=f"Example{n}"))
        ignored = await drain(here, clients)
        contacts, links = len(here.hubspot.contacts()), len(here.booxi.links())
        if (contacts, links) != (clients, clients):
            raise SystemExit(f"{clients} clients became {contacts} contacts and {links} links")
    return [new, known, duplicate, ignored]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clients", type=int, default=1500)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder", default=".", help="where the database is made: a disk, not a tmpfs")
    args = parser.parse_args()
    print(f"Machine: {machine()}")
    runs = []
    for _ in range(args.rounds):
        with tempfile.TemporaryDirectory(dir=args.folder) as name:
            runs.append(uvloop.run(measure(Path(name), args.clients)))
    rows = [
        [kind, spread([c.rate for c in costs], 0), spread([c.cpu_ms for c in costs]), costs[0].calls]
        for kind, costs in zip(KINDS, zip(*runs, strict=True), strict=True)
    ]
    columns = ("event", "events a second", "processor ms", "calls")
    table(f"End to end, {args.clients:,} clients: median (minimum–maximum)", columns, rows)


if __name__ == "__main__":
    main()
