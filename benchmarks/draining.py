"""What several processes do to a backlog, and what one costs that has nothing to do: processor, memory and sessions of each."""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
from measuring import cpu_seconds, family_cpu_seconds, resident, table
from several import copy_key, listening, postgres, sandboxes, service
from world import fill

from connector.sandbox.booxi.webhooks import Target

#: Milliseconds which a sandbox takes for an answer.
LATENCY = 20
#: Seconds after the start until a process counts as idle.
SETTLED = 10.0


@dataclass
class Watched:
    """A process on the database under a user of its own, so that the server knows its sessions and statements apart."""

    name: str
    pid: int

    def sessions(self, session: psycopg.Connection[tuple[int]]) -> int:
        """How many sessions it has."""
        row = session.execute("SELECT count(*) FROM pg_stat_activity WHERE usename = %s", (self.name,)).fetchone()
        return row[0] if row is not None else 0


def as_user(server: postgres.Server, address: str, name: str, setting: str = "") -> str:
    """The address for a user of that name, who is made; `setting` is of all sessions of this user's."""
    with psycopg.connect(server.url(), autocommit=True) as session:
        session.execute(f"CREATE USER {name} SUPERUSER".encode())
        if setting:
            session.execute(f"ALTER USER {name} SET {setting}".encode())
    return address.replace("//connector@", f"//{name}@")


@asynccontextmanager
async def watched(
    server: postgres.Server, folder: Path, address: str, name: str, *, role: str, setting: str = "", remote: tuple[str, str]
) -> AsyncIterator[tuple[Watched, str]]:
    """A process with a user of its own, and its address; the folder's first one makes the key."""
    if (folder / "first").exists():
        copy_key(folder / "first", folder / name)
    place = folder / name if (folder / "first").exists() else folder / "first"
    started = service(place, as_user(server, address, name, setting), role, booxi=remote[0], hubspot=remote[1])
    async with started as (url, pid):
        yield Watched(name, pid), url


def postmaster(server: postgres.Server) -> int:
    """The process id of the server's first process."""
    return int((server.folder / "data" / "postmaster.pid").read_text().split()[0])


async def drain(server: postgres.Server, folder: Path, workers: int, events: int) -> list[str]:
    """A row of the table: so many workers with one receiver, which had stored all events before they began."""
    folder.mkdir()
    address, mark = server.fresh(), f"drain{workers}"
    async with sandboxes(LATENCY) as (booxi, hubspot), AsyncExitStack() as stack:
        booxi_url, hubspot_url = await listening(stack, booxi.app, hubspot.app)
        fill(booxi, events)

        async def start(name: str, role: str) -> tuple[Watched, str]:
            remote = (booxi_url, hubspot_url)
            return await stack.enter_async_context(watched(server, folder, address, f"{mark}_{name}", role=role, remote=remote))

        receiver, url = await start("receiver", "receiver")
        booxi.outbox.target = Target(f"{url}/webhooks/stores", token="benchmark")
        await booxi.send_webhooks(concurrency=32)
        processes, begun = [receiver], time.perf_counter()
        before = [cpu_seconds(receiver.pid), family_cpu_seconds(postmaster(server)), cpu_seconds(os.getpid())]
        processes += [(await start(f"worker{n}", "worker"))[0] for n in range(workers)]
        with psycopg.connect(address, autocommit=True) as session:
            while session.execute("SELECT count(*) FROM events WHERE state = 'done'").fetchone() != (events,):
                await asyncio.sleep(0.2)
            seconds = time.perf_counter() - begun
            sessions = [one.sessions(session) for one in processes]
        after = [cpu_seconds(receiver.pid), family_cpu_seconds(postmaster(server)), cpu_seconds(os.getpid())]
        cores = [f"{(end - start_) / seconds:.2f}" for start_, end in zip(before, after, strict=True)]
        own = [f"{cpu_seconds(one.pid) / seconds:.2f}" for one in processes[1:]]
        memory = [f"{resident(one.pid):.0f}" for one in processes]
        if (made := len(hubspot.contacts())) != events:
            raise SystemExit(f"{events} clients became {made} contacts")
        return [str(workers), f"{events / seconds:,.0f}", ", ".join(own), *cores, ", ".join(memory), _joined(sessions)]


def _joined(numbers: list[int]) -> str:
    return ", ".join(map(str, numbers))


async def drained(server: postgres.Server, folder: Path, args: argparse.Namespace) -> None:
    """Events a second by number of workers, and what each process needed for it: a whole core is all that one can use."""
    rows = [await drain(server, folder / f"drain-{workers}", workers, args.events) for workers in args.workers]
    columns = ("workers", "events a second", "cores of each worker", "of the receiver", "of PostgreSQL", "of the sandboxes")
    own = ("MB of the receiver and each worker", "sessions of the receiver and each worker")
    table(
        f"{args.events:,} new clients, remote systems of {LATENCY} ms latency, {os.cpu_count()} cores", (*columns, *own), rows
    )


async def idle(server: postgres.Server, folder: Path, args: argparse.Namespace) -> None:
    """What processes cost that have nothing to do: one alone, and a receiver with a worker."""
    with psycopg.connect(server.url(), autocommit=True) as session:
        session.execute("ALTER SYSTEM SET log_line_prefix = '%u '")
        session.execute("SELECT pg_reload_conf()")
    rows = []
    for mark, roles in (("alone", ["all"]), ("pair", ["receiver", "worker"])):
        rows += await _idle(server, folder / f"idle-{mark}", roles, args.idle)
    columns = ("role", "beside it", "processor seconds a minute", "queries a minute", "of PostgreSQL in all", "sessions", "MB")
    table(f"Idle for {args.idle:g} s", columns, rows)


async def _idle(server: postgres.Server, folder: Path, roles: list[str], seconds: float) -> list[list[str]]:
    folder.mkdir()
    address = server.fresh()
    async with sandboxes(LATENCY) as (booxi, hubspot), AsyncExitStack() as stack:
        booxi_url, hubspot_url = await listening(stack, booxi.app, hubspot.app)
        processes = []
        for role in roles:
            logged = "log_statement = 'all'"
            one = watched(server, folder, address, f"idle_{role}", role=role, setting=logged, remote=(booxi_url, hubspot_url))
            processes.append((await stack.enter_async_context(one))[0])
        await asyncio.sleep(SETTLED)
        log = server.folder / "log"
        said, server_cpu = log.stat().st_size, family_cpu_seconds(postmaster(server))
        before = [cpu_seconds(one.pid) for one in processes]
        await asyncio.sleep(seconds)
        used = [cpu_seconds(one.pid) - cpu for one, cpu in zip(processes, before, strict=True)]
        server_cpu, text = (
            family_cpu_seconds(postmaster(server)) - server_cpu,
            log.read_bytes()[said:].decode("utf-8", "replace"),
        )
        minutes = seconds / 60
        with psycopg.connect(address) as session:
            return [
                [
                    role,
                    ", ".join(other for other in roles if other != role) or "nobody",
                    f"{cpu / minutes:.2f}",
                    f"{statements(text, one.name) / minutes:,.0f}",
                    f"{server_cpu / minutes:.2f}",
                    str(one.sessions(session)),
                    f"{resident(one.pid):.0f}",
                ]
                for role, one, cpu in zip(roles, processes, used, strict=True)
            ]


def statements(log: str, user: str) -> int:
    """How many statements of a user's the server's log names; several that were sent as one text count once."""
    return len(re.findall(rf"^{re.escape(user)} LOG:  (?:statement|execute [^:]+):", log, re.MULTILINE))
