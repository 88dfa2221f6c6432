"""A Dynamics adapter in front of the sandbox, and another in front of answers that a test writes down."""

from typing import ClassVar

import httpx
import pytest
from conforming import Conforming

from connector.crms.dynamics.adapter import Dynamics
from connector.crms.dynamics.settings import DynamicsSettings
from connector.remote.rate_limit import Quota
from connector.sandbox.dynamics.app import DynamicsSandbox

from .. import scripted
from .shapes import conforming

KEY = "new_connectorkey"
SETTINGS = {
    "system": "dynamics",
    "base_url": "https://example.crm.dynamics.com",
    "tenant_id": "sandbox-tenant",
    "client_id": "sandbox-client",
    "client_secret": "sandbox-secret",
    "timeout_seconds": 2,
}


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reads are tried again without a pause."""
    monkeypatch.setattr("connector.remote.http.PAUSES", (0.0, 0.0))


@pytest.fixture
def sandbox(clock) -> DynamicsSandbox:
    return DynamicsSandbox(key_columns=(KEY,), clock=clock)


@pytest.fixture
def connect(clock):
    def connect(transport, **settings) -> Dynamics:
        parsed = DynamicsSettings.model_validate({**SETTINGS, **settings})

        def quota_for(key, windows):
            return Quota(key, windows, clock=clock)

        return Dynamics.connect("main", parsed, quota_for, transport=transport)

    return connect


@pytest.fixture
def wire(sandbox) -> Conforming:
    """The way to the sandbox, on which every request and every answer is compared with the published shapes."""
    return conforming(httpx.ASGITransport(sandbox.app))


class Scripted(scripted.Scripted):
    """A remote system that answers what a test wrote down, after a token."""

    token_path = "/oauth2/v2.0/token"
    token_answer: ClassVar = {"expires_in": 3599, "token_type": "Bearer"}

    def refuse(self, status: int, code: str, message: str = "text", headers=None) -> None:
        """Answer with an error as Dataverse words it."""
        self.answer(status, {"error": {"code": code, "message": message}}, headers)

    def rows(self, *rows: dict) -> None:
        """Answer a query."""
        self.answer(200, {"@odata.context": "x", "value": [{"@odata.etag": 'W/"1"', "statecode": 0, **row} for row in rows]})

    def definitions(self) -> None:
        """Answer which columns contacts have, as they are read before the first create."""
        self.answer(200, {"value": [{"LogicalName": "lastname", "MaxLength": 50}]})


@pytest.fixture
def remote() -> Scripted:
    return Scripted()
