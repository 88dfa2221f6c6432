"""What one process is refused stops in all, one of them wakes an event to try, and what works again goes on in all."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

import pytest
from remote.ledgers import Process, Server
from store.virtual_time import in_virtual_time

from connector.model.errors import AccountPaused, ActionRefused, Unavailable
from connector.model.jobs import Awaited
from connector.remote.circuit_breaker import REFUSALS_BEFORE_STOP, TRIALS, CircuitBreaker
from connector.store.shared import SharedStates
from connector.worker.probes import LATER, Watcher
from connector.worker.shared_actions import SharedActions

NO_SCOPE = ActionRefused(
    "HubSpot: write an appointment: answered 403", action="write an appointment", account="crm.main", status=403, hint="Add it."
)
WRITE = "write an appointment"


def now() -> float:
    return asyncio.get_running_loop().time()


class Member:
    """One process: its breaker of the account, and what it woke to try."""

    def __init__(self, server: Server, boot: str) -> None:
        self.breaker = CircuitBreaker("crm.main", clock=now, now=now)
        self.breaker.answered = True
        store = SimpleNamespace(states=SharedStates(Process(server, boot)))
        self.actions = SharedActions(store, {"crm.main": self.breaker})
        self.leads = False
        self.woken: list[tuple[str, float]] = []

    def is_refused(self) -> None:
        for _ in range(REFUSALS_BEFORE_STOP):
            self.breaker.refused(NO_SCOPE)

    async def watch(self) -> None:
        watcher = Watcher(self.breaker, self._probe, self._recovered, clock=now, leads=lambda: self.leads)
        await watcher.run()

    async def _probe(self) -> None:
        """The account itself is fine."""

    async def _recovered(self, wanted: Awaited, *, one: bool = False) -> None:
        if wanted.action:
            self.woken.append(("one" if one else "all", now()))


def members(server: Server, several: int = 2) -> list[Member]:
    return [Member(server, str(number)) for number in range(several)]


async def compared(*several: Member) -> None:
    """Each looks in turn, and the first again: everybody has seen everything."""
    for member in (*several, *several):
        await asyncio.sleep(0.01)
        await member.actions.compare()


@in_virtual_time
async def test_what_one_process_is_refused_stops_in_all_with_the_same_words():
    with Server() as server:
        first, second = members(server)
        first.is_refused()
        since = now()
        await compared(first, second)
        with pytest.raises(ActionRefused) as caught:
            second.breaker.check_action(WRITE)
        error = caught.value
        assert (str(error), error.status, error.hint, error.action, error.account) == (
            str(NO_SCOPE),
            403,
            "Add it.",
            WRITE,
            "crm.main",
        )
        assert second.breaker.stopped()[WRITE].since == since
        second.breaker.check_action("read a contact")
        assert second.breaker.suspected.is_set(), "the probe of another process has not seen it"


@in_virtual_time
async def test_what_works_again_in_one_goes_on_in_all():
    with Server() as server:
        first, second = members(server)
        first.is_refused()
        await compared(first, second)
        second.breaker.succeeded(WRITE)
        await compared(second, first)
        first.breaker.check_action(WRITE)
        assert list(first.breaker.recovered()) == [WRITE]
        # And may be refused anew.
        second.is_refused()
        await compared(second, first)
        assert first.breaker.is_stopped(WRITE)


@in_virtual_time
async def test_a_process_that_starts_goes_by_what_the_others_know_once_its_account_has_answered():
    with Server() as server:
        first, second = members(server)
        first.is_refused()
        await compared(first)
        late = Member(server, "late")
        late.breaker.answered = False
        late.breaker.trip(Unavailable("not checked yet"))
        await compared(late, first)
        assert first.breaker.is_stopped(WRITE)
        late.breaker.reset()
        await compared(late, first, second)
        assert all(one.breaker.is_stopped(WRITE) for one in (late, first, second))


@in_virtual_time
async def test_when_a_whole_account_works_again_all_try_what_was_refused():
    with Server() as server:
        first, second = members(server)
        first.is_refused()
        await compared(first, second)
        for one in (first, second):
            one.breaker.trip(AccountPaused("no key"))
        await compared(first, second)
        for one in (first, second):
            one.breaker.reset()
        await compared(first, second)
        for one in (first, second):
            one.breaker.check_action(WRITE)


@in_virtual_time
async def test_that_somebody_may_have_fixed_it_all_hear_once():
    with Server() as server:
        first, second = members(server)
        first.is_refused()
        await compared(first, second)
        first.breaker.try_again()
        await compared(first, second)
        second.breaker.check_action(WRITE)
        asked = second.breaker.asked_again
        await compared(first, second)
        assert (first.breaker.asked_again, second.breaker.asked_again) == (1, asked)
        with pytest.raises(ActionRefused):
            second.breaker.check_action(WRITE)


@in_virtual_time
async def test_accounts_that_only_another_process_has_are_left_alone():
    with Server() as server:
        first, second = members(server)
        second.actions._breakers = {}
        first.is_refused()
        await compared(first, second)
        assert not second.breaker.stopped()


@in_virtual_time
async def test_one_of_several_wakes_an_event_to_try_and_whoever_takes_it_lets_it_through():
    with Server() as server:
        first, second = members(server)
        first.leads = True
        tasks = [asyncio.create_task(one.watch()) for one in (first, second)]
        await asyncio.sleep(0.1)
        second.is_refused()
        await compared(second, first)
        for _ in range(4):
            before = len(first.woken)
            async with asyncio.timeout(100):
                while len(first.woken) == before:
                    await asyncio.sleep(0.05)
            # The other process takes it, a moment later, and is refused.
            await asyncio.sleep(0.5)
            second.breaker.check_action(WRITE)
            second.breaker.refused(NO_SCOPE)
        pauses = [round(after[1] - before[1]) for before, after in zip(first.woken, first.woken[1:], strict=False)]
        assert pauses == [round(seconds + LATER) for seconds in TRIALS[1:4]]
        assert second.woken == []
        # The leader has died.
        first.leads, second.leads = False, True
        await asyncio.sleep(TRIALS[4] + 2 * LATER)
        assert [kind for kind, _ in second.woken] == ["one"]
        second.breaker.succeeded(WRITE)
        await compared(second, first)
        await asyncio.sleep(0.01)
        assert (first.woken[-1][0], second.woken[-1][0]) == ("all", "all")
        second.is_refused()
        await asyncio.sleep(0.01)
        second.leads = False
        second.breaker.try_again()
        await asyncio.sleep(0.01)
        assert second.woken[-1][0] == "one", "whoever was asked to try does not wait for the leader"
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
