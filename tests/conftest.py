"""What every test shares: anyio's plugin runs the asynchronous ones on asyncio, the only loop the service has."""

import gc
import itertools
import os
import sqlite3
import sys
import tempfile
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import kept
import pytest
from httpx._transports import default
from hypothesis import settings

from connector.app import SWITCH_INTERVAL
from connector.store.sqlite import database

# How long one example takes says more about the machine than about the code. The same examples in every run: whoever changes
# something else is not stopped by what nobody has found before. `--hypothesis-profile thorough` looks for that.
settings.register_profile("connector", deadline=None, derandomize=True)
settings.register_profile("thorough", deadline=None, max_examples=5_000)
settings.load_profile("connector")


def pytest_configure() -> None:
    """Let the tests' files be in memory, where that is possible and nobody has said where: most wait for the disk only.

    What becomes of a commit when the power fails is told by what the store asks of the disk (tests/powercut), wherever it is.
    """
    # Threads meet in the tests as they do in the service.
    sys.setswitchinterval(SWITCH_INTERVAL)
    if "TMPDIR" not in os.environ and (place := kept.memory()):
        os.environ["TMPDIR"], tempfile.tempdir = str(place), None


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session", autouse=True)
def _no_search_for_trio() -> Iterator[None]:
    """Where sniffio is not installed, httpx looks through all folders for it with every request that a sandbox answers."""
    with pytest.MonkeyPatch.context() as patch:
        if find_spec("sniffio") is None:
            # What Python documents for a module that is not to be found.
            patch.setitem(sys.modules, "sniffio", None)
        yield


@pytest.fixture(scope="session", autouse=True)
def _authorities_read_once() -> Iterator[None]:
    """Let the tests' own HTTP clients share what they believe: to read all authorities takes longer than most tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(default, "create_ssl_context", cache(default.create_ssl_context))
        yield


@pytest.fixture(scope="session", autouse=True)
def _tables_made_once() -> Iterator[None]:
    """Give a new SQLite file its tables as a copy: to make them takes longer than most tests. Other processes make theirs."""
    migrate = database.migrate
    model = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
    with closing(model), pytest.MonkeyPatch.context() as patch:

        def copied(connection: sqlite3.Connection, keyed: Callable[[str], str]) -> None:
            if connection.execute("SELECT 1 FROM sqlite_master").fetchone() is not None:
                migrate(connection, keyed)
                return
            if model.execute("SELECT 1 FROM sqlite_master").fetchone() is None:
                migrate(model, keyed)
            model.backup(connection)

        patch.setattr(database, "migrate", copied)
        yield


@pytest.fixture(scope="module", autouse=True)
def _without_authorities(request: pytest.FixtureRequest) -> Iterator[None]:
    """Do not read the certificates that the environment names with every configuration: next to nothing here is encrypted.

    What lies beside this file installs packages, and may need them.
    """
    with pytest.MonkeyPatch.context() as patch:
        if request.path.parent != Path(__file__).parent:
            for name in ("SSL_CERT_FILE", "SSL_CERT_DIR"):
                patch.delenv(name, raising=False)
        yield


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Collect without looking for garbage: ten thousand tests are a million objects that stay, and are never looked through."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Several workers begin with the slow files, each beside a quick one with many tests: none may begin one last.

    They need `--no-loadscope-reorder`: on its own pytest-xdist begins with the files that have most tests, which are quick.
    """
    if not hasattr(config, "workerinput"):
        return
    files: dict[Path, list[pytest.Item]] = {}
    for item in items:
        files.setdefault(item.path, []).append(item)
    slow, quick = [], []
    for tests in sorted(files.values(), key=len, reverse=True):
        (slow if any(map(_takes_long, tests)) else quick).append(tests)
    pairs = itertools.zip_longest(slow, quick, fillvalue=())
    items[:] = itertools.chain.from_iterable(itertools.chain.from_iterable(pairs))


def _takes_long(item: pytest.Item) -> bool:
    # Who needs another limit than the usual one takes long too, and who starts processes or installs what it tests.
    if item.path.parent.name in ("acceptance", "benchmarks"):
        return True
    fixtures = item.fixturenames if isinstance(item, pytest.Function) else ()
    marked = any(item.get_closest_marker(name) for name in ("slow", "browser", "timeout"))
    return marked or not {"wheel", "tryton"}.isdisjoint(fixtures)
