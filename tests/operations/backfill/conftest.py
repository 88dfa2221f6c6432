"""A world of its own for every test, and the lines that were logged."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from worker.harness import captured

from .world import World


@pytest.fixture(autouse=True)
def lines() -> Iterator[Callable[[], list[dict[str, Any]]]]:
    with captured() as lines:
        yield lines


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


@pytest.fixture(autouse=True)
def _quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run looks more often whether it is done, and an account whether it works again."""
    monkeypatch.setattr("connector.operations.waiting.LOOK_AGAIN", 0.04)
    monkeypatch.setattr("connector.worker.probes.INTERVALS", (0.2, 0.4))
