"""Long lists: narrowed, continued behind a cursor, read by index, and never held in memory as a whole."""

from __future__ import annotations

import pytest

from connector.store import lists
from connector.store.lists import Wanted

from .samples import NOW, accept, claim_one, delivery, execute, hold, link, rows
from .test_plans import traced

pytestmark = pytest.mark.anyio


@pytest.fixture
async def filled(store):
    """Five events of two sources an hour apart, the first held; two links; a review."""
    for number, (client, source) in enumerate(
        [("a", "stores"), ("b", "stores"), ("a", "spas"), ("c", "spas"), ("a", "stores")]
    ):
        await store.inbox.accept(delivery(f"e-{number + 1}", client, source=source, at=NOW + 3600 * number))
    work = await claim_one_of(store, "e-1")
    await store.journal.linked(work, [link("a", "501"), link("b", "502", written_back_at=NOW)], "fill", NOW)
    await hold(store, work)
    return store


async def claim_one_of(store, name):
    return next(work for work in await store.lanes.claim(10, NOW + 1e6) if work.delivery == name)


async def listed(store, view, **narrow):
    return await store.database.read(lambda connection: list(view(connection, Wanted(**narrow))))


@pytest.mark.parametrize(
    ("narrow", "ids"),
    [
        ({}, [5, 4, 3, 2, 1]),
        ({"source": "spas"}, [4, 3]),
        ({"client_id": "a"}, [5, 3, 1]),
        ({"client_id": "a", "source": "stores"}, [5, 1]),
        ({"client_id": "nobody"}, []),
        ({"customer_id": "501"}, [5, 1]),
        ({"customer_id": "501", "state": "held"}, [1]),
        ({"state": "held"}, [1]),
        ({"reason": "HAS TO"}, [1]),
        ({"reason": "%"}, []),
        ({"since": NOW + 3600}, [5, 4, 3, 2]),
        ({"until": NOW + 3600}, [1]),
        ({"since": NOW + 3600, "until": NOW + 7201, "source": "spas"}, [3]),
        ({"cursor": 3}, [2, 1]),
        ({"cursor": 5, "client_id": "a"}, [3, 1]),
    ],
    ids=str,
)
async def test_events_are_narrowed(filled, narrow, ids):
    assert [row["id"] for _, row in await listed(filled, lists.events, **narrow)] == ids


@pytest.mark.parametrize(
    ("narrow", "clients"),
    [
        ({}, ["a", "b"]),
        ({"source": "stores"}, ["a", "b"]),
        ({"source": "spas"}, []),
        ({"client_id": "b"}, ["b"]),
        ({"customer_id": "501"}, ["a"]),
        ({"state": "written_back"}, ["b"]),
        ({"state": "already_there"}, ["a"]),
        ({"reason": "email"}, ["a", "b"]),
        ({"reason": "phone"}, []),
        ({"since": NOW + 1}, []),
        ({"until": NOW + 1}, ["a", "b"]),
        ({"cursor": 1}, ["b"]),
        ({"cursor": 1, "client_id": "a"}, []),
    ],
    ids=str,
)
async def test_links_are_narrowed(filled, narrow, clients):
    assert [row["client_id"] for _, row in await listed(filled, lists.links, **narrow)] == clients


async def test_reviews_are_narrowed(store):
    for number, client in enumerate(["a", "b", "a"]):
        await execute(
            store,
            "INSERT INTO reviews (source, client_id, crm, person, reason, since, candidates, decision, customer_id, decided_by,"
            " decided_at) VALUES ('stores', ?, 'main', ?, ?, ?, ?, ?, ?, 'x', 1)",
            client, f"p-{number}", f"Two of {number}.", NOW + number, f'[{{"customer_id": "50{number}", "evidence": []}}]',
            "link" if number == 2 else None, "777" if number == 2 else None,
        )  # fmt: skip
        await execute(
            store,
            "INSERT INTO review_clients (review_id, source, client_id, candidates, answer) VALUES (?, 'stores', ?, '[]', ?)",
            number + 1, client, "link" if number == 2 else None,
        )  # fmt: skip

    async def ids(**narrow):
        return [row_id for row_id, _ in await listed(store, lists.reviews, **narrow)]

    assert await ids() == [1, 2]
    assert await ids(state="decided") == [3]
    assert await ids(client_id="a") == [1]
    assert await ids(client_id="b", source="stores") == [2]
    assert await ids(source="spas") == []
    assert await ids(customer_id="501") == [2]
    assert await ids(customer_id="777", state="decided") == [3]
    assert await ids(reason="two OF 0") == [1]
    assert await ids(since=NOW + 1) == [2]
    assert await ids(cursor=1) == [2]


async def test_pages_join_without_a_gap(store, monkeypatch):
    monkeypatch.setattr(lists, "PAGE", 2)
    await accept(store, *[f"e-{number}" for number in range(5)])
    assert [row_id for row_id, _ in await listed(store, lists.events)] == [5, 4, 3, 2, 1]
    assert [row_id for row_id, _ in await listed(store, lists.events, client_id="c-1")] == [5, 4, 3, 2, 1]
    work = await claim_one(store)
    await store.journal.linked(work, [link(f"c-{number}", "501") for number in range(4)], "fill", NOW)
    assert [row_id for row_id, _ in await listed(store, lists.links)] == [1, 2, 3, 4]


async def test_sources_of_the_past_are_known(filled):
    assert await filled.database.read(lists.sources) == ["spas", "stores"]


NARROW = {
    "client": {"client_id": "a"},
    "client behind a cursor": {"client_id": "a", "cursor": 4},
    "client of a source": {"client_id": "a", "source": "stores", "cursor": 4},
    "customer": {"customer_id": "501", "cursor": 4},
    "held": {"state": "held"},
    "held behind a cursor": {"state": "held", "cursor": 4},
}


@pytest.mark.sqlite_only("reads the plans of SQLite")
@pytest.mark.parametrize("name", NARROW)
@pytest.mark.parametrize("view", [lists.events, lists.links, lists.reviews])
async def test_what_an_index_can_narrow_is_not_scanned(filled, name, view):
    if view is not lists.events and "state" in NARROW[name]:
        return
    whole = {"events", "e", "deliveries", "d", "lanes", "links", "l", "k", "review_clients"}

    def plans(connection):
        statements = traced(connection, lambda c: list(view(c, Wanted(**NARROW[name]))))
        found = [row[3] for s in statements for row in connection.execute(f"EXPLAIN QUERY PLAN {s}")]
        assert found
        return [plan for plan in found if plan.split()[0] == "SCAN" and plan.split()[1] in whole]

    assert await filled.database.read(plans) == []


@pytest.mark.sqlite_only("reads the plans of SQLite")
async def test_a_page_behind_a_cursor_begins_there(filled):
    def plans(connection):
        statements = traced(connection, lambda c: [*lists.events(c, Wanted(cursor=4)), *lists.links(c, Wanted(cursor=1))])
        return [row[3] for s in statements for row in connection.execute(f"EXPLAIN QUERY PLAN {s}")]

    found = await filled.database.read(plans)
    assert "SEARCH e USING INTEGER PRIMARY KEY (rowid<?)" in found
    assert "SEARCH links USING INTEGER PRIMARY KEY (rowid>?)" in found
    assert await rows(filled, "SELECT count(*) FROM links") == [(2,)]
