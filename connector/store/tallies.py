"""Counters: events by state, what happened in each hour, and what is known of each source's deliveries.

One table, so that a batch of deliveries needs one statement for all of it. `source` is '' and `hour` is 0 where a kind has
none.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from connector.model.states import STATES
from connector.store.connection import Connection


class Tally(StrEnum):
    """What is counted, beside the events by their state, of all time and of each hour."""

    #: Deliveries, by the hour.
    RECEIVED = "received"
    #: Events of clients with nothing to identify them.
    WITHOUT_IDENTITY = "without_identity"
    #: Deliveries under an id that was used before, with another body; by source.
    REUSED_ID = "reused_id"
    #: Unix time of a source's last delivery: replaced, not added.
    LAST_DELIVERY = "last_delivery"
    #: Unix time when a source said last that it had given up on a delivery: replaced, not added.
    LOST_DELIVERY = "lost_delivery"
    #: Writes that only show that the database can be written.
    READINESS_CHECK = "readiness_check"


#: (kind or state, source, hour, n).
TallyRow = tuple[str, str, int, int]

_UPSERT = (
    " ON CONFLICT (kind, source, hour) DO UPDATE SET n = excluded.n"
    f" + CASE WHEN tallies.kind IN ('{Tally.LAST_DELIVERY}', '{Tally.LOST_DELIVERY}') THEN 0 ELSE tallies.n END"
)


def hour_of(at: float) -> int:
    """The hour of a Unix time, as it is counted by."""
    return int(at // 3600)


def add(connection: Connection, rows: Sequence[TallyRow]) -> None:
    """Add to counters, each of which is named once; moments take the new value."""
    marks = ", ".join(["(?, ?, ?, ?)"] * len(rows))
    values = [value for kind, *rest in rows for value in (str(kind), *rest)]
    connection.execute(f"INSERT INTO tallies (kind, source, hour, n) VALUES {marks}{_UPSERT}", values)


def by_state(connection: Connection) -> dict[str, int]:
    """How many events are in each state, zeros included."""
    counts = dict(connection.execute("SELECT kind, n FROM tallies WHERE source = '' AND hour = 0").fetchall())
    return {state: counts.get(state, 0) for state in STATES}


def total(connection: Connection, kind: Tally) -> int:
    """A counter of all time that belongs to no source."""
    row = connection.execute("SELECT n FROM tallies WHERE kind = ? AND source = '' AND hour = 0", (str(kind),)).fetchone()
    return int(row[0]) if row else 0


def by_source(connection: Connection, kind: Tally) -> dict[str, int]:
    """{source: number or moment} of a kind that is kept by source."""
    return dict(connection.execute("SELECT source, n FROM tallies WHERE kind = ? AND hour = 0", (str(kind),)).fetchall())


def hourly(connection: Connection, kinds: Sequence[str], after: int) -> dict[tuple[int, str], int]:
    """{(hour, kind): n} of the hours after one."""
    marks = ", ".join("?" * len(kinds))
    rows = connection.execute(
        f"SELECT hour, kind, n FROM tallies WHERE kind IN ({marks}) AND source = '' AND hour > ?",
        (*(str(kind) for kind in kinds), after),
    )
    return {(row[0], row[1]): row[2] for row in rows}
