"""What the Booxi tests share: settings, the adapter over a sandbox or over answers made up by the test."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest

from connector.booking_systems.booxi.adapter import Booxi
from connector.booking_systems.booxi.settings import BooxiSettings
from connector.quota import Quota
from connector.sandbox.booxi import BooxiSandbox

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
    opened: list[Booxi] = []

    def build(far_side: BooxiSandbox | Callable[[httpx.Request], httpx.Response], **settings: Any) -> Booxi:
        sandbox = isinstance(far_side, BooxiSandbox)
        transport = httpx.ASGITransport(far_side.app) if sandbox else httpx.MockTransport(far_side)
        adapter = Booxi.connect("stores", BooxiSettings.model_validate(MINIMAL | settings), Quota, transport=transport)
        opened.append(adapter)
        return adapter

    yield build
    for adapter in opened:
        await adapter.remote.aclose()


@pytest.fixture
def sandbox() -> BooxiSandbox:
    return BooxiSandbox(quota=None)
