"""What the store may use of a connection. A connection of sqlite3 offers it as it is; other databases offer it by a wrapper.

Statements are written in the SQL that SQLite and PostgreSQL both speak, with `?` or `:name` for values. What only one of
them can do is in the folder of that database. Truth is stored as 0 and 1, and compared with them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence, Sized
from typing import Any, Protocol, TypeVar

T = TypeVar("T")
Values = Sequence[Any] | Mapping[str, Any]


#: Rows of one statement, a power of two: SQLite's own limit is 32,766 values, and one delivery may name thousands of clients.
ROWS = 256


class Row(Protocol):
    """A row: values by position or by column name."""

    def __getitem__(self, key: int | str, /) -> Any: ...

    def __iter__(self) -> Iterator[Any]: ...

    def keys(self) -> list[str]:
        """The names of the columns."""
        ...


class Cursor(Protocol):
    """What a statement answered."""

    @property
    def rowcount(self) -> int:
        """How many rows an INSERT, UPDATE or DELETE changed."""
        ...

    def fetchone(self) -> Any:
        """The next row, or None."""
        ...

    def fetchall(self) -> list[Any]:
        """All rows that are left."""
        ...

    def __iter__(self) -> Iterator[Any]: ...


class Connection(Protocol):
    """Runs statements; transactions are the business of whoever lends the connection."""

    def execute(self, sql: str, parameters: Values = ..., /) -> Cursor:
        """Run one statement."""
        ...

    def executemany(self, sql: str, parameters: Sequence[Sequence[Any]], /) -> Cursor:
        """Run one statement for each of the sequences of values."""
        ...


def require(connection: Connection, check: Callable[[], None]) -> None:
    """Run `check`, which reads an answer and raises where nothing of the operation may hold.

    At once; where an answer costs a round trip, before the commit, and what the operation did until then is undone.
    """
    later: Callable[[Callable[[], None]], None] | None = getattr(connection, "require", None)
    if later is None:
        check()
    else:
        later(check)


def marks(values: Sized) -> str:
    """A placeholder for each of the values, for `IN (…)`; of none, a list in which nothing is found."""
    return ", ".join("?" * len(values)) or "NULL"


def unfinished(table: str = "") -> str:
    """The condition of events that are not final, in the words of the index that holds them; `table` is as in `e.`."""
    return " AND ".join(f"{table}state <> '{state}'" for state in ("done", "ignored", "discarded"))


def in_portions(rows: Sequence[T]) -> Iterator[Sequence[T]]:
    """The rows, no more at a time than one statement may have, and always a number of two binary digits: 1, 2, 3, 4, 6, 8, 12 …

    So a table has sixteen statements, which the database parses once; one for each number of rows would be parsed each time.
    With powers of two alone there would be nine, and half as many again to run.
    """
    start = 0
    while left := len(rows) - start:
        low = max(left.bit_length() - 2, 0)
        size = min(ROWS, left >> low << low)
        yield rows[start : start + size]
        start += size
