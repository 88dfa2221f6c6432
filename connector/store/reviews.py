"""Reviews: clients whose customer a person must choose, the choice, and that it is remembered."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from connector.store.database import Database
from connector.store.intents import forget_open
from connector.store.links import Link, save_link


@dataclass(frozen=True, slots=True)
class Decision:
    """What a person decided about a client: `link`, `create` or `dismiss`."""

    review_id: int
    decision: str
    by: str


class Reviews:
    """Open items and decisions."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def open(
        self, source: str, client_id: str, crm: str, reason: str, candidates: Sequence[dict[str, Any]], now: float
    ) -> int:
        """Raise a review item, or bring the client's open one up to date; returns its id."""
        row = (source, client_id, crm, reason, now, json.dumps(list(candidates)))
        return await self._database.write(lambda connection: _open(connection, row))

    async def decide(self, review_id: int, decision: str, customer_id: str | None, by: str, now: float) -> str | None:
        """Record a decision and let the waiting events go on; returns a sentence why not, or None when done."""
        return await self._database.write(lambda connection: _decide(connection, review_id, decision, customer_id, by, now))


def decision_of(connection: sqlite3.Connection, source: str, client_id: str) -> Decision | None:
    """The latest decision about a client."""
    row = connection.execute(
        "SELECT id, decision, coalesce(decided_by, '') FROM reviews WHERE source = ? AND client_id = ? AND decision IS NOT NULL"
        " ORDER BY decided_at DESC, id DESC LIMIT 1",
        (source, client_id),
    ).fetchone()
    return Decision(*row) if row else None


def _open(connection: sqlite3.Connection, row: tuple[Any, ...]) -> int:
    found = connection.execute(
        "INSERT INTO reviews (source, client_id, crm, reason, since, candidates) VALUES (?, ?, ?, ?, ?, ?)"
        " ON CONFLICT (source, client_id) WHERE decision IS NULL DO UPDATE SET"
        " reason = excluded.reason, candidates = excluded.candidates RETURNING id",
        row,
    ).fetchone()
    return int(found[0])


def _decide(
    connection: sqlite3.Connection, review_id: int, decision: str, customer_id: str | None, by: str, now: float
) -> str | None:
    row = connection.execute("SELECT source, client_id, crm, decision FROM reviews WHERE id = ?", (review_id,)).fetchone()
    if row is None:
        return f"There is no review {review_id}."
    if row["decision"] is not None:
        return f"Review {review_id} was decided before ({row['decision']})."
    connection.execute(
        "UPDATE reviews SET decision = ?, customer_id = ?, decided_by = ?, decided_at = ? WHERE id = ?",
        (decision, customer_id, by, now, review_id),
    )
    if decision != "create":
        forget_open(connection, row["source"], row["client_id"])
    if decision == "link" and customer_id is not None:
        save_link(connection, Link(row["source"], row["client_id"], row["crm"], customer_id, "review"), now)
    _let_go(connection, row["source"], row["client_id"], review_id, decision, now)
    return None


def _let_go(connection: sqlite3.Connection, source: str, client_id: str, review_id: int, decision: str, now: float) -> None:
    if decision == "dismiss":
        state, reason = "discarded", f"dismissed in review {review_id}"
    else:
        state, reason = "queued", f"decided in review {review_id}: {decision}"
    lanes = connection.execute(
        "UPDATE events SET state = ?, step = 'resolve', reason = ?, hint = NULL, attempts = 0,"
        " outcome = nullif(outcome, 'failed'), updated_at = ?"
        " WHERE source = ? AND client_id = ? AND state = 'held' RETURNING lane_id",
        (state, reason, now, source, client_id),
    ).fetchall()
    if state == "queued":
        for lane in {row[0] for row in lanes}:
            connection.execute("UPDATE lanes SET due = ? WHERE id = ? AND due IS NULL AND boot IS NULL", (now, lane))
