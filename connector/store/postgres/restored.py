"""Whether the database was restored to an earlier moment: the server then adds to another history than before.

The same is true of a standby that was promoted. Processes that are at work then see that and write it down (`note`); only
where none was, the next one that starts cannot know whether anything is missing, and takes the database for a backup.
"""

from __future__ import annotations

from typing import Any

import psycopg

from connector.store import connection as store
from connector.store.postgres.dialect import Connection

#: As long as the server was not started again after the restore it knows of when its last transaction was.
_MADE = (
    "SELECT coalesce(CAST(extract(epoch FROM pg_last_xact_replay_timestamp()) AS double precision),"
    " (SELECT max(seen_at) FROM processes), (SELECT max(received_at) FROM deliveries), unix_now()), unix_now()"
)


def note(connection: store.Connection, history: str) -> None:
    """Within a write: this is the history that the database belongs to."""
    _put(connection, "history", history)


def restored(session: psycopg.Connection[Any], history: str) -> tuple[float, float] | None:
    """Within a transaction: when the database was restored, and the moment which it was restored to; None where it was not.

    `history` is the server's present one, empty where the server does not show it.
    """
    connection = Connection(session)
    facts = {row[0]: row[1] for row in connection.execute("SELECT name, value FROM installation")}
    if history and facts.get("history") not in (None, history):
        made, now = connection.execute(_MADE).fetchall()[0]
        facts |= {"restored_at": str(now), "restored_from": str(made)}
        for name in ("restored_at", "restored_from"):
            _put(connection, name, facts[name])
    if history:
        note(connection, history)
    return (float(facts["restored_at"]), float(facts["restored_from"])) if "restored_at" in facts else None


def _put(connection: store.Connection, name: str, value: str) -> None:
    query = "INSERT INTO installation (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value"
    connection.execute(query, (name, value))
