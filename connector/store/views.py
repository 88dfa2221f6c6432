"""What people ask: lists, counts, the last day. Read-only; ids, reasons and traces, never personal data."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from connector.model.jobs import Awaited
from connector.model.reviews import Decision
from connector.store import tallies
from connector.store.connection import Connection, unfinished
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


def written_to(connection: Connection, source: str, client_id: str, customer_id: str, *, limit: int) -> list[str]:
    """Where the customer's id was or may have been written for a client: ids of bookings, or the client's own."""
    begin, end = f"write_back:{source}:", f":{customer_id}"
    rows = connection.execute(
        "SELECT key FROM intents WHERE key >= ? AND key < ? AND client_id = ? AND kind = 'write_back'"
        " ORDER BY begun_at DESC LIMIT ?",
        (begin, begin + "\U0010ffff", client_id, limit),
    )
    return [row[0].removeprefix(begin).removesuffix(end) for row in rows if row[0].endswith(end)]


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


def linked_sources(connection: Connection) -> list[str]:
    """The sources that have links, in order. Each is found in the index: not every link is read."""
    query = (
        "WITH RECURSIVE found (source) AS (SELECT min(source) FROM links UNION ALL"
        " SELECT (SELECT min(source) FROM links WHERE source > found.source) FROM found WHERE found.source IS NOT NULL)"
        " SELECT source FROM found WHERE source IS NOT NULL"
    )
    return [row[0] for row in connection.execute(query)]


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
