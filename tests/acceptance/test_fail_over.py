"""Two services on a real primary with a synchronous standby: the primary is killed in the middle of deliveries."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections import Counter
from contextlib import AsyncExitStack
from pathlib import Path

import httpx
import postgres
import pytest
import replication

from .listener import booking
from .recorder import SOON, Recorder, booking_all_the_time, check_deliveries, check_links
from .several import run, several
from .world import WEBHOOK_TOKEN, OnServer, RemoteSystems, eventually, pending, rows

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

#: How often the primary dies.
TIMES = int(os.environ.get("CONNECTOR_TEST_FAIL_OVERS", "1"))
TOKEN = {"Authorization": WEBHOOK_TOKEN}


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
        # Who was at work has written down that the history is another one: the next start takes nothing for a backup.
        facts = dict(rows(database, "SELECT name, value FROM installation"))
        assert facts["history"].endswith(f" {TIMES + 1:08X}")
        assert "restored_at" not in facts
        checked = await run("database", "check", file=services[0].file)
        assert checked.returncode == 0, checked.stdout
        said = [text for service in services for text in service.text]
        assert not [text for text in said if "Traceback" in text]
    outcomes = Counter("true" in text for text in said if "a commit was cut off" in text)
    answers = Counter(status for _, status in recorder.answers)
    with capsys.disabled():
        sys.stdout.write(f" {TIMES} fail-overs; {answers}; slowest {recorder.longest:.1f} s; commits looked up {outcomes} ")


async def test_while_the_standby_is_away_nothing_is_acknowledged(tmp_path: Path) -> None:
    postgres.needed()
    async with AsyncExitStack() as stack:
        pair = stack.enter_context(replication.replicating())
        sides = await stack.enter_async_context(RemoteSystems())
        (service,) = await stack.enter_async_context(several(sides, tmp_path, pair.url(), "all"))
        client = await stack.enter_async_context(httpx.AsyncClient(timeout=SOON))
        await service.first_done(sides)
        sender = replication.hold_back(pair.primary)
        body = booking()
        with pytest.raises(httpx.ReadTimeout):
            await client.post(f"{service.url}/webhooks/stores", json=body, headers=TOKEN, timeout=2)
        await readiness(client, service.url, 503)
        assert (await client.get(f"{service.url}/healthz")).status_code == 200
        os.kill(sender, signal.SIGCONT)
        await readiness(client, service.url, 200)
        answer = await client.post(f"{service.url}/webhooks/stores", json=body, headers=TOKEN)
        assert (answer.status_code, answer.json()["status"]) == (202, "duplicate")
        assert rows(OnServer(pair.primary.url(), tmp_path), "SELECT count(*) FROM deliveries") == [(2,)]
