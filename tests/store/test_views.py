"""What people are shown: right counts, newest first, and nothing personal."""

from __future__ import annotations

import json

import pytest

from connector.model.bookings import Reading
from connector.model.errors import StoreError
from connector.model.jobs import Awaited, Verdict
from connector.model.states import STATES
from connector.store import views
from connector.store.reviews import views as review_views

from .samples import DONE, HOUR, NOW, accept, claim_one, delivery, hold, link, rows, settle

pytestmark = pytest.mark.anyio


async def test_events_are_listed_newest_first_and_can_be_narrowed(store):
    await accept(store, "e-1", client="c-1")
    await accept(store, "e-2", client="c-2")
    await accept(store, "e-3", client="c-1", source="spas")
    await hold(store, next(w for w in await store.lanes.claim(10, NOW) if w.delivery == "e-2"))

    async def listed(**narrow):
        return [e["event"] for e in await store.read(views.events, **narrow)]

    assert await listed() == ["e-3", "e-2", "e-1"]
    assert await listed(limit=2) == ["e-3", "e-2"]
    assert await listed(state="held") == ["e-2"]
    assert await listed(source="stores") == ["e-2", "e-1"]
    assert await listed(client_id="c-1", source="stores") == ["e-1"]
    assert await listed(client_id="' OR 1=1 --") == []


async def test_a_listed_event_has_the_fields_of_the_contract(store):
    await accept(store, "e-1")
    (found,) = await store.read(views.events)
    assert found == {
        "id": 1,
        "source": "stores",
        "event": "e-1",
        "type": "appointment.updated",
        "client_id": "c-1",
        "state": "queued",
        "attempts": 0,
        "received_at": "2026-11-21T12:00:00.000Z",
        "updated_at": "2026-11-21T12:00:00.000Z",
        "reason": None,
        "hint": None,
        "trace": [],
    }


async def test_one_event_is_shown_with_its_delivery_and_its_next_try(store):
    await accept(store, "e-1")
    await store.inbox.accept(delivery("e-1"))
    await store.lanes.conclude(await claim_one(store), Verdict("retrying", due=NOW + 60), NOW)
    found = await store.read(views.event, 1)
    assert (found["step"], found["next_try"], found["waits_for"]) == ("resolve", "2026-11-21T12:01:00.000Z", None)
    assert (found["derived"], found["duplicates"], found["body_kept"]) == (0, 1, 1)
    await store.lanes.conclude(await claim_one(store, NOW + 60), Verdict("queued", waits_for=Awaited("crm.main")), NOW)
    found = await store.read(views.event, 1)
    assert (found["next_try"], found["waits_for"]) == (None, "crm.main")
    await store.lanes.wake(Awaited("crm.main"), NOW)
    refused = Verdict("queued", waits_for=Awaited("crm.main", "search contacts"))
    await store.lanes.conclude(await claim_one(store, NOW), refused, NOW)
    assert (await store.read(views.event, 1))["waits_for"] == "crm.main: search contacts"
    assert await store.read(views.event, 99) is None


async def test_links_are_listed_with_the_fields_of_the_contract(store):
    await accept(store, "e-1")
    work = await claim_one(store)
    await store.journal.linked(work, [link("c-1", "501"), link("c-2", "502", written_back_at=NOW)], "fill", NOW)
    first, second = await store.read(views.links)
    assert first == {
        "source": "stores",
        "client_id": "c-1",
        "crm": "main",
        "customer_id": "501",
        "origin": "email",
        "linked_at": "2026-11-21T12:00:00.000Z",
        "written_back_at": None,
    }
    assert second["written_back_at"] == "2026-11-21T12:00:00.000Z"
    assert await store.read(views.link_count) == 2


async def test_a_review_is_shown_with_what_waits_for_it(store):
    await accept(store, "e-1", "e-2")
    await hold(store, await claim_one(store))
    await hold(store, await claim_one(store))
    candidates = [{"customer_id": "501", "evidence": ["same e-mail"]}]
    id_ = await store.reviews.open("stores", "c-1", "main", "two of them", candidates, NOW)
    (listed,) = await store.read(review_views.reviews)
    assert listed == {
        "id": id_,
        "source": "stores",
        "client_ids": ["c-1"],
        "reason": "two of them",
        "since": "2026-11-21T12:00:00.000Z",
        "candidates": candidates,
    }
    found = await store.read(review_views.review, id_)
    assert (found["crm"], found["events"], found["decision"], found["decided_at"]) == ("main", [1, 2], None, None)
    assert await store.read(review_views.review, 99) is None


async def test_the_queue_counts_every_state_zeros_included(store):
    assert await store.read(views.queue) == dict.fromkeys(STATES, 0)
    await accept(store, "e-1", "e-2", client="c-1")
    await accept(store, "e-3", client="c-2")
    await hold(store, (await store.lanes.claim(1, NOW))[0])
    assert await store.read(views.queue) == {**dict.fromkeys(STATES, 0), "queued": 2, "held": 1}


async def test_the_oldest_waiting_event_counts_whatever_it_waits_for(store):
    assert await store.read(views.oldest_waiting, NOW) is None
    await accept(store, "e-1", client="c-1", at=NOW - 100)
    await accept(store, "e-2", client="c-2", at=NOW - 50)
    await accept(store, "e-3", client="c-3", at=NOW - 10)
    first, second = await store.lanes.claim(2, NOW)
    await hold(store, first)
    await store.lanes.conclude(second, Verdict("queued", waits_for=Awaited("crm.main"), counts=False), NOW)
    assert await store.read(views.oldest_waiting, NOW) == pytest.approx(50)
    assert await settle(store) == [3]
    assert await store.read(views.oldest_waiting, NOW) == pytest.approx(50)


async def test_the_last_day_has_twenty_four_hours(store):
    hour = NOW // HOUR * HOUR
    await accept(store, "e-1", "e-2", client="c-1", at=hour - 23 * HOUR)
    await accept(store, "e-0", client="c-0", at=hour - 24 * HOUR)
    await store.inbox.accept(delivery("e-2", at=hour))
    held, done = sorted(await store.lanes.claim(9, hour), key=lambda work: work.delivery, reverse=True)
    await hold(store, held, now=hour)
    await store.lanes.conclude(done, DONE, hour - HOUR)
    day = await store.read(views.last_day, NOW)
    assert len(day) == 24
    assert day[0] == {"hour": views.moment(hour - 23 * HOUR), "received": 2, "linked": 0, "held": 0}
    assert day[-2:] == [
        {"hour": views.moment(hour - HOUR), "received": 0, "linked": 1, "held": 0},
        {"hour": views.moment(hour), "received": 1, "linked": 0, "held": 1},
    ]
    assert sum(h["received"] for h in day) == 3


async def test_each_source_knows_when_it_last_heard_something(store):
    assert await store.read(views.last_deliveries) == {}
    await accept(store, "e-1", at=NOW - 5)
    await store.inbox.accept(delivery("e-1", at=NOW))
    await accept(store, "e-1", source="spas", at=NOW - 9)
    assert await store.read(views.last_deliveries) == {"stores": NOW, "spas": NOW - 9}


async def test_no_view_shows_a_person(store):
    await accept(store, "e-1", "e-2")
    work = await claim_one(store)
    await store.journal.linked(work, [link()], "fill", NOW, keys=["email:hash"])
    await hold(store, work)
    await store.reviews.open("stores", "c-1", "main", "two of them", [], NOW)
    asked = [views.events, views.links, review_views.reviews, views.queue, views.last_deliveries]
    shown = [await store.read(view) for view in asked]
    shown += [await store.read(views.event, 1), await store.read(review_views.review, 1), await store.read(views.last_day, NOW)]
    text = json.dumps(shown)
    assert "c-1" in text
    assert not any(personal in text for personal in ("Ada", "example.com", "555"))
    assert "Ada" in str(await rows(store, "SELECT payload FROM events"))


async def test_a_query_that_takes_too_long_is_cut_short_and_the_reader_goes_on(store):
    def endless(connection):
        return connection.execute(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n"
        ).fetchall()

    with pytest.raises(StoreError, match="took too long") as caught:
        await store.read(endless, budget=0.02)
    assert caught.value.hint
    await store.inbox.accept(delivery("e-1", reading=Reading(ignored="nobody's")))
    assert (await store.read(views.queue))["ignored"] == 1


async def test_a_view_cannot_write(store):
    def write(connection):
        connection.execute("DELETE FROM events")

    with pytest.raises(StoreError, match="cannot be written"):
        await store.read(write)
