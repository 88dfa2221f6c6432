"""One service for all tests of bad input; nothing that comes from outside may make it complain of itself."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator

import pytest

from .listener import Listener, listening


@pytest.fixture(scope="package")
async def listener(tmp_path_factory: pytest.TempPathFactory, anyio_backend: str) -> AsyncIterator[Listener]:
    async with listening(tmp_path_factory.mktemp("bad-input")) as listener:
        yield listener


@pytest.fixture
def still_well(listener: Listener) -> Iterator[None]:
    before = len(listener.service.lines)
    yield
    for line in listener.service.lines[before:]:
        assert "Traceback" not in json.dumps(line), line
        assert "exception" not in line, line
        assert line["event"] not in ("event failed unexpectedly", "adapter failed"), line
