"""Lanes: order per client, independence between clients, and claims that a crash or a rival makes void."""

from __future__ import annotations

import pytest
from msgspec import structs

from connector.model.backfills import Request
from connector.model.jobs import Awaited, StaleClaim, Verdict
from connector.store import views
from connector.store.lanes import LONGEST_TRACE, reach_step

from .samples import DONE, HOUR, NOW, accept, claim_one, delivery, event, execute, hold, link, rows, settle, states

pytestmark = pytest.mark.anyio


async def backfill(store, *clients, now=NOW):
    run = await store.backfills.begin("stores", Request(), 0, now, False, now)
    await store.backfills.add_page(run, [event(c) for c in clients], {"page": 1}, 0.5, every_appointment=False, now=now)


async def test_a_client_s_events_run_in_the_order_in_which_they_arrived(store):
    await accept(store, "e-1", "e-2", "e-3")
    for expected in (1, 2, 3):
        work = await claim_one(store)
        assert work.event_id == expected
        assert await store.lanes.claim(10, NOW + HOUR) == []
        await store.lanes.conclude(work, DONE, NOW)
    assert await store.lanes.claim(10, NOW + HOUR) == []


async def test_one_event_of_a_client_runs_at_a_time_and_others_beside_it(store):
    await accept(store, "e-1", "e-2", client="c-1")
    await accept(store, "e-3", "e-4", client="c-2")
    assert {w.event_id for w in await store.lanes.claim(10, NOW)} == {1, 3}
    assert await states(store) == {1: "running", 2: "queued", 3: "running", 4: "queued"}


async def test_no_more_is_claimed_than_asked_for_and_the_longest_due_first(store):
    for n in (3, 1, 2):
        await accept(store, f"e-{n}", client=f"c-{n}", at=NOW - 10 + n)
    assert [w.client_id for w in await store.lanes.claim(1, NOW)] == ["c-1"]
    assert {w.client_id for w in await store.lanes.claim(1, NOW)} == {"c-2"}
    assert len(await store.lanes.claim(5, NOW)) == 1


async def test_an_event_is_not_claimed_before_it_is_due(store):
    await accept(store, "e-1", at=NOW)
    assert await store.lanes.claim(10, NOW - 0.001) == []
    assert len(await store.lanes.claim(10, NOW)) == 1


async def test_a_retrying_head_blocks_its_own_lane_only(store):
    await accept(store, "e-1", "e-2", client="c-1")
    work = await claim_one(store)
    await store.lanes.conclude(work, Verdict("retrying", "it failed", due=NOW + 60), NOW)
    await accept(store, "e-3", client="c-1")
    await accept(store, "e-4", client="c-2")
    assert [w.event_id for w in await store.lanes.claim(10, NOW + 59)] == [4]
    again = await claim_one(store, NOW + 60)
    assert (again.event_id, again.attempts) == (1, 2)


async def test_live_events_go_before_the_backfill_however_long_it_waits(store):
    await backfill(store, "c-1", "c-2", now=NOW - HOUR)
    await accept(store, "e-1", client="c-3")
    assert [w.client_id for w in await store.lanes.claim(1, NOW)] == ["c-3"]
    assert {w.client_id for w in await store.lanes.claim(10, NOW)} == {"c-1", "c-2"}


async def test_a_live_event_lifts_what_the_backfill_queued_for_its_client(store):
    await backfill(store, "c-1", "c-2", now=NOW - HOUR)
    await accept(store, "e-1", client="c-2")
    (work,) = await store.lanes.claim(1, NOW)
    assert (work.client_id, work.event_id) == ("c-2", 2)
    await store.lanes.conclude(work, DONE, NOW)
    (work,) = await store.lanes.claim(1, NOW)
    assert (work.client_id, work.event_id) == ("c-2", 3)


async def test_the_backfill_does_not_hold_up_a_client_with_live_events(store):
    await backfill(store, "c-2", now=NOW - HOUR)
    await accept(store, "e-1", client="c-1")
    await backfill(store, "c-1")
    assert [w.client_id for w in await store.lanes.claim(1, NOW)] == ["c-1"]


async def test_a_lane_that_ran_empty_has_no_privilege_left(store):
    await accept(store, "e-1", client="c-1")
    await settle(store)
    await accept(store, "e-2", client="c-2", at=NOW + 1)
    await backfill(store, "c-1")
    assert [w.client_id for w in await store.lanes.claim(1, NOW + 1)] == ["c-2"]


async def test_what_waits_for_an_account_is_woken_by_that_account_only(store):
    await accept(store, "e-1", "e-2", client="c-1")
    await accept(store, "e-3", client="c-2")
    for work, account in zip(await store.lanes.claim(10, NOW), ("crm.main", "booking.stores"), strict=True):
        await store.lanes.conclude(work, Verdict("queued", "down", waits_for=Awaited(account), counts=False), NOW)
    await accept(store, "e-4", client="c-1")
    assert await store.lanes.claim(10, NOW + 365 * 24 * HOUR) == []
    assert await store.lanes.next_due() is None
    assert await store.lanes.wake(Awaited("crm.other"), NOW) == 0
    assert await store.lanes.wake(Awaited("crm.main"), NOW) == 1
    assert await store.lanes.wake(Awaited("crm.main"), NOW) == 0
    assert [w.event_id for w in await store.lanes.claim(10, NOW)] == [1]


async def test_what_was_woken_and_failed_goes_to_the_end_of_those_who_wait(store):
    for n in (1, 2, 3):
        await accept(store, f"e-{n}", client=f"c-{n}")
    refused = Verdict("queued", "no scope", waits_for=Awaited("crm.main", "record"), counts=False)
    for work in await store.lanes.claim(10, NOW):
        await store.lanes.conclude(work, refused, NOW)
    tried = []
    for _ in range(6):
        assert await store.lanes.wake(Awaited("crm.main", "record"), NOW, one=True) == 1
        (work,) = await store.lanes.claim(10, NOW)
        tried.append(work.client_id)
        await store.lanes.conclude(work, refused, NOW)
    assert tried == ["c-1", "c-2", "c-3"] * 2
    assert await store.lanes.wake(Awaited("crm.main", "record"), NOW, one=True) == 1
    (work,) = await store.lanes.claim(10, NOW)
    await store.lanes.conclude(work, refused, NOW)
    assert await store.lanes.wake(Awaited("crm.main", "record"), NOW) == 3
    assert [(await store.lanes.claim(1, NOW))[0].client_id for _ in range(3)] == ["c-2", "c-3", "c-1"]


async def test_how_many_clients_of_a_run_wait_is_known(store):
    run = await store.backfills.begin("stores", Request(), 0, NOW, False, NOW)
    await store.backfills.add_page(run, [event(c) for c in ("c-1", "c-2")], {"page": 1}, 0.5, every_appointment=False, now=NOW)
    assert await store.backfills.waiting(run) == 0
    for work in await store.lanes.claim(1, NOW):
        await store.lanes.conclude(work, Verdict("queued", waits_for=Awaited("crm.main", "record"), counts=False), NOW)
    assert await store.backfills.waiting(run) == 1


async def test_a_snoozed_event_comes_back_at_its_time(store):
    await accept(store, "e-1")
    await store.lanes.conclude(await claim_one(store), Verdict("queued", "too many calls", due=NOW + 3, counts=False), NOW)
    assert await store.lanes.next_due() == NOW + 3
    assert await store.lanes.claim(10, NOW + 2) == []
    assert (await claim_one(store, NOW + 3)).attempts == 1


async def test_a_held_head_does_not_block_what_came_later(store):
    await accept(store, "e-1", "e-2")
    await hold(store, await claim_one(store))
    assert (await claim_one(store)).event_id == 2


async def test_success_releases_what_was_held_for_the_same_client(store):
    await accept(store, "e-1", "e-2", "e-3")
    await hold(store, await claim_one(store))
    await hold(store, await claim_one(store))
    await store.lanes.conclude(await claim_one(store), DONE, NOW)
    assert await states(store) == {1: "queued", 2: "queued", 3: "done"}
    found = {e["id"]: e for e in await store.read(views.events)}
    assert (found[1]["reason"], found[1]["hint"], found[1]["attempts"]) == ("released: the client is linked now", None, 0)
    assert await settle(store) == [1, 2]


async def test_success_does_not_release_failed_unreadable_or_other_people_s_events(store):
    unreadable = structs.replace(delivery("e-0").reading, events=(), held="content is missing")
    await store.inbox.accept(delivery("e-0", reading=unreadable))
    await accept(store, "e-1", "e-2", client="c-1")
    await accept(store, "e-3", client="c-2")
    await accept(store, "e-4", client="c-1", source="spas")
    claimed = {w.event_id: w for w in await store.lanes.claim(10, NOW)}
    await hold(store, claimed[2], failed=True)
    await hold(store, claimed[4])
    await hold(store, claimed[5])
    await store.lanes.conclude(await claim_one(store), DONE, NOW)
    assert await states(store) == {1: "held", 2: "held", 3: "done", 4: "held", 5: "held"}


@pytest.mark.parametrize("state", ["held", "ignored", "retrying", "queued"])
async def test_only_success_releases(store, state):
    await accept(store, "e-1", "e-2")
    await hold(store, await claim_one(store))
    await store.lanes.conclude(await claim_one(store), Verdict(state, due=NOW + 9), NOW)
    assert (await states(store))[1] == "held"


async def test_an_attempt_is_counted_before_the_event_runs(store):
    await accept(store, "e-1")
    work = await claim_one(store)
    assert work.attempts == 1
    assert await rows(store, "SELECT state, attempts FROM events") == [("running", 1)]


async def test_a_snooze_uses_up_no_attempt_and_is_counted_until_the_next_real_try(store):
    await accept(store, "e-1")
    for n in range(3):
        work = await claim_one(store)
        assert (work.attempts, work.snoozes) == (1, n)
        await store.lanes.conclude(work, Verdict("queued", "down", due=NOW, counts=False), NOW)
    assert await rows(store, "SELECT attempts, snoozes FROM events") == [(0, 3)]
    await store.lanes.conclude(await claim_one(store), Verdict("retrying", "it failed", due=NOW), NOW)
    assert await rows(store, "SELECT attempts, snoozes FROM events") == [(1, 0)]


async def test_next_due_is_the_earliest_waiting_lane_of_either_kind(store):
    assert await store.lanes.next_due() is None
    await backfill(store, "c-9", now=NOW + 50)
    assert await store.lanes.next_due() == NOW + 50
    await accept(store, "e-1", client="c-1", at=NOW + 70)
    assert await store.lanes.next_due() == NOW + 50
    (work,) = await store.lanes.claim(1, NOW + 50)
    assert await store.lanes.next_due() == NOW + 70
    await store.lanes.conclude(work, Verdict("retrying", due=NOW + 60), NOW + 50)
    assert await store.lanes.next_due() == NOW + 60


async def test_a_claim_that_leaves_room_says_when_the_next_lane_is_due(store):
    assert await store.lanes.claim_or_next(1, NOW) == ([], None)
    await accept(store, "e-1", client="c-1")
    await accept(store, "e-2", client="c-2", source="spa", at=NOW + 5)
    await accept(store, "e-3", client="c-3", at=NOW + 7)
    claimed, due = await store.lanes.claim_or_next(1, NOW)
    assert ([work.client_id for work in claimed], due) == (["c-1"], None), "there may be more"
    assert await store.lanes.claim_or_next(1, NOW) == ([], NOW + 5)
    assert await store.lanes.claim_or_next(1, NOW + 6, without=["spa"]) == ([], NOW + 7)


async def test_a_claim_comes_with_the_keys_that_the_client_tied_to_its_customer(store):
    await accept(store, "e-1", "e-2", client="c-1")
    await accept(store, "e-3", client="c-2")
    mine, other = sorted(await store.lanes.claim(2, NOW), key=lambda work: work.client_id)
    assert mine.tied == frozenset()
    await store.journal.linked(other, [link("c-2")], "fill", NOW, keys=["email:other"])
    await store.journal.linked(mine, [link("c-1", "500")], "fill", NOW, keys=["email:a"])
    mine.link = link("c-1", "500")
    await store.journal.linked(mine, [link("c-1", "501")], "fill", NOW, keys=["phone:b"])
    await store.lanes.conclude(mine, DONE, NOW)
    assert (await claim_one(store)).tied == {store.database.keyed("phone:b")}


async def test_a_lane_without_waiting_events_is_never_due_again(store):
    await accept(store, "e-1")
    await settle(store)
    assert await store.lanes.next_due() is None
    await store.upkeep.discard([1], "ops", NOW)
    await accept(store, "e-2")
    await store.upkeep.discard([2], "ops", NOW)
    assert await store.lanes.claim(10, NOW) == []
    assert await store.lanes.next_due() is None


async def test_lanes_whose_events_were_discarded_take_nobody_s_place(store):
    for n in range(3):
        await accept(store, f"e-{n}", client=f"c-{n}", at=NOW - 10 + n)
    await backfill(store, "c-9")
    await store.upkeep.discard([1, 2], "ops", NOW - 20)
    assert [work.client_id for work in await store.lanes.claim(1, NOW)] == ["c-2"]


async def test_a_step_that_is_done_is_kept_with_its_trace(store):
    await accept(store, "e-1")
    work = await claim_one(store)
    work.trace.append({"rule": "email", "result": "match"})
    work.outcome, work.step = "matched", "write_back"
    await store.database.write(lambda connection: reach_step(connection, work, "write_back", NOW))
    work.written_back, work.step = True, "fill"
    await store.lanes.conclude(work, Verdict("retrying", due=NOW), NOW)
    again = await claim_one(store)
    assert (again.step, again.outcome, again.written_back) == ("fill", "matched", True)
    assert again.trace == [{"rule": "email", "result": "match"}]


async def test_of_a_long_trace_the_newest_entries_are_kept(store):
    await accept(store, "e-1")
    work = await claim_one(store)
    work.trace = [{"n": n} for n in range(LONGEST_TRACE + 5)]
    await store.lanes.conclude(work, DONE, NOW)
    (found,) = await store.read(views.events)
    assert [entry["n"] for entry in found["trace"]] == list(range(5, LONGEST_TRACE + 5))


async def test_a_claim_knows_the_client_s_link_and_the_latest_decision(store):
    await accept(store, "e-1")
    work = await claim_one(store)
    assert (work.link, work.decision) == (None, None)
    await store.journal.linked(work, [link()], "write_back", NOW)
    await hold(store, work)
    for decision, customer in (("create", None), ("link", "502")):
        review = await store.reviews.open("stores", "c-1", "main", "two of them", [], NOW)
        await store.reviews.decide(review, decision, customer, "ops", NOW)
    await accept(store, "e-2")
    work = await claim_one(store)
    assert work.link == link("c-1", "502", origin="review")
    assert (work.decision.decision, work.decision.by) == ("link", "ops")


async def test_a_claim_after_a_dismissal_knows_of_no_link(store):
    await accept(store, "e-1")
    work = await claim_one(store)
    await store.journal.linked(work, [link()], "write_back", NOW)
    await hold(store, work)
    review = await store.reviews.open("stores", "c-1", "main", "two of them", [], NOW)
    await store.reviews.decide(review, "dismiss", None, "ops", NOW)
    await accept(store, "e-2")
    work = await claim_one(store)
    assert (work.link, work.decision.decision) == (None, "dismiss")


async def test_a_verdict_the_states_do_not_allow_is_refused_and_the_claim_stands(store):
    await accept(store, "e-1")
    work = await claim_one(store)
    with pytest.raises(Exception, match="cannot move that way"):
        await store.lanes.conclude(work, Verdict("discarded"), NOW)
    await store.lanes.conclude(work, DONE, NOW)


async def test_a_verdict_cannot_be_given_twice(store):
    await accept(store, "e-1", "e-2")
    work = await claim_one(store)
    await store.lanes.conclude(work, DONE, NOW)
    with pytest.raises(StaleClaim):
        await store.lanes.conclude(work, DONE, NOW)
    assert (await claim_one(store)).event_id == 2
    with pytest.raises(StaleClaim):
        await store.lanes.conclude(work, Verdict("held"), NOW)
    assert await states(store) == {1: "done", 2: "running"}


async def test_an_event_this_version_cannot_read_is_held_and_stops_nobody(store):
    await accept(store, "e-1", "e-2", client="c-1")
    await accept(store, "e-3", client="c-2")
    await execute(store, """UPDATE events SET payload = '{"type": "x", "kind": "of a later version"}' WHERE id = 1""")
    assert {w.event_id for w in await store.lanes.claim(10, NOW)} == {2, 3}
    (found,) = await store.read(views.events, state="held")
    assert (found["id"], "cannot be read" in found["reason"], "retry" in found["hint"]) == (1, True, True)


async def test_failing_begins_with_the_first_failure_and_anew_after_an_outage_or_by_hand(store):
    async def conclude(verdict, now):
        await store.lanes.conclude(await claim_one(store, now), verdict, now)
        return (await rows(store, "SELECT failing_since FROM events"))[0][0]

    await accept(store, "e-1")
    assert await conclude(Verdict("queued", due=NOW, counts=False), NOW) is None
    assert await conclude(Verdict("retrying", due=NOW), NOW + 1) == NOW + 1
    assert await conclude(Verdict("queued", due=NOW, counts=False), NOW + 2) == NOW + 1
    assert await conclude(Verdict("retrying", due=NOW), NOW + 3) == NOW + 1
    assert await conclude(Verdict("queued", waits_for=Awaited("crm.main"), counts=False), NOW + 4) is None
    await store.lanes.wake(Awaited("crm.main"), NOW)
    assert await conclude(Verdict("retrying", due=NOW), NOW + 5) == NOW + 5
    assert await store.upkeep.retry([1], NOW) == [1]
    assert await conclude(Verdict("retrying", due=NOW), NOW + 6) == NOW + 6
