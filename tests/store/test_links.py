"""Links are kept for ever; memory follows the CRM's merges."""

from __future__ import annotations

import pytest

from connector.model.links import KnownOfClient
from connector.store import views

from .samples import NOW, accept, claim_one, link

pytestmark = pytest.mark.anyio


@pytest.fixture
async def commit(store):
    """Commit links as the resolve step does."""
    await accept(store, "e-1")
    work = await claim_one(store)

    async def commit(*links, at=NOW, **more):
        await store.journal.linked(work, list(links), "write_back", at, **more)
        work.link = await store.links.find(work.source, work.client_id)

    return commit


async def test_a_link_is_found_by_source_and_client(store, commit):
    await commit(link("c-1", "501"), link("c-2", "501"))
    assert await store.links.find("stores", "c-2") == link("c-2", "501")
    assert await store.links.find("spas", "c-2") is None
    assert await store.links.find("stores", "c-3") is None


async def test_a_client_has_one_link_and_its_date_stays_while_the_customer_does(store, commit):
    await commit(link("c-1", "501"))
    await commit(link("c-1", "501", origin="crm_key", stored_id="501"), at=NOW + 10)
    (found,) = await store.read(views.links)
    assert (found["origin"], found["linked_at"]) == ("crm_key", "2026-11-21T12:00:00.000Z")
    await commit(link("c-1", "777"), at=NOW + 20)
    (found,) = await store.read(views.links)
    assert (found["customer_id"], found["linked_at"]) == ("777", "2026-11-21T12:00:20.000Z")


async def test_one_look_around_a_client_says_which_of_its_keys_are_tied_and_shared(store, commit):
    await commit(link("c-1", "501"), keys=["email:1", "phone:2"])
    await store.links.notice("main", "phone:2", 2)
    await accept(store, "e-2", client="c-2")
    work, keys = await claim_one(store), ["email:9", "phone:2"]
    tied = KnownOfClient(frozenset(["phone:2"]), frozenset(["phone:2"]), (), ())
    assert await store.links.known_of("main", work, keys, None) == tied
    assert await store.links.known_of("second", work, keys, None) == KnownOfClient(frozenset(), frozenset(), (), ())
    assert await store.links.known_of("main", work, [], None) == KnownOfClient(frozenset(), frozenset(), (), ())


async def test_an_identity_is_remembered_per_crm_and_each_customer_once(store, commit):
    await commit(link("c-1", "501"), keys=["email:1", "phone:2"])
    await commit(link("c-2", "502"), keys=["phone:2"])
    assert await store.links.remembered("main", ["email:1", "phone:2"]) == ["501", "502"]
    assert await store.links.remembered("main", ["email:9"]) == []
    assert await store.links.remembered("second", ["email:1"]) == []
    assert await store.links.remembered("main", []) == []


async def test_a_merge_is_followed_by_what_we_remember(store, commit):
    await commit(link("c-1", "501"), keys=["email:1"])
    await commit(link("c-2", "502"), keys=["email:1"])
    await commit(link("c-1", "502"), merged_from="501")
    assert await store.links.remembered("main", ["email:1"]) == ["502"]
    assert await store.links.is_alias("main", "501", "502")
    assert not await store.links.is_alias("main", "502", "501")
    assert not await store.links.is_alias("second", "501", "502")


async def test_a_chain_of_merges_ends_at_the_last_survivor(store, commit):
    await commit(link("c-1", "a"), keys=["email:1"])
    await commit(link("c-1", "b"), merged_from="a")
    await commit(link("c-1", "c"), merged_from="b")
    await commit(link("c-1", "d"), merged_from="c")
    assert await store.links.remembered("main", ["email:1"]) == ["d"]
    assert [await store.links.is_alias("main", old, "d") for old in "abc"] == [True] * 3
    assert not await store.links.is_alias("main", "a", "b")


async def test_the_crm_s_latest_word_about_a_merge_counts(store, commit):
    await commit(link("c-1", "a"), keys=["email:1"])
    await commit(link("c-1", "b"), merged_from="a")
    await commit(link("c-1", "c"), merged_from="a")
    assert await store.links.remembered("main", ["email:1"]) == ["c"]


async def test_a_merge_into_itself_is_no_merge(store, commit):
    await commit(link("c-1", "a"), merged_from="a", keys=["email:1"])
    assert await store.links.remembered("main", ["email:1"]) == ["a"]


async def test_a_merge_taken_back_ends_nowhere_in_a_circle(store, commit):
    await commit(link("c-1", "a"), keys=["email:1"])
    await commit(link("c-1", "b"), merged_from="a")
    await commit(link("c-1", "a"), merged_from="b")
    assert await store.links.remembered("main", ["email:1"]) == ["a"]
