"""The SQL of the first version's tables, which later migrations change (`connector.store.sqlite.schema`)."""

from __future__ import annotations

import re

from connector.model.states import MOVES
from connector.store.connection import unfinished

TABLES = """
CREATE TABLE deliveries (
    id INTEGER PRIMARY KEY,
    source TEXT NOT NULL,
    event TEXT NOT NULL,
    derived INTEGER NOT NULL,
    type TEXT NOT NULL,
    received_at REAL NOT NULL,
    headers TEXT,
    body BLOB,
    duplicates INTEGER NOT NULL DEFAULT 0,
    UNIQUE (source, event)
) STRICT;

CREATE TABLE lanes (
    id INTEGER PRIMARY KEY,
    source TEXT NOT NULL,
    client_id TEXT NOT NULL,
    due REAL,
    priority INTEGER NOT NULL DEFAULT 0,
    boot TEXT,
    token INTEGER NOT NULL DEFAULT 0,
    waits_for TEXT,
    UNIQUE (source, client_id)
) STRICT;
CREATE INDEX lanes_due ON lanes (priority, due) WHERE due IS NOT NULL AND boot IS NULL;
CREATE INDEX lanes_waiting ON lanes (waits_for) WHERE waits_for IS NOT NULL;
CREATE INDEX lanes_running ON lanes (boot) WHERE boot IS NOT NULL;

CREATE TABLE events (
    id INTEGER PRIMARY KEY,
    delivery_id INTEGER NOT NULL REFERENCES deliveries (id),
    lane_id INTEGER REFERENCES lanes (id),
    source TEXT NOT NULL,
    client_id TEXT,
    type TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ({states})),
    step TEXT NOT NULL DEFAULT 'resolve' CHECK (step IN ('resolve', 'write_back', 'fill', 'record')),
    attempts INTEGER NOT NULL DEFAULT 0,
    snoozes INTEGER NOT NULL DEFAULT 0,
    received_at REAL NOT NULL,
    updated_at REAL NOT NULL,
    payload TEXT,
    outcome TEXT,
    written_back INTEGER NOT NULL DEFAULT 0,
    reason TEXT,
    hint TEXT,
    trace TEXT NOT NULL DEFAULT '[]',
    CHECK (state NOT IN ('queued', 'running', 'retrying') OR lane_id IS NOT NULL)
) STRICT;
CREATE UNIQUE INDEX one_running_per_lane ON events (lane_id) WHERE state = 'running';
CREATE INDEX events_waiting ON events (lane_id, id) WHERE state IN ('queued', 'retrying');
{events_open};
CREATE INDEX events_lane ON events (lane_id, id);
CREATE INDEX events_held ON events (source, client_id) WHERE state = 'held';
CREATE INDEX events_delivery ON events (delivery_id);

CREATE TABLE tallies (
    hour INTEGER NOT NULL,
    name TEXT NOT NULL,
    n INTEGER NOT NULL,
    PRIMARY KEY (name, hour)
) STRICT, WITHOUT ROWID;

CREATE TABLE links (
    id INTEGER PRIMARY KEY,
    source TEXT NOT NULL,
    client_id TEXT NOT NULL,
    crm TEXT NOT NULL,
    customer_id TEXT NOT NULL,
    origin TEXT NOT NULL CHECK (origin IN ('delivery', 'booking_system', 'crm_key', 'email', 'phone', 'created', 'review')),
    linked_at REAL NOT NULL,
    written_back_at REAL,
    stored_id TEXT,
    UNIQUE (source, client_id)
) STRICT;
CREATE INDEX links_customer ON links (crm, customer_id);

CREATE TABLE aliases (
    crm TEXT NOT NULL,
    customer_id TEXT NOT NULL,
    survivor_id TEXT NOT NULL,
    seen_at REAL NOT NULL,
    PRIMARY KEY (crm, customer_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE identities (
    crm TEXT NOT NULL,
    key TEXT NOT NULL,
    customer_id TEXT NOT NULL,
    seen_at REAL NOT NULL,
    PRIMARY KEY (crm, key, customer_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE intents (
    key TEXT PRIMARY KEY,
    kind TEXT NOT NULL CHECK (kind IN ('create', 'write_back', 'fill', 'record')),
    -- 'unknown' was written by earlier versions; it means what 'intent' means: begun, and not known to be done.
    state TEXT NOT NULL CHECK (state IN ('intent', 'done', 'unknown')),
    source TEXT NOT NULL,
    client_id TEXT NOT NULL,
    event_id INTEGER NOT NULL,
    result TEXT,
    begun_at REAL NOT NULL,
    updated_at REAL NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX intents_open ON intents (source, client_id) WHERE state <> 'done';

CREATE TABLE claims (
    crm TEXT NOT NULL,
    key TEXT NOT NULL,
    intent TEXT NOT NULL REFERENCES intents (key),
    PRIMARY KEY (crm, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX claims_intent ON claims (intent);

CREATE TABLE appointments (
    source TEXT NOT NULL,
    appointment_id TEXT NOT NULL,
    client_id TEXT NOT NULL,
    record_id TEXT NOT NULL,
    version REAL NOT NULL,
    updated_at REAL NOT NULL,
    PRIMARY KEY (source, appointment_id, client_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE reviews (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    source TEXT NOT NULL,
    client_id TEXT NOT NULL,
    crm TEXT NOT NULL,
    person TEXT NOT NULL,
    reason TEXT NOT NULL,
    since REAL NOT NULL,
    candidates TEXT NOT NULL,
    decision TEXT CHECK (decision IN ('link', 'create', 'dismiss')),
    customer_id TEXT,
    decided_by TEXT,
    decided_at REAL
) STRICT;
CREATE UNIQUE INDEX one_open_review ON reviews (crm, person) WHERE decision IS NULL;
CREATE INDEX reviews_decided ON reviews (decided_at) WHERE decision IS NOT NULL;

CREATE TABLE review_clients (
    id INTEGER PRIMARY KEY,
    review_id INTEGER NOT NULL REFERENCES reviews (id),
    source TEXT NOT NULL,
    client_id TEXT NOT NULL,
    candidates TEXT NOT NULL,
    standing INTEGER NOT NULL DEFAULT 0,
    told TEXT CHECK (told IN ('link', 'create', 'dismiss', 'wait')),
    replaced TEXT,
    UNIQUE (review_id, source, client_id)
) STRICT;
CREATE UNIQUE INDEX one_open_review_per_client ON review_clients (source, client_id) WHERE told IS NULL;
CREATE INDEX review_clients_client ON review_clients (source, client_id);

CREATE TABLE review_decisions (
    id INTEGER PRIMARY KEY,
    review_id INTEGER NOT NULL,
    decision TEXT NOT NULL,
    customer_id TEXT,
    decided_by TEXT NOT NULL,
    decided_at REAL NOT NULL,
    undone_by TEXT,
    undone_at REAL
) STRICT;
CREATE INDEX review_decisions_review ON review_decisions (review_id);

CREATE TABLE calls (
    id INTEGER PRIMARY KEY,
    quota TEXT NOT NULL,
    at REAL NOT NULL,
    cost INTEGER NOT NULL
) STRICT;
CREATE INDEX calls_at ON calls (quota, at);

CREATE TABLE backfills (
    id INTEGER PRIMARY KEY,
    source TEXT NOT NULL,
    asked TEXT NOT NULL,
    since REAL NOT NULL,
    until REAL NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('walking', 'working', 'done', 'replaced')),
    by_service INTEGER NOT NULL,
    cursor TEXT,
    fraction REAL NOT NULL DEFAULT 0,
    started_at REAL NOT NULL,
    updated_at REAL NOT NULL
) STRICT;
CREATE UNIQUE INDEX one_backfill_per_source ON backfills (source) WHERE state IN ('walking', 'working');

CREATE TABLE backfill_clients (
    backfill_id INTEGER NOT NULL REFERENCES backfills (id),
    client_id TEXT NOT NULL,
    event_id INTEGER NOT NULL REFERENCES events (id),
    PRIMARY KEY (backfill_id, client_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX backfill_clients_event ON backfill_clients (event_id);
"""

#: Its condition is `connector.store.connection.unfinished`, word for word.
EVENTS_OPEN = f"CREATE INDEX events_open ON events (state, id) WHERE {unfinished()}"

TALLY = """
CREATE TRIGGER tally_update AFTER UPDATE OF state ON events WHEN OLD.state <> NEW.state BEGIN
    UPDATE tallies SET n = n - 1 WHERE name = OLD.state AND hour = 0;
    INSERT INTO tallies (hour, name, n) VALUES (0, NEW.state, 1) ON CONFLICT DO UPDATE SET n = n + 1;
END;
"""


def compared(script: str) -> str:
    """Write each `x IN (…)` of more than two values as comparisons of `x`.

    In a CHECK and in the condition of an index SQLite builds a table of the values again for each row that it writes.
    """

    def comparisons(found: re.Match[str]) -> str:
        column, negated, values = found[1], found[2], found[3].split(", ")
        if len(values) < 3:
            return found[0]
        return "(" + (" AND " if negated else " OR ").join(f"{column} {'<>' if negated else '='} {one}" for one in values) + ")"

    return re.sub(r"([\w.]+) (NOT )?IN \(([^()]*)\)", comparisons, script)


def move_guard() -> str:
    """The trigger that refuses moves between states which `connector.model.states` does not allow."""
    forbidden = " OR ".join(
        f"(OLD.state = '{old}' AND NEW.state NOT IN ({', '.join(repr(new) for new in (old, *moves))}))"
        for old, moves in MOVES.items()
    )
    return f"""
CREATE TRIGGER legal_moves BEFORE UPDATE OF state ON events WHEN {compared(forbidden)} BEGIN
    SELECT RAISE(ABORT, 'an event cannot move that way; see docs/events.md');
END;
"""
