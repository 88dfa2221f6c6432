"""Instructions that an event costs the service, counted by valgrind: noise of the machine cannot hide a change.

`connector serve` runs under callgrind, which counts only while a case is measured: deliveries stored by a receiver without
a worker, and whole events by the service between two sandboxes. The kernel's part (sockets, disk) is not counted. Compare
with other runs of the same Python, libraries and processor type only.
"""

from __future__ import annotations

import argparse
import asyncio
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path

import uvloop
from load import Load
from measuring import machine, table
from world import fill, world

NEEDED = ("valgrind", "callgrind_control")
#: Connections at once: with each of these the receiver shares commits among so many deliveries at most.
CONNECTIONS = (1, 64)


class Counter:
    """Counts the instructions of one process; `folder` is where callgrind leaves its files."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @property
    def command(self) -> list[str]:
        """What stands before the command whose instructions are counted."""
        out = f"--callgrind-out-file={self._folder / 'callgrind'}"
        return ["valgrind", "--quiet", "--tool=callgrind", "--instr-atstart=no", out]

    @asynccontextmanager
    async def counting(self, pid: int) -> AsyncIterator[list[int]]:
        """Count while the body runs; the list then holds the number."""
        found: list[int] = []
        await self._control(pid, "--instr=on")
        yield found
        await self._control(pid, "--instr=off")
        before = set(self._folder.iterdir())
        await self._control(pid, "--dump")
        (dumped,) = set(self._folder.iterdir()) - before
        found += [int(line.split()[1]) for line in dumped.read_text().splitlines() if line.startswith("totals:")]

    async def _control(self, pid: int, what: str) -> None:
        process = await asyncio.create_subprocess_exec(
            "callgrind_control", what, str(pid), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        if await process.wait():
            raise SystemExit(f"callgrind_control {what} failed")


async def deliver(port: int, load: Load, events: int, connections: int) -> None:
    """Send so many deliveries, each as soon as the last one of its connection is answered."""

    async def send(number: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for _ in range(number):
            writer.write(load.request())
            head = await reader.readuntil(b"\r\n\r\n")
            await reader.readexactly(int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0]))
            if not head.startswith(b"HTTP/1.1 202"):
                raise SystemExit(f"unexpected answer {head!r}")
        writer.close()

    await asyncio.gather(*(send(events // connections) for _ in range(connections)))


async def done(folder: Path, events: int) -> None:
    """Wait until so many events are done, by looking into the file: what the service is asked would be counted."""
    query = "SELECT count(*) FROM events WHERE state = 'done'"
    async with asyncio.timeout(600):
        with closing(sqlite3.connect(f"{(folder / 'connector.db').resolve().as_uri()}?mode=ro", uri=True)) as connection:
            while connection.execute(query).fetchone()[0] < events:
                await asyncio.sleep(0.05)


async def receiving(counter: Counter, folder: Path, events: int) -> dict[str, int]:
    """Instructions for a delivery that is stored, by the number of connections."""
    async with world(folder, under=counter.command, options=("--no-worker",)) as here:
        return await _received(counter, "delivery stored", here.process.pid, int(here.url.rpartition(":")[2]), events)


async def bare(counter: Counter, folder: Path, events: int) -> dict[str, int]:
    """The same of the bare Starlette handler, which stores nothing."""
    command = [*counter.command, sys.executable, str(Path(__file__).with_name("bare.py")), "bare", str(folder)]
    process = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE)
    assert process.stdout is not None
    try:
        return await _received(counter, "bare handler", process.pid, int(await process.stdout.readline()), events)
    finally:
        process.terminate()
        await process.wait()


async def _received(counter: Counter, what: str, pid: int, port: int, events: int) -> dict[str, int]:
    load, found = Load("benchmark", "benchmark", "x"), {}
    for connections in CONNECTIONS:
        await deliver(port, load, 2 * connections, connections)
        async with counter.counting(pid) as count:
            await deliver(port, load, events, connections)
        found[f"{what}, {connections} at once"] = count[0] // (events // connections * connections)
    return found


async def working(counter: Counter, folder: Path, clients: int) -> dict[str, int]:
    """Instructions for a whole event, from the delivery to its verdict, by kind."""
    found = {}
    async with world(folder, under=counter.command) as here:
        # The first round is not reported: it imports and caches what is needed once.
        for number, event in enumerate(("first client", "new client", "known client"), 1):
            if event == "known client":
                for booking in list(here.booxi.state.bookings)[-clients:]:
                    here.booxi.update_booking(booking, notes="moved")
            else:
                fill(here.booxi, clients, first=number * clients)
            async with counter.counting(here.process.pid) as count:
                await here.booxi.send_webhooks(concurrency=16)
                await done(folder, number * clients)
            found[event] = count[0] // clients
        if len(here.booxi.links()) != 2 * clients:
            raise SystemExit(f"{2 * clients} clients have {len(here.booxi.links())} links")
    del found["first client"]
    return found


def main() -> None:
    """Print the table; nothing is measured where valgrind is not found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--deliveries", type=int, default=1280)
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--folder", default=".", help="where the database is made: a disk, not a tmpfs")
    args = parser.parse_args()
    if missing := [name for name in NEEDED if shutil.which(name) is None]:
        print(f"Instructions are not counted: {', '.join(missing)} is not found (the package valgrind).")
        return
    print(f"Machine: {machine()}")
    found: dict[str, int] = {}
    for measure, events in ((bare, args.deliveries), (receiving, args.deliveries), (working, args.clients)):
        with tempfile.TemporaryDirectory(dir=args.folder) as name, tempfile.TemporaryDirectory() as counts:
            found |= uvloop.run(measure(Counter(Path(counts)), Path(name), events))
    rows = [[event, f"{instructions / 1000:,.0f}"] for event, instructions in found.items()]
    table("Instructions of the service, without the kernel's", ("event", "thousands of instructions"), rows)


if __name__ == "__main__":
    main()
