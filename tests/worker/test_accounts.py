"""The watcher of an account: probes at growing intervals, says what is wrong once, and wakes what waited; in virtual time."""

from __future__ import annotations

import asyncio
import itertools
import json

import pytest
from store.virtual_time import in_virtual_time

from connector.model.errors import AccountPaused, ActionRefused, LimitReached, RateLimited, RemoteError, StoreError, Unavailable
from connector.model.jobs import Awaited
from connector.remote.circuit_breaker import FAILURES_BEFORE_DOWN, REFUSALS_BEFORE_STOP, CircuitBreaker
from connector.worker.probes import RELAPSE, Watcher

from .harness import captured

DOWN = Unavailable("HubSpot: answered 503", account="crm.main")
REFUSED = AccountPaused("HubSpot: answered 401", account="crm.main", hint="Check the key.")


class World:
    """An account whose probe answers as the test says."""

    def __init__(self) -> None:
        self.problem: Exception | None = None
        self.probes: list[float] = []
        self.woken: list[float] = []
        self.cannot_wake: Exception | None = None
        self._clock = asyncio.get_running_loop().time
        self.breaker = CircuitBreaker("crm.main", clock=self._clock, now=self._clock)
        #: What was woken of one kind of action, and when: `one` or `all`.
        self.actions: list[tuple[str, str, float]] = []
        self.watcher = Watcher(self.breaker, self._probe, self._recovered, clock=self._clock)

    async def __aenter__(self) -> World:
        self._task = asyncio.create_task(self.watcher.run())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    @property
    def is_open(self) -> bool:
        return self.breaker.error is None

    def pauses(self) -> list[float]:
        return [round(after - before, 3) for before, after in itertools.pairwise(self.probes)]

    async def _probe(self) -> None:
        self.probes.append(self._clock())
        if self.problem is not None:
            raise self.problem

    async def _recovered(self, wanted: Awaited, *, one: bool = False) -> None:
        assert wanted.account == "crm.main"
        if wanted.action is not None:
            self.actions.append((wanted.action, "one" if one else "all", self._clock()))
            return
        if self.cannot_wake is not None:
            raise self.cannot_wake
        self.woken.append(self._clock())


@in_virtual_time
async def test_an_account_is_used_only_after_its_first_good_probe():
    world = World()
    with pytest.raises(RemoteError, match="not checked yet"):
        world.breaker.check()
    assert not world.watcher.checked.is_set()
    async with world:
        await world.watcher.checked.wait()
        world.breaker.check()
        await asyncio.sleep(86_400)
        assert len(world.probes) == 1, "an account that works is left alone"


@in_virtual_time
async def test_problem_is_probed_at_growing_intervals_of_at_most_fifteen_seconds():
    world = World()
    world.problem = DOWN
    async with world:
        await asyncio.sleep(61)
        assert world.pauses() == [1, 2, 4, 8, 15, 15, 15]
        assert world.watcher.checked.is_set()
        assert world.woken == []
        world.problem = None
        await asyncio.sleep(15)
        assert world.is_open
        assert len(world.woken) == 1


@in_virtual_time
async def test_the_next_problem_begins_with_short_intervals_again():
    async with World() as world:
        await asyncio.sleep(1)
        for _ in range(2):
            await asyncio.sleep(RELAPSE + 1)
            world.probes.clear()
            world.problem = DOWN
            world.breaker.trip(DOWN)
            await asyncio.sleep(3.5)
            assert world.pauses() == [1, 2]
            world.problem = None
            await asyncio.sleep(60)
            assert world.is_open


@in_virtual_time
async def test_three_failures_in_a_row_close_an_account_and_the_probe_opens_it():
    async with World() as world:
        await asyncio.sleep(RELAPSE + 1)
        for _ in range(FAILURES_BEFORE_DOWN - 1):
            world.breaker.failed(DOWN)
        assert world.is_open
        world.breaker.failed(DOWN)
        assert not world.is_open
        await asyncio.sleep(0.1)
        assert world.is_open
        assert len(world.woken) == 2


@in_virtual_time
async def test_an_account_that_only_the_probe_may_use_is_not_probed_without_pause():
    """A key without the scope for writes: each event is refused, each probe is fine."""
    async with World() as world:
        await asyncio.sleep(RELAPSE + 1)
        world.probes.clear()
        for _ in range(3000):
            world.breaker.trip(REFUSED)
            await world.breaker.usable.wait()
            await asyncio.sleep(0.1)
            if world.probes[-1] - world.probes[0] > 600:
                break
        assert world.pauses()[:6] == pytest.approx([1, 2, 4, 8, 15, 15], abs=0.2)
        assert len(world.probes) < 600 / 15 + 10


@in_virtual_time
async def test_a_relapse_is_told_as_loudly_as_any_other_problem():
    with captured() as lines:
        async with World() as world:
            await asyncio.sleep(1)
            world.breaker.trip(REFUSED)
            await asyncio.sleep(30)
        told = [line for line in lines() if line["level"] == "error"]
        assert [(line["reason"], line["hint"]) for line in told] == [("HubSpot: answered 401", "Check the key.")]


@in_virtual_time
async def test_it_says_what_is_wrong_once_and_that_it_is_over():
    with captured() as lines:
        world = World()
        world.problem = DOWN
        async with world:
            await asyncio.sleep(100)
            world.problem = REFUSED
            await asyncio.sleep(100)
            world.problem = None
            await asyncio.sleep(100)
        told = [(line["level"], line.get("reason", line["event"])) for line in lines()]
    assert told == [
        ("warning", "HubSpot: answered 503"),
        ("error", "HubSpot: answered 401"),
        ("info", "account works again"),
    ]


@in_virtual_time
async def test_a_probe_that_fails_unexpectedly_is_repeated_and_its_text_not_logged():
    with captured() as lines:
        world = World()
        world.problem = KeyError("Ada Byron")
        async with world:
            await asyncio.sleep(4)
            assert world.pauses() == [1, 2]
            world.problem = None
            await asyncio.sleep(10)
            assert world.is_open
        text = json.dumps(lines())
    assert "the probe itself failed" in text
    assert "_probe" in text, "the log must show where it happened"
    assert "Byron" not in text


@in_virtual_time
async def test_what_waits_is_woken_even_if_the_database_cannot_at_first():
    world = World()
    world.cannot_wake = StoreError("The disk is full.")
    async with world:
        await asyncio.sleep(4)
        assert world.woken == []
        world.cannot_wake = None
        await asyncio.sleep(5)
        assert len(world.woken) == 1
        assert world.is_open


@in_virtual_time
async def test_a_daily_limit_keeps_its_reason_while_the_probe_waits_its_turn_and_is_said_once():
    with captured() as lines:
        async with World() as world:
            await world.watcher.checked.wait()
            await asyncio.sleep(RELAPSE + 1)
            daily = LimitReached("HubSpot: answered 429: DAILY", account="crm.main", retry_after=900, hint="until midnight")
            world.problem = RateLimited("the remote system asked for a longer pause", retry_after=900.0)
            world.breaker.trip(daily)
            await asyncio.sleep(300)
            assert world.breaker.error is daily
            assert world.breaker.error_left() == pytest.approx(600)
            asked = len(world.probes)
            world.problem = None
            await asyncio.sleep(590)
            assert (world.is_open, len(world.probes)) == (False, asked), "nobody asks before the limit ends"
            await asyncio.sleep(20)
            assert world.is_open
        said = [(line["event"], line.get("reason")) for line in lines()]
    assert said == [("account cannot be used; its events wait", str(daily)), ("account works again", None)]
    assert [line["until"] for line in lines() if "until" in line] == ["1970-01-01 00:32 UTC"]


@in_virtual_time
async def test_one_problem_that_an_event_and_then_the_probe_meets_is_said_once():
    plan = "the account's plan does not allow it"
    with captured() as lines:
        async with World() as world:
            await world.watcher.checked.wait()
            world.problem = AccountPaused("HubSpot: read the account: answered 402", status=402, hint=plan)
            world.breaker.trip(AccountPaused("HubSpot: search contacts: answered 402", status=402, hint=plan))
            await asyncio.sleep(300)
            assert len(world.probes) > 10
            world.problem = REFUSED
            await asyncio.sleep(300)
            world.problem = None
            await asyncio.sleep(300)
        said = [(line["event"], line.get("reason")) for line in lines()]
    assert said == [
        ("account cannot be used; its events wait", "HubSpot: search contacts: answered 402"),
        ("account cannot be used; its events wait", str(REFUSED)),
        ("account works again", None),
    ]


@in_virtual_time
async def test_a_limit_that_lasts_longer_than_was_said_is_not_said_again():
    with captured() as lines:
        async with World() as world:
            await asyncio.sleep(RELAPSE + 1)
            world.problem = LimitReached("used up", account="crm.main", retry_after=900)
            world.breaker.trip(world.problem)
            await asyncio.sleep(3_000)
            assert 0 < world.breaker.error_left() <= 900
            assert len(world.probes) <= 6, "asked once at the end of each pause"
        assert [line["event"] for line in lines()] == ["account cannot be used; its events wait"]


def scope(*, certain: bool = True) -> ActionRefused:
    """A refusal that names a scope."""
    text, action = "HubSpot: answered 403", "record the appointment"
    return ActionRefused(text, action=action, account="crm.main", hint="Give it.", certain=certain)


@in_virtual_time
async def test_a_refused_action_is_tried_by_one_event_at_a_time_while_the_account_goes_on():
    with captured() as lines:
        async with World() as world:
            await asyncio.sleep(RELAPSE + 1)
            begun = world._clock()
            world.breaker.refused(scope())
            await asyncio.sleep(0.1)
            assert world.is_open
            world.breaker.check_action("search contacts")
            with pytest.raises(ActionRefused):
                world.breaker.check_action("record the appointment")
            await asyncio.sleep(120)
            assert {(who, how) for who, how, _ in world.actions} == {("record the appointment", "one")}
            assert [round(at - begun) for *_, at in world.actions] == [2, 6, 14, 29, 59, 119]
            world.breaker.check_action("record the appointment")
            world.breaker.succeeded("record the appointment")
            await asyncio.sleep(0.1)
            assert world.actions[-1][1] == "all"
            assert world.breaker.refusals() == {}
        said = [(line["event"], line.get("hint")) for line in lines()]
    told = "one kind of action is refused; its events wait, all others continue"
    assert said == [(told, "Give it."), ("action works again", None)]


@in_virtual_time
async def test_a_refusal_that_the_probe_shares_closes_the_account():
    async with World() as world:
        await asyncio.sleep(RELAPSE + 1)
        world.problem = REFUSED
        world.breaker.refused(scope(certain=False))
        await asyncio.sleep(0.1)
        assert world.breaker.error is REFUSED
        assert world.breaker.refusals() == {}


@in_virtual_time
async def test_refusals_without_a_named_reason_stop_an_action_only_in_a_row():
    async with World() as world:
        await asyncio.sleep(RELAPSE + 1)
        for _ in range(10):
            world.breaker.refused(scope(certain=False))
            world.breaker.refused(scope(certain=False))
            assert not world.breaker.is_stopped("record the appointment")
            world.breaker.succeeded("record the appointment")
            await asyncio.sleep(2)
        for _ in range(REFUSALS_BEFORE_STOP):
            world.breaker.refused(scope(certain=False))
        assert world.breaker.is_stopped("record the appointment")
