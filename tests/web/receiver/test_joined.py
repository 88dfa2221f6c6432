"""What one turn of the event loop writes goes out in one piece, in its order, and before the connection closes."""

from __future__ import annotations

import asyncio

import pytest

from connector.web.receiver.joined import MOST_HELD, JoinedWrites

pytestmark = pytest.mark.anyio


class Recorded(asyncio.Transport):
    """Notes what is written, and that it was closed."""

    def __init__(self) -> None:
        super().__init__({"peername": ("192.0.2.1", 5000)})
        self.did: list[bytes | str] = []

    def write(self, data) -> None:
        self.did.append(bytes(data))

    def close(self) -> None:
        self.did.append("closed")

    def is_closing(self) -> bool:
        return "closed" in self.did


@pytest.fixture
def below() -> Recorded:
    return Recorded()


@pytest.fixture
async def transport(below) -> JoinedWrites:
    return JoinedWrites(below, asyncio.get_running_loop())


async def test_the_head_and_the_body_of_an_answer_are_one_write(transport, below):
    transport.write(b"head ")
    transport.write(b"body")
    assert below.did == []
    await asyncio.sleep(0)
    assert below.did == [b"head body"]


async def test_what_the_next_turn_writes_is_another_write(transport, below):
    transport.write(b"first")
    await asyncio.sleep(0)
    transport.write(b"second")
    await asyncio.sleep(0)
    assert below.did == [b"first", b"second"]


async def test_closing_sends_what_is_held_back_and_nothing_follows(transport, below):
    transport.write(b"answer")
    transport.close()
    transport.write(b"too late")
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert below.did == [b"answer", "closed"]
    assert transport.is_closing()


async def test_more_than_may_be_held_back_goes_out_at_once(transport, below):
    transport.write(b"head ")
    transport.write(b"x" * MOST_HELD)
    assert below.did == [b"head " + b"x" * MOST_HELD]
    transport.write(b"rest")
    await asyncio.sleep(0)
    assert below.did[1:] == [b"rest"]


async def test_who_is_connected_is_asked_of_the_real_transport(transport):
    assert transport.get_extra_info("peername") == ("192.0.2.1", 5000)
