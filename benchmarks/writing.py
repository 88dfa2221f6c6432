"""How much processes write that all have the same lock to wait for: nothing but commits, the smallest that the sync makes.

Run by itself, it is one of the processes: `writing.py ADDRESS FOLDER SECONDS NAME` prints what it has written, as JSON.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext, suppress
from pathlib import Path
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from bench_claim import delivery
from measuring import spread, table
from several import Place, copy_key, postgres

from connector.store import Store

#: Events of each process that are at work at once: the worker's own number.
AT_ONCE = 16
#: Milliseconds added to a round trip: a server on the same machine, and one on another in the same data centre.
DISTANCES = (0, 2)


async def _steps(place: Place, seconds: float, name: str) -> dict[str, float]:
    """Write intents and settle them for so long: two operations, of which the second may share a commit with others' first."""
    store = Store.open(place)
    for n in range(AT_ONCE):
        await store.inbox.accept(delivery(n, f"{name}-{n}"))
    works = await store.lanes.claim(AT_ONCE, time.time() + 1)
    begun, done = time.perf_counter(), 0

    async def one(number: int) -> None:
        nonlocal done
        work = works[number]
        while time.perf_counter() - begun < seconds:
            key = f"{name}-{number}-{done}"
            await store.journal.begin(work, key, "fill", time.time())
            await store.journal.settled(work, key, time.time())
            done += 2

    await asyncio.gather(*(one(number) for number in range(len(works))))
    rate = done / (time.perf_counter() - begun)
    await store.close()
    return {"rate": rate}


@asynccontextmanager
async def far(address: str, milliseconds: float) -> AsyncIterator[str]:
    """The address of the server as if a round trip to it took so much longer."""
    parts = urlsplit(address)
    query = dict(parse_qsl(parts.query))
    socket, loop = f"{query['host']}/.s.PGSQL.5432", asyncio.get_running_loop()

    async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65_536):
            loop.call_later(milliseconds / 2000, writer.write, data)
        loop.call_later(milliseconds / 2000 + 0.01, writer.close)

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        theirs, ours = await asyncio.open_unix_connection(socket)
        with suppress(OSError):
            await asyncio.gather(pass_on(reader, ours), pass_on(theirs, writer))

    async with await asyncio.start_server(connected, "127.0.0.1", 0) as server:
        there = {"host": "127.0.0.1", "port": str(server.sockets[0].getsockname()[1])}
        yield urlunsplit(parts._replace(query=urlencode(query | there)))


async def _together(address: str, folder: Path, processes: int, seconds: float) -> float:
    """Operations a second of so many processes."""

    async def one(number: int) -> float:
        words = [address, str(folder / str(number)), str(seconds), f"process{number}"]
        command = [sys.executable, __file__, *words]
        process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
        return float(json.loads((await process.communicate())[0])["rate"])

    return sum(await asyncio.gather(*(one(number) for number in range(processes))))


async def writing(server: postgres.Server, folder: Path, args: argparse.Namespace) -> None:
    """Operations a second that are committed, by number of processes and by how far the server is."""
    rows = []
    for processes in args.workers:
        for distance in DISTANCES:
            rates = []
            for n in range(args.rounds):
                address, place = server.fresh(), folder / f"writing-{processes}-{distance}-{n}"
                place.mkdir()
                await Store.open(Place(address, place / "connector")).close()  # makes the key
                for number in range(processes):
                    copy_key(place, place / str(number))
                async with far(address, distance) if distance else nullcontext(address) as there:
                    rates.append(await _together(there, place, processes, args.seconds))
            rows.append([str(processes), f"{distance} ms", spread(rates, 0)])
    columns = ("processes", "added to each round trip", "operations a second")
    table("Intents and their ends: median (minimum–maximum)", columns, rows)


if __name__ == "__main__":
    where, beside, length, called = sys.argv[1:]
    print(json.dumps(asyncio.run(_steps(Place(where, Path(beside) / "connector"), float(length), called))))
