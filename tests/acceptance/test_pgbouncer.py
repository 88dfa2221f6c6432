"""A real PgBouncer between `connector serve` and a real PostgreSQL: what works through it, and what is refused at the start."""

from __future__ import annotations

import asyncio
import itertools
import signal
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import urlencode

import httpx
import pgbouncer
import postgres
import psycopg
import pytest

from connector.model.errors import StoreError
from connector.store.postgres import sessions
from connector.store.postgres.heartbeat import Heartbeat

from .listener import booking
from .several import book, configure, kill_one_with_events_in_hand, run, several, until_linked
from .world import RemoteSystems, Service, post

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

TRANSACTION = "gives each transaction another session of the server. Set pool_mode = session"


_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def server() -> Iterator[postgres.Server]:
    postgres.needed()
    pgbouncer.needed()
    with postgres.serving() as server:
        yield server


@pytest.fixture
def database(server) -> str:
    """The name of an empty one."""
    name = f"db{next(_numbers)}"
    with psycopg.connect(server.url(), autocommit=True) as session:
        session.execute(f"CREATE DATABASE {name}".encode())
    return name


@pytest.mark.timeout(240)
async def test_in_session_mode_everything_works_and_outlives_restarts_of_the_pooler(tmp_path: Path, server, database) -> None:
    """Two processes, one killed with events in hand; then the pooler is stopped, and killed."""
    with pgbouncer.pooling(server, "session", server_idle_timeout="2", server_lifetime="5") as pooler:
        async with RemoteSystems() as sides:
            sides.faults(latency_ms=(200, 300))
            async with several(sides, tmp_path, pooler.url(database), "all", "worker", lease=2) as (first, second):
                await kill_one_with_events_in_hand(sides, first, second)
                assert len({link["customer_id"] for link in await until_linked(first, 12)}) == 12
                assert len(sides.hubspot.records.contacts) == 12
                for number, how in enumerate((signal.SIGTERM, signal.SIGKILL), 1):
                    done = sum("event done" in text for text in first.text)
                    pooler.stop(how)
                    async with httpx.AsyncClient() as client:
                        assert (await post(client, first.url, booking())).status_code == 503
                        assert (await client.get(f"{first.url}/readyz")).status_code == 503
                        pooler.start()
                        await first.says("the database is connected again", number)
                        await book(sides, f"after{number}")
                        await first.says("event done", done + 1)
                        assert (await client.get(f"{first.url}/readyz")).status_code == 200
                for words in (("check",), ("database", "check"), ("events", "list")):
                    assert (done_ := await run(*words, file=first.file)).returncode == 0, done_.stdout + done_.stderr
                assert await first.stop() == 0
        assert not [text for text in first.text if "Traceback" in text], first.text


async def test_who_makes_a_lane_due_is_heard_through_it(server, database) -> None:
    woken = threading.Semaphore(0)
    with pgbouncer.pooling(server, "session") as pooler:
        sessions.first(pooler.url(database)).close()
        with psycopg.connect(server.url(database), autocommit=True) as other:
            # Its table is not there, which ends its session after it has begun to listen, again and again.
            other.execute("CREATE TABLE processes (boot text, seen_at float8)")
            other.execute("CREATE FUNCTION unix_now() RETURNS float8 LANGUAGE sql AS 'SELECT 1.0::float8'")
            heartbeat = Heartbeat(pooler.url(database), "boot", 600, lambda _: woken.release())
            try:
                # At its start, and then because its row is not there.
                for _ in range(2):
                    assert await asyncio.to_thread(woken.acquire, timeout=20)
                other.execute('NOTIFY "connector public"')
                assert await asyncio.to_thread(woken.acquire, timeout=20)
            finally:
                heartbeat.stop()


@pytest.mark.parametrize("settings", [{}, {"server_round_robin": "1"}], ids=["last used first", "round robin"])
@pytest.mark.parametrize("mode", ["transaction", "statement"])
async def test_a_pooler_that_keeps_no_session_is_refused_at_the_start(tmp_path, server, database, mode, settings) -> None:
    with pgbouncer.pooling(server, mode, **settings) as pooler:
        async with RemoteSystems() as sides:
            file = configure(sides, tmp_path, pooler.url(database))
            service = Service(file)
            await service.spawn()
            assert await service.exit() == 1
            assert TRANSACTION in "\n".join(service.text)
            copied = await run("database", "copy", "--to", "sqlite:///copy.db", file=file)
            assert (copied.returncode, TRANSACTION in copied.stderr) == (1, True), copied.stderr
        with psycopg.connect(server.url(database)) as session:
            query = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"
            assert session.execute(query).fetchone() == (0,), "nothing was made"


async def test_a_busy_pooler_in_transaction_mode_is_recognised_too(server, database) -> None:
    with pgbouncer.pooling(server, "transaction") as pooler:
        sessions_of_others = [psycopg.connect(pooler.url(database), autocommit=True) for _ in range(5)]
        try:
            for held in (1, 3, 5):
                for other in sessions_of_others[:held]:
                    other.execute("BEGIN")
                    other.execute("SELECT 1")
                with pytest.raises(StoreError, match="another session of the server"):
                    sessions.first(pooler.url(database))
                for other in sessions_of_others[:held]:
                    other.execute("COMMIT")
        finally:
            for other in sessions_of_others:
                other.close()


async def test_what_a_pooler_that_does_not_reset_has_left_is_forgotten(server, database) -> None:
    """With `server_reset_query` empty the next one gets a session as the last one left it."""
    with pgbouncer.pooling(server, "session", server_reset_query="") as pooler:
        for _ in range(2):
            with closing(sessions.reading(pooler.url(database))) as session:
                session.execute("SET statement_timeout = 7")
                session.execute("SELECT 1", prepare=True)
                before = session.execute("SELECT pg_backend_pid()").fetchone()[0]
            with closing(sessions.writing(pooler.url(database))) as session:
                assert session.execute("SELECT pg_backend_pid()").fetchone()[0] == before
                session.execute("CREATE TABLE IF NOT EXISTS written (a int)")
                query = "SELECT current_setting('statement_timeout'), application_name FROM pg_stat_activity WHERE pid = %s"
                assert tuple(session.execute(query, (before,)).fetchone()) == ("0", "connector writer")
                session.execute("SELECT 1", prepare=True)


async def test_a_pool_that_is_used_up_is_named(server, database) -> None:
    for settings in ({"default_pool_size": "1", "query_wait_timeout": "1"}, {"max_client_conn": "1"}):
        with (
            pgbouncer.pooling(server, "session", **settings) as pooler,
            closing(sessions.writing(pooler.url(database))),
            pytest.raises(StoreError, match="has no connection free") as caught,
        ):
            sessions.reading(pooler.url(database))
        assert "max_client_conn" in str(caught.value.hint)


async def test_a_schema_in_the_address_is_never_left_out_silently(server, database) -> None:
    with psycopg.connect(server.url(database), autocommit=True) as session:
        session.execute("CREATE SCHEMA ours")
    options = {"options": "-csearch_path=ours"}
    with pgbouncer.pooling(server, "session") as pooler, pytest.raises(StoreError, match="refuses `options`") as caught:
        sessions.first(pooler.url(database, **options))
    assert "ALTER ROLE" in str(caught.value.hint)
    with pgbouncer.pooling(server, "session", ignore_startup_parameters="options") as pooler:
        with pytest.raises(StoreError, match="leaves out `options`"):
            sessions.first(pooler.url(database, **options))
        with psycopg.connect(server.url(database), autocommit=True) as session:
            session.execute(f"ALTER ROLE connector IN DATABASE {database} SET search_path = ours".encode())
    with pgbouncer.pooling(server, "session", ignore_startup_parameters="options") as pooler:
        sessions.first(pooler.url(database, **options)).close()
        sessions.first(pooler.url(database)).close()
    sessions.first(f"{server.url(database)}&{urlencode(options)}").close()
