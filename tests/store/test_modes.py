"""What belongs to the database is closed to others, and said where it is not."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from connector.config.database import DatabaseSettings
from connector.operations.checks import disk, modes
from connector.store.backup import back_up
from connector.store.modes import readable_by_others
from connector.store.opening import open_database

from .samples import NOW, accept, opened


@pytest.mark.anyio
async def test_everything_that_we_make_is_closed_to_others(tmp_path: Path) -> None:
    path = tmp_path / "connector.db"
    async with opened(path) as store:
        await accept(store, "e-1")
        back_up(path, tmp_path / "backup.db", NOW)
        assert readable_by_others(path) == []
        assert modes(path) == []


@pytest.mark.anyio
async def test_a_key_and_a_copy_that_others_can_read_are_said(tmp_path: Path) -> None:
    path = tmp_path / "connector.db"
    await open_database(path).close()
    back_up(path, tmp_path / "backup.db", NOW)
    (tmp_path / "notes.txt").write_text("SQLite is a database", encoding="utf-8")
    (tmp_path / "notes.txt").chmod(0o644)
    (tmp_path / "backup.db").chmod(0o640)
    (tmp_path / "connector.db.key").chmod(0o604)
    assert readable_by_others(path) == [(tmp_path / "connector.db.key", 0o604), (tmp_path / "backup.db", 0o640)]
    key, copy = modes(path)
    assert (key.id, key.level) == ("database.mode", "warning")
    assert key.message == "other users of this machine can read connector.db.key (mode 0604)"
    assert copy.hint == f"Run `chmod 600 {tmp_path / 'backup.db'}`."


@pytest.mark.parametrize(
    ("mount", "warned"),
    [
        ("42 27 0:39 / {at} rw,relatime shared:7 - nfs4 nas:/volume1 rw,vers=4.2", True),
        ("42 27 0:39 / {at} rw - cifs //nas/share rw", True),
        ("42 27 0:39 / {at} rw - ext4 /dev/vda1 rw", False),
        ("42 27 0:39 / {at}-other rw - nfs nas:/volume1 rw", False),
        ("42 27 0:39 / {at} rw - nfs nas:/volume1 rw\n43 42 254:0 / {at} rw - ext4 /dev/vda1 rw", False),
        ("no line of mountinfo", False),
    ],
)
def test_a_database_on_a_network_is_warned_of(tmp_path: Path, mount: str, warned: bool) -> None:
    """Sonarr/Sonarr issue 1886, David-Crty/databasement issue 344: locked for ever, and damaged."""
    folder = tmp_path / "a folder"
    folder.mkdir()
    mounts = tmp_path / "mountinfo"
    at = str(folder).replace(" ", "\\040")
    mounts.write_text(f"1 0 254:0 / / rw - ext4 /dev/vda rw\n{mount.format(at=at)}\n", encoding="utf-8")
    found = disk(DatabaseSettings(url=f"sqlite:///{folder / 'connector.db'}"), mounts)
    assert [check.id for check in found] == ["database.disk"] * warned


def test_a_server_s_disk_is_its_own_business() -> None:
    assert disk(DatabaseSettings(url="postgresql://db.example.com/connector")) == []


def test_a_key_that_somebody_else_gave_to_our_group_is_no_problem(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, key = tmp_path / "connector", tmp_path / "connector.key"
    key.touch()
    key.chmod(0o440)
    assert readable_by_others(path) == [(key, 0o440)], "ours, and a group of others"
    owner = key.stat()
    monkeypatch.setattr("os.geteuid", lambda: owner.st_uid + 1)
    monkeypatch.setattr("os.getgroups", lambda: [owner.st_gid])
    assert readable_by_others(path) == []
    for mode in (0o444, 0o460):
        key.chmod(mode)
        assert readable_by_others(path) == [(key, mode)]
    key.chmod(0o440)
    monkeypatch.setattr("os.getgroups", list)
    monkeypatch.setattr("os.getegid", lambda: owner.st_gid + 1)
    assert readable_by_others(path) == [(key, 0o440)]


@pytest.mark.anyio
async def test_a_lock_file_that_others_can_read_is_closed_at_the_start(tmp_path: Path) -> None:
    file = tmp_path / "connector.db.lock"
    file.touch()
    file.chmod(0o644)
    database = open_database(tmp_path / "connector.db")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    await database.close()


def test_what_is_not_there_or_is_no_file_is_no_problem(tmp_path: Path) -> None:
    (tmp_path / "connector.db.key").mkdir()
    assert readable_by_others(tmp_path / "connector.db") == []
    assert readable_by_others(tmp_path / "nowhere" / "connector.db") == []
