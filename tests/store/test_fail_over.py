"""A real primary and a real synchronous standby: what becomes of a commit when the primary dies while it waits."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import postgres
import psycopg
import pytest
import replication

from connector.model.errors import StoreError
from connector.store import Store
from connector.store.postgres import database, sessions
from connector.store.postgres.database import PostgresDatabase

from .samples import Place, delivery, opened, states
from .test_postgres import until, until_writable

pytestmark = [pytest.mark.anyio, pytest.mark.slow]


@pytest.fixture
def pair(monkeypatch) -> Iterator[replication.Pair]:
    postgres.needed()
    monkeypatch.setattr(database, "_PAUSE", 0.01)
    with replication.replicating() as pair:
        yield pair


async def waits(pair: replication.Pair) -> int:
    async def ask() -> list[int]:
        return await asyncio.to_thread(replication.commits_that_wait, pair.primary)

    return (await until(ask))[0]


def others_write_first(pair: replication.Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    """Other programs have used the new primary for a while before this process asks it what became of its commit."""
    outcome = sessions.was_committed

    def later(connection, number):
        with psycopg.connect(pair.primary.url(), autocommit=True) as session:
            for _ in range(20):
                session.execute("SELECT pg_current_xact_id()")
        return outcome(connection, number)

    monkeypatch.setattr(sessions, "was_committed", later)


async def test_a_number_that_the_new_primary_has_given_again_is_no_commit_of_ours(pair, tmp_path, monkeypatch):
    """The delivery's commit never left the primary; on the new one its number is that of another transaction."""
    async with opened(Place(pair.url(), tmp_path / "connector")) as store:
        assert await store.inbox.accept(delivery("before")) == "queued"
        replication.hold_back(pair.primary)
        accepting = asyncio.create_task(store.inbox.accept(delivery("lost")))
        await waits(pair)
        assert not accepting.done()
        others_write_first(pair, monkeypatch)
        replication.kill(pair.primary)
        pair.fail_over()
        with pytest.raises(StoreError, match="cannot be reached"):
            await accepting
        await until_writable(store)
        assert await states(store) == {1: "queued"}
        # What it had claimed may be lost too.
        assert store.database.replaced
        await store.database.begin_again()
        assert await store.inbox.accept(delivery("lost")) == "queued"


async def test_a_commit_that_the_standby_had_is_a_duplicate_when_it_is_repeated(pair, tmp_path, monkeypatch):
    async with opened(Place(pair.url(), tmp_path / "connector")) as store:
        await answered_too_late(store, pair, monkeypatch)
        await until_writable(store)
        assert await store.inbox.accept(delivery("e-1")) == "duplicate"
        assert await states(store) == {1: "queued"}


async def answered_too_late(store: Store, pair: replication.Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    """The primary dies between the commit of "e-1" and its answer."""
    committed = PostgresDatabase._committed

    def cut_off(self, session, number, results):
        session.execute("COMMIT")
        replication.kill(pair.primary)
        pair.fail_over()
        return committed(self, session, number, results)

    with monkeypatch.context() as patch:
        patch.setattr(PostgresDatabase, "_committed", cut_off)
        accepting = asyncio.create_task(store.inbox.accept(delivery("e-1")))
        await asyncio.wait([accepting])
    assert isinstance(accepting.exception(), StoreError)


async def test_a_commit_that_only_the_primary_has_is_not_acknowledged_before_the_standby_has_it(pair, tmp_path):
    """Somebody ends the session that waits for the standby: the primary has committed, and says so at once."""
    async with opened(Place(pair.url(), tmp_path / "connector")) as store:
        sender = replication.hold_back(pair.primary)
        accepting = asyncio.create_task(store.inbox.accept(delivery("e-1")))
        ended = await waits(pair)
        with psycopg.connect(pair.primary.url()) as session:
            session.execute("SELECT pg_terminate_backend(%s)", (ended,))

        async def asks_again() -> bool:
            return await waits(pair) != ended

        await until(asks_again)
        assert not accepting.done()
        os.kill(sender, signal.SIGCONT)
        assert await accepting == "queued"
        await until_writable(store)
        assert not store.database.replaced


async def test_where_there_are_only_standbys_it_says_so(pair):
    with pytest.raises(StoreError, match="is a standby") as caught:
        sessions.first(pair.standby.url())
    assert "target_session_attrs=read-write" in str(caught.value.hint)
    replication.kill(pair.primary)
    with pytest.raises(StoreError, match="there are only standbys"):
        sessions.first(pair.url())


def test_a_server_that_is_gone_without_a_word_is_noticed_soon_and_the_address_decides():
    found = dict(psycopg.conninfo.conninfo_to_dict(sessions.noticing("postgresql://u@h1:5432,h2:5433/db")))
    assert (found["host"], found["port"]) == ("h1,h2", "5432,5433")
    assert (found["keepalives_idle"], found["tcp_user_timeout"]) == ("5", "10000")
    assert "tcp_user_timeout=3000" in sessions.noticing("postgresql://u@h/db?tcp_user_timeout=3000")


def test_a_session_whose_server_lost_its_power_ends_in_seconds():
    """In a network of its own, in which the server's packets are dropped from some moment on."""
    postgres.needed()
    command = ["unshare", "--net", sys.executable, str(Path(__file__).parent / "silent_server.py")]
    folder = Path(__file__).parent.parent
    environment = {**os.environ, "PYTHONPATH": f"{folder}:{folder.parent}"}
    if shutil.which("unshare") is None or shutil.which("iptables") is None or os.getuid() != 0:
        pytest.skip("needs root, unshare and iptables")
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if "ermission denied" in done.stderr or "not permitted" in done.stderr:
        pytest.skip("this machine allows no network of our own")
    assert done.returncode == 0, done.stderr
    assert 5 < float(done.stdout) < 20
