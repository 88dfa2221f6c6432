"""Lists of any length, a page at a time: bounded memory, and no reader that keeps the WAL from being taken over.

Each page is a statement of its own that goes on behind the last id, so what changes meanwhile is shown as it is then.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from connector.store.connection import Connection, marks, unfinished
from connector.store.reviews.views import UNSETTLED, listed
from connector.store.views import EVENT_ROWS, FINAL, LINK_ROWS, Row, event_row, link_row

#: Rows of one statement.
PAGE = 500

Condition = tuple[str, Sequence[Any]]
#: A condition, and its values.
Fetch = Callable[[str, Sequence[Any]], list[tuple[int, Row]]]
View = Callable[[Connection, "Wanted"], Iterator[tuple[int, Row]]]


@dataclass(frozen=True)
class Wanted:
    """What a list is narrowed to; None leaves it open. Times are Unix seconds, `cursor` is the last id that was seen."""

    state: str | None = None
    source: str | None = None
    client_id: str | None = None
    customer_id: str | None = None
    reason: str | None = None
    since: float | None = None
    until: float | None = None
    cursor: int | None = None
    #: Of events: those of the clients of this appointment, where appointments are recorded.
    appointment_id: str | None = None
    #: Ids that are looked through, both ends included; rows of one statement; links and reviews from the newest on.
    within: tuple[int, int] | None = None
    rows: int = PAGE
    newest: bool = False


def sources(connection: Connection) -> list[str]:
    """Every source that the database has ever heard of, also those that are configured no more."""
    return sorted({*_distinct(connection, "lanes", "source"), *_distinct(connection, "links", "source")})


def events(connection: Connection, wanted: Wanted) -> Iterator[tuple[int, Row]]:
    """Events with their ids, newest first."""
    conditions = [*_common(wanted, "e.received_at", "e.reason")]
    lanes = any(one is not None for one in (wanted.client_id, wanted.customer_id, wanted.appointment_id))
    if wanted.within is not None:
        conditions.append(("e.id BETWEEN ? AND ?", wanted.within))
    if wanted.source is not None:
        conditions.append(("e.source = ?", [wanted.source]))
    if wanted.state is not None:
        conditions.append(("e.state = ?", [wanted.state]))
        if wanted.state not in FINAL:
            # Said in the words of the index of open events, without which it reads all that are final.
            conditions.append((unfinished("e."), ()))
    if wanted.client_id is not None:
        among = _among(connection, "lanes", wanted.source)
        found = f"SELECT id FROM lanes WHERE source IN ({marks(among)}) AND client_id = ?"
        conditions.append((f"e.lane_id IN ({found})", [*among, wanted.client_id]))
    if wanted.customer_id is not None:
        crms = _distinct(connection, "links", "crm")
        found = (
            "SELECT l.id FROM links k JOIN lanes l ON l.source = k.source AND l.client_id = k.client_id"
            f" WHERE k.crm IN ({marks(crms)}) AND k.customer_id = ?"
        )
        conditions.append((f"e.lane_id IN ({found})", [*crms, wanted.customer_id]))

    if wanted.appointment_id is not None:
        among = _among(connection, "appointments", wanted.source)
        found = (
            "SELECT l.id FROM appointments a JOIN lanes l ON l.source = a.source AND l.client_id = a.client_id"
            f" WHERE a.source IN ({marks(among)}) AND a.appointment_id = ?"
        )
        conditions.append((f"e.lane_id IN ({found})", [*among, wanted.appointment_id]))

    def fetch(where: str, values: Sequence[Any]) -> list[tuple[int, Row]]:
        rows = connection.execute(f"{EVENT_ROWS}{where} ORDER BY e.id DESC LIMIT {wanted.rows}", values)
        return [(row["id"], event_row(row)) for row in rows]

    # A client's events are found by its lanes; a range of ids must not tempt SQLite to read all ids below instead.
    return _pages(fetch, conditions, "+e.id < ?" if lanes else "e.id < ?", wanted)


def links(connection: Connection, wanted: Wanted) -> Iterator[tuple[int, Row]]:
    """Links with their ids, oldest first; `state` is `written_back` or `already_there`, `reason` how it was found."""
    conditions = [*_common(wanted, "linked_at", "origin")]
    states = {"written_back": "written_back_at IS NOT NULL", "already_there": "written_back_at IS NULL"}
    if wanted.state is not None:
        conditions.append((states[wanted.state], ()))
    if wanted.client_id is not None:
        among = _among(connection, "links", wanted.source)
        conditions.append((f"source IN ({marks(among)}) AND client_id = ?", [*among, wanted.client_id]))
    elif wanted.source is not None:
        # By id all the same: the index of sources would sort all links of the source again for each page.
        conditions.append(("source || '' = ?", [wanted.source]))
    if wanted.customer_id is not None:
        crms = _distinct(connection, "links", "crm")
        conditions.append((f"crm IN ({marks(crms)}) AND customer_id = ?", [*crms, wanted.customer_id]))
    if wanted.within is not None:
        conditions.append(("id BETWEEN ? AND ?", wanted.within))
    narrow = "+" if wanted.client_id is not None or wanted.customer_id is not None else ""
    order, beyond = ("DESC", "<") if wanted.newest else ("ASC", ">")

    def fetch(where: str, values: Sequence[Any]) -> list[tuple[int, Row]]:
        rows = connection.execute(f"{LINK_ROWS}{where} ORDER BY id {order} LIMIT {wanted.rows}", values)
        return [(row["id"], link_row(row)) for row in rows]

    return _pages(fetch, conditions, f"{narrow}id {beyond} ?", wanted)


def reviews(connection: Connection, wanted: Wanted) -> Iterator[tuple[int, Row]]:
    """Review items with their ids, oldest first: the open ones, or those that were `decided`."""
    decided = wanted.state == "decided"
    conditions: list[Condition] = [("decision IS NOT NULL" if decided else f"decision IS NULL AND {UNSETTLED}", ())]
    conditions += _common(wanted, "since", "reason")
    if wanted.client_id is not None:
        among = _among(connection, "review_clients", wanted.source)
        found = f"SELECT review_id FROM review_clients WHERE source IN ({marks(among)}) AND client_id = ?"
        conditions.append((f"r.id IN ({found})", [*among, wanted.client_id]))
    elif wanted.source is not None:
        conditions.append(("r.source = ?", [wanted.source]))
    if wanted.customer_id is not None:
        among_candidates = "EXISTS (SELECT 1 FROM json_each(r.candidates) c WHERE json_extract(c.value, '$.customer_id') = ?)"
        conditions.append((f"(r.customer_id = ? OR {among_candidates})", [wanted.customer_id, wanted.customer_id]))

    order, beyond = ("DESC", "<") if wanted.newest else ("ASC", ">")

    def fetch(where: str, values: Sequence[Any]) -> list[tuple[int, Row]]:
        rows = connection.execute(f"SELECT * FROM reviews r{where} ORDER BY id {order} LIMIT {wanted.rows}", values).fetchall()
        return [(row["id"], row) for row in listed(connection, rows)]

    return _pages(fetch, conditions, f"r.id {beyond} ?", wanted)


def _pages(fetch: Fetch, conditions: list[Condition], beyond: str, wanted: Wanted) -> Iterator[tuple[int, Row]]:
    """Page after page, until one is not full."""
    cursor = wanted.cursor
    while True:
        given = [*conditions, (beyond, [cursor])] if cursor is not None else conditions
        where = " WHERE " + " AND ".join(text for text, _ in given) if given else ""
        page = fetch(where, [value for _, values in given for value in values])
        yield from page
        if len(page) < wanted.rows:
            return
        cursor = page[-1][0]


def _common(wanted: Wanted, moment: str, reason: str) -> Iterator[Condition]:
    if wanted.since is not None:
        yield f"{moment} >= ?", [wanted.since]
    if wanted.until is not None:
        yield f"{moment} < ?", [wanted.until]
    if wanted.reason is not None:
        yield f"instr(lower({reason}), lower(?)) > 0", [wanted.reason]


def _among(connection: Connection, table: str, source: str | None) -> list[str]:
    """The sources to look in: the one that is wanted, or all; never none, for which SQLite would read all rows."""
    return [source] if source is not None else _distinct(connection, table, "source") or [""]


def _distinct(connection: Connection, table: str, column: str) -> list[str]:
    """The few different values of an index's first column, each found by one look-up instead of reading all rows."""
    rows = connection.execute(
        f"WITH RECURSIVE found (value) AS (SELECT min({column}) FROM {table} UNION ALL"
        f" SELECT (SELECT min({column}) FROM {table} WHERE {column} > value) FROM found WHERE value IS NOT NULL)"
        " SELECT value FROM found WHERE value IS NOT NULL"
    )
    return [row[0] for row in rows]
