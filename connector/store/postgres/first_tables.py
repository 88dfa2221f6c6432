"""The SQL of the first tables in PostgreSQL, which later changes alter (`connector.store.postgres.schema`)."""

from __future__ import annotations

FUNCTIONS = r"""
CREATE FUNCTION instr(text, text) RETURNS integer LANGUAGE sql IMMUTABLE STRICT AS 'SELECT strpos($1, $2)';

-- A zero character, which PostgreSQL cannot hold, is read as a space.
CREATE FUNCTION json_extract(document text, path text) RETURNS text LANGUAGE sql IMMUTABLE STRICT AS $$
    SELECT CAST(replace(document, '\u0000', '\u0020') AS json) #>> string_to_array(substr(path, 3), '.')
$$;

CREATE FUNCTION json_each(document text) RETURNS TABLE (value text) LANGUAGE sql IMMUTABLE STRICT AS $$
    SELECT json_array_elements_text(CAST(replace(document, '\u0000', '\u0020') AS json))
$$;

CREATE FUNCTION tally_update() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE tallies SET n = n - 1 WHERE name = OLD.state AND hour = 0;
    INSERT INTO tallies AS t (hour, name, n) VALUES (0, NEW.state, 1) ON CONFLICT (name, hour) DO UPDATE SET n = t.n + 1;
    RETURN NULL;
END $$;

CREATE FUNCTION legal_moves() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'an event cannot move that way; see docs/events.md';
END $$;
"""

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
    digest BLOB,
    UNIQUE (source, event)
);
CREATE INDEX deliveries_bodies ON deliveries (received_at) WHERE headers IS NOT NULL;

CREATE TABLE lanes (
    id ID,
    source TEXT NOT NULL,
    client_id TEXT NOT NULL,
    due REAL,
    priority INTEGER NOT NULL DEFAULT 0,
    boot TEXT,
    token INTEGER NOT NULL DEFAULT 0,
    waits_for TEXT,
    UNIQUE (source, client_id)
);
CREATE INDEX lanes_due ON lanes (priority, due, source) WHERE due IS NOT NULL AND boot IS NULL;
CREATE INDEX lanes_waiting ON lanes (waits_for) WHERE waits_for IS NOT NULL;
CREATE INDEX lanes_running ON lanes (boot) WHERE boot IS NOT NULL;
CREATE INDEX lanes_client ON lanes (client_id);

CREATE TABLE events (
    id ID,
    delivery_id INTEGER NOT NULL REFERENCES deliveries (id),
    lane_id INTEGER REFERENCES lanes (id),
    source TEXT NOT NULL,
    client_id TEXT,
    type TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN (STATES)),
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
    failing_since REAL,
    CHECK (state NOT IN ('queued', 'running', 'retrying') OR lane_id IS NOT NULL)
);
CREATE UNIQUE INDEX one_running_per_lane ON events (lane_id) WHERE state = 'running';
CREATE INDEX events_waiting ON events (lane_id, id) WHERE state IN ('queued', 'retrying');
CREATE INDEX events_open ON events (state, id) WHERE state NOT IN ('done', 'ignored', 'discarded');
CREATE INDEX events_lane ON events (lane_id, id);
CREATE INDEX events_held ON events (source, client_id) WHERE state = 'held';
CREATE INDEX events_delivery ON events (delivery_id);
CREATE TRIGGER tally_update AFTER UPDATE OF state ON events FOR EACH ROW WHEN (OLD.state <> NEW.state)
    EXECUTE FUNCTION tally_update();
CREATE TRIGGER legal_moves BEFORE UPDATE OF state ON events FOR EACH ROW WHEN (FORBIDDEN) EXECUTE FUNCTION legal_moves();

CREATE TABLE tallies (
    hour INTEGER NOT NULL,
    name TEXT NOT NULL,
    n INTEGER NOT NULL,
    PRIMARY KEY (name, hour)
);

CREATE TABLE links (
    id ID,
    source TEXT NOT NULL,
    client_id TEXT NOT NULL,
    crm TEXT NOT NULL,
    customer_id TEXT NOT NULL,
    origin TEXT NOT NULL CHECK (origin IN ('delivery', 'booking_system', 'crm_key', 'email', 'phone', 'created', 'review')),
    linked_at REAL NOT NULL,
    written_back_at REAL,
    stored_id TEXT,
    compared_at REAL,
    UNIQUE (source, client_id)
);
CREATE INDEX links_customer ON links (crm, customer_id);

CREATE TABLE aliases (
    crm TEXT NOT NULL,
    customer_id TEXT NOT NULL,
    survivor_id TEXT NOT NULL,
    seen_at REAL NOT NULL,
    PRIMARY KEY (crm, customer_id)
);

CREATE TABLE identities (
    crm TEXT NOT NULL,
    key TEXT NOT NULL,
    customer_id TEXT NOT NULL,
    source TEXT NOT NULL,
    client_id TEXT NOT NULL,
    seen_at REAL NOT NULL,
    PRIMARY KEY (crm, key, customer_id, source, client_id)
);
CREATE INDEX identities_client ON identities (source, client_id);

CREATE TABLE intents (
    key TEXT PRIMARY KEY,
    kind TEXT NOT NULL CHECK (kind IN ('create', 'write_back', 'fill', 'record')),
    state TEXT NOT NULL CHECK (state IN ('intent', 'done', 'unknown')),
    source TEXT NOT NULL,
    client_id TEXT NOT NULL,
    event_id INTEGER NOT NULL,
    result TEXT,
    begun_at REAL NOT NULL,
    updated_at REAL NOT NULL
);
CREATE INDEX intents_open ON intents (source, client_id) WHERE state <> 'done';

CREATE TABLE claims (
    crm TEXT NOT NULL,
    key TEXT NOT NULL,
    intent TEXT NOT NULL REFERENCES intents (key),
    PRIMARY KEY (crm, key)
);
CREATE INDEX claims_intent ON claims (intent);

CREATE TABLE appointments (
    source TEXT NOT NULL,
    appointment_id TEXT NOT NULL,
    client_id TEXT NOT NULL,
    record_id TEXT NOT NULL,
    version REAL NOT NULL,
    updated_at REAL NOT NULL,
    crm TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (source, appointment_id, client_id)
);

CREATE TABLE reviews (
    id ID,
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
    decided_at REAL,
    key TEXT
);
CREATE UNIQUE INDEX one_open_review ON reviews (crm, person) WHERE decision IS NULL;
CREATE INDEX reviews_decided ON reviews (decided_at) WHERE decision IS NOT NULL;
CREATE INDEX reviews_person ON reviews (crm, person);
CREATE INDEX reviews_key ON reviews (crm, key) WHERE key IS NOT NULL;

CREATE TABLE review_clients (
    id ID,
    review_id INTEGER NOT NULL REFERENCES reviews (id),
    source TEXT NOT NULL,
    client_id TEXT NOT NULL,
    candidates TEXT NOT NULL,
    standing INTEGER NOT NULL DEFAULT 0,
    told TEXT CHECK (told IN ('link', 'create', 'dismiss', 'wait')),
    replaced TEXT,
    undecided INTEGER NOT NULL DEFAULT 0,
    UNIQUE (review_id, source, client_id)
);
CREATE UNIQUE INDEX one_open_review_per_client ON review_clients (source, client_id) WHERE told IS NULL;
CREATE INDEX review_clients_client ON review_clients (source, client_id);

CREATE TABLE review_decisions (
    id ID,
    review_id INTEGER NOT NULL,
    decision TEXT NOT NULL,
    customer_id TEXT,
    decided_by TEXT NOT NULL,
    decided_at REAL NOT NULL,
    undone_by TEXT,
    undone_at REAL
);
CREATE INDEX review_decisions_review ON review_decisions (review_id);

CREATE TABLE different (
    crm TEXT NOT NULL,
    source TEXT NOT NULL,
    client_id TEXT NOT NULL,
    customer_id TEXT NOT NULL,
    person TEXT,
    review_id INTEGER,
    decided_by TEXT NOT NULL,
    decided_at REAL NOT NULL,
    PRIMARY KEY (crm, source, client_id, customer_id)
);
CREATE INDEX different_person ON different (crm, person) WHERE person IS NOT NULL;

CREATE TABLE shared_keys (
    crm TEXT NOT NULL,
    key TEXT NOT NULL,
    people INTEGER NOT NULL,
    noticed_at REAL NOT NULL,
    person TEXT,
    decided_by TEXT,
    decided_at REAL,
    PRIMARY KEY (crm, key)
);

CREATE TABLE calls (
    id ID,
    quota TEXT NOT NULL,
    at REAL NOT NULL,
    cost INTEGER NOT NULL
);
CREATE INDEX calls_at ON calls (quota, at);

CREATE TABLE backfills (
    id ID,
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
);
CREATE UNIQUE INDEX one_backfill_per_source ON backfills (source) WHERE state IN ('walking', 'working');

CREATE TABLE backfill_clients (
    backfill_id INTEGER NOT NULL REFERENCES backfills (id),
    client_id TEXT NOT NULL,
    event_id INTEGER NOT NULL REFERENCES events (id),
    PRIMARY KEY (backfill_id, client_id)
);
CREATE INDEX backfill_clients_event ON backfill_clients (event_id);

CREATE TABLE installation (name TEXT PRIMARY KEY, value TEXT NOT NULL);
"""
