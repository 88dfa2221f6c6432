"""A Pipedrive adapter in front of the sandbox, every exchange held to the published shapes; another in front of a script."""

import httpx
import pytest
from conforming import Conforming

from connector.crms.pipedrive.adapter import Pipedrive
from connector.crms.pipedrive.settings import PipedriveSettings
from connector.remote.rate_limit import Quota
from connector.sandbox.pipedrive.app import MARKER, PipedriveSandbox

from ..scripted import Scripted
from .shapes import conforming

NO_LIMITS = {"per_2_seconds": 0, "searches_per_2_seconds": 0, "daily_tokens": 0}


@pytest.fixture(autouse=True)
def _at_once(monkeypatch):
    monkeypatch.setattr("connector.remote.http.PAUSES", (0.0, 0.0))


@pytest.fixture
def sandbox() -> PipedriveSandbox:
    return PipedriveSandbox(fields=(MARKER,), per_2_seconds=None, searches_per_2_seconds=None, daily_tokens=None)


@pytest.fixture
def connect():
    def connect(transport, **settings) -> Pipedrive:
        given = {"system": "pipedrive", "token": "sandbox-token", "limits": NO_LIMITS, **settings}
        return Pipedrive.connect("main", PipedriveSettings.model_validate(given), Quota, transport=transport)

    return connect


@pytest.fixture
def wire(sandbox) -> Conforming:
    """What goes over the wire."""
    return conforming(httpx.ASGITransport(sandbox.app))


@pytest.fixture
def remote() -> Scripted:
    return Scripted()
