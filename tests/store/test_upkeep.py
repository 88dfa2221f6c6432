"""What a person or the clock does to stored events."""

from __future__ import annotations

import dataclasses

import pytest

from connector.model.backfills import Request
from connector.model.bookings import Reading
from connector.model.jobs import Awaited, Verdict
from connector.store import maintenance as upkeep
from connector.store import views

from .samples import HOUR, NOW, accept, claim_one, delivery, event, hold, rows, settle, states

pytestmark = pytest.mark.anyio


async def one_in_each_state(store) -> dict[str, int]:
    """State → the id of an event in it, each of a client of its own."""
    wanted = ["queued", "running", "retrying", "held", "done", "ignored", "discarded"]
    for state in wanted:
        await accept(store, f"e-{state}", client=state)
    for work in await store.lanes.claim(10, NOW):
        if work.client_id not in ("running", "discarded"):
            await store.lanes.conclude(work, Verdict(work.client_id, due=NOW + 60), NOW)
        elif work.client_id == "discarded":
            await hold(store, work)
            await store.upkeep.discard([work.event_id], "ops", NOW)
    found = {state: id_ for id_, state in (await states(store)).items()}
    assert sorted(found) == sorted(wanted)
    return found


async def test_only_waiting_held_and_ignored_events_can_be_retried(store):
    ids = await one_in_each_state(store)
    can = ("queued", "retrying", "held", "ignored")
    assert await store.upkeep.retry([*ids.values(), 999], NOW) == [ids[s] for s in ids if s in can]


async def test_an_ignored_event_whose_body_is_gone_cannot_be_retried(store):
    ids = await one_in_each_state(store)
    await store.upkeep.prune(NOW + 1)
    assert await store.upkeep.retry([ids["ignored"]], NOW) == []


async def test_events_are_found_by_a_part_of_their_reason(store):
    ids = await one_in_each_state(store)
    await store.upkeep.discard([ids["held"]], "ops", NOW)
    found = await store.read(views.events, reason="carded by o")
    assert {event["id"] for event in found} == {ids["held"], ids["discarded"]}
    assert await store.read(views.events, reason="nothing like it") == []


async def test_only_waiting_and_held_events_can_be_discarded(store):
    ids = await one_in_each_state(store)
    done = await store.upkeep.discard([*ids.values(), 999], "ops", NOW)
    assert done == [ids[s] for s in ids if s in ("queued", "retrying", "held")]
    assert await rows(store, "SELECT DISTINCT reason FROM events WHERE id = ?", done[0]) == [("discarded by ops",)]


async def test_a_retried_event_runs_at_once_with_all_its_attempts(store):
    await accept(store, "e-1")
    for _ in range(3):
        await store.lanes.conclude(await claim_one(store), Verdict("retrying", "it failed", "Wait.", due=NOW), NOW)
    await store.lanes.conclude(await claim_one(store), Verdict("retrying", "it failed", "Wait.", due=NOW + 99), NOW)
    assert await store.lanes.claim(10, NOW) == []
    assert await store.upkeep.retry([1], NOW) == [1]
    (found,) = await store.read(views.events)
    assert (found["state"], found["reason"], found["hint"], found["attempts"]) == ("queued", "retried by hand", None, 0)
    assert (await claim_one(store)).attempts == 1


async def test_a_retry_does_not_wait_for_the_account_any_longer(store):
    await accept(store, "e-1")
    await store.lanes.conclude(await claim_one(store), Verdict("queued", waits_for=Awaited("crm.main"), counts=False), NOW)
    await store.upkeep.retry([1], NOW)
    assert (await claim_one(store)).event_id == 1


async def test_a_retry_behind_a_running_event_waits_its_turn(store):
    await accept(store, "e-1", "e-2")
    await hold(store, await claim_one(store), failed=True)
    running = await claim_one(store)
    assert await store.upkeep.retry([1], NOW) == [1]
    assert await store.lanes.claim(10, NOW + HOUR) == []
    await store.lanes.conclude(running, Verdict("done"), NOW)
    work = await claim_one(store)
    assert (work.event_id, work.outcome) == (1, None)


async def test_a_delivery_nobody_could_read_cannot_be_retried_but_discarded(store):
    await store.inbox.accept(delivery("e-1", reading=Reading(held="content is missing")))
    assert await store.upkeep.retry([1], NOW) == []
    assert await store.upkeep.discard([1], "ops", NOW) == [1]
    assert await states(store) == {1: "discarded"}


async def test_discarding_the_head_wakes_its_lane(store):
    await accept(store, "e-1", "e-2")
    await store.lanes.conclude(await claim_one(store), Verdict("retrying", due=NOW + HOUR), NOW)
    await store.upkeep.discard([1], "ops", NOW)
    assert (await claim_one(store)).event_id == 2


async def test_discarding_the_head_wakes_a_lane_that_waits_for_an_account(store):
    await accept(store, "e-1", "e-2")
    await store.lanes.conclude(await claim_one(store), Verdict("queued", waits_for=Awaited("crm.main"), counts=False), NOW)
    await store.upkeep.discard([1], "ops", NOW)
    assert (await claim_one(store)).event_id == 2


async def test_pruning_drops_what_is_personal_and_keeps_ids_reasons_and_traces(store):
    await accept(store, "e-1")
    work = await claim_one(store)
    work.trace.append({"rule": "email"})
    await store.lanes.conclude(work, Verdict("done", "it worked"), NOW)
    assert await store.upkeep.prune(NOW) == 0
    assert await store.upkeep.prune(NOW + 1) == 1
    assert await store.upkeep.prune(NOW + 1) == 0
    assert await rows(store, "SELECT headers, body FROM deliveries") == [(None, None)]
    assert await rows(store, "SELECT payload, reason, trace FROM events") == [(None, "it worked", '[{"rule": "email"}]')]
    assert (await store.read(views.event, 1))["body_kept"] == 0


@pytest.mark.parametrize("state", ["queued", "running", "retrying", "held"])
async def test_pruning_spares_whatever_is_not_final(store, state):
    await store.inbox.accept(delivery("e-1", "c-1", "c-2"))
    first, second = sorted(await store.lanes.claim(10, NOW), key=lambda work: work.event_id)
    await store.lanes.conclude(first, Verdict("done"), NOW)
    if state != "running":
        await store.lanes.conclude(second, Verdict(state, due=NOW + HOUR), NOW)
    assert await store.upkeep.prune(NOW + HOUR) == 0
    assert await rows(store, "SELECT count(payload) FROM events") == [(2,)]


async def test_pruning_reaches_ignored_deliveries_and_what_the_backfill_brought(store):
    await store.inbox.accept(delivery("e-1", reading=Reading(ignored="nobody's")))
    run = await store.backfills.begin("stores", Request(), 0, NOW, False, NOW)
    await store.backfills.add_page(run, [event("c-1")], {}, 1.0, every_appointment=False, now=NOW)
    await settle(store)
    assert await store.upkeep.prune(NOW + 1) == 2
    assert await rows(store, "SELECT count(payload), count(*) FROM events") == [(0, 2)]


async def test_a_large_heap_is_pruned_in_small_commits(store, monkeypatch):
    monkeypatch.setattr(upkeep, "PRUNE_BATCH", 3)
    await accept(store, *(f"e-{n}" for n in range(8)))
    await settle(store)
    assert await store.upkeep.prune(NOW + 1) == 8


async def test_counted_calls_outlive_the_process_until_they_are_forgotten(store):
    for ago in (90, 30, 10):
        await store.upkeep.count_call("crm.main", NOW - ago, 1)
    await store.upkeep.count_call("booking.stores", NOW - 5, 2)
    assert sorted(await store.read(views.recent_calls, "crm.main", NOW - 60)) == [(NOW - 30, 1), (NOW - 10, 1)]
    await store.upkeep.forget_calls(NOW - 20)
    assert await store.read(views.recent_calls, "crm.main", 0) == [(NOW - 10, 1)]
    assert await store.read(views.recent_calls, "booking.stores", 0) == [(NOW - 5, 2)]


async def test_a_counter_of_all_time_counts(store):
    assert await store.read(views.ignored_clients) == 0
    for _ in range(3):
        await store.upkeep.count("without_identity")
    assert await store.read(views.ignored_clients) == 3


@pytest.mark.sqlite_only("autovacuum gives the space back in PostgreSQL")
async def test_pruning_gives_the_space_back(store):
    for n in range(200):
        await store.inbox.accept(dataclasses.replace(delivery(f"e-{n}", f"c-{n}"), body=b"x" * 2000))
    for work in await store.lanes.claim(200, NOW):
        await store.lanes.conclude(work, Verdict("done"), NOW)
    assert await store.upkeep.prune(NOW + 1) == 200

    def pages(connection):
        return [connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "freelist_count")]

    total, free = await store.database.write(pages)
    assert free > total / 2
    again = dataclasses.replace(delivery("e-7", "c-7"), body=b"x" * 2000)
    assert await store.inbox.accept(again) == "duplicate"
    assert await store.database.write(lambda connection: connection.execute("PRAGMA foreign_key_check").fetchall()) == []
