"""A connection of psycopg as the store knows connections: `?` and `:name`, rows by name, truth as 0 and 1.

What else SQLite has and PostgreSQL has not are a few functions; the schema makes them.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from functools import lru_cache
from typing import Any

import psycopg
from psycopg.rows import RowMaker

from connector.model.errors import StoreError
from connector.store.connection import Values

#: A literal, which stays as it is; or a placeholder.
_PARTS = re.compile(r"'(?:[^']|'')*'|\?|:([a-z_]+)")


@lru_cache(maxsize=1024)
def translated(sql: str) -> tuple[str, tuple[str, ...]]:
    """The statement with `$1`, `$2` …, and the names behind them (none where the values are given in order)."""
    names: list[str] = []
    count = 0

    def placeholder(found: re.Match[str]) -> str:
        nonlocal count
        if found[0] == "?":
            count += 1
            return f"${count}"
        if found[1] is None:
            return found[0]
        if found[1] not in names:
            names.append(found[1])
        return f"${names.index(found[1]) + 1}"

    return _PARTS.sub(placeholder, sql), tuple(names)


class Row:
    """Values by position or by the name of their column."""

    __slots__ = ("_index", "_values")

    def __init__(self, index: Mapping[str, int], values: Sequence[Any]) -> None:
        self._index = index
        self._values = values

    def __getitem__(self, key: Any) -> Any:
        return self._values[self._index[key]] if isinstance(key, str) else self._values[key]

    def __iter__(self) -> Iterator[Any]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def keys(self) -> list[str]:
        """The names of the columns."""
        return list(self._index)


def rows(cursor: Any) -> RowMaker[Row]:
    """psycopg's row factory."""
    index = {column.name: number for number, column in enumerate(cursor.description or ())}
    return lambda values: Row(index, [_read(value) for value in values])


def _read(value: Any) -> Any:
    if value is True or value is False:
        return int(value)
    # Sums of whole numbers; nothing of ours is numeric otherwise.
    return int(value) if type(value) is Decimal else value


def written(value: Any) -> Any:
    """A value as PostgreSQL can hold it."""
    if value is True or value is False:
        return int(value)
    # PostgreSQL's text cannot hold this one character; a delivery with it must not be refused again and again.
    return value.replace("\0", "\ufffd") if type(value) is str and "\0" in value else value


class Answer:
    """What a statement answered; a statement without an answer has no rows."""

    def __init__(self, cursor: psycopg.Cursor[Row]) -> None:
        self.rowcount = cursor.rowcount
        self._rows = iter(cursor.fetchall() if cursor.description else ())

    def fetchone(self) -> Row | None:
        """The next row, or None."""
        return next(self._rows, None)

    def fetchall(self) -> list[Row]:
        """All rows that are left."""
        return list(self._rows)

    def __iter__(self) -> Iterator[Row]:
        return self._rows


class Connection:
    """Lends a connection of psycopg to the store; with a `deadline` (of the monotonic clock), no longer than that."""

    def __init__(self, connection: psycopg.Connection[Row], deadline: float | None = None) -> None:
        self._connection = connection
        self._deadline = deadline

    def execute(self, sql: str, parameters: Values = (), /) -> Answer:
        """Run one statement. Raises StoreError behind the deadline, and psycopg's errors."""
        if self._deadline is not None and time.monotonic() > self._deadline:
            raise StoreError("A query took too long.", hint="Ask for less at a time.")
        text, names = translated(sql)
        given = [parameters[name] for name in names] if isinstance(parameters, Mapping) else parameters
        values = [written(value) for value in given]
        return Answer(self._cursor().execute(text.encode(), values))

    def executemany(self, sql: str, parameters: Sequence[Sequence[Any]], /) -> Answer:
        """Run one statement for each of the sequences of values, in one go."""
        cursor = self._cursor()
        if parameters:
            cursor.executemany(translated(sql)[0].encode(), [[written(value) for value in some] for some in parameters])
        return Answer(cursor)

    def _cursor(self) -> psycopg.Cursor[Row]:
        return psycopg.RawCursor(self._connection, row_factory=rows)
