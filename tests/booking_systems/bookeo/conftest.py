"""What the Bookeo tests share: settings, and the adapter, in front of the sandbox held to the published shapes."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest

from connector.booking_systems.bookeo.adapter import Bookeo
from connector.sandbox.bookeo.app import BookeoSandbox

from ..connecting import connecting
from .shapes import conforming

MINIMAL: dict[str, Any] = {
    "system": "bookeo",
    "base_url": "http://127.0.0.1:9",
    "api_key": "sandbox-api-key",
    "secret_key": "sandbox-secret-key",
    "limits": {"per_second": 0, "per_minute": None},
}
ADDRESS = "https://hooks.example.com/webhooks/spa"
ADA: dict[str, Any] = {
    "firstName": "Ada",
    "lastName": "Example",
    "emailAddress": "ada@example.org",
    "phoneNumbers": [{"number": "514-555-0101", "type": "mobile"}, {"number": "514-555-0102", "type": "home"}],
}

Connect = Callable[..., Bookeo]


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reads are tried again without a pause."""
    monkeypatch.setattr("connector.remote.http.PAUSES", (0.0, 0.0))


@pytest.fixture
def minimal() -> dict[str, Any]:
    return dict(MINIMAL)


@pytest.fixture
async def connect(anyio_backend: str) -> AsyncIterator[Connect]:
    """`connect(sandbox)` or `connect(handler)`, with settings to override; closed afterwards."""
    async with connecting(Bookeo, "spa", MINIMAL, conforming) as build:

        def addressed(remote_system: Any, *, address: str | None = ADDRESS, **settings: Any) -> Bookeo:
            adapter = build(remote_system, **settings)
            adapter.address = address
            return adapter

        yield addressed


@pytest.fixture
def sandbox() -> BookeoSandbox:
    return BookeoSandbox(quota=None)


@pytest.fixture
def ada(sandbox: BookeoSandbox) -> str:
    customer_id = sandbox.add_customer(**ADA)
    sandbox.outbox.waiting.clear()
    return customer_id


def answers(*responses: Any) -> Any:
    """A remote system that gives these answers in turn, and remembers the requests."""
    queue = list(responses)

    def handle(request: httpx.Request) -> httpx.Response:
        handle.requests.append(request)
        answer = queue.pop(0)
        return answer if isinstance(answer, httpx.Response) else httpx.Response(200, json=answer)

    handle.requests = []
    return handle
