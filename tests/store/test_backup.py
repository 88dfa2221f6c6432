"""A backup beside a running process holds what was acknowledged before it; a restore never loses what was there."""

from __future__ import annotations

import os
import shutil
import sqlite3
import stat
import time
from contextlib import closing

import pytest

from connector.model.errors import StoreError
from connector.store.backup import back_up, restore

from .processes import SERVING, child
from .samples import NOW, accept, execute, opened, rows

pytestmark = pytest.mark.anyio

KEPT = "connector.db.before-restore-20270115T080000Z"
WHEN = 1_800_000_000.0
#: What stands beside a database that was backed up.
OWN = ["connector.db.key", "connector.db.last-backup", "connector.db.lock"]


def deliveries(path):
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro&immutable=1", uri=True)) as connection:
        return [row[0] for row in connection.execute("SELECT event FROM deliveries ORDER BY id")]


def names(folder):
    return sorted(file.name for file in folder.iterdir())


@pytest.fixture
async def backup(tmp_path, path, anyio_backend):
    """A backup with one delivery; the database has got a second one since."""
    async with opened(path) as store:
        await accept(store, "e-1")
        made = back_up(path, tmp_path / "backup.db", WHEN - 3600)
        await accept(store, "e-2")
    return made.file


# ---- backup ----


async def test_a_backup_beside_a_running_process_has_all_that_was_acknowledged_before(tmp_path, path):
    target = tmp_path / "backups" / "connector.db"
    target.parent.mkdir()
    with child(SERVING, path) as process:
        acknowledged = [process.stdout.readline().strip() for _ in range(50)]
        made = back_up(path, target, WHEN - 3600)
        assert process.stdout.readline(), "it goes on"
    assert deliveries(target)[:50] == acknowledged
    assert made.size == target.stat().st_size
    assert names(target.parent) == ["connector.db"]
    assert stat.S_IMODE(target.stat().st_mode) == 0o600


async def test_a_file_that_exists_is_never_overwritten(path, backup):
    content = backup.read_bytes()
    with pytest.raises(StoreError, match="exists already"):
        back_up(path, backup, WHEN - 3600)
    assert backup.read_bytes() == content


async def test_a_damaged_database_makes_no_backup(tmp_path, path, backup):
    content = bytearray(path.read_bytes())
    with closing(sqlite3.connect(path)) as connection:
        (page,) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'reviews'").fetchone()
    content[(page - 1) * 4096 : page * 4096] = b"\xff" * 4096
    path.write_bytes(content)
    with pytest.raises(StoreError, match="damaged"):
        back_up(path, tmp_path / "other.db", WHEN - 3600)
    assert not (tmp_path / "other.db").exists()
    assert not [name for name in names(tmp_path) if "partial" in name]


@pytest.mark.parametrize("there", [False, True], ids=["no file", "another program's"])
async def test_only_a_database_of_ours_is_backed_up(tmp_path, path, there):
    if there:
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("CREATE TABLE notes (text)")
    with pytest.raises(StoreError, match="connector's database" if there else "cannot be opened"):
        back_up(path, tmp_path / "backup.db", WHEN - 3600)
    assert not (tmp_path / "backup.db").exists()


async def test_a_folder_that_is_not_there_is_said(tmp_path, path, backup):
    with pytest.raises(StoreError, match="cannot be written"):
        back_up(path, tmp_path / "nowhere" / "backup.db", WHEN - 3600)


# ---- restore ----


async def test_a_restore_puts_the_backup_in_place_and_keeps_what_was_there(path, backup):
    made = restore(path, backup, WHEN)
    assert made.kept == path.with_name(KEPT)
    assert deliveries(path) == deliveries(backup) == ["e-1"]
    assert deliveries(made.kept) == ["e-1", "e-2"]
    assert {stat.S_IMODE(file.stat().st_mode) for file in (path, made.kept)} == {0o600}
    assert names(path.parent) == ["backup.db", "connector.db", KEPT, *OWN]
    async with opened(path) as store:
        assert store.database.restored == (pytest.approx(time.time(), abs=60), WHEN - 3600)
        await accept(store, "e-3")
        assert await rows(store, "PRAGMA integrity_check") == [("ok",)]


async def test_what_a_killed_process_left_in_the_wal_is_kept_and_does_not_get_into_the_restored_file(tmp_path, path):
    with child(SERVING, path) as process:
        assert process.stdout.readline() == "e-0\n"
        made = back_up(path, tmp_path / "backup.db", WHEN - 3600)
        acknowledged = ["e-0", *(process.stdout.readline().strip() for _ in range(30))]
    kept = restore(path, made.file, WHEN).kept
    assert deliveries(kept)[:31] == acknowledged
    async with opened(path) as store:
        stored = [row[0] for row in await rows(store, "SELECT event FROM deliveries ORDER BY id")]
        assert stored == deliveries(made.file)


async def test_a_wal_whose_database_is_gone_is_moved_away(path, backup):
    path.unlink()
    path.with_name("connector.db-wal").write_bytes(b"old")
    assert restore(path, backup, WHEN).kept is None
    assert names(path.parent) == ["backup.db", "connector.db", f"{KEPT}-wal", *OWN]


async def test_a_damaged_database_can_be_replaced(path, backup):
    path.write_bytes(b"\xff" * 8192)
    assert restore(path, backup, WHEN).kept.read_bytes() == b"\xff" * 8192
    assert deliveries(path) == ["e-1"]


async def test_while_a_process_has_the_database_nothing_is_restored(tmp_path, path):
    with child(SERVING, path) as process:
        assert process.stdout.readline() == "e-0\n"
        made = back_up(path, tmp_path / "backup.db", WHEN - 3600)
        with pytest.raises(StoreError, match="in use by another connector"):
            restore(path, made.file, WHEN)
        assert process.stdout.readline(), "it goes on"
    assert not [name for name in names(tmp_path) if "before" in name]


async def refuse(path, file, match):
    content = path.read_bytes()
    with pytest.raises(StoreError, match=match):
        restore(path, file, WHEN)
    assert path.read_bytes() == content
    assert not [name for name in names(path.parent) if "before" in name or "partial" in name]


async def test_a_damaged_backup_is_refused(path, backup):
    content = bytearray(backup.read_bytes())
    content[4096 * 3 : 4096 * 8] = b"\xff" * 4096 * 5
    backup.write_bytes(content)
    await refuse(path, backup, "damaged")


async def test_a_backup_of_a_newer_version_is_refused(tmp_path, path, backup):
    shutil.copy(tmp_path / "connector.db.key", tmp_path / "backup.db.key")
    async with opened(backup) as store:
        await execute(
            store, "INSERT INTO _sqlite_migrations (migration_set, name, applied_at) VALUES ('connector', 'm999_later', '')"
        )
    await refuse(path, backup, "newer version")


async def test_what_is_no_backup_is_refused(tmp_path, path, backup):
    await refuse(path, tmp_path / "nowhere.db", r"There is no backup nowhere\.db")
    (tmp_path / "text").write_text("no database at all " * 300)
    await refuse(path, tmp_path / "text", "text is not an SQLite database")
    (tmp_path / "empty").touch()
    await refuse(path, tmp_path / "empty", "connector's database")


async def test_a_copy_of_the_file_of_a_running_process_is_refused(tmp_path, path, backup):
    async with opened(path) as store:
        await accept(store, "e-9")
        for ending in ("", "-wal"):
            shutil.copy(path.with_name(path.name + ending), tmp_path / f"copy.db{ending}")
    await refuse(path, tmp_path / "copy.db", "only a part")


async def test_restored_by_root_it_belongs_to_the_services_user(path, backup):
    if os.geteuid() != 0:
        pytest.skip("needs two users")
    os.chown(path, 65_534, 65_534)
    restore(path, backup, WHEN)
    assert path.stat().st_uid == 65_534


# ---- the key file ----


async def test_a_database_knows_once_only_that_it_was_a_backup(path, backup):
    async with opened(path) as store:
        assert store.database.restored is None
    restore(path, backup, WHEN)
    async with opened(path) as store:
        first = store.database.restored
    async with opened(path) as store:
        assert store.database.restored == first
        assert await rows(store, "SELECT 1 FROM installation WHERE name = 'copied_at'") == []


async def test_a_copy_that_was_moved_into_place_by_hand_knows_it_too(path, backup):
    path.unlink()
    shutil.copy(backup, path)
    async with opened(path) as store:
        assert store.database.restored is not None


@pytest.mark.parametrize("there", [None, "00" * 32], ids=["missing", "another"])
async def test_without_its_key_file_a_backup_is_refused_unless_the_key_is_lost(path, backup, there):
    async with opened(path) as store:
        await store.links.notice("main", "email:1", 3)
        made = back_up(path, path.with_name("other.db"), WHEN)
    file = path.with_name("connector.db.key")
    file.unlink()
    if there:
        file.write_text(there)
    await refuse(path, made.file, "belongs to another" if there else "is missing")
    restore(path, made.file, WHEN, key_lost=True)
    async with opened(path) as store:
        assert await store.links.shared("main", ["email:1"], None) == set()
        assert await rows(store, "SELECT count(*) FROM shared_keys") == [(0,)]
        await store.links.notice("main", "email:1", 3)
        assert await store.links.shared("main", ["email:1"], None) == {"email:1"}


# ---- the -wal ----


async def test_the_wal_is_cut_again_after_somebody_has_read_for_long(path, monkeypatch):
    monkeypatch.setattr("connector.store.sqlite.database._WAL_BYTES", 100_000)
    async with opened(path) as store:
        with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, isolation_level=None)) as reader:
            reader.execute("BEGIN")
            reader.execute("SELECT count(*) FROM deliveries").fetchall()
            for n in range(30):
                await execute(store, "INSERT INTO calls (quota, at, cost) VALUES (?, ?, 1)", "x" * 40_000, NOW + n)
            assert store.database.sizes()["wal_bytes"] > 1_000_000
            reader.execute("COMMIT")
        store.database._connection.execute("PRAGMA wal_checkpoint").fetchall()
        await execute(store, "DELETE FROM calls WHERE at = ?", NOW)
        sizes = store.database.sizes()
        assert sizes["wal_bytes"] < 150_000
        assert sizes["bytes"] == path.stat().st_size
