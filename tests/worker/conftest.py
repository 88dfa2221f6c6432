"""A store of its own for every test, and the lines that were logged."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from store.samples import opened

from connector.store import Store

from .harness import captured


@pytest.fixture
def lines() -> Iterator[Callable[[], list[dict[str, Any]]]]:
    with captured() as lines:
        yield lines


@pytest.fixture
async def store(lines: object, tmp_path: Path, anyio_backend: str) -> AsyncIterator[Store]:
    async with opened(tmp_path / "connector.db") as store:
        yield store
