"""A process that is killed, or stands still for longer than its lease: how soon others go on, and what it sends afterwards.

Two real processes drain the same queue. One of them reaches both sandboxes at addresses of its own, so that its requests are
known as its own where they arrive.
"""

from __future__ import annotations

import argparse
import asyncio
import math
import os
import random
import signal
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from measuring import spread, table
from several import Arrivals, Counts, copy_key, listening, postgres, sandboxes, service
from world import fill

from connector.sandbox.booxi.app import BooxiSandbox
from connector.sandbox.booxi.webhooks import Target

#: New clients of one trial, and milliseconds which a sandbox takes for an answer.
CLIENTS, LATENCY = 32, 20
#: Seconds until something that does not happen ends the run, and for which a process that woke up is watched.
PATIENCE, WATCHED = 120.0, 1.5
_ALL_DONE = "SELECT count(*) = 0 FROM events WHERE state <> 'done'"


@dataclass(frozen=True)
class Trial:
    """Leases until the lanes were taken over, lanes that it held, leases for which it stood still, what arrived."""

    taken_over: float
    lanes: int
    stood_still: float
    counts: Counts


class Pair:
    """One process that stays, and beside it a new one for each trial."""

    def __init__(self, folder: Path, address: str, lease: float, booxi: BooxiSandbox, arrivals: Arrivals) -> None:
        self._folder, self._address, self._lease = folder, address, lease
        self._booxi, self._arrivals = booxi, arrivals
        self._session = psycopg.connect(address, autocommit=True)
        self._rng = random.Random(1)
        self.clients = 0

    async def trial(self, watched: list[str], sign: signal.Signals, *, at_once: bool = False) -> Trial:
        """Start the process, strike it while it works, and see the other one finish the work.

        A process that only stands still is woken then, or `at_once` when its work was taken over and is being done.
        """
        folder = self._folder / f"other-{self.clients}"
        copy_key(self._folder / "stays", folder)
        other = service(folder, self._address, "worker", booxi=watched[0], hubspot=watched[1], lease=self._lease)
        async with other as (_, pid):
            self._arrivals.seen.clear()
            struck = await self._strike(pid, sign)
            # What the server had been asked to do has been done.
            await asyncio.sleep(0.2)
            boot, lease_end = self._one("SELECT boot, seen_at + lease FROM processes WHERE pid = %s", pid)
            (lanes,) = self._one("SELECT count(*) FROM lanes WHERE boot = %s", boot)
            await self._until("SELECT count(*) = 0 FROM lanes WHERE boot = %s", boot)
            taken_over = time.time() - struck
            if not at_once:
                await self._until(_ALL_DONE)
            stood_still, until = time.time() - struck, math.inf
            if sign == signal.SIGSTOP:
                os.kill(pid, signal.SIGCONT)
                await self._until("SELECT count(*) = 1 FROM processes WHERE pid = %s AND boot <> %s", pid, boot)
                await self._until(_ALL_DONE)
                if at_once:  # it may claim again since it has a new row
                    (until,) = self._one("SELECT started_at FROM processes WHERE pid = %s", pid)
                else:
                    await asyncio.sleep(WATCHED)
            counts = self._arrivals.after(struck, lease_end, until)
        return Trial(taken_over / self._lease, lanes, stood_still / self._lease, counts)

    async def _strike(self, pid: int, sign: signal.Signals) -> float:
        """Bring new clients, and answer when the process was struck: at a request's arrival, or a moment after it."""
        struck: asyncio.Future[float] = asyncio.get_running_loop().create_future()

        def strike() -> None:
            os.kill(pid, sign)
            struck.set_result(time.time())

        def soon() -> None:
            if wait := self._rng.choice([0.0, self._rng.uniform(0, 2 * LATENCY / 1000)]):
                asyncio.get_running_loop().call_later(wait, strike)
            else:
                strike()

        self._arrivals.strike_at(self._rng.randrange(4, 40), soon)
        fill(self._booxi, CLIENTS, self.clients)
        self.clients += CLIENTS
        sending = asyncio.create_task(self._booxi.send_webhooks(concurrency=CLIENTS))
        async with asyncio.timeout(PATIENCE):
            at = await struck
        await sending
        return at

    def _one(self, query: str, *values: Any) -> Any:
        return self._session.execute(query.encode(), values).fetchone()

    async def _until(self, query: str, *values: Any) -> None:
        async with asyncio.timeout(PATIENCE):
            while not self._one(query, *values)[0]:
                await asyncio.sleep(0.01)

    def close(self) -> None:
        """End the session that looks."""
        self._session.close()


async def trials(
    server: postgres.Server, folder: Path, args: argparse.Namespace, sign: signal.Signals, *, at_once: bool = False
) -> list[Trial]:
    """So many trials in which the process held lanes; ends the run where a client was lost or made twice."""
    folder.mkdir()
    lease: float = args.lease
    found: list[Trial] = []
    async with sandboxes(LATENCY) as (booxi, hubspot), AsyncExitStack() as stack:
        address, arrivals = server.fresh(), Arrivals()
        booxi_url, hubspot_url = await listening(stack, booxi.app, hubspot.app)
        watched = await listening(stack, arrivals.before(booxi.app), arrivals.before(hubspot.app))
        stays = service(folder / "stays", address, "all", booxi=booxi_url, hubspot=hubspot_url, lease=lease)
        url, _ = await stack.enter_async_context(stays)
        booxi.outbox.target = Target(f"{url}/webhooks/stores", token="benchmark")
        pair = Pair(folder, address, lease, booxi, arrivals)
        stack.callback(pair.close)
        while len(found) < args.trials:
            one = await pair.trial(watched, sign, at_once=at_once)
            found += [one] if one.lanes else []
        made, linked = len(hubspot.contacts()), len(booxi.links())
        if (made, linked) != (pair.clients, pair.clients):
            raise SystemExit(f"{pair.clients} clients became {made} contacts and {linked} links")
    return found


async def killed(server: postgres.Server, folder: Path, args: argparse.Namespace) -> None:
    """From `kill -9` until another process has taken back what the dead one was doing."""
    found = await trials(server, folder / "killed", args, signal.SIGKILL)
    rows = [[str(len(found)), f"{args.lease:g}", spread([one.taken_over for one in found]), _lanes(found)]]
    columns = ("times", "lease in s", "leases until the take-over", "lanes held")
    table("A process is killed: median (minimum–maximum)", columns, rows)


async def paused(server: postgres.Server, folder: Path, args: argparse.Namespace) -> None:
    """What arrives at the remote systems from a process that stood still until others had its work."""
    rows = []
    for when, at_once in (("its work was done", False), ("its work was taken over", True)):
        found = await trials(server, folder / f"paused-{at_once}", args, signal.SIGSTOP, at_once=at_once)
        counts = [one.counts for one in found]
        arrived = [
            sum(one.on_the_wire for one in counts),
            sum(one.writes for one in counts),
            sum(one.reads for one in counts),
            sum(one.begun_before for one in counts),
        ]
        rows.append([when, str(len(found)), spread([one.stood_still for one in found], 1), _lanes(found), *map(str, arrived)])
    late = "complete after the lease"
    before = ("woken when", "times", "stood still, leases", "lanes held", "requests on the wire at the stop")
    columns = (*before, f"writes {late}", f"reads {late}", "of these begun before")
    table(f"A process stands still and wakes up, lease of {args.lease:g} s", columns, rows)


def _lanes(found: list[Trial]) -> str:
    return spread([one.lanes for one in found], 0)
