"""All rows go into another database, of the same kind or the other: equal at the end, or refused, or gone on with later."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from connector.model.errors import StoreError
from connector.model.renewed import Renewed
from connector.store import Store, copying, look
from connector.store.copying import Copied, Progress, copy, portions
from connector.store.key import key_file
from connector.store.lock import lock
from connector.store.sqlite.standing import SqliteStanding
from connector.store.tables import tables

from .samples import NOW, Place, accept, delivery, execute, opened, rows, settle, states, whole

pytestmark = pytest.mark.anyio

DIRECTIONS = [("sqlite", "postgres"), ("postgres", "sqlite"), ("sqlite", "sqlite"), ("postgres", "postgres")]
#: Rows for the tables that deliveries alone do not fill.
MORE = """
INSERT INTO links (source, client_id, crm, customer_id, origin, linked_at)
    VALUES ('stores', 'c-1', 'main', '501', 'email', 1.5);
INSERT INTO aliases VALUES ('main', '500', '501', 0.1);
INSERT INTO identities VALUES ('main', 'email:0a', '501', 'stores', 'c-1', 1e300);
INSERT INTO intents VALUES ('i-1', 'create', 'intent', 'stores', 'c-1', 1, 1, 2);
INSERT INTO claims VALUES ('main', 'email:0a', 'i-1');
INSERT INTO appointments VALUES ('stores', 'a-1', 'c-1', 'r-1', 1.0, 2.0, 'main');
INSERT INTO reviews (id, source, client_id, crm, person, reason, since, candidates)
    VALUES (7, 'stores', 'c-1', 'main', 'p', 'r', 1, '[]');
INSERT INTO review_clients (review_id, source, client_id, candidates) VALUES (7, 'stores', 'c-1', '[]');
INSERT INTO review_decisions (review_id, decision, decided_by, decided_at) VALUES (7, 'link', 'ann', 3);
INSERT INTO different VALUES ('main', 'stores', 'c-1', '502', NULL, 7, 'ann', 3);
INSERT INTO shared_keys VALUES ('main', 'email:0b', 2, NULL, NULL, NULL);
INSERT INTO calls (quota, at, cost) VALUES ('q', 1, 1);
INSERT INTO backfills (source, asked_since, since, until, state, by_service, started_at, updated_at)
    VALUES ('stores', '2026', 1, 2, 'done', 0, 1, 1);
INSERT INTO backfill_clients VALUES (1, 'c-1', 1)
"""


@pytest.fixture
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[str], Place]:
    """A new place of a kind, in a folder of its own."""

    def make(kind: str) -> Place:
        folder = tmp_path / str(sum(1 for _ in tmp_path.iterdir()))
        folder.mkdir()
        if kind == "sqlite":
            return Place(f"sqlite:///{folder}/{folder.name}.db", folder / f"{folder.name}.db")
        return Place(request.getfixturevalue("server").fresh(), folder / "connector")

    return make


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Portions of few rows, so that a copy can be stopped between two."""
    monkeypatch.setattr(copying, "PORTION", 3)


def nobody_watches(_progress: Progress) -> None:
    """Show nothing."""


def copied(source: Place, target: Place, show: Callable[[Progress], None] = nobody_watches) -> Copied:
    return copy(source, target, NOW + 60, show)


async def fill(place: Place) -> None:
    """Rows in every table, one event in the middle of its work, and odd values."""
    async with opened(place) as store:
        await accept(store, *(f"e-{n}" for n in range(10)))
        await store.inbox.accept(delivery("e-\0", "c-\0 \ue000\U0001f600"))
        await accept(store, "other", client="c-3", source="rooms")
        for statement in MORE.split(";"):
            await execute(store, statement)
        await store.upkeep.count("odd\0")
        assert len(await store.lanes.claim(1, NOW)) == 1


def facts(place: Place) -> dict[str, str]:
    return dict(look(place, lambda connection: [tuple(r) for r in connection.execute("SELECT name, value FROM installation")]))


def without_nul(found: dict[str, list[tuple[Any, ...]]]) -> dict[str, list[tuple[Any, ...]]]:
    """As PostgreSQL has it: one character cannot be held."""
    return {
        name: sorted(
            (tuple(value.replace("\0", "\ufffd") if isinstance(value, str) else value for value in row) for row in some),
            key=repr,
        )
        for name, some in found.items()
    }


class Stopped(Exception):
    """The end of the process, as far as the copy can see it."""


def stopping_after(number: int) -> Callable[[Progress], None]:
    """Stop a copy when so many portions are written."""
    seen = []

    def show(progress: Progress) -> None:
        seen.append(progress)
        if len(seen) == number:
            raise Stopped

    return show


def test_tables_come_behind_those_they_refer_to_and_all_have_a_key():
    names = [table.name for table in tables()]
    assert len(names) == len(set(names)) >= 17
    for table in tables():
        assert table.key
        assert all(names.index(reference.other) < names.index(table.name) for reference in table.references)
    assert {r.other for t in tables() if t.name == "events" for r in t.references} == {"deliveries", "lanes"}


@pytest.mark.parametrize(("kind", "other"), DIRECTIONS)
async def test_every_row_of_every_table_arrives(make, kind, other):
    source, target = make(kind), make(other)
    await fill(source)
    before = whole(source)
    assert [name for name, some in before.items() if not some] == []
    seen: list[Progress] = []
    done = copied(source, target, seen.append)
    assert whole(source) == before
    assert done.rows == {name: len(some) for name, some in before.items()}
    assert (done.resumed, done.put_back, done.new_key_file) == (False, 1, True)
    # What a process was working on waits again; all else is the same.
    after = whole(target)
    moved = {"events", "lanes", "tallies"}
    assert {name: some for name, some in without_nul(before).items() if name not in moved} == {
        name: some for name, some in without_nul(after).items() if name not in moved
    }
    assert key_file(target.path).read_bytes() == key_file(source.path).read_bytes()
    assert key_file(target.path).stat().st_mode & 0o777 == 0o600
    assert {progress.step for progress in seen} == {"copying", "checking"}
    assert seen[-1].done == seen[-1].total == 2 * sum(done.rows.values())


@pytest.mark.parametrize(("kind", "other"), DIRECTIONS)
async def test_secrets_that_were_renewed_are_taken_along(make, kind, other):
    source, target = make(kind), make(other)
    kept = {f"crm.{n}": Renewed(f"secret-{n}", datetime(2027, 3, n, tzinfo=UTC), "f") for n in (1, 2)}
    async with opened(source) as store:
        for account, renewed in kept.items():
            await store.renewed.keep(account, renewed)
    copied(source, target)
    async with opened(target) as store:
        await store.renewed.load()
        assert {account: store.renewed.get(account) for account in kept} == kept
        if store.database.shared:
            assert "secret" not in str(await rows(store, "SELECT value FROM shared_states"))


@pytest.mark.parametrize(("kind", "other"), DIRECTIONS)
async def test_the_copy_goes_on_where_the_source_ended(make, kind, other):
    source, target = make(kind), make(other)
    await fill(source)
    async with opened(source) as store:
        # Given, and not there any more: such a number must not stand for somebody else.
        await execute(
            store,
            "INSERT INTO reviews (id, source, client_id, crm, person, reason, since, candidates)"
            " VALUES (90, 's', 'c', 'm', 'p2', 'r', 1, '[]')",
        )
        if kind == "postgres":
            await execute(store, "SELECT setval(pg_get_serial_sequence('reviews', 'id'), 90)")
        await execute(store, "DELETE FROM reviews WHERE id = 90")
    copied(source, target)
    async with opened(target) as store:
        assert sorted((await states(store)).values()) == ["queued"] * 11 + ["retrying"]
        # In the order of arrival, each once; what comes next gets the next number.
        await accept(store, "e-next")
        await store.reviews.open("stores", "c-9", "main", "why", [], NOW)
        assert await rows(store, "SELECT id FROM reviews WHERE client_id = 'c-9'") == [(91,)]
        first = await settle(store, NOW + 120)
        assert sorted(first) == list(range(1, 14))
        lane = [n for n in first if n not in (11, 12)]
        assert lane == sorted(lane)
        assert await store.inbox.accept(delivery("e-3")) == "duplicate"
        assert len(await rows(store, "SELECT id FROM deliveries WHERE event = 'e-next'")) == 1


async def test_there_and_back_again_is_the_same(make):
    source, server, back = make("sqlite"), make("postgres"), make("sqlite")
    await fill(source)
    async with opened(source) as store:
        await store.lanes.recover(NOW)
        await settle(store, NOW + 1)
    copied(source, server)
    copied(server, back)
    assert without_nul(whole(back)) == without_nul(whole(source))
    assert facts(back) == facts(source)


@pytest.mark.parametrize(("kind", "other"), DIRECTIONS[:2])
@pytest.mark.parametrize("number", [1, 2, 5, 9, 14, 25])
async def test_a_copy_that_was_stopped_is_refused_by_services_and_goes_on(make, small, kind, other, number):
    source, target = make(kind), make(other)
    await fill(source)
    with pytest.raises(Stopped):
        copied(source, target, stopping_after(number))
    with pytest.raises(StoreError, match="only a part of a copy") as caught:
        Store.open(target)
    assert "run the same `connector database copy`" in caught.value.hint
    seen: list[Progress] = []
    done = copied(source, target, seen.append)
    assert done.resumed
    assert sum(progress.step == "copying" for progress in seen) < sum(-(-n // 3) for n in done.rows.values())
    whole_copy = make(other)
    copied(source, whole_copy)
    assert whole(target) == whole(whole_copy)
    async with opened(target) as store:
        assert len(await settle(store, NOW + 120)) == 12


async def test_a_source_that_was_used_between_two_attempts_is_copied_anew(make, small):
    source, target = make("sqlite"), make("postgres")
    await fill(source)
    with pytest.raises(Stopped):
        copied(source, target, stopping_after(9))
    async with opened(source) as store:
        await store.lanes.recover(NOW)
        await settle(store, NOW + 1)
        await execute(store, "DELETE FROM links")
    done = copied(source, target)
    assert done.rows["links"] == 0
    assert without_nul(whole(target)) == without_nul(whole(source))


@pytest.mark.parametrize("other", ["sqlite", "postgres"])
async def test_what_a_source_got_between_two_attempts_and_does_not_fit_is_copied_anew(make, small, other):
    source, target = make("sqlite"), make(other)
    await fill(source)
    with pytest.raises(Stopped):
        # Deliveries, lanes, and some of the events.
        copied(source, target, stopping_after(7))
    async with opened(source) as store:
        await store.lanes.recover(NOW)
        await accept(store, "e-new", client="c-new")
    done = copied(source, target)
    assert done.rows["events"] == 13
    async with opened(target) as store:
        assert len(await settle(store, NOW + 120)) == 13


async def test_a_row_that_changed_on_the_way_is_noticed(make, monkeypatch):
    source, target = make("sqlite"), make("sqlite")
    await fill(source)
    add = SqliteStanding.add

    def changing(self, table, some):
        if table.name == "links":
            some = [(*row[:4], "999", *row[5:]) for row in some]
        add(self, table, some)

    monkeypatch.setattr(SqliteStanding, "add", changing)
    with pytest.raises(StoreError, match="not all rows of links are equal"):
        copied(source, target)
    with pytest.raises(StoreError, match="only a part of a copy"):
        Store.open(target)


@pytest.mark.parametrize("other", ["sqlite", "postgres"])
async def test_a_target_with_rows_is_refused_and_left_as_it_is(make, other):
    source, target = make("sqlite"), make(other)
    await fill(source)
    await fill(target)
    before = whole(target)
    with pytest.raises(StoreError, match="is not empty: there are rows in deliveries"):
        copied(source, target)
    assert whole(target) == before
    copied_once = make(other)
    copied(source, copied_once)
    with pytest.raises(StoreError, match="is not empty"):
        copied(source, copied_once)


async def test_a_part_of_another_copy_is_refused(make, small):
    one, two, target = make("sqlite"), make("sqlite"), make("postgres")
    await fill(one)
    await fill(two)
    with pytest.raises(Stopped):
        copied(one, target, stopping_after(2))
    with pytest.raises(StoreError, match=f"is a part of a copy of another database, {one.path.name}"):
        copied(two, target)
    with pytest.raises(StoreError, match="only a part of a copy"):
        copied(replace(target, path=target.path), make("sqlite"))


@pytest.mark.parametrize(("kind", "other"), DIRECTIONS[:2])
async def test_nothing_is_copied_while_a_service_has_either_side(make, kind, other, tmp_path):
    source, target = make(kind), make(other)
    await fill(source)
    async with opened(source):
        with pytest.raises(StoreError, match="in use by another connector"):
            copied(source, target)
    async with opened(target):
        with pytest.raises(StoreError, match="in use by another connector"):
            copied(source, target)
        if other == "postgres":
            # As from another machine.
            (tmp_path / "elsewhere").mkdir()
            with pytest.raises(StoreError, match="in use by another connector"):
                copied(source, replace(target, path=tmp_path / "elsewhere" / "connector"))


async def test_a_target_that_a_service_has_only_made_is_empty(make):
    source, target = make("sqlite"), make("postgres")
    await fill(source)
    async with opened(target):
        pass
    with pytest.raises(StoreError, match=r"connector\.key is there already, and belongs to another database"):
        copied(source, target)
    key_file(target.path).unlink()
    copied(source, target)
    async with opened(target) as store:
        assert len(await settle(store, NOW + 120)) == 12


async def test_other_refusals_leave_nothing(make, tmp_path):
    source, target = make("sqlite"), make("sqlite")
    with pytest.raises(StoreError, match=f"There is no database {source.path.name}"):
        copied(source, target)
    assert list(source.path.parent.iterdir()) == []
    await fill(source)
    with pytest.raises(StoreError, match="cannot be opened"):
        copied(source, Place("sqlite:////nowhere/x.db", Path("/nowhere/x.db")))
    with closing(sqlite3.connect(target.path)) as other:
        other.execute("CREATE TABLE theirs (x)")
    with pytest.raises(StoreError, match="is the database of another program"):
        copied(source, target)
    assert not key_file(target.path).exists()


async def test_a_source_that_is_no_connectors_database_is_left_as_it_is(make):
    source = make("postgres")
    with pytest.raises(StoreError, match="is not a connector's database yet"):
        copied(source, make("sqlite"))
    with pytest.raises(StoreError, match="not a connector's database"):
        whole(source)


async def test_a_column_that_this_version_does_not_know_is_not_lost_in_silence(make):
    source = make("sqlite")
    await fill(source)
    with closing(sqlite3.connect(source.path)) as connection:
        connection.execute("ALTER TABLE links ADD COLUMN note TEXT")
    with pytest.raises(StoreError, match=r"links of 0\.db has other columns than this version knows: note"):
        copied(source, make("sqlite"))


def test_portions_are_small_in_rows_and_in_bytes(small):
    assert [len(some) for some in portions([(1,)] * 7)] == [3, 3, 1]
    long = ("x" * 5_000_000, None, b"y" * 5_000_000)
    assert [len(some) for some in portions([long, long])] == [1, 1]
    assert list(portions([])) == []


async def test_a_server_knows_how_many_rows_there_are(make):
    source, target = make("sqlite"), make("postgres")
    await fill(source)
    copied(source, target)
    query = "SELECT reltuples FROM pg_class WHERE oid = CAST('events' AS regclass)"
    assert look(target, lambda connection: connection.execute(query).fetchone()[0]) == 12


async def test_a_process_that_was_killed_on_another_machine_counts_until_its_lease_has_run_out(make):
    source, target = make("sqlite"), make("postgres")
    await fill(source)
    async with opened(target) as store:
        await execute(
            store, "INSERT INTO processes SELECT 'b', role, 'elsewhere', host, pid, started_at, seen_at, 60 FROM processes"
        )
        await execute(
            store,
            "INSERT INTO processes SELECT 'c', role, place, host, pid, started_at, seen_at, 60 FROM processes"
            " WHERE boot <> 'b'",
        )
    key_file(target.path).unlink()
    # The row of 'c' is of the lock file that the copy holds now: it has ended.
    with pytest.raises(StoreError, match="is in use by another connector process") as caught:
        copied(source, target)
    assert "until its lease has run out" in caught.value.hint
    look_and_change(target, "UPDATE processes SET seen_at = seen_at - 61")
    copied(source, target)


def look_and_change(place: Place, sql: str) -> None:
    import psycopg

    with psycopg.connect(place.address, autocommit=True) as connection:
        connection.execute(sql)


async def test_a_lock_that_a_command_holds_is_respected(make):
    source = make("sqlite")
    await fill(source)
    handle = lock(source.path)
    try:
        with pytest.raises(StoreError, match="in use by another connector"):
            copied(source, make("sqlite"))
    finally:
        os.close(handle)
