"""What the tests of CRM adapters share; each product's `conftest` has its own `connect`, `wire` and `remote`."""

from __future__ import annotations

import httpx
import pytest

from .scripted import Clock


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def crm(wire, connect):
    """The adapter in front of the sandbox, with `wire` between them."""
    adapter = connect(wire)
    yield adapter
    await adapter.remote.aclose()


@pytest.fixture
async def scripted(remote, connect):
    """The adapter in front of `remote`, which answers what a test wrote down."""
    adapter = connect(httpx.MockTransport(remote))
    yield adapter
    await adapter.remote.aclose()
