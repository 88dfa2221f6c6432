"""Whether an SQLite file is sound: what SQLite itself can say of it, and whether it is of this version."""

from __future__ import annotations

import sqlite3

from connector.model.errors import StoreError
from connector.store.connection import Connection
from connector.store.findings import Finding, fine, some, wrong
from connector.store.sqlite.schema import missing_migrations, unknown_migrations

#: Faults that SQLite names before it stops.
_MOST = 20
_RESTORE = "Stop the service, restore a backup (`connector restore FILE`), and check the disk; see docs/operating.md."


def soundness(connection: Connection) -> list[Finding]:
    """Read all of the file."""
    # An index in no order of its table's: a small memory would be read again and again.
    connection.execute("PRAGMA cache_size = -65536")
    try:
        said = [row[0] for row in connection.execute(f"PRAGMA integrity_check({_MOST})")]
        orphans = sorted({row[0] for row in connection.execute("PRAGMA foreign_key_check")}) if said == ["ok"] else []
    except sqlite3.DatabaseError as error:
        said, orphans = [str(error)], []
    if said != ["ok"]:
        return [wrong("database.integrity", f"the file is damaged: {some(said, 3)}", _RESTORE)]
    if orphans:
        return [wrong("database.references", f"rows of {some(orphans)} refer to rows that are not there", _RESTORE)]
    return [fine("database.integrity", "SQLite has read the whole file, and every reference leads to a row")]


def older(connection: Connection) -> bool:
    """Whether an older version of connector made the tables. Raises StoreError where a newer one did, or none."""
    if unknown_migrations(connection):
        raise StoreError("The database was written by a newer version of connector.", hint="Use that version.")
    return bool(missing_migrations(connection))


def columns(connection: Connection, table: str) -> set[str]:
    """The columns that a table really has."""
    return {row[0] for row in connection.execute("SELECT name FROM pragma_table_info(?)", (table,))}


def indexes_and_triggers(connection: Connection) -> set[str]:
    """The names of all that there are."""
    return {row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type IN ('index', 'trigger')")}
