"""The quota against a remote system that counts: never one call too many, and hardly one too few."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from store.virtual_time import in_virtual_time, run

from connector.model.errors import RateLimited
from connector.remote.rate_limit import MARGIN, PATIENCE, Quota, Window


def quota(*windows: Window, **more) -> Quota:
    return Quota("crm.main", windows, clock=asyncio.get_running_loop().time, **more)


def now() -> float:
    return asyncio.get_running_loop().time()


async def call(budget: Quota, *, lasts: float = 0.0, cost: int = 1) -> float:
    """Make one call; returns when it was sent."""
    async with budget.spend(cost):
        sent = now()
        await asyncio.sleep(lasts)
    return sent


class Planned(NamedTuple):
    """A call: when it is asked for, how long it lasts, and when in between the remote system counts it (0..1)."""

    asked: float
    lasts: float
    counted: float


windows = st.lists(st.builds(Window, st.integers(1, 5), st.sampled_from([0.5, 1.0, 3.0])), min_size=1, max_size=2)
plans = st.lists(
    st.builds(Planned, st.floats(0, 5), st.sampled_from([0.0, 0.001, 0.3, 1.0, 4.0]), st.floats(0, 1)), max_size=40
)


def most_in_any(counted: list[float], seconds: float) -> int:
    """The most calls that one window of `seconds`, both ends included, ever held."""
    return max((sum(end - seconds <= at <= end for at in counted) for end in counted), default=0)


@settings(max_examples=150)
@given(windows=windows, planned=plans)
def test_no_window_of_the_remote_system_ever_holds_a_call_too_many(windows, planned):
    counted: list[float] = []

    async def one(budget: Quota, plan: Planned) -> None:
        await asyncio.sleep(plan.asked)
        async with budget.spend():
            await asyncio.sleep(plan.lasts * plan.counted)
            counted.append(now())
            await asyncio.sleep(plan.lasts * (1 - plan.counted))

    async def everybody() -> None:
        budget = quota(*windows)
        await asyncio.gather(*(one(budget, plan) for plan in planned))

    run(everybody())
    assert len(counted) == len(planned)
    for window in windows:
        assert most_in_any(counted, window.seconds) <= window.calls


@settings(max_examples=100)
@given(limit=st.integers(2, 6), bad=st.lists(st.booleans(), max_size=30), lasts=st.sampled_from([0.0, 0.02, 0.4]))
def test_a_remote_system_that_counts_a_refusal_twice_never_has_to_refuse_for_the_quota(limit, bad, lasts):
    counted: list[float] = []

    async def main() -> None:
        budget = quota(Window(limit, 1.0))
        for refused in bad:
            async with budget.spend() as one:
                in_window = sum(at >= now() - 1.0 for at in counted)
                assert in_window + 1 <= limit
                counted.extend([now()] * (2 if refused else 1))
                await asyncio.sleep(lasts)
                one.cost = 2 if refused else 1

    run(main())


@in_virtual_time
async def test_the_budget_is_used_to_the_full_when_calls_take_no_time():
    budget = quota(Window(10, 1.0))
    began = now()
    await asyncio.gather(*(call(budget) for _ in range(1_000)))
    assert (now() - began) / 99 == pytest.approx(1.0 + MARGIN, rel=1e-6)


@in_virtual_time
async def test_a_burst_may_use_the_whole_window_at_once():
    budget = quota(Window(5, 1.0))
    began = now()
    sent = await asyncio.gather(*(call(budget) for _ in range(6)))
    assert sent[:5] == [began] * 5
    assert sent[5] == pytest.approx(began + 1.0 + MARGIN)


@in_virtual_time
async def test_every_window_counts():
    budget = quota(Window(2, 1.0), Window(5, 60.0))
    sent = await asyncio.gather(*(call(budget) for _ in range(6)))
    gaps = [later - earlier for earlier, later in pairwise(sent)]
    assert gaps == pytest.approx([0, 1 + MARGIN, 0, 1 + MARGIN, 60 - 2 - MARGIN])


@in_virtual_time
async def test_a_call_holds_its_place_until_a_window_after_its_answer():
    budget = quota(Window(1, 1.0))
    began = now()
    sent = await asyncio.gather(call(budget, lasts=20.0), call(budget))
    assert sent[1] - began == pytest.approx(21.0 + MARGIN)


@in_virtual_time
async def test_callers_are_served_in_the_order_in_which_they_ask_whatever_they_cost():
    budget = quota(Window(3, 1.0))
    await call(budget, cost=2)
    served: list[int] = []

    async def one(number: int, cost: int) -> None:
        async with budget.spend(cost):
            served.append(number)

    await asyncio.gather(*(one(number, cost) for number, cost in enumerate([2, 1, 3, 1, 1])))
    assert served == [0, 1, 2, 3, 4]


@in_virtual_time
async def test_a_caller_who_gives_up_lets_the_next_one_through():
    budget = quota(Window(1, 1.0))
    await call(budget)
    impatient = asyncio.create_task(call(budget))
    patient = asyncio.create_task(call(budget))
    began = now()
    await asyncio.sleep(0.5)
    impatient.cancel()
    assert await patient - began == pytest.approx(1.0 + MARGIN)
    assert impatient.cancelled()


@in_virtual_time
async def test_a_call_that_fails_is_counted_all_the_same():
    budget = quota(Window(1, 1.0))
    began = now()
    with pytest.raises(ConnectionError):
        async with budget.spend():
            raise ConnectionError
    assert await call(budget) - began == pytest.approx(1.0 + MARGIN)


@in_virtual_time
async def test_a_refusal_that_costs_two_leaves_room_for_one_less():
    budget = quota(Window(3, 1.0))
    began = now()
    async with budget.spend() as refused:
        refused.cost = 2
    assert budget.used(1.0) == 2
    sent = [await call(budget), await call(budget)]
    assert sent == [began, pytest.approx(began + 1.0 + MARGIN)]


@in_virtual_time
async def test_a_call_dearer_than_the_window_waits_until_the_window_is_empty():
    budget = quota(Window(2, 1.0))
    began = await call(budget)
    assert await call(budget, cost=3) - began == pytest.approx(1.0 + MARGIN)
    assert await call(budget) - began == pytest.approx(2 * (1.0 + MARGIN))


@in_virtual_time
async def test_without_windows_nobody_waits_and_nothing_is_remembered():
    kept = []

    async def record(*call):
        kept.append(call)

    budget = quota(record=record)
    began = now()
    assert set(await asyncio.gather(*(call(budget, lasts=0) for _ in range(500)))) == {began}
    assert (kept, budget.used(60), budget.usage()) == ([], 0, None)


# ---- the remote system asks for a pause ----


@in_virtual_time
async def test_a_block_makes_everybody_wait_also_those_who_wait_already():
    budget = quota(Window(1, 1.0))
    began = await call(budget)
    waiting = asyncio.create_task(call(budget))
    await asyncio.sleep(0.5)
    budget.block(10.0)
    assert await waiting - began == pytest.approx(10.5)


@in_virtual_time
async def test_a_shorter_block_does_not_end_a_longer_one():
    budget = quota()
    began = now()
    budget.block(5.0)
    budget.block(1.0)
    assert await call(budget) - began == pytest.approx(5.0)


@in_virtual_time
async def test_a_pause_beyond_patience_is_not_waited_for():
    budget = quota(Window(5, 1.0))
    began = now()
    budget.block(PATIENCE + 40)
    for result in await asyncio.gather(*(call(budget) for _ in range(3)), return_exceptions=True):
        assert isinstance(result, RateLimited)
        assert result.retry_after == pytest.approx(PATIENCE + 40)
    assert now() == began
    assert budget.used(60) == 0
    await asyncio.sleep(50)
    assert await call(budget) - began == pytest.approx(PATIENCE + 40)


@in_virtual_time
async def test_a_long_window_and_a_short_pause_are_waited_for():
    budget = quota(Window(1, PATIENCE))
    began = await call(budget)
    budget.block(1.0)
    assert await call(budget) - began == pytest.approx(PATIENCE + MARGIN)


# ---- over a restart ----


@in_virtual_time
async def test_calls_of_an_earlier_process_still_count():
    budget = quota(Window(3, 10.0))
    budget.restore([(2.0, 2), (30.0, 5), (4.0, 1)])
    assert budget.used(10.0) == 3
    began = now()
    first, second = await call(budget), await call(budget)
    # Half a second of doubt: their answers came later than they were written down.
    assert first - began == pytest.approx(10 - 4 + 0.5 + MARGIN)
    assert second - began == pytest.approx(10 - 2 + 0.5 + MARGIN)


@in_virtual_time
async def test_a_clock_that_went_back_does_not_make_restored_calls_last_for_ever():
    budget = quota(Window(1, 1.0))
    budget.restore([(-3_600.0, 1)])
    began = now()
    assert await call(budget) - began <= 1.0 + MARGIN


@in_virtual_time
async def test_every_call_is_written_down_before_it_is_made_and_its_extra_cost_after():
    kept, events = [], []

    async def record(key: str, at: float, cost: int) -> None:
        kept.append((key, cost))
        events.append("recorded")

    budget = quota(Window(5, 1.0), record=record)
    async with budget.spend() as one:
        events.append("sent")
        one.cost = 3
    assert events == ["recorded", "sent", "recorded"]
    assert kept == [("crm.main", 1), ("crm.main", 2)]


@in_virtual_time
async def test_a_call_that_cannot_be_written_down_is_not_made():
    async def record(*_call):
        raise OSError("no room")

    budget = quota(Window(5, 1.0), record=record)
    with pytest.raises(OSError, match="no room"):
        async with budget.spend():
            pytest.fail("the call was made")


@in_virtual_time
async def test_used_and_usage_say_how_much_is_gone():
    budget = quota(Window(5, 1.0), Window(20, 60.0))
    await call(budget)
    await call(budget, cost=2)
    assert (budget.used(1.0), budget.usage()) == (3, {"used": 3, "limit": 20, "seconds": 60.0})
    await asyncio.sleep(1.5)
    assert (budget.used(1.0), budget.used(60.0)) == (0, 3)
    await asyncio.sleep(60)
    assert budget.usage() == {"used": 0, "limit": 20, "seconds": 60.0}
