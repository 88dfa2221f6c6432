"""What the tests of the store share: deliveries, claims, and a look at the tables."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from connector.model.bookings import Appointment, Client, Event, Kind, Reading
from connector.model.deliveries import Delivery
from connector.model.errors import StoreError
from connector.model.jobs import Verdict, Work
from connector.model.links import Link
from connector.store import Store, look
from connector.store.tables import tables

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC).timestamp()
HOUR = 3600.0
DONE = Verdict("done")


@dataclass(frozen=True)
class Place:
    """Where a database is, as the configuration says it."""

    address: str
    path: Path
    lease_seconds: float = 10.0


def event(client: str = "c-1", *, appointment: str | None = None, type_: str = "appointment.updated") -> Event:
    """A statement about one client."""
    booked = Appointment(id=appointment) if appointment else None
    person = Client(id=client, first_name="Ada", email=f"{client}@example.com", mobile_phone="+12025550123")
    return Event(type=type_, kind=Kind.UPDATED, client=person, appointment=booked)


def delivery(id_: str, *clients: str, at: float = NOW, source: str = "stores", reading: Reading | None = None) -> Delivery:
    """A verified webhook about some clients (c-1 if none is named)."""
    reading = reading or Reading(event_id=id_, type="appointment.updated", events=[event(c) for c in clients or ("c-1",)])
    body = f'{{"id": "{id_}", "email": "c-1@example.com"}}'.encode()
    return Delivery(source, id_, False, {"content-type": "application/json"}, body, at, reading)


async def accept(store: Store, *ids: str, client: str = "c-1", source: str = "stores", at: float = NOW) -> None:
    """Store one delivery for each id, all about the same client."""
    for id_ in ids:
        assert await store.inbox.accept(delivery(id_, client, source=source, at=at)) == "queued"


async def claim_one(store: Store, now: float = NOW) -> Work:
    """Claim what is due; there must be exactly one."""
    (work,) = await store.lanes.claim(10, now)
    return work


async def hold(store: Store, work: Work, *, failed: bool = False, now: float = NOW) -> None:
    """Conclude a claim as held, because it is ambiguous or because it failed for good."""
    work.outcome = "failed" if failed else work.outcome
    await store.lanes.conclude(work, Verdict("held", "somebody has to look", "Look."), now)


async def settle(store: Store, now: float = NOW) -> list[int]:
    """Claim and finish whatever is due until nothing is; returns the event ids in the order of claiming."""
    done = []
    while claimed := await store.lanes.claim(10, now):
        for work in claimed:
            await store.lanes.conclude(work, DONE, now)
            done.append(work.event_id)
    return done


async def rows(store: Store, sql: str, *values: Any) -> list[tuple[Any, ...]]:
    """What a query answers, as plain tuples."""
    return await store.database.read(lambda connection: [tuple(row) for row in connection.execute(sql, values)])


async def execute(store: Store, sql: str, *values: Any) -> None:
    """Change the tables behind the store's back."""
    await store.database.write(lambda connection: connection.execute(sql, values).fetchall())


async def as_next_process(store: Store) -> None:
    """Make it the store of another process, which begins after this one has ended."""
    if store.database.shared:
        await execute(store, "DELETE FROM processes RETURNING boot")
        await store.database.begin_again()
    else:
        store.database.boot = "the next process"


async def states(store: Store) -> dict[int, str]:
    """Event id → state."""
    return dict(await rows(store, "SELECT id, state FROM events ORDER BY id"))


def link(client: str = "c-1", customer: str = "501", *, source: str = "stores", origin: str = "email", **more: Any) -> Link:
    """A link of a client of `stores` to a customer of `main`."""
    return Link(source, client, "main", customer, origin, **more)


def whole(place: Place) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table."""

    def view(connection: Any) -> dict[str, list[tuple[Any, ...]]]:
        return {
            table.name: [
                tuple(row)
                for row in connection.execute(
                    f"SELECT {', '.join(table.columns)} FROM {table.name} ORDER BY {', '.join(table.key)}"
                )
            ]
            for table in tables()
        }

    return look(place, view)


@asynccontextmanager
async def opened(where: Path | Place) -> AsyncIterator[Store]:
    """The store of a process that starts now and ends with the block, whatever it was doing."""
    store = Store.open(where)
    try:
        yield store
    finally:
        await store.close()


@asynccontextmanager
async def busy_writer(store: Store) -> AsyncIterator[None]:
    """Within the block the writer is in the middle of a transaction, so that what is handed to it must wait."""
    started, go_on = threading.Event(), threading.Event()

    def stand_still(_connection: object) -> None:
        started.set()
        go_on.wait(10)

    task = asyncio.create_task(store.database.write(stand_still))
    assert await asyncio.to_thread(started.wait, 10)
    try:
        yield
    finally:
        go_on.set()
        await task


async def handed_over(*tasks: asyncio.Task[Any]) -> None:
    """Let the tasks run until they wait for the writer."""
    for _ in range(3):
        await asyncio.sleep(0)
    assert not any(task.done() for task in tasks)


def refused(path: Path) -> StoreError:
    """The error with which opening fails; its text names the file, not the folder, and its hint what to do."""
    with pytest.raises(StoreError) as caught:
        Store.open(path)
    assert path.name in str(caught.value)
    assert str(path.parent) not in str(caught.value)
    assert caught.value.hint
    return caught.value
