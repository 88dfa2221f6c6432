"""A quota of several processes: no window of the remote system holds a call too many, and most calls wait for no round trip."""

from __future__ import annotations

import asyncio
import random
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from store.virtual_time import in_virtual_time, run

from connector.model.errors import RateLimited, StoreError
from connector.remote.portion import KEEP
from connector.remote.rate_limit import Quota, Window
from connector.remote.shared_quota import SharedQuota

from .ledgers import Process, Server
from .test_http import RemoteSystem, error_of, remote, says
from .test_rate_limit import most_in_any


def now() -> float:
    return asyncio.get_running_loop().time()


class Planned(NamedTuple):
    """A call: by which process, when it is asked for, how long it lasts, when in between it is counted (0..1), its cost."""

    process: int
    asked: float
    lasts: float
    counted: float
    cost: int


windows = st.lists(
    st.builds(Window, st.sampled_from([1, 2, 5, 9, 30]), st.sampled_from([0.5, 1.0, 3.0])), min_size=1, max_size=2
)
trips = st.lists(st.sampled_from([0.0, 0.002, 0.02, 0.3, 0.9]), min_size=1, max_size=4)
#: Many at nearly the same time, so that portions grow, and pauses in which they are given back.
times = st.one_of(st.floats(0, 5), st.sampled_from([0.0, 0.01, 0.5, 0.51, 1.0, 1.02, 2.0]))
plans = st.lists(
    st.builds(
        Planned,
        process=st.integers(0, 2),
        asked=times,
        lasts=st.sampled_from([0.0, 0.001, 0.2, 1.0, 4.0]),
        counted=st.floats(0, 1),
        cost=st.sampled_from([1, 1, 1, 1, 2]),
    ),
    max_size=60,
)


def cost_in_any(counted: list[tuple[float, int]], seconds: float) -> int:
    """The most that the calls of one window of `seconds`, both ends included, ever cost."""
    return max((sum(cost for at, cost in counted if end - seconds <= at <= end) for end, _ in counted), default=0)


@settings(max_examples=200, deadline=None)
@given(windows=windows, planned=plans, each=st.tuples(trips, trips, trips), wrong=st.permutations([0.0, -0.4, 0.7]))
def test_no_window_ever_holds_a_call_too_many_whoever_makes_it(windows, planned, each, wrong):
    """Whatever the processes take for the server's time."""
    counted: list[tuple[float, int]] = []

    async def one(budget: SharedQuota, plan: Planned) -> None:
        await asyncio.sleep(plan.asked)
        async with budget.spend(plan.cost):
            await asyncio.sleep(plan.lasts * plan.counted)
            counted.append((now(), plan.cost))
            await asyncio.sleep(plan.lasts * (1 - plan.counted))

    async def everybody() -> None:
        with Server() as server:
            processes = [Process(server, str(n), trips) for n, trips in enumerate(each)]
            for process, seconds in zip(processes, wrong, strict=True):
                process.wrong = seconds
            quotas = [process.quota(*windows) for process in processes]
            await asyncio.gather(*(one(quotas[plan.process], plan) for plan in planned))
            await asyncio.sleep(KEEP + 3)
            assert server.ask("SELECT * FROM calls WHERE done IS NULL") == []
            assert sum(cost for (cost,) in server.ask("SELECT cost FROM calls")) == sum(cost for _, cost in counted)
            await asyncio.gather(*(quota.close() for quota in quotas))

    run(everybody())
    assert len(counted) == len(planned)
    for window in windows:
        # A call dearer than the window goes alone.
        most = max([window.calls, *(cost for _, cost in counted)])
        assert cost_in_any(counted, window.seconds) <= most


class Pause(NamedTuple):
    """A process loses its lease: when, and for how long until it begins again."""

    process: int
    at: float
    lasts: float


@settings(max_examples=150, deadline=None)
@given(
    limit=st.sampled_from([2, 6, 30]),
    planned=plans,
    each=st.tuples(trips, trips, trips),
    pauses=st.lists(st.builds(Pause, st.integers(0, 2), times, st.sampled_from([0.0, 0.3, 1.5])), max_size=3),
)
def test_nor_where_processes_stand_still_and_others_take_over(limit, planned, each, pauses):
    """What others have counted as over is not made, neither while a process has lost its lease nor under its next one."""
    counted: list[float] = []
    running: list[set[asyncio.Task[None]]] = [set(), set(), set()]

    async def one(process: Process, budget: SharedQuota, plan: Planned) -> None:
        async with budget.spend():
            process.check_lease()
            counted.append(now())
            await asyncio.sleep(min(plan.lasts, 0.2))

    async def begin(process: Process, budget: SharedQuota, plan: Planned) -> None:
        await asyncio.sleep(plan.asked)
        task = asyncio.create_task(one(process, budget, plan))
        running[plan.process].add(task)
        await asyncio.gather(task, return_exceptions=True)

    async def stand_still(process: Process, pause: Pause) -> None:
        await asyncio.sleep(pause.at)
        boot, process.holds = process.boot, False
        process.server.take_over(boot)
        await asyncio.sleep(pause.lasts)
        # What a process does that was replaced: it drops its work, and begins again.
        for task in running[pause.process]:
            task.cancel()
        process.server.take_over(boot)
        process.boot, process.holds = f"{boot}+", True

    async def everybody() -> None:
        with Server() as server:
            processes = [Process(server, str(n), trips) for n, trips in enumerate(each)]
            quotas = [process.quota(Window(limit, 1.0)) for process in processes]
            await asyncio.gather(
                *(begin(processes[plan.process], quotas[plan.process], plan) for plan in planned),
                *(stand_still(processes[pause.process], pause) for pause in pauses),
            )
            await asyncio.gather(*(quota.close() for quota in quotas))

    run(everybody())
    assert most_in_any(counted, 1.0) <= limit


async def working(quota: Quota, until: float, lasts: float, between: tuple[float, float] = (0.0, 0.0)) -> list[float]:
    """Make one call after the other; how long each had to wait."""
    chance, waits = random.Random(1), []
    while now() < until:
        asked = now()
        async with quota.spend():
            waits.append(now() - asked)
            await asyncio.sleep(lasts)
        await asyncio.sleep(chance.uniform(*between))
    return waits


async def made(quotas: list[Quota], workers: int, lasts: float, seconds: float) -> int:
    """How many calls several workers of each process make who do nothing else."""
    until = now() + seconds
    done = await asyncio.gather(*(working(quota, until, lasts) for quota in quotas for _ in range(workers)))
    for quota in quotas:
        await quota.close()
    return sum(len(waits) for waits in done)


@pytest.mark.parametrize(
    ("limits", "workers"),
    [((Window(5, 1.0),), 4), ((Window(100, 10.0),), 8), ((Window(20, 1.0), Window(900, 60.0)), 8), ((Window(4, 0.5),), 2)],
)
@in_virtual_time
async def test_two_busy_processes_use_what_one_would(limits, workers):
    with Server() as server:
        several = [Process(server, str(n), [0.004]).quota(*limits) for n in range(2)]
        together = await made(several, workers, 0.05, 60.0)
    alone = await made([Quota("q", limits, clock=asyncio.get_running_loop().time)], 2 * workers, 0.05, 60.0)
    assert together >= 0.95 * alone


@in_virtual_time
async def test_the_calls_of_a_busy_process_wait_for_no_round_trip():
    with Server() as server:
        processes = [Process(server, str(n), [0.01]) for n in range(2)]
        quotas = [process.quota(Window(190, 10.0)) for process in processes]
        until = now() + 60
        waits = await asyncio.gather(*(working(quota, until, 0.15, (0.0, 0.4)) for quota in quotas for _ in range(2)))
        each = [wait for some in waits for wait in some]
        assert len(each) > 500
        assert sum(wait > 0 for wait in each) < 0.05 * len(each)
        # Two a call, one for its room and one for its answer, would be what each costs by itself.
        assert sum(process.written for process in processes) < 1.8 * len(each)
        for quota in quotas:
            await quota.close()


@in_virtual_time
async def test_many_calls_a_second_share_their_round_trips():
    with Server() as server:
        process = Process(server, "0", [0.01])
        quota = process.quota(Window(1000, 10.0))
        until = now() + 20
        waits = await asyncio.gather(*(working(quota, until, 0.1, (0.0, 0.2)) for _ in range(16)))
        each = [wait for some in waits for wait in some]
        assert len(each) > 1400
        assert sum(wait > 0 for wait in each) < 0.05 * len(each)
        assert process.written < len(each)
        await quota.close()


async def ready(quota: SharedQuota) -> int:
    """Make one call; how many more are ready once that was noted."""
    async with quota.spend():
        pass
    await asyncio.sleep(0.01)
    return len(quota._portion)


@in_virtual_time
async def test_what_is_ready_and_not_used_is_given_back_whole():
    with Server() as server:
        first, second = (Process(server, name).quota(Window(8, 60.0)) for name in "ab")
        assert await ready(first) == 1
        began = now()
        # What the other one misses it has soon after it was given back.
        await asyncio.gather(*(ready(second) for _ in range(7)))
        assert KEEP < now() - began < KEEP + 1.0
        assert len(first._portion) == 0
        assert server.ask("SELECT count(*) FROM calls") == [(8,)]
        for quota in (first, second):
            await quota.close()


@in_virtual_time
async def test_of_a_small_window_or_one_that_is_nearly_full_nothing_is_ready_ahead():
    with Server() as server:
        small = Process(server, "a").quota(Window(4, 1.0))
        assert await ready(small) == 0
        quota = Process(server, "b", [0.0]).quota(Window(50, 60.0), Window(100, 1.0))
        await asyncio.gather(*(ready(quota) for _ in range(46)))
        await asyncio.sleep(2)
        assert await ready(quota) == 0, "three of the longer window are left"
        for one in (small, quota):
            await one.close()


@in_virtual_time
async def test_what_was_counted_under_a_lease_that_ran_out_is_not_used():
    with Server() as server:
        process = Process(server, "a")
        quota = process.quota(Window(8, 60.0))
        assert await ready(quota) == 1
        process.holds = False
        began = process.written
        async with quota.spend():
            # Others decide whether it may be sent; here it has at least not been taken from what was ready.
            assert process.written > began
        await asyncio.sleep(0.01)
        process.holds = True
        assert await ready(quota) == 1
        server.take_over("a")
        process.boot = "b"
        async with quota.spend():
            assert server.ask("SELECT boot FROM calls WHERE done IS NULL AND boot = 'a'") == []
            assert server.ask("SELECT count(*) FROM calls WHERE boot = 'b'")[0][0] >= 1
        await quota.close()


@in_virtual_time
async def test_a_pause_that_the_remote_system_asks_one_process_for_is_kept_by_the_others_at_once():
    with Server() as server:
        # It takes a second until the one who was asked has written it down, as where others write much.
        first, second = (Process(server, name, [trip]).quota(Window(40, 60.0)) for name, trip in (("a", 1.0), ("b", 0.0)))
        assert await ready(second) >= 1
        first.block(3.0)
        began = now()
        await asyncio.sleep(0.001)
        assert len(second._portion) == 0
        await ready(second)
        # Behind the pause comes what it took to write it down.
        assert 3.0 <= now() - began < 4.0
        assert server.ask("SELECT count(*) FROM calls WHERE done IS NOT NULL") == [(2,)], "what was ready was given back"
        first.block(100.0)
        await asyncio.sleep(0.001)
        with pytest.raises(RateLimited):
            await ready(second)
        for quota in (first, second):
            await quota.close()


@in_virtual_time
async def test_a_503_with_retry_after_to_one_process_stops_the_others_at_once():
    with Server() as server:
        first, second = (Process(server, name, [trip]).quota(Window(40, 60.0)) for name, trip in (("a", 1.0), ("b", 0.0)))
        account = remote(RemoteSystem(says(503, Retry_After="3")), quota=first)
        assert await ready(second) >= 1
        assert (await error_of(None, account=account)).status == 503
        began = now()
        await asyncio.sleep(0.001)
        await ready(second)
        # Counted from the answer; behind it comes what it took to note the call and to write the pause down.
        assert 3.0 <= now() - began + 0.001 < 5.0
        for quota in (first, second):
            await quota.close()


@in_virtual_time
async def test_what_is_counted_while_a_pause_is_heard_of_is_given_back_and_not_used():
    with Server() as server:
        first, second = Process(server, "a").quota(Window(40, 60.0)), Process(server, "b", [0.2]).quota(Window(40, 60.0))
        asked = asyncio.create_task(ready(second))
        await asyncio.sleep(0.15)
        # The ledger has counted the call by now; its answer is on the way.
        assert server.ask("SELECT count(*) FROM calls") != [(0,)]
        began = now()
        first.block(3.0)
        await asked
        assert now() - began >= 3.0
        await asyncio.sleep(1)
        assert server.ask("SELECT count(*) FROM calls WHERE done IS NOT NULL") == [(1,)]
        for quota in (first, second):
            await quota.close()


@in_virtual_time
async def test_a_pause_of_a_quota_without_windows_is_kept_by_all_too():
    with Server() as server:
        first, second = (Process(server, name).quota() for name in "ab")
        first.block(3.0)
        await asyncio.sleep(0.001)
        began = now()
        async with second.spend():
            assert now() - began >= 2.9
        for quota in (first, second):
            await quota.close()


@in_virtual_time
async def test_who_hears_nothing_of_a_pause_uses_what_is_ready_and_then_nothing():
    with Server() as server:
        first, second = (Process(server, name).quota(Window(40, 60.0)) for name in "ab")
        server.processes[1].hears = False
        assert await ready(first) >= 1
        assert await ready(second) >= 1
        first.block(3.0)
        began = now()
        await ready(first)
        assert now() - began >= 3.0
        # Another process reads of it with its next round trip, at most one portion later.
        assert await ready(second) >= 1
        first.block(100.0)
        await asyncio.sleep(0.01)
        for _ in range(len(second._portion)):
            await ready(second)
        with pytest.raises(RateLimited):
            await ready(second)
        assert len(second._portion) == 0
        for quota in (first, second):
            await quota.close()


@in_virtual_time
async def test_a_call_that_costs_more_is_not_kept_waiting_by_what_is_ready_here():
    with Server() as server:
        quota = Process(server, "a").quota(Window(8, 60.0))
        assert await ready(quota) == 1
        began = now()
        async with quota.spend(7):
            assert now() - began < KEEP / 2
        await quota.close()


@in_virtual_time
async def test_a_process_that_ends_gives_back_what_is_ready():
    with Server() as server:
        quota = Process(server, "a").quota(Window(8, 60.0))
        assert await ready(quota) == 1
        await quota.close()
        assert server.ask("SELECT cost, done IS NULL FROM calls") == [(1, 0)]


@in_virtual_time
async def test_while_the_server_is_away_what_is_ready_is_used_and_then_nothing():
    with Server() as server:
        process = Process(server, "a")
        quota = process.quota(Window(8, 60.0))
        assert await ready(quota) == 1
        process.away = True
        async with quota.spend():
            pass
        with pytest.raises(StoreError):
            await ready(quota)
        process.away = False
        await asyncio.sleep(2)
        assert server.ask("SELECT count(*), sum(cost) FROM calls WHERE done IS NOT NULL") == [(2, 2)]
        await quota.close()


@in_virtual_time
async def test_what_others_use_is_known_without_a_call_of_ones_own():
    with Server() as server:
        first, second = Process(server, "a").quota(Window(2, 30.0)), Process(server, "b").quota(Window(2, 30.0))
        await asyncio.gather(ready(first), ready(first))
        await second.look()
        assert second.usage() == {"used": 2, "limit": 2, "seconds": 30.0}
        # Nobody calls, and the window passes.
        await asyncio.sleep(31)
        second.used(30.0)
        await asyncio.sleep(0.01)
        assert second.used(30.0) == 0
        # Where the server cannot say it, what was known stays.
        await ready(first)
        second._ledger._database.away = True
        await asyncio.sleep(6)
        assert (second.used(30.0), await second.look(), second.used(30.0)) == (0, None, 0)
        for quota in (first, second):
            await quota.close()


@in_virtual_time
async def test_without_windows_nothing_is_counted():
    with Server() as server:
        process = Process(server, "a")
        async with process.quota().spend():
            pass
        assert process.written == 0
