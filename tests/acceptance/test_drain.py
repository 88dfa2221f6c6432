"""SIGTERM under load: what runs comes to its end or is put back, the process ends in time, and nothing is lost."""

from __future__ import annotations

import asyncio
import signal
import time

import httpx
import pytest

from connector.config.settings import WorkerSettings

from .world import RemoteSystems, Service, eventually, rows, states

pytestmark = pytest.mark.anyio

#: Seconds: longer than anything here takes, also on a machine that is busy with something else.
DRAIN = 30
#: How many events a service runs at the same time.
AT_ONCE = WorkerSettings().concurrency
#: Seconds that a remote system does not answer.
HANGS = 60


def book(sides: RemoteSystems, number: int) -> None:
    for n in range(number):
        client = sides.booxi.add_client(firstName="Ada", lastName=f"Number {n}", email=f"ada-{n}@example.com")
        sides.booxi.book(client)


async def senders(sides: RemoteSystems, accepted: list[int], stop: asyncio.Event) -> None:
    """Deliver as long as somebody answers; `accepted` grows with each 202."""
    while sides.booxi.outbox.waiting and not stop.is_set():
        body = sides.booxi.outbox.waiting.pop(0)
        try:
            if await sides.booxi.deliver(body) == 202:
                accepted.append(body["id"])
        except httpx.HTTPError:
            return


@pytest.mark.slow
async def test_what_runs_ends_and_what_waits_stays(tmp_path):
    async with RemoteSystems() as sides:
        sides.faults(latency_ms=(50, 100))
        service = Service(sides.config(tmp_path, drain=DRAIN))
        async with service.running():
            sides.send_to(service.url)
            book(sides, 60)
            accepted, stop = [], asyncio.Event()
            sending = asyncio.gather(*(senders(sides, accepted, stop) for _ in range(4)))
            await service.says("event done", 3)
            # More than what runs, and what runs next, can come to its end before the signal is there.
            await eventually(lambda: states(service.database).get("queued", 0) > 2 * AT_ONCE)
            begun = time.monotonic()
            assert await service.stop(DRAIN) == 0
            took = time.monotonic() - begun
            stop.set()
            await sending
        assert took < DRAIN, "it ends as soon as what runs has ended"
        stored = {row[0] for row in rows(service.database, "SELECT event FROM deliveries")}
        assert accepted
        assert set(accepted) <= stored
        found = states(service.database)
        assert set(found) <= {"done", "queued"}, "nothing is left running, and nothing has failed"
        assert found["queued"] > 0
        # Everything that had begun was finished, so nothing was cut off in the middle.
        assert rows(service.database, "SELECT * FROM intents WHERE state <> 'done'") == []
        assert rows(service.database, "SELECT count(*) FROM lanes WHERE boot IS NOT NULL") == [(0,)]
        assert sum(line["event"] == "stopped" for line in service.lines) == 1
        # The next start does the rest.
        sides.faults()
        service = Service(sides.config(tmp_path))
        async with service.running():
            await service.settled()
        assert states(service.database) == {"done": len(stored)}
        assert len(sides.hubspot.contacts()) == len(stored) == len(sides.booxi.links())


async def test_a_remote_system_that_hangs_does_not_keep_the_process(tmp_path):
    async with RemoteSystems() as sides:
        service = Service(sides.config(tmp_path, drain=0.5))
        async with service.running():
            await service.first_done(sides)
            sides.faults(timeout=1, timeout_seconds=HANGS)
            book(sides, 5)
            await sides.booxi.send_webhooks()
            await eventually(lambda: states(service.database) == {"done": 1, "running": 5})
            assert await service.stop(HANGS / 2) == 0
        assert states(service.database) == {"done": 1, "queued": 5}
        query = "SELECT DISTINCT attempts, reason FROM events WHERE state = 'queued'"
        assert rows(service.database, query) == [(0, "stopped while it ran")]


async def test_a_second_signal_ends_it_at_once(tmp_path):
    async with RemoteSystems() as sides:
        service = Service(sides.config(tmp_path, drain=2 * DRAIN))
        async with service.running():
            await service.first_done(sides)
            sides.faults(timeout=1, timeout_seconds=HANGS)
            book(sides, 1)
            await sides.booxi.send_webhooks()
            await eventually(lambda: states(service.database) == {"done": 1, "running": 1})
            service.process.send_signal(signal.SIGINT)
            await service.says("stopping")
            assert await service.stop(DRAIN) == 1
        sides.faults()
        service = Service(sides.config(tmp_path))
        async with service.running():
            await service.settled()
        assert states(service.database) == {"done": 2}
