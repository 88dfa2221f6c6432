"""The disk and what is on it: read-only, foreign, damaged, full. Every case says what to do, and nothing stored is lost."""

from __future__ import annotations

import asyncio
import os
import shutil
import sqlite3
import stat
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest

from connector.model.errors import StoreError
from connector.model.jobs import Verdict
from connector.store import Store, read_lock

from .processes import nobody
from .samples import NOW, accept, busy_writer, claim_one, delivery, execute, handed_over, opened, refused, rows, settle, states

pytestmark = pytest.mark.anyio


async def big(store, id_="big"):
    """Try to store something that does not fit into a nearly full file."""
    return await store.inbox.accept(replace(delivery(id_), body=b"x" * 400_000))


# ---- read-only ----


@pytest.fixture
def open_folder():
    """A folder which a user without privileges can reach, unlike pytest's own."""
    folder = Path(tempfile.mkdtemp(prefix="connector-"))
    folder.chmod(0o777)
    with nobody():
        reachable = os.access(folder, os.W_OK, effective_ids=True)
    if not reachable:
        pytest.skip("the folder for temporary files is closed to others")
    yield folder
    shutil.rmtree(folder)


async def test_a_read_only_folder(open_folder):
    open_folder.chmod(0o555)
    with nobody():
        assert "cannot be opened" in str(refused(open_folder / "connector.db"))
    assert list(open_folder.iterdir()) == []


async def test_a_read_only_file(open_folder):
    path = open_folder / "connector.db"
    async with opened(path) as store:
        await accept(store, "e-1")
    path.with_name("connector.db.lock").unlink()
    path.chmod(0o444)
    with nobody():
        assert "cannot be written" in str(refused(path))
    path.chmod(0o644)
    async with opened(path) as store:
        assert await settle(store) == [1]


async def test_a_lock_file_of_another_user_cannot_be_asked(open_folder):
    if os.geteuid() != 0:
        pytest.skip("needs two users")
    path = open_folder / "connector.db"
    async with opened(path):
        with nobody(), pytest.raises(StoreError, match="cannot be read") as caught:
            read_lock(path)
    assert "user" in caught.value.hint


async def test_the_files_are_readable_by_their_owner_only(path):
    async with opened(path) as store:
        await accept(store, "e-1")
        modes = {file.name: oct(stat.S_IMODE(file.stat().st_mode)) for file in path.parent.iterdir()}
    assert modes == dict.fromkeys(
        ("connector.db", "connector.db-wal", "connector.db-shm", "connector.db.key", "connector.db.lock"), "0o600"
    )


async def test_a_file_that_was_open_to_others_is_closed_to_them(path):
    async with opened(path):
        pass
    path.chmod(0o644)
    async with opened(path) as store:
        await accept(store, "e-1")
        modes = {oct(stat.S_IMODE(file.stat().st_mode)) for file in path.parent.iterdir()}
    assert modes == {"0o600"}


# ---- not ours, or damaged ----


async def test_a_missing_folder(tmp_path):
    assert "No such file" in str(refused(tmp_path / "nowhere" / "connector.db"))


async def test_a_folder_in_place_of_the_file(path):
    path.mkdir()
    assert "cannot be opened" in str(refused(path))


async def test_an_empty_file_becomes_a_database(path):
    path.touch()
    async with opened(path) as store:
        await accept(store, "e-1")


async def test_a_file_that_is_no_database_is_left_alone(path):
    path.write_text("name,phone\n" * 100)
    path.chmod(0o640)
    assert "not an SQLite database" in str(refused(path))
    assert path.read_text() == "name,phone\n" * 100
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


async def test_a_file_of_a_newer_version(path):
    async with opened(path) as store:
        await execute(
            store, "INSERT INTO _sqlite_migrations (migration_set, name, applied_at) VALUES ('connector', 'm999_later', '')"
        )
    with pytest.raises(StoreError, match="newer version") as caught:
        Store.open(path)
    assert caught.value.hint


def damage(path: Path, table: str) -> None:
    """Overwrite the page at the root of a table."""
    with sqlite3.connect(path) as connection:
        (page,) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = ?", (table,)).fetchone()
        (size,) = connection.execute("PRAGMA page_size").fetchone()
    connection.close()
    with path.open("r+b") as file:
        file.seek((page - 1) * size)
        file.write(b"\xff" * size)


async def test_a_damaged_schema_is_noticed_at_the_start(path):
    async with opened(path):
        pass
    damage(path, "_sqlite_migrations")
    assert "damaged" in str(refused(path))


async def test_damage_that_was_seen_once_closes_the_database_until_a_restart(path):
    async with opened(path) as store:
        await accept(store, "e-1")
    damage(path, "reviews")
    async with opened(path) as store:
        with pytest.raises(StoreError, match=r"connector\.db is damaged") as caught:
            await store.reviews.open("stores", "c-1", "main", "two of them", [], NOW)
        assert "backup" in caught.value.hint
        for _ in range(2):
            with pytest.raises(StoreError, match=r"connector\.db is damaged"):
                await store.inbox.accept(delivery("e-2"))
        assert (await states(store)) == {1: "queued"}
    async with opened(path) as store:
        assert await store.inbox.accept(delivery("e-2")) == "queued"


async def test_damage_that_only_a_reader_has_seen_closes_the_database_too(path):
    async with opened(path):
        pass
    damage(path, "reviews")
    async with opened(path) as store:
        with pytest.raises(StoreError, match="damaged"):
            await rows(store, "SELECT * FROM reviews")
        with pytest.raises(StoreError, match="damaged"):
            await store.inbox.accept(delivery("e-1"))


@pytest.mark.sqlite_only("SQLite calls both by one name")
async def test_a_fault_in_a_query_is_no_damage(store):
    with pytest.raises(StoreError, match=r"damaged|malformed"):
        await rows(store, "SELECT json('{')")
    assert await store.inbox.accept(delivery("e-1")) == "queued"


# ---- full ----


@pytest.mark.sqlite_only("limits the pages of the file")
async def test_a_full_disk_refuses_loses_nothing_and_goes_on_once_there_is_room(store):
    await accept(store, "e-1")
    ((pages,),) = await rows(store, "PRAGMA page_count")
    await execute(store, f"PRAGMA max_page_count = {pages}")
    for _ in range(3):
        with pytest.raises(StoreError, match=r"disk that holds connector\.db is full") as caught:
            await big(store)
        assert caught.value.hint
    assert await rows(store, "SELECT event FROM deliveries") == [("e-1",)]
    await store.lanes.conclude(await claim_one(store), Verdict("retrying", due=NOW), NOW)
    await execute(store, "PRAGMA max_page_count = 1000000")
    assert await big(store) == "queued"
    assert await settle(store) == [1, 2]


@pytest.mark.sqlite_only("limits the pages of the file")
async def test_a_full_disk_in_a_shared_commit_acknowledges_nobody_who_is_not_stored(store):
    ((pages,),) = await rows(store, "PRAGMA page_count")
    await execute(store, f"PRAGMA max_page_count = {pages + 4}")
    async with busy_writer(store):
        waiting = [asyncio.create_task(store.inbox.accept(delivery(f"e-{n}"))) for n in range(3)]
        waiting += [asyncio.create_task(big(store)), asyncio.create_task(store.upkeep.count("n"))]
        await handed_over(*waiting)
    results = await asyncio.gather(*waiting, return_exceptions=True)
    stored = {row[0] for row in await rows(store, "SELECT event FROM deliveries")}
    assert isinstance(results[3], StoreError)
    assert {f"e-{n}" for n in range(3) if results[n] == "queued"} == stored
    assert all(isinstance(result, StoreError) for result in results[:3] if result != "queued")
    await execute(store, "PRAGMA max_page_count = 1000000")
    assert [await store.inbox.accept(delivery(f"e-{n}")) for n in range(3)].count("queued") == 3 - len(stored)
