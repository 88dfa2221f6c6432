"""What the Booxi tests share: settings, the adapter over a sandbox or over answers made up by the test."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from connector.booking_systems.booxi.adapter import Booxi
from connector.sandbox.booxi.app import BooxiSandbox

from ..connecting import connecting
from .shapes import conforming

MINIMAL: dict[str, Any] = {
    "system": "booxi",
    "base_url": "http://127.0.0.1:9",
    "partner_key": "sandbox-partner-key",
    "module_id": "hubspot",
    "limits": {"per_second": 0, "per_minute": None},
    "webhook": {"verify": "none"},
}

Connect = Callable[..., Booxi]


@pytest.fixture
def minimal() -> dict[str, Any]:
    return dict(MINIMAL)


@pytest.fixture
async def connect(anyio_backend: str) -> AsyncIterator[Connect]:
    """`connect(sandbox)` or `connect(handler)`, with settings to override; closed afterwards."""
    async with connecting(Booxi, "stores", MINIMAL, conforming) as build:
        yield build


@pytest.fixture
def sandbox() -> BooxiSandbox:
    return BooxiSandbox(quota=None)
