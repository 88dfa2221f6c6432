"""The connection before a request is one: a real server, and clients that never get to the point."""

from __future__ import annotations

import asyncio
import socket
import struct
import sys
from collections.abc import AsyncIterator, Callable
from typing import Any, ClassVar

import pytest
import uvicorn

from connector.web.receiver import connection as bounded
from connector.web.receiver.connection import ARRIVED, HEAD_TIMEOUT, MAX_HEAD, BoundedConnection

pytestmark = pytest.mark.anyio
#: Seconds that an idle connection is kept here, and that anything may take on a busy machine.
KEPT, LIMIT = 30, 60
HEADERS: list[list[tuple[bytes, bytes]]] = []
#: Set once a request that waits has learnt that its sender is gone.
GONE = asyncio.Event()
#: Set once the sender has said that it sends no more.
ENDED = asyncio.Event()
#: Whether the whole body had arrived when the application was called.
COMPLETE: list[bool] = []


async def _app(scope, receive, send) -> None:
    COMPLETE.append(ARRIVED in scope)
    if scope["path"] == "/waits":
        while (await receive())["type"] != "http.disconnect":
            pass
        GONE.set()
        return
    if scope["path"] == "/ended":
        await ENDED.wait()
    while scope["path"] != "/early" and (await receive()).get("more_body"):
        pass
    HEADERS.append(scope["headers"])
    await send({"type": "http.response.start", "status": 202, "headers": [(b"content-length", b"0")]})
    await send({"type": "http.response.body", "body": b""})


class Timers:
    """The loop of a connection, whose timers go off when the test lets the time pass, however busy the machine is."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._now = 0.0
        self._set: list[asyncio.TimerHandle] = []

    def call_later(self, seconds: float, callback: Callable[..., object], *args: object) -> asyncio.TimerHandle:
        handle = asyncio.TimerHandle(self._now + seconds, callback, args, self)  # type: ignore[arg-type]
        self._set.append(handle)
        return handle

    def pass_by(self, seconds: float) -> None:
        self._now += seconds
        due = [handle for handle in self._set if handle.when() <= self._now]
        self._set = [handle for handle in self._set if handle not in due]
        for handle in sorted(due, key=asyncio.TimerHandle.when):
            if not handle.cancelled():
                handle._run()

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        """A handle asks its loop to forget it."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loop, name)


class Watched(BoundedConnection):
    """The connection at the server's end, which says how much has come."""

    made: ClassVar[asyncio.Queue[Watched]]

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.loop = self.timers = Timers()
        self.come = 0
        self.changed = asyncio.Event()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.made.put_nowait(self)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self.come = sys.maxsize
        self.changed.set()

    def eof_received(self) -> bool:
        ENDED.set()
        return super().eof_received()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self.come += len(data)
        self.changed.set()


class Client:
    """A client, and the connection at the other end."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, server: Watched) -> None:
        self._reader, self._writer, self._server = reader, writer, server
        self._sent = 0

    async def sends(self, part: bytes, *, then: float = 0.0) -> None:
        """Send, wait until it has arrived, and let so many seconds pass."""
        self._writer.write(part)
        self._sent += len(part)
        async with asyncio.timeout(LIMIT):
            while self._server.come < self._sent:
                self._server.changed.clear()
                await self._server.changed.wait()
        self.waits(then)

    def waits(self, seconds: float) -> None:
        self._server.timers.pass_by(seconds)

    def ends(self) -> None:
        """Say that nothing more will be sent; what comes is still read."""
        self._writer.write_eof()

    async def answer(self) -> bytes:
        """The status line of the next answer; none has a body."""
        async with asyncio.timeout(LIMIT):
            return (await self._reader.readuntil(b"\r\n\r\n")).split(b"\r\n")[0]

    async def rest(self) -> bytes:
        """Everything that still comes until the server closes."""
        async with asyncio.timeout(LIMIT):
            return await self._reader.read()

    @property
    def closed(self) -> bool:
        return self._server.transport.is_closing()

    def goes(self) -> None:
        self._writer.transport.abort()

    async def resets(self) -> Watched:
        """Close with a reset, as some proxies do; the connection at the other end once it has noticed."""
        used: socket.socket = self._writer.get_extra_info("socket")
        used.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._writer.transport.abort()
        async with asyncio.timeout(LIMIT):
            while self._server.come != sys.maxsize:
                self._server.changed.clear()
                await self._server.changed.wait()
        return self._server


@pytest.fixture(autouse=True)
def _empty() -> None:
    HEADERS.clear()
    COMPLETE.clear()


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    Watched.made = asyncio.Queue()
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(
        _app,
        http=Watched,
        log_config=None,
        access_log=False,
        lifespan="off",
        timeout_keep_alive=KEPT,
        timeout_graceful_shutdown=1,
    )
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server._serve([listener]))
    reader, writer = await asyncio.open_connection("127.0.0.1", listener.getsockname()[1])
    client = Client(reader, writer, await Watched.made.get())
    yield client
    client.goes()
    server.should_exit = True
    await serving


GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
LAST = GET.replace(b"Host", b"Connection: close\r\nHost")
OK = b"HTTP/1.1 202 Accepted"


async def test_a_connection_without_a_request_is_closed(client):
    client.waits(HEAD_TIMEOUT - 1)
    assert not client.closed
    client.waits(1)
    assert await client.rest() == b""


async def test_nothing_waits_for_a_connection_that_was_reset(client):
    """Behind a proxy that closes so, each kept a process's memory until the timer ended: Soju06/codex-lb issue 2041."""
    await client.sends(GET)
    assert await client.answer() == OK
    connection = await client.resets()
    assert connection.timeout_keep_alive_task is None
    assert [handle for handle in connection.timers._set if not handle.cancelled()] == []


@pytest.mark.parametrize("drop", [b"X: y\r\n", b"X", b"\r\n"])
async def test_a_head_in_drops_is_not_waited_for(client, drop):
    await client.sends(drop if drop == b"\r\n" else b"GET / HTTP/1.1\r\n", then=HEAD_TIMEOUT / 4)
    for _ in range(2):
        await client.sends(drop, then=HEAD_TIMEOUT / 4)
    assert not client.closed
    await client.sends(drop, then=HEAD_TIMEOUT / 4)
    assert await client.rest() == b""


async def test_neither_is_the_second_one(client):
    await client.sends(GET)
    assert await client.answer() == OK
    for _ in range(4):
        assert not client.closed
        await client.sends(b"\r\n", then=HEAD_TIMEOUT / 4)
    assert await client.rest() == b""


async def test_a_request_that_takes_its_time_with_the_body_is_answered(client):
    await client.sends(b"POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 6\r\n\r\n")
    for _ in range(6):
        await client.sends(b"x", then=HEAD_TIMEOUT / 4)
    assert await client.answer() == OK


@pytest.mark.parametrize("more", [b"X: " + b"y" * MAX_HEAD * 8, b"X: y\r\n" * (MAX_HEAD // 2)])
async def test_an_endless_head_is_refused(client, more):
    await client.sends(b"GET / HTTP/1.1\r\nHost: x\r\n")
    for at in range(0, len(more), 65_536):
        if client.closed:
            break
        await client.sends(more[at : at + 65_536])
    assert (await client.rest()).startswith(b"HTTP/1.1 400")


async def test_what_follows_a_body_is_no_header(client):
    head = b"POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
    await client.sends(head + b"2\r\n{}\r\n0\r\nAuthorization: x\r\n\r\n")
    assert await client.answer() == OK
    assert [name for name, _ in HEADERS[0]] == [b"host", b"connection", b"transfer-encoding"]


async def test_a_request_before_another_one_learns_that_its_sender_is_gone(client):
    """Otherwise it waits for ever, or writes to a connection that is no more."""
    GONE.clear()
    await client.sends(GET.replace(b"/ ", b"/waits ") + GET)
    await client.resets()
    async with asyncio.timeout(LIMIT):
        await GONE.wait()


@pytest.mark.parametrize("sent", [GET, GET + GET, GET.replace(b"/ ", b"/ended ")])
async def test_who_sends_no_more_is_still_answered(client, sent):
    """Of a sender that closes its half of the connection behind the request, each delivery was stored and never answered.

    https://github.com/aio-libs/aiohttp/issues/3659, https://github.com/Kludex/uvicorn/pull/2924
    """
    ENDED.clear()
    await client.sends(sent)
    client.ends()
    assert (await client.rest()).count(OK) == sent.count(b"GET")


async def test_who_ends_within_a_request_is_not_waited_for(client):
    await client.sends(GET.replace(b"GET", b"POST").replace(b"Host", b"Content-Length: 5\r\nHost") + b"{")
    client.ends()
    assert await client.rest() == b""


async def test_it_is_known_whether_the_whole_body_is_here(client):
    head = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n"
    for parts in ([head + b"{}" + head + b"{}"], [head + b"{", b"}"], [head, b"{}"], [LAST]):
        for part in parts:
            await client.sends(part)
            # The application is called in a step of the loop of its own, before the rest is sent.
            await asyncio.sleep(0)
    assert (await client.rest()).count(OK) == 5
    assert COMPLETE == [True, True, False, False, True]


async def test_an_idle_connection_is_kept(client):
    """Longer than a head may take: a proxy that keeps it must not find it closed."""
    for _ in range(3):
        await client.sends(GET)
        assert await client.answer() == OK
        client.waits(2 * HEAD_TIMEOUT)
    assert not client.closed
    client.waits(KEPT)
    assert await client.rest() == b""


async def test_it_is_kept_also_after_a_body_that_was_answered_early(client):
    early = b"POST /early HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n"
    await client.sends(early)
    assert await client.answer() == OK
    await client.sends(b"{}", then=2 * HEAD_TIMEOUT)
    await client.sends(GET)
    assert await client.answer() == OK
    client.waits(2 * HEAD_TIMEOUT)
    await client.sends(early + b"{")
    assert await client.answer() == OK
    await client.sends(b"}" + GET)
    assert await client.answer() == OK


async def test_a_head_that_begins_on_an_idle_connection_is_not_waited_for_either(client):
    await client.sends(b"POST /early HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n")
    assert await client.answer() == OK
    await client.sends(b"{}", then=HEAD_TIMEOUT)
    await client.sends(GET[:10], then=HEAD_TIMEOUT)
    assert await client.rest() == b""


async def test_a_head_that_comes_with_the_end_of_a_large_body_is_not_too_large(client, monkeypatch):
    """A proxy that was answered early uses the connection again; what it still sends of the body is no part of the head."""
    monkeypatch.setattr(bounded, "MAX_HEAD", 1_000)
    await client.sends(b"POST /early HTTP/1.1\r\nHost: x\r\nContent-Length: 2000\r\n\r\n")
    assert await client.answer() == OK
    await client.sends(b"x" * 2_000 + GET[:10])
    await client.sends(GET[10:])
    assert await client.answer() == OK
    await client.sends(GET * 50 + LAST[:10])
    await client.sends(LAST[10:])
    assert (await client.rest()).count(OK) == 51


async def test_the_rest_of_a_body_that_was_answered_is_not_waited_for_for_ever(client):
    await client.sends(b"POST /early HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n")
    assert await client.answer() == OK
    for _ in range(4):
        assert not client.closed
        await client.sends(b"x", then=HEAD_TIMEOUT / 4)
    assert await client.rest() == b""


def test_we_keep_connections_longer_than_the_usual_proxies():
    assert bounded.KEEP_ALIVE > 120
