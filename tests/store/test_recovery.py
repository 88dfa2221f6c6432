"""After a crash: what ran is taken back at once, and whoever still believes to hold it is refused."""

from __future__ import annotations

import pytest

from connector.model.jobs import Awaited, StaleClaim, Verdict
from connector.store import views

from .samples import DONE, HOUR, NOW, accept, as_next_process, claim_one, execute, hold, link, opened, rows, settle, states

pytestmark = pytest.mark.anyio


async def crash_while_running(place, *, now=NOW):
    """A process claims what is due and ends without a word."""
    async with opened(place) as store:
        await store.lanes.recover(now)
        return await store.lanes.claim(10, now)


async def test_what_ran_when_the_process_ended_runs_again_first(place):
    async with opened(place) as store:
        await accept(store, "e-1", "e-2", client="c-1")
        await accept(store, "e-3", client="c-2")
    await crash_while_running(place)
    async with opened(place) as store:
        assert await states(store) == {1: "running", 2: "queued", 3: "running"}
        assert await store.lanes.claim(10, NOW + HOUR) == []
        assert await store.lanes.recover(NOW) == 2
        assert await states(store) == {1: "retrying", 2: "queued", 3: "retrying"}
        assert await rows(store, "SELECT reason FROM events WHERE id = 1") == [("the process ended while it ran",)]
        assert {(w.event_id, w.attempts) for w in await store.lanes.claim(10, NOW)} == {(1, 2), (3, 2)}


async def test_a_finished_step_is_not_forgotten(place):
    async with opened(place) as store:
        await accept(store, "e-1")
        work = await claim_one(store)
        work.trace.append({"rule": "email"})
        work.outcome = "matched"
        await store.journal.linked(work, [link()], "write_back", NOW)
    async with opened(place) as store:
        await store.lanes.recover(NOW)
        work = await claim_one(store)
        assert (work.step, work.outcome, work.trace, work.link) == ("write_back", "matched", [{"rule": "email"}], link())


async def test_an_event_that_ends_the_process_each_time_is_given_ever_longer_pauses(place):
    async with opened(place) as store:
        await accept(store, "e-1")
        await accept(store, "e-2", client="c-2")
        await execute(store, "UPDATE lanes SET due = ? WHERE client_id = 'c-2'", NOW + 24 * HOUR)
    now, pauses = NOW, []
    for _ in range(14):
        (work,) = await crash_while_running(place, now=now)
        async with opened(place) as store:
            await store.lanes.recover(now)
            due = await store.lanes.next_due()
        pauses.append(due - now)
        now = due
    assert pauses == [0, 0, 0, 16, 32, 64, 128, 256, 512, 1024, 2048, 3600, 3600, 3600]
    assert work.attempts == 14


@pytest.mark.parametrize(("attempts", "reason", "held"), [(18, True, False), (19, True, True), (19, False, False)])
async def test_an_event_that_ends_the_process_again_and_again_is_held_and_the_next_one_runs(place, attempts, reason, held):
    """oban-bg/oban issue 137: it went on long after its last attempt, and took the process with it each time."""
    async with opened(place) as store:
        await accept(store, "e-1", "e-2")
        said = "the process ended while it ran" if reason else "a time-out"
        await execute(store, "UPDATE events SET attempts = ?, reason = ? WHERE id = 1", attempts, said)
    await crash_while_running(place)
    async with opened(place) as store:
        assert await store.lanes.recover(NOW) == 1
        assert await states(store) == {1: "held" if held else "retrying", 2: "queued"}
        assert [work.event_id for work in await store.lanes.claim(10, NOW + HOUR)] == [2 if held else 1]


async def test_what_waited_for_an_account_is_tried_after_a_restart(place):
    async with opened(place) as store:
        await accept(store, "e-1")
        await store.lanes.conclude(await claim_one(store), Verdict("queued", waits_for=Awaited("crm.main"), counts=False), NOW)
    async with opened(place) as store:
        assert await store.lanes.claim(10, NOW) == []
        assert await store.lanes.recover(NOW) == 0
        assert (await claim_one(store)).event_id == 1


async def test_a_retry_keeps_its_time_over_a_restart(place):
    async with opened(place) as store:
        await accept(store, "e-1")
        await store.lanes.conclude(await claim_one(store), Verdict("retrying", due=NOW + 60), NOW)
    async with opened(place) as store:
        await store.lanes.recover(NOW)
        assert await store.lanes.next_due() == NOW + 60


async def test_what_was_stored_while_the_clock_was_ahead_does_not_wait_for_it(place):
    ahead = NOW + 3 * HOUR
    async with opened(place) as store:
        await accept(store, "e-1", at=ahead)
        await store.lanes.conclude(await claim_one(store, ahead), Verdict("retrying", due=ahead + 60), ahead)
        await accept(store, "e-2", client="c-2", at=ahead)
    async with opened(place) as store:
        await store.lanes.recover(NOW)
        assert [work.event_id for work in await store.lanes.claim(10, NOW)] == [2]
        assert await store.lanes.next_due() == NOW + 60
        assert await store.read(views.oldest_waiting, NOW) == 0


async def test_recovery_leaves_alone_what_this_process_runs(store):
    await accept(store, "e-1")
    work = await claim_one(store)
    assert await store.lanes.recover(NOW) == 0
    await store.lanes.conclude(work, DONE, NOW)


@pytest.mark.parametrize("claimed_again", [False, True])
@pytest.mark.parametrize(
    "action",
    [
        lambda store, work: store.lanes.conclude(work, DONE, NOW),
        lambda store, work: store.journal.begin(work, "create:main:9", "create", NOW, crm="main", identity=["email:x"]),
        lambda store, work: store.journal.linked(work, [link()], "write_back", NOW),
        lambda store, work: store.journal.wrote_back(work, link(), "fill", NOW, intent=None),
        lambda store, work: store.journal.settled(work, "fill:1", NOW),
        lambda store, work: store.journal.recorded(work, "a-1", "r-1", 1.0, "record:1", NOW),
    ],
    ids=["conclude", "begin", "linked", "wrote_back", "settled", "recorded"],
)
async def test_a_claim_that_was_taken_over_can_write_nothing(store, action, claimed_again):
    await accept(store, "e-1", "e-2")
    stale = await claim_one(store)
    await store.journal.begin(stale, "fill:1", "fill", NOW)
    await as_next_process(store)
    assert await store.lanes.recover(NOW) == 1
    if claimed_again:
        rival = await claim_one(store)
        assert (rival.event_id, rival.token > stale.token) == (1, True)
    tables = ("events", "lanes", "links", "intents", "claims", "identities", "appointments")
    before = [await rows(store, f"SELECT * FROM {table}") for table in tables]
    with pytest.raises(StaleClaim) as caught:
        await action(store, stale)
    assert "example.com" not in str(caught.value)
    assert [await rows(store, f"SELECT * FROM {table}") for table in tables] == before
    if claimed_again:
        await store.lanes.conclude(rival, DONE, NOW)
        assert await settle(store) == [2]


async def test_held_events_survive_a_restart_as_they_are(place):
    async with opened(place) as store:
        await accept(store, "e-1")
        await hold(store, await claim_one(store))
    async with opened(place) as store:
        await store.lanes.recover(NOW)
        assert await states(store) == {1: "held"}
        assert await rows(store, "SELECT reason, hint, payload IS NOT NULL FROM events") == [
            ("somebody has to look", "Look.", 1)
        ]
