"""What only a server does: a second process, sessions that are cut off, a server that is away, commits without an answer."""

from __future__ import annotations

import asyncio
import secrets
import signal
from dataclasses import replace
from pathlib import Path

import postgres
import psycopg
import pytest

from connector.model.bookings import Reading
from connector.model.errors import StoreError
from connector.model.jobs import Verdict
from connector.store import Store, look, read_lock, views
from connector.store.postgres import database, schema, sessions
from connector.store.postgres.database import PostgresDatabase
from connector.store.postgres.dialect import translated

from .processes import SERVING, child
from .samples import (
    NOW,
    Place,
    accept,
    busy_writer,
    claim_one,
    delivery,
    event,
    execute,
    handed_over,
    opened,
    rows,
    settle,
    states,
)

pytestmark = pytest.mark.anyio


@pytest.fixture
def place(server: postgres.Server, tmp_path: Path) -> Place:
    return Place(server.fresh(), tmp_path / "connector")


def ask(place: Place, sql: str) -> list[tuple]:
    with psycopg.connect(place.address, autocommit=True) as connection:
        return connection.execute(sql).fetchall()


def cut_off(place: Place, what: str = "writer") -> None:
    """End the sessions of a store from the server's side, as a restart or a network does."""
    schema = ask(place, "SELECT current_schema()")[0][0]
    ask(
        place,
        "SELECT pg_terminate_backend(l.pid, 5000) FROM pg_locks l JOIN pg_stat_activity a USING (pid)"
        f" WHERE l.locktype = 'advisory' AND a.application_name = 'connector {what}'"
        f" AND l.objid = (hashtext('{schema}')::bigint & 4294967295)::oid",
    )


async def until_writable(store: Store) -> None:
    """Wait until the writer has its session again."""
    async with asyncio.timeout(20):
        while True:
            try:
                await store.upkeep.count("tries")
            except StoreError:
                await asyncio.sleep(0.02)
            else:
                return


@pytest.fixture
def eager(monkeypatch) -> None:
    """Try to get a lost session back at once."""
    monkeypatch.setattr(database, "_PAUSE", 0.01)


def test_placeholders_are_numbered_and_literals_stay():
    assert translated("SELECT ?, 'a?:b', x || ? WHERE y = ''''") == ("SELECT $1, 'a?:b', x || $2 WHERE y = ''''", ())
    assert translated("SELECT :b, :a, :b") == ("SELECT $1, $2, $1", ("b", "a"))


async def test_a_second_process_is_refused_until_the_first_has_ended(store, place, tmp_path):
    # In another folder, as on another machine: the lock file says nothing there.
    (tmp_path / "other").mkdir()
    other = Place(place.address, tmp_path / "other" / "connector")
    with pytest.raises(StoreError, match="in use by another connector: one process at a time"):
        Store.open(other)
    await store.close()
    (tmp_path / "other" / "connector.key").write_bytes((tmp_path / "connector.key").read_bytes())
    async with opened(other) as second:
        await accept(second, "e-1")


async def test_nothing_that_was_acknowledged_is_lost_when_the_process_is_killed(place):
    with child(SERVING, place.path, place.address) as process:
        acknowledged = [process.stdout.readline().strip() for _ in range(100)]
        assert read_lock(place.path) == {"port": 8080}
        process.kill()
        acknowledged += [line.strip() for line in process.stdout if line.endswith("\n")]
    assert read_lock(place.path) is None
    async with opened(place) as store:
        stored = [row[0] for row in await rows(store, "SELECT event FROM deliveries ORDER BY id")]
        assert stored[: len(acknowledged)] == acknowledged
        assert len(stored) <= len(acknowledged) + 1
        assert await store.lanes.recover(NOW) >= 49
        assert len(await settle(store)) == len(stored)
        assert set((await states(store)).values()) == {"done"}


async def test_a_process_that_stands_still_keeps_the_lock_until_it_ends(place, tmp_path):
    (tmp_path / "other").mkdir()
    other = Place(place.address, tmp_path / "other" / "connector")
    with child(SERVING, place.path, place.address) as process:
        assert process.stdout.readline() == "e-0\n"
        process.send_signal(signal.SIGSTOP)
        with pytest.raises(StoreError, match="in use by another connector"):
            Store.open(other)
    (tmp_path / "other" / "connector.key").write_bytes((tmp_path / "connector.key").read_bytes())
    async with opened(other) as store:
        assert await store.lanes.recover(NOW) >= 0
        assert len(await settle(store)) == (await rows(store, "SELECT count(*) FROM events"))[0][0] > 0


@pytest.mark.parametrize(
    ("how", "text"),
    [
        ("TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C'", "is in LATIN1"),
        ("TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C'", "no schema to make tables in"),
    ],
)
async def test_a_database_that_will_not_do(server, tmp_path, how, text):
    with psycopg.connect(server.url(), autocommit=True) as connection:
        connection.execute("DROP DATABASE IF EXISTS other")
        connection.execute(f"CREATE DATABASE other {how}")
    with pytest.raises(StoreError, match=text):
        Store.open(Place(server.url("other", options="-csearch_path=nowhere"), tmp_path / "connector"))


async def test_a_machine_with_another_key_file_is_refused(place, tmp_path):
    async with opened(place):
        pass
    (tmp_path / "other").mkdir()
    with pytest.raises(StoreError, match=r"connector\.key is missing"):
        Store.open(Place(place.address, tmp_path / "other" / "connector"))
    async with opened(place) as store:
        await accept(store, "e-1")


async def test_a_cut_session_refuses_at_once_and_comes_back(store, place, eager):
    await accept(store, "e-1")
    cut_off(place)
    with pytest.raises(StoreError, match="cannot be reached") as caught:
        await store.inbox.accept(delivery("e-2"))
    assert "password" not in str(caught.value)
    await until_writable(store)
    assert await store.inbox.accept(delivery("e-2")) == "queued"
    assert await settle(store) == [1, 2]


async def test_an_operation_whose_session_is_cut_in_the_middle_is_stored_for_nobody(store, place, eager):
    def half(connection):
        connection.execute("INSERT INTO tallies (kind, n) VALUES ('half', 1)")
        cut_off(place)
        connection.execute("INSERT INTO tallies (kind, hour, n) VALUES ('half', 2, 1)")

    async with busy_writer(store):
        waiting = [asyncio.create_task(store.database.write(half)), asyncio.create_task(store.inbox.accept(delivery("e-1")))]
        await handed_over(*waiting)
    results = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(result) for result in results] == [StoreError] * 2
    await until_writable(store)
    assert await rows(store, "SELECT * FROM tallies WHERE kind IN ('half', 'received')") == []


@pytest.mark.parametrize("arrives", [True, False])
async def test_the_outcome_of_a_commit_that_was_cut_off_is_looked_up(store, place, eager, arrives):
    """The session ends at the COMMIT: before the server has heard it, or before its answer."""
    session = store.database._session

    class Cut:
        closed = False

        def execute(self, query, *values):
            if query == "COMMIT":
                if arrives:
                    session.execute(query)
                cut_off(place)
                self.closed = True
            return session.execute(query, *values)

        def cursor(self, *args, **kwargs):
            return session.cursor(*args, **kwargs)

        def __getattr__(self, name):
            return getattr(session, name)

    store.database._session = Cut()
    if arrives:
        assert await store.inbox.accept(delivery("e-1")) == "queued"
    else:
        with pytest.raises(StoreError, match="cannot be reached"):
            await store.inbox.accept(delivery("e-1"))
    await until_writable(store)
    assert await states(store) == ({1: "queued"} if arrives else {})


async def test_while_a_server_is_away_everything_is_refused_and_goes_on_afterwards(tmp_path, eager):
    with postgres.serving() as server:
        place = Place(server.fresh(), tmp_path / "connector")
        async with opened(place) as store:
            await accept(store, "e-1", "e-2")
            work = await claim_one(store)
            server.stop("immediate")
            with pytest.raises(StoreError, match="cannot be reached"):
                await store.inbox.accept(delivery("e-3"))
            with pytest.raises(StoreError, match="cannot be reached"):
                await store.read(views.queue)
            server.start()
            await until_writable(store)
            await store.lanes.conclude(work, Verdict("done"), NOW)
            assert await settle(store) == [2]
            assert (await store.read(views.queue))["done"] == 2


async def test_a_process_that_was_replaced_writes_never_again(store, place, eager, tmp_path):
    await accept(store, "e-1")
    work = await claim_one(store)
    store.database._next_attempt = float("inf")  # as if it were stopped for a while
    store.database._lost = lambda: setattr(store.database, "_session", None)
    cut_off(place)
    with pytest.raises(StoreError):
        await store.lanes.conclude(work, Verdict("done"), NOW)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "connector.key").write_bytes((tmp_path / "connector.key").read_bytes())
    async with opened(Place(place.address, tmp_path / "other" / "connector")) as other:
        assert await other.lanes.recover(NOW) == 1
        store.database._next_attempt = 0.0
        with pytest.raises(StoreError, match="cannot be reached"):
            await store.upkeep.count("tries")
    async with asyncio.timeout(20):
        while store.database._fault is None:
            with pytest.raises(StoreError):
                await store.upkeep.count("tries")
            await asyncio.sleep(0.02)
    with pytest.raises(StoreError, match="Another connector has used"):
        await store.inbox.accept(delivery("e-2"))
    assert await states(store) == {1: "retrying"}


async def test_readers_come_back_by_themselves(store, place):
    await accept(store, "e-1")
    assert (await store.read(views.queue))["queued"] == 1
    assert cut_off(place, "reader") is None
    assert (await store.read(views.queue))["queued"] == 1


async def test_a_read_takes_no_longer_than_its_budget(store):
    with pytest.raises(StoreError, match="took too long"):
        await store.database.read(lambda connection: connection.execute("SELECT pg_sleep(10)"), budget=0.05)
    assert (await store.read(views.queue))["queued"] == 0


async def test_one_that_cannot_be_stored_keeps_nobody_else_from_it(store):
    """An index of PostgreSQL has no room for a text of random characters this long."""
    bad = replace(delivery("e-2"), event=secrets.token_hex(20_000))
    async with busy_writer(store):
        waiting = [asyncio.create_task(store.inbox.accept(one)) for one in (delivery("e-1"), bad, delivery("e-3"))]
        await handed_over(*waiting)
    results = await asyncio.gather(*waiting, return_exceptions=True)
    assert [results[0], type(results[1]), results[2]] == ["queued", StoreError, "queued"]
    assert bad.event not in str(results[1])


async def test_a_character_that_postgresql_has_not_is_replaced(store):
    assert await store.inbox.accept(delivery("e-\0", "c-\0")) == "queued"
    assert await store.inbox.accept(delivery("e-\0", "c-\0")) == "duplicate"
    assert (await claim_one(store)).client_id == "c-\ufffd"


async def test_what_clients_of_one_booking_are_is_found_in_odd_payloads(store):
    """Part of a payload is read by the database; a zero character in its text must not stop that."""
    odd = event("c-2", appointment="a-1").model_copy(update={"type": "\0"})
    both = delivery("e-1", reading=Reading(event_id="e-1", type="x", events=[event("c-1", appointment="a-1"), odd]))
    await store.inbox.accept(both)
    columns = "source, client_id, crm, customer_id, origin, linked_at"
    await execute(store, f"INSERT INTO links ({columns}) VALUES ('stores', 'c-2', 'main', '501', 'email', 1)")
    assert await store.links.beside("main", "stores", "c-1", 1, "a-1") == ["501"]


async def test_tables_of_a_newer_version_are_refused(place):
    async with opened(place) as store:
        await execute(store, "INSERT INTO schema_changes VALUES ('m999_later', now())")
    with pytest.raises(StoreError, match="newer version"):
        Store.open(place)


async def test_a_change_that_fails_half_way_leaves_nothing(place, monkeypatch):
    async with opened(place):
        pass
    change = ("m999_later", "CREATE TABLE half (id INTEGER); SELECT 1 / 0")
    with monkeypatch.context() as later:
        later.setattr(schema, "CHANGES", (*schema.CHANGES, change))
        with pytest.raises(StoreError, match="DivisionByZero"):
            Store.open(place)
    assert ask(place, "SELECT to_regclass('half')") == [(None,)]
    async with opened(place) as store:
        assert not store.database.new


async def test_both_schemas_have_the_same_columns(place, tmp_path):
    async with opened(tmp_path / "connector.db") as file:
        names = await rows(file, "SELECT name FROM sqlite_master WHERE type = 'table'")
        theirs = {
            (name, row[0]) for (name,) in names for row in await rows(file, f"SELECT name FROM pragma_table_info('{name}')")
        }
    async with opened(place) as store:
        query = "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = current_schema()"
        ours = set(await rows(store, query))
    assert {one for one in theirs if not one[0].startswith(("sqlite_", "_sqlite"))} == {
        one for one in ours if one[0] != "schema_changes"
    }


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"user": "stranger"}, 'refuses the connection: role "stranger" does not exist'),
        ({"dbname": "nowhere"}, 'refuses the connection: database "nowhere" does not exist'),
        ({"host": "/nowhere"}, "cannot be reached"),
    ],
)
async def test_a_server_that_does_not_let_us_in_is_said_without_the_password(server, tmp_path, change, text):
    url = psycopg.conninfo.make_conninfo(server.url(), password="s3cret", **change)
    with pytest.raises(StoreError, match=text) as caught:
        PostgresDatabase.open(url, tmp_path / "connector")
    assert "s3cret" not in str(caught.value) + caught.value.hint


def test_an_address_that_is_none_is_not_quoted():
    with pytest.raises(StoreError, match="not an address") as caught:
        sessions.name_of("postgresql://me:s3cret@[host/db")
    assert "s3cret" not in str(caught.value)


async def test_a_look_needs_no_lock(store, place):
    assert look(place, views.queue)["queued"] == 0


@pytest.mark.parametrize(("required", "outcome"), [("", pytest.skip.Exception), ("required", pytest.fail.Exception)])
def test_where_no_server_is_installed_these_tests_are_skipped_or_fail(monkeypatch, required, outcome):
    monkeypatch.setattr(postgres, "programs", lambda: None)
    monkeypatch.setenv("CONNECTOR_TEST_POSTGRES", required)
    with pytest.raises(outcome, match="no PostgreSQL server is installed"):
        postgres.needed()
