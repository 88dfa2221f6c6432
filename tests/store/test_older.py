"""A database of an older version keeps what it holds, of either kind."""

from __future__ import annotations

import json
import sqlite3

import psycopg
import pytest
from sqlite_utils import Database as SqliteUtilsDatabase
from structlog.testing import capture_logs

from connector.model.backfills import Mode, Request
from connector.model.jobs import Awaited
from connector.store import tallies, views
from connector.store.postgres import schema as postgres_schema
from connector.store.sqlite import schema as sqlite_schema
from connector.store.tallies import Tally

from .samples import NOW, Place, delivery, execute, opened, rows

pytestmark = pytest.mark.anyio

HOUR = int(NOW // 3600)
REPLACED = '["stores", "c:1", "main", "501", "email", null, 1795000000.25]'
#: What a version before the typed tallies and requests had written.
OLD = [
    f"INSERT INTO tallies (hour, name, n) VALUES (0, 'queued', 3), (0, 'without_identity', 2), (0, 'readiness checks', 9),"
    f" (0, 'last:a:b', 1795000000), (0, 'lost:a:b', 1795000001), (0, 'reused:stores', 4), ({HOUR}, 'received', 5),"
    f" ({HOUR}, 'done', 1), ({HOUR}, 'retrying', 7)",
    "INSERT INTO backfills (source, asked, since, until, state, by_service, started_at, updated_at) VALUES"
    """ ('stores', '["2026-01-01", null]', 1, 2, 'walking', 1, 0, 0),"""
    """ ('salon', '["2026-01-01", "2026-01-08", "changes"]', 1, 2, 'working', 1, 0, 0)""",
    "INSERT INTO reviews (source, client_id, crm, person, reason, since, candidates)"
    " VALUES ('stores', 'c:1', 'main', 'client:1', 'why', 0, '[]')",
    "INSERT INTO review_clients (review_id, source, client_id, candidates, told, replaced)"
    f" VALUES (1, 'stores', 'c:1', '[]', 'link', '{REPLACED}'), (1, 'stores', 'c-2', '[]', 'link', NULL)",
    "INSERT INTO intents (key, kind, state, source, client_id, event_id, result, begun_at, updated_at)"
    " VALUES ('k', 'create', 'done', 'stores', 'c:1', 1, '501', 0, 7)",
    "INSERT INTO lanes (source, client_id, due, waits_for) VALUES ('stores', 'c-0', 5, NULL),"
    " ('stores', 'c-1', NULL, 'crm.main'), ('stores', 'c-2', NULL, 'crm.main: record the appointment'),"
    " ('stores', 'c-3', NULL, 'crm.main: set the price: once')",
    "INSERT INTO shared_keys (crm, key, people, noticed_at) VALUES ('main', 'email:1', 3, 7)",
]


@pytest.fixture
def older(place: Place, monkeypatch: pytest.MonkeyPatch) -> Place:
    """A database as it was before, with the rows of `OLD`."""
    if place.address.startswith("sqlite"):
        connection = sqlite3.connect(place.path, isolation_level=None)
        connection.create_function("keyed", 1, str)
        sqlite_schema.migrations.apply(SqliteUtilsDatabase(connection), stop_before="m012_typed_tallies")
        for statement in OLD:
            connection.execute(statement)
        connection.close()
    else:
        with monkeypatch.context() as patched, psycopg.connect(place.address) as connection:
            patched.setattr(postgres_schema, "CHANGES", postgres_schema.CHANGES[:1])
            postgres_schema.migrate(connection)
            for statement in OLD:
                connection.execute(statement.encode())
    return place


async def test_the_log_says_that_the_tables_are_changed_and_only_then(older):
    with capture_logs() as first:
        async with opened(older):
            pass
    with capture_logs() as second:
        async with opened(older):
            pass
    told = [[line["changes"] for line in lines if line["event"].startswith("changing the tables")] for lines in (first, second)]
    assert len(told[0]) == 1 <= told[0][0]
    assert told[1] == []


async def test_what_was_counted_and_asked_for_is_still_there(older):
    async with opened(older) as store:
        assert (await store.read(views.queue))["queued"] == 3
        assert await store.read(tallies.total, Tally.WITHOUT_IDENTITY) == 2
        assert await store.read(tallies.total, Tally.READINESS_CHECK) == 9
        assert await store.read(views.last_deliveries) == {"a:b": 1795000000.0}
        assert await store.read(views.reused_ids) == {"stores": 4}
        assert await store.backfills.unrepaired() == {"a:b": 1795000001.0}
        assert await rows(store, "SELECT kind, n FROM tallies WHERE hour > 0 ORDER BY kind") == [
            ("done", 1),
            ("received", 5),
            ("retrying", 7),
        ]
        assert sorted(await store.backfills.unfinished()) == [
            ("salon", Request("2026-01-01", "2026-01-08", Mode.CHANGES)),
            ("stores", Request("2026-01-01", None)),
        ]
        assert await rows(store, "SELECT state, updated_at FROM intents") == [("done", 7.0)]
        assert await rows(store, "SELECT client_id, answer FROM review_clients ORDER BY id") == [
            ("c:1", "link"),
            ("c-2", "link"),
        ]
        assert await rows(store, "SELECT key, people FROM shared_keys") == [("email:1", 3)]


async def test_a_link_that_a_decision_replaced_is_kept_by_the_names_of_its_fields(older):
    async with opened(older) as store:
        found = dict(await rows(store, "SELECT client_id, replaced FROM review_clients"))
    assert found.pop("c-2") is None
    assert json.loads(found["c:1"]) == {
        "source": "stores",
        "client_id": "c:1",
        "crm": "main",
        "customer_id": "501",
        "origin": "email",
        "stored_id": None,
        "written_back_at": 1795000000.25,
    }


async def test_what_waited_for_an_account_or_an_action_still_does(older):
    async with opened(older) as store:
        query = "SELECT client_id, due, awaited_account, awaited_action FROM lanes ORDER BY client_id"
        assert await rows(store, query) == [
            ("c-0", 5.0, None, None),
            ("c-1", None, "crm.main", None),
            ("c-2", None, "crm.main", "record the appointment"),
            ("c-3", None, "crm.main", "set the price: once"),
        ]
        assert await store.lanes.wake(Awaited("crm.main", "set the price: once"), NOW) == 1


async def test_counting_goes_on_where_it_was(older):
    async with opened(older) as store:
        assert await store.inbox.accept(delivery("e-1")) == "queued"
        await execute(store, "UPDATE events SET state = 'discarded'")
        queue = await store.read(views.queue)
        assert (queue["queued"], queue["discarded"]) == (3, 1)
        assert set(await store.read(views.last_deliveries)) == {"a:b", "stores"}
