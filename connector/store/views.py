"""What people ask: lists, counts, the last day. Read-only; ids, reasons and traces, never personal data."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from connector.model.jobs import Awaited
from connector.model.reviews import Decision
from connector.store import tallies
from connector.store.connection import Connection, in_portions, marks, unfinished
from connector.store.connection import Row as StoredRow
from connector.store.reviews.decisions import decision_of
from connector.store.tallies import Tally

Row = dict[str, Any]
#: States that an event does not leave.
FINAL = ("done", "ignored", "discarded")

#: Events with what `event_row` needs.
EVENT_ROWS = (
    "SELECT e.id, e.source, d.event, e.type, e.client_id, e.state, e.attempts, e.received_at, e.updated_at,"
    " e.reason, e.hint, e.trace, e.step, l.due, l.awaited_account, l.awaited_action"
    " FROM events e JOIN deliveries d ON d.id = e.delivery_id LEFT JOIN lanes l ON l.id = e.lane_id"
)
#: Links with what `link_row` needs.
LINK_ROWS = "SELECT id, source, client_id, crm, customer_id, origin, linked_at, written_back_at FROM links"


def events(
    connection: Connection,
    *,
    state: str | None = None,
    source: str | None = None,
    client_id: str | None = None,
    reason: str | None = None,
    limit: int = 100,
) -> list[Row]:
    """Events, newest first; `reason` is a part of theirs."""
    wanted = {
        "e.state = ?": state,
        "e.source = ?": source,
        "instr(e.reason, ?) > 0": reason,
        # A client is found by its lanes: an index on the client itself would be one more random page for each delivery.
        "e.lane_id IN (SELECT id FROM lanes WHERE client_id = ?)": client_id,
    }
    given = {condition: value for condition, value in wanted.items() if value is not None}
    conditions = list(given)
    if state is not None and state not in FINAL:
        # Said in the words of the index of open events, without which it reads all that are final.
        conditions.append(unfinished("e."))
    where = " WHERE " + " AND ".join(conditions) if conditions else ""
    rows = connection.execute(f"{EVENT_ROWS}{where} ORDER BY e.id DESC LIMIT ?", (*given.values(), limit))
    return [event_row(row) for row in rows]


def event(connection: Connection, event_id: int) -> Row | None:
    """One event with its delivery: step, next try, de-duplication; None when there is none."""
    row = connection.execute(f"{EVENT_ROWS} WHERE e.id = ?", (event_id,)).fetchone()
    if row is None:
        return None
    delivery = connection.execute(
        "SELECT d.derived, d.duplicates, d.body IS NOT NULL AS body_kept FROM deliveries d"
        " JOIN events e ON e.delivery_id = d.id"
        " WHERE e.id = ?",
        (event_id,),
    ).fetchone()
    account = row["awaited_account"]
    awaited = None if account is None else str(Awaited(account, row["awaited_action"]))
    more = {"step": row["step"], "next_try": moment(row["due"]), "waits_for": awaited}
    return {**event_row(row), **more, **{key: delivery[key] for key in delivery.keys()}}  # noqa: SIM118 - StoredRow


def decisions(connection: Connection, *, limit: int = 20) -> list[Row]:
    """The newest events about which something was decided; looks through the newest two hundred."""
    newest = events(connection, limit=200)
    decided = [event for event in newest if event["trace"] or event["state"] not in ("queued", "running")]
    return [{**event, "at": event["updated_at"]} for event in decided[:limit]]


def held_delivery(connection: Connection, event_id: int) -> tuple[str, dict[str, str], bytes] | None:
    """(source, headers, body) of a held delivery nobody could read; None when there is nothing to read again."""
    row = connection.execute(
        "SELECT d.source, d.headers, d.body FROM events e JOIN deliveries d ON d.id = e.delivery_id"
        " WHERE e.id = ? AND e.state = 'held' AND e.lane_id IS NULL AND d.body IS NOT NULL",
        (event_id,),
    ).fetchone()
    return (row["source"], json.loads(row["headers"]), row["body"]) if row else None


def body(connection: Connection, event_id: int) -> str | None:
    """What the sender sent, as text; None when it is not kept (any more). Holds personal data."""
    query = "SELECT d.body FROM events e JOIN deliveries d ON d.id = e.delivery_id WHERE e.id = ?"
    row = connection.execute(query, (event_id,)).fetchone()
    return row["body"].decode("utf-8", "replace") if row and row["body"] is not None else None


def links(connection: Connection) -> list[Row]:
    """All links, oldest first."""
    return [link_row(row) for row in connection.execute(f"{LINK_ROWS} ORDER BY id")]


def link_row(row: StoredRow) -> Row:
    """A link of `LINK_ROWS` as it is listed."""
    times = {"linked_at": moment(row["linked_at"]), "written_back_at": moment(row["written_back_at"])}
    return {**{key: row[key] for key in ("source", "client_id", "crm", "customer_id", "origin")}, **times}


#: An open item counts while somebody in it is not linked, has something held, or stands there on purpose.
UNSETTLED = (
    "EXISTS (SELECT 1 FROM review_clients c WHERE c.review_id = r.id AND (c.standing = 1"
    " OR NOT EXISTS (SELECT 1 FROM links l WHERE l.source = c.source AND l.client_id = c.client_id)"
    " OR EXISTS (SELECT 1 FROM events e WHERE e.source = c.source AND e.client_id = c.client_id AND e.state = 'held')))"
)


def reviews(connection: Connection, *, decided: bool = False) -> list[Row]:
    """Open review items (or decided ones), oldest first."""
    wanted = "decision IS NOT NULL" if decided else f"decision IS NULL AND {UNSETTLED}"
    rows = connection.execute(f"SELECT * FROM reviews r WHERE {wanted} ORDER BY id").fetchall()
    return review_rows(connection, rows)


def review(connection: Connection, review_id: int) -> Row | None:
    """One review item with its clients, the events that wait for it, the decision and every earlier one."""
    row = connection.execute("SELECT * FROM reviews WHERE id = ?", (review_id,)).fetchone()
    if row is None:
        return None
    waiting = connection.execute(
        "SELECT e.id FROM review_clients c JOIN events e ON e.source = c.source AND e.client_id = c.client_id"
        " WHERE c.review_id = ? AND e.state = 'held' ORDER BY e.id",
        (review_id,),
    )
    more = {
        "crm": row["crm"],
        "clients": _review_clients(connection, [review_id])[review_id],
        "events": [found[0] for found in waiting],
        "decision": row["decision"],
        "customer_id": row["customer_id"],
        "decided_by": row["decided_by"],
        "decided_at": moment(row["decided_at"]),
        "history": _history(connection, review_id),
    }
    return {**review_rows(connection, [row])[0], **more}


def open_reviews(connection: Connection) -> dict[str, int]:
    """How many review items are open, by reason, the most frequent first."""
    query = f"SELECT reason, count(*) FROM reviews r WHERE decision IS NULL AND {UNSETTLED} GROUP BY reason ORDER BY 2 DESC, 1"
    return dict(connection.execute(query).fetchall())


def under_review(connection: Connection, events: Sequence[Row]) -> set[int]:
    """Those of the events whose client stands in an open review item."""
    query = (
        "SELECT 1 FROM review_clients c JOIN reviews r ON r.id = c.review_id"
        " WHERE c.source = ? AND c.client_id = ? AND r.decision IS NULL LIMIT 1"
    )
    return {one["id"] for one in events if connection.execute(query, (one["source"], one["client_id"])).fetchone()}


def desk(connection: Connection, *, limit: int = 20) -> list[Row]:
    """The oldest open review items, each with its `clients`, and whether one of them is `linked` already."""
    query = f"SELECT * FROM reviews r WHERE decision IS NULL AND {UNSETTLED} ORDER BY id LIMIT ?"
    found = review_rows(connection, connection.execute(query, (limit,)).fetchall())
    return review_rows_with_clients(connection, found, about_keys(connection))


def review_rows_with_clients(connection: Connection, found: list[Row], shared: set[int]) -> list[Row]:
    """Review items as listed, with what a person needs to decide; `shared` are those that are about one address or number."""
    clients = _review_clients(connection, [item["id"] for item in found])
    for item in found:
        item["clients"] = clients[item["id"]]
        item["linked"] = any(client["linked"] for client in item["clients"])
        item["about_key"] = item["id"] in shared
    return found


def about_keys(connection: Connection) -> set[int]:
    """The open items that are about one address or number, which could be treated as shared."""
    return {row[0] for row in connection.execute("SELECT id FROM reviews WHERE decision IS NULL AND key IS NOT NULL")}


def decided(connection: Connection, *, limit: int = 5) -> list[Row]:
    """The last decisions about persons that hold, newest first; they can be undone."""
    rows = connection.execute(
        "SELECT * FROM reviews WHERE decision IS NOT NULL ORDER BY decided_at DESC, id DESC LIMIT ?", (limit,)
    ).fetchall()
    return with_decisions(connection, review_rows(connection, rows))


def with_decisions(connection: Connection, found: list[Row]) -> list[Row]:
    """Review items as listed, each with its `decision`, `customer_id`, `decided_by` and `decided_at`."""
    rows = connection.execute(
        f"SELECT id, decision, customer_id, decided_by, decided_at FROM reviews WHERE id IN ({marks(found)})",
        [item["id"] for item in found],
    )
    known = {row["id"]: {**dict(row), "decided_at": moment(row["decided_at"])} for row in rows}
    return [{**item, **known[item["id"]]} for item in found]


def links_of(connection: Connection, source: str, crm: str) -> list[str]:
    """The clients of a source that are linked to a customer of a CRM: never compared first, then compared longest ago."""
    query = "SELECT client_id FROM links WHERE source = ? AND crm = ? ORDER BY compared_at NULLS FIRST, id"
    rows = connection.execute(query, (source, crm))
    return [row[0] for row in rows]


def shared_customers(connection: Connection, source: str, crm: str) -> dict[str, list[tuple[str, str]]]:
    """Customers with several clients, at least one of them of a source → all clients (source, client), oldest link first."""
    rows = connection.execute(
        "SELECT customer_id, source, client_id FROM links WHERE crm = ? AND customer_id IN"
        " (SELECT customer_id FROM links WHERE crm = ? GROUP BY customer_id HAVING count(*) > 1"
        " AND count(*) FILTER (WHERE source = ?) > 0)"
        " ORDER BY id",
        (crm, crm, source),
    )
    found: dict[str, list[tuple[str, str]]] = {}
    for row in rows:
        found.setdefault(row["customer_id"], []).append((row["source"], row["client_id"]))
    return found


def written_to(connection: Connection, source: str, client_id: str, customer_id: str, *, limit: int) -> list[str]:
    """Where the customer's id was or may have been written for a client: ids of bookings, or the client's own."""
    begin, end = f"write_back:{source}:", f":{customer_id}"
    rows = connection.execute(
        "SELECT key FROM intents WHERE key >= ? AND key < ? AND client_id = ? AND kind = 'write_back'"
        " ORDER BY begun_at DESC LIMIT ?",
        (begin, begin + "\U0010ffff", client_id, limit),
    )
    return [row[0].removeprefix(begin).removesuffix(end) for row in rows if row[0].endswith(end)]


def waiting_of(connection: Connection, source: str, client_id: str) -> dict[str, list[int]]:
    """Ids of a client's events that have not ended: those on their way (`moving`) and those that are `held`."""
    rows = connection.execute(
        "SELECT e.id, e.state FROM events e JOIN lanes l ON l.id = e.lane_id WHERE l.source = ? AND l.client_id = ?"
        " AND e.state IN ('queued', 'running', 'retrying', 'held') ORDER BY e.id",
        (source, client_id),
    ).fetchall()
    held = [row["id"] for row in rows if row["state"] == "held"]
    return {"held": held, "moving": [row["id"] for row in rows if row["id"] not in held]}


def fates(connection: Connection, ids: Sequence[int]) -> dict[int, Row]:
    """State and reason of events, by id."""
    marks = ", ".join("?" * len(ids))
    rows = connection.execute(f"SELECT id, state, reason FROM events WHERE id IN ({marks})", tuple(ids))
    return {row["id"]: dict(row) for row in rows}


def decision(connection: Connection, source: str, client_id: str) -> Decision | None:
    """The latest decision about a client."""
    return decision_of(connection, source, client_id)


def held_unreadable(connection: Connection, source: str, *, limit: int) -> list[str]:
    """The payloads of a source's held events that name a value which could not be read, oldest first."""
    rows = connection.execute(
        "SELECT payload FROM events WHERE source = ? AND state = 'held' AND payload IS NOT NULL"
        " AND reason LIKE 'nothing to identify the client: what is written as %' ORDER BY id LIMIT ?",
        (source, limit),
    )
    return [row[0] for row in rows]


def held_before(connection: Connection, moment: float, *, limit: int) -> tuple[int, float | None]:
    """How many held events have been so since before `moment`, and since when the first; looks at `limit` of them."""
    row = connection.execute(
        "SELECT count(*), min(updated_at) FROM"
        " (SELECT updated_at FROM events WHERE state = 'held' LIMIT ?) AS held WHERE updated_at < ?",
        (limit, moment),
    ).fetchone()
    return int(row[0]), row[1]


def newest_delivery(connection: Connection) -> float | None:
    """When the newest delivery was received; None where there is none."""
    row = connection.execute("SELECT received_at FROM deliveries ORDER BY id DESC LIMIT 1").fetchone()
    return None if row is None else float(row[0])


def backfilled(connection: Connection, since: float, started_after: float) -> set[str]:
    """Sources of which a backfill that began after `started_after` has looked at everything from `since` on, and is done."""
    query = "SELECT DISTINCT source FROM backfills WHERE state = 'done' AND since <= ? AND started_at >= ?"
    return {row[0] for row in connection.execute(query, (since, started_after))}


def queue(connection: Connection) -> dict[str, int]:
    """How many events are in each state, zeros included."""
    return tallies.by_state(connection)


def ignored_clients(connection: Connection) -> int:
    """Events of clients with nothing to identify them."""
    return tallies.total(connection, Tally.WITHOUT_IDENTITY)


def oldest_waiting(connection: Connection, now: float) -> float | None:
    """Age in seconds of the oldest event that is not final and not held, snoozed ones included."""
    rows = [
        connection.execute(
            f"SELECT received_at FROM events WHERE state = ? AND {unfinished()} ORDER BY id LIMIT 1",
            (state,),
        ).fetchone()
        for state in ("queued", "running", "retrying")
    ]
    # No age is negative, even if the clock was ahead when the event came.
    return max((max(now - row[0], 0.0) for row in rows if row), default=None)


def reused_ids(connection: Connection) -> dict[str, int]:
    """Source → deliveries that came under an id that was used before, with another body."""
    return tallies.by_source(connection, Tally.REUSED_ID)


def last_deliveries(connection: Connection) -> dict[str, float]:
    """Unix time of the last webhook of each source."""
    return {source: float(at) for source, at in tallies.by_source(connection, Tally.LAST_DELIVERY).items()}


def last_day(connection: Connection, now: float) -> list[Row]:
    """24 hours, oldest first: `{"hour", "received", "linked", "held"}`."""
    last = tallies.hour_of(now)
    counts = tallies.hourly(connection, (Tally.RECEIVED, "done", "held"), last - 24)
    return [
        {
            "hour": moment(hour * 3600.0),
            "received": counts.get((hour, Tally.RECEIVED), 0),
            "linked": counts.get((hour, "done"), 0),
            "held": counts.get((hour, "held"), 0),
        }
        for hour in range(last - 23, last + 1)
    ]


def link_count(connection: Connection) -> int:
    """How many clients are linked."""
    return int(connection.execute("SELECT count(*) FROM links").fetchone()[0])


def recent_calls(connection: Connection, quota: str, since: float) -> list[tuple[float, int]]:
    """(Unix time, cost) of the calls counted since a moment."""
    rows = connection.execute("SELECT at, cost FROM calls WHERE quota = ? AND at > ?", (quota, since))
    return [(row[0], row[1]) for row in rows]


def moment(at: float | None) -> str | None:
    """Unix seconds → RFC 3339 in UTC with milliseconds."""
    if at is None:
        return None
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def event_row(row: StoredRow) -> Row:
    """An event of `EVENT_ROWS` as it is listed."""
    keys = ("id", "source", "event", "type", "client_id", "state", "attempts", "received_at", "updated_at", "reason", "hint")
    times = {"received_at": moment(row["received_at"]), "updated_at": moment(row["updated_at"])}
    return {**{key: row[key] for key in keys}, **times, "trace": json.loads(row["trace"])}


def review_rows(connection: Connection, rows: Sequence[StoredRow]) -> list[Row]:
    """Rows of `reviews` as they are listed, each with its clients."""
    clients = _review_clients(connection, [row["id"] for row in rows])
    return [
        {
            "id": row["id"],
            "source": row["source"],
            "client_ids": [client["client_id"] for client in clients[row["id"]]],
            "reason": row["reason"],
            "since": moment(row["since"]),
            "candidates": json.loads(row["candidates"]),
        }
        for row in rows
    ]


def _review_clients(connection: Connection, reviews: Sequence[int]) -> dict[int, list[Row]]:
    """The clients of review items, each with the customer it is linked to; one query for many items."""
    found: dict[int, list[Row]] = {review: [] for review in reviews}
    for some in in_portions(reviews):
        rows = connection.execute(
            "SELECT c.review_id, c.source, c.client_id, l.customer_id AS linked"
            " FROM review_clients c JOIN reviews r ON r.id = c.review_id"
            " LEFT JOIN links l ON l.source = c.source AND l.client_id = c.client_id AND l.crm = r.crm"
            f" WHERE c.review_id IN ({marks(some)}) ORDER BY c.id",
            tuple(some),
        )
        for row in rows:
            found[row["review_id"]].append({key: row[key] for key in ("source", "client_id", "linked")})
    return found


def _history(connection: Connection, review_id: int) -> list[Row]:
    rows = connection.execute(
        "SELECT decision, customer_id, decided_by, decided_at, undone_by, undone_at FROM review_decisions"
        " WHERE review_id = ? ORDER BY id",
        (review_id,),
    )
    return [{**dict(row), "decided_at": moment(row["decided_at"]), "undone_at": moment(row["undone_at"])} for row in rows]
