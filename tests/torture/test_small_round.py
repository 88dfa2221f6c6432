"""A very small round and chunk in the default suite, many deliveries at once, and that the inspection sees breaches."""

from __future__ import annotations

import asyncio
import random
import shutil
import sqlite3
from collections import Counter
from contextlib import closing

import pytest
from acceptance.world import WEBHOOK_TOKEN, RemoteSystems, Service, rows, states

from .courier import Courier
from .invariants import MARKER, Inspection, marker
from .rounds import Plan, Round
from .town import MODULE
from .volume import Chunk

pytestmark = pytest.mark.slow


def test_a_small_round(tmp_path):
    outcome = asyncio.run(Round(Plan(seed=4, kills=3, seconds=2.5, actions=10), tmp_path).play())
    assert outcome.breaches == []
    assert outcome.kills == 3
    assert outcome.links
    assert outcome.answers["duplicate"]


async def crowd(tmp_path, clients):
    """So many clients of one new person book, and all deliveries arrive at the same moment; answers get lost meanwhile."""
    sides, courier = RemoteSystems(), Courier(random.Random(1), WEBHOOK_TOKEN, again=0.2, late=0)
    async with sides:
        service = Service(sides.config(tmp_path, sync="record_appointments = true"))
        async with service.running():
            courier.start()
            courier.urls = [service.url]
            for number in range(clients):
                email = "ada@example.com" if number % 2 else "ADA@Example.com"
                sides.booxi.book(sides.booxi.add_client(firstName="Ada", lastName="Example", email=email))
            sides.faults(lost_answer=0.03, latency_ms=(1, 30), search_lag_seconds=60)
            courier.take(sides.booxi.outbox.waiting)
            await courier.all_brought()
            await service.settled()
            assert await service.stop() == 0
        await courier.close()
        return sides, service


def test_fifty_simultaneous_deliveries_of_one_new_person_make_one_customer(tmp_path):
    sides, service = asyncio.run(crowd(tmp_path, 50))
    (contact,) = sides.hubspot.contacts()
    assert states(service.database) == {"done": 50}
    assert Counter(sides.booxi.links().values()) == {contact["id"]: 50}
    assert {customer for (customer,) in rows(service.database, "SELECT customer_id FROM links")} == {contact["id"]}
    assert len(sides.hubspot.meetings()) == 50


# ---- the inspection itself ----


@pytest.fixture(scope="module")
def lived(tmp_path_factory):
    """A chunk that went well: what an inspection looks at."""
    chunk = Chunk(7, 250, tmp_path_factory.mktemp("chunk"))
    inspection, handed = asyncio.run(chunk.run())
    assert inspection.breaches() == []
    assert chunk.sides.booxi.app.injected["lost_answer"]
    return chunk, handed, inspection.database


@pytest.fixture
def inspect(lived, tmp_path):
    """Inspect again, after statements on a copy of the database and with another log."""
    chunk, handed, database = lived

    def again(*statements, log=()):
        copy = tmp_path / "copy.db"
        shutil.copy(database, copy)
        with closing(sqlite3.connect(copy)) as connection:
            connection.execute("PRAGMA foreign_keys = off")
            connection.execute("DROP TRIGGER IF EXISTS legal_moves")
            for statement in statements:
                assert connection.execute(statement).rowcount > 0
            connection.commit()
        found = Inspection(chunk.town, handed, copy, chunk.ledger, list(log), ["hunter2-hunter2"], meetings=True).breaches()
        return {breach.partition(":")[0] for breach in found}

    return again


def _linked(town):
    """Clients who must be linked, each a person of its own: which of them comes first in the tables depends on the run."""
    known = [person.clients[0] for person in town.people.all if person.must_be_linked and not person.merged]
    return [client for client in known if client not in town.touched]


@pytest.mark.parametrize(
    ("statement", "breach"),
    [
        ("DELETE FROM deliveries WHERE id = (SELECT max(id) FROM deliveries)", "stored"),
        ("UPDATE deliveries SET body = x'7b7d' WHERE id = (SELECT max(id) FROM deliveries)", "stored"),
        ("DELETE FROM events WHERE id = (SELECT max(id) FROM events)", "stored"),
        ("UPDATE events SET state = 'running' WHERE id = (SELECT max(id) FROM events WHERE client_id = 'CLIENT')", "final"),
        ("UPDATE events SET state = 'held' WHERE id = (SELECT max(id) FROM events WHERE client_id = 'CLIENT')", "final"),
        ("DELETE FROM links WHERE client_id = 'CLIENT'", "right_links"),
        ("UPDATE links SET customer_id = '1' WHERE client_id = 'CLIENT'", "equal_links"),
        ("UPDATE intents SET state = 'intent' WHERE client_id = 'CLIENT'", "settled"),
    ],
)
def test_the_inspection_sees_what_is_wrong_in_the_database(inspect, lived, statement, breach):
    assert breach in inspect(statement.replace("CLIENT", str(_linked(lived[0].town)[0])))


def test_the_inspection_sees_two_clients_exchanged(inspect, lived):
    one, other = _linked(lived[0].town)[:2]
    swap = (
        f"UPDATE links SET customer_id = (SELECT customer_id FROM links WHERE client_id = '{other}') WHERE client_id = '{one}'"
    )
    assert inspect(swap) == {"right_links", "equal_links", "one_meeting"}


@pytest.mark.parametrize("line", ["token hunter2-hunter2", "asked for x@example.com", "called +15145550123"])
def test_the_inspection_sees_private_words_in_the_log(inspect, line):
    assert inspect(log=["all well", line]) == {"silent"}


def test_the_inspection_sees_a_second_customer(inspect, lived):
    town = lived[0].town
    person = next(p for p in town.people.all if p.must_be_linked and p.anchor == "phone")
    contact = town.hubspot.add_contact(firstname=person.first, phone=person.phone)
    assert inspect() == {"one_customer"}
    town.hubspot.archive(contact)
    assert inspect() == set()


def test_the_inspection_sees_a_second_and_an_old_meeting(inspect, lived):
    chunk = lived[0]
    # Of a group, and of clients who were merged, several meetings are right.
    town = chunk.town
    alone = {
        marker(b, c) for b, c in town.told if b not in town.groups and not town.owner[c].merged and not town.owner[c].ambiguous
    }
    marked = ((m, MARKER.search(m["hs_internal_meeting_notes"])) for m in chunk.sides.hubspot.meetings())
    meeting = next(m for m, found in marked if found and found.group(1) in alone)
    records = chunk.sides.hubspot.records
    record = records.meeting(meeting["id"])
    second = chunk.ledger.create(dict(record.properties), record.contacts)
    assert inspect() == {"one_meeting"}
    second.archived, now = True, record.properties["hs_timestamp"]
    record.properties["hs_timestamp"] = "2030-01-01T00:00:00.000Z"
    assert inspect() == {"one_meeting"}
    record.properties["hs_timestamp"] = now
    assert inspect() == set()


def test_the_inspection_sees_what_the_booking_system_holds(inspect, lived):
    state = lived[0].sides.booxi.state
    key = next(key for key in state.links if key[1] == MODULE)
    kept = state.links.pop(key)
    assert inspect() == {"equal_links"}
    state.links[key] = kept
    lived[0].sides.booxi.meter.throttled = 1
    assert inspect() == {"quotas"}
    lived[0].sides.booxi.meter.throttled = 0
