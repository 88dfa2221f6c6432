"""Whether the database was once a backup: then what came after that backup is not in it."""

from __future__ import annotations

import sqlite3


def restored(connection: sqlite3.Connection, now: float) -> tuple[float, float] | None:
    """When the database was a backup last. A copy says that it is one (`copied_at`) until it is opened as the database."""
    facts = {row[0]: row[1] for row in connection.execute("SELECT name, value FROM installation")}
    if (made := facts.get("copied_at")) is not None:
        facts |= {"restored_at": str(now), "restored_from": made}
        connection.execute("BEGIN IMMEDIATE")
        for name in ("restored_at", "restored_from"):
            connection.execute("INSERT OR REPLACE INTO installation VALUES (?, ?)", (name, facts[name]))
        connection.execute("DELETE FROM installation WHERE name = 'copied_at'")
        connection.execute("COMMIT")
    return (float(facts["restored_at"]), float(facts["restored_from"])) if "restored_at" in facts else None
