"""nginx in front of `connector serve`: it never meets a connection that is just closing, and opens the page to nobody."""

from __future__ import annotations

import asyncio
import json
import os
from contextlib import AsyncExitStack
from pathlib import Path

import httpx
import pytest

from connector import registry
from connector.app import Service as InProcess
from connector.config import settings
from connector.web.receiver.connection import KEEP_ALIVE

from . import nginx
from .listener import booking
from .world import WEBHOOK_TOKEN, RemoteSystems, Service, rows

pytestmark = pytest.mark.anyio

#: Seconds for which nginx keeps an idle connection to us by default, and for which it does in the test.
DEFAULT = 60.0
LIMIT = float(os.environ.get("CONNECTOR_TEST_NGINX_SECONDS", "1"))
#: Seconds between nginx and us, which is how long nginx does not know yet that we have closed.
LATENCY = 0.2
AROUND = [step * LATENCY / 2 for step in range(-4, 5)]
TOKEN = {"Authorization": WEBHOOK_TOKEN}


@pytest.fixture(autouse=True)
def _installed() -> None:
    nginx.needed()


async def _gaps(file: Path, ours: float, theirs: float, monkeypatch: pytest.MonkeyPatch) -> tuple[list[int], int]:
    """The answers to a delivery after idle gaps around both limits, and how many connections were made for them."""
    monkeypatch.setattr("connector.app.KEEP_ALIVE", ours)
    gaps = [theirs / 2, *(limit + more for limit in (ours, theirs) for more in AROUND)]
    service = await InProcess.open(settings.load(file, systems=registry.Registry()), works=False)
    await service.start()
    try:
        async with AsyncExitStack() as stack:
            network = nginx.Network(service.url, LATENCY)
            port = await stack.enter_async_context(network.open())
            locations, before = nginx.pools([port] * len(gaps), f"{round(theirs * 1000)}ms")
            client = await stack.enter_async_context(nginx.proxying(locations, before))

            async def twice(number: int, gap: float) -> list[int]:
                path = f"/{number}/webhooks/stores"
                first = await client.post(path, json=booking(), headers=TOKEN)
                # The gap is what is tested.
                await asyncio.sleep(gap)
                return [first.status_code, (await client.post(path, json=booking(), headers=TOKEN)).status_code]

            answers = await asyncio.gather(*(twice(number, gap) for number, gap in enumerate(gaps)))
            return [status for pair in answers for status in pair], network.connections
    finally:
        await service.stop()


@pytest.mark.timeout(240)
async def test_no_delivery_meets_a_connection_that_is_just_closing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Our limit and that of nginx are scaled by the same factor; the gaps lie around both."""
    async with RemoteSystems() as sides:
        answers, connections = await _gaps(sides.config(tmp_path), LIMIT * KEEP_ALIVE / DEFAULT, LIMIT, monkeypatch)
    assert answers == [202] * len(answers)
    assert len(answers) // 2 < connections < len(answers), "some were used again, some had been closed"


async def test_the_side_that_sends_must_close_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the limit is for: with the five seconds that uvicorn has by itself, also scaled, nginx answers 502."""
    async with RemoteSystems() as sides:
        answers, _ = await _gaps(sides.config(tmp_path), LIMIT, LIMIT * 2, monkeypatch)
    assert 502 in answers
    assert set(answers) == {202, 502}


@pytest.mark.parametrize("token", [True, False], ids=["with a token", "without one"])
async def test_a_stock_proxy_pass_opens_the_page_to_nobody(tmp_path: Path, token: bool) -> None:
    """It adds no header by which a proxy could be known, and its address is our own machine's."""
    async with RemoteSystems() as sides:
        file = sides.config(tmp_path)
        if not token:
            file.write_text(file.read_text().replace('token = "a-status-token-for-tests"', ""), encoding="utf-8")
        async with Service(file).running() as service:
            plain = f"location / {{ proxy_pass {service.url}; }}"
            forwarding = f"location / {{ proxy_pass {service.url}; proxy_set_header X-Forwarded-For $remote_addr; }}"
            async with nginx.proxying(plain) as client:
                await _closed_to_strangers(client)
                assert (await client.post("/webhooks/stores", json=booking())).status_code == 401
                assert (await client.post("/webhooks/stores", json=booking(), headers=TOKEN)).status_code == 202
            assert rows(service.database, "SELECT count(*) FROM deliveries") == [(1,)]
            async with nginx.proxying(forwarding) as client:
                await _closed_to_strangers(client)
                assert await _as_the_command_line(client, service) == 404


async def _closed_to_strangers(client: httpx.AsyncClient) -> None:
    page = await client.get("/status", headers={"Accept": "text/html"})
    assert page.status_code == 303
    assert page.headers["location"].startswith("/login")
    for path in ("/status.json", "/metrics", "/status/events", "/status/links"):
        assert (await client.get(path)).status_code in (303, 401), path
    for path in ("/status/reviews/1", "/status/events/1", "/status/events"):
        answer = await client.post(path, data={"action": "retry"})
        assert answer.status_code in (303, 401, 403, 404, 405), path
        assert "/login" in answer.headers.get("location", "/login")
    assert (await client.post("/-/operations/status", json={})).status_code == 404


async def _as_the_command_line(client: httpx.AsyncClient, service: Service) -> int:
    """What the answer is to somebody who has read the lock file, through a proxy that says that it is one."""
    lock = service.database.with_name("connector.db.lock").read_text(encoding="utf-8")
    headers = {"Authorization": f"Bearer {json.loads(lock)['token']}"}
    return (await client.post("/-/operations/status", json={}, headers=headers)).status_code
