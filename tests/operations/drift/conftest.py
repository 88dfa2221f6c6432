"""A world with links in it for every test; comparisons and repairs look often."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from worker.harness import captured

from .world import Town


@pytest.fixture(autouse=True)
def _quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("connector.operations.waiting.LOOK_AGAIN", 0.05)


@pytest.fixture
async def town(anyio_backend: str, tmp_path: Path) -> AsyncIterator[Town]:
    with captured():
        made = Town(tmp_path)
        async with made.running():
            await made.link_everybody()
            yield made
