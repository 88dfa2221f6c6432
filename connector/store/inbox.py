"""Intake: one row per delivery, one per event drawn from it, and the lane that orders them."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from itertools import chain
from typing import Any

from msgspec.json import encode

from connector.model.bookings import Event, Reading, write_event
from connector.model.deliveries import Delivery
from connector.store import tallies
from connector.store.connection import Connection, Row, in_portions
from connector.store.database import Batched, Database
from connector.store.tallies import Tally, TallyRow, hour_of

#: Lanes with live events go before lanes that only the backfill filled.
LIVE, BACKFILL = 0, 1

_INSERT = "INSERT INTO deliveries (id, source, event, derived, type, received_at, headers, body, digest)"
_KEEP_FIRST = "ON CONFLICT (source, event) DO NOTHING"


class Inbox:
    """Where deliveries become durable."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._insert = Batched(_insert_deliveries)

    async def accept(self, delivery: Delivery) -> str:
        """Store a delivery; returns `queued`, `duplicate`, `ignored` or `held` once it is on the disk.

        An id seen before is a duplicate only with the same body; with another one it is stored as a further event.

        Raises:
            Overloaded: there is no room now. StoreError: the database cannot store it. Nothing was stored then.
        """
        status: str = await self._database.batch(self._insert, (delivery, _rows(delivery), _digest(delivery.body)))
        return status

    async def read_again(self, event_id: int, reading: Reading) -> bool:
        """Replace a held delivery's placeholder by the events which a newer reading finds in it."""
        return await self._database.write(lambda connection: _read_again(connection, event_id, reading))


def _rows(delivery: Delivery) -> list[tuple[str | None, str, str, str | None, str, str]]:
    """(client id, type, state, payload, reason, hint) of each event; encoded here to keep the writer thread short."""
    reading = delivery.reading
    if reading.events:
        return [(e.client.id, e.type, "queued", write_event(e), "", "") for e in reading.events]
    if reading.held is not None:
        return [(None, reading.type, "held", None, reading.held, reading.hint)]
    return [(None, reading.type, "ignored", None, reading.ignored or "it holds nothing to process", reading.hint)]


def _digest(body: bytes) -> bytes:
    """Tells bodies of one sender under one id apart; sixteen bytes are more than enough for that."""
    return hashlib.sha256(body).digest()[:16]


def _insert_deliveries(connection: Connection, items: list[Any]) -> list[str]:
    """Insert a batch with as few statements as there are tables.

    Between two statements the writer must get hold of the interpreter again, which the busy event loop also wants: rows
    that are fetched or executed one by one would cost more than the disk does.
    """
    first = next_delivery(connection)
    inserted = 0
    for some in in_portions(list(enumerate(items, first))):
        values = _flat([_columns(number, delivery, delivery.event, digest) for number, (delivery, _, digest) in some])
        inserted += connection.execute(f"{_INSERT} VALUES {_rows_of(9, len(some))} {_KEEP_FIRST}", values).rowcount
    fresh = set(range(first, first + len(items)))
    if inserted < len(items):
        fresh = {row[0] for row in connection.execute("SELECT id FROM deliveries WHERE id >= ?", (first,))}
    statuses, events = [], []
    for delivery_id, (delivery, rows, digest) in enumerate(items, first):
        if delivery_id in fresh or _is_another(connection, delivery_id, delivery, digest):
            statuses.append(rows[0][2])
            events += [(delivery_id, delivery.source, delivery.received_at, *row) for row in rows]
        else:
            statuses.append("duplicate")
    if events:
        open_lanes(connection, [(e[1], e[3], e[2]) for e in events if e[3] is not None], LIVE)
        _insert_events(connection, events)
    _count([delivery for delivery, *_ in items], events, connection)
    return statuses


def next_delivery(connection: Connection) -> int:
    """The id of the next delivery, one more than any before: none is ever removed, and only one process writes."""
    return 1 + int(connection.execute("SELECT coalesce(max(id), 0) FROM deliveries").fetchone()[0])


def _columns(delivery_id: int, delivery: Delivery, event: str, digest: bytes) -> tuple[Any, ...]:
    headers, kind = encode(delivery.headers).decode(), delivery.reading.type
    # A number, because sqlite3 looks for a way to adapt each bool.
    derived = int(delivery.derived)
    return (delivery_id, delivery.source, event, derived, kind, delivery.received_at, headers, delivery.body, digest)


def _flat(rows: Sequence[Sequence[Any]]) -> list[Any]:
    """The values of all rows, one after the other."""
    return list(chain.from_iterable(rows))


def _is_another(connection: Connection, delivery_id: int, delivery: Delivery, digest: bytes) -> bool:
    """Store a delivery under an id that was used before, if it is another one; count it as a duplicate otherwise."""
    known = connection.execute(
        "SELECT digest, body FROM deliveries WHERE source = ? AND event = ?", (delivery.source, delivery.event)
    ).fetchone()
    event = delivery.event
    if not delivery.derived and _differs(known, delivery.body, digest):
        event = f"{delivery.event}#{digest.hex()}"
        values = _columns(delivery_id, delivery, event, digest)
        if connection.execute(f"{_INSERT} VALUES {_rows_of(9, 1)} {_KEEP_FIRST}", values).rowcount:
            tallies.add(connection, [(Tally.REUSED_ID, delivery.source, 0, 1)])
            return True
    connection.execute(
        "UPDATE deliveries SET duplicates = duplicates + 1 WHERE source = ? AND event = ?", (delivery.source, event)
    )
    return False


def _differs(known: Row, body: bytes, digest: bytes) -> bool:
    """Whether the stored body is another one; the same JSON in another spelling is not, and neither is one that is gone."""
    if known["digest"] == digest or known["body"] == body:
        return False
    if known["body"] is None:
        return known["digest"] is not None
    try:
        return bool(json.loads(known["body"]) != json.loads(body))
    except (ValueError, RecursionError):
        return True


def _count(deliveries: Sequence[Delivery], events: Sequence[Any], connection: Connection) -> None:
    """Bring the counters up to date: of all time by state, of this hour, and when each source was heard last."""
    added: list[TallyRow] = [(state, "", 0, number) for state, number in Counter(event[5] for event in events).items()]
    hour = hour_of(deliveries[-1].received_at)
    added.append((Tally.RECEIVED, "", hour, len(deliveries)))
    if held := sum(event[5] == "held" for event in events):
        added.append(("held", "", hour, held))
    last = {delivery.source: int(delivery.received_at) for delivery in deliveries}
    added += [(Tally.LAST_DELIVERY, source, 0, at) for source, at in last.items()]
    # Committed with the delivery: what was lost before it has to be read also if the process ends now.
    lost = {delivery.source: int(delivery.received_at) for delivery in deliveries if delivery.reading.lost_before}
    added += [(Tally.LOST_DELIVERY, source, 0, at) for source, at in lost.items()]
    tallies.add(connection, added)


@lru_cache(maxsize=64)
def _rows_of(columns: int, rows: int) -> str:
    """The placeholders of a VALUES clause."""
    return ", ".join(["(" + ", ".join("?" * columns) + ")"] * rows)


def open_lanes(connection: Connection, wanted: Sequence[tuple[str, str, float]], priority: int) -> None:
    """Make sure each (source, client id, now) has a lane that is due; a lane that waits for its head keeps its time."""
    # Each lane once: one statement cannot change a row that it has just inserted, in every database.
    first = {(source, client): (source, client, now) for source, client, now in reversed(wanted)}
    for some in in_portions(list(first.values())):
        connection.execute(
            f"INSERT INTO lanes (source, client_id, due, priority) VALUES {_rows_of(4, len(some))}"
            " ON CONFLICT (source, client_id) DO UPDATE SET due = CASE"
            " WHEN lanes.awaited_account IS NOT NULL OR lanes.boot IS NOT NULL THEN lanes.due"
            " ELSE coalesce(lanes.due, excluded.due) END,"
            " priority = CASE WHEN lanes.priority < excluded.priority THEN lanes.priority ELSE excluded.priority END",
            _flat([(source, client, now, priority) for source, client, now in some]),
        )


def _insert_events(connection: Connection, events: Sequence[Any]) -> None:
    """Insert (delivery id, source, received at, client id, type, state, payload, reason, hint), into lanes that are open.

    An empty reason or hint is none: sqlite3 looks for a way to adapt each None, and most events have neither.
    """
    for some in in_portions(events):
        connection.execute(
            "INSERT INTO events"
            " (delivery_id, lane_id, source, client_id, type, state, received_at, updated_at, payload, reason, hint)"
            # Ids are given in the order of the values, which a join need not keep.
            " SELECT v.column1, (SELECT id FROM lanes WHERE source = v.column2 AND client_id = v.column4),"
            " v.column2, v.column4, v.column5, v.column6, v.column3, v.column3,"
            f" v.column7, nullif(v.column8, ''), nullif(v.column9, '') FROM (VALUES {_rows_of(9, len(some))}) AS v",
            _flat(some),
        )


def _read_again(connection: Connection, event_id: int, reading: Reading) -> bool:
    row = connection.execute(
        "SELECT delivery_id, source, received_at FROM events WHERE id = ? AND state = 'held' AND lane_id IS NULL",
        (event_id,),
    ).fetchone()
    if row is None or not reading.events:
        return False
    first, *others = reading.events
    open_lanes(connection, [(row["source"], first.client.id, row["received_at"])], LIVE)
    connection.execute(
        "UPDATE events SET lane_id = (SELECT id FROM lanes WHERE source = ? AND client_id = ?),"
        " client_id = ?, type = ?, payload = ?, state = 'queued', reason = NULL, hint = NULL WHERE id = ?",
        (row["source"], first.client.id, first.client.id, first.type, write_event(first), event_id),
    )
    queue_events(connection, row["delivery_id"], row["source"], row["received_at"], others, LIVE)
    return True


def queue_events(
    connection: Connection, delivery_id: int, source: str, at: float, events: Sequence[Event], priority: int
) -> None:
    """Insert waiting events of one delivery and open their lanes."""
    if events:
        open_lanes(connection, [(source, event.client.id, at) for event in events], priority)
        rows = [(delivery_id, source, at, e.client.id, e.type, "queued", write_event(e), "", "") for e in events]
        _insert_events(connection, rows)
        tallies.add(connection, [("queued", "", 0, len(events))])
