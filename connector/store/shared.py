"""What several processes on one database share besides the queue: locks, a ledger of counted calls, and what one has found out.

Only PostgreSQL has these tables: an SQLite file belongs to one process. Everything here is written in transactions that come
one after another, so what is read before it is written is still true then.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

from connector.model.errors import StoreError
from connector.store.connection import Connection, in_portions, marks
from connector.store.database import Database

#: Seconds: no sooner and no later is the ledger asked again for room; others may have given some back meanwhile.
SOON, LATE = 0.05, 1.0
#: Of the room that nobody has asked for, one part in so many may be counted ahead: nearly full or small windows give nothing.
AHEAD = 4


#: Cost of the calls that were answered since a moment or not yet, and when the first was answered. Two queries in one: an OR
#: would read all calls of the quota. Those without a boot id were written by a version that counted a call when it was sent.
COUNTED = (
    "SELECT coalesce(sum(cost), 0) AS cost, min(answered) AS first FROM ("
    "SELECT cost, done AS answered FROM calls WHERE quota = ? AND done > ? UNION ALL"
    " SELECT cost, CASE WHEN boot IS NULL THEN at END FROM calls"
    " WHERE quota = ? AND done IS NULL AND (boot IS NOT NULL OR at > ?)) AS counted"
)


class Locks:
    """Locks that end with the process that holds them. Keys of persons are stored as the database stores them elsewhere."""

    def __init__(self, database: Database) -> None:
        self._database = database
        #: What this process holds or is about to take, and what it could not give up.
        self._held: set[str] = set()
        self._left: set[str] = set()

    async def take(self, keys: Collection[str]) -> bool:
        """Take all of them, or none; False where another process holds one. This process must not hold any of them."""
        keyed, boot = [self._database.keyed(key) for key in keys], self._database.boot
        self._held.update(keyed)
        taken = False
        try:
            taken = await self._database.write(lambda connection: _take(connection, keyed, boot))
        finally:
            if not taken:
                self._give_up(keyed)
        return taken

    async def are_held(self, keys: Collection[str]) -> bool:
        """Whether some process holds one of them."""
        keyed = [self._database.keyed(key) for key in keys]
        query = f"SELECT 1 FROM locks WHERE key IN ({marks(keyed)}) LIMIT 1"
        return await self._database.read(lambda connection: connection.execute(query, keyed).fetchone() is not None)

    async def release(self, keys: Collection[str]) -> None:
        """Give them up; where the database cannot, `tidy` does it later."""
        self._give_up([self._database.keyed(key) for key in keys])
        with suppress(StoreError):
            await self.tidy()

    def forget(self) -> None:
        """Others have taken over: nothing is held any more."""
        self._held.clear()
        self._left.clear()

    def _give_up(self, keyed: Collection[str]) -> None:
        self._held.difference_update(keyed)
        self._left.update(keyed)

    async def tidy(self) -> None:
        """Give up what earlier releases have left. Raises StoreError."""
        left, boot = self._left - self._held, self._database.boot
        if not left:
            return
        self._left -= left
        query = f"DELETE FROM locks WHERE boot = ? AND key IN ({marks(left)})"
        try:
            # Whoever takes one of them from here on comes after this statement.
            await self._database.write(lambda connection: connection.execute(query, (boot, *left)))
        except StoreError:
            self._left |= left
            raise


def _take(connection: Connection, keys: Sequence[str], boot: str) -> bool:
    # One of our own is a lock that could not be given up: nobody in this process uses it any more.
    query = f"SELECT 1 FROM locks WHERE boot <> ? AND key IN ({marks(keys)}) LIMIT 1"
    if connection.execute(query, (boot, *keys)).fetchone() is not None:
        return False
    connection.executemany("INSERT INTO locks VALUES (?, ?) ON CONFLICT (key) DO NOTHING", [(key, boot) for key in keys])
    return True


class Reserved(NamedTuple):
    """What the ledger answers: the ids of the calls that may be sent, and how much of each window is used now.

    `wait` is the seconds after which the next one may fit, 0 where all fitted; `blocked`, whether the remote asked for it.
    `ahead` are ids of calls that cost 1 and were not asked for yet; they may be sent as long as `Ledger.lease` is `lease`.
    """

    ids: list[int]
    wait: float
    used: list[int]
    blocked: bool = False
    ahead: Sequence[int] = ()
    lease: str = ""


class Ledger:
    """Every call that counts in a quota, of all processes: from the moment it may be sent until it has left every window."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def lease(self) -> str:
        """Names the lease under which this process counts calls; empty where others may have taken over."""
        try:
            self._database.check_lease()
        except StoreError:
            return ""
        return self._database.boot

    async def reserve(
        self, quota: str, windows: Sequence[tuple[int, float]], costs: Sequence[int], margin: float, ahead: int = 0
    ) -> Reserved:
        """Write down as many of the calls, in their order, as fit into every window of (cost, seconds); `margin` in seconds.

        `ahead` more are written down where all fit and there is ample room: a part of what nobody has asked for.
        """
        boot, now = self._database.boot, self._database.now()

        def write(connection: Connection) -> Reserved:
            until, counted = _counted(connection, quota, [now - seconds - margin for _, seconds in windows])
            if until > now:
                return Reserved([], until - now, [], blocked=True)
            used, granted, wait = [cost for cost, _ in counted], list[int](), 0.0
            for cost in costs:
                # A call that costs more than a window has may go alone; it would wait for ever.
                full = [index for index, (most, _) in enumerate(windows) if used[index] and used[index] + cost > most]
                if full:
                    waits = [(counted[i][1] or now) + windows[i][1] + margin - now for i in full]
                    wait = min(max(*waits, SOON), LATE)
                    break
                granted.append(cost)
                used = [one + cost for one in used]
            free = min((most - one for one, (most, _) in zip(used, windows, strict=True)), default=0)
            more = 0 if wait else max(min(ahead, free // AHEAD), 0)
            ids = _count(connection, quota, now, granted + [1] * more, boot)
            return Reserved(ids[: len(granted)], wait, [one + more for one in used], ahead=ids[len(granted) :], lease=boot)

        return await self._database.write(write)

    async def settle(self, calls: Sequence[tuple[int, int]]) -> None:
        """Calls (id, what it cost after all) have been answered; those of no cost were never made."""
        now = self._database.now()
        made = [(now, cost, id_) for id_, cost in calls if cost]
        unmade = [(id_,) for id_, cost in calls if not cost]

        def write(connection: Connection) -> None:
            if made:
                connection.executemany("UPDATE calls SET done = ?, cost = ? WHERE id = ?", made)
            if unmade:
                connection.executemany("DELETE FROM calls WHERE id = ?", unmade)

        await self._database.write(write)

    async def block(self, quota: str, seconds: float) -> None:
        """The remote system asked for a pause: nobody calls for so long."""
        until = self._database.now() + seconds

        def write(connection: Connection) -> None:
            before, _ = _counted(connection, quota, ())
            _save(connection, f"blocked:{quota}", {"until": max(until, before)}, until)

        await self._database.write(write)


def _counted(connection: Connection, quota: str, since: Sequence[float]) -> tuple[float, list[tuple[int, float | None]]]:
    """Until when the remote system blocks the quota, and of each window (cost of its calls, when the first was answered).

    One statement, for one round trip: everybody who writes waits for it.
    """
    windows = "".join(f" UNION ALL SELECT {n}, '', cost, first FROM ({COUNTED}) AS w{n}" for n in range(len(since)))
    query = f"SELECT -1 AS part, max(value) AS value, 0, 0.0 FROM shared_states WHERE name = ?{windows} ORDER BY part"
    values = [value for at in since for value in (quota, at, quota, at)]
    (_, blocked, *_), *found = connection.execute(query, (f"blocked:{quota}", *values)).fetchall()
    return float(json.loads(blocked)["until"]) if blocked else 0.0, [(row[2], row[3]) for row in found]


def _count(connection: Connection, quota: str, now: float, costs: Sequence[int], boot: str) -> list[int]:
    """Write calls down; their ids, in the order of the costs."""
    ids: list[int] = []
    for some in in_portions(costs):
        rows = ", ".join(["(?, ?, ?, ?)"] * len(some))
        values = [value for cost in some for value in (quota, now, cost, boot)]
        written = connection.execute(f"INSERT INTO calls (quota, at, cost, boot) VALUES {rows} RETURNING id", values)
        ids += sorted(row[0] for row in written)
    return ids


class SharedStates:
    """What one process has found out and all go by, by name: JSON-able values, with the time of writing."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def save(self, name: str, value: dict[str, Any]) -> float:
        """Write it over what was there; its time."""
        now = self._database.now()
        await self._database.write(lambda connection: _save(connection, name, value, now))
        return now

    async def list(self, prefix: str) -> dict[str, tuple[dict[str, Any], float]]:
        """Name without the prefix → (value, Unix time)."""
        query = "SELECT name, value, at FROM shared_states WHERE substr(name, 1, ?) = ?"
        rows = await self._database.read(lambda connection: connection.execute(query, (len(prefix), prefix)).fetchall())
        return {row[0].removeprefix(prefix): (json.loads(row[1]), row[2]) for row in rows}


def _save(connection: Connection, name: str, value: dict[str, Any], at: float) -> None:
    connection.execute(
        "INSERT INTO shared_states VALUES (?, ?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value, at = excluded.at",
        (name, json.dumps(value), at),
    )


def processes(connection: Connection) -> list[dict[str, Any]]:
    """The processes whose leases run: `role`, `host`, `pid`, `started_at` (Unix seconds); the oldest first."""
    rows = connection.execute(
        "SELECT role, host, pid, started_at FROM processes WHERE seen_at + lease >= unix_now() ORDER BY started_at"
    )
    return [{"role": row[0], "host": row[1], "pid": row[2], "started_at": row[3]} for row in rows]
