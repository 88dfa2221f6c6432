"""Which database it is: SQLite by the path of its file, PostgreSQL by the address of its server."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol, TypeVar

from connector.model.errors import StoreError
from connector.store.connection import Connection
from connector.store.database import Database
from connector.store.sqlite import checking
from connector.store.sqlite.database import SqliteDatabase, connect_read_only
from connector.store.sqlite.explained import explained
from connector.store.sqlite.standing import SqliteStanding
from connector.store.standing import Standing

T = TypeVar("T")


class Location(Protocol):
    """Where a database is; the configuration's `[database]` says it."""

    @property
    def address(self) -> str:
        """`sqlite:///…` or `postgresql://…`, with the password where one is needed."""
        ...

    @property
    def path(self) -> Path:
        """SQLite's file; for PostgreSQL, what the key file and the lock file on this machine are named after."""
        ...

    @property
    def lease_seconds(self) -> float:
        """For PostgreSQL: how long others wait for a process that is not heard of."""
        ...


def open_database(where: Path | Location, role: str = "all") -> Database:
    """Open a file for this process alone, or take part as `role` in what works on a server; made where there is none yet.

    Raises:
        StoreError: it cannot be used.
    """
    if isinstance(where, Path) or not on_server(where):
        return SqliteDatabase.open(where if isinstance(where, Path) else where.path)
    needs_psycopg()
    from connector.store.postgres.database import PostgresDatabase

    return PostgresDatabase.open(where.address, where.path, role=role, lease=where.lease_seconds)


def open_source(where: Location, lock_file: int) -> Standing:
    """For this process alone, to copy from; its lock file is held already. Raises StoreError."""
    if not on_server(where):
        return SqliteStanding.source(where.path)
    needs_psycopg()
    from connector.store.postgres.processes import place_of
    from connector.store.postgres.standing import PostgresStanding

    return PostgresStanding.source(where.address, place_of(lock_file))


def open_target(where: Location, lock_file: int) -> Standing:
    """For this process alone, to be filled; its lock file is held already. Raises StoreError."""
    if not on_server(where):
        return SqliteStanding.target(where.path)
    needs_psycopg()
    from connector.store.postgres.processes import place_of
    from connector.store.postgres.standing import PostgresStanding

    return PostgresStanding.target(where.address, place_of(lock_file))


def checking_of(where: Location) -> ModuleType:
    """The module that looks at a database of this kind."""
    if not on_server(where):
        return checking
    needs_psycopg()
    from connector.store.postgres import checking as of_server

    return of_server


def look(where: Path | Location, view: Callable[..., T], *args: Any, **kwargs: Any) -> T:
    """Run a view once, beside whatever works on the database; changes nothing. Raises StoreError."""
    with _reading(where) as connection:
        return view(connection, *args, **kwargs)


def stream(where: Path | Location, view: Callable[..., Iterator[T]], *args: Any) -> Iterator[T]:
    """What one of `connector.store.lists` yields, beside whatever works on the database. Raises StoreError."""
    with _reading(where) as connection:
        yield from view(connection, *args)


@contextmanager
def _reading(where: Path | Location) -> Iterator[Connection]:
    if not isinstance(where, Path) and on_server(where):
        needs_psycopg()
        from connector.store.postgres.sessions import looking

        with looking(where.address) as connection:
            yield connection
        return
    path = where if isinstance(where, Path) else where.path
    with closing(connect_read_only(path)) as file:
        try:
            yield file
        except sqlite3.Error as error:
            raise explained(error, path) from error


def on_server(where: Location) -> bool:
    """Whether it is PostgreSQL."""
    return where.address.startswith("postgresql:")


def needs_psycopg() -> None:
    """Raise StoreError where the package that speaks with PostgreSQL is not installed."""
    try:
        import psycopg  # noqa: F401
    except ImportError as error:
        hint = 'Install it beside connector: python -m pip install "psycopg[binary]>=3.2,<4"'
        raise StoreError("PostgreSQL needs the package psycopg, which is not installed.", hint=hint) from error
