"""The tables, made and changed by sqlite-utils migrations. Only ever add migrations; never edit one that was released."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import TYPE_CHECKING

import structlog

from connector.model.errors import StoreError
from connector.model.states import STATES
from connector.store.connection import Connection
from connector.store.sqlite.first_tables import EVENTS_OPEN, TABLES, TALLY, compared, move_guard

if TYPE_CHECKING:
    from sqlite_utils import Database as SqliteUtilsDatabase

Migration = Callable[["SqliteUtilsDatabase"], None]


class _Migrations:
    """The migrations in their order. sqlite-utils takes 2 MB of memory, so it is imported only where there is one to apply."""

    def __init__(self) -> None:
        self._functions: list[Migration] = []

    def __call__(self) -> Callable[[Migration], Migration]:
        """Decorate the next migration."""

        def add(function: Migration) -> Migration:
            self._functions.append(function)
            return function

        return add

    def names(self) -> set[str]:
        """What they are recorded by in the database."""
        return {function.__name__ for function in self._functions}

    def apply(self, database: SqliteUtilsDatabase, *, stop_before: str | None = None) -> None:
        """Apply what the database has not been through, each in a transaction; `stop_before` is for tests."""
        from sqlite_utils import Migrations  # noqa: PLC0415 - see above

        known = Migrations("connector")
        for function in self._functions:
            known()(function)
        known.apply(database, stop_before=stop_before)


migrations = _Migrations()


@migrations()
def m001_first(db: SqliteUtilsDatabase) -> None:
    """The tables of version 0.1."""
    tables = TABLES.replace("{states}", ", ".join(repr(s) for s in STATES)).replace("{events_open}", EVENTS_OPEN)
    script = tables + TALLY + move_guard()
    # executescript() would commit the migration's own transaction, so the statements run one by one.
    for statement in _statements(compared(script)):
        db.execute(statement)


@migrations()
def m002_comparisons(db: SqliteUtilsDatabase) -> None:
    """When a link was compared with both sides; earlier decisions about a person are looked up."""
    db.execute("ALTER TABLE links ADD COLUMN compared_at REAL")
    db.execute("CREATE INDEX reviews_person ON reviews (crm, person)")


@migrations()
def m003_who_said_it(db: SqliteUtilsDatabase) -> None:
    """Which client tied an identity key to a customer: when a person corrects its link, the key goes along."""
    db.execute("ALTER TABLE identities RENAME TO identities_before")
    db.execute(
        "CREATE TABLE identities (crm TEXT NOT NULL, key TEXT NOT NULL, customer_id TEXT NOT NULL, source TEXT NOT NULL,"
        " client_id TEXT NOT NULL, seen_at REAL NOT NULL, PRIMARY KEY (crm, key, customer_id, source, client_id)"
        ") STRICT, WITHOUT ROWID"
    )
    db.execute("CREATE INDEX identities_client ON identities (source, client_id)")
    db.execute("INSERT INTO identities SELECT crm, key, customer_id, '', '', seen_at FROM identities_before")
    db.execute("DROP TABLE identities_before")


@migrations()
def m004_where_recorded(db: SqliteUtilsDatabase) -> None:
    """Which CRM holds an appointment's record: numbers of one are somebody else's in the next."""
    db.execute("ALTER TABLE appointments ADD COLUMN crm TEXT NOT NULL DEFAULT ''")
    db.execute(
        "UPDATE appointments AS a SET crm = coalesce((SELECT crm FROM links l WHERE l.source = a.source"
        " AND l.client_id = a.client_id), '')"
    )


@migrations()
def m005_failing_since(db: SqliteUtilsDatabase) -> None:
    """Since when an event has been failing: time it spent waiting for somebody else does not count."""
    db.execute("ALTER TABLE events ADD COLUMN failing_since REAL")


@migrations()
def m006_due_by_source(db: SqliteUtilsDatabase) -> None:
    """Lanes of a source that has its share of the slots are passed over without being read."""
    db.execute("DROP INDEX lanes_due")
    db.execute("CREATE INDEX lanes_due ON lanes (priority, due, source) WHERE due IS NOT NULL AND boot IS NULL")


@migrations()
def m007_bodies_by_age(db: SqliteUtilsDatabase) -> None:
    """The hourly pruning finds old bodies without reading past all that it has pruned before."""
    db.execute("CREATE INDEX deliveries_bodies ON deliveries (received_at) WHERE headers IS NOT NULL")


@migrations()
def m008_who_is_not_who(db: SqliteUtilsDatabase) -> None:
    """Customers that a client (or its person) is not; keys that belong to several; decisions that must be taken again."""
    db.execute(
        "CREATE TABLE different (crm TEXT NOT NULL, source TEXT NOT NULL, client_id TEXT NOT NULL, customer_id TEXT NOT NULL,"
        " person TEXT, review_id INTEGER, decided_by TEXT NOT NULL, decided_at REAL NOT NULL,"
        " PRIMARY KEY (crm, source, client_id, customer_id)) STRICT, WITHOUT ROWID"
    )
    db.execute("CREATE INDEX different_person ON different (crm, person) WHERE person IS NOT NULL")
    db.execute(
        "CREATE TABLE shared_keys (crm TEXT NOT NULL, key TEXT NOT NULL, people INTEGER NOT NULL, noticed_at REAL NOT NULL,"
        " person TEXT, decided_by TEXT, decided_at REAL, PRIMARY KEY (crm, key)) STRICT, WITHOUT ROWID"
    )
    db.execute("ALTER TABLE reviews ADD COLUMN key TEXT")
    db.execute("CREATE INDEX reviews_key ON reviews (crm, key) WHERE key IS NOT NULL")
    db.execute("ALTER TABLE review_clients ADD COLUMN undecided INTEGER NOT NULL DEFAULT 0")


@migrations()
def m009_body_digests(db: SqliteUtilsDatabase) -> None:
    """What a body was, also after it has been pruned: the same id with another body is another event."""
    db.execute("ALTER TABLE deliveries ADD COLUMN digest BLOB")


@migrations()
def m010_ignored_again(db: SqliteUtilsDatabase) -> None:
    """An ignored event may be queued again by a person, after a setting was corrected."""
    db.execute("DROP TRIGGER legal_moves")
    db.execute(move_guard())


@migrations()
def m011_keyed(db: SqliteUtilsDatabase) -> None:
    """Identity keys are stored under the installation's secret: what was a plain hash before cannot be looked up any more."""
    db.execute("CREATE TABLE installation (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID")
    for table, column in (
        ("identities", "key"),
        ("claims", "key"),
        ("shared_keys", "key"),
        ("shared_keys", "person"),
        ("reviews", "key"),
        ("reviews", "person"),
        ("different", "person"),
    ):
        # A review of one client alone is under the client's id, which is no hash.
        db.execute(f"UPDATE {table} SET {column} = keyed({column}) WHERE {column} IS NOT NULL AND {column} NOT LIKE 'client:%'")


@migrations()
def m012_typed_tallies(db: SqliteUtilsDatabase) -> None:
    """What a counter counts, and of which source, in columns of their own instead of one name with a prefix."""
    db.execute("DROP TRIGGER tally_update")
    db.execute("ALTER TABLE tallies RENAME TO tallies_before")
    db.execute(
        "CREATE TABLE tallies (kind TEXT NOT NULL, source TEXT NOT NULL DEFAULT '', hour INTEGER NOT NULL DEFAULT 0,"
        " n INTEGER NOT NULL, PRIMARY KEY (kind, source, hour)) STRICT, WITHOUT ROWID"
    )
    db.execute(
        "INSERT INTO tallies (kind, source, hour, n) SELECT"
        " CASE substr(name, 1, 5) WHEN 'last:' THEN 'last_delivery' WHEN 'lost:' THEN 'lost_delivery' ELSE"
        "  CASE WHEN substr(name, 1, 7) = 'reused:' THEN 'reused_id'"
        "   WHEN name = 'readiness checks' THEN 'readiness_check' ELSE name END END,"
        " CASE WHEN substr(name, 1, 5) IN ('last:', 'lost:') THEN substr(name, 6)"
        "  WHEN substr(name, 1, 7) = 'reused:' THEN substr(name, 8) ELSE '' END, hour, n FROM tallies_before"
    )
    db.execute("DROP TABLE tallies_before")
    db.execute(
        "CREATE TRIGGER tally_update AFTER UPDATE OF state ON events WHEN OLD.state <> NEW.state BEGIN"
        " UPDATE tallies SET n = n - 1 WHERE kind = OLD.state AND source = '' AND hour = 0;"
        " INSERT INTO tallies (kind, n) VALUES (NEW.state, 1) ON CONFLICT DO UPDATE SET n = n + 1; END"
    )


@migrations()
def m013_typed_requests(db: SqliteUtilsDatabase) -> None:
    """What a backfill was asked for in columns, instead of a list whose length says its kind; links by their names."""
    db.execute("ALTER TABLE backfills ADD COLUMN asked_since TEXT")
    db.execute("ALTER TABLE backfills ADD COLUMN asked_until TEXT")
    db.execute("ALTER TABLE backfills ADD COLUMN mode TEXT NOT NULL DEFAULT 'bookings' CHECK (mode IN ('bookings', 'changes'))")
    db.execute(
        "UPDATE backfills SET asked_since = json_extract(asked, '$[0]'), asked_until = json_extract(asked, '$[1]'),"
        " mode = CASE WHEN json_array_length(asked) > 2 THEN 'changes' ELSE 'bookings' END"
    )
    db.execute("ALTER TABLE backfills DROP COLUMN asked")
    fields = ("source", "client_id", "crm", "customer_id", "origin", "stored_id", "written_back_at")
    named = ", ".join(f"'{name}', json_extract(replaced, '$[{place}]')" for place, name in enumerate(fields))
    db.execute(f"UPDATE review_clients SET replaced = json_object({named}) WHERE replaced IS NOT NULL")


@migrations()
def m014_never_read(db: SqliteUtilsDatabase) -> None:
    """Columns that nothing has ever read."""
    db.execute("ALTER TABLE intents DROP COLUMN result")
    db.execute("ALTER TABLE shared_keys DROP COLUMN noticed_at")


@migrations()
def m015_compared(db: SqliteUtilsDatabase) -> None:
    """No table of values is built for each event that is written; the CHECKs of an older file stay as they are."""
    db.execute("DROP INDEX events_open")
    db.execute(EVENTS_OPEN)
    db.execute("DROP TRIGGER legal_moves")
    db.execute(move_guard())


@migrations()
def m016_answers(db: SqliteUtilsDatabase) -> None:
    """What a decision means for each client has a plain name."""
    db.execute("ALTER TABLE review_clients RENAME COLUMN told TO answer")


@migrations()
def m017_awaited(db: SqliteUtilsDatabase) -> None:
    """What a lane waits for: an account, and the kind of action apart from it (NULL: the whole account)."""
    db.execute("ALTER TABLE lanes RENAME COLUMN waits_for TO awaited_account")
    db.execute("ALTER TABLE lanes ADD COLUMN awaited_action TEXT")
    db.execute(
        "UPDATE lanes SET awaited_account = substr(awaited_account, 1, instr(awaited_account, ': ') - 1),"
        " awaited_action = substr(awaited_account, instr(awaited_account, ': ') + 2) WHERE instr(awaited_account, ': ') > 0"
    )
    db.execute("DROP INDEX lanes_waiting")
    db.execute("CREATE INDEX lanes_waiting ON lanes (awaited_account, awaited_action, token) WHERE awaited_account IS NOT NULL")


def _statements(script: str) -> list[str]:
    found, pending = [], ""
    for line in script.splitlines(keepends=True):
        pending += line
        if sqlite3.complete_statement(pending):
            found.append(pending.strip())
            pending = ""
    return found


def migrate(connection: sqlite3.Connection, keyed: Callable[[str], str]) -> None:
    """Bring the file to this version's schema; `keyed` is the stored form of an identity key.

    Raises:
        StoreError: the file was written by a newer version.
    """
    if unknown_migrations(connection):
        raise StoreError(
            "The database was written by a newer version of connector.",
            hint="Start that version again, or point database.url at another file.",
        )
    if missing := missing_migrations(connection):
        if _applied(connection):
            structlog.get_logger("connector.store").info("changing the tables for this version", changes=len(missing))
        from sqlite_utils import Database as SqliteUtilsDatabase  # noqa: PLC0415 - see `_Migrations`

        connection.create_function("keyed", 1, keyed, deterministic=True)
        migrations.apply(SqliteUtilsDatabase(connection))


def refuse_another_programs(connection: Connection, name: str) -> None:
    """Raise StoreError if there are tables and none of them is ours: the file `name` would hold the data of two programs."""
    names = {row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()}
    if names and not names & {"deliveries", "_sqlite_migrations"}:
        raise StoreError(f"{name} is the database of another program.", hint="Name a new file.")


def unknown_migrations(connection: Connection) -> set[str]:
    """Which changes of a newer version the file has been through; changes nothing."""
    return _applied(connection) - migrations.names()


def missing_migrations(connection: Connection) -> set[str]:
    """Which changes of this version the file has not been through; changes nothing."""
    return migrations.names() - _applied(connection)


def _applied(connection: Connection) -> set[str]:
    if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = '_sqlite_migrations'").fetchall():
        return set()
    # All columns: the names alone are in an index, and a damaged table would not be noticed.
    applied = connection.execute("SELECT name, applied_at FROM _sqlite_migrations WHERE migration_set = 'connector'").fetchall()
    return {row[0] for row in applied}
