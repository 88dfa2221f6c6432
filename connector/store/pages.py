"""One page of a list for people: few rows, and a bounded look through the table for them.

What an index answers (a client, a customer, an appointment, an open state) is found wherever it is. For anything else a page
looks through `SPAN` ids and says where the next one goes on, so that no request reads a whole table.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice

from connector.store import lists
from connector.store.connection import Connection
from connector.store.lists import Wanted
from connector.store.reviews.views import about_keys, with_clients, with_decisions
from connector.store.views import FINAL, Row

#: Rows of a page.
ROWS = 50
#: Ids that one page looks through.
SPAN = 100_000


@dataclass(frozen=True)
class Page:
    """Rows, the cursor behind which the list goes on (None at its end), and whether ids are left that nobody looked at."""

    rows: list[Row]
    cursor: int | None
    partly: bool = False


def events(connection: Connection, wanted: Wanted, *, rows: int = ROWS, span: int = SPAN) -> Page:
    """A page of events, newest first."""
    indexed = wanted.client_id or wanted.customer_id or wanted.appointment_id
    if indexed or (wanted.state is not None and wanted.state not in FINAL):
        return _page(lists.events(connection, replace(wanted, rows=rows + 1)), rows)
    return _windowed(connection, "events", lists.events, wanted, rows, span)


def links(connection: Connection, wanted: Wanted, *, rows: int = ROWS, span: int = SPAN) -> Page:
    """A page of links, newest first."""
    wanted = replace(wanted, newest=True)
    if wanted.client_id or wanted.customer_id:
        return _page(lists.links(connection, replace(wanted, rows=rows + 1)), rows)
    return _windowed(connection, "links", lists.links, wanted, rows, span)


def reviews(connection: Connection, wanted: Wanted, *, rows: int = ROWS) -> Page:
    """A page of reviews, each with its clients: the open ones oldest first, the decided ones newest first with the decision."""
    wanted = replace(wanted, rows=rows + 1, newest=wanted.state == "decided")
    found = _page(lists.reviews(connection, wanted), rows)
    shown = with_clients(connection, found.rows, about_keys(connection))
    return replace(found, rows=with_decisions(connection, shown) if wanted.state == "decided" else shown)


def _page(found: Iterator[tuple[int, Row]], rows: int) -> Page:
    taken = list(islice(found, rows + 1))
    return Page([row for _, row in taken[:rows]], taken[rows - 1][0] if len(taken) > rows else None)


def _windowed(connection: Connection, table: str, view: lists.View, wanted: Wanted, rows: int, span: int) -> Page:
    """A page of what stands among the `span` ids below the cursor."""
    newest = connection.execute(f"SELECT max(id) FROM {table}").fetchone()[0] or 0
    top = min(wanted.cursor - 1, newest) if wanted.cursor is not None else newest
    low = max(top - span + 1, 1)
    page = _page(view(connection, replace(wanted, rows=rows + 1, within=(low, top))), rows)
    return page if page.cursor is not None or low == 1 else Page(page.rows, low, partly=True)
