"""Several processes on one PostgreSQL database, beside the embedded default in the same run.

Starts a server of its own (`initdb` and `postgres` must be installed; fsync is on), which shares the processors with all else.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import uvloop
from bare_postgres import PROCRASTINATE, procrastinate_python, started, stored
from bench_claim import claims, delivery
from draining import drained, idle
from measuring import machine, spread, table
from pausing import limited
from several import Place, copy_key, load, postgres, service
from takeover import killed, paused
from writing import writing

from connector.model.jobs import Verdict
from connector.store import Store

Rates = dict[str, list[float]]


async def accepts(server: postgres.Server, folder: Path, args: argparse.Namespace) -> None:
    """Durable 202s a second of receivers on SQLite and PostgreSQL, and of bare handlers, one after the other in each round."""
    python, reason = None, "not asked for (--procrastinate)"
    if args.procrastinate:
        python, reason = procrastinate_python(folder / "procrastinate", args.procrastinate)
    found: Rates = defaultdict(list)
    for n in range(args.rounds):
        await _ours(server, folder / f"accepts-{n}", args.seconds, f"{n}-", found)
        await _bare(server, "one-insert", Path(sys.executable), args.seconds, found["bare handler, one insert each"])
        if python is not None:
            await _bare(server, "procrastinate", python, args.seconds, found[f"bare handler, {args.procrastinate} each"])
    base, defers = found["SQLite"], found.get(f"bare handler, {args.procrastinate} each")
    rows = [
        [what, spread(rates, 0), spread(_ratios(rates, base)), spread(_ratios(rates, defers), 1) if defers else "–"]
        for what, rates in found.items()
    ]
    columns = ("database", "202 a second", "ratio to SQLite", "ratio to procrastinate's defer")
    table("Receiving at 64 connections: median (minimum–maximum)", columns, rows)
    if python is None:
        print(f"procrastinate's defer was left out: {reason}")


def _ratios(rates: list[float], others: list[float]) -> list[float]:
    return [rate / other for rate, other in zip(rates, others, strict=True)]


async def _ours(server: postgres.Server, place: Path, seconds: float, prefix: str, found: Rates) -> None:
    address = server.fresh()
    place.mkdir()
    async with service(place / "file", "", "receiver") as (url, _):
        found["SQLite"].append(await load([url], seconds, f"s{prefix}"))
    async with service(place / "1", address, "receiver") as (url, _):
        found["PostgreSQL, one receiver"].append(await load([url], seconds, f"p{prefix}"))
        copy_key(place / "1", place / "2")
        async with service(place / "2", address, "receiver") as (other, _):
            found["PostgreSQL, two receivers"].append(await load([url, other], seconds, f"q{prefix}"))


async def _bare(server: postgres.Server, kind: str, python: Path, seconds: float, rates: list[float]) -> None:
    address = server.fresh()
    async with started(kind, address, python) as url:
        rates.append(await load([url], seconds, "b"))
    if stored(address, kind) < rates[-1] * seconds:
        raise SystemExit(f"{kind}: only {stored(address, kind)} deliveries are stored")


async def claiming(server: postgres.Server, folder: Path, args: argparse.Namespace) -> None:
    """A claim with an empty queue, and with very many events behind one client."""
    rows = []
    for what, place in (("SQLite", folder / "claims.db"), ("PostgreSQL", Place(server.fresh(), folder / "claims"))):
        alone, behind = await claims(place, args.backlog, args.times)
        ratio = statistics.median(behind) / statistics.median(alone)
        rows.append([what, spread(alone), spread(behind), f"{ratio:.2f}"])
    columns = ("database", "claim ms, empty queue", f"claim ms, {args.backlog:,} behind one client", "ratio")
    table("Claiming: median (minimum–maximum)", columns, rows)


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


async def starting(server: postgres.Server, folder: Path, args: argparse.Namespace) -> None:
    """How soon another process claims what one has stored."""
    here = Place(server.fresh(), folder / "here")
    await Store.open(here).close()  # makes the key
    (folder / "there").mkdir()
    (folder / "there" / "there.key").write_bytes((folder / "here.key").read_bytes())
    found = await starts(here, Place(here.address, folder / "there" / "there"), args.times)
    table("From the commit in one process to the claim in another", ("ms",), [[spread(found)]])


TABLES: dict[str, Callable[[postgres.Server, Path, argparse.Namespace], Awaitable[None]]] = {
    "accepts": accepts,
    "claims": claiming,
    "starts": starting,
    "kills": killed,
    "pauses": paused,
    "limited": limited,
    "writing": writing,
    "drain": drained,
    "idle": idle,
}


async def measure(server: postgres.Server, folder: Path, args: argparse.Namespace) -> None:
    """Print the tables that were asked for."""
    for name in args.only or TABLES:
        await TABLES[name](server, folder, args)


def main() -> None:
    """Start a server and measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="+", choices=TABLES, metavar="TABLE", help=f"of {', '.join(TABLES)}; default: all")
    parser.add_argument("--rounds", type=int, default=3, help="of receiving, and writing")
    parser.add_argument("--seconds", type=float, default=3.0, help="of receiving, and writing, in each round")
    peer = f"also procrastinate's defer, installed for the run; default version: {PROCRASTINATE}"
    parser.add_argument("--procrastinate", nargs="?", const=PROCRASTINATE, metavar="REQUIREMENT", help=peer)
    parser.add_argument("--backlog", type=int, default=50_000, help="events behind one client")
    parser.add_argument("--times", type=int, default=200, help="claims, and starts")
    parser.add_argument("--trials", type=int, default=2, help="kills, pauses of each kind, and answers 429; 20 take minutes")
    parser.add_argument("--lease", type=float, default=10.0, help="seconds, where processes are killed or stand still")
    parser.add_argument("--events", type=int, default=1_000, help="to drain")
    parser.add_argument(
        "--workers", type=int, nargs="+", default=[1, 2, 3], help="to drain with, and to write with; one row each"
    )
    parser.add_argument("--idle", type=float, default=20.0, help="seconds without work")
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
