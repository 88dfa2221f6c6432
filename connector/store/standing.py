"""A database that this process has for itself while nothing works on it: to be copied from, or to be filled."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Sequence
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Any, Self

from connector.model.errors import StoreError
from connector.store.connection import Connection, Values
from connector.store.tables import INSTALLATION, Table, tables

Row = tuple[Any, ...]


class Standing(ABC):
    """Its methods raise StoreError. What is read is streamed, in the order of the table's key."""

    #: What people call it: the name of the file, or of the database on its server.
    name: str
    #: For the statements that both databases speak.
    connection: Connection
    #: Columns (`table.column`) that only this kind of database has, and that mean nothing once no process works.
    own_columns: frozenset[str] = frozenset()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None) -> None:
        self.close()

    @abstractmethod
    def close(self) -> None:
        """Let go of it."""

    @abstractmethod
    def said(self) -> AbstractContextManager[None]:
        """Within the block the database's own errors become StoreErrors."""

    @abstractmethod
    def make_tables(self, keyed: Callable[[str], str]) -> None:
        """Create the tables, or bring them to this version's; `keyed` is the stored form of an identity key."""

    @abstractmethod
    def columns(self, table: str) -> set[str]:
        """The columns that a table really has; none where it does not exist."""

    @abstractmethod
    def transaction(self) -> AbstractContextManager[None]:
        """All of the block or nothing, on the disk at its end."""

    @abstractmethod
    def rows(self, table: Table, after: Sequence[Any] | None = None) -> Generator[Row]:
        """All rows behind the one with the key `after`, in the order of `table.columns`."""

    @abstractmethod
    def add(self, table: Table, rows: Sequence[Row]) -> None:
        """Insert rows, within a transaction."""

    @abstractmethod
    def last_ids(self) -> dict[str, int]:
        """The last id that was given in each table that gives none twice."""

    @abstractmethod
    def set_last_ids(self, last: dict[str, int]) -> None:
        """Within a transaction: go on giving ids behind these, and behind those that are there."""

    def gather_statistics(self) -> None:  # noqa: B027 - SQLite plans well without
        """Let the database know how its new rows are, by which it plans its queries."""

    def ask(self, sql: str, values: Values = ()) -> list[Any]:
        """All rows that one statement answers."""
        with self.said():
            return self.connection.execute(sql, values).fetchall()

    def fact(self, name: str) -> str | None:
        """What `installation` says of itself, where there is such a table."""
        if not self.columns(INSTALLATION):
            return None
        found = self.ask("SELECT value FROM installation WHERE name = ?", (name,))
        return str(found[0][0]) if found else None

    def count(self, table: Table) -> int:
        """How many rows a table has; 0 where it does not exist."""
        return int(self.ask(f"SELECT count(*) FROM {table.name}")[0][0]) if self.columns(table.name) else 0

    def check_columns(self) -> None:
        """Raise StoreError where a table has other columns than this version knows: some of it would not be copied."""
        for table in tables():
            there = {column for column in self.columns(table.name) if f"{table.name}.{column}" not in self.own_columns}
            if odd := there ^ set(table.columns):
                names = ", ".join(sorted(odd))
                text = f"The table {table.name} of {self.name} has other columns than this version knows: {names}."
                raise StoreError(text, hint="Undo what was changed by hand, or use the version that made the tables.")


def selecting(table: Table, after: Sequence[Any] | None) -> str:
    """The statement behind `Standing.rows`, with a `?` for each value of `after`."""
    keys = ", ".join(table.key)
    where = f" WHERE ({keys}) > ({', '.join('?' * len(table.key))})" if after is not None else ""
    return f"SELECT {', '.join(table.columns)} FROM {table.name}{where} ORDER BY {keys}"
