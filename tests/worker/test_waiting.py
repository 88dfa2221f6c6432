"""What the worker does while there is nothing to do, or nothing can be stored; in virtual time."""

from __future__ import annotations

import asyncio
import itertools
import json

import pytest
from store.virtual_time import in_virtual_time

from connector.model.errors import AccountPaused, Transient
from connector.model.jobs import Awaited, StaleClaim
from connector.remote.circuit_breaker import CircuitBreaker
from connector.worker.worker import Worker

from .harness import MemoryStore, Runner, captured


class World:
    """A worker on lanes of memory, whose clock is the loop's."""

    def __init__(self) -> None:
        self.store = MemoryStore()
        self.lanes = self.store.lanes
        self.runner = Runner()
        clock = asyncio.get_running_loop().time
        self.account = CircuitBreaker("crm.main")
        accounts = {"crm.main": self.account}
        self.worker = Worker(self.store, {"stores": self.runner}, accounts, clock=clock)  # type: ignore[arg-type]

    async def __aenter__(self) -> World:
        self._task = asyncio.create_task(self.worker.run())
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.worker.drain(0)
        await asyncio.gather(self._task, return_exceptions=True)

    def cancel(self) -> None:
        """End the loop by force."""
        self._task.cancel()

    @property
    def now(self) -> float:
        return asyncio.get_running_loop().time()


@in_virtual_time
async def test_an_idle_worker_leaves_the_disk_alone():
    async with World() as world:
        await asyncio.sleep(1)
        before = len(world.lanes.calls)
        await asyncio.sleep(86_400)
        assert len(world.lanes.calls) == before
        assert before <= 2


@in_virtual_time
async def test_it_looks_once_when_the_next_event_is_due_and_not_before():
    async with World() as world:
        world.lanes.due["c-1"] = world.now + 500
        world.worker.wake()
        await asyncio.sleep(499)
        assert world.runner.started == []
        calls = len(world.lanes.calls)
        await asyncio.sleep(2)
        assert world.runner.started == [("c-1", 1)]
        # Due; running; ended and nothing more: never more than a look for each.
        assert len(world.lanes.calls) - calls <= 6
        assert world.lanes.calls[calls][1] == pytest.approx(1_500, abs=0.01)


@in_virtual_time
async def test_a_retry_runs_when_its_time_has_come():
    async with World() as world:
        world.runner.on("c-1", Transient("locked"), Transient("locked"), None)
        world.lanes.due["c-1"] = world.now
        world.worker.wake()
        await asyncio.sleep(60)
        assert [verdict.state for _, verdict, _ in world.lanes.concluded] == ["retrying", "retrying", "done"]


@in_virtual_time
async def test_a_verdict_waits_as_long_as_the_database_is_unavailable():
    async with World() as world:
        world.lanes.problem["conclude"] = 100
        world.lanes.due["c-1"] = world.now
        world.worker.wake()
        await asyncio.sleep(3600)
        tries = [at for name, at in world.lanes.calls if name == "conclude"]
        assert len(tries) == 101
        assert [verdict.state for _, verdict, _ in world.lanes.concluded] == ["done"]
        # The work itself was done once.
        assert world.runner.started == [("c-1", 1)]
        pauses = [after - before for before, after in itertools.pairwise(tries)]
        assert pauses[0] == pytest.approx(0.2)
        assert max(pauses) == pytest.approx(15.0)


@in_virtual_time
async def test_an_event_whose_account_came_back_is_woken_even_if_the_database_cannot_at_first():
    error = AccountPaused("refused", account="crm.main")
    async with World() as world:
        world.account.trip(error)
        world.runner.on("c-1", error)
        world.lanes.problem["wake"] = 5
        world.lanes.before_conclude = world.account.reset
        world.lanes.due["c-1"] = world.now
        world.worker.wake()
        await asyncio.sleep(3600)
        assert [verdict.waits_for for _, verdict, _ in world.lanes.concluded] == [Awaited("crm.main")]
        assert world.lanes.woken == [Awaited("crm.main")]


@in_virtual_time
async def test_somebody_elses_claim_is_not_disputed():
    async with World() as world:
        world.lanes.problem["conclude"] = 100
        world.lanes.error = StaleClaim("Event 1 was taken over.")
        world.lanes.due["c-1"] = world.now
        world.worker.wake()
        await asyncio.sleep(3600)
        assert [name for name, _ in world.lanes.calls].count("conclude") == 1


@in_virtual_time
async def test_a_queue_that_cannot_be_read_is_read_again_after_a_second():
    async with World() as world:
        world.lanes.problem["claim"] = 3
        world.lanes.due["c-1"] = world.now
        world.worker.wake()
        await asyncio.sleep(10)
        assert world.runner.started == [("c-1", 1)]
        claims = [at for name, at in world.lanes.calls if name == "claim"]
        assert claims[3] - claims[0] == pytest.approx(3.0, abs=0.01)


@in_virtual_time
async def test_a_defect_while_looking_does_not_end_the_looking():
    with captured() as lines:
        async with World() as world:
            world.lanes.problem["claim"] = 2
            world.lanes.error = KeyError("Ada Byron")
            world.lanes.due["c-1"] = world.now
            world.worker.wake()
            await asyncio.sleep(10)
            assert world.runner.started == [("c-1", 1)]
        text = json.dumps(lines())
    assert text.count("the queue cannot be read") == 2
    assert "Byron" not in text


@in_virtual_time
async def test_what_is_being_claimed_when_the_drain_begins_comes_to_its_end_too():
    async with World() as world:
        claim = world.lanes.claim

        async def slow(limit, now, **more):
            claimed = await claim(limit, now, **more)
            await asyncio.sleep(1)
            return claimed

        async def for_three_seconds(_work):
            await asyncio.sleep(3)

        world.lanes.claim = slow
        world.runner.on("c-1", for_three_seconds)
        world.lanes.due["c-1"] = world.now
        world.worker.wake()
        await asyncio.sleep(0.5)
        assert world.runner.started == []
        await world.worker.drain(10)
        assert [(client, verdict.state) for client, verdict, _ in world.lanes.concluded] == [("c-1", "done")]


@in_virtual_time
async def test_a_drain_does_not_wait_for_a_database_that_stands_still():
    async with World() as world:
        world.lanes.claim = lambda *_, **__: asyncio.Event().wait()
        world.worker.wake()
        await asyncio.sleep(1)
        begun = world.now
        await world.worker.drain(5)
        assert world.now - begun == pytest.approx(5)
        world.cancel()
