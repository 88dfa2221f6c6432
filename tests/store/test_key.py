"""Identity keys are stored under the installation's secret, and what is deleted is gone from the files."""

from __future__ import annotations

import hmac
import sqlite3
from contextlib import closing

import pytest
from sqlite_utils import Database

from connector.store.key import Key
from connector.store.sqlite import schema
from connector.sync.person.identity import phone_key

from .samples import DONE, NOW, accept, claim_one, link, opened, refused, rows, settle

pytestmark = pytest.mark.anyio

PHONE = phone_key("+12025550123")
EMAIL = "email:" + "e" * 64
PERSON = "a" * 64


def everything(path):
    """What is in the database's files, with what was deleted."""
    return b"".join(file.read_bytes() for file in path.parent.iterdir() if file.name in (path.name, f"{path.name}-wal"))


async def test_no_key_can_be_computed_from_a_number_alone(path):
    async with opened(path) as store:
        await accept(store, "e-1")
        work = await claim_one(store)
        await store.journal.begin(work, "create:main:1", "create", NOW, crm="main", identity=[PHONE])
        await store.links.notice("main", PHONE, 2, person=PERSON)
        await store.reviews.open("stores", "c-1", "main", "who?", [], NOW, person=PERSON, key=PHONE)
        await store.journal.linked(work, [link()], "write_back", NOW, keys=[PHONE], said=[PHONE])
        assert await store.links.remembered("main", [PHONE]) == ["501"]
        await store.lanes.conclude(work, DONE, NOW)
        await accept(store, "e-2")
        assert await store.links.missing_keys(await claim_one(store), [PHONE, EMAIL]) == [EMAIL]
        assert await store.links.shared("main", [PHONE, EMAIL], None) == {PHONE}
        assert await store.links.shared("main", [PHONE], PERSON) == set(), "the review is found by the person"
    content = everything(path)
    assert PHONE.partition(":")[2].encode() not in content
    assert PERSON.encode() not in content


async def test_two_installations_have_different_keys(tmp_path, anyio_backend):
    stored = set()
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        async with opened(tmp_path / name / "connector.db") as store:
            stored.add(store.database.keyed(PHONE))
    assert len(stored) == 2
    assert all(key.startswith("phone:") and len(key) == len(PHONE) for key in stored)


async def test_the_key_file_is_made_once_and_is_ours_alone(path):
    async with opened(path) as store:
        file = path.with_name("connector.db.key")
        first = store.database.keyed(PHONE)
        assert len(bytes.fromhex(file.read_text())) == 32
        assert file.stat().st_mode & 0o777 == 0o600
    async with opened(path) as store:
        assert store.database.keyed(PHONE) == first


@pytest.mark.parametrize(
    ("content", "said"),
    [(None, "is missing"), ("11" * 32, "belongs to another database"), ("11", "is damaged"), ("no key", "is damaged")],
)
async def test_a_database_is_not_used_with_another_key(path, content, said):
    async with opened(path):
        pass
    file = path.with_name("connector.db.key")
    kept = file.read_text()
    file.unlink()
    if content:
        file.write_text(content)
    assert said in str(refused(path))
    file.write_text(kept)
    async with opened(path) as store:
        await accept(store, "e-1")


async def test_what_earlier_versions_stored_is_found_and_no_longer_readable(path):
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        schema.migrations.apply(Database(connection), stop_before="m011_keyed")
        values = "('stores', 'c-1', 'main', '501', 'email', 0)"
        connection.execute(f"INSERT INTO links (source, client_id, crm, customer_id, origin, linked_at) VALUES {values}")
        connection.execute("INSERT INTO identities VALUES ('main', ?, '501', 'stores', 'c-1', 7)", (PHONE,))
        connection.execute(
            "INSERT INTO shared_keys (crm, key, people, noticed_at, person) VALUES ('main', ?, 3, 0, ?)", (EMAIL, PERSON)
        )
        insert = (
            "INSERT INTO reviews (source, client_id, crm, person, reason, since, candidates, key)"
            " VALUES ('stores', ?, 'main', ?, 'who?', 0, '[]', ?)"
        )
        connection.execute(insert, ("c-2", PERSON, EMAIL))
        connection.execute(insert, ("c-3", 'client:["stores", "c-3"]', None))
        connection.execute("INSERT INTO different VALUES ('main', 'stores', 'c-2', '502', ?, 1, 'somebody', 0)", (PERSON,))
    assert PHONE.partition(":")[2].encode() in everything(path)
    async with opened(path) as store:
        assert await store.links.remembered("main", [PHONE]) == ["501"]
        assert await store.links.shared("main", [EMAIL], None) == {EMAIL}
        assert await store.links.different("main", "stores", "c-9", PERSON) == ["502"]
        persons = await rows(store, "SELECT person, key FROM reviews ORDER BY id")
        keyed = store.database.keyed
        assert persons == [(keyed(PERSON), keyed(EMAIL)), ('client:["stores", "c-3"]', None)]
        assert await store.reviews.open("stores", "c-4", "main", "who?", [], NOW, person=PERSON) == 1
    for value in (PHONE, EMAIL, PERSON):
        assert value.rpartition(":")[2].encode() not in everything(path)


async def test_what_was_pruned_is_gone_from_the_files(path):
    async with opened(path) as store:
        await accept(store, "e-1", "e-2")
        assert b"c-1@example.com" in everything(path)
        await settle(store)
        assert await store.upkeep.prune(NOW + 1) == 2
        assert b"c-1@example.com" not in everything(path)
        assert await rows(store, "PRAGMA integrity_check") == [("ok",)]


async def test_a_long_reader_does_not_hold_up_pruning(path):
    async with opened(path) as store:
        await accept(store, "e-1")
        await settle(store)
        with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, isolation_level=None)) as reader:
            reader.execute("BEGIN")
            reader.execute("SELECT count(*) FROM deliveries").fetchall()
            assert await store.upkeep.prune(NOW + 1) == 1
            await accept(store, "e-2")
            reader.execute("COMMIT")
        await store.database.empty_wal()
        await accept(store, "e-3")
        assert b"c-1@example.com" in everything(path), "those that are not pruned"


def test_what_is_stored_is_an_hmac_of_the_whole_key() -> None:
    key = Key(b"s" * 32)
    for text in ("email:0a1b", "phone:0a1b", "0a1b"):
        kind, colon, _ = text.rpartition(":")
        assert key.keyed(text) == kind + colon + hmac.digest(b"s" * 32, b"identity:" + text.encode(), "sha256").hex()
