"""Several sources share the slots: one whose quota is used up keeps no other waiting."""

from __future__ import annotations

import asyncio
import time

import pytest
from store.samples import delivery, opened

from connector.worker.worker import Worker

pytestmark = pytest.mark.anyio


class Sleeping:
    """A source whose calls wait for their quota, until they are let go."""

    def __init__(self) -> None:
        self.running = 0
        self.begun = asyncio.Event()
        self.free = asyncio.Event()

    async def run(self, _work: object) -> None:
        self.running += 1
        self.begun.set()
        await self.free.wait()


class Idle:
    """A source that has nothing to wait for."""

    def __init__(self) -> None:
        self.done = asyncio.Event()

    async def run(self, _work: object) -> None:
        self.done.set()


async def test_a_source_that_sleeps_in_its_share_leaves_the_others_theirs(tmp_path):
    spa, stores = Sleeping(), Idle()
    async with opened(tmp_path / "connector.db") as store, asyncio.timeout(60):
        for number in range(20):
            await store.inbox.accept(delivery(f"s-{number}", f"c-{number}", source="spa", at=time.time()))
        worker = Worker(store, {"spa": spa, "stores": stores}, {}, concurrency=4)
        task = asyncio.create_task(worker.run())
        await spa.begun.wait()
        await store.inbox.accept(delivery("x", "c-1", source="stores", at=time.time()))
        worker.wake()
        await stores.done.wait()
        assert spa.running == 3
        assert await store.lanes.next_due(without=["spa"]) is None, "so that nothing spins until a slot is free"
        spa.free.set()
        while spa.running < 20:
            await asyncio.sleep(0.01)
        await worker.drain(5)
        await task


async def test_a_single_source_has_every_slot(tmp_path):
    spa = Sleeping()
    async with opened(tmp_path / "connector.db") as store, asyncio.timeout(60):
        for number in range(9):
            await store.inbox.accept(delivery(f"s-{number}", f"c-{number}", source="spa", at=time.time()))
        worker = Worker(store, {"spa": spa}, {}, concurrency=4)
        task = asyncio.create_task(worker.run())
        await spa.begun.wait()
        while spa.running < 4:
            await asyncio.sleep(0.01)
        spa.free.set()
        await worker.drain(5)
        await task
