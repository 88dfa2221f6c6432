"""Open review items: which clients are in which, and what an item says of them.

Clients that are certainly one person share an item, so that the person is decided about once.
"""

from __future__ import annotations

import json

from connector.store.connection import Connection, Row


def open_item(
    connection: Connection,
    asked: tuple[str, str, str, str | None],
    reason: str,
    candidates: str,
    standing: bool,
    now: float,
    key: str | None = None,
) -> int:
    """Put a client into the item of its person, with what was found out; returns the item's id."""
    source, client_id, crm, person = asked
    review_id = _item_for(connection, source, client_id, crm, person)
    if review_id is None:
        withdraw(connection, source, client_id)
        review_id = connection.execute(
            "INSERT INTO reviews (source, client_id, crm, person, reason, since, candidates) VALUES (?, ?, ?, ?, ?, ?, '[]')"
            " RETURNING id",
            (source, client_id, crm, person or alone(source, client_id), reason, now),
        ).fetchone()[0]
    connection.execute(
        "INSERT INTO review_clients (review_id, source, client_id, candidates, standing) VALUES (?, ?, ?, ?, ?)"
        " ON CONFLICT (review_id, source, client_id) DO UPDATE SET candidates = excluded.candidates,"
        " standing = CASE WHEN excluded.standing = 1 THEN 1 ELSE review_clients.standing END",
        (review_id, source, client_id, candidates, standing),
    )
    connection.execute("UPDATE reviews SET reason = ?, key = ? WHERE id = ?", (reason, key, review_id))
    _drop_settled(connection, int(review_id), source, client_id)
    _refresh(connection, int(review_id))
    return int(review_id)


def _item_for(connection: Connection, source: str, client_id: str, crm: str, person: str | None) -> int | None:
    """The open item the client belongs into: its own as long as it says the same person, else the person's."""
    own = connection.execute(
        "SELECT r.id, r.crm, r.person, (SELECT count(*) FROM review_clients WHERE review_id = r.id) AS clients"
        " FROM review_clients c JOIN reviews r ON r.id = c.review_id"
        " WHERE c.source = ? AND c.client_id = ? AND c.answer IS NULL",
        (source, client_id),
    ).fetchone()
    if own is not None and own["crm"] == crm and person in (None, own["person"]):
        return int(own["id"])
    person = person or alone(source, client_id)
    shared = connection.execute(
        "SELECT id FROM reviews WHERE crm = ? AND person = ? AND decision IS NULL", (crm, person)
    ).fetchone()
    if shared is not None:
        withdraw(connection, source, client_id)
        return int(shared[0])
    if own is not None and own["crm"] == crm and own["clients"] == 1:
        connection.execute("UPDATE reviews SET person = ? WHERE id = ?", (person, own["id"]))
        return int(own["id"])
    return None


def alone(source: str, client_id: str) -> str:
    """The person of an item that is about one client, of whom nothing says who else it is."""
    return "client:" + json.dumps([source, client_id])


def withdraw(connection: Connection, source: str, client_id: str) -> None:
    """Take a client out of its open item; an item without clients is gone."""
    rows = connection.execute(
        "DELETE FROM review_clients WHERE source = ? AND client_id = ? AND answer IS NULL RETURNING review_id",
        (source, client_id),
    ).fetchall()
    for row in rows:
        _refresh(connection, row[0])


def _drop_settled(connection: Connection, review_id: int, source: str, client_id: str) -> None:
    """Others in the item whose events have gone through meanwhile are no business of the decision any more."""
    connection.execute(
        "DELETE FROM review_clients AS c WHERE review_id = ? AND NOT (source = ? AND client_id = ?) AND standing = 0"
        " AND EXISTS (SELECT 1 FROM links l WHERE l.source = c.source AND l.client_id = c.client_id) AND NOT EXISTS"
        " (SELECT 1 FROM events e WHERE e.source = c.source AND e.client_id = c.client_id AND e.state = 'held')",
        (review_id, source, client_id),
    )


def _refresh(connection: Connection, review_id: int) -> None:
    """Let an item say what its clients say: the first one's source, and everybody's candidates, each once."""
    rows = clients_of(connection, review_id)
    if not rows:
        connection.execute("DELETE FROM reviews WHERE id = ?", (review_id,))
        return
    together: dict[str, list[str]] = {}
    for row in rows:
        for candidate in json.loads(row["candidates"]):
            evidence = together.setdefault(candidate["customer_id"], [])
            evidence += [one for one in candidate["evidence"] if one not in evidence]
    said = json.dumps([{"customer_id": id_, "evidence": evidence} for id_, evidence in together.items()])
    connection.execute(
        "UPDATE reviews SET source = ?, client_id = ?, candidates = ? WHERE id = ?",
        (rows[0]["source"], rows[0]["client_id"], said, review_id),
    )


def clients_of(connection: Connection, review_id: int) -> list[Row]:
    """The clients of an item, the first one first."""
    return connection.execute("SELECT * FROM review_clients WHERE review_id = ? ORDER BY id", (review_id,)).fetchall()
