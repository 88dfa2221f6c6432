"""Backfill runs: what was asked, how far the walk has come, and what became of every client it saw."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from connector.model.backfills import Mode, Request
from connector.model.bookings import Event
from connector.store.connection import Connection, Row
from connector.store.database import Database
from connector.store.inbox import BACKFILL, next_delivery, queue_events
from connector.store.tallies import Tally

#: The counts of a run, in the order of the public contract.
COUNTS = ("seen", "already_linked", "matched", "created", "written_back", "held", "failed", "skipped")


@dataclass(frozen=True, slots=True)
class Run:
    """One backfill."""

    id: int
    source: str
    since: float
    until: float
    state: str
    cursor: dict[str, Any] | None
    fraction: float
    resumed: bool = False


class Backfills:
    """Runs and their progress."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def begin(self, source: str, asked: Request, since: float, until: float, by_service: bool, now: float) -> Run:
        """Go on with the unfinished run of the same request, or start one (which replaces another unfinished one)."""
        return await self._database.write(lambda connection: _begin(connection, source, asked, since, until, by_service, now))

    async def unfinished(self) -> list[tuple[str, Request]]:
        """(source, request) of the runs which a service was doing when it ended."""
        query = (
            "SELECT source, asked_since, asked_until, mode FROM backfills"
            " WHERE state IN ('walking', 'working') AND by_service = 1"
        )
        return await self._database.read(
            lambda connection: [(row["source"], _request(row)) for row in connection.execute(query)]
        )

    async def unrepaired(self) -> dict[str, float]:
        """Sources that said they had lost a delivery, and when: those for which no repair was begun since."""
        query = (
            f"SELECT t.source, t.n FROM tallies t WHERE t.kind = '{Tally.LOST_DELIVERY}' AND NOT EXISTS ("
            "SELECT 1 FROM backfills b WHERE b.source = t.source AND b.state <> 'replaced'"
            f" AND b.mode = '{Mode.CHANGES}' AND b.started_at >= t.n)"
        )
        return await self._database.read(lambda connection: {row[0]: float(row[1]) for row in connection.execute(query)})

    async def add_page(
        self, run: Run, events: Sequence[Event], cursor: dict[str, Any], fraction: float, *, every_appointment: bool, now: float
    ) -> None:
        """Queue what a page holds and store the cursor behind it, in one commit."""
        await self._database.write(
            lambda connection: _add_page(connection, run, events, json.dumps(cursor), fraction, every_appointment, now)
        )

    async def move(self, run: Run, state: str, now: float) -> None:
        """The walk is over (`working`), or everything is (`done`)."""
        await self._database.write(
            lambda connection: connection.execute(
                "UPDATE backfills SET state = ?, fraction = 1, updated_at = ? WHERE id = ?", (state, now, run.id)
            )
        )

    async def progress(self, run: Run) -> tuple[dict[str, int], int, float]:
        """(counts of distinct clients, clients still open, share of the walk done)."""
        return await self._database.read(lambda connection: _progress(connection, run))

    async def waiting(self, run: Run) -> int:
        """How many of the clients still open wait for an account or for one kind of its actions."""
        return await self._database.read(lambda connection: _waiting(connection, run))


def _request(row: Row) -> Request:
    return Request(row["asked_since"], row["asked_until"], Mode(row["mode"]))


def _begin(
    connection: Connection, source: str, asked: Request, since: float, until: float, by_service: bool, now: float
) -> Run:
    row = connection.execute(
        "SELECT * FROM backfills WHERE source = ? AND state IN ('walking', 'working')", (source,)
    ).fetchone()
    if row is not None and _request(row) == asked:
        connection.execute("UPDATE backfills SET by_service = ?, updated_at = ? WHERE id = ?", (by_service, now, row["id"]))
        cursor = json.loads(row["cursor"]) if row["cursor"] else None
        return Run(row["id"], source, row["since"], row["until"], row["state"], cursor, row["fraction"], resumed=True)
    connection.execute(
        "UPDATE backfills SET state = 'replaced' WHERE source = ? AND state IN ('walking', 'working')", (source,)
    )
    inserted = connection.execute(
        "INSERT INTO backfills (source, asked_since, asked_until, mode, since, until, state, by_service, started_at,"
        " updated_at) VALUES (?, ?, ?, ?, ?, ?, 'walking', ?, ?, ?) RETURNING id",
        (source, asked.since, asked.until, str(asked.mode), since, until, by_service, now, now),
    ).fetchone()
    return Run(inserted[0], source, since, until, "walking", None, 0.0)


def _add_page(
    connection: Connection,
    run: Run,
    events: Sequence[Event],
    cursor: str,
    fraction: float,
    every_appointment: bool,
    now: float,
) -> None:
    for event in events:
        known = connection.execute(
            "SELECT 1 FROM backfill_clients WHERE backfill_id = ? AND client_id = ?", (run.id, event.client.id)
        ).fetchone()
        if known is None or (every_appointment and event.appointment is not None):
            _add_event(connection, run, event, now, first=known is None)
    connection.execute(
        "UPDATE backfills SET cursor = ?, fraction = ?, updated_at = ? WHERE id = ?", (cursor, fraction, now, run.id)
    )


def _add_event(connection: Connection, run: Run, event: Event, now: float, *, first: bool) -> None:
    appointment = event.appointment.id if event.appointment else ""
    row = connection.execute(
        # Headers tell `prune` that there is something left to drop.
        "INSERT INTO deliveries (id, source, event, derived, type, received_at, headers) VALUES (?, ?, ?, 1, ?, ?, '{}')"
        " ON CONFLICT (source, event) DO NOTHING RETURNING id",
        (
            next_delivery(connection),
            run.source,
            f"backfill:{run.id}:{quote(event.client.id, safe='')}:{appointment}",
            event.type,
            now,
        ),
    ).fetchone()
    if row is None:
        return
    queue_events(connection, row[0], run.source, now, [event], BACKFILL)
    if first:
        connection.execute(
            "INSERT INTO backfill_clients SELECT ?, ?, id FROM events WHERE delivery_id = ?", (run.id, event.client.id, row[0])
        )


def _progress(connection: Connection, run: Run) -> tuple[dict[str, int], int, float]:
    row = connection.execute(
        "SELECT count(*),"
        " count(*) FILTER (WHERE e.state = 'done' AND e.outcome = 'already_linked'),"
        " count(*) FILTER (WHERE e.state = 'done' AND e.outcome = 'matched'),"
        " count(*) FILTER (WHERE e.state = 'done' AND e.outcome = 'created'), sum(e.written_back),"
        " count(*) FILTER (WHERE e.state = 'held' AND coalesce(e.outcome, '') <> 'failed'),"
        " count(*) FILTER (WHERE e.outcome = 'failed' OR e.state = 'discarded'),"
        " count(*) FILTER (WHERE e.state = 'ignored'), count(*) FILTER (WHERE e.state IN ('queued', 'running', 'retrying'))"
        " FROM backfill_clients c JOIN events e ON e.id = c.event_id WHERE c.backfill_id = ?",
        (run.id,),
    ).fetchone()
    counts = {name: row[index] or 0 for index, name in enumerate(COUNTS)}
    fraction = connection.execute("SELECT fraction FROM backfills WHERE id = ?", (run.id,)).fetchone()[0]
    return counts, row[8] or 0, fraction


def _waiting(connection: Connection, run: Run) -> int:
    row = connection.execute(
        "SELECT count(*) FROM backfill_clients c JOIN events e ON e.id = c.event_id JOIN lanes l ON l.id = e.lane_id"
        " WHERE c.backfill_id = ? AND e.state IN ('queued', 'retrying') AND l.awaited_account IS NOT NULL",
        (run.id,),
    ).fetchone()
    return int(row[0])
