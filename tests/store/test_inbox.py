"""Intake: what was answered is on the disk, once, and in the right lane."""

from __future__ import annotations

import asyncio
import os
import sqlite3
from dataclasses import replace
from types import SimpleNamespace

import pytest

from connector.model.bookings import Reading
from connector.model.errors import Overloaded
from connector.model.jobs import Awaited
from connector.store import database, look, views

from .samples import HOUR, NOW, accept, busy_writer, claim_one, delivery, event, handed_over, hold, opened, rows, settle, states

pytestmark = pytest.mark.anyio
GIB = 1024**3


async def test_an_accepted_delivery_is_on_the_disk_as_it_arrived(store, place):
    assert await store.inbox.accept(delivery("e-1", "c-7")) == "queued"
    query = "SELECT source, event, derived, type, received_at, headers, body FROM deliveries"
    found = look(place, lambda other: [tuple(row) for row in other.execute(query)])
    body = b'{"id": "e-1", "email": "c-1@example.com"}'
    assert found == [("stores", "e-1", 0, "appointment.updated", NOW, '{"content-type":"application/json"}', body)]
    work = await claim_one(store)
    assert (work.delivery, work.client_id, work.event) == ("e-1", "c-7", event("c-7"))


async def test_every_kind_of_event_of_one_commit_gets_its_own_lane_and_count(store):
    deliveries = [
        delivery("e-1", "c-1", "c-2"),
        delivery("e-2", reading=Reading(ignored="nobody's")),
        delivery("e-1", "c-1", "c-2"),
        delivery("e-3", reading=Reading(held="content is missing")),
        delivery("e-4", "c-1", source="spas"),
        delivery("e-5", "c-2"),
    ]
    async with busy_writer(store):
        waiting = [asyncio.create_task(store.inbox.accept(one)) for one in deliveries]
        await handed_over(*waiting)
    assert await asyncio.gather(*waiting) == ["queued", "ignored", "duplicate", "held", "queued", "queued"]
    found = await rows(
        store,
        "SELECT d.event, e.source, l.source, e.client_id, l.client_id FROM events e"
        " JOIN deliveries d ON d.id = e.delivery_id LEFT JOIN lanes l ON l.id = e.lane_id ORDER BY e.id",
    )
    assert found == [
        ("e-1", "stores", "stores", "c-1", "c-1"),
        ("e-1", "stores", "stores", "c-2", "c-2"),
        ("e-2", "stores", None, None, None),
        ("e-3", "stores", None, None, None),
        ("e-4", "spas", "spas", "c-1", "c-1"),
        ("e-5", "stores", "stores", "c-2", "c-2"),
    ]
    tallies = await store.read(views.queue)
    assert {state: n for state, n in tallies.items() if n} == {"queued": 4, "ignored": 1, "held": 1}
    assert await store.read(views.last_deliveries) == {"stores": NOW, "spas": NOW}
    assert (await store.read(views.last_day, NOW))[-1]["received"] == 6


async def test_what_has_no_reason_or_hint_has_none_in_the_table_either(store):
    await store.inbox.accept(delivery("e-1"))
    await store.inbox.accept(delivery("e-2", reading=Reading(ignored="nobody's")))
    await store.inbox.accept(delivery("e-3", reading=Reading(held="content is missing", hint="Report it.")))
    found = await rows(store, "SELECT state, reason, hint FROM events ORDER BY id")
    assert found == [("queued", None, None), ("ignored", "nobody's", None), ("held", "content is missing", "Report it.")]


async def test_the_same_event_twice_is_a_duplicate_and_changes_nothing(store):
    await accept(store, "e-1")
    assert await store.inbox.accept(delivery("e-1", "c-2", at=NOW + 5)) == "duplicate"
    assert await rows(store, "SELECT event, duplicates, received_at FROM deliveries") == [("e-1", 1, NOW)]
    assert (await claim_one(store)).client_id == "c-1"


async def test_duplicates_within_one_commit_are_one_event(store):
    async with busy_writer(store):
        waiting = [asyncio.create_task(store.inbox.accept(delivery(id_))) for id_ in ("e-1", "e-2", "e-1", "e-1")]
        await handed_over(*waiting)
    assert await asyncio.gather(*waiting) == ["queued", "queued", "duplicate", "duplicate"]
    assert await rows(store, "SELECT event, duplicates FROM deliveries ORDER BY id") == [("e-1", 2), ("e-2", 0)]
    assert await states(store) == {1: "queued", 2: "queued"}


async def test_an_event_is_known_for_ever_also_after_pruning_and_a_restart(place):
    async with opened(place) as store:
        await accept(store, "e-1")
        await settle(store)
        assert await store.upkeep.prune(NOW + HOUR) == 1
    async with opened(place) as store:
        assert await store.inbox.accept(delivery("e-1")) == "duplicate"
        assert await states(store) == {1: "done"}


async def test_another_source_may_use_the_same_event_id(store):
    await accept(store, "e-1", source="stores")
    await accept(store, "e-1", source="spas")
    assert {(w.source, w.client_id) for w in await store.lanes.claim(10, NOW)} == {("stores", "c-1"), ("spas", "c-1")}


async def test_a_delivery_about_several_clients_fills_several_lanes(store):
    await store.inbox.accept(delivery("e-1", "c-1", "c-2", "c-1"))
    claimed = await store.lanes.claim(10, NOW)
    assert sorted((w.client_id, w.event_id, w.delivery) for w in claimed) == [("c-1", 1, "e-1"), ("c-2", 2, "e-1")]
    assert await rows(store, "SELECT count(*) FROM lanes") == [(2,)]


async def test_an_ignored_delivery_is_kept_with_its_reason_and_needs_no_lane(store):
    reading = Reading(event_id="e-1", type="staff.updated", ignored="nobody's appointment")
    assert await store.inbox.accept(delivery("e-1", reading=reading)) == "ignored"
    ((found,), tallies) = (await store.read(views.events), await store.read(views.queue))
    assert (found["state"], found["reason"], found["client_id"], tallies["ignored"]) == (
        "ignored",
        "nobody's appointment",
        None,
        1,
    )
    assert await store.inbox.accept(delivery("e-2", reading=Reading())) == "ignored"
    assert await store.lanes.claim(10, NOW) == []


async def test_a_delivery_nobody_can_read_is_held_with_its_body(store):
    reading = Reading(event_id="e-1", held="content is missing", hint="Report it.")
    assert await store.inbox.accept(delivery("e-1", reading=reading)) == "held"
    (found,) = await store.read(views.events, state="held")
    assert (found["reason"], found["hint"]) == ("content is missing", "Report it.")
    assert sum(hour["held"] for hour in await store.read(views.last_day, NOW)) == 1
    source, headers, body = await store.read(views.held_delivery, 1)
    assert (source, headers, body[:5]) == ("stores", {"content-type": "application/json"}, b'{"id"')
    assert await store.lanes.claim(10, NOW) == []


async def test_a_held_delivery_that_can_be_read_now_becomes_its_events(store):
    await store.inbox.accept(delivery("e-1", reading=Reading(held="content is missing", hint="Report it.")))
    assert await store.inbox.read_again(1, Reading(held="content is still missing")) is False
    assert await store.inbox.read_again(1, Reading(events=[event("c-1"), event("c-2")])) is True
    assert await store.inbox.read_again(1, Reading(events=[event("c-3")])) is False
    assert await store.read(views.held_delivery, 1) is None
    assert sorted((w.event_id, w.client_id, w.delivery) for w in await store.lanes.claim(9, NOW)) == [
        (1, "c-1", "e-1"),
        (2, "c-2", "e-1"),
    ]
    assert (await store.read(views.queue))["held"] == 0


async def test_an_event_held_for_a_review_cannot_be_read_again(store):
    await accept(store, "e-1")
    await hold(store, await claim_one(store))
    assert await store.inbox.read_again(1, Reading(events=[event("c-9")])) is False
    assert await store.read(views.held_delivery, 1) is None


async def test_a_full_waiting_room_refuses_deliveries_but_not_the_worker(store, monkeypatch):
    monkeypatch.setattr(database, "WAITING_ROOM", 3)
    async with busy_writer(store):
        waiting = [asyncio.create_task(store.inbox.accept(delivery(f"e-{n}"))) for n in range(2)]
        await handed_over(*waiting)
        with pytest.raises(Overloaded, match="Too many") as caught:
            await store.inbox.accept(delivery("e-9"))
        assert caught.value.retry_after > 0
        waking = asyncio.create_task(store.lanes.wake(Awaited("crm.main"), NOW))
        await handed_over(waking)
    assert await asyncio.gather(*waiting) == ["queued", "queued"]
    assert await waking == 0
    assert await store.inbox.accept(delivery("e-9")) == "queued"


def disk(free: int, size: int):
    return lambda _path: SimpleNamespace(f_blocks=size // 4096, f_frsize=4096, f_bavail=free // 4096)


@pytest.mark.sqlite_only("the disk of a server cannot be seen from here")
@pytest.mark.parametrize(
    ("free", "size", "room"),
    [
        (100 * 1024**2, 100 * GIB, True),
        (31 * 1024**2, 100 * GIB, False),
        (0, GIB, False),
        (20 * 1024**2, GIB // 2, True),
        (10 * 1024**2, GIB // 2, False),
    ],
)
async def test_a_nearly_full_disk_refuses_deliveries(store, monkeypatch, free, size, room):
    monkeypatch.setattr(os, "statvfs", disk(free, size))
    if room:
        assert await store.inbox.accept(delivery("e-1")) == "queued"
        return
    with pytest.raises(Overloaded, match="disk is nearly full") as caught:
        await store.inbox.accept(delivery("e-1"))
    assert "connector.db" in caught.value.hint
    assert await states(store) == {}


@pytest.mark.sqlite_only("the disk of a server cannot be seen from here")
async def test_the_disk_is_looked_at_again_after_a_second(store, monkeypatch):
    now = 10_000.0
    monkeypatch.setattr("connector.store.sqlite.database.time", SimpleNamespace(monotonic=lambda: now))
    monkeypatch.setattr(os, "statvfs", disk(0, GIB))
    with pytest.raises(Overloaded):
        await store.inbox.accept(delivery("e-1"))
    monkeypatch.setattr(os, "statvfs", disk(GIB, GIB))
    with pytest.raises(Overloaded):
        await store.inbox.accept(delivery("e-1"))
    now += 1.5
    assert await store.inbox.accept(delivery("e-1")) == "queued"


async def test_as_many_events_as_a_body_can_name_fit_into_one_commit(store, place):
    if place.address.startswith("sqlite"):
        # What SQLite allows where it was built with its own defaults; Debian's allows more.
        store.database._connection.setlimit(sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER, 32_766)
    clients = [f"c-{n}" for n in range(4_000)]
    assert await store.inbox.accept(delivery("e-1", *clients)) == "queued"
    assert await rows(store, "SELECT count(*), count(DISTINCT lane_id) FROM events") == [(4_000, 4_000)]


async def test_an_id_with_another_body_is_a_further_event(store):
    first = delivery("e-1", "c-1")
    other = replace(delivery("e-1", "c-2"), body=b'{"id": "e-1", "status": "cancelled"}')
    assert [await store.inbox.accept(one) for one in (first, other, other, first)] == [
        "queued",
        "queued",
        "duplicate",
        "duplicate",
    ]
    assert await rows(store, "SELECT client_id, state FROM events ORDER BY id") == [("c-1", "queued"), ("c-2", "queued")]
    assert await rows(store, "SELECT duplicates FROM deliveries ORDER BY id") == [(1,), (1,)]
    assert await store.read(views.reused_ids) == {"stores": 1}


async def test_bodies_of_one_commit_under_one_id_are_told_apart(store):
    first, other = delivery("e-1", "c-1"), replace(delivery("e-1", "c-2"), body=b"[]")
    async with busy_writer(store):
        waiting = [asyncio.create_task(store.inbox.accept(one)) for one in (first, other, first, other)]
        await handed_over(*waiting)
    assert await asyncio.gather(*waiting) == ["queued", "queued", "duplicate", "duplicate"]


async def test_the_same_json_in_another_spelling_is_a_duplicate(store):
    again = replace(delivery("e-1"), body=b'{"email":"c-1@example.com","id":"e-1"}')
    assert [await store.inbox.accept(one) for one in (delivery("e-1"), again)] == ["queued", "duplicate"]
    assert await store.read(views.reused_ids) == {}


@pytest.mark.parametrize(("digest_kept", "status"), [(True, "queued"), (False, "duplicate")])
async def test_a_pruned_body_is_known_by_its_digest(store, digest_kept, status):
    await accept(store, "e-1")
    forget = "body = NULL, headers = NULL" + ("" if digest_kept else ", digest = NULL")
    await store.database.write(lambda connection: connection.execute(f"UPDATE deliveries SET {forget}"))
    assert await store.inbox.accept(delivery("e-1")) == "duplicate"
    assert await store.inbox.accept(replace(delivery("e-1"), body=b"[]")) == status
