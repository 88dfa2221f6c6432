"""A HubSpot adapter in front of the sandbox, every exchange held to the published shapes; another in front of a script."""

import httpx
import pytest
from conforming import Conforming

from connector.crms.hubspot.adapter import HubSpot
from connector.crms.hubspot.settings import HubSpotSettings
from connector.remote.rate_limit import Quota
from connector.sandbox.hubspot.app import HubSpotSandbox

from ..scripted import Scripted
from .shapes import conforming

TOKEN = "pat-test-0000"
KEY = "connector_person_key"


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
def wire(sandbox) -> Conforming:
    """What goes over the wire."""
    return conforming(httpx.ASGITransport(sandbox.app))


@pytest.fixture
def remote() -> Scripted:
    return Scripted()
