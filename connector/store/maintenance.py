"""What a person or the clock does to stored events: retry, discard, prune; and the ledger of counted calls."""

from __future__ import annotations

from collections.abc import Sequence

from connector.store import tallies
from connector.store.connection import Connection, unfinished
from connector.store.database import Database
from connector.store.intents import forget_open
from connector.store.tallies import Tally

#: Rows handled per commit while pruning, so that nobody waits long for the writer.
PRUNE_BATCH = 500


class Upkeep:
    """Acts on stored events that are not part of running them."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def retry(self, ids: Sequence[int], now: float) -> list[int]:
        """Queue held, waiting or ignored events again, at once and with all their attempts; returns the ids that could be."""
        return await self._database.write(lambda connection: [i for i in ids if _retry(connection, i, now)])

    async def discard(self, ids: Sequence[int], by: str, now: float) -> list[int]:
        """Give events up for good; returns the ids that could be. A running or final event cannot be discarded."""
        return await self._database.write(lambda connection: [i for i in ids if _discard(connection, i, by, now)])

    async def prune(self, before: float) -> int:
        """Drop bodies and payloads of deliveries received before a moment whose events are all final. Ids stay."""
        total = 0
        while pruned := await self._database.write(lambda connection: _prune(self._database, connection, before)):
            total += pruned
        if total:
            await self._database.empty_wal()
        return total

    async def count_call(self, quota: str, at: float, cost: int) -> None:
        """Remember a counted call, so that a restart does not forget what was spent."""
        # Starting again after a power cut takes longer than the windows that matter.
        await self._database.write(
            lambda connection: connection.execute("INSERT INTO calls (quota, at, cost) VALUES (?, ?, ?)", (quota, at, cost)),
            durable=False,
        )

    async def forget_calls(self, before: float) -> None:
        """Drop counted calls that no window reaches any more."""
        await self._database.write(lambda connection: connection.execute("DELETE FROM calls WHERE at < ?", (before,)))

    async def count(self, kind: Tally) -> None:
        """Add one to a counter of all time."""
        await self._database.write(lambda connection: tallies.add(connection, [(kind, "", 0, 1)]))


def _retry(connection: Connection, event_id: int, now: float) -> bool:
    row = connection.execute(
        "UPDATE events SET state = 'queued', step = 'resolve', attempts = 0, failing_since = NULL, outcome = NULL,"
        " reason = 'retried by hand', hint = NULL,"
        " updated_at = ?"
        " WHERE id = ? AND state IN ('held', 'retrying', 'queued', 'ignored') AND lane_id IS NOT NULL AND payload IS NOT NULL"
        " RETURNING lane_id",
        (now, event_id),
    ).fetchone()
    if row is None:
        return False
    _wake(connection, row[0], now)
    return True


def _discard(connection: Connection, event_id: int, by: str, now: float) -> bool:
    row = connection.execute(
        "UPDATE events SET state = 'discarded', reason = 'discarded by ' || ?, hint = NULL, updated_at = ?"
        " WHERE id = ? AND state IN ('held', 'retrying', 'queued') RETURNING source, client_id, lane_id",
        (by, now, event_id),
    ).fetchone()
    if row is None:
        return False
    if row["client_id"] is not None:
        # Another event of the client may be in the middle of an effect; its intents stay.
        forget_open(connection, row["source"], row["client_id"], event_id)
        _wake(connection, row["lane_id"], now)
    return True


def _wake(connection: Connection, lane_id: int, now: float) -> None:
    """Make a lane due that nobody has claimed, whatever it waits for."""
    connection.execute(
        "UPDATE lanes SET due = ?, awaited_account = NULL, awaited_action = NULL WHERE id = ? AND boot IS NULL", (now, lane_id)
    )


def _prune(database: Database, connection: Connection, before: float) -> int:
    rows = connection.execute(
        "SELECT d.id FROM deliveries d WHERE d.received_at < ? AND d.headers IS NOT NULL AND NOT EXISTS (SELECT 1 FROM events e"
        f" WHERE e.delivery_id = d.id AND {unfinished('e.')}) ORDER BY d.received_at LIMIT ?",
        (before, PRUNE_BATCH),
    ).fetchall()
    ids = [int(row[0]) for row in rows]
    if ids:
        database.blank(connection, "deliveries", "id", ids, ("body", "headers"))
        database.blank(connection, "events", "delivery_id", ids, ("payload",))
    return len(ids)
