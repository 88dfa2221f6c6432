"""The ledger of the service on tables in memory: several processes with their own round trips, in virtual time."""

from __future__ import annotations

import asyncio
import hashlib
import sqlite3
from collections.abc import Callable, Sequence
from typing import Any

from connector.model.errors import StoreError
from connector.remote.rate_limit import Window
from connector.remote.shared_quota import SharedQuota
from connector.store.sealing import seal, unseal
from connector.store.shared import Ledger, pause_of

_TABLES = """
CREATE TABLE calls (id INTEGER PRIMARY KEY, quota TEXT, at REAL, cost INTEGER, boot TEXT, done REAL);
CREATE TABLE locks (key TEXT PRIMARY KEY, boot TEXT);
CREATE TABLE shared_states (
    kind TEXT, name TEXT, part TEXT DEFAULT '', value TEXT, at REAL, PRIMARY KEY (kind, name, part)
);
"""


class Server:
    """The tables that all processes share; the clock is the loop's."""

    def __init__(self) -> None:
        self.tables = sqlite3.connect(":memory:", isolation_level=None)
        self.tables.executescript(_TABLES)
        self.processes: list[Process] = []
        self.tables.create_function("unix_now", 0, asyncio.get_running_loop().time)

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *_error: object) -> None:
        self.tables.close()

    def ask(self, sql: str, *values: Any) -> list[Any]:
        """What a query answers now."""
        return self.tables.execute(sql, values).fetchall()

    def take_over(self, boot: str) -> None:
        """What others do with the calls of a process whose lease has run out; see `store.postgres.processes.ended`."""
        now = asyncio.get_running_loop().time()
        self.ask("UPDATE calls SET done = ? WHERE done IS NULL AND boot = ?", now, boot)


class Process:
    """One process: what its ledger uses of a database. Each of its round trips takes the next of `trips` (seconds)."""

    def __init__(self, server: Server, boot: str, trips: Sequence[float] = (0.0,)) -> None:
        self.server, self.boot, self.trips = server, boot, trips
        #: Whether its lease runs, whether it cannot reach the server, and whether it hears what others notify.
        self.holds, self.away, self.hears = True, False, True
        server.processes.append(self)
        self.quotas: list[SharedQuota] = []
        self.written = 0
        #: By how much (seconds) it is wrong about the server's time.
        self.wrong = 0.0

    def now(self) -> float:
        return asyncio.get_running_loop().time() + self.wrong

    def check_lease(self) -> None:
        if not self.holds:
            raise StoreError("The lease has run out.")

    def notify(self, text: str) -> None:
        """All processes hear it with their next turn of the loop."""
        for process in self.server.processes:
            if process.hears:
                asyncio.get_running_loop().call_soon(process.heard, text)

    def heard(self, text: str) -> None:
        """Do what `worker.taking_part` does with a pause."""
        quota, until = pause_of(text) or ("", 0.0)
        assert quota == "q"
        for one in self.quotas:
            one.pause(until - self.now())

    async def write(self, operation: Callable[[Any], Any]) -> Any:
        trip = self.trips[self.written % len(self.trips)]
        self.written += 1
        await asyncio.sleep(trip / 2)
        if self.away:
            raise StoreError("The server is away.")
        result = operation(self.server.tables)
        await asyncio.sleep(trip / 2)
        return result

    async def read(self, query: Callable[[Any], Any]) -> Any:
        return await self.write(query)

    def keyed(self, key: str) -> str:
        return hashlib.sha256(key.encode()).hexdigest()

    def seal(self, text: str, name: str) -> str:
        return seal(b"the secret of the installation", text, name)

    def unseal(self, sealed: str, name: str) -> str:
        return unseal(b"the secret of the installation", sealed, name)

    def quota(self, *windows: Window) -> SharedQuota:
        """The quota of one key, as this process counts it."""
        clock = asyncio.get_running_loop().time
        self.quotas.append(SharedQuota("q", windows, ledger=Ledger(self), clock=clock))  # type: ignore[arg-type]
        return self.quotas[-1]
