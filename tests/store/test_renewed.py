"""Renewed secrets beside the database: whole, on the disk, for nobody else to read, and in no backup."""

import asyncio
import os
from datetime import UTC, datetime

import pytest

from connector.model.errors import StoreError
from connector.model.renewed import Renewed, fingerprint
from connector.store import Store
from connector.store.backup import back_up
from connector.store.renewed import RenewedFile

pytestmark = pytest.mark.anyio
ENDS = datetime(2027, 3, 1, tzinfo=UTC)
KEPT = Renewed("new-secret-of-a-test", ENDS, fingerprint("configured"))


async def test_what_was_kept_is_read_by_the_next_process(tmp_path):
    file = RenewedFile(tmp_path / "connector.db")
    assert file.get("crm.main") is None
    await file.keep("crm.main", KEPT)
    await file.keep("crm.other", Renewed("another", ENDS, "f"))
    again = RenewedFile(tmp_path / "connector.db")
    assert again.get("crm.main") == KEPT
    assert again.get("crm.other").value == "another"
    assert file.path.name == "connector.db.renewed"
    assert file.path.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [file.path], "no part of it is left behind"


async def test_many_that_come_at_once_are_all_kept(tmp_path):
    file = RenewedFile(tmp_path / "connector.db")
    await asyncio.gather(*(file.keep(f"crm.{n}", Renewed(str(n), ENDS, "f")) for n in range(20)))
    assert [file.get(f"crm.{n}").value for n in range(20)] == [str(n) for n in range(20)]


async def test_it_is_on_the_disk_before_anybody_goes_on(tmp_path, monkeypatch):
    done = []
    monkeypatch.setattr(os, "fsync", lambda handle: done.append(os.path.realpath(f"/proc/self/fd/{handle}")))
    await RenewedFile(tmp_path / "connector.db").keep("crm.main", KEPT)
    file, folder = done
    assert file.startswith(str(tmp_path.resolve() / ".connector.db.renewed"))
    assert folder == str(tmp_path.resolve())


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"crm.main": {}}', b'{"crm.main": 1}', b'{"crm.main": {"ends": "x"}}'])
async def test_a_damaged_file_is_an_error_with_a_way_out(tmp_path, content):
    file = RenewedFile(tmp_path / "connector.db")
    file.path.write_bytes(content)
    with pytest.raises(StoreError, match=r"connector\.db\.renewed") as caught:
        file.get("crm.main")
    assert "remove the file" in caught.value.hint


async def test_a_folder_that_takes_nothing_is_an_error_and_the_old_secret_stays(tmp_path, monkeypatch):
    file = RenewedFile(tmp_path / "connector.db")
    await file.keep("crm.main", KEPT)

    def full(_handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StoreError, match="No space left"):
        await file.keep("crm.main", Renewed("newer", ENDS, "f"))
    assert file.get("crm.main") == KEPT


async def test_no_backup_holds_it(tmp_path):
    store = Store.open(tmp_path / "connector.db")
    await store.renewed.keep("crm.main", KEPT)
    back_up(tmp_path / "connector.db", tmp_path / "copy.db", 0.0)
    await store.close()
    assert KEPT.value.encode() not in (tmp_path / "copy.db").read_bytes()
    assert KEPT.value not in repr(KEPT)
