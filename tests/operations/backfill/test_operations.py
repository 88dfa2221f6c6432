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
