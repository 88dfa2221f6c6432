"""Stopped at any point, the same request goes on where it was, and the counts are those of an undisturbed run."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest
from tenacity import wait_none

from connector.model.backfills import Mode
from connector.model.bookings import Reading
from connector.model.deliveries import Delivery
from connector.model.errors import StoreError, Transient
from connector.operations.operations import Operations, Refused

from .world import EXPECTED, SINCE, UNTIL, World

pytestmark = pytest.mark.anyio

#: Listings which an undisturbed walk over `populate` asks for.
PAGES = 8
LISTING = r"GET /booking/v1/booking$"
WRITE_BACK = r"PUT /booking/v1/client/\d+/moduleLink"


class Stop:
    """Ends a run at the n-th request that matches: the request never arrives, nobody gets an answer."""

    def __init__(self, world: World, pattern: str, nth: int) -> None:
        self.reached = asyncio.Event()
        self._left = nth
        world.to_booxi.on(pattern, self._before)

    async def _before(self) -> None:
        self._left -= 1
        if self._left <= 0:
            self.reached.set()
            await asyncio.Event().wait()


async def run_until(world: World, pattern: str, nth: int) -> None:
    """Begin a run and end its process at a request."""
    stop = Stop(world, pattern, nth)
    async with world.running():
        task = asyncio.create_task(world.job().run())
        async with asyncio.timeout(60):
            await stop.reached.wait()
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
    world.to_booxi.clear()


@pytest.mark.parametrize("nth", range(1, PAGES + 1))
async def test_stopped_between_two_pages(world, nth):
    world.populate()
    await run_until(world, LISTING, nth)
    async with world.running():
        progress = await world.backfill()
    assert progress["resumed"]
    assert (progress["state"], progress["counts"]) == ("done", EXPECTED)
    # The page that was not answered is asked for again, and no other.
    assert len(world.to_booxi.matching(LISTING)) == PAGES + 1


async def test_stopped_again_and_again_and_while_writing_back(world):
    world.populate()
    for pattern, nth in ((LISTING, 2), (WRITE_BACK, 1), (WRITE_BACK, 2), (WRITE_BACK, 1)):
        await run_until(world, pattern, nth)
    async with world.running():
        progress = await world.backfill()
    assert (progress["state"], progress["counts"]) == ("done", EXPECTED)
    assert len(world.hubspot.contacts()) == 5
    assert len(world.booxi.links()) == 5


async def test_a_service_goes_on_by_itself_with_what_it_was_doing(world):
    world.populate()
    stop = Stop(world, LISTING, 4)
    async with world.running() as engine:
        operations = Operations(engine, works=True)
        await operations.backfill("stores", SINCE, UNTIL)
        async with asyncio.timeout(60):
            await stop.reached.wait()
        await operations.stop()
    world.to_booxi.clear()
    async with world.running() as engine:
        operations = Operations(engine, works=True)
        await operations.resume()
        async with asyncio.timeout(60):
            while (progress := await operations.progress("backfill", "stores"))["state"] != "done":
                await asyncio.sleep(0.05)
        assert progress["counts"] == EXPECTED


async def test_the_same_request_joins_a_run_and_another_one_does_not(world):
    world.populate()
    stop = Stop(world, LISTING, 2)
    async with world.running() as engine:
        operations = Operations(engine, works=True)
        await operations.backfill("stores", SINCE, UNTIL)
        async with asyncio.timeout(60):
            await stop.reached.wait()
        first = len(world.to_booxi.matching(LISTING))
        assert (await operations.backfill("stores", SINCE, UNTIL))["state"] == "walking"
        for asked in ((SINCE, UNTIL, True), (SINCE, "2026-05-01", False), (None, None, False)):
            with pytest.raises(Refused, match="Another backfill of stores is running"):
                await operations.backfill("stores", *asked)
        assert len(world.to_booxi.matching(LISTING)) == first
        await operations.stop()


async def test_cursors_that_have_died_meanwhile_cost_a_window_and_nothing_else(world):
    world.populate()
    await run_until(world, LISTING, 3)
    world.booxi.expire_cursors()
    async with world.running():
        progress = await world.backfill()
    assert (progress["state"], progress["counts"]) == ("done", EXPECTED)


async def test_a_command_that_was_stopped_is_not_taken_over_by_a_service(world):
    world.populate()
    await run_until(world, LISTING, 2)
    async with world.running() as engine:
        assert await engine.store.backfills.unfinished() == []


async def test_the_bookings_of_the_webhooks_go_first(tmp_path):
    world = World(tmp_path, concurrency=1)
    gate, blocked = asyncio.Event(), asyncio.Event()

    async def hold_up():
        blocked.set()
        await gate.wait()

    world.to_hubspot.on(r"GET .*/contacts/old-\d@example.com", hold_up)
    for day in range(6):
        world.book(world.client(firstName="Old", lastName="One", email=f"old-{day}@example.com"), day)
    async with world.running():
        running = asyncio.create_task(world.job().run())
        async with asyncio.timeout(60):
            await blocked.wait()
            while len(await world.events()) < 6:
                await asyncio.sleep(0.02)
        world.booxi.book(world.client(firstName="New", lastName="One", email="live@example.com"))
        await world.deliver()
        gate.set()
        async with asyncio.timeout(60):
            await running
    asked = [line.split("/")[-1] for line in world.to_hubspot.matching(r"GET .*@example.com")]
    # One backfill event was running already; the live one is next.
    assert asked.index("live@example.com") == 1
    assert len(asked) == 7


@pytest.mark.parametrize("pattern", [LISTING, r"GET /booking/v1/client/\d+/moduleLink"])
async def test_a_booking_system_that_goes_down_in_the_middle(world, pattern):
    world.populate()
    async with world.running():
        task = asyncio.create_task(world.backfill())
        async with asyncio.timeout(60):
            while len(world.to_booxi.matching(pattern)) < 3:
                await asyncio.sleep(0)
        world.booxi.faults = world.booxi.faults.model_copy(update={"down": True})
        async with asyncio.timeout(60):
            await world.engine.connections.booking["stores"].remote.breaker.tripped.wait()
        world.fix()
        progress = await task
    assert (progress["state"], progress["counts"]) == ("done", EXPECTED)
    assert (progress["reason"], progress["hint"]) == ("", "")


@pytest.mark.parametrize("side", ["booxi", "hubspot"])
async def test_a_refused_key_ends_a_commands_run_at_once(world, side):
    world.populate()
    if side == "booxi":
        world.booxi.partner_key = "another-key"
    else:
        world.hubspot.token = "another-token"
    async with world.running():
        progress = await world.backfill()
    assert progress["state"] == "failed"
    assert "answered 401" in progress["reason"]
    assert progress["hint"]
    assert world.booxi.requests["PUT /client/{clientId}/moduleLink/{moduleId}"] == 0
    # Fixed, the same command continues.
    world.booxi.partner_key, world.hubspot.token = "sandbox-partner-key", "sandbox-token"
    async with world.running():
        progress = await world.backfill()
    assert (progress["state"], progress["counts"]) == ("done", EXPECTED)
    assert progress["resumed"]


@pytest.mark.parametrize("side", ["booxi", "hubspot"])
async def test_a_key_refused_in_the_middle_ends_it_too(world, side):
    world.populate()

    async def refuse():
        world.booxi.partner_key = "another-key"
        world.hubspot.token = "another-token"

    if side == "booxi":
        world.to_booxi.on(r"PUT ", refuse)
    else:
        world.to_hubspot.on(r"POST .*/contacts$", refuse)
    async with world.running():
        progress = await world.backfill()
    assert progress["state"] == "failed"


async def test_a_services_run_waits_for_the_key_and_says_so(world):
    world.populate()
    world.booxi.partner_key = "another-key"
    async with world.running() as engine:
        operations = Operations(engine, works=True)
        await operations.backfill("stores", SINCE, UNTIL)
        async with asyncio.timeout(60):
            while "answered 401" not in (await operations.progress("backfill", "stores"))["reason"]:
                await asyncio.sleep(0.02)
            world.booxi.partner_key = "sandbox-partner-key"
            while (progress := await operations.progress("backfill", "stores"))["state"] != "done":
                await asyncio.sleep(0.05)
        assert progress["counts"] == EXPECTED
        await operations.stop()


@pytest.mark.parametrize("side", ["booxi", "hubspot"])
async def test_a_dry_run_with_a_refused_key_fails_plainly(world, side):
    world.populate()
    if side == "booxi":
        world.booxi.partner_key = "another-key"
    else:
        world.hubspot.token = "another-token"
    async with world.running(started=False):
        progress = await world.dry_run()
    assert progress["state"] == "failed"
    assert "answered 401" in progress["reason"]


@pytest.fixture
def impatient(monkeypatch):
    """No pauses between the tries of a walk."""
    monkeypatch.setattr("connector.operations.waiting.wait_random_exponential", lambda *_, **__: wait_none())


async def test_many_hiccups_on_a_long_walk_do_not_end_it(world, impatient):
    """What counts is how often it fails without getting anywhere."""
    for day in range(60):
        world.book(world.client(firstName="A", lastName="B", email=f"c{day}@example.com"), day)
    async with world.running() as engine:
        booking = engine.connections.booking["stores"]
        walk = booking.walk

        async def one_page_at_a_time(since, until, cursor):
            async for page in walk(since, until, cursor):
                yield page
                raise Transient("the answer is no listing", account="booking.stores")

        booking.walk = one_page_at_a_time
        progress = await world.backfill()
    assert (progress["state"], progress["counts"]["seen"]) == ("done", 60)
    assert len(world.to_booxi.matching(LISTING)) > 20


async def test_a_walk_that_gets_nowhere_ends_a_commands_run(world, impatient):
    async with world.running() as engine:

        async def nowhere(*_):
            raise Transient("the answer is no listing", account="booking.stores")
            yield

        engine.connections.booking["stores"].walk = nowhere
        progress = await world.backfill()
    assert (progress["state"], progress["reason"]) == ("failed", "the answer is no listing")


@pytest.mark.parametrize("action", ["begin", "add_page", "move", "progress"])
async def test_a_services_run_outlasts_a_database_unavailable(world, monkeypatch, action):
    monkeypatch.setattr("connector.operations.waiting.wait_random_exponential", lambda *_, **__: wait_none())
    world.populate()
    async with world.running() as engine:
        backfills, tries = engine.store.backfills, []
        works = getattr(backfills, action)

        async def locked(*arguments, **more):
            tries.append(action)
            if len(tries) <= 2:
                raise StoreError("The database connector.db is locked by another program.")
            return await works(*arguments, **more)

        monkeypatch.setattr(backfills, action, locked)
        progress = await world.backfill(patient=True)
    assert (progress["state"], progress["counts"], progress["resumed"]) == ("done", EXPECTED, False)


async def test_a_repair_that_was_owed_when_the_process_ended_is_begun(world, monkeypatch):
    begun = []
    monkeypatch.setattr(Operations, "_backfill", lambda self, source, asked: begun.append((source, asked.mode)) or world.job())
    async with world.running() as engine:
        reading = Reading(event_id="e-1", type="x", ignored="nothing", lost_before=True)
        await engine.store.inbox.accept(Delivery("stores", "e-1", False, {}, b"", engine.clock(), reading))
    async with world.running() as engine:
        operations = Operations(engine, works=True)
        await operations.resume()
        assert begun == [("stores", Mode.CHANGES)]
        await operations.stop()
