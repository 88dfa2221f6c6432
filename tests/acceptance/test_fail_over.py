"""Two services on a real primary with a synchronous standby: the primary is killed in the middle of deliveries."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path

import httpx
import postgres
import pytest
import replication

from .test_postgres import run, several
from .world import OnServer, RemoteSystems, eventually, pending, rows

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

#: How often the primary dies.
TIMES = int(os.environ.get("CONNECTOR_TEST_FAIL_OVERS", "1"))
#: Seconds within which everything answers, whatever the database does.
SOON = 10.0


class Recorder(httpx.AsyncBaseTransport):
    """Passes deliveries on, and remembers how each was answered: (event id, status), and the longest wait."""

    def __init__(self) -> None:
        self._transport = httpx.AsyncHTTPTransport(limits=httpx.Limits(max_keepalive_connections=0))
        self.answers: list[tuple[str, int]] = []
        self.longest = 0.0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        body = json.loads(await request.aread())
        began = asyncio.get_running_loop().time()
        answer = await self._transport.handle_async_request(request)
        await answer.aread()
        self.longest = max(self.longest, asyncio.get_running_loop().time() - began)
        self.answers.append((body.get("id") or body["eventId"], answer.status_code))
        return answer

    async def more(self, status: int, number: int) -> set[int]:
        """Wait for so many more answers of this kind; returns all kinds that came meanwhile."""
        before = len(self.answers)

        def came() -> list[int]:
            return [status for _, status in self.answers[before:]]

        await eventually(lambda: came().count(status) >= number)
        return set(came())


@asynccontextmanager
async def booking_all_the_time(sides: RemoteSystems) -> AsyncIterator[None]:
    """Clients book, three times each, for as long as the block lasts; every delivery is repeated until it is taken."""
    sending: set[asyncio.Task[object]] = set()
    leaving = asyncio.Event()

    async def book() -> None:
        number = 0
        while not leaving.is_set():
            number += 1
            client = {"firstName": f"Person{number}", "lastName": f"Of{number}", "email": f"person{number}@example.com"}
            one = sides.booxi.add_client(**client)
            for _ in range(3):
                sides.booxi.book(one)
                sending.add(asyncio.create_task(sides.booxi.send_webhooks()))
            with suppress(TimeoutError):
                async with asyncio.timeout(0.05):
                    await leaving.wait()

    task = asyncio.create_task(book())
    try:
        yield
    finally:
        leaving.set()
        await task
        await asyncio.gather(*sending)


async def readiness(client: httpx.AsyncClient, url: str, status: int) -> None:
    """Wait until `/readyz` answers so."""
    async with asyncio.timeout(40):
        while (await client.get(f"{url}/readyz")).status_code != status:
            await asyncio.sleep(0.05)


@pytest.mark.timeout(120 + 60 * TIMES)
async def test_no_acknowledged_delivery_is_lost_when_the_primary_dies(tmp_path: Path, capsys) -> None:
    postgres.needed()
    recorder = Recorder()
    async with AsyncExitStack() as stack:
        pair = stack.enter_context(replication.replicating())
        sides = await stack.enter_async_context(RemoteSystems(transport=recorder))
        services = await stack.enter_async_context(several(sides, tmp_path, pair.url(), "all", "worker", lease=2))
        client = await stack.enter_async_context(httpx.AsyncClient(timeout=SOON))
        sides.send_to(services[0].url)
        async with booking_all_the_time(sides):
            for time in range(1, TIMES + 1):
                await recorder.more(202, 30)
                await services[1].says("event done", 5 * time)
                if time % 2:
                    # Certainly in the middle of a commit.
                    replication.hold_back(pair.primary)
                    await eventually(lambda: bool(replication.commits_that_wait(pair.primary)))
                replication.kill(pair.primary)
                await readiness(client, services[0].url, 503)
                assert await recorder.more(503, 20) == {503}
                assert (await client.get(f"{services[0].url}/healthz")).status_code == 200
                await asyncio.to_thread(pair.fail_over)
                await readiness(client, services[0].url, 200)
                for service in services:
                    await service.says("another server is the primary now", time)
                # The server that died comes back as the standby of the new one.
                await asyncio.to_thread(pair.follow_again)
        database = OnServer(pair.primary.url(), tmp_path)
        await eventually(lambda: pending(database) == 0, seconds=90)
        check_deliveries(recorder, database)
        check_links(sides, database)
        checked = await run("database", "check", file=services[0].file)
        assert checked.returncode == 0, checked.stdout
        said = [text for service in services for text in service.text]
        assert not [text for text in said if "Traceback" in text]
    outcomes = Counter("true" in text for text in said if "a commit was cut off" in text)
    answers = Counter(status for _, status in recorder.answers)
    with capsys.disabled():
        sys.stdout.write(f" {TIMES} fail-overs; {answers}; slowest {recorder.longest:.1f} s; commits looked up {outcomes} ")


def check_deliveries(recorder: Recorder, database: OnServer) -> None:
    """Everything that was answered 202 is there once, and done; nothing took long, nothing was answered otherwise."""
    assert {status for _, status in recorder.answers} <= {202, 503}
    assert recorder.longest < SOON
    taken = {id_ for id_, status in recorder.answers if status == 202}
    stored = Counter(id_ for (id_,) in rows(database, "SELECT event FROM deliveries"))
    assert set(stored) == taken
    assert set(stored.values()) == {1}
    assert rows(database, "SELECT DISTINCT state FROM events") == [("done",)]
    # Of each client one after another.
    query = "SELECT lane_id, array_agg(id ORDER BY id), array_agg(id ORDER BY updated_at, id) FROM events GROUP BY lane_id"
    assert not [lane for lane, by_arrival, by_end in rows(database, query) if by_arrival != by_end]


def check_links(sides: RemoteSystems, database: OnServer) -> None:
    """One customer for each client."""
    found = rows(database, "SELECT client_id, customer_id FROM links")
    assert len(found) == len({customer for _, customer in found}) == len(sides.hubspot.records.contacts)
