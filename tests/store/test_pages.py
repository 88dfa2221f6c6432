"""Pages of lists: few rows, a cursor to go on behind, and a bounded look."""

from __future__ import annotations

import pytest

from connector.store import pages
from connector.store.lists import Wanted

from .samples import accept, execute

pytestmark = pytest.mark.anyio


async def page(store, view, span=None, rows=2, **narrow):
    more = {"rows": rows} if span is None else {"rows": rows, "span": span}
    return await store.database.read(lambda connection: view(connection, Wanted(**narrow), **more))


async def test_events_are_paged_to_the_end(store):
    await accept(store, *(f"e-{n}" for n in range(5)))
    seen, cursor = [], None
    for _ in range(3):
        found = await page(store, pages.events, cursor=cursor)
        seen.append([row["id"] for row in found.rows])
        cursor = found.cursor
    assert seen == [[5, 4], [3, 2], [1]]
    assert (cursor, found.partly) == (None, False)


async def test_a_page_looks_through_so_many_ids_and_says_where_it_stopped(store):
    await accept(store, *(f"e-{n}" for n in range(7)))
    await execute(store, "UPDATE events SET reason = 'odd' WHERE id = 1")
    first = await page(store, pages.events, span=3, reason="odd")
    assert (first.rows, first.cursor, first.partly) == ([], 5, True)
    second = await page(store, pages.events, span=3, reason="odd", cursor=first.cursor)
    assert (second.rows, second.cursor) == ([], 2)
    last = await page(store, pages.events, span=3, reason="odd", cursor=second.cursor)
    assert ([row["id"] for row in last.rows], last.cursor, last.partly) == ([1], None, False)


async def test_events_of_an_appointment(store):
    await accept(store, "e-1", "e-2")
    await execute(
        store,
        "INSERT INTO appointments (source, appointment_id, client_id, record_id, version, updated_at, crm)"
        " SELECT source, 'a-77', client_id, 'r', 1, 1, 'main' FROM lanes LIMIT 1",
    )
    assert (await page(store, pages.events, appointment_id="a-77")).rows
    assert (await page(store, pages.events, appointment_id="a-78")).rows == []
