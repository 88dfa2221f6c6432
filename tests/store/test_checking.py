"""A sound database is found sound; each thing that can be wrong with one is found, with what to do."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from typing import Any

import postgres
import psycopg
import pytest

from connector.model.errors import StoreError
from connector.store import Store
from connector.store.checking import LAWS, check
from connector.store.connection import Connection
from connector.store.key import key_file
from connector.store.sqlite import schema

from .samples import NOW, Place, accept, claim_one, delivery, execute, hold, opened, settle

pytestmark = pytest.mark.anyio


async def used(store: Store) -> None:
    """Events in several states, one of them running, and an open review."""
    await accept(store, "e-1", "e-2", client="c-1")
    await accept(store, "e-3", client="c-2")
    await settle(store)
    await accept(store, "e-4", client="c-4")
    await hold(store, await claim_one(store))
    await accept(store, "e-5", client="c-5")
    await claim_one(store)
    await accept(store, "e-6", client="c-1")
    await store.reviews.open("stores", "c-4", "main", "why", [], NOW)


def levels(place: Place) -> dict[str, str]:
    return {one["id"]: one["level"] for one in check(place)}


def errors(place: Place) -> list[dict[str, Any]]:
    return [one for one in check(place) if one["level"] != "ok"]


async def test_a_sound_database_beside_its_service(store, place):
    await used(store)
    found = levels(place)
    assert set(found.values()) == {"ok"}
    assert {"database.integrity", "database.key", "database.laws"} <= set(found)


BREAKING = {
    "events.running": "UPDATE lanes SET boot = NULL WHERE boot IS NOT NULL",
    "lanes.claimed": "UPDATE lanes SET boot = 'gone' WHERE client_id = 'c-2'",
    "events.forgotten": "UPDATE lanes SET due = NULL WHERE client_id = 'c-1'",
    "events.payload": "UPDATE events SET payload = NULL WHERE state = 'queued'",
    "events.lane": "UPDATE events SET client_id = 'c-9' WHERE id = 3",
    "events.source": "UPDATE events SET source = 'rooms' WHERE id = 4",
    "reviews.clients": "DELETE FROM review_clients",
    "reviews.open": "UPDATE review_clients SET answer = 'link'",
    "intents.events": "INSERT INTO intents VALUES ('k', 'create', 'intent', 's', 'c', 999, 1, 1)",
}


def test_every_law_has_a_test():
    assert {law.id for law in LAWS} == set(BREAKING)


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.id)
async def test_a_law_that_is_broken_is_found(store, place, law):
    await used(store)
    await execute(store, BREAKING[law.id])
    (found,) = [one for one in errors(place) if one["id"] == law.id]
    assert found["level"] == "error"
    assert found["message"].startswith(f"{law.broken}: ")
    assert found["hint"] == law.hint
    assert "database.laws" not in levels(place)


async def test_what_is_said_of_events_that_run_for_nobody_helps(store, place):
    await used(store)
    await execute(store, BREAKING["events.running"])
    (found,) = errors(place)
    number = int(found["message"].rpartition(" ")[2])
    (statement,) = re.findall(r"UPDATE .* IN \(…\)", found["hint"])
    await execute(store, statement.replace("…", str(number)))
    assert await store.upkeep.retry([number], NOW) == [number]
    assert number in await settle(store)
    assert errors(place) == []


@pytest.mark.parametrize("law", ["reviews.clients", "reviews.open"])
async def test_what_is_said_of_reviews_helps(store, place, law):
    await used(store)
    await execute(store, BREAKING[law])
    (found,) = errors(place)
    assert await store.reviews.decide(int(found["message"].rpartition(" ")[2]), "dismiss", None, "ann", NOW) is None
    assert errors(place) == []


@pytest.mark.parametrize("law", ["events.forgotten", "events.payload", "lanes.claimed"])
async def test_what_is_said_of_waiting_events_helps(store, place, law):
    await used(store)
    await execute(store, BREAKING[law])
    (found,) = errors(place)
    numbers = [int(found["message"].rpartition(" ")[2])]
    if law == "events.forgotten":
        assert await store.upkeep.retry(numbers, NOW) == numbers
    elif law == "events.payload":
        assert await store.upkeep.discard(numbers, "ann", NOW) == numbers
    else:
        await store.lanes.recover(NOW)
    assert errors(place) == []


async def test_figures_that_are_wrong_are_a_warning(store, place):
    await used(store)
    await execute(store, "UPDATE tallies SET n = n + 1 WHERE hour = 0 AND kind IN ('done', 'held')")
    (found,) = errors(place)
    assert (found["id"], found["level"]) == ("events.counts", "warning")
    assert found["message"].endswith(": done, held")


async def test_long_lists_are_cut(store, place):
    for n in range(13):
        await accept(store, f"x-{n}", client=f"x-{n}")
    await execute(store, "UPDATE lanes SET due = NULL")
    (found,) = errors(place)
    assert found["message"].endswith(": 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 and 3 more")


async def test_another_key_file_is_found(store, place):
    key_file(place.path).write_text("00" * 32 + "\n")
    (found,) = errors(place)
    assert (found["id"], found["level"]) == ("database.key", "error")
    assert "belongs to another database" in found["message"]


async def test_an_index_or_a_trigger_that_is_gone_is_found(store, place):
    await execute(store, "DROP INDEX one_running_per_lane")
    await execute(store, "DROP TRIGGER legal_moves" + ("" if place.address.startswith("sqlite") else " ON events"))
    (found,) = errors(place)
    assert found["message"].endswith(": legal_moves, one_running_per_lane")


async def test_tables_of_another_version(place, monkeypatch):
    async with opened(place) as store:
        await used(store)
        if place.address.startswith("sqlite"):
            await execute(store, "DELETE FROM _sqlite_migrations WHERE name = 'm011_keyed'")
        else:
            await execute(store, "DELETE FROM schema_changes")
    (found,) = errors(place)
    assert (found["id"], found["level"]) == ("database.version", "warning")
    with closing(sqlite3.connect(place.path)) if place.address.startswith("sqlite") else psycopg.connect(place.address) as raw:
        name = "_sqlite_migrations (migration_set, name, applied_at)"
        raw.execute(
            f"INSERT INTO {name} VALUES ('connector', 'm999', '')"
            if place.address.startswith("sqlite")
            else "INSERT INTO schema_changes VALUES ('m999', now())"
        )
        raw.commit()
    with pytest.raises(StoreError, match="newer version"):
        check(place)


async def test_a_place_without_our_tables(place):
    if place.address.startswith("sqlite"):
        sqlite3.connect(place.path).execute("CREATE TABLE x (y)")
    with pytest.raises(StoreError, match="There is no connector's database"):
        check(place)


@pytest.mark.sqlite_only
async def test_a_damaged_file_is_found(place):
    async with opened(place) as store:
        for n in range(50):
            await store.inbox.accept(delivery(f"e-{n}", f"c-{n}"))
    content = bytearray(place.path.read_bytes())
    with closing(sqlite3.connect(place.path)) as connection:
        ((root,),) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'events_lane'").fetchall()
        ((size,),) = connection.execute("PRAGMA page_size").fetchall()
    content[(root - 1) * size + size // 2 : root * size] = b"\x55" * (size - size // 2)
    place.path.write_bytes(content)
    (found,) = check(place)
    assert (found["id"], found["level"]) == ("database.integrity", "error")
    assert "connector restore" in found["hint"]


@pytest.mark.sqlite_only
async def test_a_reference_to_nothing_is_found_in_a_file(place):
    async with opened(place) as store:
        await used(store)
    with closing(sqlite3.connect(place.path)) as connection:
        connection.execute("DELETE FROM deliveries WHERE id = 2")
        connection.commit()
    (found,) = check(place)
    assert found["message"] == "rows of events refer to rows that are not there"


@pytest.fixture
def server_place(server: postgres.Server, tmp_path) -> Place:
    return Place(server.fresh(), tmp_path / "connector")


async def test_what_only_a_server_can_have_wrong(server_place):
    async with opened(server_place) as store:
        await used(store)
        await execute(store, "SELECT setval(pg_get_serial_sequence('events', 'id'), 2)")
        await execute(store, "ALTER TABLE claims DROP CONSTRAINT claims_intent_fkey")
        await execute(store, "INSERT INTO claims VALUES ('main', 'k', 'nowhere')")
        await execute(store, "ALTER TABLE claims ADD FOREIGN KEY (intent) REFERENCES intents NOT VALID")
        await execute(store, "ALTER TABLE events DISABLE TRIGGER legal_moves")
    found = {one["id"]: one for one in errors(server_place)}
    assert set(found) == {"database.sequences", "database.references", "database.constraints", "database.triggers"}
    assert "the next id of events was given before" in found["database.sequences"]["message"]
    assert found["database.references"]["message"].startswith("1 rows of claims refer to rows of intents")
    with psycopg.connect(server_place.address, autocommit=True) as connection:
        connection.execute(found["database.sequences"]["hint"])
    assert "database.sequences" not in levels(server_place)


async def test_indexes_are_compared_with_their_tables_where_the_server_can(server_place, server):
    async with opened(server_place) as store:
        await used(store)
    (before,) = [one for one in check(server_place) if one["id"] == "database.amcheck"]
    assert (before["level"], "CREATE EXTENSION amcheck" in before["hint"]) == ("ok", True)
    with psycopg.connect(server.url(), autocommit=True) as connection:
        connection.execute("CREATE SCHEMA IF NOT EXISTS extensions")
        connection.execute("CREATE EXTENSION amcheck SCHEMA extensions")
        try:
            (after,) = [one for one in check(server_place) if one["id"] == "database.amcheck"]
            assert after["message"] == "every index agrees with its table"
        finally:
            connection.execute("DROP EXTENSION amcheck")


async def test_a_user_who_may_not_compare_indexes_is_said_so(server_place, server):
    with psycopg.connect(server_place.address, autocommit=True) as connection:
        connection.execute("CREATE ROLE plain LOGIN")
        (schema_name,) = connection.execute("SELECT current_schema()").fetchone()
        connection.execute(f"GRANT ALL ON SCHEMA {schema_name} TO plain")
        connection.execute("CREATE EXTENSION amcheck SCHEMA pg_catalog")
        try:
            theirs = Place(server_place.address.replace("connector@", "plain@"), server_place.path)
            async with opened(theirs) as store:
                await used(store)
            (found,) = errors(theirs)
        finally:
            connection.execute("DROP EXTENSION amcheck")
    assert (found["id"], found["level"]) == ("database.amcheck", "warning")
    assert "GRANT EXECUTE ON FUNCTION pg_catalog.bt_index_check" in found["hint"]


async def test_an_index_that_was_left_unfinished_is_found(server_place, server):
    async with opened(server_place) as store:
        await used(store)
        await execute(store, "UPDATE pg_index SET indisvalid = false WHERE indexrelid = CAST('events_lane' AS regclass)")
    with psycopg.connect(server.url(), autocommit=True) as connection:
        connection.execute("CREATE EXTENSION amcheck")
        try:
            (found,) = errors(server_place)
        finally:
            connection.execute("DROP EXTENSION amcheck")
    assert found["message"] == "not valid: events_lane"
    assert found["hint"].startswith("REINDEX INDEX events_lane;")


def test_the_names_of_all_migrations_are_known():
    class Nothing:
        def execute(self, *_: Any) -> Any:
            return self

        def fetchall(self) -> list[Any]:
            return []

    nothing: Connection = Nothing()  # type: ignore[assignment]
    assert len(schema.missing_migrations(nothing)) >= 11
    assert schema.unknown_migrations(nothing) == set()
