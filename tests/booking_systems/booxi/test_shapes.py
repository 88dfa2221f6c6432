"""The shapes themselves: the sandbox answers every call as documented, and what is not as documented does not pass."""

from datetime import UTC, datetime

import httpx
import pytest
from conforming import Nonconforming

from connector.sandbox.booxi.app import BooxiSandbox

from .shapes import API, CALLS, conforming

pytestmark = pytest.mark.anyio
NOON = datetime(2027, 3, 1, 12, tzinfo=UTC)
SPAN = {"from": "2027-03-01T00:00:00Z", "to": "2027-03-02T00:00:00Z"}


@pytest.fixture
def wire(sandbox):
    return conforming(httpx.ASGITransport(sandbox.app))


@pytest.fixture
async def http(wire):
    headers = {"Booxi-PartnerKey": "sandbox-partner-key"}
    async with httpx.AsyncClient(transport=wire, base_url="http://booxi.test", headers=headers) as client:
        yield client


async def test_the_sandbox_answers_every_call_as_documented(sandbox: BooxiSandbox, http, wire):
    ada, bob = sandbox.add_client(firstName="Ada", email="ada@example.com"), sandbox.add_client(firstName="Bob")
    booking = sandbox.book(ada, starts_at=NOON)
    loser = sandbox.add_client(firstName="Ada")
    sandbox.merge_clients(loser, ada)
    link = f"{API}/client/{ada}/moduleLink/hubspot"
    for method, path, more, status in [
        ("GET", f"{API}/client/{ada}", {}, 200),
        ("GET", f"{API}/client/1", {}, 404),
        ("GET", f"{API}/client/{loser}", {}, 409),
        ("GET", link, {}, 404),
        ("PUT", link, {"json": {"externalId": "77", "metadata": {"kept": "x"}}}, 200),
        ("GET", link, {}, 200),
        ("PUT", link, {"json": {"externalId": "77"}}, 200),
        ("GET", f"{API}/client/{bob}/moduleLink/another", {}, 403),
        ("GET", f"{API}/booking", {"params": {**SPAN, "clientId": str(ada)}}, 200),
        ("GET", f"{API}/booking", {"params": {**SPAN, "order": "Ascending", "cursor": "x"}}, 400),
        ("GET", f"{API}/booking/{booking}", {}, 200),
        ("GET", f"{API}/booking/B0", {}, 404),
        ("GET", f"{API}/merchant/list", {"params": {"offset": "0", "limit": "50"}}, 200),
    ]:
        answer = await http.request(method, path, **more)
        assert answer.status_code == status, (method, path, answer.text)
    assert {(method, path) for method, path, _ in wire.seen} == {(call.method, call.path) for call in CALLS}


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", f"{API}/client/x", None),
        ("DELETE", f"{API}/client/1", None),
        ("GET", f"{API}/client?email=ada@example.com", None),
        ("GET", f"{API}/booking", None),
        ("GET", f"{API}/booking?from=2027-03-01&to=2027-03-02T00:00:00Z", None),
        ("GET", f"{API}/booking?from=2027-03-01T00:00:00Z&to=2027-03-02T00:00:00Z&order=asc", None),
        ("GET", f"{API}/merchant/list?page=1", None),
        ("PUT", f"{API}/client/1/moduleLink/hubspot", {"externalId": 77}),
        ("PUT", f"{API}/client/1/moduleLink/hubspot", {"externalId": "77", "clientId": 1}),
        ("PUT", f"{API}/client/1/moduleLink/hubspot", {"metadata": {}}),
        ("PUT", f"{API}/client/1/moduleLink", {"externalId": "77"}),
    ],
)
async def test_a_request_that_is_not_as_documented_does_not_pass(http, wire, method, path, body):
    with pytest.raises(Nonconforming):
        await http.request(method, path, json=body)
    assert wire.seen == []


async def test_the_key_is_sent_in_booxis_own_header(wire):
    async with httpx.AsyncClient(transport=wire, headers={"Authorization": "Bearer sandbox-partner-key"}) as client:
        with pytest.raises(Nonconforming):
            await client.get(f"http://booxi.test{API}/client/1")


@pytest.mark.parametrize(
    ("status", "answer"),
    [
        (200, {"id": "5"}),
        (200, {"id": 5, "mobilePhone": "1"}),
        (200, {"id": 5, "status": "active"}),
        (200, {"client": {"id": 5}}),
        (201, {"id": 5}),
        (404, {"error": "no such client"}),
        (409, {"message": "merged", "code": 1, "newClientId": "6"}),
    ],
)
async def test_an_answer_that_is_not_as_documented_does_not_pass(status, answer):
    wire = conforming(httpx.MockTransport(lambda _: httpx.Response(status, json=answer)))
    async with httpx.AsyncClient(transport=wire, headers={"Booxi-PartnerKey": "k"}) as client:
        with pytest.raises(Nonconforming):
            await client.get(f"http://booxi.test{API}/client/5")
