"""The faults themselves: they do what they say, repeatably, through a socket and without one."""

import asyncio
import json
import logging

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from connector.model.errors import ConfigError
from connector.sandbox.kit.faults import FaultInjector, Faults
from connector.sandbox.kit.server import Server

pytestmark = pytest.mark.anyio


class Far:
    """A remote system that counts its effects."""

    def __init__(self, **faults):
        self.effects = 0
        self.reached = asyncio.Event()
        self.faults = Faults(**faults)
        routes = [Route("/do", self.do, methods=["POST"]), Route("/_sandbox/state", self.do, methods=["POST"])]
        self.app = FaultInjector(Starlette(routes=routes), lambda: self.faults)

    async def do(self, request: Request) -> JSONResponse:
        await request.body()
        self.effects += 1
        self.reached.set()
        return JSONResponse({"ok": True})

    def client(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(transport=httpx.ASGITransport(self.app), base_url="http://far")


def some_other_client(url: str, **options) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=url, trust_env=False, **options)


@pytest.mark.parametrize(
    ("faults", "status", "effects"),
    [
        ({}, 200, 1),
        ({"error_500": 1}, 500, 0),
        ({"error_503": 1}, 503, 0),
        ({"html": 1}, 403, 0),
        ({"html": 1, "html_status": 200}, 200, 0),
        ({"rate_limit": 1}, 429, 0),
        ({"error_after_effect": 1}, 500, 1),
        ({"down": True, "error_500": 1}, 503, 0),
    ],
)
async def test_each_fault_answers_as_documented(faults, status, effects):
    far = Far(**faults)
    async with far.client() as client:
        answer = await client.post("/do", json={})
    assert (answer.status_code, far.effects) == (status, effects)
    assert far.app.requests == 1
    assert sum(far.app.injected.values()) == (1 if faults else 0)
    assert "retry-after" not in answer.headers


async def test_html_is_not_json():
    async with Far(html=1).client() as client:
        answer = await client.post("/do")
    assert answer.headers["content-type"] == "text/html"
    with pytest.raises(ValueError, match="Expecting value"):
        answer.json()


@pytest.mark.parametrize("name", ["rate_limit", "error_503"])
async def test_retry_after_is_sent_where_it_is_set(name):
    async with Far(**{name: 1}, retry_after=7).client() as client:
        assert (await client.post("/do")).headers["retry-after"] == "7"


@pytest.mark.parametrize(
    ("faults", "error"),
    [({"lost_answer": 1}, httpx.RemoteProtocolError), ({"timeout": 1, "timeout_seconds": 0.01}, httpx.ReadTimeout)],
)
async def test_without_a_socket_the_effect_happens_and_the_client_sees_a_transport_error(faults, error):
    far = Far(**faults)
    async with far.client() as client:
        with pytest.raises(error):
            await client.post("/do", json={"some": "body"})
    assert far.effects == 1


async def test_through_a_socket_a_lost_answer_is_a_cut_connection_and_the_next_request_works():
    far = Far(lost_answer=1)
    async with Server(far.app) as server, some_other_client(server.url) as client:
        with pytest.raises(httpx.RemoteProtocolError):
            await client.post("/do", json={})
        assert far.effects == 1
        far.faults = Faults()
        assert (await client.post("/do", json={})).status_code == 200


async def test_through_a_socket_a_withheld_answer_times_out_and_does_not_delay_the_shutdown(caplog):
    far = Far(timeout=1, timeout_seconds=60)
    caplog.set_level(logging.WARNING)
    async with asyncio.timeout(30), Server(far.app) as server:
        async with some_other_client(server.url, timeout=0.2) as client:
            with pytest.raises(httpx.ReadTimeout):
                await client.post("/do", json={})
        assert far.effects == 1
    assert [record.getMessage() for record in caplog.records] == []


async def test_a_server_stops_although_a_client_is_still_waiting(caplog):
    far = Far(timeout=1, timeout_seconds=60)
    caplog.set_level(logging.WARNING)
    async with asyncio.timeout(30):
        async with some_other_client("http://unused", timeout=30) as client:
            async with Server(far.app) as server:
                waiting = asyncio.create_task(client.post(f"{server.url}/do", json={}))
                await far.reached.wait()
            assert (await waiting).status_code == 500, "uvicorn's own answer to what it had to give up"
    assert [record.getMessage() for record in caplog.records] == []


async def test_an_address_in_use_is_said_at_once():
    async with Server(Far().app) as server:
        with pytest.raises(OSError, match="in use"):
            await Server(Far().app, port=server.port).__aenter__()


async def test_control_requests_are_exempt():
    far = Far(down=True)
    async with far.client() as client:
        assert (await client.post("/_sandbox/state")).status_code == 200
    assert far.app.requests == 0


async def test_the_same_seed_hits_the_same_requests_and_another_seed_others():
    async def statuses(seed):
        async with Far(seed=seed, error_500=0.3, rate_limit=0.3).client() as client:
            return [(await client.post("/do")).status_code for _ in range(60)]

    first = await statuses(1)
    assert first == await statuses(1) != await statuses(2)
    assert set(first) == {200, 429, 500}


async def test_faults_can_be_changed_while_the_remote_system_runs():
    far = Far()
    async with far.client() as client:
        assert (await client.post("/do")).status_code == 200
        far.faults = Faults(seed=9, down=True)
        assert (await client.post("/do")).status_code == 503


async def test_latency_delays_the_answer():
    async with Far(latency_ms=(30, 40)).client() as client:
        began = asyncio.get_running_loop().time()
        await client.post("/do")
    assert asyncio.get_running_loop().time() - began >= 0.029


def test_faults_load_from_toml_and_json(tmp_path):
    toml, other = tmp_path / "faults.toml", tmp_path / "faults.json"
    toml.write_text("seed = 3\nlatency_ms = [1, 5]\nlost_answer = 0.25\nretry_after = 2\n")
    other.write_text(json.dumps({"seed": 3, "latency_ms": [1, 5], "lost_answer": 0.25, "retry_after": 2}))
    expected = Faults(seed=3, latency_ms=(1, 5), lost_answer=0.25, retry_after=2)
    assert Faults.load(toml) == Faults.load(str(other)) == expected


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("lost_anser = 0.5", "lost_anser: unknown key; did you mean lost_answer?"),
        ("xyzzy = 1", "xyzzy: unknown key; known are seed"),
        ("html = 1.5", "html: Input should be less than or equal to 1"),
        ("timeout_seconds = -1", "timeout_seconds: Input should be greater"),
        ("latency_ms = [9, 1]", "latency_ms is [shortest, longest]"),
        ("html = ", "cannot be read as a faults file"),
        (None, "cannot be read as a faults file"),
    ],
)
def test_a_bad_faults_file_names_file_key_and_fix(tmp_path, text, says):
    path = tmp_path / "faults.toml"
    if text is not None:
        path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        Faults.load(path)
    assert str(caught.value).startswith(str(path))
    assert says in str(caught.value)
