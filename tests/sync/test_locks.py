"""Locks on identity keys: one person is looked for and created by one client at a time, and nobody waits for ever."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st
from store.virtual_time import in_virtual_time, run

from connector.sync.locks import IdentityLocks


class Room:
    """Counts who is inside with each key."""

    def __init__(self) -> None:
        self.locks = IdentityLocks()
        self.inside: dict[tuple[str, str], int] = {}
        self.order: list[int] = []

    async def visit(self, *keys: str, crm: str = "main", number: int = 0, stay: float = 1.0) -> None:
        async with self.locks.hold(crm, keys):
            for key in set(keys):
                self.inside[crm, key] = self.inside.get((crm, key), 0) + 1
                assert self.inside[crm, key] == 1
            self.order.append(number)
            await asyncio.sleep(stay)
            for key in set(keys):
                self.inside[crm, key] -= 1


def elapsed(began: float) -> float:
    return asyncio.get_running_loop().time() - began


@in_virtual_time
async def test_holders_of_a_common_key_take_turns_in_order():
    room, began = Room(), asyncio.get_running_loop().time()
    await asyncio.gather(*(room.visit("email:1", f"phone:{n}", number=n) for n in range(5)))
    assert room.order == [0, 1, 2, 3, 4]
    assert elapsed(began) == pytest.approx(5.0)


@in_virtual_time
async def test_other_keys_and_other_crms_do_not_wait():
    room, began = Room(), asyncio.get_running_loop().time()
    await asyncio.gather(room.visit("email:1"), room.visit("email:2"), room.visit("email:1", crm="second"), room.visit())
    assert elapsed(began) == pytest.approx(1.0)


@given(st.lists(st.lists(st.sampled_from("abcde"), max_size=5), min_size=1, max_size=12))
def test_whatever_keys_are_held_in_whatever_order_everybody_gets_in(visits):
    async def everybody() -> IdentityLocks:
        room = Room()
        await asyncio.gather(*(room.visit(*keys, number=n) for n, keys in enumerate(visits)))
        assert sorted(room.order) == list(range(len(visits)))
        return room.locks

    # A deadlock would be an AssertionError of the virtual loop.
    assert run(everybody())._locks == {}


@in_virtual_time
async def test_a_key_named_twice_is_one_key():
    room = Room()
    await room.visit("email:1", "email:1")
    assert room.order == [0]


@in_virtual_time
async def test_a_lock_is_dropped_when_nobody_wants_it():
    room = Room()
    first = asyncio.create_task(room.visit("email:1", "phone:1"))
    second = asyncio.create_task(room.visit("email:1"))
    await asyncio.sleep(0.5)
    assert set(room.locks._locks) == {("main", "email:1"), ("main", "phone:1")}
    await first
    assert set(room.locks._locks) == {("main", "email:1")}
    await second
    assert room.locks._locks == {}


@in_virtual_time
async def test_an_error_inside_lets_the_next_one_in():
    room = Room()
    with pytest.raises(ConnectionError):
        async with room.locks.hold("main", ["email:1"]):
            raise ConnectionError
    await room.visit("email:1")
    assert room.locks._locks == {}


@in_virtual_time
async def test_whoever_is_cancelled_while_waiting_gives_back_what_he_has():
    room = Room()
    holder = asyncio.create_task(room.visit("b"))
    await asyncio.sleep(0)
    waiting = asyncio.create_task(room.visit("a", "b", number=1))
    await asyncio.sleep(0.1)
    waiting.cancel()
    began = asyncio.get_running_loop().time()
    await room.visit("a", number=2)
    assert elapsed(began) == pytest.approx(1.0)
    await holder
    assert (room.order, room.locks._locks) == ([0, 2], {})


@in_virtual_time
async def test_whoever_is_cancelled_inside_lets_the_next_one_in():
    room = Room()
    holder = asyncio.create_task(room.visit("a", stay=100.0))
    await asyncio.sleep(0)
    next_one = asyncio.create_task(room.locks.hold("main", ["a"]).__aenter__())
    await asyncio.sleep(1)
    holder.cancel()
    await next_one
    assert set(room.locks._locks) == {("main", "a")}
