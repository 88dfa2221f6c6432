"""Intake: one row per delivery, one per event drawn from it, and the lane that orders them."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from connector.appointments import Event, Reading
from connector.store.database import Batched, Database

T = TypeVar("T")

#: Lanes with live events go before lanes that only the backfill filled.
LIVE, BACKFILL = 0, 1
#: Rows of one INSERT: SQLite's own limit is 32,766 values a statement, and one delivery may name thousands of clients.
ROWS = 500


@dataclass(frozen=True, slots=True)
class Delivery:
    """One verified webhook request, as it arrived, with what the adapter made of it.

    `event` is the id used for de-duplication: the sender's own, or one derived from the body (`derived`).
    `received_at` is Unix time in seconds.
    """

    source: str
    event: str
    derived: bool
    headers: dict[str, str]
    body: bytes
    received_at: float
    reading: Reading


class Inbox:
    """Where deliveries become durable."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._insert = Batched(_insert_deliveries)

    async def accept(self, delivery: Delivery) -> str:
        """Store a delivery; returns `queued`, `duplicate`, `ignored` or `held` once it is on the disk.

        Raises:
            Overloaded: there is no room now. StoreError: the database cannot store it. Nothing was stored then.
        """
        status: str = await self._database.batch(self._insert, (delivery, _rows(delivery)))
        return status

    async def read_again(self, event_id: int, reading: Reading) -> bool:
        """Replace a held delivery's placeholder by the events which a newer reading finds in it."""
        return await self._database.write(lambda connection: _read_again(connection, event_id, reading))


def _rows(delivery: Delivery) -> list[tuple[str | None, str, str, str | None, str | None, str | None]]:
    """(client id, type, state, payload, reason, hint) of each event; encoded here to keep the writer thread short."""
    reading = delivery.reading
    if reading.events:
        return [(e.client.id, e.type, "queued", e.model_dump_json(), None, None) for e in reading.events]
    if reading.held is not None:
        return [(None, reading.type, "held", None, reading.held, reading.hint)]
    return [(None, reading.type, "ignored", None, reading.ignored or "nothing in it concerns us", reading.hint)]


def _insert_deliveries(connection: sqlite3.Connection, items: list[Any]) -> list[str]:
    fresh: dict[tuple[str, str], int] = {
        (row[1], row[2]): row[0]
        for row in connection.execute(
            "INSERT INTO deliveries (source, event, derived, type, received_at, headers, body) VALUES "
            + ", ".join(["(?, ?, ?, ?, ?, ?, ?)"] * len(items))
            + " ON CONFLICT DO NOTHING RETURNING id, source, event",
            [
                value
                for d, _ in items
                for value in (d.source, d.event, d.derived, d.reading.type, d.received_at, json.dumps(d.headers), d.body)
            ],
        )
    }
    statuses, events = [], []
    for delivery, rows in items:
        delivery_id = fresh.pop((delivery.source, delivery.event), None)
        if delivery_id is None:
            statuses.append("duplicate")
            connection.execute(
                "UPDATE deliveries SET duplicates = duplicates + 1 WHERE source = ? AND event = ?",
                (delivery.source, delivery.event),
            )
        else:
            statuses.append(rows[0][2])
            events += [(delivery_id, delivery.source, delivery.received_at, *row) for row in rows]
    if events:
        lanes = open_lanes(connection, [(e[1], e[3], e[2]) for e in events if e[3] is not None], LIVE)
        _insert_events(connection, events, lanes)
    _count(connection, [delivery for delivery, _ in items])
    return statuses


def _count(connection: sqlite3.Connection, deliveries: Sequence[Delivery]) -> None:
    last = {delivery.source: delivery.received_at for delivery in deliveries}
    connection.executemany(
        "INSERT INTO tallies (hour, name, n) VALUES (0, 'last:' || ?, ?) ON CONFLICT DO UPDATE SET n = excluded.n",
        [(source, int(at)) for source, at in last.items()],
    )
    tally(connection, deliveries[-1].received_at, Counter({"received": len(deliveries)}))


def open_lanes(
    connection: sqlite3.Connection, wanted: Sequence[tuple[str, str, float]], priority: int
) -> dict[tuple[str, str], int]:
    """Make sure each (source, client id, now) has a lane that is due; a lane that waits for its head keeps its time."""
    found: dict[tuple[str, str], int] = {}
    for some in _in_portions(wanted):
        rows = connection.execute(
            "INSERT INTO lanes (source, client_id, due, priority) VALUES "
            + ", ".join(["(?, ?, ?, ?)"] * len(some))
            + " ON CONFLICT DO UPDATE SET priority = min(lanes.priority, excluded.priority), due = CASE"
            " WHEN lanes.waits_for IS NOT NULL OR lanes.boot IS NOT NULL THEN lanes.due"
            " ELSE coalesce(lanes.due, excluded.due) END"
            " RETURNING source, client_id, id",
            [value for source, client, now in some for value in (source, client, now, priority)],
        )
        found.update({(row[0], row[1]): row[2] for row in rows})
    return found


def _in_portions(rows: Sequence[T]) -> Iterator[Sequence[T]]:
    return (rows[start : start + ROWS] for start in range(0, len(rows), ROWS))


def _insert_events(connection: sqlite3.Connection, events: Sequence[Any], lanes: dict[tuple[str, str], int]) -> None:
    for some in _in_portions(events):
        connection.execute(
            "INSERT INTO events"
            " (delivery_id, lane_id, source, client_id, type, state, received_at, updated_at, payload, reason, hint) VALUES "
            + ", ".join(["(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"] * len(some)),
            [
                value
                for id_, source, at, client, type_, state, payload, reason, hint in some
                for value in (id_, lanes.get((source, client)), source, client, type_, state, at, at, payload, reason, hint)
            ],
        )
    tally(connection, 0, Counter(event[5] for event in events))


def tally(connection: sqlite3.Connection, at: float, counts: Counter[str]) -> None:
    """Add to the counters of an hour (or, with `at` 0, of all time)."""
    connection.executemany(
        "INSERT INTO tallies (hour, name, n) VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET n = n + excluded.n",
        [(int(at // 3600), name, n) for name, n in counts.items()],
    )


def _read_again(connection: sqlite3.Connection, event_id: int, reading: Reading) -> bool:
    row = connection.execute(
        "SELECT delivery_id, source, received_at FROM events WHERE id = ? AND state = 'held' AND lane_id IS NULL", (event_id,)
    ).fetchone()
    if row is None or not reading.events:
        return False
    lanes = open_lanes(connection, [(row["source"], e.client.id, row["received_at"]) for e in reading.events], LIVE)
    first, *others = reading.events
    connection.execute(
        "UPDATE events SET lane_id = ?, client_id = ?, type = ?, payload = ?, state = 'queued', reason = NULL, hint = NULL"
        " WHERE id = ?",
        (lanes[row["source"], first.client.id], first.client.id, first.type, first.model_dump_json(), event_id),
    )
    insert_queued(connection, row["delivery_id"], row["source"], row["received_at"], others, lanes)
    return True


def insert_queued(
    connection: sqlite3.Connection,
    delivery_id: int,
    source: str,
    at: float,
    events: Iterable[Event],
    lanes: dict[tuple[str, str], int],
) -> None:
    """Insert waiting events of one delivery whose lanes are open."""
    rows = [(delivery_id, source, at, e.client.id, e.type, "queued", e.model_dump_json(), None, None) for e in events]
    if rows:
        _insert_events(connection, rows, lanes)
