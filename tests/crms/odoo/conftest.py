"""An Odoo adapter in front of the sandbox, every exchange held to the documented shapes; another in front of a script."""

import json

import httpx
import pytest

from connector.crms.odoo.adapter import Odoo
from connector.crms.odoo.settings import OdooSettings
from connector.remote.rate_limit import Quota
from connector.sandbox.odoo.app import OdooSandbox

from .shapes import conforming

BASE = {"system": "odoo", "base_url": "http://odoo.test", "api_key": "sandbox-key", "limits": {"per_second": 0}}


@pytest.fixture
def sandbox() -> OdooSandbox:
    return OdooSandbox()


@pytest.fixture
def older() -> OdooSandbox:
    """A server of version 17: only JSON-RPC, and a field for mobile numbers."""
    return OdooSandbox(major=17)


@pytest.fixture
async def connect():
    made = []

    def connect(transport, **settings) -> Odoo:
        if isinstance(transport, OdooSandbox):
            transport = conforming(httpx.ASGITransport(transport.app))
        parsed = OdooSettings.model_validate({**BASE, **settings})
        made.append(Odoo.connect("main", parsed, Quota, transport=transport))
        return made[-1]

    yield connect
    for adapter in made:
        await adapter.remote.aclose()


class Scripted:
    """A server that answers what a test wrote down by the end of the path, and remembers what it was asked."""

    def __init__(self) -> None:
        self.answers: dict[str, httpx.Response] = {}
        self.asked: list[httpx.Request] = []

    def answer(self, name: str, status: int, data) -> None:
        content = data if isinstance(data, bytes) else json.dumps(data).encode()
        self.answers[name] = httpx.Response(status, content=content)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        name = request.url.path.rpartition("/")[2]
        found = self.answers[name]
        return httpx.Response(found.status_code, content=found.content)


@pytest.fixture
def far() -> Scripted:
    far = Scripted()
    # "Not there", as the look-up says it, for the key of the tests.
    text = f"External ID not found in the system: __import__.connector_person_{'a' * 64}"
    far.answer("check_object_reference", 500, {"name": "builtins.ValueError", "message": text})
    far.answer("fields_get", 200, {})
    far.answer("has_access", 200, True)
    return far


@pytest.fixture
def scripted(far, connect) -> Odoo:
    """The adapter in front of `far`, by JSON-2."""
    return connect(httpx.MockTransport(far), api="json-2")
