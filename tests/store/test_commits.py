"""Commits: shared by whoever waits, synced where somebody relies on them, and all or nothing for each of them."""

from __future__ import annotations

import asyncio

import pytest

from connector.model.errors import StoreError
from connector.model.jobs import Verdict
from connector.model.links import Link
from connector.store import database

from .samples import NOW, accept, busy_writer, claim_one, delivery, handed_over, rows, settle, states

pytestmark = pytest.mark.anyio
NORMAL, FULL = 1, 2


@pytest.fixture
def commits(store):
    """How the disk was waited for at each commit of the writer."""
    seen = []

    def watch(connection, batch):
        results = run_all(connection, batch)
        seen.append(connection.execute("PRAGMA synchronous").fetchone()[0])
        return results

    run_all, store.database._run_all = store.database._run_all, watch
    return seen


@pytest.mark.sqlite_only("PostgreSQL syncs every commit")
async def test_every_commit_that_somebody_relies_on_is_synced(store, commits):
    await accept(store, "e-1")
    work = await claim_one(store)
    await store.journal.begin(work, "fill:1", "fill", NOW)
    await store.lanes.conclude(work, Verdict("retrying", due=NOW), NOW)
    await store.upkeep.count_call("crm.main", NOW, 1)
    await store.upkeep.discard([1], "ops", NOW)
    await accept(store, "e-2")
    assert commits == [FULL, NORMAL, FULL, FULL, NORMAL, FULL, FULL]


@pytest.mark.sqlite_only("PostgreSQL syncs every commit")
async def test_a_new_client_waits_for_the_disk_once_for_each_effect_and_once_for_the_verdict(store, commits):
    await accept(store, "e-1")
    work = await claim_one(store)
    link = Link("stores", "c-1", "main", "501", "created")
    await store.journal.begin(work, "create:1", "create", NOW, crm="main", identity=["email:1"])
    await store.journal.linked(work, [link], "write_back", NOW, intent="create:1")
    await store.journal.begin(work, "write_back:1", "write_back", NOW)
    await store.journal.wrote_back(work, link, "fill", NOW, intent="write_back:1")
    await store.lanes.conclude(work, Verdict("done"), NOW)
    assert commits == [FULL, NORMAL, FULL, NORMAL, FULL, NORMAL, FULL]


@pytest.mark.sqlite_only("PostgreSQL syncs every commit")
async def test_a_commit_shared_with_something_that_must_last_is_synced(store, commits):
    async with busy_writer(store):
        waiting = [asyncio.create_task(store.lanes.claim(1, NOW)), asyncio.create_task(store.inbox.accept(delivery("e-1")))]
        waiting.append(asyncio.create_task(store.upkeep.count_call("crm.main", NOW, 1)))
        await handed_over(*waiting)
    await asyncio.gather(*waiting)
    assert commits[1:] == [FULL]


@pytest.mark.sqlite_only("looks at pragmas")
async def test_the_writer_s_connection_is_set_up_for_durability(store):
    def pragmas(connection):
        return [connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("journal_mode", "synchronous", "foreign_keys")]

    assert await store.database.write(pragmas) == ["wal", FULL, 1]


async def test_deliveries_that_wait_together_share_a_commit(store):
    commits, run_all = [], store.database._run_all
    async with busy_writer(store):
        store.database._run_all = lambda connection, batch: commits.append(batch) or run_all(connection, batch)
        waiting = [asyncio.create_task(store.inbox.accept(delivery(f"e-{n}", f"c-{n}"))) for n in range(50)]
        await handed_over(*waiting)
    assert await asyncio.gather(*waiting) == ["queued"] * 50
    assert len(commits) == 1
    assert len(await store.lanes.claim(100, NOW)) == 50


@pytest.fixture
def batches(store, monkeypatch):
    """How many operations each transaction of the writer had; what comes is collected for as long as it comes."""
    monkeypatch.setattr(database, "COLLECT_SECONDS", 60)
    seen, run_all = [], store.database._run_all
    monkeypatch.setattr(store.database, "_run_all", lambda c, batch: seen.append(len(batch)) or run_all(c, batch))
    return seen


async def test_what_begins_together_reaches_an_idle_writer_together(store, batches):
    statuses = await asyncio.gather(*(store.inbox.accept(delivery(f"e-{n}", f"c-{n}")) for n in range(50)))
    assert statuses == ["queued"] * 50
    assert batches == [50]


async def test_what_follows_in_the_next_turns_of_the_loop_is_waited_for(store, batches, monkeypatch):
    monkeypatch.setattr(database, "COLLECT_SECONDS", 60)
    waiting = []
    for n in range(20):
        waiting.append(asyncio.create_task(store.inbox.accept(delivery(f"e-{n}", f"c-{n}"))))
        await asyncio.sleep(0)
    await asyncio.gather(*waiting)
    assert batches == [20]


async def test_a_stream_without_end_does_not_keep_the_first_waiting(store, batches, monkeypatch):
    monkeypatch.setattr(database, "COLLECT_SECONDS", 0)
    first = asyncio.create_task(store.inbox.accept(delivery("e-0")))
    others = []
    async with asyncio.timeout(60):
        while not first.done():
            others.append(asyncio.create_task(store.upkeep.count("n")))
            await asyncio.sleep(0)
    assert first.result() == "queued"
    await asyncio.gather(*others)
    assert sum(batches) == 1 + len(others)


async def test_closing_stores_what_the_writer_has_not_been_given(store, batches):
    waiting = asyncio.create_task(store.inbox.accept(delivery("e-1")))
    await asyncio.sleep(0)
    await store.close()
    assert await waiting == "queued"
    assert batches == [1]


async def test_no_transaction_is_larger_than_the_largest_batch(store, monkeypatch):
    monkeypatch.setattr(database, "LARGEST_BATCH", 10)
    async with busy_writer(store):
        waiting = [asyncio.create_task(store.inbox.accept(delivery(f"e-{n}"))) for n in range(25)]
        await handed_over(*waiting)
    await asyncio.gather(*waiting)
    assert await settle(store) == list(range(1, 26))


async def test_the_error_of_one_write_spares_the_others_of_its_transaction(store):
    def half(connection):
        connection.execute("INSERT INTO tallies (kind, n) VALUES ('half', 1)")
        connection.execute("INSERT INTO tallies (kind, n) VALUES ('half', 1)")

    async with busy_writer(store):
        bad = asyncio.create_task(store.database.write(half))
        odd = asyncio.create_task(store.database.write(lambda _: {}["missing"]))
        good = asyncio.create_task(store.inbox.accept(delivery("e-1")))
        await handed_over(bad, odd, good)
    assert await good == "queued"
    with pytest.raises(StoreError, match=r"UNIQUE|UniqueViolation"):
        await bad
    with pytest.raises(KeyError):
        await odd
    assert await rows(store, "SELECT * FROM tallies WHERE kind = 'half'") == []


async def test_a_failed_commit_reaches_everybody_who_waited_and_stores_nothing(store, place):
    def orphan(connection):
        if place.address.startswith("sqlite"):
            connection.execute("PRAGMA defer_foreign_keys = ON")
        else:
            connection.execute("ALTER TABLE backfill_clients ALTER CONSTRAINT backfill_clients_event_id_fkey DEFERRABLE")
            connection.execute("ALTER TABLE backfill_clients ALTER CONSTRAINT backfill_clients_backfill_id_fkey DEFERRABLE")
            connection.execute("SET CONSTRAINTS ALL DEFERRED")
        connection.execute("INSERT INTO backfill_clients VALUES (99, 'c-1', 99)")

    async with busy_writer(store):
        waiting = [asyncio.create_task(store.inbox.accept(delivery(f"e-{n}"))) for n in range(3)]
        waiting += [asyncio.create_task(store.database.write(orphan)), asyncio.create_task(store.upkeep.count("n"))]
        await handed_over(*waiting)
        # The transaction that stands still ends first; these five make the next one.
    results = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(result) for result in results] == [StoreError] * 5
    assert await rows(store, "SELECT * FROM deliveries") == []
    assert [await store.inbox.accept(delivery(f"e-{n}")) for n in range(3)] == ["queued"] * 3


@pytest.mark.sqlite_only("PostgreSQL never gives up a transaction by itself")
async def test_a_transaction_that_sqlite_gave_up_is_acknowledged_to_nobody(store):
    await store.upkeep.count("taken")

    def give_up(connection):
        connection.execute("INSERT OR ROLLBACK INTO tallies (kind, n) VALUES ('taken', 1)")

    async with busy_writer(store):
        waiting = [asyncio.create_task(store.inbox.accept(delivery("e-1"))), asyncio.create_task(store.database.write(give_up))]
        waiting.append(asyncio.create_task(store.upkeep.count("n")))
        await handed_over(*waiting)
    results = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(result) for result in results] == [StoreError] * 3
    assert await rows(store, "SELECT kind FROM tallies WHERE kind IN ('n', 'received')") == []
    assert await store.inbox.accept(delivery("e-1")) == "queued"


async def test_a_sender_who_went_away_is_stored_all_the_same(store):
    async with busy_writer(store):
        waiting = [asyncio.create_task(store.inbox.accept(delivery(f"e-{n}"))) for n in range(2)]
        await handed_over(*waiting)
        waiting[0].cancel()
    assert await waiting[1] == "queued"
    assert await states(store) == {1: "queued", 2: "queued"}
