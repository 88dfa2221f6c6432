"""A PostgreSQL database that this process has for itself, by the lock that a service holds too."""

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


class PostgresStanding(Standing):
    """Create it with `source` or `target`."""

    def __init__(self, url: str) -> None:
        self.name = sessions.name_of(url)
        self._session: psycopg.Connection[NamedRow] = sessions.writing(url)
        self.connection = Connection(self._session)

    @classmethod
    def source(cls, url: str) -> PostgresStanding:
        """The database as a service would open it, its tables brought to this version's. Raises StoreError."""
        opened = cls(url)
        try:
            if not opened.columns("schema_changes"):
                text = f"{opened.name} is not a connector's database yet."
                raise StoreError(text, hint="Fix database.url, in which the search_path may name another schema.")
            with opened.said():
                migrate(opened._session)
                refuse_unfinished(opened.connection, opened.name)
        except BaseException:
            opened.close()
            raise
        return opened

    @classmethod
    def target(cls, url: str) -> PostgresStanding:
        """The database, whose tables are still as they are. Raises StoreError."""
        return cls(url)

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
        with self.said():
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
