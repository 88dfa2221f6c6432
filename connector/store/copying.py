"""All rows of one database into another, both standing still: in portions, each with the note how far the copy has come.

Nothing is taken on trust at the end. Every row of every table is read again in both databases, and counts and checksums
must agree: so a copy that was stopped and went on is right, also where the source was used in between.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any

from connector.model.errors import StoreError
from connector.store.key import key_file, load_key, share_key
from connector.store.lanes import recover
from connector.store.lock import lock
from connector.store.opening import Location, on_server, open_source, open_target
from connector.store.renewed import put_renewed, renewed_in
from connector.store.standing import Row, Standing
from connector.store.tables import INSTALLATION, Table, tables
from connector.store.unfinished import MARK

#: Rows of one commit, and about how many bytes of them.
PORTION = 2_000
_PORTION_BYTES = 8 * 1024 * 1024
#: Facts that stay behind: which process wrote last, and the mark of an unfinished copy.
_STAYS = ("boot", MARK)
_KEEP = "ON CONFLICT (name) DO UPDATE SET value = excluded.value"


@dataclass(frozen=True)
class Progress:
    """`step` is `copying` or `checking`; `done` of `total` rows of all tables together."""

    step: str
    table: str
    done: int
    total: int


@dataclass(frozen=True)
class Copied:
    """What a copy came to: the rows of each table, and how many lanes were freed that a process held when it ended."""

    rows: dict[str, int]
    resumed: bool
    put_back: int
    key_file: Path
    new_key_file: bool


def copy(source: Location, target: Location, now: float, show: Callable[[Progress], None]) -> Copied:
    """Copy everything, check it, and let the target be used; `now` is Unix time. Whatever stops it, it can be run again.

    Raises:
        StoreError: one of them is in use or cannot be used, or the target has rows of its own.
    """
    with ExitStack() as held:
        if not on_server(source) and not source.path.exists():
            raise StoreError(f"There is no database {source.path.name}.", hint="Fix database.url in the configuration.")
        # On a server both are named after the same file of this machine.
        files: dict[Path, int] = {}
        for path in (_real(source), _real(target)):
            if path not in files:
                files[path] = lock(path)
                held.callback(os.close, files[path])
        opened = held.enter_context(open_source(source, files[_real(source)]))
        filled = held.enter_context(open_target(target, files[_real(target)]))
        return _Copying(opened, filled, source.path, target.path, show).run(now)


def _real(where: Location) -> Path:
    return Path(os.path.realpath(where.path))


class _Copying:
    def __init__(self, source: Standing, target: Standing, path: Path, beside: Path, show: Callable[[Progress], None]) -> None:
        self._source, self._target = source, target
        self._path, self._beside = path, beside
        self._show = show
        self._key = load_key(path, source.fact("key"))
        self._who = {"source": source.name, "key": self._key.fingerprint}
        self._done = self._total = 0

    def run(self, now: float) -> Copied:
        """See `copy`."""
        self._source.check_columns()
        resumed = self._goes_on()
        self._target.make_tables(self._key.keyed)
        self._target.check_columns()
        new_key_file = share_key(self._path, self._beside)
        if not resumed:
            self._begin()
        rows, wrong = self._attempt(resumed)
        if wrong and resumed:
            # The source was used since the first attempt.
            self._begin()
            rows, wrong = self._attempt(False)
        if wrong:
            text = f"The copy in {self._target.name} differs from {self._source.name}: {', '.join(wrong)}."
            raise StoreError(text, hint="Run `connector database check` on the source, and the copy again.")
        return Copied(rows, resumed, self._finish(now), key_file(self._beside), new_key_file)

    def _goes_on(self) -> bool:
        """Whether the target is a part of this very copy. Raises StoreError where it holds anything else."""
        target, mark = self._target, self._target.fact(MARK)
        if mark is None:
            if (full := next((table.name for table in tables() if target.count(table)), None)) is not None:
                text = f"The database {target.name} is not empty: there are rows in {full}."
                raise StoreError(text, hint="Name a database (or a schema, or a file) without anything in it.")
            return False
        begun = json.loads(mark)
        if any(begun[name] != said for name, said in self._who.items()):
            text = f"The database {target.name} is a part of a copy of another database, {begun['source']}."
            raise StoreError(text, hint="Finish that copy with the configuration of that database, or name an empty one.")
        return True

    def _begin(self) -> None:
        """Empty the target and say in it that a copy is under way: from now on no service starts on it."""
        with self._target.transaction():
            for table in (*(table.name for table in reversed(tables())), INSTALLATION):
                self._target.ask(f"DELETE FROM {table}")
            self._target.ask(f"INSERT INTO {INSTALLATION} VALUES ('key', ?)", (self._key.fingerprint,))
            self._mark(None, None)

    def _attempt(self, resumed: bool) -> tuple[dict[str, int], list[str]]:
        """Copy what is missing and check all: the number of rows of each table, and what differs."""
        rows: dict[str, int] = {}
        try:
            rows = self._copy_all()
            return rows, self._check(rows)
        except StoreError as error:
            if not resumed:
                raise
            # What the source got since may not fit to what was copied before.
            return rows, [str(error)]

    def _mark(self, table: str | None, after: Sequence[Any] | None) -> None:
        value = json.dumps({**self._who, "table": table, "after": after})
        self._target.ask(f"INSERT INTO {INSTALLATION} VALUES ('{MARK}', ?) {_KEEP}", (value,))

    def _copy_all(self) -> dict[str, int]:
        """Copy what is missing; answers how many rows each table of the source has."""
        counts = {table.name: self._source.count(table) for table in tables()}
        self._done, self._total = sum(self._target.count(table) for table in tables()), sum(counts.values())
        begun = json.loads(self._target.fact(MARK) or "{}")
        names = list(counts)
        first = names.index(begun["table"]) if begun.get("table") in names else 0
        for table in tables()[first:]:
            self._copy_table(table, begun["after"] if table.name == begun.get("table") else None)
        return counts

    def _copy_table(self, table: Table, after: Sequence[Any] | None) -> None:
        key = [table.columns.index(column) for column in table.key]
        with closing(self._source.rows(table, after)) as rows:
            for some in portions(rows):
                with self._target.transaction():
                    self._target.add(table, some)
                    self._mark(table.name, [some[-1][index] for index in key])
                self._done += len(some)
                self._show(Progress("copying", table.name, self._done, self._total))

    def _check(self, counts: dict[str, int]) -> list[str]:
        """Read everything again on both sides; answers what differs, in words."""
        self._done, wrong = 0, []
        for table in tables():
            (number, one), (copied, other) = (self._sum(table, where) for where in (self._source, self._target))
            if number != copied:
                wrong.append(f"{table.name} has {copied:,} rows of {number:,}")
            elif one != other:
                wrong.append(f"not all rows of {table.name} are equal")
            counts[table.name] = number
        return wrong

    def _sum(self, table: Table, where: Standing) -> tuple[int, int]:
        number = total = 0
        with closing(where.rows(table)) as rows:
            for some in portions(rows):
                number += len(some)
                total += sum(map(_digest, some))
                self._done += len(some)
                self._show(Progress("checking", table.name, self._done, 2 * self._total))
        # Added up, so that an order in which a character that was replaced comes elsewhere does not matter.
        return number, total % 2**64

    def _finish(self, now: float) -> int:
        """Let the target be used; answers how many lanes were freed."""
        renewed, secret = renewed_in(self._source, self._path, self._key.secret), self._key.secret
        facts = [tuple(row) for row in self._source.ask(f"SELECT name, value FROM {INSTALLATION}") if row[0] not in _STAYS]
        with self._target.transaction():
            self._target.set_last_ids(self._source.last_ids())
            ended = [row[0] for row in self._target.ask("SELECT DISTINCT boot FROM lanes WHERE boot IS NOT NULL")]
            freed = recover(self._target.connection, ended, now)
            self._target.ask(f"DELETE FROM {INSTALLATION}")
            for fact in facts:
                self._target.ask(f"INSERT INTO {INSTALLATION} VALUES (?, ?)", fact)
            put_renewed(self._target, self._beside, secret, renewed, now)
        self._target.gather_statistics()
        return freed


def portions(rows: Iterable[Row]) -> Iterator[list[Row]]:
    """As many rows at a time as one commit may have."""
    some: list[Row] = []
    size = 0
    for row in rows:
        some.append(row)
        size += sum(len(value) for value in row if isinstance(value, str | bytes))
        if len(some) >= PORTION or size >= _PORTION_BYTES:
            yield some
            some, size = [], 0
    if some:
        yield some


def _digest(row: Row) -> int:
    """A number for a row; the one character that PostgreSQL cannot hold counts as what stands in its place."""
    said = repr(tuple(value.replace("\0", "\ufffd") if isinstance(value, str) else value for value in row))
    return int.from_bytes(blake2b(said.encode(), digest_size=8).digest())
