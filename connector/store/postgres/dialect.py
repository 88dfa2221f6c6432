"""A connection of psycopg as the store knows connections: `?` and `:name`, rows by name, truth as 0 and 1.

What else SQLite has and PostgreSQL has not are a few functions; the schema makes them.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
from decimal import Decimal
from functools import lru_cache
from typing import Any

import psycopg
from psycopg.pq import ExecStatus
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
    """What a statement answered, waited for when it is read; a statement without an answer has no rows."""

    def __init__(self, cursor: psycopg.Cursor[Row]) -> None:
        self._cursor = cursor
        self._rows: Iterator[Row] | None = None

    @property
    def rowcount(self) -> int:
        """How many rows were changed."""
        self._read()
        return self._cursor.rowcount

    def fetchone(self) -> Row | None:
        """The next row, or None."""
        return next(self._read(), None)

    def fetchall(self) -> list[Row]:
        """All rows that are left."""
        return list(self._read())

    def __iter__(self) -> Iterator[Row]:
        return self._read()

    def _read(self) -> Iterator[Row]:
        if self._rows is None:
            self._rows = iter(self._all())
        return self._rows

    def _all(self) -> list[Row]:
        try:
            return self._cursor.fetchall()
        except psycopg.ProgrammingError:
            # In a pipeline only this waits for the answer, and it also complains where a statement answers with no rows.
            result = self._cursor.pgresult
            if result is None or result.status != ExecStatus.COMMAND_OK:
                raise
            return []


@contextmanager
def pipelined(session: psycopg.Connection[Row]) -> Iterator[Connection]:
    """A connection that sends statements at once and waits where an answer is read, and at the end; else for none.

    So an error may come with a later statement than the one that it is of: only all of them together can be given up. What
    they required is checked at the end. With a libpq before 14 each statement is waited for.
    """
    connection = Connection(session, requires=[])
    try:
        with session.pipeline() if psycopg.Pipeline.is_supported() else nullcontext() as pipeline:
            try:
                yield connection
            except BaseException:
                # What is left to read is read here, where nobody writes to the log of it.
                if pipeline is not None:
                    with suppress(psycopg.Error):
                        pipeline.sync()
                raise
    except psycopg.Error:
        # What was required may not have held, and explains it.
        connection.check()
        raise
    connection.check()


class Connection:
    """Lends a connection of psycopg to the store; with a `deadline` (of the monotonic clock), no longer than that.

    Where `requires` is a list, what operations require is collected there until `check`.
    """

    def __init__(
        self,
        connection: psycopg.Connection[Row],
        deadline: float | None = None,
        *,
        requires: list[Callable[[], None]] | None = None,
    ) -> None:
        self._connection = connection
        self._deadline = deadline
        self._requires = requires

    def require(self, check: Callable[[], None]) -> None:
        """See `connector.store.connection.require`."""
        if self._requires is None:
            check()
        else:
            self._requires.append(check)

    def check(self) -> None:
        """Run the checks that were left until now, those whose answers have come. Raises what they raise."""
        for check in self._requires or ():
            with suppress(psycopg.Error):
                check()

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
