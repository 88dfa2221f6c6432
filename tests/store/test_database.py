"""One process has the file: others are told so, a killed one loses nothing, a closed one answers nobody."""

from __future__ import annotations

import asyncio
import fcntl
import os
import sqlite3
import stat
import threading

import pytest

from connector.model.errors import ConfigError, StoreError
from connector.store import Store, read_lock
from connector.store.connection import in_portions
from connector.store.sqlite.database import connect_read_only
from connector.store.sqlite.explained import explained

from .processes import LOCKING, SERVING, child
from .samples import NOW, accept, busy_writer, delivery, execute, handed_over, opened, refused, rows, settle, states

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("number", [0, 1, 2, 3, 47, 63, 64, 255, 256, 300, 1000])
def test_rows_go_in_few_statements_of_few_kinds(number):
    portions = list(in_portions(range(number)))
    assert [row for some in portions for row in some] == list(range(number))
    assert {len(some) for some in portions} <= {1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256}
    assert len(portions) <= number // 256 + 4


# ---- in use ----


async def test_a_second_connector_is_refused_and_told_how_to_reach_the_first(path):
    with child(SERVING, path) as process:
        assert process.stdout.readline() == "e-0\n"
        assert read_lock(path) == {"port": 8080}
        assert "in use by another connector" in str(refused(path))
        assert process.poll() is None


async def test_nothing_that_was_acknowledged_is_lost_when_the_process_is_killed(path):
    with child(SERVING, path) as process:
        acknowledged = [process.stdout.readline().strip() for _ in range(100)]
        process.kill()
        acknowledged += [line.strip() for line in process.stdout if line.endswith("\n")]
    assert read_lock(path) is None
    async with opened(path) as store:
        assert (await rows(store, "PRAGMA integrity_check")) == [("ok",)]
        stored = [row[0] for row in await rows(store, "SELECT event FROM deliveries ORDER BY id")]
        assert stored[: len(acknowledged)] == acknowledged
        assert len(stored) <= len(acknowledged) + 1
        assert await store.lanes.recover(NOW) >= 49
        assert len(await settle(store)) == len(stored)
        assert set((await states(store)).values()) == {"done"}


async def test_the_lock_says_who_holds_the_file_only_while_somebody_does(path):
    assert read_lock(path) is None
    async with opened(path) as store:
        assert read_lock(path) == {}
        store.database.announce({"port": 8080, "token": "a longer text"})
        store.database.announce({"port": 1})
        assert read_lock(path) == {"port": 1}
        assert stat.S_IMODE(path.with_name("connector.db.lock").stat().st_mode) == 0o600
    assert read_lock(path) is None
    assert path.with_name("connector.db.lock").read_bytes() == b""


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b"\xff\xfe", b"null"])
async def test_a_lock_that_says_nothing_sensible_is_still_a_lock(path, content):
    path.with_name("connector.db.lock").write_bytes(content)
    with path.with_name("connector.db.lock").open("rb") as held:
        assert read_lock(path) is None
        fcntl.flock(held, fcntl.LOCK_EX)
        assert read_lock(path) == {}


async def test_somebody_who_only_asks_does_not_keep_the_service_from_starting(path):
    with path.with_name("connector.db.lock").open("wb") as asking:
        fcntl.flock(asking, fcntl.LOCK_SH)
        timer = threading.Timer(0.03, fcntl.flock, (asking, fcntl.LOCK_UN))
        timer.start()
        async with opened(path) as store:
            assert await store.read(lambda _: 1) == 1
        timer.join()


async def test_a_failed_start_lets_go_of_the_lock(path):
    path.write_text("no database, but long enough to be looked at " * 10)
    refused(path)
    assert read_lock(path) is None
    path.unlink()
    async with opened(path):
        pass


# ---- locked ----


@pytest.mark.sqlite_only("locks the file")
async def test_while_another_program_locks_the_file_nothing_is_acknowledged_and_nothing_lost(store, path):
    await accept(store, "e-1")
    await execute(store, "PRAGMA busy_timeout = 20")
    with child(LOCKING, path) as process:
        assert process.stdout.readline() == "ready\n"
        waiting = [store.inbox.accept(delivery("e-2")), store.lanes.claim(1, NOW), store.upkeep.count("n")]
        for error in await asyncio.gather(*waiting, return_exceptions=True):
            assert isinstance(error, StoreError)
            assert "connector.db is locked by another program" in str(error)
            assert error.hint
        assert await states(store) == {1: "queued"}
        process.communicate(timeout=10)
    assert await store.inbox.accept(delivery("e-2")) == "queued"
    assert await settle(store) == [1, 2]


async def test_a_locked_file_is_not_opened(path, monkeypatch):
    async with opened(path):
        pass
    monkeypatch.setattr("connector.store.sqlite.database._BUSY_SECONDS", 0.02)
    with child(LOCKING, path) as process:
        assert process.stdout.readline() == "ready\n"
        assert "locked by another program" in str(refused(path))
    async with opened(path) as store:
        await accept(store, "e-1")


# ---- the end ----


async def test_closing_finishes_what_waits(path):
    store = Store.open(path)
    async with busy_writer(store):
        waiting = [asyncio.create_task(store.inbox.accept(delivery(f"e-{n}"))) for n in range(5)]
        await handed_over(*waiting)
        closing = asyncio.create_task(store.close())
        await handed_over(closing)
    await closing
    assert await asyncio.gather(*waiting) == ["queued"] * 5
    async with opened(path) as store:
        assert len(await states(store)) == 5


async def test_after_closing_every_request_is_refused_rather_than_left_waiting(path):
    store = Store.open(path)
    await store.close()
    await store.close()
    async with asyncio.timeout(60):
        for request in (store.inbox.accept(delivery("e-1")), store.lanes.claim(1, NOW), store.lanes.next_due()):
            with pytest.raises(StoreError, match="closed"):
                await request


async def test_closing_leaves_one_file_and_its_lock(path):
    async with opened(path) as store:
        await accept(store, "e-1")
    assert sorted(file.name for file in path.parent.iterdir()) == ["connector.db", "connector.db.key", "connector.db.lock"]


# ---- reading beside it ----


@pytest.mark.sqlite_only("opens the file")
async def test_a_read_only_connection_sees_what_is_committed_and_cannot_write(store, path):
    await accept(store, "e-1")
    connection = connect_read_only(path)
    assert [row["state"] for row in connection.execute("SELECT state FROM events")] == ["queued"]
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        connection.execute("DELETE FROM events")
    connection.close()


async def test_another_programs_file_is_refused_and_left_as_it_is(path):
    """Its tables beside ours would be damaged by one of the two programs, or by a restore."""
    other = sqlite3.connect(path)
    other.execute("CREATE TABLE songs (title TEXT)")
    other.close()
    before = path.read_bytes()
    assert "connector.db is the database of another program" in str(refused(path))
    assert path.read_bytes() == before


async def test_a_read_only_connection_makes_no_file(path):
    with pytest.raises(StoreError, match="cannot be opened"):
        connect_read_only(path)
    path.write_text("no database, but long enough to be looked at " * 10)
    with pytest.raises(StoreError, match="not an SQLite database"):
        connect_read_only(path)
    assert [file.name for file in path.parent.iterdir()] == ["connector.db"]


def test_a_file_that_cannot_be_read_is_not_kept_open(path, monkeypatch):
    path.write_bytes(b"no database " * 100)
    made, connect = [], sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", lambda *args, **kwargs: made.append(connect(*args, **kwargs)) or made[-1])
    with pytest.raises(StoreError, match="not an SQLite database"):
        connect_read_only(path)
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        made[0].execute("SELECT 1")


@pytest.mark.parametrize("name", ["a name with spaces.db", "50%.db", "question?.db", "hash#.db", "ünïcode.db"])
async def test_any_file_name_can_be_read_beside(tmp_path, name):
    async with opened(tmp_path / name) as store:
        await accept(store, "e-1")
        assert await states(store) == {1: "queued"}
    assert sorted(file.name for file in tmp_path.iterdir()) == [name, f"{name}.key", f"{name}.lock"]


def test_only_errors_of_sqlite_are_explained(path):
    for error in (KeyError("x"), ConfigError(["x"]), StoreError("x")):
        assert explained(error, path) is error
    told = explained(sqlite3.OperationalError("something new"), path)
    assert isinstance(told, StoreError)
    assert "connector.db" in str(told)
    assert "something new" in str(told)


@pytest.mark.sqlite_only("is about the name of the file")
async def test_by_another_name_it_is_the_same_database(store, path):
    other = path.with_name("other.db")
    other.symlink_to(path)
    assert "in use" in str(refused(other))
    assert read_lock(other) == read_lock(path) == {}


async def test_what_a_killed_process_left_in_the_lock_file_is_nobodys_address(path):
    path.with_name(path.name + ".lock").write_text('{"url": "http://127.0.0.1:1", "token": "old"}')
    async with opened(path):
        assert read_lock(path) == {}


@pytest.mark.parametrize(("writable", "kept"), [(True, 0), (False, 2)])
async def test_without_a_folder_for_temporary_files_they_are_kept_in_memory(path, monkeypatch, writable, kept):
    """In a container whose root is read-only, lanes that waited for a CRM were never woken: the statement needs such a file.

    pocket-id/pocket-id pull request 876, seakee/CPA-Manager-Plus issue 653.
    """
    access = os.access
    monkeypatch.setattr(os, "access", lambda folder, mode: access(folder, mode) and writable)
    async with opened(path) as store:
        assert await store.read(lambda connection: connection.execute("PRAGMA temp_store").fetchone()[0]) == kept
        assert await store.database.write(lambda connection: connection.execute("PRAGMA temp_store").fetchone()[0]) == kept
