"""An SQLite file that this process has for itself; whoever opens it holds the lock file beside it already."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

from connector.store.sqlite import checking
from connector.store.sqlite.database import connect, set_up
from connector.store.sqlite.explained import explained
from connector.store.sqlite.identity import open_itself
from connector.store.sqlite.schema import migrate, refuse_another_programs
from connector.store.standing import Row, Standing, selecting
from connector.store.tables import Table


class SqliteStanding(Standing):
    """Create it with `source` or `target`."""

    def __init__(self, path: Path, connection: sqlite3.Connection, itself: int) -> None:
        self.name = path.name
        self.connection = self._connection = connection
        self._path = path
        self._itself = itself

    @classmethod
    def source(cls, path: Path) -> SqliteStanding:
        """The file as a service would open it, its tables brought to this version's. Raises StoreError."""
        return cls._open(path, lambda: connect(path)[0])

    @classmethod
    def target(cls, path: Path) -> SqliteStanding:
        """The file, made where there is none; its tables are still as they are.

        Raises:
            StoreError: it cannot be opened, or is another program's.
        """
        opened = cls._open(path, lambda: _connect(path))
        try:
            refuse_another_programs(opened._connection, path.name)
        except BaseException:
            opened.close()
            raise
        return opened

    @classmethod
    def _open(cls, path: Path, connecting: Callable[[], sqlite3.Connection]) -> SqliteStanding:
        with ExitStack() as undo:
            itself, _ = open_itself(path)
            undo.callback(os.close, itself)
            opened = cls(path, connecting(), itself)
            undo.pop_all()
        return opened

    def close(self) -> None:
        """Close the file, its WAL taken over."""
        self._connection.close()
        os.close(self._itself)

    @contextmanager
    def said(self) -> Iterator[None]:
        """sqlite3's errors in our words."""
        try:
            yield
        except sqlite3.Error as error:
            raise explained(error, self._path) from error

    def make_tables(self, keyed: Callable[[str], str]) -> None:
        """Run the migrations that are missing."""
        with self.said():
            migrate(self._connection, keyed)

    def columns(self, table: str) -> set[str]:
        """See `Standing`."""
        with self.said():
            return checking.columns(self.connection, table)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """See `Standing`."""
        with self.said():
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise

    def rows(self, table: Table, after: Sequence[Any] | None = None) -> Generator[Row]:
        """See `Standing`."""
        with self.said(), closing(self._connection.cursor()) as cursor:
            cursor.row_factory = None
            yield from cursor.execute(selecting(table, after), tuple(after or ()))

    def add(self, table: Table, rows: Sequence[Row]) -> None:
        """Insert row by row, which is SQLite's fastest way."""
        values = ", ".join("?" * len(table.columns))
        with self.said():
            self._connection.executemany(f"INSERT INTO {table.name} ({', '.join(table.columns)}) VALUES ({values})", rows)

    def last_ids(self) -> dict[str, int]:
        """Of the tables made with AUTOINCREMENT; all others give the id behind the greatest that is there."""
        return {row[0]: int(row[1]) for row in self.ask("SELECT name, seq FROM sqlite_sequence")}

    def set_last_ids(self, last: dict[str, int]) -> None:
        """See `last_ids`; the rows that were inserted have been counted already."""
        made = self.ask("SELECT name FROM sqlite_master WHERE type = 'table' AND sql LIKE '%AUTOINCREMENT%'")
        reached = self.last_ids()
        for (name,) in made:
            self.ask("DELETE FROM sqlite_sequence WHERE name = ?", (name,))
            self.ask("INSERT INTO sqlite_sequence VALUES (?, ?)", (name, max(last.get(name, 0), reached.get(name, 0))))


def _connect(path: Path) -> sqlite3.Connection:
    """A connection with the settings of the service's, and nothing made or looked up yet. Raises StoreError."""
    try:
        connection = sqlite3.connect(path, isolation_level=None)
        try:
            set_up(connection)
        except BaseException:
            connection.close()
            raise
    except sqlite3.Error as error:
        raise explained(error, path) from error
    return connection
