"""A HubSpot adapter in front of the sandbox, and another in front of answers that a test writes down."""

import json

import httpx
import pytest

from connector.crms.hubspot.adapter import HubSpot
from connector.crms.hubspot.settings import HubSpotSettings
from connector.remote.rate_limit import Quota
from connector.sandbox.hubspot.app import HubSpotSandbox

TOKEN = "pat-test-0000"
KEY = "connector_person_key"


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def sandbox(clock) -> HubSpotSandbox:
    return HubSpotSandbox(token=TOKEN, unique_properties=(KEY,), per_10_seconds=None, search_per_second=None, clock=clock)


@pytest.fixture
def quotas() -> dict[str, Quota]:
    """The quotas that were asked for, by their key material."""
    return {}


@pytest.fixture
def connect(quotas):
    def connect(transport, **settings) -> HubSpot:
        settings = {"limits": {"per_10_seconds": 0, "search_per_second": 0}, "token": TOKEN, **settings}
        parsed = HubSpotSettings.model_validate({"system": "hubspot", **settings})

        def quota_for(key, windows):
            return quotas.setdefault(key, Quota(key, windows))

        return HubSpot.connect("main", parsed, quota_for, transport=transport)

    return connect


@pytest.fixture
async def crm(sandbox, connect):
    adapter = connect(httpx.ASGITransport(sandbox.app))
    yield adapter
    await adapter.remote.aclose()


class Scripted:
    """A remote system that answers what a test wrote down, and remembers what it was asked."""

    def __init__(self) -> None:
        self.answers: list[httpx.Response] = []
        self.asked: list[httpx.Request] = []

    def answer(self, status: int, data=None, headers=None) -> None:
        content = data if isinstance(data, bytes) else b"" if data is None else json.dumps(data).encode()
        self.answers.append(httpx.Response(status, content=content, headers=headers))

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


@pytest.fixture
def far() -> Scripted:
    return Scripted()


@pytest.fixture
async def scripted(far, connect):
    """The adapter in front of `far`."""
    adapter = connect(httpx.MockTransport(far))
    yield adapter
    await adapter.remote.aclose()
