"""Review items as people see them: open ones, decided ones, one with its history. Read-only; ids, never personal data."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from connector.store.connection import Connection, in_portions, marks
from connector.store.connection import Row as StoredRow
from connector.store.views import moment

Row = dict[str, Any]

#: An open item counts while somebody in it is not linked, has something held, or stands there on purpose.
UNSETTLED = (
    "EXISTS (SELECT 1 FROM review_clients c WHERE c.review_id = r.id AND (c.standing = 1"
    " OR NOT EXISTS (SELECT 1 FROM links l WHERE l.source = c.source AND l.client_id = c.client_id)"
    " OR EXISTS (SELECT 1 FROM events e WHERE e.source = c.source AND e.client_id = c.client_id AND e.state = 'held')))"
)


def reviews(connection: Connection, *, decided: bool = False) -> list[Row]:
    """Open review items (or decided ones), oldest first."""
    wanted = "decision IS NOT NULL" if decided else f"decision IS NULL AND {UNSETTLED}"
    rows = connection.execute(f"SELECT * FROM reviews r WHERE {wanted} ORDER BY id").fetchall()
    return listed(connection, rows)


def review(connection: Connection, review_id: int) -> Row | None:
    """One review item with its clients, the events that wait for it, the decision and every earlier one."""
    row = connection.execute("SELECT * FROM reviews WHERE id = ?", (review_id,)).fetchone()
    if row is None:
        return None
    waiting = connection.execute(
        "SELECT e.id FROM review_clients c JOIN events e ON e.source = c.source AND e.client_id = c.client_id"
        " WHERE c.review_id = ? AND e.state = 'held' ORDER BY e.id",
        (review_id,),
    )
    more = {
        "crm": row["crm"],
        "clients": _review_clients(connection, [review_id])[review_id],
        "events": [found[0] for found in waiting],
        "decision": row["decision"],
        "customer_id": row["customer_id"],
        "decided_by": row["decided_by"],
        "decided_at": moment(row["decided_at"]),
        "history": _history(connection, review_id),
    }
    return {**listed(connection, [row])[0], **more}


def open_reviews(connection: Connection) -> dict[str, int]:
    """How many review items are open, by reason, the most frequent first."""
    query = f"SELECT reason, count(*) FROM reviews r WHERE decision IS NULL AND {UNSETTLED} GROUP BY reason ORDER BY 2 DESC, 1"
    return dict(connection.execute(query).fetchall())


def under_review(connection: Connection, events: Sequence[Row]) -> set[int]:
    """Those of the events whose client stands in an open review item."""
    query = (
        "SELECT 1 FROM review_clients c JOIN reviews r ON r.id = c.review_id"
        " WHERE c.source = ? AND c.client_id = ? AND r.decision IS NULL LIMIT 1"
    )
    return {one["id"] for one in events if connection.execute(query, (one["source"], one["client_id"])).fetchone()}


def oldest(connection: Connection, *, limit: int = 20) -> list[Row]:
    """The oldest open review items, each with its `clients`, and whether one of them is `linked` already."""
    query = f"SELECT * FROM reviews r WHERE decision IS NULL AND {UNSETTLED} ORDER BY id LIMIT ?"
    found = listed(connection, connection.execute(query, (limit,)).fetchall())
    return with_clients(connection, found, about_keys(connection))


def with_clients(connection: Connection, found: list[Row], shared: set[int]) -> list[Row]:
    """Review items as listed, with what a person needs to decide; `shared` are those that are about one address or number."""
    clients = _review_clients(connection, [item["id"] for item in found])
    for item in found:
        item["clients"] = clients[item["id"]]
        item["linked"] = any(client["linked"] for client in item["clients"])
        item["about_key"] = item["id"] in shared
    return found


def about_keys(connection: Connection) -> set[int]:
    """The open items that are about one address or number, which could be treated as shared."""
    return {row[0] for row in connection.execute("SELECT id FROM reviews WHERE decision IS NULL AND key IS NOT NULL")}


def decided(connection: Connection, *, limit: int = 5) -> list[Row]:
    """The last decisions about persons that hold, newest first; they can be undone."""
    rows = connection.execute(
        "SELECT * FROM reviews WHERE decision IS NOT NULL ORDER BY decided_at DESC, id DESC LIMIT ?", (limit,)
    ).fetchall()
    return with_decisions(connection, listed(connection, rows))


def with_decisions(connection: Connection, found: list[Row]) -> list[Row]:
    """Review items as listed, each with its `decision`, `customer_id`, `decided_by` and `decided_at`."""
    rows = connection.execute(
        f"SELECT id, decision, customer_id, decided_by, decided_at FROM reviews WHERE id IN ({marks(found)})",
        [item["id"] for item in found],
    )
    known = {row["id"]: {**dict(row), "decided_at": moment(row["decided_at"])} for row in rows}
    return [{**item, **known[item["id"]]} for item in found]


def listed(connection: Connection, rows: Sequence[StoredRow]) -> list[Row]:
    """Rows of `reviews` as they are listed, each with its clients."""
    clients = _review_clients(connection, [row["id"] for row in rows])
    return [
        {
            "id": row["id"],
            "source": row["source"],
            "client_ids": [client["client_id"] for client in clients[row["id"]]],
            "reason": row["reason"],
            "since": moment(row["since"]),
            "candidates": json.loads(row["candidates"]),
        }
        for row in rows
    ]


def _review_clients(connection: Connection, reviews: Sequence[int]) -> dict[int, list[Row]]:
    """The clients of review items, each with the customer it is linked to; one query for many items."""
    found: dict[int, list[Row]] = {review: [] for review in reviews}
    for some in in_portions(reviews):
        rows = connection.execute(
            "SELECT c.review_id, c.source, c.client_id, l.customer_id AS linked"
            " FROM review_clients c JOIN reviews r ON r.id = c.review_id"
            " LEFT JOIN links l ON l.source = c.source AND l.client_id = c.client_id AND l.crm = r.crm"
            f" WHERE c.review_id IN ({marks(some)}) ORDER BY c.id",
            tuple(some),
        )
        for row in rows:
            found[row["review_id"]].append({key: row[key] for key in ("source", "client_id", "linked")})
    return found


def _history(connection: Connection, review_id: int) -> list[Row]:
    rows = connection.execute(
        "SELECT decision, customer_id, decided_by, decided_at, undone_by, undone_at FROM review_decisions"
        " WHERE review_id = ? ORDER BY id",
        (review_id,),
    )
    return [{**dict(row), "decided_at": moment(row["decided_at"]), "undone_at": moment(row["undone_at"])} for row in rows]
