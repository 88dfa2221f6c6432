"""What an operation says when the service, a sender or an adapter is unavailable."""

from __future__ import annotations

import pytest

from connector.model.bookings import Reading
from connector.model.deliveries import Delivery
from connector.operations.operations import Operations
from connector.operations.status import Overview
from connector.store import views
from connector.web.receiver.stats import ReceiverStats

pytestmark = pytest.mark.anyio


async def test_after_a_setting_is_corrected_check_says_what_to_retry_and_one_command_does(world):
    right = world.file.read_text(encoding="utf-8")
    world.file.write_text(right.replace('default_country = "CA"\n', ""), encoding="utf-8")
    for number in ("514-555-0101", "514-555-0102", "555-0103"):
        world.booxi.book(world.client(firstName="Ada", lastName="Moreau", mobilePhoneNumber=number))
    async with world.running() as engine:
        await world.deliver()
        await world.settled()
        assert (await engine.store.read(views.queue))["held"] == 3
        found = await Operations(engine, works=True).check(fix=False)
        assert not [one for one in found if one["id"].endswith(".readable")], "nothing was corrected yet"
    world.file.write_text(right, encoding="utf-8")
    async with world.running() as engine:
        operations = Operations(engine, works=True)
        (said,) = [one for one in await operations.check(fix=False) if one["id"] == "booking.stores.readable"]
        assert (said["level"], said["message"]) == ("warning", "2 held events can be read with the present settings")
        assert said["hint"] == 'Run `connector events retry --all --source stores --reason "cannot be read"`.'
        assert await operations.retry(source="stores", reason="no such reason") == []
        assert len(await operations.retry(source="stores", reason="cannot be read")) == 3
        await world.settled()
        queue = await engine.store.read(views.queue)
        assert (queue["done"], queue["held"]) == (2, 1), "the number without its area code still cannot be read"


async def test_an_ignored_event_is_retried(world):
    client = world.client(firstName="Ada")
    world.booxi.book(client)
    async with world.running() as engine:
        operations = Operations(engine, works=True)
        await world.deliver()
        await world.settled()
        assert (await engine.store.read(views.queue))["ignored"] == 1
        world.booxi.state.clients[client]["email"] = "ada@example.com"
        (event,) = await operations.retry(state="ignored", reason="nothing to identify")
        await world.settled()
        (found,) = await world.events()
        assert (found["id"], found["state"]) == (event, "done")


async def test_check_says_that_the_worker_is_off(world):
    async with world.running() as engine:
        overview = Overview(engine, ReceiverStats(), works=False)
        found = await Operations(engine, works=False, problems=overview.problems).check(fix=False)
    assert [one["message"] for one in found if one["id"] == "worker"] == [
        "the worker is off (--no-worker): deliveries are stored and wait"
    ]


async def test_a_sender_who_is_always_refused_is_told_of_until_one_gets_through(world):
    stats = ReceiverStats()
    async with world.running() as engine:
        overview = Overview(engine, stats, works=True)
        for _ in range(3):
            stats.refuse("stores", "method")
            assert await overview.problems() == []
        for _ in range(3):
            stats.refuse("stores", "verification")
        (check,) = await overview.problems()
        assert (check.id, check.level) == ("booking.stores.deliveries", "warning")
        assert check.message == "the last 3 deliveries to stores were refused, most of them for: verification"
        assert "[booking.stores.webhook]" in check.hint
        stats.accept("stores", "queued", 0.0)
        assert await overview.problems() == []


async def test_a_delivery_that_breaks_the_adapter_does_not_keep_others_from_being_read_again(world, monkeypatch):
    good = b'{"id": "e-2", "type": "staff.updated"}'
    async with world.running() as engine:
        for name, body in (("e-1", b'{"id": "e-1"}'), ("e-2", good)):
            await engine.store.inbox.accept(
                Delivery("stores", name, False, {}, body, 1_800_000_000.0, Reading(held="unreadable"))
            )
        read = []

        def fails(_headers, data):
            read.append(data["id"])
            raise KeyError("client")

        monkeypatch.setattr(engine.connections.booking["stores"], "read_delivery", fails)
        assert await Operations(engine, works=True).retry() == []
        assert sorted(read) == ["e-1", "e-2"]
        assert (await engine.store.read(views.queue))["held"] == 2
