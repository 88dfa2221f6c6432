"""A Salesforce adapter in front of the sandbox, and another in front of answers that a test writes down."""

import json

import httpx
import pytest

from connector.crms.salesforce.adapter import Salesforce
from connector.crms.salesforce.settings import SalesforceSettings
from connector.remote.rate_limit import Quota
from connector.sandbox.salesforce.app import SalesforceSandbox

from .shapes import Checked

KEY = "Connector_Key__c"
SETTINGS = {
    "system": "salesforce",
    "base_url": "https://example.my.salesforce.com",
    "client_id": "sandbox-client",
    "client_secret": "sandbox-client-secret",
    "timeout_seconds": 2,
}


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
def sandbox(clock) -> SalesforceSandbox:
    return SalesforceSandbox(key_fields=(KEY,), clock=clock)


@pytest.fixture
def connect(clock):
    def connect(transport, **settings) -> Salesforce:
        parsed = SalesforceSettings.model_validate({**SETTINGS, **settings})

        def quota_for(key, windows):
            return Quota(key, windows, clock=clock)

        return Salesforce.connect("main", parsed, quota_for, transport=transport)

    return connect


@pytest.fixture
def checked(sandbox) -> Checked:
    """The way to the sandbox, on which every request and every answer is compared with the published shapes."""
    return Checked(httpx.ASGITransport(sandbox.app))


@pytest.fixture
async def crm(checked, connect):
    adapter = connect(checked)
    yield adapter
    await adapter.remote.aclose()


class Scripted:
    """A remote system that answers what a test wrote down, and remembers what it was asked. Tokens it issues by itself."""

    def __init__(self) -> None:
        self.answers: list[httpx.Response] = []
        self.asked: list[httpx.Request] = []
        self.tokens = 0

    def answer(self, status: int, data=None, headers=None) -> None:
        content = data if isinstance(data, bytes) else b"" if data is None else json.dumps(data).encode()
        self.answers.append(httpx.Response(status, content=content, headers=headers))

    def refuse(self, status: int, code: str, message: str = "text", **more) -> None:
        """Answer with one error as Salesforce words it."""
        self.answer(status, [{"errorCode": code, "message": message, **more}])

    def rows(self, *rows: dict) -> None:
        """Answer a query."""
        attributes = {"type": "Contact", "url": "/"}
        self.answer(200, {"totalSize": len(rows), "done": True, "records": [{"attributes": attributes, **r} for r in rows]})

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/oauth2/token"):
            self.tokens += 1
            return httpx.Response(200, json={"access_token": f"t{self.tokens}", "instance_url": "x", "token_type": "Bearer"})
        self.asked.append(request)
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


@pytest.fixture
def remote() -> Scripted:
    return Scripted()


@pytest.fixture
async def scripted(remote, connect):
    """The adapter in front of `remote`."""
    adapter = connect(httpx.MockTransport(remote))
    yield adapter
    await adapter.remote.aclose()
