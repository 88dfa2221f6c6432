"""No statement that the worker, a request or the page waits for reads all of the events or deliveries.

SQLite is never told how many rows there are (no ANALYZE), so the plan of a small file is that of a large one.
"""

from __future__ import annotations

import sqlite3

import pytest

from connector.model.jobs import Awaited, Verdict
from connector.store import pages, views
from connector.store.lists import Wanted
from connector.store.reviews import views as review_views

from .samples import DONE, NOW, accept, claim_one, link, opened

pytestmark = [pytest.mark.anyio, pytest.mark.sqlite_only("reads the plans of SQLite")]

PAGE = {
    "queue": views.queue,
    "oldest_waiting": lambda c: views.oldest_waiting(c, NOW),
    "last_deliveries": views.last_deliveries,
    "held": lambda c: views.events(c, state="held", limit=500),
    "held for long": lambda c: views.held_before(c, NOW, limit=500),
    "linked sources": views.linked_sources,
    "of a client": lambda c: views.events(c, client_id="c-1"),
    "one event": lambda c: views.event(c, 1),
    "reviews": review_views.oldest,
    "decided": review_views.decided,
    "open reviews": review_views.open_reviews,
    "under review": lambda c: review_views.under_review(c, views.events(c, state="held", limit=5)),
    "events page": lambda c: pages.events(c, Wanted()),
    "events page of a reason": lambda c: pages.events(c, Wanted(reason="x", source="stores", state="done")),
    "events page behind": lambda c: pages.events(c, Wanted(reason="x", cursor=9), span=3),
    "events page of an appointment": lambda c: pages.events(c, Wanted(appointment_id="7")),
    "events page of a customer": lambda c: pages.events(c, Wanted(customer_id="7")),
    "held page": lambda c: pages.events(c, Wanted(state="held", reason="x")),
    "links page": lambda c: pages.links(c, Wanted(reason="email")),
    "reviews page": lambda c: pages.reviews(c, Wanted(reason="x")),
    "decided page": lambda c: pages.reviews(c, Wanted(state="decided")),
    "ignored_clients": views.ignored_clients,
    "last_day": lambda c: views.last_day(c, NOW),
}


def scans(connection: sqlite3.Connection, statements: list[str]) -> list[tuple[str, str]]:
    """Which of the statements read a whole table of events or deliveries, in the order of nothing."""
    found = []
    for statement in statements:
        if not statement.lstrip().upper().startswith(("SELECT", "UPDATE", "DELETE", "INSERT", "WITH")):
            continue
        names = {"events", "deliveries", "e", "d"}
        for row in connection.execute(f"EXPLAIN QUERY PLAN {statement}"):
            words = str(row[3]).split()
            # The newest one is the last of the table.
            newest = statement.endswith(" ORDER BY id DESC LIMIT 1") and " WHERE " not in statement
            if not newest and words[0] == "SCAN" and words[1] in names and "INDEX" not in words:
                found.append((str(row[3]), statement))
    return found


def traced(connection: sqlite3.Connection, query) -> list[str]:
    statements: list[str] = []
    connection.set_trace_callback(statements.append)
    try:
        query(connection)
    finally:
        connection.set_trace_callback(None)
    return [statement for statement in statements if not statement.startswith("--")]


@pytest.mark.parametrize("name", PAGE)
async def test_the_page_reads_no_whole_table(store, name):
    await accept(store, "e-1", "e-2")

    def look(connection):
        statements = traced(connection, PAGE[name])
        assert statements
        return scans(connection, statements)

    assert await store.database.read(look) == []


async def test_worker_receiver_and_housekeeping_read_no_whole_table(path):
    async with opened(path) as store:
        statements: list[str] = []
        await store.database.write(lambda connection: connection.set_trace_callback(statements.append))
        await accept(store, "e-1", "e-2", "e-3")
        work = await claim_one(store)
        await store.journal.begin(work, "create:main:9", "create", NOW, crm="main", identity=["email:x"])
        await store.journal.linked(work, [link()], "write_back", NOW)
        await store.lanes.conclude(work, DONE, NOW)
        await store.lanes.conclude(await claim_one(store), Verdict("held", reason="Look."), NOW)
        await store.upkeep.retry([2], NOW)
        await store.upkeep.discard([3], "somebody", NOW)
        await store.lanes.recover(NOW)
        await store.lanes.wake(Awaited("crm.main"), NOW)
        assert await store.upkeep.prune(NOW + 1) > 0
        await store.database.write(lambda connection: connection.set_trace_callback(None))
        ours = [s for s in statements if "temp." not in s and "rewritten" not in s and not s.startswith("--")]
        assert len(ours) > 20
        assert await store.database.write(lambda connection: scans(connection, ours)) == []


async def test_what_would_read_a_whole_table_is_found(store):
    found = await store.database.read(lambda c: scans(c, ["SELECT count(*) FROM events WHERE reason = 'x'"]))
    assert [plan for plan, _ in found] == ["SCAN events"]
