"""What every test shares: anyio's plugin runs the asynchronous ones on asyncio, the only loop the service has."""

import itertools
from pathlib import Path

import pytest
from hypothesis import settings

# How long one example takes says more about the machine than about the code.
settings.register_profile("connector", deadline=None)
settings.register_profile("thorough", deadline=None, max_examples=5_000)
settings.load_profile("connector")


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


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
    return any(item.get_closest_marker(name) for name in ("slow", "browser"))
