"""A Salesforce adapter in front of the sandbox, and another in front of answers that a test writes down."""

from typing import ClassVar

import httpx
import pytest
from conforming import Conforming

from connector.crms.salesforce.adapter import Salesforce
from connector.crms.salesforce.settings import SalesforceSettings
from connector.remote.rate_limit import Quota
from connector.sandbox.salesforce.app import SalesforceSandbox

from .. import scripted
from .shapes import conforming

KEY = "Connector_Key__c"
SETTINGS = {
    "system": "salesforce",
    "base_url": "https://example.my.salesforce.com",
    "client_id": "sandbox-client",
    "client_secret": "sandbox-client-secret",
    "timeout_seconds": 2,
}


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
def wire(sandbox) -> Conforming:
    """The way to the sandbox, on which every request and every answer is compared with the published shapes."""
    return conforming(httpx.ASGITransport(sandbox.app))


class Scripted(scripted.Scripted):
    """A remote system that answers what a test wrote down, after a token."""

    token_path = "/oauth2/token"
    token_answer: ClassVar = {"instance_url": "x", "token_type": "Bearer"}

    def refuse(self, status: int, code: str, message: str = "text", **more) -> None:
        """Answer with one error as Salesforce words it."""
        self.answer(status, [{"errorCode": code, "message": message, **more}])

    def rows(self, *rows: dict) -> None:
        """Answer a query."""
        attributes = {"type": "Contact", "url": "/"}
        self.answer(200, {"totalSize": len(rows), "done": True, "records": [{"attributes": attributes, **r} for r in rows]})


@pytest.fixture
def remote() -> Scripted:
    return Scripted()
