"""What operations wait for: events that are decided, with and without an end, and tasks that fail as one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from connector.model.errors import StoreError, Transient
from connector.operations import waiting

pytestmark = pytest.mark.anyio


class Worker:
    """Keeps whoever watches it."""

    def __init__(self) -> None:
        self.watchers: list[asyncio.Event] = []

    def watch(self, event: asyncio.Event) -> Callable[[], None]:
        self.watchers.append(event)
        return lambda: self.watchers.remove(event)


@pytest.fixture
def worker(monkeypatch: pytest.MonkeyPatch) -> Worker:
    monkeypatch.setattr(waiting, "LOOK_AGAIN", 0.01)
    return Worker()


async def test_it_looks_again_until_nothing_is_open_and_stops_watching(worker: Worker) -> None:
    left = iter([3, 2, 0, 9])

    async def count() -> int:
        return next(left)

    await waiting.decided(worker, count)
    assert next(left) == 9, "nobody asked after the end"
    assert worker.watchers == []


async def test_what_does_not_move_is_left_after_the_patience_and_what_moves_is_not(worker: Worker) -> None:
    asked: list[int] = []

    async def count() -> int:
        asked.append(len(asked))
        return max(20 - len(asked), 5)

    async with asyncio.timeout(60):
        await waiting.decided(worker, count, patience=0.05)
    assert len(asked) > 15, "it moved until then"
    assert worker.watchers == []


async def test_an_error_while_counting_ends_the_wait(worker: Worker) -> None:
    async def count() -> int:
        raise StoreError("no")

    with pytest.raises(StoreError):
        await waiting.decided(worker, count)
    assert worker.watchers == []


async def test_the_first_error_of_a_group_is_raised_alone_and_ends_the_others() -> None:
    ended: list[str] = []

    async def fail() -> None:
        raise Transient("no")

    async def last() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("last")

    async def both() -> None:
        async with waiting.tasks() as group:
            group.create_task(last())
            group.create_task(fail())

    with pytest.raises(Transient, match="no"):
        await both()
    assert ended == ["last"]


async def test_a_defect_is_not_taken_for_a_failure() -> None:
    async def broken() -> None:
        raise KeyError("defect")

    async def run() -> None:
        async with waiting.tasks() as group:
            group.create_task(broken())

    with pytest.raises(ExceptionGroup, match="unhandled"):
        await run()
