"""What the BookingFlow tests share: settings, the adapter over a sandbox or over answers made up by the test."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from connector.booking_systems.bookingflow.adapter import BookingFlow
from connector.booking_systems.bookingflow.settings import BookingFlowSettings
from connector.sandbox.bookingflow.app import BookingFlowSandbox

from ..connecting import connecting

MINIMAL: dict[str, Any] = {
    "system": "bookingflow",
    "base_url": "http://127.0.0.1:9/api/v1",
    "api_key": "sandbox-api-key",
    "path_key": "0123456789abcdef",
    "limits": {"per_second": 0, "per_minute": None},
    "webhook": {"verify": "none"},
}

Connect = Callable[..., BookingFlow]


def made(**changes: Any) -> BookingFlowSettings:
    return BookingFlowSettings.model_validate(MINIMAL | changes)


@pytest.fixture
async def connect(anyio_backend: str) -> AsyncIterator[Connect]:
    """`connect(sandbox)` or `connect(handler)`, with settings to override; closed afterwards."""
    async with connecting(BookingFlow, "rooms", MINIMAL) as build:
        yield build


@pytest.fixture
def sandbox() -> BookingFlowSandbox:
    return BookingFlowSandbox()
