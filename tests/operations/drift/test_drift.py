"""Links that one side no longer agrees with: each is found, and repaired only where nobody has to decide."""

from __future__ import annotations

import asyncio
import random

import pytest

from connector.model.capabilities import BookingCapability
from connector.model.errors import ConnectorError
from connector.operations.drift.run import Drift
from connector.operations.operations import Refused
from connector.sandbox.kit.faults import Faults
from connector.store import linked
from connector.store.reviews import views as review_views

from .world import Town

pytestmark = pytest.mark.anyio


async def test_where_everything_agrees_two_reads_a_link_are_all(town: Town) -> None:
    assert await town.found() == []
    assert await town.found(fix=True) == []
    assert town.to_booxi.methods() == town.to_hubspot.methods() == {"GET": 6}


async def test_one_that_was_stopped_is_continued_where_it_was(town: Town) -> None:
    reached = asyncio.Event()

    async def stuck() -> None:
        reached.set()
        await asyncio.Event().wait()

    town.to_booxi.on(f"client/{town.chloe}/", stuck)
    job = Drift(town.engine, "stores")
    running = asyncio.create_task(job.run())
    async with asyncio.timeout(60):
        await reached.wait()
        while job.progress.counts["seen"] - job.progress.open < 2:
            await asyncio.sleep(0)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    town.to_booxi.clear()
    order = await town.engine.store.read(linked.links_of, "stores", "main")
    assert order[0] == town.chloe
    assert await town.found() == []


# ---- repaired ----


async def test_a_merged_customer_is_followed_and_written_back(town: Town) -> None:
    old = await town.customer(town.ada)
    survivor = town.hubspot.merge(town.hubspot.add_contact(email="other@example.com"), old)
    assert await town.found() == [(town.ada, "customer_merged", "reported")]
    assert (await town.customer(town.ada), town.stored(town.ada)) == (old, old), "a look changes nothing"
    assert await town.found(fix=True) == [(town.ada, "customer_merged", "fixed")]
    assert (await town.customer(town.ada), town.stored(town.ada)) == (survivor, survivor)
    assert await town.engine.store.links.is_alias("main", old, survivor)
    assert await town.found(fix=True) == []


async def test_an_id_that_was_removed_is_written_again(town: Town) -> None:
    town.forget(town.ben)
    assert await town.found() == [(town.ben, "id_missing", "reported")]
    assert town.stored(town.ben) is None
    assert await town.found(fix=True) == [(town.ben, "id_missing", "fixed")]
    assert town.stored(town.ben) == await town.customer(town.ben)
    assert await town.found(fix=True) == []


async def test_an_id_that_was_merged_into_ours_is_replaced(town: Town) -> None:
    """Somebody stored the other record's id, and then the two were merged in the CRM."""
    town.hubspot.rules.merged_id = "primary"
    ours, other = await town.customer(town.ada), town.hubspot.add_contact(email="other@example.com")
    town.booxi.set_link(int(town.ada), other)
    town.hubspot.merge(ours, other)
    assert await town.found() == [(town.ada, "id_outdated", "reported")]
    assert await town.found(fix=True) == [(town.ada, "id_outdated", "fixed")]
    assert town.stored(town.ada) == ours
    assert await town.engine.store.links.is_alias("main", other, ours), "the merge is remembered"
    assert await town.found() == []


@pytest.mark.parametrize("stored", [True, False])
async def test_a_merged_client_hands_its_link_on(town: Town, stored: bool) -> None:
    survivor = str(town.client(firstName="Ada", lastName="Example"))
    customer = await town.customer(town.ada)
    town.booxi.merge_clients(int(town.ada), int(survivor))
    if not stored:
        town.forget(survivor)
    assert await town.found() == [(town.ada, "client_merged", "reported")]
    assert await town.found(fix=True) == [(town.ada, "client_merged", "fixed")]
    assert await town.customer(survivor) == town.stored(survivor) == customer
    assert await town.customer(town.ada) == customer, "links are kept for ever"
    assert await town.found(fix=True) == []


async def test_a_merge_and_a_removed_id_are_one_repair(town: Town) -> None:
    survivor = town.hubspot.merge(town.hubspot.add_contact(email="other@example.com"), await town.customer(town.ada))
    town.forget(town.ada)
    found = await town.found(fix=True)
    assert found == [(town.ada, "customer_merged", "fixed"), (town.ada, "id_missing", "fixed")]
    assert town.stored(town.ada) == survivor
    events = await town.events(client_id=town.ada)
    assert [event["type"] for event in events] == ["drift", "appointment.created"]
    assert town.hubspot.requests["PATCH contacts/{id}"] == 0, "a follow-up fills no blanks"


# ---- left to a person ----


async def test_another_customer_s_id_becomes_a_review(town: Town) -> None:
    ours, theirs = await town.customer(town.ada), await town.customer(town.ben)
    town.booxi.set_link(int(town.ada), theirs)
    assert await town.found() == [(town.ada, "id_foreign", "reported")]
    assert await town.engine.store.read(review_views.reviews) == []
    for _ in range(2):
        assert await town.found(fix=True) == [(town.ada, "id_foreign", "held")]
        assert town.stored(town.ada) == theirs, "nobody's entry is overwritten"
    item = await town.review()
    assert item["client_ids"] == [town.ada]
    assert item["candidates"] == [
        {"customer_id": ours, "evidence": ["our link (created)"]},
        {"customer_id": theirs, "evidence": ["stored in the booking system"]},
    ]
    town.booxi.book(int(town.ada))
    await town.deliver()
    await town.settled()
    assert (await town.review())["id"] == item["id"], "an event that needs no write-back does not decide it"
    await town.decide("link", ours)
    assert (town.stored(town.ada), await town.found(fix=True)) == (ours, [])


async def test_even_a_person_s_link_does_not_overwrite_what_somebody_stored_later(town: Town) -> None:
    ours, theirs = await town.customer(town.ada), await town.customer(town.ben)
    town.booxi.set_link(int(town.ada), theirs)
    await town.found(fix=True)
    await town.decide("link", ours)
    town.booxi.set_link(int(town.ada), theirs)
    assert await town.found(fix=True) == [(town.ada, "id_foreign", "held")]
    assert town.stored(town.ada) == theirs
    await town.decide("link", theirs)
    assert (await town.customer(town.ada), await town.found()) == (theirs, [])


async def test_a_customer_who_is_gone_is_held_and_can_be_linked_anew(town: Town) -> None:
    gone, new = await town.customer(town.ada), town.hubspot.add_contact(email="new@example.com")
    town.hubspot.archive(gone)
    assert await town.found() == [(town.ada, "customer_gone", "reported")]
    for _ in range(2):
        assert await town.found(fix=True) == [(town.ada, "customer_gone", "held")]
    assert len(await town.events(state="held")) == 1, "one follow-up is enough"
    item = await town.review()
    assert (item["client_ids"], item["candidates"]) == ([town.ada], [])
    with pytest.raises(Refused, match="is linked to customer"):
        await town.operations.call("decide", {"review": item["id"], "decision": "create", "customer_id": None, "by": "ops"})
    await town.decide("link", new)
    assert (town.stored(town.ada), await town.found(fix=True)) == (new, [])
    assert await town.events(state="held") == []


async def test_merged_clients_with_two_customers_are_one_review(town: Town) -> None:
    first, second = await town.customer(town.ada), await town.customer(town.ben)
    town.booxi.merge_clients(int(town.ada), int(town.ben))
    for _ in range(2):
        assert await town.found(fix=True) == [(town.ada, "clients_apart", "held")]
    item = await town.review()
    assert item["client_ids"] == [town.ben, town.ada]
    assert [candidate["customer_id"] for candidate in item["candidates"]] == [first, second]
    await town.decide("link", second)
    assert (await town.customer(town.ada), await town.customer(town.ben)) == (second, second)
    assert await town.found(fix=True) == []


async def test_a_merged_client_s_own_id_is_not_overwritten(town: Town) -> None:
    survivor = town.client(firstName="Ada", lastName="Example")
    town.booxi.set_link(survivor, await town.customer(town.ben))
    town.booxi.merge_clients(int(town.ada), survivor)
    assert await town.found(fix=True) == [(town.ada, "clients_apart", "held")]
    assert town.stored(str(survivor)) == await town.customer(town.ben)


async def test_a_client_who_is_gone_is_reported_and_left(town: Town) -> None:
    del town.booxi.state.clients[int(town.ada)]
    town.forget(town.ada)
    assert await town.found() == [(town.ada, "client_gone", "reported")]
    assert await town.found(fix=True) == [(town.ada, "client_gone", "left")]


async def test_a_refusal_is_a_finding_and_not_the_end(town: Town) -> None:
    first, second = town.client(firstName="One"), town.client(firstName="Two")
    town.booxi.merge_clients(int(town.ada), first)
    town.booxi.merge_clients(first, second)
    town.forget(town.ben)
    found = await town.found(fix=True)
    assert sorted(found) == sorted([(town.ada, "unreadable", "left"), (town.ben, "id_missing", "fixed")])


# ---- the walk ----


async def test_what_is_on_its_way_is_not_judged(town: Town) -> None:
    town.forget(town.ada)
    town.booxi.book(int(town.ada))
    lanes = town.engine.store.lanes
    await town.engine.worker.drain(1)
    await town.deliver()
    (work,) = await lanes.claim(1, town.engine.clock())
    drift = await town.drift()
    assert (work.client_id, drift["findings"], drift["busy"]) == (town.ada, [], 1)


async def test_a_sample_is_a_sample(town: Town) -> None:
    for client in (town.ada, town.ben, town.chloe):
        town.forget(client)
    drift = await town.drift(sample=2, chance=random.Random(7))
    assert (drift["counts"]["seen"], len(drift["findings"])) == (2, 2)
    assert (await town.drift(sample=9))["counts"]["seen"] == 3


async def test_passing_problem_is_waited_out(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("connector.operations.waiting.wait_random_exponential", lambda *_, **__: lambda _state: 0.01)
    town.forget(town.ada)
    town.booxi.faults = Faults(error_500=0.5, seed=3)
    assert await town.found() == [(town.ada, "id_missing", "reported")]


async def test_a_key_that_is_refused_ends_it_with_the_reason(town: Town) -> None:
    town.hubspot.token = "another-token"
    drift = await town.drift()
    assert drift["state"] == "failed"
    assert "HubSpot" in drift["reason"]


async def test_lines_hold_ids_only(town: Town) -> None:
    town.forget(town.ada)
    town.hubspot.archive(await town.customer(town.ben))
    drift = await town.drift(fix=True)
    assert len(drift["findings"]) == 2
    for word in ("example.com", "Ada", "Ben", "Example"):
        assert word not in str(drift)


@pytest.mark.parametrize("changed", [BookingCapability.WRITES_LINKS, BookingCapability.LINKS_APPOINTMENTS])
async def test_a_system_without_a_place_for_the_client_s_id_is_not_asked(town: Town, changed: BookingCapability) -> None:
    town.engine.connections.booking["stores"].capabilities ^= {changed}
    town.forget(town.ada)
    town.hubspot.archive(await town.customer(town.ben))
    assert await town.found() == [(town.ben, "customer_gone", "reported")]
    assert town.to_booxi.sent == []


# ---- through the operations ----


async def test_it_is_started_once_and_followed(town: Town) -> None:
    town.forget(town.ada)
    started = await town.operations.drift("stores")
    assert (await town.operations.drift("stores"))["source"] == started["source"]
    with pytest.raises(Refused, match="Another comparison of stores is running"):
        await town.operations.drift("stores", fix=True)
    await town.operations.runner.wait()
    progress = await town.operations.progress("drift", "stores")
    assert (progress["state"], progress["found"], progress["findings"][0]["problem"]) == ("done", 1, "id_missing")
    assert "quota" in progress


async def test_what_cannot_be_is_refused(town: Town) -> None:
    with pytest.raises(Refused, match="No comparison of stores is running"):
        await town.operations.progress("drift", "stores")
    with pytest.raises(Refused, match=r"No .* uses the source"):
        await town.operations.drift("nowhere")
    town.operations._works = False
    with pytest.raises(ConnectorError, match="no worker"):
        await town.operations.drift("stores", fix=True)
