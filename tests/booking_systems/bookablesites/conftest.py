"""What the Bookablesites tests share: settings, the adapter over a sandbox or over answers made up by the test."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from connector.booking_systems.bookablesites.adapter import Bookablesites
from connector.sandbox.bookablesites.app import BookablesitesSandbox

from ..connecting import connecting

MINIMAL: dict[str, Any] = {
    "system": "bookablesites",
    "base_url": "http://127.0.0.1:9",
    "api": "v2",
    "client_id": "sandbox-client",
    "client_secret": "sandbox-client-secret",
    "path_key": "0123456789abcdef",
    "date_format": "%d/%m/%Y %I:%M %p",
    "time_zone": "Europe/Paris",
    "limits": {"per_second": 0, "per_minute": None},
    "page_size": 3,
    "webhook": {"verify": "none"},
}

Connect = Callable[..., Bookablesites]


@pytest.fixture
def minimal() -> dict[str, Any]:
    return dict(MINIMAL)


@pytest.fixture
async def connect(anyio_backend: str) -> AsyncIterator[Connect]:
    """`connect(sandbox)` or `connect(handler)`, with settings to override; closed afterwards."""
    async with connecting(Bookablesites, "salon", MINIMAL) as build:
        yield build


@pytest.fixture
def sandbox() -> BookablesitesSandbox:
    return BookablesitesSandbox()


def key(email: str) -> str:
    """Our id of the customer with this e-mail."""
    from connector.booking_systems.bookablesites.values import client_key

    found = client_key("salon", email, "", "")
    assert found
    return found
