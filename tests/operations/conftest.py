"""The lines that were logged."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from worker.harness import captured


@pytest.fixture
def lines() -> Iterator[Callable[[], list[dict[str, Any]]]]:
    with captured() as lines:
        yield lines
