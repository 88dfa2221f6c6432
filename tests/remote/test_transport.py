"""What aiohttp does under httpx's interface: each request once, and errors that say whether anything was sent."""

import asyncio
import re
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random

import httpx
import pytest
import uvloop

from connector.model.errors import StoreError
from connector.remote import transport
from connector.remote.transport import AiohttpTransport
from connector.remote.wrapped import CheckedTransport

pytestmark = pytest.mark.anyio
GOOD = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"


class Server:
    """Speaks raw HTTP/1.1: sends the next of `answers` to each request; b"" cuts the connection, None stays silent."""

    def __init__(self, *answers: bytes | None) -> None:
        self.answers = list(answers)
        self.heads: list[bytes] = []
        self.closed = asyncio.Event()
        self.url = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
                await reader.readexactly(int(length[0].split(b":")[1]) if length else 0)
                self.heads.append(head)
                answer = self.answers.pop(0)
                if answer == b"":
                    break
                if answer is not None:
                    writer.write(answer)
                    await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()
            self.closed.set()


@asynccontextmanager
async def opened(*answers: bytes | None, read: float = 5.0) -> AsyncIterator[tuple[Server, httpx.AsyncClient]]:
    found = Server(*answers)
    server = await asyncio.start_server(found.serve, "127.0.0.1", 0)
    found.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with httpx.AsyncClient(transport=AiohttpTransport(), timeout=httpx.Timeout(5.0, read=read)) as api:
        yield found, api
    server.close()
    await server.wait_closed()


@pytest.mark.parametrize("method", ["GET", "PUT", "POST", "PATCH", "DELETE"])
async def test_a_request_is_sent_once_even_if_a_kept_connection_is_cut(method):
    async with opened(GOOD, b"", GOOD) as (server, api):
        assert (await api.get(server.url)).status_code == 200
        with pytest.raises(httpx.RemoteProtocolError, match="ServerDisconnectedError"):
            await api.request(method, server.url, content=b"{}")
        assert len(server.heads) == 2


async def test_nothing_was_sent_where_no_connection_came_about():
    async with opened(GOOD) as (server, api):
        refused = f"http://127.0.0.1:{_free_port()}"
        with pytest.raises(httpx.ConnectError):
            await api.put(refused, content=b"{}")
        with pytest.raises(httpx.ConnectError):
            await api.put("http://nobody.invalid", content=b"{}")
        assert server.heads == []


async def test_a_server_without_tls_is_a_failed_connection():
    async def plain(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(GOOD)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(plain, "127.0.0.1", 0)
    async with server, httpx.AsyncClient(transport=AiohttpTransport()) as api:
        with pytest.raises(httpx.ConnectError):
            await api.put(f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}", content=b"{}")


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (None, httpx.ReadTimeout),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{", httpx.ReadTimeout),
        (b"HTTP/1.1 200 OK\r\nContent-Le", httpx.ReadTimeout),
        (b"SMTP ready\r\n\r\n", httpx.RemoteProtocolError),
    ],
)
async def test_a_request_that_was_sent_is_never_a_failed_connection(answer, error):
    async with opened(answer, read=0.2) as (server, api):
        with pytest.raises(error) as caught:
            await api.put(server.url, content=b"{}")
        assert not isinstance(caught.value, httpx.ConnectError | httpx.ConnectTimeout)
        assert "127.0.0.1" not in str(caught.value)


async def test_a_long_header_makes_no_answer_unreadable():
    """aiohttp's own limit is 8 KB. Security policies are longer: aio-libs/aiohttp issue 2304, iprak/yahoofinance pull 173.

    A write whose answer cannot be read counts as unknown, however often it is made again.
    """
    policy = b"Content-Security-Policy: frame-ancestors " + b"https://example.com " * 5_000 + b"\r\n"
    async with opened(GOOD.replace(b"\r\n", b"\r\n" + policy, 1)) as (server, api):
        answer = await api.post(server.url, content=b"{}")
    assert (answer.status_code, answer.content) == (200, b"{}")
    assert len(answer.headers["content-security-policy"]) > 90_000


async def test_the_request_goes_out_as_httpx_built_it():
    async with opened(GOOD, GOOD) as (server, api):
        await api.put(
            f"{server.url}/a%2Fb%20c?q=%2B1&x=a+b", json={"a": 1}, headers={"Accept": "application/json", "X-Two": "2"}
        )
        await api.get(server.url)
    put, get = server.heads
    lines = put.split(b"\r\n")
    assert lines[0] == b"PUT /a%2Fb%20c?q=%2B1&x=a+b HTTP/1.1"
    names = [line.split(b":")[0].lower() for line in lines[1:-2]]
    assert sorted(names) == [
        b"accept", b"accept-encoding", b"connection", b"content-length", b"content-type", b"host", b"user-agent", b"x-two"
    ]  # fmt: skip
    assert b"content-type" not in get.lower()


async def test_cookies_are_forgotten_and_redirects_not_followed():
    redirect = b"HTTP/1.1 307 Elsewhere\r\nLocation: /x\r\nSet-Cookie: a=b\r\nContent-Length: 0\r\n\r\n"
    async with opened(redirect, GOOD) as (server, api):
        assert (await api.get(server.url)).status_code == 307
        api.cookies.clear()
        await api.get(server.url)
        assert len(server.heads) == 2
        assert b"cookie" not in server.heads[1].lower()


async def test_a_cancelled_request_ends_its_connection():
    async with opened(None) as (server, api):
        request = asyncio.create_task(api.get(server.url))
        while not server.heads:
            await asyncio.sleep(0)
        request.cancel()
        with pytest.raises(asyncio.CancelledError):
            await request
        await asyncio.wait_for(server.closed.wait(), 5)


async def test_an_answer_that_is_not_read_to_its_end_ends_its_connection():
    async with opened(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{") as (server, api):
        async with api.stream("GET", server.url) as response:
            assert response.status_code == 200
        await asyncio.wait_for(server.closed.wait(), 5)


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("kept", [False, True])
async def test_what_may_no_longer_be_sent_when_the_connection_is_there_is_not_sent(method, kept, monkeypatch):
    """The process stands still after the connection was opened, or found; the lease runs out; the process goes on."""
    holds, connect = True, transport._Connector.connect

    def check() -> None:
        if not holds:
            raise StoreError("This process was away.")

    async def connect_and_stop(*arguments, **named):
        nonlocal holds
        connection = await connect(*arguments, **named)
        holds = False
        return connection

    async with opened(*[GOOD] * 3) as (server, _), httpx.AsyncClient(transport=AiohttpTransport(check=check)) as api:
        body = {"json": {"written": "late"}} if method == "POST" else {}
        if kept:
            await api.get(server.url)
        with monkeypatch.context() as patch:
            patch.setattr(transport._Connector, "connect", connect_and_stop)
            with pytest.raises(StoreError, match="was away"):
                await api.request(method, server.url, **body)
        holds = True
        assert (await api.put(server.url, json={"written": "again"})).status_code == 200
        assert (await api.put(server.url, json={"written": "once more"})).status_code == 200
    assert [head.split()[0] for head in server.heads] == [b"GET"] * kept + [b"PUT", b"PUT"]


async def test_the_lease_is_looked_at_before_anything_is_prepared():
    def check() -> None:
        raise StoreError("This process was away.")

    sent = httpx.MockTransport(lambda request: pytest.fail("it was sent"))
    async with httpx.AsyncClient(transport=CheckedTransport(sent, check)) as api:
        with pytest.raises(StoreError, match="was away"):
            await api.get("http://127.0.0.1:9")


async def test_a_large_body_arrives_whole_where_every_write_is_checked():
    checked = []
    body = b"x" * 1_000_000
    received = bytearray()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        while len(received) < len(body):
            received.extend(await reader.read(10_000))
        writer.write(GOOD)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server, httpx.AsyncClient(transport=AiohttpTransport(check=lambda: checked.append(1))) as api:
        assert (await api.post(url, content=body)).status_code == 200
    assert bytes(received) == body
    assert checked


def test_bytes_are_with_the_system_when_they_have_been_written():
    """So the look at the lease is the last thing before it: uvloop keeps nothing for the end of the loop's turn."""

    async def write() -> bytes:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            made, _ = await asyncio.get_running_loop().create_connection(asyncio.Protocol, *listener.getsockname())
            receiving, _ = listener.accept()
            with receiving:
                transport._CheckedWrites(made, lambda: None).writelines([b"all ", b"of it"])
                receiving.setblocking(False)
                found = receiving.recv(100)
            made.close()
            return found

    assert uvloop.run(write()) == b"all of it"


class Echo:
    """Answers each request with its own body, some of them late; `heard` counts the connections."""

    def __init__(self) -> None:
        self.heard = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.heard += 1
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                if (found := re.search(rb"(?i)content-length: (\d+)", head)) is None:
                    return  # somebody else's: the port was another program's before
                size = int(found[1])
                body = await reader.readexactly(size)
                await asyncio.sleep(size % 7 / 1000)
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size + body[: size // 2])
                await writer.drain()
                await asyncio.sleep(size % 3 / 1000)
                writer.write(body[size // 2 :])
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


@pytest.mark.parametrize("check", [None, lambda: None], ids=["plain", "checked"])
async def test_no_answer_goes_to_another_request_whoever_gives_up(check):
    """With aiohttp, the answer of a request given up came to the next one (aio-libs/aiohttp issue 7864), or it hung (7599)."""
    echo, chosen = Echo(), Random(7)
    server = await asyncio.start_server(echo.serve, "127.0.0.1", 0, limit=2**20)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    answered = given_up = 0

    async def call(number: int, seconds: float, size: int) -> None:
        nonlocal answered, given_up
        body = (b"%d " % number).ljust(size, b".")
        try:
            async with asyncio.timeout(seconds):
                answer = await api.put(url, content=body)
        except (TimeoutError, httpx.TransportError):
            given_up += 1
        else:
            assert answer.content == body
            answered += 1

    transport = AiohttpTransport(connections=8, check=check)
    async with server, httpx.AsyncClient(transport=transport, timeout=30) as api, asyncio.timeout(60):
        sizes = [chosen.choice((9, 2_000, 400_000)) + number % 21 for number in range(300)]
        patience = (30, 0, chosen.uniform(0.0, 0.05), chosen.uniform(0.0, 0.3))
        await asyncio.gather(*(call(n, patience[n % 4], size) for n, size in enumerate(sizes)))
        assert given_up >= 75
        assert answered >= 75
        before = answered
        # What comes afterwards is answered, each with its own.
        await asyncio.gather(*(call(n, 30, size) for n, size in enumerate(sizes[:50], 1000)))
        assert answered == before + 50


async def test_a_kept_connection_is_as_good_as_a_new_one_however_long_it_was_idle():
    """With aiohttp 3.14.0 and 3.14.1 the time-out of reading ran on while nothing was asked: aio-libs/aiohttp issue 12953."""
    large = b"HTTP/1.1 200 OK\r\nContent-Length: 300000\r\n\r\n" + b"." * 300_000
    async with opened(GOOD, large, GOOD, large, read=0.3) as (server, api):
        for size in (2, 300_000, 2, 300_000):
            assert len((await api.post(server.url, content=b"{}")).content) == size
            await asyncio.sleep(0.5)
        assert not server.closed.is_set(), "it was one connection"


async def _cancelled_while_it_is_made() -> int:
    """The file number of a socket whose connection was given up while aiohttp's way of making it was under way."""
    loop = asyncio.get_running_loop()
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.socket() as connected:
        connected.setblocking(False)
        await loop.sock_connect(connected, listener.getsockname())
        making = asyncio.ensure_future(loop.create_connection(asyncio.Protocol, sock=connected))
        await asyncio.sleep(0)
        making.cancel()
        with pytest.raises(asyncio.CancelledError):
            await making
        # The loop closes in its next turns.
        for _ in range(5):
            await asyncio.sleep(0)
        return connected.fileno()


def test_a_connection_that_is_given_up_closes_no_other_file():
    """The event loop closed it, and the socket closed the number again, which may be the database's by then.

    MagicStack/uvloop issue 738, aio-libs/aiohttp issue 10506; corrected in uvloop 0.23.
    """
    assert uvloop.run(_cancelled_while_it_is_made()) == -1
