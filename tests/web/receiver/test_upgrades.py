"""Requests that offer to go on in another protocol, as Java's own client does with every request to a plain address."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
from collections.abc import AsyncIterator

import pytest
import uvicorn

from connector.web.receiver.connection import BoundedConnection

from ..fakes import SECRET, World
from .test_wire import answer, connection, head

pytestmark = pytest.mark.anyio
OFFER = ("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAEAAEAAAAIAAAABAAMAAABkAAQBAAAAAAUAAEAA")
BODY = b'{"id":1,"client":2}'
SIZED = head(*OFFER, f"Content-Length: {len(BODY)}")
CHUNKED = head(*OFFER, "Transfer-Encoding: chunked")
CHUNKS = b"7\r\n" + BODY[:7] + b"\r\nc\r\n" + BODY[7:] + b"\r\n0\r\n\r\n"
CURL = shutil.which("curl")
OFFERING_CURL = CURL if CURL and b"HTTP2" in subprocess.run([CURL, "-V"], capture_output=True, check=True).stdout else None


class Server(uvicorn.Server):
    """The service's own kind of connection."""

    def __init__(self, world: World) -> None:
        config = uvicorn.Config(
            world.app, port=0, http=BoundedConnection, log_config=None, access_log=False, lifespan="off", ws="none"
        )
        super().__init__(config)
        self.ready = asyncio.Event()

    async def startup(self, sockets: object = None) -> None:
        await super().startup(None)
        self.ready.set()


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
async def port(world: World) -> AsyncIterator[int]:
    server = Server(world)
    task = asyncio.create_task(server._serve())
    await server.ready.wait()
    yield server.servers[0].sockets[0].getsockname()[1]
    server.should_exit = True
    await task


@pytest.mark.parametrize(
    "pieces",
    [
        [SIZED + BODY],
        [SIZED, BODY],
        [SIZED[:40], SIZED[40:] + BODY[:3], BODY[3:]],
        [CHUNKED + CHUNKS],
        [CHUNKED, CHUNKS],
        [bytes([one]) for one in SIZED + BODY],
        [bytes([one]) for one in CHUNKED + CHUNKS],
    ],
    ids=["at once", "head, body", "in the middle", "chunked at once", "head, chunks", "byte by byte", "chunked byte by byte"],
)
async def test_a_delivery_with_an_offer_is_stored_whole(world: World, port: int, pieces: list[bytes]) -> None:
    """Seen by others as deliveries with an empty body: Kludex/uvicorn issue 2722, MagicStack/httptools issue 124."""
    async with asyncio.timeout(30), connection(port) as (reader, writer):
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0)
        assert (await answer(reader))[0] == 202
        assert world.intake.only.body == BODY
        # The connection goes on.
        second = BODY.replace(b"1", b"2")
        writer.write(head(f"Content-Length: {len(second)}") + second)
        assert (await answer(reader))[0] == 202
    assert [delivery.body for delivery in world.intake.stored.values()] == [BODY, second]


async def test_requests_behind_one_with_an_offer_are_read_too(world: World, port: int) -> None:
    """The trap of two attempts to correct it that others made and withdrew: Kludex/uvicorn pull requests 2909 and 3037."""
    bodies = [BODY.replace(b"1", b"%d" % number) for number in (1, 2, 3)]
    offers = (OFFER, (), OFFER)
    requests = [head(*offer, f"Content-Length: {len(body)}") + body for offer, body in zip(offers, bodies, strict=True)]
    async with asyncio.timeout(30), connection(port) as (reader, writer):
        writer.write(b"".join(requests))
        assert [(await answer(reader))[0] for _ in bodies] == [202, 202, 202]
    assert [delivery.body for delivery in world.intake.stored.values()] == bodies


async def test_an_offer_proves_nothing(world: World, port: int) -> None:
    async with asyncio.timeout(30), connection(port) as (reader, writer):
        writer.write((SIZED + BODY).replace(SECRET.encode(), b"wrong"))
        assert (await answer(reader))[0] == 401
    assert not world.intake.stored


@pytest.mark.parametrize("method", ["CONNECT /webhooks/stores", "CONNECT example.com:443"])
async def test_nobody_is_connected_through(world: World, port: int, method: str) -> None:
    async with asyncio.timeout(30), connection(port) as (reader, writer):
        writer.write(SIZED.replace(b"POST /webhooks/stores", method.encode()) + BODY)
        assert (await reader.readuntil(b"\r\n")).split()[1] in (b"400", b"405")
    assert not world.intake.stored


@pytest.mark.skipif(OFFERING_CURL is None, reason="no curl that offers HTTP/2")
async def test_a_real_client_that_offers_is_answered(world: World, port: int) -> None:
    sending = await asyncio.create_subprocess_exec(
        *(str(OFFERING_CURL), "-sS", "--http2", "--max-time", "30", "-o", "-", "-w", " %{http_code}"),
        *("-H", f"Authorization: {SECRET}", "-d", BODY.decode(), f"http://127.0.0.1:{port}/webhooks/stores"),
        stdout=asyncio.subprocess.PIPE,
    )
    said, _ = await sending.communicate()
    assert said.split()[-1] == b"202"
    assert world.intake.only.body == BODY


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "TLS came to our port"),
        (b"PROXY TCP4 192.0.2.1 192.0.2.2 56324 443\r\nPOST", "the PROXY protocol came"),
        (b"\r\n\r\n\x00\r\nQUIT\n\x21\x11", "the PROXY protocol came"),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "HTTP/2 came to our port"),
    ],
    ids=["TLS", "PROXY", "PROXY 2", "HTTP/2"],
)
async def test_what_is_no_http_is_named_in_the_log(port: int, caplog: pytest.LogCaptureFixture, sent: bytes, said: str) -> None:
    """People sought for hours behind "Invalid HTTP request received": Kludex/uvicorn pull request 1945."""
    async with asyncio.timeout(30), connection(port) as (reader, writer):
        writer.write(sent)
        assert (await reader.readuntil(b"\r\n")).split()[1] == b"400"
    assert any(record.getMessage().startswith(said) for record in caplog.records)
