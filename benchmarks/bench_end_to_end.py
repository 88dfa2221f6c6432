"""Events a second from webhook to link: new clients, each looked up, created and written back, and then known ones.

The sandboxes answer at once and have no quota; they run in this process, the service in one of its own.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from pathlib import Path

import uvloop
from measuring import machine, spread, table
from world import World, fill, world


async def drain(here: World, events: int) -> float:
    """Send what is waiting, and return the seconds until everything is done."""
    begun = time.perf_counter()
    sending = asyncio.create_task(here.booxi.send_webhooks(concurrency=32))
    while (await here.status())["queue"]["done"] < events:
        await asyncio.sleep(0.1)
    await sending
    return time.perf_counter() - begun


async def measure(folder: Path, clients: int) -> tuple[float, float]:
    """Events a second for new clients, and for the same clients coming again."""
    async with world(folder) as here:
        fill(here.booxi, clients)
        new = clients / await drain(here, clients)
        for booking in list(here.booxi.state.bookings):
            here.booxi.update_booking(booking, notes="moved")
        known = clients / await drain(here, 2 * clients)
        contacts, links = len(here.hubspot.contacts()), len(here.booxi.links())
        if (contacts, links) != (clients, clients):
            raise SystemExit(f"{clients} clients became {contacts} contacts and {links} links")
    return new, known


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
        ["new client: looked up, created, written back (6 calls)", spread([run[0] for run in runs], 0)],
        ["known client: confirmed (1 call)", spread([run[1] for run in runs], 0)],
    ]
    table(f"End to end, {args.clients:,} clients: median (minimum–maximum)", ("event", "events a second"), rows)


if __name__ == "__main__":
    main()
