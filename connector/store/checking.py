"""Whether a database is whole: what the database can say of itself, and the laws of the store that no schema enforces.

Nothing is changed, and a service may run meanwhile: each law is one statement, and holds between any two commits.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import ModuleType

from connector.model.errors import StoreError
from connector.model.states import STATES
from connector.store.connection import Connection
from connector.store.findings import Finding, fine, odd, some, wrong
from connector.store.key import matches
from connector.store.opening import Location, checking_of, look
from connector.store.tables import INSTALLATION, objects, tables
from connector.store.unfinished import copy_of, to_finish

_REPORT = "This is a defect of connector: report it, with this text."
_STATES = ", ".join(f"'{state}'" for state in STATES)


@dataclass(frozen=True)
class Law:
    """`query` answers what breaks it; `broken` says so, before the list."""

    id: str
    query: str
    broken: str
    hint: str


LAWS = (
    Law(
        "events.running",
        "SELECT e.id FROM events e JOIN lanes l ON l.id = e.lane_id WHERE e.state = 'running' AND l.boot IS NULL ORDER BY e.id",
        "events are running, and no process has claimed their lane",
        "Stop the service, run UPDATE events SET state = 'retrying' WHERE id IN (…) in the database, start the service, and"
        f" queue them again: connector events retry ID… {_REPORT}",
    ),
    Law(
        "lanes.claimed",
        "SELECT l.id FROM lanes l WHERE l.boot IS NOT NULL AND NOT EXISTS"
        " (SELECT 1 FROM events e WHERE e.lane_id = l.id AND e.state = 'running') ORDER BY l.id",
        "lanes are claimed, and none of their events is running",
        "Restart the service: a start gives claimed lanes back.",
    ),
    Law(
        "events.forgotten",
        "SELECT e.id FROM events e JOIN lanes l ON l.id = e.lane_id WHERE e.state IN ('queued', 'retrying')"
        " AND l.due IS NULL AND l.awaited_account IS NULL AND l.boot IS NULL ORDER BY e.id",
        "events wait, and their lane is neither due nor waits for an account: they would wait for ever",
        "Queue them again: connector events retry ID…",
    ),
    Law(
        "events.payload",
        "SELECT e.id FROM events e WHERE e.state IN ('queued', 'running', 'retrying') AND e.payload IS NULL ORDER BY e.id",
        "events wait to be processed, but their content is gone",
        "Discard them (connector events discard ID…); a backfill reads their clients again.",
    ),
    Law(
        "events.lane",
        "SELECT e.id FROM events e JOIN lanes l ON l.id = e.lane_id"
        " WHERE l.source <> e.source OR l.client_id <> coalesce(e.client_id, '') ORDER BY e.id",
        "events are in the lane of another client",
        f"Restore a backup from before. {_REPORT}",
    ),
    Law(
        "events.source",
        "SELECT e.id FROM events e JOIN deliveries d ON d.id = e.delivery_id WHERE d.source <> e.source ORDER BY e.id",
        "events have another source than their delivery",
        f"Restore a backup from before. {_REPORT}",
    ),
    Law(
        "reviews.clients",
        "SELECT r.id FROM reviews r WHERE r.decision IS NULL AND NOT EXISTS"
        " (SELECT 1 FROM review_clients c WHERE c.review_id = r.id) ORDER BY r.id",
        "open reviews have no client",
        f"Dismiss them: connector review dismiss ID. {_REPORT}",
    ),
    Law(
        "reviews.open",
        "SELECT r.id FROM reviews r JOIN review_clients c ON c.review_id = r.id"
        " WHERE (r.decision IS NULL) <> (c.answer IS NULL) GROUP BY r.id ORDER BY r.id",
        "reviews are open for some of their clients and decided for others",
        f"Decide those that are listed as open; take the others back (connector review undo ID) and decide again. {_REPORT}",
    ),
    Law(
        "intents.events",
        "SELECT DISTINCT i.event_id FROM intents i WHERE NOT EXISTS (SELECT 1 FROM events e WHERE e.id = i.event_id)"
        " ORDER BY i.event_id",
        "actions were begun for events that are not there",
        f"Restore a backup from before. {_REPORT}",
    ),
)
#: Nothing but the figures on the page depends on this one.
_COUNTS = Law(
    "events.counts",
    f"SELECT kind FROM (SELECT kind, n FROM tallies WHERE source = '' AND hour = 0 AND kind IN ({_STATES})"
    " UNION ALL SELECT state, -count(*) FROM events GROUP BY state) AS counted GROUP BY kind HAVING sum(n) <> 0 ORDER BY kind",
    "the numbers on the page differ from the events in the database, for these states",
    f"Nothing else depends on them. {_REPORT}",
)


def check(where: Location) -> list[Finding]:
    """Look at all of a database; `ok`, `warning` and `error` as in all checks.

    Raises:
        StoreError: there is none, it cannot be read at all, or it is of a newer version.
    """
    return look(where, _check, where, checking_of(where))


def _check(connection: Connection, where: Location, kind: ModuleType) -> list[Finding]:
    if not kind.columns(connection, INSTALLATION):
        text = "There is no connector's database, or one of a much older version."
        raise StoreError(text, hint="Start `connector serve`, or fix database.url.")
    if (source := copy_of(connection)) is not None:
        return [wrong("database.copy", f"this is only a part of a copy of {source}", to_finish(source))]
    found: list[Finding] = kind.soundness(connection)
    if any(one["level"] == "error" for one in found):
        return found
    if kind.older(connection):
        text = "an older version of connector made the tables: their content was not checked"
        return [*found, odd("database.version", text, "Start this version of the service once, then check again.")]
    return [*found, _key(connection, where), *(_missing(connection, kind) or _broken(connection))]


def _key(connection: Connection, where: Location) -> Finding:
    row = connection.execute("SELECT value FROM installation WHERE name = 'key'").fetchone()
    try:
        matches(where.path, None if row is None else str(row[0]))
    except StoreError as error:
        return wrong("database.key", str(error), error.hint)
    return fine("database.key", "the key file is the one that the database was written with")


def _missing(connection: Connection, kind: ModuleType) -> list[Finding]:
    """What of the schema is not there."""
    lost = sorted(objects() - kind.indexes_and_triggers(connection))
    for table in tables():
        there = kind.columns(connection, table.name)
        lost += [f"{table.name}.{column}" for column in table.columns if column not in there]
    if not lost:
        return []
    text = f"not there, although the version that made the tables makes them: {some(lost)}"
    return [wrong("database.tables", text, "Restore a backup from before they were removed.")]


def _broken(connection: Connection) -> list[Finding]:
    """Which laws do not hold; one line where all do."""
    found = []
    for law in (*LAWS, _COUNTS):
        if names := [row[0] for row in connection.execute(law.query)]:
            say = odd if law is _COUNTS else wrong
            found.append(say(law.id, f"{law.broken}: {some(names)}", law.hint))
    return found or [fine("database.laws", "events, lanes, reviews and unfinished actions are consistent")]
