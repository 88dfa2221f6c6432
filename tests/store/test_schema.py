"""The tables defend themselves: states, moves, one running event per lane, and files of other versions."""

from __future__ import annotations

import sqlite3
import subprocess
import sys

import pytest
from sqlite_utils import Database

from connector.model.errors import StoreError
from connector.model.states import MOVES, STATES
from connector.store.connection import unfinished
from connector.store.sqlite import schema
from connector.store.sqlite.schema import migrate

NOW = 1_795_000_000.0


def insert(connection: sqlite3.Connection, state: str, *, lane: int | None = 1) -> int:
    row = connection.execute(
        "INSERT INTO events (delivery_id, lane_id, source, client_id, type, state, received_at, updated_at)"
        " VALUES (1, ?, 'stores', 'c-1', 'x', ?, ?, ?) RETURNING id",
        (lane, state, NOW, NOW),
    ).fetchone()
    connection.execute(
        "INSERT INTO tallies (kind, n) VALUES (?, 1) ON CONFLICT DO UPDATE SET n = n + 1",
        (state,),
    )
    return row[0]


@pytest.fixture
def connection():
    connection = sqlite3.connect(":memory:", isolation_level=None)
    connection.execute("PRAGMA foreign_keys = ON")
    migrate(connection, str)
    connection.execute("INSERT INTO deliveries (source, event, derived, type, received_at) VALUES ('stores', 'e-1', 0, 'x', 0)")
    connection.execute("INSERT INTO lanes (source, client_id) VALUES ('stores', 'c-1'), ('stores', 'c-2')")
    yield connection
    connection.close()


@pytest.mark.parametrize("old", STATES)
@pytest.mark.parametrize("new", STATES)
def test_only_the_documented_moves_are_possible(connection, old, new):
    id_ = insert(connection, old)
    if new == old or new in MOVES[old]:
        connection.execute("UPDATE events SET state = ? WHERE id = ?", (new, id_))
    else:
        with pytest.raises(sqlite3.IntegrityError, match="cannot move that way"):
            connection.execute("UPDATE events SET state = ? WHERE id = ?", (new, id_))


@pytest.mark.parametrize("state", ["", "Queued", "paused", None])
def test_no_other_state_exists(connection, state):
    with pytest.raises(sqlite3.IntegrityError):
        insert(connection, state)


def test_what_is_final_stays_and_only_a_person_discards():
    assert [state for state, moves in MOVES.items() if not moves] == ["done", "discarded"]
    assert MOVES["ignored"] == ("queued",), "a person may retry it"
    assert "discarded" not in MOVES["running"]
    assert all(state in STATES for moves in MOVES.values() for state in moves)


def test_one_event_of_a_lane_runs_at_a_time(connection):
    insert(connection, "running")
    insert(connection, "running", lane=2)
    waiting = insert(connection, "queued")
    with pytest.raises(sqlite3.IntegrityError, match="UNIQUE"):
        connection.execute("UPDATE events SET state = 'running' WHERE id = ?", (waiting,))


@pytest.mark.parametrize("state", STATES)
def test_what_waits_or_runs_has_a_lane(connection, state):
    if state in ("queued", "running", "retrying"):
        with pytest.raises(sqlite3.IntegrityError, match="CHECK"):
            insert(connection, state, lane=None)
    else:
        insert(connection, state, lane=None)


def test_the_tallies_follow_every_move(connection):
    ids = [insert(connection, "queued", lane=1 + n % 2) for n in range(4)]
    connection.execute("UPDATE events SET state = 'discarded' WHERE id IN (?, ?)", ids[:2])
    connection.execute("UPDATE events SET state = 'running' WHERE id = ?", (ids[2],))
    connection.execute("UPDATE events SET state = 'running' WHERE id = ?", (ids[2],))
    counted = dict(connection.execute("SELECT kind, n FROM tallies WHERE hour = 0 AND n > 0"))
    assert counted == {"discarded": 2, "running": 1, "queued": 1}


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO deliveries (source, event, derived, type, received_at) VALUES ('stores', 'e-1', 0, 'x', 0)",
        "INSERT INTO lanes (source, client_id) VALUES ('stores', 'c-1')",
        "INSERT INTO intents VALUES ('k', 'guess', 'intent', 's', 'c', 1, 0, 0)",
        "INSERT INTO intents VALUES ('k', 'create', 'perhaps', 's', 'c', 1, 0, 0)",
        "INSERT INTO claims VALUES ('main', 'email:1', 'no such intent')",
        "INSERT INTO links (source, client_id, crm, customer_id, origin, linked_at) VALUES ('s', 'c', 'm', '1', 'guess', 0)",
        "INSERT INTO lanes (source, client_id, due) VALUES ('stores', 'c-9', 'soon')",
    ],
)
def test_the_database_refuses_what_must_not_be(connection, statement):
    with pytest.raises(sqlite3.IntegrityError):
        connection.execute(statement)


def test_claiming_a_lane_reads_no_heap_of_events(connection):
    plans = {
        "SELECT id FROM lanes WHERE priority = 0 AND due <= 1 AND boot IS NULL ORDER BY due LIMIT 8": "lanes_due",
        "SELECT id FROM events WHERE lane_id = 1 AND state IN ('queued', 'retrying') ORDER BY id LIMIT 1": "events_waiting",
        "SELECT min(due) FROM lanes WHERE priority = 0 AND due IS NOT NULL AND boot IS NULL": "lanes_due",
        "UPDATE lanes SET due = 1 WHERE awaited_account = 'crm.main' AND awaited_action IS NULL"
        " AND boot IS NULL": "lanes_waiting",
        "SELECT id FROM lanes WHERE awaited_account = 'crm.main' AND awaited_action = 'record' AND boot IS NULL"
        " ORDER BY token, id LIMIT 1": "lanes_waiting",
        f"SELECT received_at FROM events WHERE state = 'queued' AND {unfinished()} ORDER BY id LIMIT 1": "events_open",
    }
    for query, index in plans.items():
        plan = " ".join(row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {query}"))
        assert index in plan, plan
        assert "TEMP B-TREE" not in plan, plan


def test_no_table_of_values_is_built_for_each_event_that_is_written(connection):
    values = "(1, 1, 'stores', 'c-1', 'x', 'queued', 0, 0)"
    columns = "(delivery_id, lane_id, source, client_id, type, state, received_at, updated_at)"
    for statement in (f"INSERT INTO events {columns} VALUES {values}", "UPDATE events SET step = 'fill' WHERE id = 1"):
        steps = [row[1] for row in connection.execute(f"EXPLAIN {statement}")]
        assert "Insert" in steps
        assert "OpenEphemeral" not in steps


def test_an_older_file_gets_the_index_that_the_queries_name():
    connection = sqlite3.connect(":memory:", isolation_level=None)
    connection.create_function("keyed", 1, str)
    schema.migrations.apply(Database(connection), stop_before="m015_compared")
    connection.execute("DROP INDEX events_open")
    connection.execute("CREATE INDEX events_open ON events (state, id) WHERE state NOT IN ('done', 'ignored', 'discarded')")
    migrate(connection, str)
    query = f"SELECT id FROM events WHERE state = 'held' AND {unfinished()} ORDER BY id"
    assert "events_open" in connection.execute(f"EXPLAIN QUERY PLAN {query}").fetchone()[3]
    connection.close()


def test_migrating_again_changes_nothing(connection):
    before = connection.execute("SELECT name, sql FROM sqlite_master ORDER BY name").fetchall()
    migrate(connection, str)
    assert connection.execute("SELECT name, sql FROM sqlite_master ORDER BY name").fetchall() == before


def test_recorded_appointments_of_an_older_file_belong_to_the_crm_of_the_link():
    connection = sqlite3.connect(":memory:", isolation_level=None)
    schema.migrations.apply(Database(connection), stop_before="m004_where_recorded")
    connection.execute(
        "INSERT INTO links (source, client_id, crm, customer_id, origin, linked_at)"
        " VALUES ('stores', 'c', 'main', '1', 'email', 0)"
    )
    connection.execute(
        "INSERT INTO appointments VALUES ('stores', 'a-1', 'c', 'r-1', 1, 0), ('stores', 'a-2', 'd', 'r-2', 1, 0)"
    )
    migrate(connection, str)
    assert connection.execute("SELECT record_id, crm FROM appointments").fetchall() == [("r-1", "main"), ("r-2", "")]
    connection.close()


def test_a_file_of_a_newer_version_is_refused_and_left_alone(connection):
    connection.execute(
        "INSERT INTO _sqlite_migrations (migration_set, name, applied_at) VALUES ('connector', 'm999_later', '')"
    )
    with pytest.raises(StoreError, match="newer version") as caught:
        migrate(connection, str)
    assert caught.value.hint


def test_comparing_versions_opens_nothing(connection, monkeypatch):
    monkeypatch.setattr(sqlite3, "connect", None)
    assert schema.unknown_migrations(connection) == schema.missing_migrations(connection) == set()


def test_a_file_that_needs_no_migration_is_opened_without_the_library_for_it(tmp_path):
    program = (
        "import sqlite3, sys; from connector.store.sqlite.schema import migrate\n"
        f"connection = sqlite3.connect({str(tmp_path / 'c.db')!r}, isolation_level=None); migrate(connection, str)\n"
        "print(connection.execute('SELECT count(*) FROM lanes').fetchone(), 'sqlite_utils' in sys.modules)"
    )
    said = [subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout for _ in "12"]
    assert said == ["(0,) True\n", "(0,) False\n"]


def test_another_program_s_migrations_are_not_ours(connection):
    connection.execute("INSERT INTO _sqlite_migrations (migration_set, name, applied_at) VALUES ('other', 'm999', '')")
    migrate(connection, str)


def test_a_migration_that_fails_half_way_leaves_nothing_and_can_be_done_again(monkeypatch):
    connection = sqlite3.connect(":memory:", isolation_level=None)
    with monkeypatch.context() as patched:
        patched.setattr(schema, "TALLY", "CREATE TRIGGER broken AFTER UPDATE ON nothing BEGIN SELECT 1; END;")
        with pytest.raises(sqlite3.Error):
            migrate(connection, str)
    tables = connection.execute("SELECT name FROM sqlite_master WHERE name IN ('events', 'deliveries', 'lanes')").fetchall()
    assert tables == []
    migrate(connection, str)
    assert connection.execute("SELECT count(*) FROM events").fetchone() == (0,)
    connection.close()


def test_a_file_of_the_first_version_keeps_what_it_holds():
    connection = sqlite3.connect(":memory:", isolation_level=None)
    schema.migrations.apply(Database(connection), stop_before="m002_comparisons")
    values = "('stores', 'c-1', 'main', '501', 'email', 0)"
    connection.execute(f"INSERT INTO links (source, client_id, crm, customer_id, origin, linked_at) VALUES {values}")
    connection.execute("INSERT INTO identities VALUES ('main', 'email:1', '501', 7)")
    migrate(connection, str)
    assert connection.execute("SELECT client_id, compared_at FROM links").fetchall() == [("c-1", None)]
    assert connection.execute("SELECT * FROM identities").fetchall() == [("main", "email:1", "501", "", "", 7.0)]
    connection.close()
