"""Whether a PostgreSQL database is sound: every row is read, and the server is asked what it knows of its indexes and disks."""

from __future__ import annotations

from psycopg import errors

from connector.model.errors import StoreError
from connector.store.connection import Connection
from connector.store.findings import Finding, fine, odd, some, wrong
from connector.store.postgres.schema import SEQUENCES, changes_apart
from connector.store.tables import Table, tables

_DAMAGED = (errors.DataCorrupted, errors.IndexCorrupted, errors.InternalError_)
_RESTORE = "Stop the service, and restore the server's backup; look at its log and its disks."
_OURS = "n.nspname = current_schema()"
_INDEXES = (
    "SELECT c.relname, CAST(c.oid AS bigint) AS id, i.indisvalid AND i.indisready FROM pg_index i"
    " JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_am a ON a.oid = c.relam"
    f" JOIN pg_namespace n ON n.oid = c.relnamespace WHERE a.amname = 'btree' AND {_OURS} ORDER BY c.relname"
)


def soundness(connection: Connection) -> list[Finding]:
    """Read all rows of all tables, and ask about indexes, constraints, sequences and checksums."""
    found = [*_unreadable(connection), *_orphans(connection), *_invalid(connection), *_sequences(connection)]
    found += _checksums(connection)
    if not found:
        found.append(fine("database.integrity", "every row was read, and every reference, index and sequence is valid"))
    return [*found, *_compared(connection)]


def _unreadable(connection: Connection) -> list[Finding]:
    found = []
    for table in tables():
        try:
            # As text, so that long values, which are kept elsewhere, are read too.
            connection.execute(f"SELECT count(*), sum(length(CAST(t AS text))) FROM {table.name} t").fetchall()
        except _DAMAGED as error:
            found.append(wrong("database.integrity", f"not all of {table.name} can be read ({error.sqlstate})", _RESTORE))
    return found


def _orphans(connection: Connection) -> list[Finding]:
    found = []
    for table in tables():
        for to in table.references:
            other = next(one for one in tables() if one.name == to.other)
            if number := _number_of_orphans(connection, table, to.column, other):
                text = f"{number:,} rows of {table.name} refer to rows of {to.other} that are not there"
                found.append(wrong("database.references", text, _RESTORE))
    return found


def _number_of_orphans(connection: Connection, table: Table, column: str, other: Table) -> int:
    query = (
        f"SELECT count(*) FROM {table.name} t WHERE t.{column} IS NOT NULL"
        f" AND NOT EXISTS (SELECT 1 FROM {other.name} o WHERE o.{other.key[0]} = t.{column})"
    )
    return int(connection.execute(query).fetchone()[0])


def _invalid(connection: Connection) -> list[Finding]:
    indexes = [row[0] for row in connection.execute(_INDEXES) if not row[2]]
    constraints = [
        row[0]
        for row in connection.execute(
            f"SELECT c.conname FROM pg_constraint c JOIN pg_namespace n ON n.oid = c.connamespace"
            f" WHERE {_OURS} AND NOT c.convalidated ORDER BY c.conname"
        )
    ]
    disabled = [
        row[0]
        for row in connection.execute(
            "SELECT t.tgname FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_namespace n ON n.oid ="
            f" c.relnamespace WHERE {_OURS} AND t.tgenabled = 'D' ORDER BY t.tgname"
        )
    ]
    found = []
    if indexes:
        found.append(wrong("database.indexes", f"not valid: {some(indexes)}", f"REINDEX INDEX {indexes[0]}; (and so on)"))
    if constraints:
        hint = "ALTER TABLE … VALIDATE CONSTRAINT …; for each of them."
        found.append(wrong("database.constraints", f"not checked for all rows: {some(constraints)}", hint))
    if disabled:
        found.append(wrong("database.triggers", f"disabled: {some(disabled)}", "ALTER TABLE … ENABLE TRIGGER ALL;"))
    return found


def _sequences(connection: Connection) -> list[Finding]:
    found, ours = [], {table.name for table in tables()}
    for table, column, sequence in connection.execute(SEQUENCES).fetchall():
        if table not in ours:
            continue
        greatest = connection.execute(f"SELECT coalesce(max({column}), 0) FROM {table}").fetchone()[0]
        last, called = connection.execute(f"SELECT last_value, is_called FROM {sequence}").fetchone()
        if greatest > (last if called else last - 1):
            text = f"the next {column} of {table} was given before: nothing can be added there"
            found.append(wrong("database.sequences", text, f"SELECT setval('{sequence}', {greatest});"))
    return found


def _checksums(connection: Connection) -> list[Finding]:
    row = connection.execute("SELECT checksum_failures FROM pg_stat_database WHERE datname = current_database()").fetchone()
    if row is None or not row[0]:
        return []
    return [wrong("database.checksums", f"the server has read {row[0]:,} pages with a wrong checksum", _RESTORE)]


def _compared(connection: Connection) -> list[Finding]:
    """Compare every index with its table, where the server offers that to us."""
    place = connection.execute(
        "SELECT quote_ident(n.nspname) FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace"
        " WHERE e.extname = 'amcheck'"
    ).fetchone()
    if place is None:
        hint = "To compare them, a superuser must run in this database: CREATE EXTENSION amcheck;"
        return [fine("database.amcheck", "indexes were not compared with their tables: amcheck is not installed", hint)]
    broken = []
    for name, id_, valid in connection.execute(_INDEXES).fetchall():
        if not valid:
            continue
        try:
            connection.execute(f"SELECT {place[0]}.bt_index_check(CAST(? AS oid), true)", (id_,)).fetchall()
        except errors.InsufficientPrivilege:
            hint = f"GRANT EXECUTE ON FUNCTION {place[0]}.bt_index_check(regclass, boolean) TO the user of database.url;"
            return [odd("database.amcheck", "indexes were not compared with their tables: this user may not", hint)]
        except _DAMAGED:
            broken.append(name)
    if broken:
        return [wrong("database.amcheck", f"do not agree with their tables: {some(broken)}", f"REINDEX INDEX {broken[0]};")]
    return [fine("database.amcheck", "every index agrees with its table")]


def older(connection: Connection) -> bool:
    """Whether an older version of connector made the tables. Raises StoreError where a newer one did, or none."""
    newer, missing = changes_apart(connection)
    if newer:
        raise StoreError("The database was written by a newer version of connector.", hint="Use that version.")
    return bool(missing)


def columns(connection: Connection, table: str) -> set[str]:
    """The columns that a table really has."""
    query = "SELECT column_name FROM information_schema.columns WHERE table_schema = current_schema() AND table_name = ?"
    return {row[0] for row in connection.execute(query, (table,))}


def indexes_and_triggers(connection: Connection) -> set[str]:
    """The names of all that there are."""
    query = (
        f"SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind = 'i' AND {_OURS}"
        " UNION SELECT t.tgname FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_namespace n"
        f" ON n.oid = c.relnamespace WHERE {_OURS}"
    )
    return {row[0] for row in connection.execute(query)}
