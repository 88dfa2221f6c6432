"""Emptying columns of old rows, so that the file can give their pages to new ones."""

from __future__ import annotations

from collections.abc import Sequence

from connector.store.connection import Connection


def blank(connection: Connection, table: str, key: str, ids: Sequence[int], columns: Sequence[str]) -> None:
    """Set columns to NULL where `key` is among `ids`, by deleting and inserting the rows.

    That lets SQLite join the emptied pages; an UPDATE never would.
    """
    # The foreign keys between the tables hold again before the commit.
    connection.execute("PRAGMA defer_foreign_keys = ON")
    there = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
    shrunk = ", ".join(f"NULL AS {name}" if name in columns else name for name in there)
    connection.execute("DROP TABLE IF EXISTS temp.rewritten")
    connection.execute(f"CREATE TEMP TABLE rewritten AS SELECT {shrunk} FROM {table} WHERE 0")
    rows = [(id_,) for id_ in ids]
    connection.executemany(f"INSERT INTO temp.rewritten SELECT {shrunk} FROM {table} WHERE {key} = ?", rows)
    connection.executemany(f"DELETE FROM {table} WHERE {key} = ?", rows)
    connection.execute(f"INSERT INTO {table} ({', '.join(there)}) SELECT {', '.join(there)} FROM temp.rewritten ORDER BY id")
