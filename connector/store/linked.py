"""What the comparison of linked clients with both sides asks the database."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from connector.store.connection import Connection, marks


def links_of(connection: Connection, source: str, crm: str) -> list[str]:
    """The clients of a source that are linked to a customer of a CRM: never compared first, then compared longest ago."""
    query = "SELECT client_id FROM links WHERE source = ? AND crm = ? ORDER BY compared_at NULLS FIRST, id"
    rows = connection.execute(query, (source, crm))
    return [row[0] for row in rows]


def shared_customers(connection: Connection, source: str, crm: str) -> dict[str, list[tuple[str, str]]]:
    """Customers with several clients, at least one of them of a source → all clients (source, client), oldest link first."""
    rows = connection.execute(
        "SELECT customer_id, source, client_id FROM links WHERE crm = ? AND customer_id IN"
        " (SELECT customer_id FROM links WHERE crm = ? GROUP BY customer_id HAVING count(*) > 1"
        " AND count(*) FILTER (WHERE source = ?) > 0)"
        " ORDER BY id",
        (crm, crm, source),
    )
    found: dict[str, list[tuple[str, str]]] = {}
    for row in rows:
        found.setdefault(row["customer_id"], []).append((row["source"], row["client_id"]))
    return found


def waiting_of(connection: Connection, source: str, client_id: str) -> dict[str, list[int]]:
    """Ids of a client's events that have not ended: those on their way (`moving`) and those that are `held`."""
    rows = connection.execute(
        "SELECT e.id, e.state FROM events e JOIN lanes l ON l.id = e.lane_id WHERE l.source = ? AND l.client_id = ?"
        " AND e.state IN ('queued', 'running', 'retrying', 'held') ORDER BY e.id",
        (source, client_id),
    ).fetchall()
    held = [row["id"] for row in rows if row["state"] == "held"]
    return {"held": held, "moving": [row["id"] for row in rows if row["id"] not in held]}


def fates(connection: Connection, ids: Sequence[int]) -> dict[int, dict[str, Any]]:
    """State and reason of events, by id."""
    rows = connection.execute(f"SELECT id, state, reason FROM events WHERE id IN ({marks(ids)})", tuple(ids))
    return {row["id"]: dict(row) for row in rows}
