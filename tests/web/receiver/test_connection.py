"""The connection before a request is one: a real server, and clients that never get to the point."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator

import pytest
import uvicorn

from connector.web.receiver import connection as bounded
from connector.web.receiver.connection import ARRIVED, MAX_HEAD, BoundedConnection

pytestmark = pytest.mark.anyio
HEADERS: list[list[tuple[bytes, bytes]]] = []
GONE: list[str] = []
#: Whether the whole body had arrived when the application was called.
COMPLETE: list[bool] = []


async def _app(scope, receive, send) -> None:
    COMPLETE.append(ARRIVED in scope)
    if scope["path"] == "/waits":
        while (await receive())["type"] != "http.disconnect":
            pass
        GONE.append(scope["path"])
        return
    while scope["path"] != "/early" and (await receive()).get("more_body"):
        pass
    HEADERS.append(scope["headers"])
    await send({"type": "http.response.start", "status": 202, "headers": [(b"content-length", b"0")]})
    await send({"type": "http.response.body", "body": b""})


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounded, "HEAD_TIMEOUT", 0.3)
    HEADERS.clear()
    GONE.clear()
    COMPLETE.clear()


@pytest.fixture
async def port() -> AsyncIterator[int]:
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(
        _app,
        http=BoundedConnection,
        log_config=None,
        access_log=False,
        lifespan="off",
        timeout_keep_alive=30,
        timeout_graceful_shutdown=1,
    )
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server._serve([listener]))
    yield listener.getsockname()[1]
    server.should_exit = True
    await serving


async def said(port: int, *parts: bytes, pause: float = 0.1) -> bytes:
    """Send the parts with pauses between them; everything that comes back until the server closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    reading = asyncio.create_task(reader.read())
    for part in parts:
        writer.write(part)
        await asyncio.sleep(pause)
    try:
        async with asyncio.timeout(3):
            return await reading
    finally:
        writer.close()


GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


async def test_a_connection_without_a_request_is_closed(port):
    assert await said(port) == b""


@pytest.mark.parametrize("drop", [b"X: y\r\n", b"X", b"\r\n"])
async def test_a_head_in_drops_is_not_waited_for(port, drop):
    assert await said(port, b"" if drop == b"\r\n" else b"GET / HTTP/1.1\r\n", *[drop] * 5) == b""


async def test_neither_is_the_second_one(port):
    answer = await said(port, GET, *[b"\r\n"] * 5)
    assert answer.count(b"HTTP/1.1 202") == 1


async def test_a_request_that_takes_its_time_with_the_body_is_answered(port):
    head = b"POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 6\r\n\r\n"
    assert b"HTTP/1.1 202" in await said(port, head, *[b"x"] * 6)


@pytest.mark.parametrize("more", [b"X: " + b"y" * MAX_HEAD * 8, b"X: y\r\n" * (MAX_HEAD // 2)])
async def test_an_endless_head_is_refused(port, more):
    parts = [more[at : at + 65_536] for at in range(0, len(more), 65_536)]
    answer = await said(port, b"GET / HTTP/1.1\r\nHost: x\r\n", *parts, pause=0.005)
    assert answer.startswith(b"HTTP/1.1 400")


async def test_what_follows_a_body_is_no_header(port):
    head = b"POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
    assert b"HTTP/1.1 202" in await said(port, head + b"2\r\n{}\r\n0\r\nAuthorization: x\r\n\r\n")
    assert [name for name, _ in HEADERS[0]] == [b"host", b"connection", b"transfer-encoding"]


async def test_a_request_before_another_one_learns_that_its_sender_is_gone(port):
    """Otherwise it waits for ever, or writes to a connection that is no more."""
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(GET.replace(b"/ ", b"/waits ") + GET)
    await writer.drain()
    await asyncio.sleep(0.1)
    writer.transport.abort()
    async with asyncio.timeout(3):
        while not GONE:
            await asyncio.sleep(0.01)
    assert GONE == ["/waits"]


async def test_it_is_known_whether_the_whole_body_is_here(port):
    head = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n"
    await said(
        port, head + b"{}" + head + b"{}", head + b"{", b"}", head, b"{}", GET.replace(b"Host", b"Connection: close\r\nHost")
    )
    assert COMPLETE == [True, True, False, False, True]


async def _spoken(port: int, *exchanges: tuple[bytes, float]) -> list[bytes]:
    """Send each part, take the status line of its answer (a mere body has none), and be silent for some seconds."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    found = []
    try:
        for part, seconds in exchanges:
            writer.write(part)
            async with asyncio.timeout(3):
                if not part.startswith((b"{}", b"xx")):
                    found.append((await reader.readuntil(b"\r\n\r\n")).split(b"\r\n")[0])
            await asyncio.sleep(seconds)
    finally:
        writer.close()
        await writer.wait_closed()
    return found


async def test_an_idle_connection_is_kept(port):
    """Longer than a head may take: a proxy that keeps it must not find it closed."""
    assert await _spoken(port, (GET, 0.6), (GET, 0.6), (GET, 0)) == [b"HTTP/1.1 202 Accepted"] * 3


async def test_it_is_kept_also_after_a_body_that_was_answered_early(port):
    early = b"POST /early HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n"
    assert await _spoken(port, (early, 0.1), (b"{}", 0.6), (GET, 0.6), (GET, 0)) == [b"HTTP/1.1 202 Accepted"] * 3
    assert await _spoken(port, (early + b"{", 0.1), (b"}" + GET, 0)) == [b"HTTP/1.1 202 Accepted"] * 2


async def test_a_head_that_comes_with_the_end_of_a_large_body_is_not_too_large(port, monkeypatch):
    """A proxy that was answered early uses the connection again; what it still sends of the body is no part of the head."""
    monkeypatch.setattr(bounded, "MAX_HEAD", 1_000)
    large = b"POST /early HTTP/1.1\r\nHost: x\r\nContent-Length: 2000\r\n\r\n"
    rest = b"x" * 2_000 + GET[:10]
    assert await _spoken(port, (large, 0.1), (rest, 0.1), (GET[10:], 0)) == [b"HTTP/1.1 202 Accepted"] * 2
    several = await said(port, GET * 50 + GET[:10], GET[10:].replace(b"Host", b"Connection: close\r\nHost"))
    assert several.count(b"HTTP/1.1 202") == 51


async def test_the_rest_of_a_body_that_was_answered_is_not_waited_for_for_ever(port):
    early = b"POST /early HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n"
    answer = await said(port, early, *[b"x"] * 6)
    assert answer.count(b"HTTP/1.1 202") == 1


def test_we_keep_connections_longer_than_the_usual_proxies():
    assert bounded.KEEP_ALIVE > 120
