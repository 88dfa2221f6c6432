"""Which tables there are, with their columns and keys: read from a schema that is made for that, so that none can be forgotten.

Both databases have the same tables; `tests/store/test_postgres.py` sees to it.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from functools import cache

from connector.store.sqlite.schema import migrate

#: What a database knows of itself; no data of anybody.
INSTALLATION = "installation"


@dataclass(frozen=True)
class Reference:
    """A foreign key: what stands in `column` is the key of a row of the table `other`."""

    column: str
    other: str


@dataclass(frozen=True)
class Table:
    """A table; `key` are the columns of its primary key, in their order."""

    name: str
    columns: tuple[str, ...]
    key: tuple[str, ...]
    references: tuple[Reference, ...]


@cache
def objects() -> frozenset[str]:
    """The names of all indexes and triggers."""
    with closing(_made()) as made:
        query = "SELECT name, tbl_name FROM sqlite_master WHERE type IN ('index', 'trigger')"
        ours = {table.name for table in tables()}
        return frozenset(name for name, table in made.execute(query) if table in ours and not name.startswith("sqlite_"))


@cache
def tables() -> tuple[Table, ...]:
    """All tables of this version but `installation`, each behind those that it refers to."""
    with closing(_made()) as made:
        names = [row[0] for row in made.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY rowid")]
        ours = [name for name in names if not name.startswith(("sqlite_", "_sqlite")) and name != INSTALLATION]
        waiting = [_table(made, name) for name in ours]
    found: list[Table] = []
    while waiting:
        there = {table.name for table in found}
        following = next(one for one in waiting if {to.other for to in one.references} <= there | {one.name})
        waiting.remove(following)
        found.append(following)
    return tuple(found)


def _made() -> sqlite3.Connection:
    made = sqlite3.connect(":memory:", isolation_level=None)
    migrate(made, str)
    return made


def _table(made: sqlite3.Connection, name: str) -> Table:
    described = made.execute(f"PRAGMA table_info({name})").fetchall()
    key = sorted((row[5], row[1]) for row in described if row[5])
    foreign = made.execute(f"PRAGMA foreign_key_list({name})").fetchall()
    return Table(
        name,
        tuple(row[1] for row in described),
        tuple(column for _, column in key),
        tuple(Reference(row[3], row[2]) for row in foreign),
    )
