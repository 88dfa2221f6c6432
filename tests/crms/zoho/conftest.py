"""A Zoho CRM adapter in front of the sandbox, every exchange held to the published shapes; another in front of a script."""

import json

import httpx
import pytest

from connector.crms.zoho.adapter import Zoho
from connector.crms.zoho.settings import ZohoSettings
from connector.remote.rate_limit import Quota
from connector.sandbox.zoho.app import ZohoSandbox

from .shapes import Checked

KEY, MARKER = "Connector_Person_Key", "Connector_Marker"
KEYS = {"client_id": "sandbox-client", "client_secret": "sandbox-secret", "refresh_token": "sandbox-refresh"}
WHERE = {"base_url": "http://zoho.test", "accounts_url": "https://accounts.test"}


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
def sandbox(clock) -> ZohoSandbox:
    return ZohoSandbox(fields=(f"Contacts.{KEY}!", f"Events.{MARKER}"), clock=clock)


@pytest.fixture
def quotas() -> dict[str, Quota]:
    """The quotas that were asked for, by their key material."""
    return {}


@pytest.fixture
def connect(quotas, clock):
    def connect(transport, **settings) -> Zoho:
        parsed = ZohoSettings.model_validate({"system": "zoho", "data_centre": "eu", **KEYS, **WHERE, **settings})

        def quota_for(key, windows):
            return quotas.setdefault(key, Quota(key, windows, clock=clock))

        return Zoho.connect("main", parsed, quota_for, transport=transport)

    return connect


@pytest.fixture
def wire(sandbox) -> Checked:
    """What goes over the wire."""
    return Checked(httpx.ASGITransport(sandbox.app))


@pytest.fixture
async def crm(wire, connect):
    adapter = connect(wire)
    yield adapter
    await adapter.remote.aclose()


class Scripted:
    """A remote system that answers what a test wrote down, after a token; it remembers what it was asked."""

    def __init__(self) -> None:
        self.answers: list[httpx.Response] = []
        self.asked: list[httpx.Request] = []
        self.tokens = 0

    def answer(self, status: int, data=None, headers=None) -> None:
        content = data if isinstance(data, bytes) else b"" if data is None else json.dumps(data).encode()
        self.answers.append(httpx.Response(status, content=content, headers=headers))

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == "/oauth/v2/token":
            self.tokens += 1
            return httpx.Response(200, json={"access_token": f"t{self.tokens}", "expires_in": 3600})
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
