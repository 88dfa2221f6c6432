"""A Zoho CRM adapter in front of the sandbox, every exchange held to the published shapes; another in front of a script."""

from typing import ClassVar

import httpx
import pytest

from connector.crms.zoho.adapter import Zoho
from connector.crms.zoho.settings import ZohoSettings
from connector.remote.rate_limit import Quota
from connector.sandbox.zoho.app import ZohoSandbox

from .. import scripted
from .shapes import ZohoConforming, conforming

KEY, MARKER = "Connector_Person_Key", "Connector_Marker"
KEYS = {"client_id": "sandbox-client", "client_secret": "sandbox-secret", "refresh_token": "sandbox-refresh"}
WHERE = {"base_url": "http://zoho.test", "accounts_url": "https://accounts.test"}


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
def wire(sandbox) -> ZohoConforming:
    """What goes over the wire."""
    return conforming(httpx.ASGITransport(sandbox.app))


class Scripted(scripted.Scripted):
    """A remote system that answers what a test wrote down, after a token."""

    token_path = "/oauth/v2/token"
    token_answer: ClassVar = {"expires_in": 3600}


@pytest.fixture
def remote() -> Scripted:
    return Scripted()
