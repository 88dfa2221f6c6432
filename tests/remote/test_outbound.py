"""The way out as networks have it: private authorities, client certificates, proxies, and causes that read differently."""

import asyncio
import base64
import socket
import ssl
import threading
from contextlib import asynccontextmanager, contextmanager, suppress

import httpx
import pytest
from pydantic import SecretStr

from connector.config.outbound import Proxy, Route, Trust
from connector.model.errors import AccountPaused, Unavailable, UnknownOutcome
from connector.remote.http import Remote
from connector.remote.rate_limit import Quota
from connector.remote.transport import AiohttpTransport
from connector.remote.transport import tls as ours

from .authority import Authority
from .test_transport import GOOD, Server

pytestmark = pytest.mark.anyio
#: A name that only the proxy of these tests knows.
NAME = "api.example.com"


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def good(authority):
    return authority.issue("server", "127.0.0.1", NAME)


def trusting(authority, **more) -> Route:
    return Route(Trust(ca_file=authority.ca.cert), **more)


def context(pair) -> ssl.SSLContext:
    found = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    found.load_cert_chain(pair.cert, pair.key)
    return found


@asynccontextmanager
async def serving(tls: ssl.SSLContext | None, *answers):
    """A server with these answers; yields it with its port."""
    found = Server(*(answers or (GOOD,)))
    server = await asyncio.start_server(found.serve, "127.0.0.1", 0, ssl=tls)
    try:
        yield found, server.sockets[0].getsockname()[1]
    finally:
        server.close()


@contextmanager
def refusing(tls: ssl.SSLContext):
    """A server whose handshakes end with an alert, as OpenSSL's do (asyncio's own server just hangs up)."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve():
            taken, _ = listening.accept()
            taken.settimeout(5)
            talking = tls.wrap_socket(taken, server_side=True, do_handshake_on_connect=False)
            with suppress(OSError):
                talking.do_handshake()
            # Read to the end before closing: else the system may throw the alert away with the connection.
            with socket.socket(fileno=talking.detach()) as raw, suppress(OSError):
                raw.shutdown(socket.SHUT_WR)
                while raw.recv(65536):
                    pass

        thread = threading.Thread(target=serve)
        thread.start()
        yield listening.getsockname()[1]
        thread.join(5)


class ProxyServer:
    """Connects every CONNECT to one port of this machine, whatever name was asked for."""

    def __init__(self, port: int, *, credentials: str | None = None, status: int = 200) -> None:
        self.port, self.credentials, self.status = port, credentials, status
        self.heads: list[bytes] = []

    async def serve(self, reader, writer):
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            self.heads.append(head)
            wanted = self.credentials and b"Basic " + base64.b64encode(self.credentials.encode())
            status = 407 if wanted and wanted not in head else self.status
            if status:
                writer.write(b"HTTP/1.1 %d Said\r\n\r\n" % status)
                await writer.drain()
            if status == 200:
                inner, outer = await asyncio.open_connection("127.0.0.1", self.port)
                await asyncio.gather(pipe(reader, outer), pipe(inner, writer))
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


async def pipe(reader, writer):
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except OSError:
        pass
    finally:
        writer.close()


@asynccontextmanager
async def proxied(proxy: ProxyServer, tls: ssl.SSLContext | None = None):
    """The proxy's address while it runs."""
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0, ssl=tls)
    try:
        yield f"{'https' if tls else 'http'}://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()


async def call(url: str, route: Route | None = None, *, method: str = "GET", timeout: float = 5.0):
    """One call of an account; a write is tried once, a read here too (as a probe)."""
    remote = Remote(
        "crm.main", url, title="Rolodex", headers={}, quota=Quota("q", []), timeout=timeout, transport=AiohttpTransport(route)
    )
    try:
        return await remote.call("look", method, "x", probe=True)
    finally:
        await remote.aclose()


async def failed(*args, kind=Unavailable, **more) -> str:
    """The error's text and hint in one line; it must not hold the name of a class."""
    with pytest.raises(kind) as caught:
        await call(*args, **more)
    text = f"{caught.value} | {caught.value.hint}"
    assert "Error" not in text
    assert "Timeout" not in text
    return text


# ---- certificates ----


async def test_a_private_authority_is_believed_when_it_is_named(authority, good):
    async with serving(context(good)) as (server, port):
        assert (await call(f"https://127.0.0.1:{port}", trusting(authority))).status == 200
        assert len(server.heads) == 1


async def test_the_usual_authorities_are_believed_beside_the_private_one(authority, good):
    other = Authority(authority.folder, "other")
    async with serving(context(good)) as (_, port):
        route = Route(Trust(ca_file=other.ca.cert, cert_file=authority.ca.cert))
        assert (await call(f"https://127.0.0.1:{port}", route)).status == 200


@pytest.mark.parametrize(
    ("hosts", "days", "known", "expected"),
    [
        (["127.0.0.1"], (-1, 30), False, "the certificate of 127.0.0.1 is signed by an unknown authority | "),
        (["127.0.0.1"], (-9, -1), True, "the certificate of 127.0.0.1 has expired | "),
        (["127.0.0.1"], (2, 9), True, "the certificate of 127.0.0.1 is not valid yet | Check this machine's clock."),
        (["another.example.com"], (-1, 30), True, "the certificate of 127.0.0.1 is for another name | Check the host"),
    ],
)
async def test_each_fault_of_a_certificate_is_said(authority, hosts, days, known, expected):
    async with serving(context(authority.issue("bad", *hosts, days=days))) as (server, port):
        text = await failed(f"https://127.0.0.1:{port}", trusting(authority) if known else None, method="POST")
        assert f"Rolodex: look: no connection: {expected}" in text
        assert server.heads == []


async def test_a_client_certificate_is_shown_and_its_lack_is_said(authority, good):
    client = authority.issue("client")
    tls = context(good)
    tls.load_verify_locations(authority.ca.cert)
    tls.verify_mode = ssl.CERT_REQUIRED
    async with serving(tls) as (_, port):
        url = f"https://127.0.0.1:{port}"
        trust = Trust(ca_file=authority.ca.cert, client_cert=client.cert, client_key=client.key)
        assert (await call(url, Route(trust))).status == 200
    with refusing(tls) as port:
        text = await failed(f"https://127.0.0.1:{port}", trusting(authority))
        assert "127.0.0.1 refuses our certificate, or wants one | Set client_cert" in text


async def test_an_old_version_of_tls_and_none_at_all_are_said(authority, good):
    tls = context(good)
    tls.minimum_version = ssl.TLSVersion.TLSv1_3
    limited = Trust(ca_file=authority.ca.cert, cert_file=authority.ca.cert)
    ours(limited).maximum_version = ssl.TLSVersion.TLSv1_2
    with refusing(tls) as port:
        assert "offers no TLS version that is safe" in await failed(f"https://127.0.0.1:{port}", Route(limited))

    async def plain(_reader, writer):
        writer.write(GOOD)
        writer.close()

    server = await asyncio.start_server(plain, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        assert "127.0.0.1 speaks no TLS on that port" in await failed(f"https://127.0.0.1:{port}")


# ---- causes ----


async def test_a_name_a_port_and_silence_read_differently():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        text = await failed(f"http://127.0.0.1:{port}", method="POST")
        assert "no connection: 127.0.0.1 refused the connection | Nothing listens there" in text
    text = await failed("http://nobody.invalid")
    assert "no connection: the name nobody.invalid cannot be resolved" in text
    assert "DNS" in text
    async with serving(None, None) as (_, port):
        text = await failed(f"http://127.0.0.1:{port}", timeout=0.2)
        assert "no complete answer: 127.0.0.1 gave no answer in time" in text


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (b"", "127.0.0.1 closed the connection before its answer was complete"),
        (b"SMTP ready\r\n\r\n", "127.0.0.1 answered with something that is not HTTP"),
    ],
)
async def test_what_breaks_off_is_said_and_a_write_is_of_unknown_outcome(answer, expected):
    async with serving(None, answer) as (_, port):
        assert f"no complete answer: {expected}" in await failed(f"http://127.0.0.1:{port}", method="POST", kind=UnknownOutcome)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (httpx.ConnectError("x"), "no connection: a.test closed the connection while it was being made"),
        (httpx.ConnectTimeout("x"), "no connection: a.test did not accept the connection in time"),
        (httpx.ReadError("x"), "no complete answer: a.test dropped the connection"),
        (httpx.DecodingError("x"), "no complete answer: the answer of a.test cannot be read"),
    ],
)
async def test_errors_without_a_cause_have_words_too(error, expected):
    def answer(request):
        error.request = request  # as every transport says it
        raise error

    remote = Remote(
        "crm.main", "https://a.test", title="R", headers={}, quota=Quota("q", []), transport=httpx.MockTransport(answer)
    )
    with pytest.raises(Unavailable) as caught:
        await remote.call("look", "GET", "x", probe=True)
    assert expected in str(caught.value)


# ---- proxies ----


@pytest.mark.parametrize("encrypted", [False, True], ids=["http", "https"])
async def test_a_proxy_is_asked_to_connect_with_its_credentials(authority, good, encrypted):
    async with serving(context(good)) as (server, port):
        proxy = ProxyServer(port, credentials="us:pass word")
        async with proxied(proxy, context(good) if encrypted else None) as url:
            way = Proxy(url, "us", SecretStr("pass word"))
            answer = await call(f"https://{NAME}/v1", trusting(authority, https=way))
    assert answer.status == 200
    assert proxy.heads[0].startswith(b"CONNECT api.example.com:443 HTTP/1.1\r\n")
    assert b"proxy-authorization" not in server.heads[0].lower()


@pytest.mark.parametrize(
    ("status", "credentials", "expected"),
    [
        (200, "us:secret", "no connection: the proxy wants a user name and password, or refuses those given (407) | Set"),
        (403, None, f"no connection: the proxy does not allow {NAME} (403)"),
        (502, None, f"no connection: the proxy could not connect to {NAME} (it answered 502)"),
        (0, None, f"no connection: {NAME} closed the connection while it was being made"),
    ],
)
async def test_what_a_proxy_refuses_is_said_and_proves_that_nothing_was_sent(authority, status, credentials, expected):
    async with proxied(ProxyServer(0, credentials=credentials, status=status)) as url:
        text = await failed(f"https://{NAME}", trusting(authority, https=Proxy(url)), method="POST")
    assert expected in text


async def test_a_proxy_that_is_not_there_is_said(authority):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        assert "the proxy 127.0.0.1 refused the connection" in await failed(f"https://{NAME}", Route(https=Proxy(url)))


async def test_plain_http_goes_to_the_proxy_whole_and_its_407_pauses_the_account():
    refused = b"HTTP/1.1 407 Who\r\nContent-Length: 0\r\n\r\n"
    async with serving(None, GOOD, refused) as (server, port):
        route = Route(http=Proxy(f"http://127.0.0.1:{port}", "us", SecretStr("secret")))
        assert (await call(f"http://{NAME}/v1", route)).status == 200
        assert server.heads[0].startswith(b"GET http://api.example.com/v1/x HTTP/1.1\r\n")
        assert b"\r\nproxy-authorization: basic dXM6c2VjcmV0\r\n".lower() in server.heads[0].lower()
        assert "(407)" in await failed(f"http://{NAME}/v1", route, kind=AccountPaused)


@pytest.mark.parametrize(
    ("host", "direct"),
    [(NAME, False), ("a.internal.example.com", True), ("127.0.0.1", True), ("localhost", True), ("::1", True)],
)
def test_what_is_excepted_or_on_this_machine_is_reached_directly(host, direct):
    proxy = Proxy("http://proxy.example.com:3128")
    assert (Route(https=proxy, no_proxy=".internal.example.com").proxy_for("https", host) is None) is direct
    assert Route(https=proxy).proxy_for("http", host) is None
