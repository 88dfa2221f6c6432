"""Renewed secrets beside the database: whole, on the disk, for nobody else to read, and in no backup."""

import asyncio
import os
from datetime import UTC, datetime

import pytest
from remote.ledgers import Process, Server

from connector.model.errors import StoreError
from connector.model.renewed import Renewed, fingerprint
from connector.store import Store, sealing
from connector.store.backup import back_up
from connector.store.renewed import RenewedFile, RenewedTable
from connector.store.sealing import seal, unseal

from .samples import opened, rows

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


async def test_what_one_process_keeps_others_load_and_only_they_can_read_it(place):
    """A file has no others to hear of."""
    async with opened(place) as store:
        if not store.database.shared:
            assert (await store.renewed.load(), store.renewed.can_keep()) == ([], True)
            return
        other = RenewedTable(store.database)
        assert (await other.load(), other.get("crm.main"), other.can_keep()) == ([], None, True)
        await store.renewed.keep("crm.main", KEPT)
        assert store.renewed.get("crm.main") == KEPT
        assert await store.renewed.load() == []
        assert other.get("crm.main") is None
        assert (await other.load(), other.get("crm.main")) == (["crm.main"], KEPT)
        assert await other.load() == []
        newer = Renewed("newer", ENDS, "f")
        await other.keep("crm.main", newer)
        assert (await store.renewed.load(), store.renewed.get("crm.main")) == (["crm.main"], newer)
        await other.keep("crm.main", KEPT)
        assert KEPT.value not in str(await rows(store, "SELECT * FROM shared_states"))


async def test_what_was_sealed_is_read_under_the_same_secret_and_name_only():
    secret = b"x" * 32
    sealed = seal(secret, "a secret", "crm.main")
    assert sealed != seal(secret, "a secret", "crm.main")
    assert unseal(secret, sealed, "crm.main") == "a secret"
    for wrong in ((b"y" * 32, sealed, "crm.main"), (secret, sealed, "crm.other"), (secret, sealed[:-8], "crm.main")):
        with pytest.raises(StoreError, match="is damaged"):
            unseal(*wrong)
    with pytest.raises(StoreError, match="is damaged"):
        unseal(secret, "no base64", "crm.main")


async def test_without_the_package_nothing_is_kept_in_a_database_and_what_is_there_says_what_to_install(monkeypatch):
    with Server() as server:
        table = RenewedTable(Process(server, "a"))
        await table.keep("crm.main", KEPT)
        monkeypatch.setattr(sealing, "find_spec", lambda _name: None)
        assert not table.can_keep()
        with pytest.raises(StoreError, match="not installed") as caught:
            await table.load()
        assert "cryptography>=44" in caught.value.hint
