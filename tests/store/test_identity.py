"""The file itself counts, not its name: a second name is refused, and what was taken away or replaced takes nothing more."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
from contextlib import contextmanager

import pytest

from connector.model.errors import StoreError
from connector.store import database
from connector.store.sqlite.identity import mount_points, open_itself

from .processes import SERVING, child
from .samples import accept, delivery, opened, refused, rows

pytestmark = pytest.mark.anyio


# ---- two names ----


async def test_a_hard_link_is_refused_and_the_service_that_runs_loses_nothing(tmp_path):
    path, other = tmp_path / "one" / "connector.db", tmp_path / "two" / "connector.db"
    path.parent.mkdir()
    other.parent.mkdir()
    with child(SERVING, path) as process:
        assert process.stdout.readline() == "e-0\n"
        other.hardlink_to(path)
        with child(SERVING, other) as second:
            assert second.stdout.read() == ""
            assert second.wait(10) == 1
        assert "second name" in str(refused(other))
        acknowledged = ["e-0", *(process.stdout.readline().strip() for _ in range(20))]
        process.kill()
        acknowledged += [line.strip() for line in process.stdout if line.endswith("\n")]
    assert "second name" in str(refused(path))
    other.unlink()
    async with opened(path) as store:
        assert await rows(store, "PRAGMA integrity_check") == [("ok",)]
        stored = [row[0] for row in await rows(store, "SELECT event FROM deliveries ORDER BY id")]
        assert stored[: len(acknowledged)] == acknowledged


async def test_the_file_itself_is_locked_whatever_its_lock_file_says(path):
    with child(SERVING, path) as process:
        assert process.stdout.readline() == "e-0\n"
        path.with_name("connector.db.lock").unlink()
        assert "in use by another connector, under another name" in str(refused(path))


@contextmanager
def mounted(source, target):
    """One file mounted over another, where that can be done."""
    mount = shutil.which("mount")
    command = [mount or "mount", "--bind", str(source), str(target)]
    if mount is None or os.geteuid() != 0 or subprocess.run(command, capture_output=True, check=False).returncode != 0:
        pytest.skip("nothing can be mounted here")
    try:
        yield
    finally:
        subprocess.run(["umount", str(target)], check=True)


async def test_a_file_that_is_mounted_alone_is_refused_and_says_what_to_mount(tmp_path, path):
    async with opened(path):
        pass
    other = tmp_path / "a folder" / "connector.db"
    other.parent.mkdir()
    other.touch()
    with mounted(path, other):
        error = refused(other)
    assert "mounted as a single file" in str(error)
    assert "Mount the folder" in error.hint
    async with opened(path) as store:
        await accept(store, "e-1")


async def test_a_folder_that_is_mounted_is_right(tmp_path, path):
    folder = tmp_path / "mounted"
    folder.mkdir()
    async with opened(path):
        pass
    with mounted(path.parent, folder):
        async with opened(folder / "connector.db") as store:
            await accept(store, "e-1")


def test_mount_points_are_read_from_the_lines_of_the_system():
    lines = [
        "42 27 254:0 /srv/data/connector.db /data/connector.db rw,relatime - ext4 /dev/vda rw,discard",
        "43 27 0:39 / /with\\040space/tab\\011 rw shared:7 - tmpfs tmpfs rw",
        "",
    ]
    assert mount_points(lines) == {"/data/connector.db", "/with space/tab\t"}


# ---- taken away or replaced ----


@pytest.mark.parametrize("name", ["connector.db", "connector.db-wal", "connector.db-shm"])
async def test_after_a_file_was_taken_away_nothing_is_acknowledged(path, name):
    async with opened(path) as store:
        await accept(store, "e-1")
        path.with_name(name).rename(path.with_name("elsewhere"))
        with pytest.raises(StoreError, match=f"{name} was taken away") as caught:
            await store.inbox.accept(delivery("e-2"))
        assert "restore" in caught.value.hint
        with pytest.raises(StoreError, match="was taken away"):
            await store.upkeep.count("readiness checks")
        path.with_name("elsewhere").rename(path.with_name(name))
        with pytest.raises(StoreError, match="was taken away"):
            await store.inbox.accept(delivery("e-2"))
    async with opened(path) as store:
        assert await rows(store, "SELECT event FROM deliveries") == [("e-1",)]
        assert await store.inbox.accept(delivery("e-2")) == "queued"


async def test_a_file_that_was_put_in_its_place_is_not_written(tmp_path, path):
    backup = tmp_path / "backup.db"
    async with opened(path) as store:
        await accept(store, "e-1")
    shutil.copy(path, backup)
    content = backup.read_bytes()
    async with opened(path) as store:
        backup.replace(path)
        with pytest.raises(StoreError, match=r"connector\.db was replaced"):
            await store.inbox.accept(delivery("e-2"))
    assert path.read_bytes() == content


async def test_a_replacement_during_a_commit_is_not_acknowledged(path):
    async with opened(path) as store:
        with pytest.raises(StoreError, match="was taken away"):
            await store.database.write(lambda _: path.rename(path.with_name("elsewhere")))


async def test_it_is_noticed_while_nothing_is_written(path, monkeypatch):
    monkeypatch.setattr(database, "LOOK_SECONDS", 0.01)
    seen = asyncio.Event()
    loop = asyncio.get_running_loop()
    async with opened(path) as store:
        monkeypatch.setattr(store.database._log, "error", lambda *_, **__: loop.call_soon_threadsafe(seen.set), raising=False)
        path.rename(path.with_name("elsewhere"))
        await asyncio.wait_for(seen.wait(), 10)


# ---- new ----


async def test_a_database_knows_whether_it_was_made_now(path):
    async with opened(path) as store:
        assert store.database.new is True
    async with opened(path) as store:
        assert store.database.new is False


def test_the_folder_must_be_there(tmp_path):
    with pytest.raises(StoreError, match="No such file"):
        open_itself(tmp_path / "nowhere" / "connector.db")
