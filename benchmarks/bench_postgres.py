"""Several processes on one PostgreSQL database, beside the embedded default in the same run.

Starts a server of its own (`initdb` and `postgres` must be installed; fsync is on), which shares the processors with all else.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import uvloop
from bench_claim import claims, delivery
from measuring import machine, spread, table
from world import NO_LIMITS, NOWHERE, announced, fill, write_config

from connector.model.jobs import Verdict
from connector.sandbox.booxi.app import BooxiSandbox
from connector.sandbox.booxi.webhooks import Target
from connector.sandbox.hubspot.app import HubSpotSandbox
from connector.sandbox.kit.faults import Faults
from connector.sandbox.kit.server import Server
from connector.store import Store

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "tests"))

import postgres  # type: ignore[import-not-found]  # noqa: E402 - the tests' own server

#: Seconds of the lease where one is measured.
LEASE = 2.0


@dataclass(frozen=True)
class Place:
    """Where a database is, as the store takes it."""

    address: str
    path: Path
    lease_seconds: float = 10.0


@asynccontextmanager
async def service(
    folder: Path, address: str, role: str, *, booxi: str = NOWHERE, hubspot: str = NOWHERE
) -> AsyncIterator[tuple[str, int]]:
    """Run `connector serve` on a database (SQLite where no address is given); its address and process id."""
    folder.mkdir(exist_ok=True)
    file = write_config(folder, f"{booxi}/booking/v1", hubspot, NO_LIMITS)
    lock, how = folder / "connector.db.lock", ["--no-worker"] if role == "receiver" else []
    if address:
        file.write_text(f'{file.read_text()}[database]\nurl = "{address}"\n')
        lock, how = folder / "connector.lock", ["--role", role]
    command = [sys.executable, "-m", "connector", "serve", *how, "--config", str(file)]
    process = await asyncio.create_subprocess_exec(*command, stderr=asyncio.subprocess.DEVNULL)
    try:
        yield await announced(lock), process.pid
    finally:
        process.terminate()
        await process.wait()


def copy_key(source: Path, target: Path) -> None:
    """Let another machine know the secret of the installation."""
    target.mkdir(exist_ok=True)
    (target / "connector.key").write_bytes((source / "connector.key").read_bytes())


async def load(urls: list[str], seconds: float, prefix: str) -> float:
    """202s a second, at 64 connections in all."""

    async def one(number: int, url: str) -> float:
        words = [str(urlsplit(url).port), str(64 // len(urls)), str(seconds), "benchmark", f"{prefix}{number}"]
        command = [sys.executable, str(HERE / "load.py"), *words]
        process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
        answer = json.loads((await process.communicate())[0])
        if set(answer["statuses"]) != {"202"} or answer["lost"]:
            raise SystemExit(f"unexpected answers {answer}")
        return float(answer["rate"])

    return sum(await asyncio.gather(*(one(number, url) for number, url in enumerate(urls))))


async def accepts(server: postgres.Server, folder: Path, seconds: float, rounds: int) -> None:
    """Durable 202s a second of receivers on SQLite and on PostgreSQL."""
    found: dict[str, list[float]] = {"SQLite": [], "PostgreSQL, one receiver": [], "PostgreSQL, two receivers": []}
    for n in range(rounds):
        address, place = server.fresh(), folder / f"accepts-{n}"
        place.mkdir()
        async with service(place / "file", "", "receiver") as (url, _):
            found["SQLite"].append(await load([url], seconds, f"s{n}"))
        async with service(place / "1", address, "receiver") as (url, _):
            found["PostgreSQL, one receiver"].append(await load([url], seconds, f"p{n}"))
            copy_key(place / "1", place / "2")
            async with service(place / "2", address, "receiver") as (other, _):
                found["PostgreSQL, two receivers"].append(await load([url, other], seconds, f"q{n}"))
    base = found["SQLite"]
    rows = [[what, spread(r, 0), spread([x / y for x, y in zip(r, base, strict=True)])] for what, r in found.items()]
    table("Receiving at 64 connections: median (minimum–maximum)", ("database", "202 a second", "ratio to SQLite"), rows)


async def starts(here: Place, there: Place, times: int) -> list[float]:
    """Milliseconds from the commit in one process until another one has claimed the event."""
    receiver, worker = Store.open(here), Store.open(there)
    heard, loop = asyncio.Event(), asyncio.get_running_loop()

    def hear() -> None:
        loop.call_soon_threadsafe(heard.set)

    worker.database.on_due = hear
    found = []
    for n in range(times):
        heard.clear()
        await receiver.inbox.accept(delivery(n, str(n)))
        committed = time.perf_counter()
        claimed: list[Any] = []
        while not claimed:
            await heard.wait()
            heard.clear()
            claimed = await worker.lanes.claim(1, time.time() + 1)
        found.append((time.perf_counter() - committed) * 1000)
        await worker.lanes.conclude(claimed[0], Verdict("done"), time.time())
    await receiver.close()
    await worker.close()
    return found


_HOLDING = """
import asyncio, sys
from pathlib import Path
from types import SimpleNamespace
from connector.store import Store
async def main():
    store = Store.open(SimpleNamespace(path=Path(sys.argv[1]), address=sys.argv[2], lease_seconds=float(sys.argv[3])))
    await store.lanes.claim(8, 2e9)
    print("holding", flush=True)
    await asyncio.Event().wait()
asyncio.run(main())
"""


async def takeovers(place: Place, folder: Path, times: int) -> list[float]:
    """Seconds from the kill of a process that holds lanes until another one has them, as a part of the lease."""
    store, found = Store.open(place), []
    await asyncio.sleep(LEASE * 1.2)
    for n in range(times):
        await asyncio.gather(*(store.inbox.accept(delivery(n * 8 + k, f"{n}-{k}")) for k in range(8)))
        other = folder / f"holder-{n}"
        copy_key(place.path.parent, other)
        command = [sys.executable, "-c", _HOLDING, str(other / "connector"), place.address, str(LEASE)]
        process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
        assert process.stdout is not None
        await process.stdout.readline()
        process.send_signal(signal.SIGKILL)
        killed = time.perf_counter()
        await process.wait()
        # As the worker does: once a second.
        while not await store.lanes.take_over(time.time()):
            await asyncio.sleep(1.0)
        found.append((time.perf_counter() - killed) / LEASE)
        while claimed := await store.lanes.claim(8, 2e9):
            for work in claimed:
                await store.lanes.conclude(work, Verdict("done"), time.time())
    await store.close()
    return found


@asynccontextmanager
async def sandboxes(latency_ms: int) -> AsyncIterator[tuple[BooxiSandbox, str, str]]:
    """Both remote systems, and their addresses."""
    async with AsyncExitStack() as stack:
        booxi = BooxiSandbox(quota=None)
        hubspot = HubSpotSandbox(unique_properties=("connector_person_key",), per_10_seconds=None, search_per_second=None)
        booxi.faults = hubspot.faults = Faults(latency_ms=(latency_ms, latency_ms))
        booxi_url = (await stack.enter_async_context(Server(booxi.app))).url
        yield booxi, booxi_url, (await stack.enter_async_context(Server(hubspot.app))).url


async def drain(server: postgres.Server, folder: Path, workers: int, events: int) -> tuple[float, list[int], int]:
    """(events a second of so many workers, resident MB of each process, sessions of each process)."""
    address = server.fresh()
    folder.mkdir()
    async with sandboxes(20) as (booxi, booxi_url, hubspot_url), AsyncExitStack() as stack:
        fill(booxi, events)
        url, receiver = await stack.enter_async_context(service(folder / "receiver", address, "receiver"))
        booxi.outbox.target = Target(f"{url}/webhooks/stores", token="benchmark")
        await booxi.send_webhooks()
        pids, begun = [receiver], time.perf_counter()
        for n in range(workers):
            copy_key(folder / "receiver", folder / f"worker-{n}")
            worker = service(folder / f"worker-{n}", address, "worker", booxi=booxi_url, hubspot=hubspot_url)
            pids.append((await stack.enter_async_context(worker))[1])
        with psycopg.connect(address) as session:
            while session.execute("SELECT count(*) FROM events WHERE state = 'done'").fetchone() != (events,):
                session.commit()
                await asyncio.sleep(0.1)
            sessions = session.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'connector %'"
            ).fetchone()
        seconds = time.perf_counter() - begun
        return events / seconds, [resident(pid) for pid in pids], sessions[0] // len(pids) if sessions else 0


def resident(pid: int) -> int:
    """Resident memory in MB."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) // 1024


async def measure(server: postgres.Server, folder: Path, args: argparse.Namespace) -> None:
    """Print the tables."""
    await accepts(server, folder, args.seconds, args.rounds)
    rows = []
    for what, place in (("SQLite", folder / "claims.db"), ("PostgreSQL", Place(server.fresh(), folder / "claims"))):
        alone, behind = await claims(place, args.backlog, args.times)
        ratio = sorted(behind)[len(behind) // 2] / sorted(alone)[len(alone) // 2]
        rows.append([what, spread(alone, 2), spread(behind, 2), f"{ratio:.2f}"])
    columns = ("database", "claim ms, empty queue", f"claim ms, {args.backlog:,} behind one client", "ratio")
    table("Claiming: median (minimum–maximum)", columns, rows)
    here = Place(server.fresh(), folder / "here")
    await Store.open(here).close()  # makes the key
    (folder / "there").mkdir()
    (folder / "there" / "there.key").write_bytes((folder / "here.key").read_bytes())
    found = await starts(here, Place(here.address, folder / "there" / "there"), args.times)
    table("From the commit in one process to the claim in another", ("ms",), [[spread(found)]])
    lease = Place(server.fresh(), folder / "lease" / "connector", LEASE)
    (folder / "lease").mkdir()
    found = await takeovers(lease, folder, args.takeovers)
    table(
        "From a kill to the take-over, in leases", ("times", f"leases of {LEASE:g} s"), [[str(args.takeovers), spread(found)]]
    )
    rows = []
    for workers in (1, 2, 3):
        rate, memory, sessions = await drain(server, folder / f"drain-{workers}", workers, args.events)
        rows.append([str(workers), f"{rate:,.0f}", ", ".join(map(str, memory)), str(sessions)])
    columns = ("workers", "events a second", "MB of the receiver and each worker", "sessions of each process")
    table(f"{args.events:,} events of new clients, remote systems of 20 ms latency", columns, rows)


def main() -> None:
    """Start a server and measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--backlog", type=int, default=50_000)
    parser.add_argument("--times", type=int, default=200)
    parser.add_argument("--takeovers", type=int, default=20)
    parser.add_argument("--events", type=int, default=2_000)
    parser.add_argument("--folder", default=".", help="where the SQLite databases are made: a disk, not a tmpfs")
    args = parser.parse_args()
    if (reason := postgres.missing()) is not None:
        print(f"not measured: {reason}")
        return
    print(f"Machine: {machine()}")
    with tempfile.TemporaryDirectory(dir=args.folder) as name, postgres.serving(fsync=True) as server:
        uvloop.run(measure(server, Path(name), args))


if __name__ == "__main__":
    main()
