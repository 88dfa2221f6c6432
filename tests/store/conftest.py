"""A database of its own for every test, once in an SQLite file and once in PostgreSQL; only remote systems are ever faked."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import postgres
import pytest

from connector.store import Store

from .samples import Place, opened


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """An SQLite file, for what only files have."""
    return tmp_path / "connector.db"


@pytest.fixture(scope="session")
def server() -> Iterator[postgres.Server]:
    """The PostgreSQL server of this run."""
    postgres.needed()
    with postgres.serving() as server:
        yield server


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Every test with a database runs on both kinds, unless it says why it is about files alone."""
    if "place" in metafunc.fixturenames and metafunc.module.__name__ != "store.test_postgres":
        files_only = metafunc.definition.get_closest_marker("sqlite_only")
        metafunc.parametrize("place", ["sqlite"] if files_only else ["sqlite", "postgres"], indirect=True)


@pytest.fixture
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """Where a database of either kind is going to be."""
    if request.param == "sqlite":
        return Place(f"sqlite:///{tmp_path}/connector.db", tmp_path / "connector.db")
    return Place(request.getfixturevalue("server").fresh(), tmp_path / "connector")


@pytest.fixture
async def store(place: Place, anyio_backend: str) -> AsyncIterator[Store]:
    async with opened(place) as store:
        yield store
