"""The backlog which the benchmark of claims copies within the database is what the receiver would have stored."""

from __future__ import annotations

import asyncio
from typing import Any

import bench_claim
import postgres
import pytest
from store.samples import NOW, Place, delivery

from connector.model.jobs import Verdict
from connector.store import Store

#: What is different in each row anyway.
OWN = {"id", "delivery_id", "event", "digest", "body"}


async def contents(place: Place, *, copied: bool) -> dict[str, list[dict[str, Any]]]:
    """Five deliveries about one client, four of them behind the first one, which runs."""
    store = Store.open(place)
    try:
        await store.inbox.accept(delivery("first", "busy"))
        (running,) = await store.lanes.claim(1, NOW + 1)
        if copied:
            await bench_claim.add_behind(store, "first", 4)
        else:
            for number in range(4):
                await store.inbox.accept(delivery(f"first-{number + 1}", "busy"))
        queries = {
            "deliveries": "SELECT * FROM deliveries ORDER BY id",
            "events": "SELECT * FROM events ORDER BY id",
            "lanes": "SELECT due, priority, token, client_id FROM lanes",
            "tallies": "SELECT * FROM tallies ORDER BY kind, source, hour",
        }
        found = {}
        for name, query in queries.items():
            rows = await store.read(lambda connection, query=query: [dict(row) for row in connection.execute(query)])
            found[name] = [{key: value for key, value in row.items() if key not in OWN} for row in rows]
        await store.lanes.conclude(running, Verdict("done"), NOW + 2)
        (following,) = await store.lanes.claim(1, NOW + 3)
        found["following"] = [{"delivery": following.delivery, "client": following.client_id}]
        return found
    finally:
        await store.close()


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
@pytest.mark.parametrize("at_once", [3, 100])
def test_copies_are_what_accept_stores(kind, at_once, tmp_path, monkeypatch):
    monkeypatch.setattr(bench_claim, "_AT_ONCE", at_once)
    if kind == "sqlite":
        here, there = Place("", tmp_path / "a.db"), Place("", tmp_path / "b.db")
        compare(here.path, there.path)
        return
    postgres.needed()
    with postgres.serving() as server:
        compare(Place(server.fresh(), tmp_path / "a"), Place(server.fresh(), tmp_path / "b"))


def compare(here: Any, there: Any) -> None:
    accepted, copied = asyncio.run(contents(here, copied=False)), asyncio.run(contents(there, copied=True))
    assert copied == accepted
    assert len(copied["events"]) == 5
    assert copied["following"] == [{"delivery": "first-1", "client": "busy"}]
