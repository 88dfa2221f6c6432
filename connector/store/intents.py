"""Giving up intents: what is forgotten here certainly had no effect, or a person said that it no longer matters."""

from __future__ import annotations

from connector.store.connection import Connection


def forget(connection: Connection, key: str) -> None:
    """Drop an open intent and the identity keys it claims."""
    connection.execute("DELETE FROM claims WHERE intent = ?", (key,))
    connection.execute("DELETE FROM intents WHERE key = ? AND state <> 'done'", (key,))


def forget_open(connection: Connection, source: str, client_id: str, event_id: int | None = None) -> None:
    """A client's events (or the one which tried last) go no further: nothing of theirs may block others any longer."""
    open_ = "source = ? AND client_id = ? AND state <> 'done' AND event_id = coalesce(?, event_id)"
    whose = (source, client_id, event_id)
    connection.execute(f"DELETE FROM claims WHERE intent IN (SELECT key FROM intents WHERE {open_})", whose)
    connection.execute(f"DELETE FROM intents WHERE {open_}", whose)
