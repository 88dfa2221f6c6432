"""A database of its own for every test; the file is real, only the remote systems are ever faked."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from connector.store import Store

from .samples import opened


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "connector.db"


@pytest.fixture
async def store(path: Path, anyio_backend: str) -> AsyncIterator[Store]:
    async with opened(path) as store:
        yield store
