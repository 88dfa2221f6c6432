"""The receiver behind the real server: what happens on the connection itself."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress

import pytest
import uvicorn

from connector.web.receiver import receiver as receiver_module
from connector.web.receiver.connection import BoundedConnection
from connector.web.receiver.receiver import BODY_TIMEOUT

from ..fakes import SECRET, BodyVerifier, World

pytestmark = pytest.mark.anyio


class Announced(uvicorn.Server):
    """Tells when it listens."""

    def __init__(self, world: World) -> None:
        options = {"log_config": None, "access_log": False, "lifespan": "off", "ws": "none"}
        super().__init__(uvicorn.Config(world.app, port=0, http=BoundedConnection, **options))
        self.ready = asyncio.Event()

    async def startup(self, sockets: object = None) -> None:
        await super().startup(None)
        self.ready.set()


@asynccontextmanager
async def listening(world: World) -> AsyncIterator[int]:
    server = Announced(world)
    task = asyncio.create_task(server._serve())
    await server.ready.wait()
    try:
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        await task


@asynccontextmanager
async def connection(port: int) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield reader, writer
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()


@asynccontextmanager
async def connected(world: World) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    async with listening(world) as port, connection(port) as (reader, writer):
        yield reader, writer


def head(*lines: str, path: str = "/webhooks/stores") -> bytes:
    return "\r\n".join([f"POST {path} HTTP/1.1", "Host: 127.0.0.1", f"Authorization: {SECRET}", *lines, "", ""]).encode()


async def answer(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    """Status and header lines of the next answer; its body is read past."""
    lines = (await reader.readuntil(b"\r\n\r\n")).lower()
    length = next(int(line.split(b":")[1]) for line in lines.split(b"\r\n") if line.startswith(b"content-length:"))
    await reader.readexactly(length)
    return int(lines.split()[1]), lines


async def test_a_connection_is_reused_after_a_delivery_and_after_a_refusal() -> None:
    async with connected(World()) as (reader, writer):
        for body, status in ((b'{"id":1,"client":2}', 202), (b"nonsense", 400), (b'{"id":2,"client":2}', 202)):
            writer.write(head(f"Content-Length: {len(body)}") + body)
            assert (await answer(reader))[0] == status


async def test_a_sender_of_too_much_hears_it_before_the_connection_closes() -> None:
    async with connected(World(max_body_bytes=1000)) as (reader, writer):
        writer.write(head("Content-Length: 6000"))
        status, lines = await answer(reader)
        assert status == 413
        assert b"connection: close" in lines
        writer.write(b"x" * 6000)
        assert await reader.read() == b""


async def test_a_body_too_large_once_unpacked_ends_its_connection_at_once() -> None:
    """Nothing is still coming, so there is nothing to wait for."""
    body = gzip.compress(b'{"id":1,"client":2}' + b" " * 5000)
    async with connected(World(max_body_bytes=1000)) as (reader, writer), asyncio.timeout(BODY_TIMEOUT / 4):
        writer.write(head("Content-Encoding: gzip", f"Content-Length: {len(body)}") + body)
        assert (await answer(reader))[0] == 413
        assert await reader.read() == b""


async def test_an_endless_chunked_body_is_cut_off() -> None:
    async with connected(World(max_body_bytes=1000)) as (reader, writer):
        writer.write(head("Transfer-Encoding: chunked"))
        for _ in range(400):
            writer.write(b"200\r\n" + b"x" * 512 + b"\r\n")
        assert (await answer(reader))[0] == 413
        with suppress(ConnectionResetError):  # what was still coming is thrown away with the connection
            assert await reader.read() == b""


async def test_nobody_is_asked_to_send_what_would_be_refused() -> None:
    async with connected(World(max_body_bytes=1000)) as (reader, writer):
        writer.write(head("Content-Length: 5000", "Expect: 100-continue"))
        assert (await answer(reader))[0] == 413


async def test_an_unknown_source_is_refused_without_its_body() -> None:
    async with connected(World()) as (reader, writer):
        writer.write(head("Content-Length: 5000", path="/webhooks/nobody"))
        assert (await answer(reader))[0] == 404


async def test_strangers_that_send_half_a_body_keep_nobody_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """80 connections hold 20 MB of bodies that never end where there is room for 8; nothing can be said of them yet."""
    monkeypatch.setattr(receiver_module, "MAX_ARRIVING", 8 * 1024 * 1024)
    world = World(verifier=BodyVerifier())
    async with listening(world) as port, AsyncExitStack() as stack:
        strangers = [await stack.enter_async_context(connection(port)) for _ in range(80)]
        for _, writer in strangers:
            writer.write(head("Content-Length: 900000") + b"x" * 256 * 1024)
        for number in range(40):
            async with asyncio.timeout(5), connection(port) as (reader, writer):
                body = b'{"id":%d,"client":2}' % number
                writer.write(head(f"Content-Length: {len(body)}", f"X-Signature: {SECRET}") + body)
                assert (await answer(reader))[0] == 202
    assert world.stats.received("stores") == 40
    assert world.stats.refusals["stores", "overloaded"] >= 40


async def test_without_a_token_no_body_is_waited_for() -> None:
    async with connected(World()) as (reader, writer), asyncio.timeout(5):
        writer.write(head("Content-Length: 900000").replace(SECRET.encode(), b"wrong"))
        assert (await answer(reader))[0] == 401
