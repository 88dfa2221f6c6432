"""On PostgreSQL: `connector serve` as a real process, both sandboxes, commands beside it, and a server that restarts."""

from __future__ import annotations

import asyncio
import json
import signal
import time
from collections.abc import Awaitable, Callable, Iterator

import httpx
import postgres
import pytest

from connector.sandbox.hubspot.account import Account

from .several import (
    book,
    book_people,
    configure,
    kill_one_with_events_in_hand,
    run,
    several,
    status_of,
    until_linked,
    until_said,
)
from .world import RemoteSystems, Service

pytestmark = [pytest.mark.anyio, pytest.mark.slow]


@pytest.fixture(scope="module")
def server() -> Iterator[postgres.Server]:
    postgres.needed()
    with postgres.serving() as server:
        yield server


@pytest.fixture
def url(server: postgres.Server) -> str:
    """A database of its own for each test."""
    return server.fresh()


async def test_it_serves_and_is_commanded_and_outlives_a_restart_of_the_server(tmp_path, server, url):
    async with RemoteSystems() as sides:
        file = configure(sides, tmp_path, url)
        service = Service(file)
        async with service.running():
            await service.first_done(sides)
            listed = await run("links", "list", "--json", file=file)
            assert [link["crm"] for link in json.loads(listed.stdout)] == ["main"], listed
            headers = {"Authorization": "Bearer a-status-token-for-tests"}
            async with httpx.AsyncClient(headers=headers, base_url=service.url) as client:
                for path in ("/status", "/status.json", "/metrics", "/readyz", "/status/events", "/status/links"):
                    assert (await client.get(path)).status_code == 200, path
                assert "connector_database_wal_bytes" not in (await client.get("/metrics")).text
            server.stop("immediate")
            async with httpx.AsyncClient(base_url=service.url) as client:
                assert [(await client.get(path)).status_code for path in ("/healthz", "/readyz")] == [200, 503]
            await service.says("the connection to the database is lost")
            # The sender is refused, and comes again until it is not.
            sending = asyncio.create_task(book(sides, "second"))
            await service.says("delivery refused")
            server.start()
            await sending
            await service.says("the database is connected again")
            await service.says("event done", 2)
            retried = await run("events", "list", "--json", file=file)
            assert [event["state"] for event in json.loads(retried.stdout)] == ["done", "done"], retried
            assert await service.stop() == 0
        assert not [text for text in service.text if "Traceback" in text], service.text
    assert sorted(path.name for path in tmp_path.iterdir()) == ["connector.key", "connector.lock", "connector.toml"]


async def test_what_is_for_files_says_so(tmp_path, url):
    async with RemoteSystems() as sides:
        done = await run("backup", str(tmp_path / "x"), file=configure(sides, tmp_path, url))
    assert done.returncode == 2
    assert "PostgreSQL's own tools" in done.stderr


async def test_a_receiver_and_two_workers_are_one_service(tmp_path, url):
    """One person under ten clients, whom both workers meet at once, and a quota that both share."""
    async with RemoteSystems(booxi_quota=(20, 5000), hubspot_quota=(200, 20)) as sides:
        limits = {
            "booxi_limits": "{ per_second = 16, per_minute = 5000 }",
            "hubspot_limits": "{ per_10_seconds = 180, search_per_second = 16 }",
        }
        async with several(sides, tmp_path, url, "receiver", "worker", "worker", **limits) as (receiver, first, second):
            sides.send_to(receiver.url)
            # Slow enough that one worker alone does not get everything.
            sides.faults(latency_ms=(100, 200))
            async with httpx.AsyncClient() as client:
                assert (await client.post(f"{first.url}/webhooks/stores", json={})).status_code == 404
            for number in range(10):
                one = sides.booxi.add_client(firstName="Ada", lastName="Lovelace", email="ada@example.com")
                sides.booxi.book(one)
                other = {"firstName": f"Person{number}", "lastName": f"Of{number}", "email": f"person{number}@example.com"}
                sides.booxi.book(sides.booxi.add_client(**other))
            await sides.booxi.send_webhooks()
            found = await until_linked(second, 20)
            assert len({link["customer_id"] for link in found}) == 11
            assert len(sides.hubspot.records.contacts) == 11
            assert all(any("event done" in text for text in worker.text) for worker in (first, second))
            assert not [text for worker in (first, second) for text in worker.text if "answered 429" in text]
            assert sum("this process leads" in text for worker in (first, second) for text in worker.text) == 1
            # The receiver asks no account, and knows of all what the leader has found.
            status = await status_of(receiver)
            assert [(one["state"], one["asked"]) for one in (status["crms"]["main"], status["sources"]["stores"])] == [
                ("ok", True)
            ] * 2
            assert sorted(one["role"] for one in status["database"]["processes"]) == ["receiver", "worker", "worker"]
            await until_said(receiver, "ok", "worker on ")


async def test_the_work_of_a_process_that_is_killed_goes_on_elsewhere(tmp_path, url):
    async with RemoteSystems() as sides:
        sides.faults(latency_ms=(300, 400))
        async with several(sides, tmp_path, url, "all", "worker", lease=2) as (first, second):
            await kill_one_with_events_in_hand(sides, first, second)
            found = await until_linked(first, 12)
            assert len({link["customer_id"] for link in found}) == len(sides.hubspot.records.contacts) == 12


async def test_a_receiver_without_a_worker_says_so(tmp_path, url):
    async with RemoteSystems() as sides, several(sides, tmp_path, url, "receiver", "worker", lease=2) as (receiver, worker):
        await until_said(receiver, "ok", "receiver on ")
        await worker.kill()
        await until_said(receiver, "warning", "no process with a worker is alive")


async def test_a_process_that_stood_still_drops_what_others_have_taken_over(tmp_path, url):
    async with RemoteSystems() as sides:
        async with several(sides, tmp_path, url, "all", "worker", lease=2) as (first, second):
            sides.send_to(first.url)
            sides.faults(latency_ms=(300, 400))
            await book_people(sides, 12)
            await second.says("event done")
            second.process.send_signal(signal.SIGSTOP)
            await first.says("took over events")
            second.process.send_signal(signal.SIGCONT)
            await second.says("other processes have taken over")
            found = await until_linked(first, 12)
            assert len({link["customer_id"] for link in found}) == len(sides.hubspot.records.contacts) == 12
            sides.faults()
            sides.booxi.book(sides.booxi.add_client(firstName="Last", lastName="Client", email="last@example.com"))
            await first.kill()
            async with several(sides, tmp_path, url, "receiver") as (receiver,):
                sides.send_to(receiver.url)
                await sides.booxi.send_webhooks()
                await until_linked(receiver, 13)
        assert not [text for text in second.text if "Traceback" in text], second.text


async def until_true(look: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(60):
        while not await look():
            await asyncio.sleep(0.2)


async def test_a_kind_of_action_that_is_refused_waits_in_all_processes_and_is_tried_by_one(tmp_path, url, monkeypatch):
    """Customers are made and linked all the while; the appointments are recorded when HubSpot allows it again."""
    tried: list[float] = []
    async with RemoteSystems() as sides:
        permit = Account.permit

        def noting(account: Account, scopes: set[str] | None, path: list[str], *, writes: bool) -> None:
            if "meetings" in path and writes:
                tried.append(time.monotonic())
            permit(account, scopes, path, writes=writes)

        monkeypatch.setattr(Account, "permit", noting)
        sides.hubspot.missing_scopes.add("crm.objects.meetings.write")
        record = {"sync": "record_appointments = true"}
        async with several(sides, tmp_path, url, "all", "worker", **record) as (first, second):
            sides.send_to(first.url)
            sides.faults(latency_ms=(50, 100))
            await book_people(sides, 12)
            assert len({link["customer_id"] for link in await until_linked(second, 12)}) == 12

            async def refused() -> list[dict[str, str]]:
                pages = [await status_of(one) for one in (first, second)]
                return [page["crms"]["main"]["refused_actions"] for page in pages]

            async def same() -> bool:
                here, there = await refused()
                return bool(here) and {name: one["reason"] for name, one in here.items()} == {
                    name: one["reason"] for name, one in there.items()
                }

            await until_true(same)
            problems = []
            for one in (first, second):
                page = await status_of(one)
                assert page["crms"]["main"]["state"] == "ok"
                problems.append([check for check in page["checks"] if check["id"].startswith("crm.main.refused.")])
            (here,), (there,) = problems
            assert here == there
            assert (here["id"], here["level"]) == ("crm.main.refused.record_the_appointment", "error")
            assert "crm.objects.meetings.write" in here["hint"]
            # By one event at a time, whichever process takes it, and ever more seldom.
            before = len(tried)
            await asyncio.sleep(6)
            assert len(tried) - before <= 4
            sides.hubspot.missing_scopes.clear()
            await until_true(lambda: _all_done(first))
            assert await refused() == [{}, {}]
            assert len(sides.hubspot.records.meetings) == len(sides.hubspot.records.contacts) == 12


async def _all_done(service: Service) -> bool:
    queue = (await status_of(service))["queue"]
    return queue["done"] == sum(queue.values())
