"""The process under the cut: a store that works hard and says what it has promised, the moment it may say so.

Run as ``python child.py FOLDER DELIVERIES``. Each promise is one `os.write` of a line to FOLDER/promises, after the store's
method has returned: ``accepted <delivery>``, ``intended <intent>``, ``done <event>``. CONNECTOR_POWERCUT_SYNCHRONOUS=NORMAL
takes the store's durability away, to show that the test would notice.
"""

from __future__ import annotations

import asyncio
import os
import random
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from connector.model.bookings import Client, Event, Kind, Reading
from connector.model.deliveries import Delivery
from connector.model.jobs import Verdict, Work
from connector.store import Store
from connector.store.sqlite.database import SqliteDatabase

DATABASE = "connector.db"
#: The key file of every image.
KEY = f"{DATABASE}.key", "5a" * 32
PROMISES = "promises"
SOURCE = "stores"
SYNCHRONOUS = "CONNECTOR_POWERCUT_SYNCHRONOUS"
#: Unix time in seconds; nothing here depends on the clock.
NOW = 1_795_262_400.0
SENDERS = 12
WORKERS = 4
CLIENTS = 150
#: Deliveries that may wait for a worker; so few that arrivals and work always mix.
BACKLOG = 8
#: How the first life comes to copy its log into the database often: after 400 pages.
SHORT_LOG = "PRAGMA wal_autocheckpoint = 400"
#: Share of the deliveries that arrive twice, and of the claims that nobody concludes before the process ends.
REPEATED, ABANDONED = 0.1, 0.05


def delivery(number: int) -> Delivery:
    """A webhook about one client, of a size that fills the log soon; the same number always has the same body."""
    id_ = f"d-{number}"
    client = Client(id=f"c-{number % CLIENTS}", email=f"c-{number % CLIENTS}@example.com")
    reading = Reading(
        event_id=id_, type="appointment.updated", events=(Event(type="appointment.updated", kind=Kind.UPDATED, client=client),)
    )
    rng = random.Random(number)
    body = rng.randbytes(rng.randint(200, 3_000))
    return Delivery(SOURCE, id_, False, {"content-type": "application/json"}, body, NOW, reading)


class Load:
    """Senders and workers on one store. `promise` is an open file descriptor."""

    def __init__(self, store: Store, promise: int, rng: random.Random) -> None:
        self.store = store
        self.rng = rng
        self._promise = promise
        self._arrived: asyncio.Queue[bool] = asyncio.Queue(BACKLOG)

    async def run(self, numbers: Sequence[int]) -> None:
        """Send these deliveries and work on what arrives, until both are done."""
        waiting = iter(numbers)
        working = [asyncio.create_task(self._work()) for _ in range(WORKERS)]
        await asyncio.gather(*(self._send(waiting) for _ in range(SENDERS)))
        for _ in working:
            await self._arrived.put(False)
        await asyncio.gather(*working)

    async def _send(self, numbers: Iterable[int]) -> None:
        for number in numbers:
            one = delivery(number)
            for _ in range(2 if self.rng.random() < REPEATED else 1):
                await self.store.inbox.accept(one)
                self._say("accepted", one.event)
            await self._arrived.put(True)

    async def _work(self) -> None:
        while await self._arrived.get():
            await self.store.upkeep.count_call("crm.main", NOW, 1)
            for work in await self.store.lanes.claim(4, NOW):
                if self.rng.random() >= ABANDONED:
                    await self._conclude(work)
            await self.store.lanes.next_due()

    async def _conclude(self, work: Work) -> None:
        key = f"write_back:{work.event_id}"
        await self.store.journal.begin(work, key, "write_back", NOW)
        self._say("intended", key)
        await self.store.journal.settled(work, key, NOW)
        await self.store.lanes.conclude(work, Verdict("done"), NOW)
        self._say("done", str(work.event_id))

    def _say(self, kind: str, id_: str) -> None:
        os.write(self._promise, f"{kind} {id_}\n".encode())


def forget_durability() -> None:
    """Let every commit be one that need not wait for the disk."""
    synchronise = SqliteDatabase._synchronise
    SqliteDatabase._synchronise = lambda self, durable: synchronise(self, False)  # type: ignore[method-assign]


async def run(folder: Path, deliveries: int) -> None:
    """Work through the deliveries in two lives: a stop and a start lie between them, and a clean-up after each."""
    rng = random.Random(deliveries)
    promise = os.open(folder / PROMISES, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    (folder / KEY[0]).write_text(KEY[1])
    halves = (range(deliveries // 2), range(deliveries // 2, deliveries))
    for life, numbers in enumerate(halves):
        store = Store.open(folder / DATABASE)
        if life == 0:
            # The first life keeps its log short, for the sake of many checkpoints; the second is as shipped.
            await store.database.write(lambda connection: connection.execute(SHORT_LOG).fetchall())
        await store.lanes.recover(NOW)
        await Load(store, promise, rng).run(numbers)
        await store.upkeep.prune(NOW + 1)
        await store.close()
    os.close(promise)


if __name__ == "__main__":
    if os.environ.get(SYNCHRONOUS, "FULL").upper() == "NORMAL":
        forget_durability()
    asyncio.run(run(Path(sys.argv[1]), int(sys.argv[2])))
