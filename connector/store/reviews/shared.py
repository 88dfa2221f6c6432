"""An address or number that belongs to several people: everything that waits because of it is asked again."""

from __future__ import annotations

import json
from datetime import UTC, datetime

from connector.store.connection import Connection
from connector.store.reviews.items import clients_of


def share(connection: Connection, review_id: int, by: str, now: float) -> tuple[str | None, list[int]]:
    """The statement behind `Reviews.share`."""
    row = connection.execute("SELECT crm, key, decision FROM reviews WHERE id = ?", (review_id,)).fetchone()
    if row is None:
        return f"There is no review {review_id}.", []
    if row["decision"] is not None:
        return f"Review {review_id} was decided before ({row['decision']}).", []
    if row["key"] is None:
        return f"Review {review_id} is not about one e-mail address or phone number.", []
    connection.execute(
        "INSERT INTO shared_keys (crm, key, people, decided_by, decided_at) VALUES (:crm, :key, 2, :by, :now)"
        " ON CONFLICT (crm, key) DO UPDATE SET"
        " people = CASE WHEN shared_keys.people > 2 THEN shared_keys.people ELSE 2 END, decided_by = excluded.decided_by,"
        " decided_at = excluded.decided_at",
        {"crm": row["crm"], "key": row["key"], "now": now, "by": by},
    )
    connection.execute(
        "INSERT INTO review_decisions (review_id, decision, decided_by, decided_at) VALUES (?, 'shared', ?, ?)",
        (review_id, by, now),
    )
    waiting = connection.execute(
        "SELECT id FROM reviews WHERE crm = ? AND key = ? AND decision IS NULL ORDER BY id", (row["crm"], row["key"])
    ).fetchall()
    return None, [event for item in waiting for event in _ask_again(connection, item["id"], review_id, by, now)]


def unshare(connection: Connection, review_id: int, by: str, now: float) -> bool:
    """Take back that the key of an open item is shared; False where nobody said so."""
    done = connection.execute(
        "UPDATE review_decisions SET undone_by = ?, undone_at = ?"
        " WHERE review_id = ? AND decision = 'shared' AND undone_at IS NULL RETURNING id",
        (by, now, review_id),
    ).fetchall()
    if done:
        # Not forgotten: what a person has decided is not learned again.
        connection.execute(
            "UPDATE shared_keys SET people = 0, decided_by = ?, decided_at = ?"
            " WHERE (crm, key) = (SELECT crm, key FROM reviews WHERE id = ?)",
            (by, now, review_id),
        )
    return bool(done)


def _ask_again(connection: Connection, item: int, review_id: int, by: str, now: float) -> list[int]:
    """Let every held event of an item's clients run again; the item goes when they are linked, or says what is asked then."""
    at = datetime.fromtimestamp(now, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    text = f"treated as shared by several people in review {review_id} by {by} at {at}"
    entry = {"rule": "review", "result": "shared", "note": text}
    done = []
    for client in clients_of(connection, item):
        rows = connection.execute(
            "SELECT id, lane_id, trace FROM events WHERE source = ? AND client_id = ? AND state = 'held'",
            (client["source"], client["client_id"]),
        ).fetchall()
        for row in rows:
            connection.execute(
                "UPDATE events SET state = 'queued', step = 'resolve', reason = ?, hint = NULL, attempts = 0, trace = ?,"
                " failing_since = NULL, outcome = nullif(outcome, 'failed'), updated_at = ? WHERE id = ?",
                (f"asked again since review {review_id}", json.dumps([*json.loads(row["trace"]), entry]), now, row["id"]),
            )
            connection.execute("UPDATE lanes SET due = ? WHERE id = ? AND due IS NULL AND boot IS NULL", (now, row["lane_id"]))
            done.append(int(row["id"]))
    return done
