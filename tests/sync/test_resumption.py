"""An error in one step is not a reason to repeat the others: a retry goes on where it was, and every effect happens once."""

import pytest

from connector.model.capabilities import CrmCapability
from connector.sandbox.kit.faults import Faults

from .gate import LOST
from .harness import PAUSE, Crash, World

pytestmark = pytest.mark.anyio
FAILED = Faults(error_500=1)
#: (gate, method, path, the step that is left to do) of every request with an effect.
EFFECTS = {
    "create": ("hubspot_gate", "POST", "/contacts$", "resolve"),
    "write back": ("booxi_gate", "PUT", "/moduleLink/", "write_back"),
    "fill": ("hubspot_gate", "PATCH", r"/contacts/\d+$", "fill"),
    "record": ("hubspot_gate", "POST", "/meetings$", "record"),
}


@pytest.fixture
def world(world: World) -> World:
    world.use(record_appointments=True)
    return world


def prepared(world: World, effect: str) -> str:
    """A client; all but the create have a customer with blanks to fill."""
    if effect != "create":
        world.contact(email="ada@example.com")
    return world.client()


def expected(effect: str) -> dict[str, int]:
    first = {"POST contacts": 1} if effect == "create" else {"PATCH contacts/{id}": 1}
    return {**first, "PUT link": 1, "POST meetings": 1}


@pytest.mark.parametrize("mishap", [FAILED, LOST], ids=["failed", "answer lost"])
@pytest.mark.parametrize("effect", EFFECTS)
async def test_a_retry_goes_on_at_the_step_that_failed_and_repeats_no_effect(world: World, effect, mishap):
    gate, method, path, step = EFFECTS[effect]
    getattr(world, gate).on(method, path, mishap)
    ada = prepared(world, effect)
    ended = await world.process(ada)
    assert ended.state == "retrying"
    assert await world.rows("SELECT step FROM events") == [(step,)]

    sent = len(world.hubspot_gate.sent)
    (ended,) = await world.again(world.crm.record_settle_seconds + PAUSE)
    assert ended.state == "done"
    done = expected(effect)
    if effect == "record" and mishap is LOST:
        done["PATCH meetings/{id}"] = 1  # the record is found, and brought up to date
    assert world.effects == done
    assert len(world.contacts()) == len(world.meetings()) == 1
    assert await world.open_effects() == []
    if step != "resolve":
        searched = [line for line in world.hubspot_gate.sent[sent:] if "search" in line or "ada" in line]
        assert searched == [], "the customer is not looked for again"


#: The journal's commit after each effect.
COMMITS = {"create": "linked", "write back": "wrote_back", "fill": "settled", "record": "recorded"}


@pytest.mark.parametrize("effect", EFFECTS)
async def test_a_process_that_ends_between_an_effect_and_its_commit(world: World, effect):
    world.journal.breaks = {COMMITS[effect]}
    ada = prepared(world, effect)
    ended = await world.process(ada)
    assert isinstance(ended.error, Crash)

    await world.restart()
    (ended,) = await world.run_all()
    assert ended.state == "done"
    done = expected(effect)
    if effect == "record":
        done["PATCH meetings/{id}"] = 1
    assert world.effects == done
    assert await world.open_effects() == []
    assert world.stored(ada) == (await world.link(ada))[0]
    assert (await world.links())[ada]["written_back_at"] is not None
    assert ended.work.written_back


@pytest.mark.parametrize("effect", EFFECTS)
async def test_a_process_that_ends_between_an_intent_and_its_effect(world: World, effect):
    gate, method, path, _ = EFFECTS[effect]

    def end() -> None:
        raise Crash

    getattr(world, gate).on(method, path, end)
    ended = await world.process(prepared(world, effect))
    assert isinstance(ended.error, Crash)
    getattr(world, gate).open()
    await world.restart()
    (ended,) = await world.again(world.crm.record_settle_seconds + PAUSE)
    assert ended.state == "done"
    assert world.effects == expected(effect)
    assert await world.open_effects() == []


async def test_what_was_found_out_before_an_error_stays_in_the_trace(world: World):
    world.booxi_gate.on("PUT", "/moduleLink/", FAILED)
    await world.process(world.client())
    (ended,) = await world.again()
    assert ended.rules == [
        ("booking_system", "none"),
        ("crm_key", "later"),
        ("email", "none"),
        ("phone", "none"),
        ("create", "created"),
        ("write_back", "written"),
        ("record", "recorded"),
    ]
    assert (ended.work.outcome, ended.work.written_back) == ("created", True)


async def test_a_client_stuck_in_one_step_does_not_hold_up_another_client(world: World):
    stuck, free = world.client(), world.client(firstName="Bob", lastName="Hill", email="bob@example.com")
    world.booxi_gate.on("PUT", f"/client/{stuck}/", FAILED, times=9)
    await world.book(stuck)
    await world.book(free)
    assert {e.work.client_id: e.state for e in await world.run_all()} == {stuck: "retrying", free: "done"}


async def test_a_later_event_of_the_client_waits_for_the_one_that_failed(world: World):
    ada = world.client()
    world.booxi_gate.on("PUT", "/moduleLink/", FAILED)
    booking = await world.book(ada)
    world.booxi.cancel(booking)
    await world.deliver_all()
    assert [e.state for e in await world.run_all()] == ["retrying"]
    assert [(e.state, e.work.event.kind) for e in await world.again()] == [("done", "created"), ("done", "status")]
    assert [meeting["hs_meeting_outcome"] for meeting in world.meetings()] == ["CANCELED"]


async def test_the_trace_of_an_event_that_fails_often_stays_short(world: World):
    world.crm.capabilities = frozenset({CrmCapability.FOLLOWS_MERGES})  # asks for our key each time
    world.hubspot_gate.on("POST", "/contacts/search$", FAILED, times=99)
    await world.book(world.client())
    for _ in range(30):
        await world.run_all()
        world.clock.now += 10
    ((trace,),) = await world.rows("SELECT trace FROM events")
    assert 3 <= trace.count('"rule"') <= 60
