"""What only a server does: a second process, sessions that are cut off, a server that is away, commits without an answer."""

from __future__ import annotations

import asyncio
import secrets
import signal
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, closing, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import postgres
import psycopg
import pytest
from msgspec import structs

from connector.model.bookings import Reading
from connector.model.errors import ActionRefused, StoreError
from connector.model.jobs import StaleClaim, Verdict
from connector.model.links import KnownOfClient
from connector.remote.circuit_breaker import CircuitBreaker
from connector.remote.oauth import Token, TokenSource
from connector.remote.rate_limit import Window
from connector.remote.shared_quota import SharedQuota
from connector.store import Store, look, read_lock, views
from connector.store.postgres import database, dialect, schema, sessions
from connector.store.postgres.database import PostgresDatabase
from connector.store.postgres.dialect import translated
from connector.store.postgres.heartbeat import Heartbeat
from connector.store.shared import COUNTED, StateKind, pause_of
from connector.worker.shared_actions import SharedActions
from connector.worker.shared_tokens import SharedToken

from .processes import SERVING, child
from .samples import (
    NOW,
    Place,
    accept,
    busy_writer,
    claim_one,
    delivery,
    event,
    execute,
    handed_over,
    opened,
    rows,
    settle,
    states,
)

pytestmark = pytest.mark.anyio

#: The sessions that listen: their last statement was the renewal of a lease.
LISTENING = "FROM pg_stat_activity WHERE application_name = 'connector heartbeat' AND query LIKE '%renewed%'"
#: Columns that only several processes need.
SEVERAL_PROCESSES = {("calls", "boot"), ("calls", "done")}


@pytest.fixture
def place(server: postgres.Server, tmp_path: Path) -> Place:
    return Place(server.fresh(), tmp_path / "connector")


def ask(place: Place, sql: str) -> list[tuple]:
    with psycopg.connect(place.address, autocommit=True) as connection:
        return connection.execute(sql).fetchall()


def end(place: Place, pids: str, *values: int) -> None:
    """End the sessions that a query answers, and wait until they have ended; PostgreSQL 13 does not do that by itself."""
    with psycopg.connect(place.address, autocommit=True) as connection:
        ended = [pid for (pid,) in connection.execute(pids, values or None)]
        connection.execute("SELECT pg_terminate_backend(pid) FROM unnest(%s::int[]) AS pid", (ended,))
        while connection.execute("SELECT 1 FROM pg_stat_activity WHERE pid = ANY(%s)", (ended,)).fetchone():
            pass


def cut_off(store: Store, place: Place, what: str = "writer") -> None:
    """End the sessions of a store from the server's side, as a restart or a network does."""
    sessions = [store.database._session] if what == "writer" else store.database._read_sessions
    for session in sessions:
        end(place, "SELECT %s", session.info.backend_pid)


def hears(store: Store) -> asyncio.Queue[str]:
    """What the process of this store hears from now on."""
    texts: asyncio.Queue[str] = asyncio.Queue()
    loop = asyncio.get_running_loop()
    store.database.on_notice = lambda text: loop.call_soon_threadsafe(texts.put_nowait, text)
    return texts


async def listen(place: Place, several: int) -> bool:
    """Whether so many processes listen."""
    return len(ask(place, f"SELECT pid {LISTENING}")) == several


@contextmanager
def stopped(heartbeat: Heartbeat) -> Iterator[None]:
    """Within the block it renews nothing."""
    renew = heartbeat._renew
    heartbeat._renew = lambda _session: None
    try:
        yield
    finally:
        heartbeat._renew = renew


async def seen(look: Callable[[], bool]) -> bool:
    return look()


def beside(place: Place, folder: Path) -> Place:
    """The same database seen from another machine, to which the key file was copied."""
    folder.mkdir()
    (folder / "connector.key").write_bytes((place.path.parent / "connector.key").read_bytes())
    return replace(place, path=folder / "connector", lease_seconds=2.0)


async def until(ask: Callable[[], Awaitable[Any]]) -> Any:
    """What `ask` answers, once it is something."""
    async with asyncio.timeout(60):
        while not (found := await ask()):
            await asyncio.sleep(0.05)
    return found


async def until_writable(store: Store) -> None:
    """Wait until the writer has its session again."""
    async with asyncio.timeout(60):
        while True:
            try:
                await store.upkeep.count("tries")
            except StoreError:
                await asyncio.sleep(0.02)
            else:
                return


@pytest.fixture
def eager(monkeypatch) -> None:
    """Try to get a lost session back at once."""
    monkeypatch.setattr(database, "_PAUSE", 0.01)


def test_placeholders_are_numbered_and_literals_stay():
    assert translated("SELECT ?, 'a?:b', x || ? WHERE y = ''''") == ("SELECT $1, 'a?:b', x || $2 WHERE y = ''''", ())
    assert translated("SELECT :b, :a, :b") == ("SELECT $1, $2, $1", ("b", "a"))


async def test_two_processes_share_the_queue(store, place, tmp_path):
    await accept(store, "e-1", client="c-1")
    async with opened(beside(place, tmp_path / "other")) as other:
        await accept(other, "e-2", client="c-2")
        assert await other.inbox.accept(delivery("e-1")) == "duplicate"
        await accept(store, "e-3", client="c-1")
        (first,), (second,) = await store.lanes.claim(1, NOW), await other.lanes.claim(1, NOW)
        assert [first.event_id, second.event_id] == [1, 2]
        # The lane of the first is busy, wherever one asks.
        assert await other.lanes.claim(10, NOW) == await store.lanes.claim(10, NOW) == []
        await store.lanes.conclude(first, Verdict("done"), NOW)
        assert [work.event_id for work in await other.lanes.claim(10, NOW)] == [3]


async def test_ids_are_given_in_the_order_of_arrival_by_all_processes(store, place, tmp_path):
    async with opened(beside(place, tmp_path / "other")) as other:
        both = [(store, n) for n in range(100)] + [(other, n) for n in range(100, 200)]
        await asyncio.gather(*(one.inbox.accept(delivery(f"e-{n}", f"c-{n}")) for one, n in both))
    assert await rows(store, "SELECT count(*), count(DISTINCT id), max(id) FROM events") == [(200, 200, 200)]


async def test_one_process_hears_what_another_has_stored(store, place, tmp_path):
    heard = asyncio.Event()
    loop = asyncio.get_running_loop()
    store.database.on_due = lambda: loop.call_soon_threadsafe(heard.set)
    async with opened(beside(place, tmp_path / "other")) as other:
        # On a busy machine it may not listen yet when the first one is stored.
        for number in range(100):
            await accept(other, f"e-{number}")
            with suppress(TimeoutError):
                await asyncio.wait_for(heard.wait(), 0.2)
                break
        assert heard.is_set()


async def test_what_a_process_notifies_all_hear_while_somebody_else_writes(store, place, tmp_path):
    async with opened(beside(place, tmp_path / "other")) as other:
        heard = [hears(one) for one in (store, other)]
        await until(lambda: listen(place, 2))
        other.database.now = lambda: NOW
        with psycopg.connect(place.address) as session, sessions.turn(session):
            other.ledger.warn("q", 5.0)
            for texts in heard:
                while not (text := await texts.get()):
                    pass
                assert pause_of(text) == ("q", NOW + 5)
    assert pause_of("something else") is None


async def test_what_is_notified_while_the_session_is_lost_is_said_later_and_all_know_that_they_missed_some(place):
    async with opened(place) as store:
        await until(lambda: listen(place, 1))
        texts = hears(store)
        heartbeat = store.database._heartbeat
        beat, heartbeat._say = heartbeat._say, lambda _session: None
        end(place, f"SELECT pid {LISTENING}")
        store.database.notify("a text")
        async with asyncio.timeout(60):
            assert await texts.get() == "", "some may have been missed"
            heartbeat._say = beat
            assert await texts.get() == "a text"


async def test_nothing_that_was_acknowledged_is_lost_when_the_process_is_killed(place):
    with child(SERVING, place.path, place.address) as process:
        acknowledged = [process.stdout.readline().strip() for _ in range(100)]
        assert read_lock(place.path) == {"port": 8080}
        process.kill()
        acknowledged += [line.strip() for line in process.stdout if line.endswith("\n")]
    assert read_lock(place.path) is None
    async with opened(place) as store:
        stored = [row[0] for row in await rows(store, "SELECT event FROM deliveries ORDER BY id")]
        assert stored[: len(acknowledged)] == acknowledged
        assert len(stored) <= len(acknowledged) + 1
        assert await store.lanes.recover(NOW) >= 49
        assert len(await settle(store)) == len(stored)
        assert set((await states(store)).values()) == {"done"}


async def test_what_a_process_was_doing_that_stands_still_is_taken_over_after_its_lease(place, tmp_path):
    with child(SERVING, place.path, place.address) as process:
        assert process.stdout.readline() == "e-0\n"
        process.stdout.readline()
        process.send_signal(signal.SIGSTOP)
        since = time.monotonic()
        async with opened(beside(place, tmp_path / "other")) as store:
            claimed = await rows(store, "SELECT count(*) FROM lanes WHERE boot IS NOT NULL")
            assert await store.lanes.recover(NOW) == 0, "its lease has not run out"
            assert await until(lambda: store.lanes.take_over(NOW)) == claimed[0][0]
            assert time.monotonic() - since > 2.0 - 2.0 / 5
            assert len(await settle(store)) == (await rows(store, "SELECT count(*) FROM events"))[0][0] > 0


async def test_a_session_that_stands_still_within_a_statement_does_not_keep_the_lock(place):
    """A process was stopped when it had sent a part of a statement: the server does not call that idle in a transaction."""
    async with opened(place) as store:
        with closing(sessions.writing(place.address)) as stopped:
            stopped.execute("SET idle_in_transaction_session_timeout = '1s'")
            stopped.execute(f"BEGIN; {sessions.LOCK}")
            stopped.pgconn.enter_pipeline_mode()
            stopped.pgconn.send_query_params(b"SELECT 1", None)
            stopped.pgconn.send_flush_request()
            while stopped.pgconn.flush():
                pass
            async with asyncio.timeout(sessions._TURN):
                assert await store.inbox.accept(delivery("e-1")) == "queued"


async def test_a_session_that_is_at_work_keeps_its_turn(place):
    """What takes long in the server is no reason to end it: only silence is."""
    async with opened(place) as store:
        with closing(sessions.writing(place.address)) as busy:
            busy.execute(f"BEGIN; {sessions.LOCK}")
            with ThreadPoolExecutor() as beside:
                slow = beside.submit(busy.execute, "SELECT pg_sleep(5)")
                accepting = asyncio.create_task(store.inbox.accept(delivery("e-1")))
                await asyncio.wrap_future(slow)
                assert not accepting.done()
                busy.execute("COMMIT")
                assert await accepting == "queued"


async def test_while_all_are_there_nobody_waits_for_a_turn_to_look_after_the_others(store, place):
    """Every process looks once a second: it must not take the lock for it, nor end who has it."""
    with closing(sessions.writing(place.address)) as busy:
        busy.execute(f"SET idle_in_transaction_session_timeout = 0; BEGIN; {sessions.LOCK}")
        assert await store.lanes.take_over(NOW) == 0
        assert await store.locks.are_held(["leader"]) is False
        busy.execute("COMMIT")


async def test_what_a_process_was_doing_that_was_killed_is_taken_over_after_its_lease(place, tmp_path):
    with child(SERVING, place.path, place.address) as process:
        assert [process.stdout.readline() for _ in range(2)] == ["e-0\n", "e-1\n"]
        async with opened(beside(place, tmp_path / "other")) as store:
            process.kill()
            assert await until(lambda: store.lanes.take_over(NOW)) > 0


@pytest.mark.parametrize(
    ("how", "text"),
    [
        ("TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C'", "is in LATIN1"),
        ("TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C'", "no schema to make tables in"),
    ],
)
async def test_a_database_that_will_not_do(server, tmp_path, how, text):
    with psycopg.connect(server.url(), autocommit=True) as connection:
        connection.execute("DROP DATABASE IF EXISTS other")
        connection.execute(f"CREATE DATABASE other {how}")
    with pytest.raises(StoreError, match=text):
        Store.open(Place(server.url("other", options="-csearch_path=nowhere"), tmp_path / "connector"))


async def test_a_server_that_is_too_old_is_refused(place, monkeypatch):
    monkeypatch.setattr(sessions, "_OLDEST", 99)
    with pytest.raises(StoreError, match=r"is version \d\d, which is too old\.$") as caught:
        Store.open(place)
    assert caught.value.hint == "Version 99 or newer is needed: upgrade the server, or use another one."


async def test_a_machine_with_another_key_file_is_refused(place, tmp_path):
    async with opened(place):
        pass
    (tmp_path / "other").mkdir()
    with pytest.raises(StoreError, match=r"connector\.key is missing"):
        Store.open(Place(place.address, tmp_path / "other" / "connector"))
    async with opened(place) as store:
        await accept(store, "e-1")


async def test_a_cut_session_refuses_at_once_and_comes_back(store, place, eager):
    await accept(store, "e-1")
    cut_off(store, place)
    with pytest.raises(StoreError, match="cannot be reached") as caught:
        await store.inbox.accept(delivery("e-2"))
    assert "password" not in str(caught.value)
    await until_writable(store)
    assert await store.inbox.accept(delivery("e-2")) == "queued"
    assert await settle(store) == [1, 2]


async def test_an_operation_whose_session_is_cut_in_the_middle_is_stored_for_nobody(store, place, eager):
    def half(connection):
        connection.execute("INSERT INTO tallies (kind, n) VALUES ('half', 1)")
        cut_off(store, place)
        connection.execute("INSERT INTO tallies (kind, hour, n) VALUES ('half', 2, 1)")

    async with busy_writer(store):
        waiting = [asyncio.create_task(store.database.write(half)), asyncio.create_task(store.inbox.accept(delivery("e-1")))]
        await handed_over(*waiting)
    results = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(result) for result in results] == [StoreError] * 2
    await until_writable(store)
    assert await rows(store, "SELECT * FROM tallies WHERE kind IN ('half', 'received')") == []


@pytest.mark.parametrize("arrives", [True, False])
async def test_the_outcome_of_a_commit_that_was_cut_off_is_looked_up(store, place, eager, arrives):
    """The session ends at the COMMIT: before the server has heard it, or before its answer."""
    session = store.database._session

    class Cut:
        closed = False

        def execute(self, query, *values):
            if query == "COMMIT":
                if arrives:
                    session.execute(query)
                cut_off(store, place)
                self.closed = True
            return session.execute(query, *values)

        def cursor(self, *args, **kwargs):
            return session.cursor(*args, **kwargs)

        def __getattr__(self, name):
            return getattr(session, name)

    store.database._session = Cut()
    if arrives:
        assert await store.inbox.accept(delivery("e-1")) == "queued"
    else:
        with pytest.raises(StoreError, match="cannot be reached"):
            await store.inbox.accept(delivery("e-1"))
    await until_writable(store)
    assert await states(store) == ({1: "queued"} if arrives else {})


async def test_while_a_server_is_away_everything_is_refused_and_goes_on_afterwards(tmp_path, eager):
    with postgres.serving() as server:
        place = Place(server.fresh(), tmp_path / "connector")
        async with opened(place) as store:
            await accept(store, "e-1", "e-2")
            work = await claim_one(store)
            server.stop("immediate")
            with pytest.raises(StoreError, match="cannot be reached"):
                await store.inbox.accept(delivery("e-3"))
            with pytest.raises(StoreError, match="cannot be reached"):
                await store.read(views.queue)
            server.start()
            await until_writable(store)
            await store.lanes.conclude(work, Verdict("done"), NOW)
            assert await settle(store) == [2]
            assert (await store.read(views.queue))["done"] == 2


async def test_a_process_looks_for_what_became_due_while_it_did_not_listen(place):
    async with opened(place) as store:
        heard, loop = asyncio.Event(), asyncio.get_running_loop()
        await until(lambda: listen(place, 1))
        store.database.on_due = lambda: loop.call_soon_threadsafe(heard.set)
        end(place, f"SELECT pid {LISTENING}")
        async with asyncio.timeout(60):
            await heard.wait()


async def test_a_process_that_was_replaced_can_write_nothing_of_what_it_had_claimed(place, tmp_path):
    async with opened(replace(place, lease_seconds=2.0)) as store, AsyncExitStack() as stack:
        await accept(store, "e-1")
        work = await claim_one(store)
        store.database.check_lease()
        other = await stack.enter_async_context(opened(beside(place, tmp_path / "other")))
        heartbeat = store.database._heartbeat
        with stopped(heartbeat):
            assert await until(lambda: other.lanes.take_over(NOW)) == 1
            with pytest.raises(StoreError, match="longer than its lease"):
                store.database.check_lease()
        await until(lambda: seen(lambda: store.database.replaced))
        with pytest.raises(StoreError, match="longer than its lease"):
            store.database.check_lease()
        with pytest.raises(StaleClaim):
            await store.lanes.conclude(work, Verdict("done"), NOW)
        await accept(store, "e-2", client="c-2")
        assert await store.lanes.claim(10, NOW) == [], "it takes part no more"
        await store.database.begin_again()
        store.database.check_lease()
        assert [work.event_id for work in await store.lanes.claim(10, NOW)] == [1, 2]


async def test_nobody_is_missed_because_the_server_was_away(tmp_path, eager):
    with postgres.serving() as server:
        place = Place(server.fresh(), tmp_path / "connector", 2.0)
        async with opened(place) as store, opened(beside(place, tmp_path / "other")) as other:
            await accept(store, "e-1")
            await claim_one(store)
            server.stop("immediate")
            await asyncio.to_thread(time.sleep, 2.5)
            with pytest.raises(StoreError, match="longer than its lease"):
                store.database.check_lease()
            server.start()
            await until_writable(other)
            # Both come back, each in its own time; neither takes the other for ended meanwhile.
            assert await other.lanes.take_over(NOW) == 0
            await until_writable(store)
            await until(lambda: seen(store.database._heartbeat.holds))
            assert not store.database.replaced


async def test_two_processes_never_reserve_more_calls_than_the_window_has(store, place, tmp_path):
    async with opened(beside(place, tmp_path / "other")) as other:
        windows, margin = [(3, 60.0)], 0.01
        first = await store.ledger.reserve("q", windows, [1, 1], margin)
        assert (len(first.ids), first.wait, first.used) == (2, 0.0, [2])
        second = await other.ledger.reserve("q", windows, [1, 1], margin)
        assert (len(second.ids), second.used) == (1, [3])
        assert second.wait > 0
        # An answered call keeps its place until its window has passed.
        await store.ledger.settle([(first.ids[0], 1)])
        assert (await other.ledger.reserve("q", windows, [1], margin)).ids == []
        assert len((await other.ledger.reserve("another", windows, [1], margin)).ids) == 1
        await other.ledger.block("another", 60.0)
        blocked = await store.ledger.reserve("another", windows, [1], margin)
        assert (blocked.ids, blocked.blocked, blocked.wait > 50) == ([], True, True)


async def test_calls_that_are_counted_ahead_keep_their_place_until_they_are_given_back(store, place, tmp_path):
    async with opened(beside(place, tmp_path / "other")) as other:
        windows, margin = [(16, 60.0), (100, 1.0)], 0.01
        first = await store.ledger.reserve("q", windows, [2, 1], margin, 20)
        assert (len(first.ids), len(first.ahead), first.used) == (2, 3, [6, 6]), "a quarter of the thirteen that are free"
        assert first.lease == store.ledger.lease() == store.database.boot
        assert await rows(store, "SELECT cost FROM calls ORDER BY id") == [(cost,) for cost in (2, 1, 1, 1, 1)]
        assert [row[0] for row in await rows(store, "SELECT id FROM calls ORDER BY id")] == [*first.ids, *first.ahead]
        second = await other.ledger.reserve("q", windows, [1] * 11, margin, 20)
        assert (len(second.ids), second.ahead, second.wait > 0) == (10, [], True)
        await store.ledger.settle([(id_, 0) for id_ in first.ahead])
        assert len((await other.ledger.reserve("q", windows, [1] * 4, margin, 20)).ids) == 3


async def test_two_busy_processes_never_send_a_call_too_many(store, place, tmp_path):
    """A remote system that counts by its own clock, calls of a few milliseconds, and a limit that is reached at times.

    How many of the calls wait for a round trip is said in tests/remote, in virtual time.
    """
    counted: list[float] = []

    async def work(quota: SharedQuota, times: int, gap: float) -> None:
        for _ in range(times):
            async with quota.spend():
                counted.append(time.monotonic())
                await asyncio.sleep(0.002)
            await asyncio.sleep(gap)

    async with opened(beside(place, tmp_path / "other")) as other:
        quotas = [SharedQuota("q", [Window(60, 0.5)], ledger=one.ledger) for one in (store, other)]
        await asyncio.gather(*(work(quota, 30, 0.06) for quota in quotas for _ in range(2)))
        # And now as fast as the limit allows.
        await asyncio.gather(*(work(quota, 25, 0.0) for quota in quotas for _ in range(4)))
        for quota in quotas:
            await quota.close()
    assert max(sum(end - 0.5 <= at <= end for at in counted) for end in counted) <= 60


async def test_what_is_ready_is_not_used_by_a_process_whose_lease_has_run_out(place, tmp_path):
    async with opened(replace(place, lease_seconds=0.5)) as store, opened(beside(place, tmp_path / "other")) as other:
        quota = SharedQuota("q", [Window(8, 60.0)], ledger=store.ledger)
        async with quota.spend():
            pass
        quota._portion.idle_in = lambda: 60.0
        (ahead,) = [row[0] for row in await rows(store, "SELECT id FROM calls WHERE done IS NULL AND cost = 1 ORDER BY id")][
            -1:
        ]
        with stopped(store.database._heartbeat):
            await until(lambda: seen(lambda: not store.ledger.lease()))
            assert quota._portion.take() is None
        await until(lambda: seen(lambda: bool(store.ledger.lease())))
        with stopped(store.database._heartbeat):
            await execute(other, "DELETE FROM processes WHERE boot = ? RETURNING boot", store.database.boot)
        await until(lambda: seen(lambda: store.database.replaced))
        await other.lanes.take_over(time.time())
        assert await rows(other, "SELECT done IS NULL FROM calls WHERE id = ?", ahead) == [(0,)]
        await store.database.begin_again()
        async with quota.spend():
            assert quota._portion.take() != ahead
        await quota.close()


async def test_two_processes_share_a_token_and_what_they_are_refused(store, place, tmp_path):
    fetched: list[bool] = []

    async def fetch(probe: bool) -> Token:
        fetched.append(probe)
        return Token("a-token-of-a-test", 3600.0)

    async with opened(beside(place, tmp_path / "other")) as other:
        sources = [TokenSource(fetch) for _ in range(2)]
        for one, source in zip((store, other), sources, strict=True):
            source.share(SharedToken(one, "crm.main", "id and secret"))
        assert await asyncio.gather(*(source.current() for source in sources)) == ["a-token-of-a-test"] * 2
        assert len(fetched) == 1
        assert await rows(store, "SELECT * FROM locks") == []
        breakers = [CircuitBreaker("crm.main") for _ in range(2)]
        actions = []
        for one, breaker in zip((store, other), breakers, strict=True):
            breaker.answered = True
            actions.append(SharedActions(one, {"crm.main": breaker}))
        breakers[0].refused(ActionRefused("no scope", action="write", account="crm.main", status=403, certain=True))
        for one in actions:
            await one.compare()
        assert breakers[1].is_stopped("write")
        breakers[1].succeeded("write")
        for one in reversed(actions):
            await one.compare()
        assert not breakers[0].stopped()
        assert "a-token-of-a-test" not in str(await rows(store, "SELECT value FROM shared_states"))


async def test_counting_the_calls_of_a_window_does_not_read_those_of_two_days(store, place):
    many = "SELECT 'q', n, 1, 'b', n FROM generate_series(1, 50000) n RETURNING id"
    ask(place, f"INSERT INTO calls (quota, at, cost, boot, done) {many}")
    ask(place, "INSERT INTO calls (quota, at, cost, boot) VALUES ('q', 50001, 2, 'b') RETURNING id")
    with psycopg.connect(place.address, autocommit=True) as connection:
        connection.execute("ANALYZE calls")
        query = translated(f"WITH clock AS MATERIALIZED (SELECT CAST(50000 AS float8) AS now) {COUNTED}")[0]
        for number, value in (("$5", "10"), ("$4", "'q'"), ("$3", "10"), ("$2", "49930"), ("$1", "'q'")):
            query = query.replace(number, value)
        plan = "\n".join(row[0] for row in connection.execute(f"EXPLAIN {query}"))
        assert connection.execute(query).fetchone() == (12, 49991.0)
    assert "calls_done" in plan
    # Those in progress are in two of the indexes.
    assert "calls_at" not in plan
    assert "Seq Scan" not in plan


async def test_a_lock_is_held_by_one_process_and_ends_with_it(place, tmp_path):
    async with opened(replace(place, lease_seconds=2.0)) as store:
        async with opened(beside(place, tmp_path / "other")) as other:
            assert await store.locks.take(["a", "b"])
            assert not await other.locks.take(["b", "c"])
            assert await other.locks.take(["c"])
            await store.locks.release(["a", "b"])
            assert await other.locks.take(["b"])
            assert not await store.locks.take(["b"])
        await store.lanes.take_over(NOW)
        assert await store.locks.take(["b", "c"])
    assert "a" not in [row[0] for row in ask(place, "SELECT key FROM locks")], "keys of persons are not stored as they are"


async def test_a_lock_that_could_not_be_given_up_is_given_up_later(store, place, eager):
    assert await store.locks.take(["a"])
    cut_off(store, place)
    await store.locks.release(["a"])
    await until_writable(store)
    await store.locks.tidy()
    assert ask(place, "SELECT key FROM locks") == []


async def test_a_version_that_would_change_the_tables_waits_for_those_at_work(place, monkeypatch, tmp_path):
    async with opened(place):
        other = beside(place, tmp_path / "other")
        with monkeypatch.context() as later:
            later.setattr(schema, "CHANGES", (*schema.CHANGES, ("m999_later", "CREATE TABLE later (id INTEGER)")))
            with pytest.raises(StoreError, match="1 processes of an older one are at work"):
                Store.open(other)
    assert ask(place, "SELECT to_regclass('later')") == [(None,)]


async def test_readers_come_back_by_themselves(store, place):
    await accept(store, "e-1")
    assert (await store.read(views.queue))["queued"] == 1
    assert cut_off(store, place, "reader") is None
    assert (await store.read(views.queue))["queued"] == 1


async def test_a_read_takes_no_longer_than_its_budget(store):
    with pytest.raises(StoreError, match="took too long"):
        await store.database.read(lambda connection: connection.execute("SELECT pg_sleep(10)"), budget=0.05)
    assert (await store.read(views.queue))["queued"] == 0


async def test_one_that_cannot_be_stored_keeps_nobody_else_from_it(store):
    """An index of PostgreSQL has no room for a text of random characters this long."""
    bad = replace(delivery("e-2"), event=secrets.token_hex(20_000))
    async with busy_writer(store):
        waiting = [asyncio.create_task(store.inbox.accept(one)) for one in (delivery("e-1"), bad, delivery("e-3"))]
        await handed_over(*waiting)
    results = await asyncio.gather(*waiting, return_exceptions=True)
    assert [results[0], type(results[1]), results[2]] == ["queued", StoreError, "queued"]
    assert bad.event not in str(results[1])


async def test_a_claim_that_was_lost_is_refused_alone_whatever_its_statements_met(store):
    works = []
    for client in ("c-1", "c-2", "c-3"):
        await accept(store, f"e-{client}", client=client)
        works.append(await claim_one(store))
    # Another process has concluded the second one; the database refuses to move it again before its claim is looked at.
    await execute(store, "UPDATE lanes SET boot = NULL WHERE id = ?", works[1].lane_id)
    await execute(store, "UPDATE events SET state = 'done' WHERE id = ?", works[1].event_id)
    for some in ([works[1]], works):
        async with busy_writer(store):
            tasks = [asyncio.create_task(store.lanes.conclude(work, Verdict("held"), NOW)) for work in some]
            await handed_over(*tasks)
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
        assert [type(outcome) for outcome in outcomes] == [StaleClaim if work is works[1] else type(None) for work in some]
    assert list((await states(store)).values()) == ["held", "done", "held"]


async def test_what_is_only_written_waits_for_no_answer_before_the_commit(store, monkeypatch):
    """Everybody who writes waits for whoever has the lock: a round trip for each statement took most of that time."""
    waited: list[bool] = []
    read = dialect.Answer._all

    def reading(answer: dialect.Answer) -> list[dialect.Row]:
        if threading.current_thread() is store.database._thread:
            waited.append(answer._cursor.pgresult is None)
        return read(answer)

    works = []
    for number in range(5):
        await accept(store, f"e-{number}", client=f"c-{number}")
        works.append(await claim_one(store))
        await store.journal.begin(works[-1], f"key-{number}", "write_back", NOW)
    monkeypatch.setattr(dialect.Answer, "_all", reading)
    async with busy_writer(store):
        tasks = [asyncio.create_task(store.journal.settled(work, f"key-{n}", NOW)) for n, work in enumerate(works)]
        await handed_over(*tasks)
    await asyncio.gather(*tasks)
    assert len(waited) == 5, "the claim of each is checked"
    assert not any(waited), "behind all statements, when the answers are there"
    assert await rows(store, "SELECT count(*) FROM intents WHERE state = 'done'") == [(5,)]


async def test_a_character_that_postgresql_has_not_is_replaced(store):
    assert await store.inbox.accept(delivery("e-\0", "c-\0")) == "queued"
    assert await store.inbox.accept(delivery("e-\0", "c-\0")) == "duplicate"
    assert (await claim_one(store)).client_id == "c-\ufffd"


async def test_what_clients_of_one_booking_are_is_found_in_odd_payloads(store):
    """Part of a payload is read by the database; a zero character in its text must not stop that."""
    odd = structs.replace(event("c-2", appointment="a-1"), type="\0")
    both = delivery("e-1", reading=Reading(event_id="e-1", type="x", events=[event("c-1", appointment="a-1"), odd]))
    await store.inbox.accept(both)
    columns = "source, client_id, crm, customer_id, origin, linked_at"
    await execute(store, f"INSERT INTO links ({columns}) VALUES ('stores', 'c-2', 'main', '501', 'email', 1)")
    (work,) = [one for one in await store.lanes.claim(2, NOW) if one.client_id == "c-1"]
    known = await store.links.known_of("main", work, ["email:1"], None)
    assert known == KnownOfClient(frozenset(), frozenset(), (), ("501",))


async def test_tables_of_a_newer_version_are_refused(place):
    async with opened(place) as store:
        await execute(store, "INSERT INTO schema_changes VALUES ('m999_later', now())")
    with pytest.raises(StoreError, match="newer version"):
        Store.open(place)


async def test_a_change_that_fails_half_way_leaves_nothing(place, monkeypatch):
    async with opened(place):
        pass
    change = ("m999_later", "CREATE TABLE half (id INTEGER); SELECT 1 / 0")
    with monkeypatch.context() as later:
        later.setattr(schema, "CHANGES", (*schema.CHANGES, change))
        with pytest.raises(StoreError, match="DivisionByZero"):
            Store.open(place)
    assert ask(place, "SELECT to_regclass('half')") == [(None,)]
    async with opened(place) as store:
        assert not store.database.new


async def test_what_processes_shared_is_still_there_by_kind_and_name(place, monkeypatch):
    before = [
        ("account found crm.main", "{}"),
        ("account checked crm.main", '{"found": [{"id": "crm.main.key"}]}'),
        ("action refused crm.main record the appointment", '{"text": "no"}'),
        ("action again crm.main", "{}"),
        ("blocked:crm.main/search", '{"until": 7}'),
        ("token crm.main 0123456789abcdef", '{"sealed": "s"}'),
        ("renewed crm.main", '{"sealed": "t"}'),
    ]
    with monkeypatch.context() as patched, psycopg.connect(place.address) as connection:
        patched.setattr(schema, "CHANGES", schema.CHANGES[: [name for name, _ in schema.CHANGES].index("m009_kinds_of_states")])
        schema.migrate(connection)
        connection.cursor().executemany("INSERT INTO shared_states VALUES (%s, %s, 5)", before)
    async with opened(place) as store:
        assert await rows(store, "SELECT kind, name, part, value, at FROM shared_states ORDER BY kind, name") == [
            ("account_found", "crm.main", "", "{}", 5.0),
            ("action_refused", "crm.main", "record the appointment", '{"text": "no"}', 5.0),
            ("actions_asked", "crm.main", "", "{}", 5.0),
            ("login", "crm.main", "0123456789abcdef", '{"sealed": "s"}', 5.0),
            ("quota_blocked", "crm.main/search", "", '{"until": 7}', 5.0),
            ("renewed", "crm.main", "", '{"sealed": "t"}', 5.0),
        ]
        kinds = {row[0] for row in await rows(store, "SELECT kind FROM shared_states")}
        assert kinds <= {kind.value for kind in StateKind}


async def test_both_schemas_have_the_same_columns(place, tmp_path):
    async with opened(tmp_path / "connector.db") as file:
        names = await rows(file, "SELECT name FROM sqlite_master WHERE type = 'table'")
        theirs = {
            (name, row[0]) for (name,) in names for row in await rows(file, f"SELECT name FROM pragma_table_info('{name}')")
        }
    async with opened(place) as store:
        query = "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = current_schema()"
        ours = set(await rows(store, query))
    several = {one for one in ours if one[0] in ("processes", "locks", "shared_states") or one in SEVERAL_PROCESSES}
    assert {one for one in theirs if not one[0].startswith(("sqlite_", "_sqlite"))} == {
        one for one in ours - several if one[0] != "schema_changes"
    }


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"user": "stranger"}, 'refuses the connection: role "stranger" does not exist'),
        ({"dbname": "nowhere"}, 'refuses the connection: database "nowhere" does not exist'),
        ({"host": "/nowhere"}, "cannot be reached"),
    ],
)
async def test_a_server_that_does_not_let_us_in_is_said_without_the_password(server, tmp_path, change, text):
    url = psycopg.conninfo.make_conninfo(server.url(), password="s3cret", **change)
    with pytest.raises(StoreError, match=text) as caught:
        PostgresDatabase.open(url, tmp_path / "connector")
    assert "s3cret" not in str(caught.value) + caught.value.hint


def test_an_address_that_is_none_is_not_quoted():
    with pytest.raises(StoreError, match="not an address") as caught:
        sessions.name_of("postgresql://me:s3cret@[host/db")
    assert "s3cret" not in str(caught.value)


async def test_a_look_needs_no_lock(store, place):
    assert look(place, views.queue)["queued"] == 0


@pytest.mark.parametrize(("required", "outcome"), [("", pytest.skip.Exception), ("required", pytest.fail.Exception)])
def test_where_no_server_is_installed_these_tests_are_skipped_or_fail(monkeypatch, required, outcome):
    monkeypatch.setattr(postgres, "programs", lambda: None)
    monkeypatch.setenv("CONNECTOR_TEST_POSTGRES", required)
    with pytest.raises(outcome, match="no PostgreSQL server is installed"):
        postgres.needed()
