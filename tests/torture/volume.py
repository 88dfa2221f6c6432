"""Many events through the real store, worker and sync without processes, in chunks that can be run one by one.

Every chunk has a fresh town, fresh remote systems and a fresh database, and is inspected like a round; what is kept between
chunks is only the tally, in a state file.
"""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import httpx
from acceptance.world import HUBSPOT_TOKEN, PARTNER_KEY, WEBHOOK_TOKEN, RemoteSystems, states

from connector.config.settings import Config, load
from connector.model.deliveries import Delivery
from connector.model.errors import RemoteError
from connector.model.jobs import Awaited
from connector.registry import Registry
from connector.store import Store
from connector.store.views import queue
from connector.sync.locks import IdentityLocks
from connector.sync.pipeline import Sync
from connector.worker.accounts import Connections, connect
from connector.worker.worker import Worker

from .invariants import Inspection, Ledger
from .town import Town

#: Shares of deliveries that come again, and of answers that are lost.
AGAIN, LOST = 0.3, 0.05
#: Events in one chunk; events that may wait; events at once; how much faster than the wall our clock runs.
CHUNK, WAITING, CONCURRENCY, PACE = 5_000, 300, 48, 30.0
SOURCE = "stores"
#: Seconds which the last events of a chunk have.
DEADLINE = 180.0


@dataclass
class Tally:
    """What the chunks came to so far."""

    seed: int
    events: int = 0
    chunks: int = 0
    deliveries: int = 0
    duplicates: int = 0
    lost_answers: int = 0
    clients: int = 0
    links: int = 0
    held: int = 0
    seconds: float = 0.0
    breaches: list[str] = field(default_factory=list)

    @classmethod
    def load(cls, file: Path, seed: int) -> Tally:
        """Go on where the file says, or begin."""
        return cls(**json.loads(file.read_text(encoding="utf-8"))) if file.exists() else cls(seed)

    def save(self, file: Path) -> None:
        """Keep it."""
        file.write_text(json.dumps(asdict(self), indent=1), encoding="utf-8")


class Handed:
    """The deliveries of a chunk, put straight into the inbox; what `Courier` is in a round."""

    def __init__(self, store: Store, connections: Connections, worker: Worker, rng: random.Random, clock: Any) -> None:
        self.acknowledged: dict[str, dict[str, Any]] = {}
        self.answers: Counter[str] = Counter()
        self.strange: Counter[str] = Counter()
        self._store = store
        self._read = connections.booking[SOURCE].read_delivery
        self._worker = worker
        self._rng = rng
        self._clock = clock

    async def take(self, bodies: list[dict[str, Any]]) -> None:
        """Store everything at the same moment, some of it twice, and some of what came long ago once more."""
        batch, bodies[:] = list(bodies), []
        fresh = len(batch)
        for body in list(batch):
            if self._rng.random() < AGAIN:
                earlier = self._rng.choice(list(self.acknowledged)[-500:]) if self.acknowledged else body["id"]
                batch.append(self.acknowledged[earlier] if self._rng.random() < 0.3 and self.acknowledged else body)
        self._rng.shuffle(batch)
        statuses = await asyncio.gather(*(self._accept(body) for body in batch))
        self.answers.update(statuses)
        assert statuses.count("duplicate") == len(batch) - fresh
        self._worker.wake()

    async def _accept(self, body: dict[str, Any]) -> str:
        raw = json.dumps(body).encode()
        reading = self._read({}, body)
        status = await self._store.inbox.accept(Delivery(SOURCE, body["id"], False, {}, raw, self._clock(), reading))
        self.acknowledged[body["id"]] = body
        return status


class Chunk:
    """One chunk of `events` deliveries, drawn from `seed`."""

    def __init__(self, seed: int, events: int, folder: Path) -> None:
        self.events = events
        self.folder = folder
        self.sides = RemoteSystems()
        self.rng = random.Random(seed)
        self.town = Town(self.sides.booxi, self.sides.hubspot, random.Random(self.rng.random()))
        self.ledger = Ledger(self.sides.hubspot)
        self.faults = {"lost_answer": LOST, "search_lag_seconds": 60, "seed": seed}
        self._begun = time.time()

    def clock(self) -> float:
        """Runs fast, so that retries come soon."""
        return self._begun + (time.time() - self._begun) * PACE

    async def run(self) -> tuple[Inspection, Handed]:
        """Do it all; the inspection looks at the closed database."""
        self.sides.booxi_url, self.sides.hubspot_url = "https://booxi.example.com", "https://hubspot.example.com"
        config = load(self.sides.config(self.folder, sync="record_appointments = true"), systems=Registry())
        store = Store.open(config.database.path)
        try:
            handed = await self._work(config, store)
        finally:
            await store.close()
        secrets = [PARTNER_KEY, HUBSPOT_TOKEN, WEBHOOK_TOKEN]
        return Inspection(self.town, handed, config.database.path, self.ledger, [], secrets, meetings=True), handed

    async def _work(self, config: Config, store: Store) -> Handed:
        transports = {
            "booking.stores": httpx.ASGITransport(self.sides.booxi.app),
            "crm.main": httpx.ASGITransport(self.sides.hubspot.app),
        }
        connections = await connect(config, store, transports=transports)
        sync = Sync(
            config.sync[0],
            connections.booking[SOURCE],
            connections.crms["main"],
            links=store.links,
            journal=store.journal,
            locks=IdentityLocks(),
            country="CA",
            clock=self.clock,
        )
        worker = Worker(store, {SOURCE: sync}, connections.breakers(), concurrency=CONCURRENCY, clock=self.clock)
        handed = Handed(store, connections, worker, self.rng, self.clock)
        async with self._running(worker, store, connections):
            await self._days(store, handed)
        await connections.close()
        return handed

    async def _days(self, store: Store, handed: Handed) -> None:
        self.sides.faults(**self.faults)
        while len(handed.acknowledged) < self.events:
            for _ in range(40):
                self.town.act()
            await handed.take(self.sides.booxi.outbox.waiting)
            await self._until(store, WAITING)
        await self._until(store, 0)
        self.sides.faults()
        self.town.last_visits()
        await handed.take(self.sides.booxi.outbox.waiting)
        await self._until(store, 0)

    async def _until(self, store: Store, most: int) -> None:
        begun = time.monotonic()
        while time.monotonic() - begun < DEADLINE:
            counts = await store.read(queue)
            if counts["queued"] + counts["running"] + counts["retrying"] <= most:
                return
            await asyncio.sleep(0.02)

    @asynccontextmanager
    async def _running(self, worker: Worker, store: Store, connections: Connections) -> AsyncIterator[None]:
        """The worker, a pulse for its fast clock, and somebody who opens closed accounts again without our watchers' pauses."""
        jobs = [asyncio.create_task(self._pulse(worker))]
        jobs += [asyncio.create_task(self._reopen(a, store, worker)) for a in connections.adapters()]
        working = asyncio.create_task(worker.run())
        try:
            yield
        finally:
            await worker.drain(5)
            await working
            for job in jobs:
                job.cancel()
            await asyncio.gather(*jobs, return_exceptions=True)

    async def _pulse(self, worker: Worker) -> None:
        while True:
            await asyncio.sleep(0.03)
            worker.wake()

    async def _reopen(self, adapter: Any, store: Store, worker: Worker) -> None:
        breaker = adapter.remote.breaker
        while True:
            await breaker.tripped.wait()
            with suppress(RemoteError):
                await adapter.probe()
                breaker.reset()
                await store.lanes.wake(Awaited(breaker.account), self.clock())
                worker.wake()
            await asyncio.sleep(0.01)


async def run_chunk(tally: Tally, events: int, folder: Path) -> None:
    """Run the next chunk and add it to the tally."""
    chunk, begun = Chunk(tally.seed * 100_003 + tally.chunks, events, folder), time.monotonic()
    inspection, handed = await chunk.run()
    counts = states(inspection.database)
    tally.seconds += time.monotonic() - begun
    tally.breaches += [f"chunk {tally.chunks}: {breach}" for breach in inspection.breaches()]
    tally.events += len(handed.acknowledged)
    tally.chunks += 1
    tally.deliveries += sum(handed.answers.values())
    tally.duplicates += handed.answers["duplicate"]
    tally.lost_answers += sum((chunk.sides.booxi.app.injected + chunk.sides.hubspot.app.injected).values())
    tally.clients += len(chunk.town.owner)
    tally.links += len(inspection.links)
    tally.held += counts.get("held", 0)
