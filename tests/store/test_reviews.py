"""Reviews: a person chooses, once, and what waited goes on."""

from __future__ import annotations

from dataclasses import replace

import pytest

from connector.model.errors import StoreError
from connector.model.jobs import Verdict
from connector.store import views
from connector.store.reviews import views as review_views
from connector.store.reviews.decisions import decision_of

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
    found = (await store.read(review_views.reviews))[0]
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
    found = await store.read(review_views.review, review)
    assert (found["decision"], found["customer_id"], found["decided_by"]) == ("link", "501", "ops")
    assert await settle(store) == [1, 2]


async def test_an_unknown_decision_changes_nothing(store, review):
    with pytest.raises(StoreError):
        await store.reviews.decide(review, "perhaps", None, "ops", NOW)
    assert (await store.read(review_views.review, review))["decision"] is None
    assert (await states(store))[1] == "held"


async def test_a_client_can_come_up_for_review_again(store, review):
    await store.reviews.decide(review, "create", None, "ops", NOW)
    again = await store.reviews.open("stores", "c-1", "main", "still two", CANDIDATES, NOW + 9)
    assert again != review
    assert [r["id"] for r in await store.read(review_views.reviews)] == [again]
    assert [r["id"] for r in await store.read(review_views.reviews, decided=True)] == [review]


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


# ---- one person, several clients ----


async def shared(store, *clients: str, person: str = "p-1", **more) -> int:
    """An event of each client is held, and all of them are one person; returns the review they share."""
    for client in clients:
        source, _, id_ = client.rpartition("/")
        source = source or "stores"
        await accept(store, f"e-{client}", client=id_, source=source)
        await hold(store, await claim_one(store))
        opened = await store.reviews.open(source, id_, "main", "two of them", CANDIDATES, NOW, person=person, **more)
    return opened


async def test_clients_who_are_one_person_share_an_item(store):
    await shared(store, "c-1", "tours/c-2", "c-3")
    await shared(store, "c-4", person="p-2")
    first, second = await store.read(review_views.reviews)
    assert (first["source"], first["client_ids"], second["client_ids"]) == ("stores", ["c-1", "c-2", "c-3"], ["c-4"])
    assert first["candidates"] == CANDIDATES
    shown = await store.read(review_views.review, first["id"])
    assert shown["events"] == [1, 2, 3]
    assert [client["source"] for client in shown["clients"]] == ["stores", "tours", "stores"]


async def test_another_crm_is_another_question(store):
    first = await shared(store, "c-1")
    assert await store.reviews.open("stores", "c-2", "other", "two of them", [], NOW, person="p-1") != first


async def test_an_item_says_what_each_of_its_clients_says_once(store):
    await shared(store, "c-1")
    other = [{"customer_id": "502", "evidence": ["same phone", "same name"]}, {"customer_id": "503", "evidence": []}]
    await store.reviews.open("stores", "c-2", "main", "two others", other, NOW + 5, person="p-1")
    (item,) = await store.read(review_views.reviews)
    assert item["candidates"] == [CANDIDATES[0], {"customer_id": "502", "evidence": ["same phone", "same name"]}, other[1]]
    assert (item["reason"], item["since"]) == ("two others", views.moment(NOW))
    await store.reviews.open("stores", "c-1", "main", "one is left", CANDIDATES[:1], NOW + 9, person="p-1")
    assert [one["customer_id"] for one in (await store.read(review_views.reviews))[0]["candidates"]] == ["501", "502", "503"]


async def test_a_client_who_turns_out_to_be_somebody_else_moves(store):
    first = await shared(store, "c-1", "c-2")
    moved = await store.reviews.open("stores", "c-1", "main", "changed", [], NOW, person="p-2")
    assert moved != first
    assert {item["id"]: item["client_ids"] for item in await store.read(review_views.reviews)} == {
        first: ["c-2"],
        moved: ["c-1"],
    }
    assert await store.reviews.open("stores", "c-2", "main", "changed", [], NOW, person="p-2") == moved
    assert [item["client_ids"] for item in await store.read(review_views.reviews)] == [["c-1", "c-2"]]


async def test_a_client_alone_keeps_its_item_when_it_becomes_better_known(store):
    alone = await store.reviews.open("stores", "c-1", "main", "two of them", [], NOW)
    assert await store.reviews.open("stores", "c-1", "main", "two of them", [], NOW, person="p-1") == alone
    assert await store.reviews.open("stores", "c-2", "main", "two of them", [], NOW, person="p-1") == alone
    assert await store.reviews.open("stores", "c-1", "main", "two of them", [], NOW) == alone, "no news is no change"


async def test_the_number_of_an_item_that_is_gone_is_not_given_again(store):
    first = await store.reviews.open("stores", "c-1", "main", "two of them", [], NOW, person="p-1")
    second = await store.reviews.open("stores", "c-2", "main", "two of them", [], NOW, person="p-2")
    assert await store.reviews.open("stores", "c-2", "main", "two of them", [], NOW, person="p-1") == first
    assert await store.reviews.open("stores", "c-3", "main", "two of them", [], NOW, person="p-3") > second


async def test_linking_is_for_all_clients(store):
    review = await shared(store, "c-1", "tours/c-2")
    await store.reviews.decide(review, "link", "502", "ops", NOW)
    assert await store.links.find("stores", "c-1") == link("c-1", "502", origin="review")
    assert await store.links.find("tours", "c-2") == link("c-2", "502", source="tours", origin="review")
    assert await states(store) == {1: "queued", 2: "queued"}


async def test_dismissing_is_for_all_clients(store):
    review = await shared(store, "c-1", "c-2")
    await store.reviews.decide(review, "dismiss", None, "ops", NOW)
    assert await states(store) == {1: "discarded", 2: "discarded"}
    assert (await store.read(views.decision, "stores", "c-2")).decision == "dismiss"


async def created(store, work, customer: str = "777") -> None:
    """The customer is made and linked, as the sync does it."""
    work.link = link(work.client_id, customer, origin="created")
    await store.journal.linked(work, [work.link], "write_back", NOW)
    await store.lanes.conclude(work, DONE, NOW)


async def test_one_customer_is_created_and_the_others_wait_for_it(store):
    review = await shared(store, "c-1", "tours/c-2", "c-3")
    await store.reviews.decide(review, "create", None, "ops", NOW)
    work = await claim_one(store)
    assert (work.client_id, work.decision.decision) == ("c-1", "create")
    assert await states(store) == {1: "running", 2: "held", 3: "held"}
    assert "lets another client of this person create" in (await store.read(views.event, 2))["reason"]
    await created(store, work)
    assert await states(store) == {1: "done", 2: "queued", 3: "queued"}
    assert await store.links.find("tours", "c-2") == link("c-2", "777", source="tours", origin="review")
    assert [w.decision.decision for w in await store.lanes.claim(9, NOW)] == ["link", "link"]


async def test_a_client_that_waits_is_not_told_to_create_or_ignored(store):
    review = await shared(store, "c-1", "c-2")
    await store.reviews.decide(review, "create", None, "ops", NOW)
    await accept(store, "e-9", client="c-2")
    (work,) = [work for work in await store.lanes.claim(9, NOW) if work.client_id == "c-2"]
    assert work.decision is None


async def test_who_is_linked_meanwhile_is_not_asked_about_any_more(store):
    review = await shared(store, "c-1", "c-2")
    await accept(store, "e-9", client="c-1")
    work = await claim_one(store)
    await created(store, work)
    await settle(store)
    assert [item["client_ids"] for item in await store.read(review_views.reviews)] == [["c-1", "c-2"]], "the other still waits"
    assert await shared(store, "c-3") == review
    assert [item["client_ids"] for item in await store.read(review_views.reviews)] == [["c-2", "c-3"]]


async def test_an_item_that_has_settled_itself_is_not_shown(store):
    await shared(store, "c-1")
    await accept(store, "e-9", client="c-1")
    await created(store, await claim_one(store))
    await settle(store)
    assert await store.read(review_views.reviews) == []


async def test_a_standing_item_stays_until_it_is_decided(store):
    await shared(store, "c-1", standing=True)
    await accept(store, "e-9", client="c-1")
    await created(store, await claim_one(store))
    await settle(store)
    (item,) = await store.read(review_views.oldest)
    assert (item["client_ids"], item["linked"]) == (["c-1"], True)


async def test_a_decision_nobody_waits_for_is_carried_out_by_a_follow_up(store):
    review = await store.reviews.open("stores", "c-1", "main", "two of them", CANDIDATES, NOW, standing=True)
    await store.reviews.decide(review, "link", "501", "ops", NOW, follow_ups=True)
    work = await claim_one(store)
    assert (work.type, work.client_id, work.event.appointment, work.link.customer_id) == ("review", "c-1", None, "501")
    await settle(store)


async def test_who_decided_and_when_is_in_the_trace(store, review):
    await store.reviews.decide(review, "link", "502", "ops", NOW)
    note = f"decided in review {review} by ops at 2026-11-21T12:00:00Z"
    expected = {"rule": "review", "result": "link", "note": note, "customer_id": "502"}
    assert (await store.read(views.event, 1))["trace"] == [expected]
    assert (await store.read(views.event, 3))["trace"] == []


async def answered(store, client: str, *, person: str = "p-1", reason: str = "two of them", ids=("501", "502")):
    return await store.reviews.answered("stores", client, "main", reason, ids, NOW + 60, person=person)


async def test_a_link_answers_for_a_later_client_of_the_same_person(store):
    review = await shared(store, "c-1")
    assert await answered(store, "c-2") is None, "nobody has decided yet"
    await store.reviews.decide(review, "link", "502", "ops", NOW)
    assert await answered(store, "c-2", person="p-2") is None
    assert await answered(store, "c-2", reason="the booking system says otherwise") is None
    assert await answered(store, "c-2", ids=["501"]) is None, "the chosen customer is no candidate any more"
    assert await answered(store, "c-1") is None, "a client of the item itself has come up again"
    entry = await answered(store, "c-2")
    assert entry["note"] == f"ops decided this for another client of this person in review {review}"
    assert await store.links.find("stores", "c-2") == link("c-2", "502", origin="review")


@pytest.mark.parametrize("decision", ["create", "dismiss"])
async def test_other_decisions_answer_for_nobody_else(store, decision):
    review = await shared(store, "c-1")
    await store.reviews.decide(review, decision, None, "ops", NOW)
    assert await answered(store, "c-2") is None


async def test_taking_the_decision_back_takes_it_back_for_later_clients_too(store):
    review = await shared(store, "c-1")
    await store.reviews.decide(review, "link", "502", "ops", NOW)
    await answered(store, "c-2")
    assert len(await undo(store, review)) == 2
    assert await store.links.find("stores", "c-2") is None
    assert await answered(store, "c-3") is None


# ---- undo ----


async def undo(store, review: int, *, now: float = NOW + 60) -> list[str]:
    """Take the decision back; it must be possible."""
    refusal, said = await store.reviews.undo(review, "boss", now)
    assert refusal is None
    return said


async def test_a_link_nobody_knows_of_is_taken_back(store, review):
    await store.reviews.decide(review, "link", "502", "ops", NOW)
    assert await undo(store, review) == ["Client c-1 of stores: the link to 502 is gone; nothing had been written back."]
    assert await store.links.find("stores", "c-1") is None
    assert [item["id"] for item in await store.read(review_views.reviews)] == [review]
    assert (await claim_one(store, NOW + 60)).decision is None, "what was let go is looked at again"
    shown = await store.read(review_views.review, review)
    assert (shown["decision"], shown["decided_by"]) == (None, None)
    (past,) = shown["history"]
    assert (past["decision"], past["decided_by"], past["undone_by"]) == ("link", "ops", "boss")
    assert (past["decided_at"], past["undone_at"]) == (views.moment(NOW), views.moment(NOW + 60))


async def test_the_link_that_was_there_before_holds_again(store, review):
    await accept(store, "e-9", client="c-1")
    work = await claim_one(store)
    before = link("c-1", "400", origin="email")
    await store.journal.linked(work, [before], "write_back", NOW)
    await hold(store, work)
    await store.reviews.decide(review, "link", "502", "ops", NOW)
    (said,) = await undo(store, review)
    assert said.endswith("the link to 502 is gone and the one to 400 holds again.")
    assert await store.links.find("stores", "c-1") == before


@pytest.mark.parametrize("settled", [True, False])
async def test_a_link_that_was_or_may_be_written_back_goes_and_nothing_is_matched_until_a_new_decision(store, review, settled):
    await store.reviews.decide(review, "link", "502", "ops", NOW)
    work = await claim_one(store)
    await store.journal.begin(work, "write_back:c-1", "write_back", NOW)
    if settled:
        await store.journal.wrote_back(work, work.link, "fill", NOW, intent="write_back:c-1")
        await store.lanes.conclude(work, DONE, NOW)
        await settle(store)
    else:
        await store.lanes.conclude(work, Verdict("retrying", "no clear answer", due=NOW + 99), NOW)
    (said,) = await undo(store, review)
    assert said == "Client c-1 of stores: the link to 502 was in use and is gone. Its events wait until you decide again."
    assert await store.links.find("stores", "c-1") is None
    undecided = await store.read(decision_of, "stores", "c-1")
    assert (undecided.review_id, undecided.decision) == (review, "undecided")
    assert [item["id"] for item in await store.read(review_views.reviews)] == [review]
    assert await store.reviews.decide(review, "link", "501", "ops", NOW + 99) is None
    assert (await store.links.find("stores", "c-1")).customer_id == "501"


async def test_a_customer_who_was_created_stays(store):
    review = await shared(store, "c-1", "c-2")
    await store.reviews.decide(review, "create", None, "ops", NOW)
    await created(store, await claim_one(store))
    first, second = await undo(store, review)
    assert "the link to 777 was in use and is gone; the customer 777 stays in the CRM." in first
    assert await store.links.find("stores", "c-1") is None
    assert "c-2 of stores: the link to 777 is gone" in second


async def test_a_create_that_has_not_begun_is_withdrawn_for_all(store):
    review = await shared(store, "c-1", "c-2")
    await store.reviews.decide(review, "create", None, "ops", NOW)
    assert all("nothing had been done yet" in said for said in await undo(store, review))
    assert (await store.read(views.event, 2))["reason"] == "two of them"
    assert await store.reviews.decide(review, "link", "501", "ops", NOW + 70) is None
    assert await settle(store, NOW + 70) == [1, 2]


async def test_dismissing_a_linked_client_removes_the_link_and_undo_brings_it_back(store, review):
    await accept(store, "e-9", client="c-1")
    work = await claim_one(store)
    before = replace(link("c-1", "400", origin="email"), stored_id="400", written_back_at=NOW)
    await store.journal.linked(work, [before], "write_back", NOW, keys=["email:a"])
    await hold(store, work)
    await store.reviews.decide(review, "dismiss", None, "ops", NOW)
    assert await store.links.find("stores", "c-1") is None
    assert await store.links.remembered("main", ["email:a"]) == []
    (said,) = await undo(store, review)
    assert said == "Client c-1 of stores: the link to 400 holds again; what was discarded stays discarded."
    assert await store.links.find("stores", "c-1") == replace(before, stored_id=None)
    follow_up = await claim_one(store, NOW + 60)
    assert (follow_up.client_id, follow_up.type) == ("c-1", "review"), "so that it is written back again"


async def test_a_dismissal_is_withdrawn_for_what_comes(store, review):
    await store.reviews.decide(review, "dismiss", None, "ops", NOW)
    (said,) = await undo(store, review)
    assert said == "Client c-1 of stores: future events are held again; what was discarded stays discarded."
    await accept(store, "e-9", client="c-1")
    assert (await claim_one(store)).decision is None
    assert (await states(store))[1] == "discarded"


async def test_what_cannot_be_taken_back_says_why(store, review):
    async def refusal(number: int = review) -> str:
        before = await store.read(review_views.review, number)
        why, said = await store.reviews.undo(number, "boss", NOW)
        assert (said, await store.read(review_views.review, number)) == ([], before)
        return str(why)

    assert await refusal(99) == "There is no review 99."
    assert await refusal() == f"Review {review} is open: there is nothing to undo."
    await store.reviews.decide(review, "create", None, "ops", NOW)
    work = await claim_one(store)
    assert await refusal() == "An event of client c-1 of stores is being processed. Try again in a moment."
    await hold(store, work)
    await hold(store, await claim_one(store))
    newer = await store.reviews.open("stores", "c-1", "main", "still two", CANDIDATES, NOW + 1)
    assert await refusal() == f"Review {newer} about client c-1 of stores is newer: decide that one."
    await store.reviews.decide(newer, "dismiss", None, "ops", NOW + 2)
    assert await refusal() == f"Review {newer} about client c-1 of stores is newer: undo that one first."
    await undo(store, newer)


async def test_an_open_item_about_the_same_person_comes_first(store):
    review = await shared(store, "c-1")
    await store.reviews.decide(review, "dismiss", None, "ops", NOW)
    other = await shared(store, "c-2")
    assert (await store.reviews.undo(review, "boss", NOW))[0] == (
        f"Review {other} about the same person is open: decide that one."
    )


async def test_the_last_decisions_are_listed_until_they_are_taken_back(store):
    numbers = [await shared(store, f"c-{n}", person=f"p-{n}") for n in range(3)]
    for at, number in enumerate(numbers):
        await store.reviews.decide(number, "dismiss", None, "ops", NOW + at)
    await undo(store, numbers[2])
    assert [item["id"] for item in await store.read(review_views.decided, limit=2)] == [numbers[1], numbers[0]]
