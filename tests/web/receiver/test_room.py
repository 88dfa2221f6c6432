"""Which body goes when there is no room for all."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

import pytest

from connector.web.receiver import room as room_module
from connector.web.receiver.room import Arriving, NoRoom, Room

pytestmark = pytest.mark.anyio


class Bodies:
    """Bodies that wait for their next byte for ever."""

    def __init__(self, size: int) -> None:
        self.room = Room(size)
        self._tasks: list[asyncio.Task[str]] = []

    async def begin(self, peer: str, size: int, *, proven: bool = False) -> asyncio.Task[str]:
        entered: asyncio.Future[Arriving] = asyncio.get_running_loop().create_future()

        async def read() -> str:
            try:
                async with asyncio.timeout(30) as deadline:
                    with self.room.entered(peer, proven=proven, deadline=deadline) as body:
                        try:
                            body.take(size)
                        except NoRoom:
                            return "refused"
                        finally:
                            entered.set_result(body)
                        await asyncio.Event().wait()
            except TimeoutError:
                return "dropped"
            return "never"

        self._tasks.append(asyncio.create_task(read()))
        await entered
        return self._tasks[-1]

    async def state(self, *tasks: asyncio.Task[str]) -> list[str]:
        # Whoever is dropped is at its end after a few turns of the loop, however long each of them takes.
        for _ in range(20):
            await asyncio.sleep(0)
        return [task.result() if task.done() else "waits" for task in tasks]

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


async def _drive(size: int, *arrivals: tuple[str, int, bool]) -> list[str]:
    bodies = Bodies(size)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(bodies.close)
        return await bodies.state(*[await bodies.begin(peer, n, proven=proven) for peer, n, proven in arrivals])


async def test_the_oldest_unverified_body_goes() -> None:
    found = await _drive(1000, ("a", 200, False), ("a", 200, False), ("a", 200, False))
    assert found == ["dropped", "waits", "waits"]


async def test_the_peer_that_has_most_on_its_way_loses_first() -> None:
    found = await _drive(1000, ("honest", 100, False), ("flood", 200, False), ("flood", 200, False), ("late", 100, False))
    assert found == ["waits", "dropped", "waits", "waits"]


async def test_what_is_proven_is_never_dropped_and_takes_the_whole_room() -> None:
    found = await _drive(1000, ("a", 500, True), ("b", 400, False), ("a", 400, True), ("a", 200, True))
    assert found == ["waits", "dropped", "waits", "refused"]


async def test_one_body_that_is_too_much_alone_is_refused_itself() -> None:
    assert await _drive(1000, ("a", 100, False), ("b", 600, False)) == ["dropped", "refused"]


async def test_bodies_of_no_byte_are_bounded_by_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room_module, "MOST_UNVERIFIED", 2)
    assert await _drive(1000, ("a", 0, False), ("b", 0, False), ("c", 0, False)) == ["dropped", "waits", "waits"]


async def test_a_body_that_has_left_frees_its_room() -> None:
    room = Room(1000)
    for _ in range(50):
        async with asyncio.timeout(5) as deadline:
            with room.entered("a", proven=False, deadline=deadline) as body:
                body.take(400)
