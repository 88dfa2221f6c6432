"""A worker on a real store, with a runner that does what the test says; and one on a store of memory for virtual time."""

from __future__ import annotations

import asyncio
import io
import json
import logging
from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection, Iterator
from contextlib import contextmanager
from typing import Any

import structlog
from store.samples import delivery, execute

from connector.config.logs import set_up
from connector.model.errors import StoreError
from connector.model.jobs import Awaited, Verdict, Work
from connector.remote.circuit_breaker import CircuitBreaker
from connector.store import Store
from connector.worker.worker import Worker

#: What a run of an event comes to: nothing, an error, or something to wait for first.
Action = BaseException | Callable[[Work], Awaitable[None]] | None


class Runner:
    """Stands for the sync: each run of a client's event takes the client's next action; the last one repeats."""

    def __init__(self) -> None:
        self.started: list[tuple[str, int]] = []
        self.running: set[str] = set()
        self.most_at_once = 0
        self.news = asyncio.Condition()
        self._actions: dict[str, list[Action]] = defaultdict(list)

    def on(self, client: str, *actions: Action) -> None:
        self._actions[client] = list(actions)

    async def run(self, work: Work) -> None:
        self.started.append((work.client_id, work.event_id))
        self.running.add(work.client_id)
        self.most_at_once = max(self.most_at_once, len(self.running))
        await self._tell()
        try:
            await self._do(work)
        finally:
            self.running.discard(work.client_id)

    async def until(self, true: Callable[[], bool]) -> None:
        """Wait until the runner's figures fulfil a condition."""
        async with asyncio.timeout(60), self.news:
            await self.news.wait_for(true)

    async def _do(self, work: Work) -> None:
        actions = self._actions[work.client_id]
        action = (actions.pop(0) if len(actions) > 1 else actions[0]) if actions else None
        if isinstance(action, BaseException):
            raise action
        if action is not None:
            await action(work)

    async def _tell(self) -> None:
        async with self.news:
            self.news.notify_all()


class Job:
    """A worker that runs in the background on a real store. `accept` stores and wakes, as the service does."""

    def __init__(self, store: Store, **settings: Any) -> None:
        self.store = store
        self.runner = Runner()
        self.breaker = CircuitBreaker("crm.main")
        self.worker = Worker(store, {"stores": self.runner}, {"crm.main": self.breaker}, **settings)
        self._concluded = asyncio.Event()
        self.worker.watch(self._concluded)
        self._number = 0

    async def __aenter__(self) -> Job:
        self._task = asyncio.create_task(self.worker.run())
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.worker.drain(0)
        await self._task

    async def accept(self, *clients: str, source: str = "stores", wake: bool = True) -> None:
        """One delivery for each client named."""
        now = self.worker._clock()
        for client in clients:
            self._number += 1
            await self.store.inbox.accept(delivery(f"e-{self._number}", client, at=now, source=source))
        if wake:
            self.worker.wake()

    async def retry_now(self) -> None:
        """The time of whatever is retried has come."""
        await execute(self.store, "UPDATE lanes SET due = 0 WHERE due IS NOT NULL")
        self.worker.wake()

    async def until(self, true: Callable[[dict[int, dict[str, Any]]], bool]) -> dict[int, dict[str, Any]]:
        """Wait until the stored events (id → row) fulfil a condition, looking whenever one has been concluded."""
        async with asyncio.timeout(60):
            while True:
                self._concluded.clear()
                found = await events(self.store)
                if true(found):
                    return found
                await self._concluded.wait()

    async def all_done(self) -> dict[int, dict[str, Any]]:
        return await self.until(lambda found: all(event["state"] == "done" for event in found.values()))


async def events(store: Store) -> dict[int, dict[str, Any]]:
    """Every event with its lane."""
    query = "SELECT e.*, l.due, l.awaited_account, l.boot FROM events e LEFT JOIN lanes l ON l.id = e.lane_id ORDER BY e.id"
    return await store.database.read(lambda connection: {row["id"]: dict(row) for row in connection.execute(query)})


class MemoryLanes:
    """Lanes without a disk, for tests in virtual time. `problem` is raised that many times instead of doing the action."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.calls: list[tuple[str, float]] = []
        self.due: dict[str, float] = {}
        self.concluded: list[tuple[str, Verdict, float]] = []
        self.woken: list[Awaited] = []
        self.problem: dict[str, int] = {}
        self.before_conclude: Callable[[], None] = lambda: None
        self.error: Exception = StoreError("The disk that holds connector.db is full.", hint="Free some space.")
        self._clock = clock

    async def claim(self, limit: int, now: float, *, without: Collection[str] = ()) -> list[Work]:
        self._note("claim")
        due = [client for client, at in self.due.items() if at <= now][:limit]
        for client in due:
            del self.due[client]
        return [work(client_id=client) for client in due]

    async def claim_or_next(self, limit: int, now: float, *, without: Collection[str] = ()) -> tuple[list[Work], float | None]:
        claimed = await self.claim(limit, now, without=without)
        return claimed, await self.next_due(without=without) if len(claimed) < limit else None

    async def next_due(self, *, without: Collection[str] = ()) -> float | None:
        self._note("next_due")
        return min(self.due.values(), default=None)

    async def conclude(self, work: Work, verdict: Verdict, now: float) -> None:
        self.before_conclude()
        self._note("conclude")
        self.concluded.append((work.client_id, verdict, now))
        if verdict.due is not None:
            self.due[work.client_id] = verdict.due

    async def wake(self, wanted: Awaited, now: float, *, one: bool = False) -> int:
        self._note("wake")
        self.woken.append(wanted)
        return 1

    def _note(self, name: str) -> None:
        self.calls.append((name, self._clock()))
        if self.problem.get(name, 0) > 0:
            self.problem[name] -= 1
            raise self.error


class MemoryStore:
    """As much of a store as a worker needs whose events neither need a review nor lack an identity."""

    def __init__(self) -> None:
        self.lanes = MemoryLanes(asyncio.get_running_loop().time)

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"the worker used store.{name}")


def work(
    *, client_id: str = "c-1", attempts: int = 1, snoozes: int = 0, received_at: float = 0.0, failing_since: float | None = None
) -> Work:
    """A claimed event."""
    return Work(
        event_id=1,
        lane_id=1,
        token=1,
        source="stores",
        client_id=client_id,
        delivery="e-1",
        type="appointment.created",
        event=delivery("e-1", client_id).reading.events[0],
        step="resolve",
        attempts=attempts,
        snoozes=snoozes,
        received_at=received_at,
        failing_since=failing_since,
    )


@contextmanager
def captured(level: str = "info") -> Iterator[Callable[[], list[dict[str, Any]]]]:
    """Log as JSON within the block; call what it gives for the lines so far. Loggers bind early, so enter it first."""
    stream, root = io.StringIO(), logging.getLogger()
    kept, before = root.handlers[:], root.level
    set_up(json=True, level=level, stream=stream)
    try:
        yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    finally:
        root.handlers[:], root.level = kept, before
        structlog.contextvars.clear_contextvars()
        structlog.reset_defaults()
