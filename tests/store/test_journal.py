"""The journal: intent before effect, unknown outcomes stay open, and a person is created by one client at a time."""

from __future__ import annotations

from dataclasses import replace

import pytest

from connector.model.errors import Postponed
from connector.model.jobs import Verdict
from connector.model.links import Records

from .samples import DONE, NOW, accept, claim_one, hold, link, opened, rows, settle

pytestmark = pytest.mark.anyio
CREATE, RIVAL = "create:main:key-1", "create:main:key-2"
EMAIL, PHONE, OTHER = "email:1", "phone:2", "phone:3"


async def two_clients(store):
    await accept(store, "e-1", client="c-1")
    await accept(store, "e-2", client="c-2")
    return sorted(await store.lanes.claim(10, NOW), key=lambda work: work.event_id)


async def begin_create(store, work, key, *identity, crm="main"):
    return await store.journal.begin(work, key, "create", NOW, crm=crm, identity=identity)


async def claims(store):
    plain = {store.database.keyed(key): key for key in (EMAIL, PHONE, OTHER)}
    found = await rows(store, "SELECT crm, key, intent FROM claims")
    return sorted((crm, plain[key], intent) for crm, key, intent in found)


async def intent_states(store):
    return dict(await rows(store, "SELECT key, state FROM intents"))


async def test_an_intent_is_on_the_disk_before_the_effect_is_attempted(place):
    async with opened(place) as store:
        await accept(store, "e-1")
        assert await begin_create(store, await claim_one(store), CREATE, EMAIL) is False
    async with opened(place) as store:
        assert await store.journal.is_open(CREATE)
        assert await claims(store) == [("main", EMAIL, CREATE)]


async def test_an_intent_is_open_until_it_is_settled(store):
    await accept(store, "e-1")
    work = await claim_one(store)
    assert not await store.journal.is_open("fill:1")
    assert await store.journal.begin(work, "fill:1", "fill", NOW) is False
    assert await intent_states(store) == {"fill:1": "intent"}
    assert await store.journal.is_open("fill:1")
    assert await store.journal.begin(work, "fill:1", "fill", NOW) is True
    await store.journal.settled(work, "fill:1", NOW)
    assert await intent_states(store) == {"fill:1": "done"}
    assert not await store.journal.is_open("fill:1")


async def test_an_intent_that_a_crash_left_open_may_have_happened(place):
    async with opened(place) as store:
        await accept(store, "e-1")
        await store.journal.begin(await claim_one(store), "record:1", "record", NOW)
    async with opened(place) as store:
        await store.lanes.recover(NOW)
        work = await claim_one(store)
        assert await store.journal.begin(work, "record:1", "record", NOW) is True
        assert await intent_states(store) == {"record:1": "intent"}


async def test_an_event_knows_whether_something_of_its_client_is_unsettled(store):
    await accept(store, "e-1")
    first = await claim_one(store)
    assert not first.unsettled
    await begin_create(store, first, CREATE, EMAIL)
    await store.lanes.conclude(first, Verdict("retrying", due=NOW), NOW)
    again = await claim_one(store)
    assert again.unsettled
    await store.journal.settled(again, CREATE, NOW)
    await store.lanes.conclude(again, Verdict("retrying", due=NOW), NOW)
    assert not (await claim_one(store)).unsettled


async def test_a_settled_effect_may_be_begun_again(store):
    await accept(store, "e-1")
    work = await claim_one(store)
    await store.journal.begin(work, "record:1", "record", NOW)
    await store.journal.settled(work, "record:1", NOW)
    assert await store.journal.begin(work, "record:1", "record", NOW) is False
    assert await store.journal.is_open("record:1")


async def test_a_settled_intent_cannot_be_undone(store):
    await accept(store, "e-1")
    work = await claim_one(store)
    await store.journal.begin(work, "fill:1", "fill", NOW)
    await store.journal.settled(work, "fill:1", NOW)
    await store.journal.undone("fill:1")
    assert await intent_states(store) == {"fill:1": "done"}


async def test_a_second_client_with_the_same_identity_waits_and_leaves_no_intent(store):
    first, second = await two_clients(store)
    await begin_create(store, first, CREATE, EMAIL, PHONE)
    for identity in ([EMAIL], [OTHER, PHONE]):
        with pytest.raises(Postponed) as caught:
            await begin_create(store, second, RIVAL, *identity)
        assert caught.value.retry_after > 0
        assert EMAIL not in str(caught.value)
    assert await intent_states(store) == {CREATE: "intent"}
    assert await claims(store) == [("main", EMAIL, CREATE), ("main", PHONE, CREATE)]
    assert not await store.journal.is_open(RIVAL)


async def test_an_unknown_outcome_keeps_the_second_client_waiting(store):
    first, second = await two_clients(store)
    await begin_create(store, first, CREATE, EMAIL)
    await store.lanes.conclude(first, Verdict("retrying", due=NOW + 60), NOW)
    with pytest.raises(Postponed):
        await begin_create(store, second, RIVAL, EMAIL)


@pytest.mark.parametrize(
    "end",
    [
        lambda store, work: store.journal.undone(CREATE),
        lambda store, work: store.journal.settled(work, CREATE, NOW),
        lambda store, work: store.journal.linked(work, [link()], "write_back", NOW, intent=CREATE),
        lambda store, work: store.journal.linked(work, [link()], "write_back", NOW),
    ],
    ids=["undone", "settled", "linked by the create", "linked in another way"],
)
async def test_the_second_client_goes_on_once_the_first_is_settled(store, end):
    first, second = await two_clients(store)
    await begin_create(store, first, CREATE, EMAIL, PHONE)
    await end(store, first)
    assert await claims(store) == []
    assert not await store.journal.is_open(CREATE)
    assert await begin_create(store, second, RIVAL, EMAIL, PHONE) is False


async def test_the_same_client_may_try_its_own_create_again(store):
    await accept(store, "e-1")
    work = await claim_one(store)
    await begin_create(store, work, CREATE, EMAIL)
    assert await begin_create(store, work, CREATE, EMAIL, PHONE) is True
    assert [key for _, key, _ in await claims(store)] == [EMAIL, PHONE]


async def test_another_crm_or_another_person_need_not_wait(store):
    first, second = await two_clients(store)
    await begin_create(store, first, CREATE, EMAIL, PHONE)
    assert await begin_create(store, second, RIVAL, OTHER) is False
    assert await begin_create(store, second, "create:second:key-2", EMAIL, crm="second") is False


async def test_discarding_the_event_of_an_open_create_lets_others_go_on(store):
    first, second = await two_clients(store)
    await begin_create(store, first, CREATE, EMAIL)
    await hold(store, first, failed=True)
    assert await store.upkeep.discard([first.event_id], "ops", NOW) == [first.event_id]
    assert await claims(store) == []
    assert await intent_states(store) == {}
    assert await begin_create(store, second, RIVAL, EMAIL) is False


async def test_discarding_another_event_of_the_client_does_not_forget_a_create_under_way(store):
    await accept(store, "e-1", "e-2", client="c-1")
    await hold(store, await claim_one(store))
    work = await claim_one(store)
    await begin_create(store, work, CREATE, EMAIL)
    assert await store.upkeep.discard([1], "ops", NOW) == [1]
    assert await store.journal.is_open(CREATE)
    assert await claims(store) == [("main", EMAIL, CREATE)]


async def test_discarding_forgets_nothing_of_other_clients_and_nothing_done(store):
    first, second = await two_clients(store)
    await store.journal.begin(first, "fill:1", "fill", NOW)
    await store.journal.settled(first, "fill:1", NOW)
    await begin_create(store, second, RIVAL, EMAIL)
    await hold(store, first)
    await store.upkeep.discard([first.event_id], "ops", NOW)
    assert await intent_states(store) == {"fill:1": "done", RIVAL: "intent"}


@pytest.mark.parametrize("decision", ["dismiss", "link"])
async def test_a_decision_that_makes_the_create_needless_lets_others_go_on(store, decision):
    first, second = await two_clients(store)
    await begin_create(store, first, CREATE, EMAIL)
    await hold(store, first)
    review = await store.reviews.open("stores", "c-1", "main", "two of them", [], NOW)
    assert await store.reviews.decide(review, decision, "501" if decision == "link" else None, "ops", NOW) is None
    assert await begin_create(store, second, RIVAL, EMAIL) is False


@pytest.mark.parametrize("state", ["done", "ignored"])
async def test_an_event_that_has_ended_holds_nobody_up(store, state):
    first, second = await two_clients(store)
    await begin_create(store, first, CREATE, EMAIL)
    await store.lanes.conclude(first, Verdict(state), NOW)
    assert await begin_create(store, second, RIVAL, EMAIL) is False


async def test_linking_commits_link_memory_intent_and_step_together(store):
    await accept(store, "e-1")
    work = await claim_one(store)
    await begin_create(store, work, CREATE, EMAIL)
    work.trace.append({"rule": "create"})
    work.outcome = "created"
    created = link(origin="created")
    await store.journal.linked(work, [created], "write_back", NOW, keys=[EMAIL, PHONE], intent=CREATE)
    assert await store.links.find("stores", "c-1") == created
    assert await store.links.remembered("main", [PHONE]) == ["501"]
    assert await rows(store, "SELECT step, outcome, trace FROM events") == [("write_back", "created", '[{"rule": "create"}]')]
    assert await rows(store, "SELECT state FROM intents WHERE key = ?", CREATE) == [("done",)]


async def test_writing_back_is_dated_only_when_we_wrote_it(store):
    await accept(store, "e-1")
    work = await claim_one(store)
    await store.journal.wrote_back(work, link(), "fill", NOW, intent=None)
    assert await store.links.find("stores", "c-1") == link(stored_id="501")
    await store.journal.begin(work, "write_back:1", "write_back", NOW)
    await store.journal.wrote_back(work, link(), "fill", NOW + 1, intent="write_back:1")
    assert await store.links.find("stores", "c-1") == link(stored_id="501", written_back_at=NOW + 1)
    await store.journal.wrote_back(work, link(written_back_at=NOW + 1), "fill", NOW + 2, intent=None)
    assert (await store.links.find("stores", "c-1")).written_back_at == NOW + 1
    assert not await store.journal.is_open("write_back:1")


async def test_an_appointment_s_record_is_remembered_with_its_version(store):
    await accept(store, "e-1")
    work = await claim_one(store)
    assert await store.journal.records(link(), "a-1", "record:1") == Records(None, False, {})
    for version in (5.0, 7.0):
        await store.journal.begin(work, "record:1", "record", NOW)
        assert (await store.journal.records(link(), "a-1", "record:1")).begun
        await store.journal.recorded(work, "a-1", "r-1", version, "record:1", NOW)
        assert await store.journal.records(link(), "a-1", "record:1") == Records(("r-1", version), False, {})
    for other in (replace(link(), client_id="c-2"), replace(link(), source="spas")):
        assert (await store.journal.records(other, "a-1", "record:2")).own is None
    assert not await store.journal.is_open("record:1")


async def test_a_write_that_fails_half_way_commits_nothing_of_itself(store):
    await accept(store, "e-1")
    work = await claim_one(store)
    with pytest.raises(Exception, match=r"CHECK|CheckViolation"):
        await store.journal.linked(work, [link(origin="a guess")], "write_back", NOW, keys=[EMAIL])
    with pytest.raises(Exception, match=r"CHECK|CheckViolation"):
        await store.journal.linked(work, [link()], "no such step", NOW, keys=[EMAIL])
    assert await store.links.find("stores", "c-1") is None
    assert await store.links.remembered("main", [EMAIL]) == []
    await store.lanes.conclude(work, DONE, NOW)
    assert await settle(store) == []
