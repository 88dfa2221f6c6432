"""The worker on a real store: it starts at once, keeps to its limits, ends well, and loses nothing it took."""

from __future__ import annotations

import asyncio
import json
import time

import pytest
from tenacity import wait_fixed

from connector.model.errors import AccountPaused, Ignore, NeedsReview, NothingToIdentify, Rejected, StoreError, Transient
from connector.model.jobs import Awaited, StaleClaim
from connector.store import views
from connector.store.reviews import views as review_views

from .harness import Job, events

pytestmark = pytest.mark.anyio


@pytest.fixture(autouse=True)
def _when_told(monkeypatch):
    """Retries come when the test says so; when they really come is said in test_judge."""
    monkeypatch.setattr("connector.worker.worker._backoff", wait_fixed(60))


def held_until(gate: asyncio.Event):
    """An action that lasts until the gate opens."""

    async def wait(_work):
        await gate.wait()

    return wait


async def states(store):
    return [event["state"] for event in (await events(store)).values()]


async def test_it_starts_at_once_when_something_arrives(store, monkeypatch):
    """Neither asleep nor from the wake to the start does anybody wait for a time. How fast it is, benchmarks measure."""
    started, loop = asyncio.Event(), asyncio.get_running_loop()
    timers, call_at = [], loop.call_at

    async def start(_work):
        started.set()

    async with Job(store) as job:

        def noted(when, *args, **kwargs):
            # A claim in the transaction that stores a delivery is older than it by microseconds, and looks again after 1 ms.
            if asyncio.current_task() in {job._task, *job.worker._running} and when - loop.time() > 0.001:
                timers.append(when)
            return call_at(when, *args, **kwargs)

        monkeypatch.setattr(loop, "call_at", noted)
        for number in range(20):
            job.runner.on(f"c-{number}", start)
            started.clear()
            # Busy with its last event it would find this one by itself: let it fall asleep.
            await asyncio.sleep(0.003)
            await job.accept(f"c-{number}", wake=False)
            job.worker.wake()
            await started.wait()
        assert timers == []


async def test_no_more_lanes_at_once_than_configured(store):
    gate = asyncio.Event()
    async with Job(store, concurrency=3) as job:
        clients = [f"c-{n}" for n in range(8)]
        for client in clients:
            job.runner.on(client, held_until(gate))
        await job.accept(*clients)
        await job.runner.until(lambda: len(job.runner.running) == 3)
        gate.set()
        await job.all_done()
    assert job.runner.most_at_once == 3
    assert {client for client, _ in job.runner.started} == set(clients)


async def test_one_client_in_order_and_never_in_the_way_of_others(store):
    gate = asyncio.Event()
    async with Job(store, concurrency=4) as job:
        job.runner.on("stuck", held_until(gate))
        await job.accept("stuck", "stuck", "stuck", "c-1", "c-2", "c-1", "c-2")
        found = await job.until(lambda found: [e["state"] for e in found.values()].count("done") == 4)
        assert [e["state"] for e in found.values() if e["client_id"] == "stuck"] == ["running", "queued", "queued"]
        gate.set()
        await job.all_done()
    for client in ("stuck", "c-1", "c-2"):
        ids = [event_id for who, event_id in job.runner.started if who == client]
        assert ids == sorted(ids)


async def test_a_failing_head_delays_its_own_lane_only(store):
    async with Job(store) as job:
        job.runner.on("c-1", Transient("locked", account="crm.main"), None)
        await job.accept("c-1", "c-1", "c-2")
        found = await job.until(lambda found: found[3]["state"] == "done" and found[1]["state"] == "retrying")
        assert found[2]["state"] == "queued"
        assert found[1]["attempts"] == 1
        assert found[1]["due"] - found[1]["updated_at"] == pytest.approx(60, abs=1)
        await job.retry_now()
        await job.all_done()
    assert [event_id for client, event_id in job.runner.started if client == "c-1"] == [1, 1, 2]


async def test_drain_lets_what_runs_come_to_its_end_and_starts_nothing_more(store):
    gate = asyncio.Event()
    async with Job(store, concurrency=1) as job:
        job.runner.on("c-1", held_until(gate))
        await job.accept("c-1", "c-2")
        await job.runner.until(lambda: bool(job.runner.running))
        draining = asyncio.create_task(job.worker.drain(600))
        await asyncio.sleep(0)
        gate.set()
        async with asyncio.timeout(60):
            await draining
    assert await states(store) == ["done", "queued"]
    assert job.runner.started == [("c-1", 1)]


async def test_what_does_not_end_in_time_is_put_back_and_not_counted(store, lines):
    async with Job(store) as job:
        job.runner.on("c-1", held_until(asyncio.Event()))
        await job.accept("c-1", "c-1")
        await job.runner.until(lambda: bool(job.runner.running))
        async with asyncio.timeout(60):
            await job.worker.drain(0.02)
    found = await events(store)
    stored = [(e["state"], e["attempts"], e["boot"], e["awaited_account"]) for e in found.values()]
    assert stored == [("queued", 0, None, None)] * 2
    assert found[1]["reason"] == "stopped while it ran"
    assert found[1]["due"] <= time.time()
    assert [line["put_back"] for line in lines() if "put_back" in line] == [1]


async def test_an_unexpected_exception_is_retried_and_logged_without_its_text(store, lines):
    async def blow_up(_work):
        raise ZeroDivisionError("Ada Byron, ada@example.com, +15145550123")

    async with Job(store) as job:
        job.runner.on("c-1", blow_up, None)
        await job.accept("c-1")
        found = await job.until(lambda found: found[1]["state"] == "retrying")
        await job.retry_now()
        await job.all_done()
    assert found[1]["reason"] == "unexpected ZeroDivisionError; the log has the details"
    (line,) = [line for line in lines() if line["event"] == "event failed unexpectedly"]
    assert (line["error"], line["delivery"], line["client"], line["level"]) == ("ZeroDivisionError", "e-1", "c-1", "error")
    assert "blow_up" in json.dumps(line), "the log must show where it happened"
    for private in ("Ada", "Byron", "example.com", "5550123"):
        assert private not in json.dumps(lines())
        assert private not in json.dumps(await store.read(views.event, 1))


async def test_whoever_lost_the_lane_says_nothing_about_the_event(store, lines):
    async def lose_it(work):
        await store.database.write(lambda c: c.execute("UPDATE lanes SET token = token + 1 WHERE id = ?", (work.lane_id,)))

    async with Job(store) as job:
        job.runner.on("c-1", lose_it)
        job.runner.on("c-2", StaleClaim("Event 2 was taken over."))
        await job.accept("c-1", "c-2")
        await job.until(lambda _: [line["event"] for line in lines()].count("event was taken over") == 2)
    assert await states(store) == ["running", "running"]


async def test_a_source_without_a_sync_is_held_with_the_way_out(store):
    async with Job(store) as job:
        await job.accept("c-1", source="gone")
        found = await job.until(lambda found: found[1]["state"] == "held")
    assert found[1]["reason"] == "no [[sync]] uses the source gone"
    assert '[[sync]] with booking = "gone"' in found[1]["hint"]


async def test_an_ambiguous_client_becomes_a_review(store):
    candidates = [{"customer_id": "7", "evidence": ["same phone"]}]
    async with Job(store) as job:
        job.runner.on("c-1", NeedsReview("which one?", candidates=candidates))
        await job.accept("c-1")
        await job.until(lambda found: found[1]["state"] == "held")
    (review,) = await store.read(review_views.reviews)
    assert (review["client_ids"], review["candidates"], review["reason"]) == (["c-1"], candidates, "which one?")


async def test_a_client_with_nothing_to_identify_it_is_counted(store):
    async with Job(store) as job:
        job.runner.on("c-1", NothingToIdentify("nobody"))
        job.runner.on("c-2", Ignore("dismissed"))
        await job.accept("c-1", "c-2")
        await job.until(lambda found: {e["state"] for e in found.values()} == {"ignored"})
    assert await store.read(views.ignored_clients) == 1


@pytest.mark.parametrize(
    "error", [NeedsReview("which one?", candidates=[]), NothingToIdentify("nobody")], ids=["review", "count"]
)
async def test_what_an_error_asks_for_is_asked_again_where_the_database_could_not(store, monkeypatch, error):
    """A full disk at just this moment must not leave the event running for ever."""
    owner, name = (store.reviews, "open") if isinstance(error, NeedsReview) else (store.upkeep, "count")
    write = getattr(owner, name)
    problems = iter([StoreError("The disk that holds connector.db is full.")])

    async def full_once(*arguments, **more):
        for problem in problems:
            raise problem
        return await write(*arguments, **more)

    monkeypatch.setattr(owner, name, full_once)
    async with Job(store) as job:
        job.runner.on("c-1", error)
        await job.accept("c-1")
        await job.until(lambda found: found[1]["state"] == "retrying")
        await job.retry_now()
        found = await job.until(lambda found: found[1]["state"] in ("held", "ignored"))
        assert found[1]["attempts"] == 2
    assert len(await store.read(review_views.reviews)) + await store.read(views.ignored_clients) == 1


async def test_a_defect_in_what_follows_an_error_leaves_nothing_running(store):
    unspeakable = NeedsReview("which one?", candidates=[{"customer_id": object()}])
    async with Job(store) as job:
        job.runner.on("c-1", unspeakable, None)
        await job.accept("c-1")
        found = await job.until(lambda found: found[1]["state"] == "retrying")
        assert found[1]["reason"].startswith("unexpected TypeError")
        await job.retry_now()
        await job.all_done()


async def test_a_paused_account_is_closed_and_everything_else_for_it_waits(store):
    error = AccountPaused("HubSpot: the key was refused", account="crm.main", hint="Fix the key.")
    async with Job(store) as job:
        job.runner.on("c-1", error, None)
        await job.accept("c-1")
        found = await job.until(lambda found: found[1]["awaited_account"] == "crm.main")
        assert (found[1]["state"], found[1]["attempts"], found[1]["due"]) == ("queued", 0, None)
        assert job.breaker.error is error
        assert job.breaker.tripped.is_set()
        job.breaker.reset()
        assert await store.lanes.wake(Awaited("crm.main"), time.time()) == 1
        job.worker.wake()
        await job.all_done()


async def test_an_account_that_comes_back_while_the_verdict_is_written_wakes_the_event(store, monkeypatch):
    conclude = store.lanes.conclude

    async def slow(work, verdict, now):
        job.breaker.reset()
        # Whoever watches the account finds nobody waiting yet.
        assert await store.lanes.wake(Awaited("crm.main"), time.time()) == 0
        await conclude(work, verdict, now)

    async with Job(store) as job:
        job.runner.on("c-1", AccountPaused("refused", account="crm.main"), None)
        monkeypatch.setattr(store.lanes, "conclude", slow)
        await job.accept("c-1")
        await job.all_done()


async def test_run_once_works_until_nothing_is_due(store):
    job = Job(store)
    job.runner.on("c-2", Rejected("no"))
    await job.accept("c-1", "c-1", "c-2", wake=False)
    assert await job.worker.run_once() == 3
    assert await states(store) == ["done", "done", "held"]
    assert await job.worker.run_once() == 0


async def test_a_verdict_that_cannot_be_stored_while_stopping_leaves_the_event_to_the_next_start(store, lines, monkeypatch):
    async def full(*_):
        raise StoreError("The disk that holds connector.db is full.", hint="Free some space.")

    async with Job(store) as job:
        gate = asyncio.Event()
        job.runner.on("c-1", held_until(gate))
        await job.accept("c-1")
        await job.runner.until(lambda: bool(job.runner.running))
        monkeypatch.setattr(store.lanes, "conclude", full)
        draining = asyncio.create_task(job.worker.drain(600))
        await asyncio.sleep(0)
        gate.set()
        async with asyncio.timeout(60):
            await draining
    assert await states(store) == ["running"]
    assert [line["hint"] for line in lines() if line["event"] == "result of an event not saved; the next start repeats it"] == [
        "Free some space."
    ]


async def test_what_waits_follows_a_clock_that_is_put_back(store, monkeypatch):
    monkeypatch.setattr("connector.worker.worker.CLOCK_LOOK", 0.02)
    monkeypatch.setattr("connector.worker.worker._backoff", wait_fixed(0.3))
    ahead = [3 * 3600.0]
    async with Job(store, clock=lambda: time.time() + ahead[0]) as job:
        job.runner.on("c-1", Transient("locked"), None)
        await job.accept("c-1")
        await job.until(lambda found: found[1]["state"] == "retrying")
        ahead[0] = 0.0
        # Nobody wakes it, and what was due in three hours comes in its own time.
        await job.all_done()
