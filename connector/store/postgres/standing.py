"""A PostgreSQL database that this process has for itself, by the lock under which every process writes."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg.rows import tuple_row

from connector.model.errors import StoreError
from connector.store.postgres import checking, sessions
from connector.store.postgres.dialect import Connection, translated, written
from connector.store.postgres.dialect import Row as NamedRow
from connector.store.postgres.explained import explained
from connector.store.postgres.schema import SEQUENCES, migrate
from connector.store.standing import Row, Standing, selecting
from connector.store.tables import Table, tables
from connector.store.unfinished import refuse_unfinished

#: Rows that are fetched at once; one may be as long as the longest body.
_FETCHED = 200
_LOCK = "SELECT pg_advisory_lock(hashtext('connector'), hashtext(current_schema()))"


class PostgresStanding(Standing):
    """Create it with `source` or `target`. No process may write, or begin to work, as long as it is open."""

    own_columns = frozenset({"calls.boot", "calls.done"})

    def __init__(self, url: str, place: str) -> None:
        self.name = sessions.name_of(url)
        self._session: psycopg.Connection[NamedRow] = sessions.first(url)
        self.connection = Connection(self._session)
        try:
            self._lock(place)
        except BaseException:
            self.close()
            raise

    def _lock(self, place: str) -> None:
        """Take the writers' lock for as long as the session lives, and see that nobody is at work. Raises StoreError."""
        try:
            sessions.take_turn(self._session, _LOCK)
        except psycopg.errors.LockNotAvailable as error:
            raise self._in_use("another connector process") from error
        # One database may be read in the middle of a transaction while the other one is written.
        self._session.execute("SET idle_in_transaction_session_timeout = 0; SET application_name = 'connector copy'")
        # Whoever had the lock file that this process has now has ended, whatever its lease says.
        query = "SELECT count(*) FROM processes WHERE seen_at + lease >= unix_now() AND (place <> ? OR place = '')"
        if self.columns("processes") and (alive := self.ask(query, (place,))[0][0]):
            raise self._in_use("another connector process" if alive == 1 else f"{alive} connector processes")

    def _in_use(self, who: str) -> StoreError:
        killed = "One that was killed counts until its lease has run out (database.lease_seconds)."
        hint = f"Stop all of them, on every machine. {killed}"
        return StoreError(f"The database {self.name} is in use by {who}.", hint=hint)

    @classmethod
    def source(cls, url: str, place: str) -> PostgresStanding:
        """The database as a service would open it, its tables brought to this version's. Raises StoreError."""
        opened = cls(url, place)
        try:
            if not opened.columns("schema_changes"):
                text = f"{opened.name} is not a connector's database yet."
                raise StoreError(text, hint="Fix database.url, in which the search_path may name another schema.")
            opened.make_tables(str)
            with opened.said():
                refuse_unfinished(opened.connection, opened.name)
        except BaseException:
            opened.close()
            raise
        return opened

    @classmethod
    def target(cls, url: str, place: str) -> PostgresStanding:
        """The database, whose tables are still as they are. Raises StoreError."""
        return cls(url, place)

    def close(self) -> None:
        """Let go of the lock."""
        self._session.close()

    @contextmanager
    def said(self) -> Iterator[None]:
        """psycopg's errors in our words."""
        try:
            yield
        except psycopg.Error as error:
            raise explained(error, self.name) from error

    def make_tables(self, _keyed: Callable[[str], str]) -> None:
        """Run the changes that are missing; none of them needs a key."""
        with self.transaction():
            migrate(self._session)

    def columns(self, table: str) -> set[str]:
        """See `Standing`."""
        with self.said():
            return checking.columns(self.connection, table)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """See `Standing`."""
        with self.said(), self._session.transaction():
            yield

    def rows(self, table: Table, after: Sequence[Any] | None = None) -> Generator[Row]:
        """See `Standing`; a cursor on the server, so that only some rows are in memory."""
        query = translated(selecting(table, after))[0].encode()
        with self.transaction(), psycopg.RawServerCursor(self._session, "copying", row_factory=tuple_row) as cursor:
            cursor.itersize = _FETCHED
            yield from cursor.execute(query, tuple(after or ()))

    def add(self, table: Table, rows: Sequence[Row]) -> None:
        """Insert by COPY."""
        statement = f"COPY {table.name} ({', '.join(table.columns)}) FROM STDIN".encode()
        with self.said(), self._session.cursor().copy(statement) as copy:
            for row in rows:
                copy.write_row([written(value) for value in row])

    def last_ids(self) -> dict[str, int]:
        """Of the tables whose ids a sequence gives."""
        last = {}
        for table, _, sequence in self.ask(SEQUENCES):
            ((value, called),) = self.ask(f"SELECT last_value, is_called FROM {sequence}")
            last[table] = int(value) if called else 0
        return last

    def set_last_ids(self, last: dict[str, int]) -> None:
        """Set the sequences: rows that bring their ids along do not move them."""
        ours = {table.name for table in tables()}
        for table, column, sequence in self.ask(SEQUENCES):
            if table in ours:
                reached = max(int(self.ask(f"SELECT coalesce(max({column}), 0) FROM {table}")[0][0]), last.get(table, 0))
                self.ask("SELECT setval(CAST(CAST(? AS text) AS regclass), ?, ? = 1)", (sequence, max(reached, 1), reached > 0))

    def gather_statistics(self) -> None:
        """Autovacuum would do it in a minute or two; until then queries may be planned for empty tables."""
        for table in tables():
            self.ask(f"ANALYZE {table.name}")
