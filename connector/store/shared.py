"""What several processes on one database share besides the queue: locks, a ledger of counted calls, and what one has found out.

Only PostgreSQL has these tables: an SQLite file belongs to one process. Everything here is written in transactions that come
one after another, so what is read before it is written is still true then.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from contextlib import suppress
from enum import StrEnum
from typing import Any, NamedTuple

from connector.model.errors import StoreError
from connector.store.connection import Connection, in_portions, marks
from connector.store.database import Database

#: The value of a shared state, and when it was written (Unix time).
Stated = tuple[dict[str, Any], float]
#: Seconds: no sooner and no later is the ledger asked again for room; others may have given some back meanwhile.
SOON, LATE = 0.05, 1.0
#: Seconds by which a process is certainly not wrong about the server's time.
SLACK = 60.0
#: Of the room that nobody has asked for, one part in so many may be counted ahead: nearly full or small windows give nothing.
AHEAD = 4
#: The first word of the notification that a remote system asked for a pause.
_PAUSE = "pause"


#: Cost of the calls that were answered so many seconds ago or less, or not yet, and when the first was answered. Two queries in
#: one: an OR would read all calls of the quota. Those without a boot id were written by a version that counted a call when it
#: was sent. The time is the server's own, read once: what a process takes for it may be wrong by more than the margin. By that
#: (and `SLACK`) the index is searched, as the planner has to know a moment.
CLOCK = "WITH clock AS (SELECT unix_now() AS now)"
COUNTED = (
    "SELECT coalesce(sum(cost), 0) AS cost, min(answered) AS first FROM ("
    "SELECT cost, done AS answered FROM calls WHERE quota = ? AND done > ? AND done > (SELECT now FROM clock) - ? UNION ALL"
    " SELECT cost, CASE WHEN boot IS NULL THEN at END FROM calls"
    " WHERE quota = ? AND done IS NULL AND (boot IS NOT NULL OR at > (SELECT now FROM clock) - ?)) AS counted"
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
        boot, since = self._database.boot, self._database.now() - SLACK
        spans = [seconds + margin for _, seconds in windows]

        def write(connection: Connection) -> Reserved:
            now, until, counted = _counted(connection, quota, spans, since)
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

    async def used(self, quota: str, windows: Sequence[tuple[int, float]], margin: float) -> list[int]:
        """What is used of each window. Raises StoreError."""
        spans, since = [seconds + margin for _, seconds in windows], self._database.now() - SLACK
        *_, counted = await self._database.read(lambda connection: _counted(connection, quota, spans, since))
        return [cost for cost, _ in counted]

    async def settle(self, calls: Sequence[tuple[int, int]]) -> None:
        """Calls (id, what it cost after all) have been answered; those of no cost were never made."""
        made = [(cost, id_) for id_, cost in calls if cost]
        unmade = [(id_,) for id_, cost in calls if not cost]

        def write(connection: Connection) -> None:
            if made:
                connection.executemany("UPDATE calls SET done = unix_now(), cost = ? WHERE id = ?", made)
            if unmade:
                connection.executemany("DELETE FROM calls WHERE id = ?", unmade)

        await self._database.write(write)

    def warn(self, quota: str, seconds: float) -> None:
        """Let all processes know at once (`pause_of`) what `block` writes down when it is this one's turn to write."""
        self._database.notify(f"{_PAUSE} {quota} {self._database.now() + seconds}")

    async def block(self, quota: str, seconds: float) -> None:
        """The remote system asked for a pause: nobody calls for so long."""

        def write(connection: Connection) -> None:
            now, before, _ = _counted(connection, quota)
            _save(connection, StateKind.QUOTA_BLOCKED, quota, {"until": max(now + seconds, before)}, now)

        await self._database.write(write)


def pause_of(text: str) -> tuple[str, float] | None:
    """The quota, and until when (Unix time) nobody may call; None where a notification is about something else."""
    what, _, rest = text.partition(" ")
    quota, _, until = rest.partition(" ")
    return (quota, float(until)) if what == _PAUSE else None


def _counted(
    connection: Connection, quota: str, spans: Sequence[float] = (), since: float = 0.0
) -> tuple[float, float, list[tuple[int, float | None]]]:
    """The server's time; until when the remote system blocks the quota; of each window (its cost, when the first was answered).

    `spans` are seconds; nothing is counted that was answered longer before `since` (Unix time). One statement, for one round
    trip: everybody who writes waits for it.
    """
    windows = "".join(f" UNION ALL SELECT {n}, '', cost, first FROM ({COUNTED}) AS w{n}" for n in range(len(spans)))
    known = "SELECT -1 AS part, max(value), 0, (SELECT now FROM clock) FROM shared_states WHERE kind = ? AND name = ?"
    values = [value for seconds in spans for value in (quota, since - seconds, seconds, quota, seconds)]
    query = f"{CLOCK} {known}{windows} ORDER BY part"
    rows = connection.execute(query, (StateKind.QUOTA_BLOCKED.value, quota, *values)).fetchall()
    (_, blocked, _, now), *found = rows
    return now, float(json.loads(blocked)["until"]) if blocked else 0.0, [(row[2], row[3]) for row in found]


def _count(connection: Connection, quota: str, now: float, costs: Sequence[int], boot: str) -> list[int]:
    """Write calls down; their ids, in the order of the costs."""
    ids: list[int] = []
    for some in in_portions(costs):
        rows = ", ".join(["(?, ?, ?, ?)"] * len(some))
        values = [value for cost in some for value in (quota, now, cost, boot)]
        written = connection.execute(f"INSERT INTO calls (quota, at, cost, boot) VALUES {rows} RETURNING id", values)
        ids += sorted(row[0] for row in written)
    return ids


class StateKind(StrEnum):
    """What a shared state is about; behind each kind: by which name, and by which part of it, there is one."""

    #: What the probe found, that another process asks for a probe, what the checks found: account.
    ACCOUNT_FOUND = "account_found"
    ACCOUNT_ASKED = "account_asked"
    ACCOUNT_CHECKED = "account_checked"
    #: Whether a kind of action is refused: account, action. That somebody asked to try all of them again: account.
    ACTION_REFUSED = "action_refused"
    ACTIONS_ASKED = "actions_asked"
    #: Until when nobody may call: quota.
    QUOTA_BLOCKED = "quota_blocked"
    #: An access token, sealed: account, digest of what it is fetched with.
    LOGIN = "login"
    #: A secret that was renewed, sealed: account.
    RENEWED = "renewed"


class SharedStates:
    """What one process has found out and all go by: JSON-able values, with the time of writing."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def save(self, kind: StateKind, name: str, value: dict[str, Any], *, part: str = "") -> float:
        """Write it over what was there; its time."""
        now = self._database.now()
        await self._database.write(lambda connection: _save(connection, kind, name, value, now, part=part))
        return now

    async def list(self, kind: StateKind) -> dict[str, Stated]:
        """Name → (value, Unix time), of a kind whose names have no parts."""
        return {name: found for (name, _), found in (await self.parts(kind)).items()}

    async def parts(self, kind: StateKind) -> dict[tuple[str, str], Stated]:
        """(Name, part) → (value, Unix time)."""
        query = "SELECT name, part, value, at FROM shared_states WHERE kind = ?"
        rows = await self._database.read(lambda connection: connection.execute(query, (kind.value,)).fetchall())
        return {(row[0], row[1]): (json.loads(row[2]), row[3]) for row in rows}


def _save(connection: Connection, kind: StateKind, name: str, value: dict[str, Any], at: float, *, part: str = "") -> None:
    connection.execute(
        "INSERT INTO shared_states (kind, name, part, value, at) VALUES (?, ?, ?, ?, ?)"
        " ON CONFLICT (kind, name, part) DO UPDATE SET value = excluded.value, at = excluded.at",
        (kind.value, name, part, json.dumps(value), at),
    )


def processes(connection: Connection) -> list[dict[str, Any]]:
    """The processes whose leases run: `role`, `host`, `pid`, `started_at` (Unix seconds); the oldest first."""
    rows = connection.execute(
        "SELECT role, host, pid, started_at FROM processes WHERE seen_at + lease >= unix_now() ORDER BY started_at"
    )
    return [{"role": row[0], "host": row[1], "pid": row[2], "started_at": row[3]} for row in rows]
