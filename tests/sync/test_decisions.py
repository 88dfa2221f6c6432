"""Decisions of people beside the events that go on meanwhile: none is written over, none makes a person two customers."""

from typing import Any

import pytest

from connector.model.capabilities import BookingCapability
from connector.store.reviews import views as review_views
from connector.worker.worker import Worker

from .harness import ADA, PHONE, World

pytestmark = pytest.mark.anyio
BY_PHONE = {name: value for name, value in ADA.items() if name != "email"}
GRACE = {"lastname": "Byron", "mobilephone": PHONE}


async def run(world: World, seconds: float = 0.0) -> None:
    """Let the real worker run what is due after some time."""
    world.clock.now += seconds
    await Worker(world.store, {"stores": world.sync}, {}, clock=world.clock).run_once()


async def decide(world: World, review: int, decision: str, customer: str | None = None) -> None:
    """Decide as `connector review` does."""
    said = await world.store.reviews.decide(review, decision, customer, "me", world.clock(), follow_ups=True)
    assert said is None


async def ask_both(world: World, *clients: str, bare: bool = False) -> None:
    """Let clients book; `bare`: the delivery names nothing but their ids."""
    for client in clients:
        world.booxi.book(int(client))
        if bare:
            world.booxi.outbox.waiting[-1]["content"]["booking"]["client"] = {"id": int(client)}
    await world.deliver_all()
    await run(world)


def first(target: Any, name: str, action: Any, monkeypatch: pytest.MonkeyPatch, *, after: bool = False) -> None:
    """Let something happen once while a remote system is asked."""
    ask, done = getattr(target, name), []

    async def asked(*args: Any) -> Any:
        answer = await ask(*args) if after else None
        if not done:
            done.append(name)
            await action()
        return answer if after else await ask(*args)

    monkeypatch.setattr(target, name, asked)


async def test_a_decision_is_not_written_over_by_an_event_that_runs(world: World, monkeypatch: pytest.MonkeyPatch):
    grace, ada = world.contact(**GRACE), world.client(**BY_PHONE)
    await ask_both(world, ada)
    world.booxi.state.clients[int(ada)].update(mobilePhoneNumber="", email="ada@example.com")
    first(world.crm, "by_email", lambda: decide(world, 1, "link", grace), monkeypatch)
    await ask_both(world, ada)
    await run(world, 10)
    assert await world.link(ada) == (grace, "review")
    assert list(world.contacts()) == [grace]
    assert await world.rows("SELECT DISTINCT state FROM events") == [("done",)]


async def test_a_decision_is_not_written_over_by_a_write_back(world: World, monkeypatch: pytest.MonkeyPatch):
    other, ada = world.contact(email="other@example.com", firstname="Ada", lastname="Byron"), world.client()

    async def decided() -> None:
        review = await world.store.reviews.open("stores", ada, "main", "drift", [], world.clock(), standing=True)
        await decide(world, review, "link", other)

    first(world.booking, "write_link", decided, monkeypatch, after=True)
    await ask_both(world, ada)
    await run(world, 10)
    assert await world.link(ada) == (other, "review")
    assert world.stored(ada) == other


async def test_two_items_that_are_one_person_both_created_make_one_customer(world: World):
    world.contact(**GRACE)
    a, b = world.client(), world.client(**BY_PHONE)
    await ask_both(world, a, b)
    for review in (1, 2):
        await decide(world, review, "create")
        await run(world)
    assert len(world.contacts()) == 2
    assert (await world.link(a))[0] == (await world.link(b))[0]


async def test_clients_of_whom_only_the_record_speaks_share_an_item(world: World):
    world.contact(**GRACE)
    a, b = world.client(**BY_PHONE), world.client(**BY_PHONE)
    await ask_both(world, a, b, bare=True)
    ((item,),) = [await world.store.read(review_views.reviews)]
    assert item["client_ids"] == [a, b]


async def test_who_was_decided_about_again_waits_no_more(world: World):
    grace = world.contact(**GRACE)
    a, b = world.client(**BY_PHONE), world.client(**BY_PHONE)
    await ask_both(world, a)
    await ask_both(world, b)
    world.hubspot_gate.on("POST", "/contacts$", RuntimeError("a defect"))
    await decide(world, 1, "create")
    await run(world)
    await ask_both(world, b)
    await decide(world, 2, "link", grace)
    await run(world)
    await run(world, 60)
    assert await world.link(b) == (grace, "review")


async def test_a_decision_that_was_taken_back_is_not_taken_again_by_the_next_event(world: World):
    """The event which it let go gave the client's e-mail to the customer: by that the next one would find it again."""
    world.booking.capabilities -= {BookingCapability.WRITES_LINKS}
    names = {"firstname": "Ada", "lastname": "Byron", "mobilephone": PHONE}
    wrong, _, ada = world.contact(**names), world.contact(**names), world.client()
    await ask_both(world, ada)
    await decide(world, 1, "link", wrong)
    await run(world)
    _, (said,) = await world.store.reviews.undo(1, "me", world.clock())
    assert said.endswith("was in use and is gone. Its events wait until you decide again.")
    await ask_both(world, ada)
    assert await world.link(ada) is None
    assert (await world.rows("SELECT state, reason FROM events ORDER BY id"))[-1] == (
        "held",
        "the decision about this client was undone; it waits for a new one in review 1",
    )
    assert [item["id"] for item in await world.store.read(review_views.reviews)] == [1]


async def test_two_clients_who_are_merged_while_both_run_are_one_customer(world: World):
    a, b = (world.client(firstName="Ada", lastName="Byron", email=f"ada{n}@example.com") for n in (1, 2))
    world.booxi.book(int(a))
    world.booxi.book(int(b))
    world.booxi.merge_clients(int(a), int(b))
    await world.deliver_all()
    await run(world)
    await run(world, 10)
    assert len(world.contacts()) == 1
    assert await world.rows("SELECT DISTINCT state FROM events") == [("done",)]


async def test_an_id_of_the_crm_that_was_used_before_is_nobody_here(world: World):
    ada = world.client()
    await world.process(ada)
    (old,) = world.contacts()
    world.hubspot.archive(old)
    bob = world.contact(email="bob@example.com", firstname="Bob", lastname="Stone")
    world.booxi.set_link(int(ada), bob)
    await world.store.database.write(
        lambda c: c.execute(f"UPDATE links SET crm = 'older', customer_id = {bob}, stored_id = {bob}")
    )
    await world.process(ada)
    customer, origin = await world.link(ada)
    assert (customer != bob, origin) == (True, "created")
    assert world.stored(ada) == customer


async def test_a_repair_says_nothing_of_a_customer_who_was_linked_meanwhile(world: World):
    ada = world.client()
    await world.process(ada)
    compared = await world.store.links.find("stores", ada)
    other = world.contact(email="other@example.com")
    review = await world.store.reviews.open("stores", ada, "main", "drift", [], world.clock(), standing=True)
    await world.store.reviews.decide(review, "link", other, "me", world.clock())
    await world.store.follow_ups.repair(compared, world.clock(), merged_from="77")
    assert not await world.store.links.is_alias("main", "77", other)
