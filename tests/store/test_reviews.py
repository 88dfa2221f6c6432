"""Reviews: a person chooses, once, and what waited goes on."""

from __future__ import annotations

import pytest

from connector.errors import StoreError
from connector.store import views

from .samples import DONE, NOW, accept, claim_one, hold, link, rows, settle, states

pytestmark = pytest.mark.anyio
CANDIDATES = [{"customer_id": "501", "evidence": ["same e-mail"]}, {"customer_id": "502", "evidence": ["same phone"]}]


@pytest.fixture
async def review(store) -> int:
    """Two held events of a client, one of another, and the first client's review."""
    await accept(store, "e-1", "e-2", client="c-1")
    await accept(store, "e-3", client="c-2")
    while claimed := await store.lanes.claim(10, NOW):
        for work in claimed:
            await hold(store, work)
    return await store.reviews.open("stores", "c-1", "main", "two customers have this e-mail address", CANDIDATES, NOW)


async def test_a_client_has_one_open_review_which_is_kept_up_to_date(store, review):
    assert await store.reviews.open("stores", "c-1", "main", "one is left", CANDIDATES[:1], NOW + 5) == review
    assert await store.reviews.open("stores", "c-2", "main", "another client", [], NOW) != review
    found = (await store.read(views.reviews))[0]
    assert (found["reason"], found["candidates"], found["since"]) == ("one is left", CANDIDATES[:1], views.moment(NOW))


async def test_linking_saves_the_link_and_wakes_the_client_s_events_only(store, review):
    assert await store.reviews.decide(review, "link", "502", "ops", NOW + 1) is None
    assert await store.links.find("stores", "c-1") == link("c-1", "502", origin="review")
    assert await states(store) == {1: "queued", 2: "queued", 3: "held"}
    work = await claim_one(store, NOW + 1)
    assert (work.event_id, work.attempts, work.link.customer_id, work.decision.decision) == (1, 1, "502", "link")


async def test_creating_wakes_the_events_with_the_decision(store, review):
    assert await store.reviews.decide(review, "create", None, "ops", NOW) is None
    work = await claim_one(store)
    assert (work.decision.decision, work.decision.review_id, work.link) == ("create", review, None)


async def test_dismissing_discards_what_waited_and_is_known_to_later_events(store, review):
    assert await store.reviews.decide(review, "dismiss", None, "ops", NOW) is None
    assert await states(store) == {1: "discarded", 2: "discarded", 3: "held"}
    assert await store.lanes.claim(10, NOW) == []
    await accept(store, "e-4", client="c-1")
    assert (await claim_one(store)).decision.decision == "dismiss"


async def test_a_review_is_decided_once(store, review):
    await store.reviews.decide(review, "link", "501", "ops", NOW)
    why_not = await store.reviews.decide(review, "dismiss", None, "rival", NOW)
    assert why_not == f"Review {review} was decided before (link)."
    assert await store.reviews.decide(99, "link", "501", "ops", NOW) == "There is no review 99."
    found = await store.read(views.review, review)
    assert (found["decision"], found["customer_id"], found["decided_by"]) == ("link", "501", "ops")
    assert await settle(store) == [1, 2]


async def test_an_unknown_decision_changes_nothing(store, review):
    with pytest.raises(StoreError):
        await store.reviews.decide(review, "perhaps", None, "ops", NOW)
    assert (await store.read(views.review, review))["decision"] is None
    assert (await states(store))[1] == "held"


async def test_a_client_can_come_up_for_review_again(store, review):
    await store.reviews.decide(review, "create", None, "ops", NOW)
    again = await store.reviews.open("stores", "c-1", "main", "still two", CANDIDATES, NOW + 9)
    assert again != review
    assert [r["id"] for r in await store.read(views.reviews)] == [again]
    assert [r["id"] for r in await store.read(views.reviews, decided=True)] == [review]


async def test_an_event_that_had_failed_starts_afresh_after_a_decision(store):
    await accept(store, "e-1")
    await hold(store, await claim_one(store), failed=True)
    review = await store.reviews.open("stores", "c-1", "main", "two of them", CANDIDATES, NOW)
    await store.reviews.decide(review, "link", "501", "ops", NOW)
    work = await claim_one(store)
    assert (work.outcome, work.attempts, work.step) == (None, 1, "resolve")
    await store.lanes.conclude(work, DONE, NOW)
    assert await rows(store, "SELECT outcome FROM events") == [(None,)]


async def test_a_decision_reaches_an_event_behind_a_running_one(store):
    await accept(store, "e-1", "e-2")
    await hold(store, await claim_one(store))
    running = await claim_one(store)
    review = await store.reviews.open("stores", "c-1", "main", "two of them", CANDIDATES, NOW)
    await store.reviews.decide(review, "link", "501", "ops", NOW)
    assert await store.lanes.claim(10, NOW) == []
    await hold(store, running)
    assert (await claim_one(store)).event_id == 1
