"""Store, worker, accounts and both sandboxes together: what waits for a remote system goes on when it works again."""

from __future__ import annotations

import asyncio

import pytest

from connector.model.errors import RateLimited
from connector.model.problems import ACCOUNT, Check, Topic
from connector.store import views

from .backfill.world import KEY, World

pytestmark = pytest.mark.anyio


@pytest.fixture
def world(lines, tmp_path, monkeypatch):
    # The real ones are measured in test_accounts.
    monkeypatch.setattr("connector.worker.probes.INTERVALS", (0.2, 0.4))
    return World(tmp_path)


async def waiting_for(world: World, account: str) -> list[dict]:
    """Wait until every event waits for an account; answers the events."""
    query = "SELECT count(*) FROM lanes WHERE awaited_account = ?"
    async with asyncio.timeout(60):
        while True:
            waiting = (await world.engine.store.database.read(lambda c: c.execute(query, (account,)).fetchone()))[0]
            # Read afterwards: what waits now has been written down as waiting.
            found = await world.events()
            if found and waiting == len(found):
                return found
            await asyncio.sleep(0.02)


def book(world: World, number: int) -> None:
    for n in range(number):
        world.booxi.book(world.client(firstName="Ada", lastName="Moreau", email=f"ada-{n}@example.com"))


async def test_without_our_property_events_wait_and_go_on_as_soon_as_it_is_there(world, lines):
    world.hubspot._unique_properties = ()
    world.hubspot.reset()
    async with world.running():
        book(world, 3)
        await world.deliver()
        found = await waiting_for(world, "crm.main")
        assert {(event["state"], event["attempts"]) for event in found} == {("queued", 0)}
        assert "does not exist" in found[0]["reason"]
        assert "connector check --fix" in found[0]["hint"]
        world.hubspot.add_unique_property(KEY)
        await world.settled()
        assert [event["state"] for event in await world.events()] == ["done"] * 3
    told = [line for line in lines() if line["event"].startswith("account cannot be used")]
    assert [(line["level"], line["account"]) for line in told] == [("error", "crm.main")]
    assert "connector check --fix" in told[0]["hint"]
    assert [line["account"] for line in lines() if line["event"] == "account works again"] == ["crm.main"]


@pytest.mark.parametrize("side", ["booxi", "hubspot"])
async def test_a_remote_system_that_goes_down_costs_time_and_nothing_else(world, side):
    sandbox = getattr(world, side)
    account = "booking.stores" if side == "booxi" else "crm.main"
    async with world.running():
        await asyncio.gather(*(watcher.checked.wait() for watcher in world.engine.watchers))
        sandbox.faults = sandbox.faults.model_copy(update={"down": True})
        book(world, 6)
        await world.deliver()
        found = await waiting_for(world, account)
        assert {event["attempts"] for event in found} == {0}
        assert {event["state"] for event in found} == {"queued"}
        world.fix()
        await world.settled()
        assert [event["attempts"] for event in await world.events()] == [1] * 6
        assert len(await world.engine.store.read(views.links)) == 6
    assert len(world.hubspot.contacts()) == 6


async def test_a_stop_while_a_remote_system_is_down_is_no_problem(world):
    world.hubspot.faults = world.hubspot.faults.model_copy(update={"down": True})
    async with world.running():
        book(world, 2)
        await world.deliver()
        await waiting_for(world, "crm.main")
    world.fix()
    async with world.running():
        await world.settled()
        assert [event["state"] for event in await world.events()] == ["done"] * 2


async def test_what_an_account_has_to_say_is_looked_up_without_being_asked(world, lines):
    world.booxi.state.merchants.clear()
    async with world.running():
        async with asyncio.timeout(60):
            while "booking.stores" not in world.engine.account_checks.findings:
                await asyncio.sleep(0.02)
        (found,) = world.engine.account_checks.findings["booking.stores"]
        assert (found.id, found.level) == ("booking.stores.merchants", "warning")
        checks = world.engine.account_checks
        said = [
            Check(topic=Topic(subject, kind), level="error", message="refused")
            for subject in ("booking.stores", "booking.stores2", "crm.main")
            for kind in (ACCOUNT, "merchants", "account2")
        ]
        checks.save([*said, Check(topic=Topic("crm.main", "owner"), level="ok", message="all are known")])
        assert {account: [check.id for check in found] for account, found in checks.findings.items()} == {
            "booking.stores": ["booking.stores.merchants", "booking.stores.account2"],
            "crm.main": ["crm.main.merchants", "crm.main.account2"],
        }, "whether an account can be used is said by its circuit breaker"
        checks.save([])
        assert world.engine.account_checks.findings["booking.stores"] == []
    assert [line["check"] for line in lines() if line["event"] == "account needs attention"] == ["booking.stores.merchants"]


async def test_a_pause_that_another_process_was_asked_for_is_of_the_quota_that_it_names_only(world):
    async with world.running():
        quotas, database = world.engine.connections.quotas, world.engine.store.database
        (name, quota), *others = quotas.items()
        usable = asyncio.Event()

        async def call() -> None:
            async with quota.spend():
                usable.set()

        for text in (f"pause {name} {database.now() + 600}", "something that a later version notifies", ""):
            database.on_notice(text)
        # They are taken in the loop.
        await asyncio.sleep(0)
        with pytest.raises(RateLimited) as caught:
            await call()
        assert caught.value.retry_after == pytest.approx(600, abs=5)
        assert others
        for _, other in others:
            async with other.spend():
                pass
        assert not usable.is_set()
