"""Backfill runs: resumable, each client counted once, nothing queued twice."""

from __future__ import annotations

import pytest

from connector.model.backfills import Request
from connector.model.jobs import Verdict
from connector.store import views
from connector.store.backfills import COUNTS

from .samples import DONE, NOW, event, hold, opened, rows, states

pytestmark = pytest.mark.anyio


async def begin(store, since=None, *, source="stores", by_service=False):
    return await store.backfills.begin(source, Request(since), NOW - 100, NOW, by_service, NOW)


async def add(store, run, *events, page=1, fraction=0.5, every_appointment=False):
    await store.backfills.add_page(run, events, {"page": page}, fraction, every_appointment=every_appointment, now=NOW)


async def test_a_run_starts_walking_from_the_beginning(store):
    run = await begin(store)
    assert (run.source, run.since, run.until, run.state) == ("stores", NOW - 100, NOW, "walking")
    assert (run.cursor, run.fraction, run.resumed) == (None, 0.0, False)
    assert await store.backfills.progress(run) == (dict.fromkeys(COUNTS, 0), 0, 0.0)


async def test_a_page_and_the_cursor_behind_it_are_one_commit_and_survive_a_restart(place):
    async with opened(place) as store:
        run = await begin(store)
        await add(store, run, event("c-1"), event("c-2"), page=7, fraction=0.25)
    async with opened(place) as store:
        again = await begin(store)
        assert (again.id, again.cursor, again.fraction, again.resumed) == (run.id, {"page": 7}, 0.25, True)
        assert (await store.backfills.progress(again))[1] == 2
        assert await states(store) == {1: "queued", 2: "queued"}


async def test_the_same_request_goes_on_where_it_was_also_while_it_works(store):
    run = await begin(store)
    await store.backfills.move(run, "working", NOW)
    again = await begin(store)
    assert (again.id, again.state, again.fraction) == (run.id, "working", 1.0)


async def test_another_request_replaces_an_unfinished_run(store):
    run = await begin(store, "2025")
    other = await begin(store, "2026")
    assert (other.id != run.id, other.resumed) == (True, False)
    assert (await begin(store, "2025")).id not in (run.id, other.id)
    assert await rows(store, "SELECT state FROM backfills ORDER BY id") == [("replaced",), ("replaced",), ("walking",)]


async def test_a_finished_run_is_not_resumed_and_sources_do_not_disturb_each_other(store):
    run = await begin(store)
    elsewhere = await begin(store, source="spas")
    await store.backfills.move(run, "done", NOW)
    assert (await begin(store)).id not in (run.id, elsewhere.id)
    assert (await begin(store, source="spas")).id == elsewhere.id


async def test_a_service_finds_the_runs_it_was_doing(store):
    await begin(store, by_service=False)
    assert await store.backfills.unfinished() == []
    run = await begin(store, by_service=True)
    assert await store.backfills.unfinished() == [("stores", Request())]
    await store.backfills.move(run, "working", NOW)
    assert len(await store.backfills.unfinished()) == 1
    await store.backfills.move(run, "done", NOW)
    assert await store.backfills.unfinished() == []


async def test_a_client_is_queued_once_however_often_the_walk_meets_it(store):
    run = await begin(store)
    await add(store, run, event("c-1", appointment="a-1"), event("c-1", appointment="a-2"))
    await add(store, run, event("c-1", appointment="a-3"), event("c-2", appointment="a-3"))
    assert [e["event"] for e in await store.read(views.events)] == ["backfill:1:c-2:a-3", "backfill:1:c-1:a-1"]
    assert (await store.backfills.progress(run))[0]["seen"] == 2


async def test_where_appointments_are_recorded_each_is_queued_and_the_client_counted_once(store):
    run = await begin(store)
    await add(store, run, event("c-1", appointment="a-1"), event("c-1", appointment="a-2"), every_appointment=True)
    await add(store, run, event("c-1", appointment="a-2"), every_appointment=True)
    assert await states(store) == {1: "queued", 2: "queued"}
    counts, still_open, _ = await store.backfills.progress(run)
    assert (counts["seen"], still_open) == (1, 1)


async def test_ids_with_the_separator_in_them_are_not_confused(store):
    run = await begin(store)
    await add(store, run, event("a:b", appointment="c"), event("a", appointment="b:c"))
    assert (await store.backfills.progress(run))[0]["seen"] == 2


async def test_a_new_run_looks_at_the_same_clients_again(store):
    run = await begin(store)
    await add(store, run, event("c-1"))
    await store.backfills.move(run, "done", NOW)
    again = await begin(store)
    await add(store, again, event("c-1"))
    assert (await store.backfills.progress(again))[0]["seen"] == 1
    assert await states(store) == {1: "queued", 2: "queued"}


async def test_the_counts_say_what_became_of_each_client(store):
    run = await begin(store)
    fates = ["already_linked", "matched", "created", "held", "failed", "ignored", "queued", "discarded"]
    await add(store, run, *(event(fate) for fate in fates), fraction=0.75)
    for work in await store.lanes.claim(20, NOW):
        fate = work.client_id
        if fate in ("already_linked", "matched", "created"):
            work.outcome, work.written_back = fate, fate != "already_linked"
            await store.lanes.conclude(work, DONE, NOW)
        elif fate == "ignored":
            await store.lanes.conclude(work, Verdict("ignored"), NOW)
        elif fate == "queued":
            await store.lanes.conclude(work, Verdict("queued", due=NOW + 9, counts=False), NOW)
        else:
            await hold(store, work, failed=fate == "failed")
    (discarded,) = [row[0] for row in await rows(store, "SELECT id FROM events WHERE client_id = 'discarded'")]
    await store.upkeep.discard([discarded], "ops", NOW)
    counts, still_open, fraction = await store.backfills.progress(run)
    assert counts == {
        "seen": 8,
        "already_linked": 1,
        "matched": 1,
        "created": 1,
        "written_back": 2,
        "held": 1,
        "failed": 2,
        "skipped": 1,
    }
    assert (still_open, fraction) == (1, 0.75)


async def test_the_counts_are_kept_when_payloads_are_pruned(store):
    run = await begin(store)
    await add(store, run, event("c-1"))
    (work,) = await store.lanes.claim(1, NOW)
    work.outcome = "created"
    await store.lanes.conclude(work, DONE, NOW)
    before = await store.backfills.progress(run)
    await store.upkeep.prune(NOW + 1)
    assert await store.backfills.progress(run) == before
