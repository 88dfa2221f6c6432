"""The connections under `Remote`: aiohttp's, behind httpx's interface, at a third of the processor time of httpx's own.

What a failed write may have done depends on when it failed, so errors are sorted by that: before anything was sent
(`httpx.ConnectError`, `httpx.ConnectTimeout`, `httpx.ProxyError`), or after (any other `httpx.TransportError`).
"""

from __future__ import annotations

import base64
import contextlib
import ssl
from collections.abc import AsyncIterator, Callable, Iterator
from functools import cache, lru_cache
from typing import Any

import aiohttp
import httpx
from yarl import URL

from connector.config.outbound import Proxy, Route, Trust
from connector.model.errors import ConnectorError
from connector.remote.request import Request

#: Bytes of one header of an answer; one that is longer makes the answer unreadable, and so the outcome of a write unknown.
MAX_HEADER = 131_072


@cache
def tls(trust: Trust) -> ssl.SSLContext:
    """Whose certificates are believed, and ours; read once for all accounts with the same files."""
    if trust.cert_file or trust.cert_dir:
        context = ssl.create_default_context(cafile=trust.cert_file, capath=trust.cert_dir)
    else:
        context = httpx.create_ssl_context(trust_env=False)
    trust.add_to(context)
    return context


class _NotConnected(aiohttp.ClientConnectionError):
    """The connection did not come about: whatever went wrong, nothing of the request was sent."""


class _Connector(aiohttp.TCPConnector):
    """Tells apart what fails before the request is sent, such as a proxy that hangs up, from what fails after."""

    def __init__(self, check: Callable[[], None] | None, *, limit: int, keepalive_timeout: float) -> None:
        super().__init__(limit=limit, keepalive_timeout=keepalive_timeout)
        self._check = check

    async def connect(
        self,
        req: aiohttp.ClientRequest,
        traces: list[Any],
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109 - the method's own
    ) -> aiohttp.connector.Connection:
        """Take a kept connection or open one. Raises aiohttp's errors of connecting, a TimeoutError, or _NotConnected."""
        try:
            connection = await super().connect(req, traces, timeout)
        except (aiohttp.ClientConnectorError, aiohttp.ClientHttpProxyError, TimeoutError):
            raise
        except (aiohttp.ClientError, OSError) as error:
            raise _NotConnected from error
        protocol = connection.protocol
        if self._check is not None and protocol is not None and not isinstance(protocol.transport, _CheckedWrites):
            protocol.transport = _CheckedWrites(protocol.transport, self._check)  # type: ignore[assignment]
        return connection


class _CheckedWrites:
    """The transport of a connection that asks `check` whenever bytes are handed to the system.

    A process may be stopped between any two steps, and aiohttp writes a body one turn of the loop after the request was begun.
    """

    def __init__(self, transport: Any, check: Callable[[], None]) -> None:
        self._transport = transport
        self._check = check

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: Any) -> None:
        """Check, then write."""
        self._check()
        self._transport.write(data)

    def writelines(self, parts: Any) -> None:
        """Check, then write."""
        self._check()
        self._transport.writelines(parts)


@contextlib.contextmanager
def _as_httpx(request: httpx.Request) -> Iterator[None]:
    """Raise aiohttp's errors as httpx's, and ours, which aiohttp wraps when a body is written, as they are."""
    try:
        yield
    except aiohttp.ConnectionTimeoutError as error:
        raise httpx.ConnectTimeout(_cause(error), request=request) from error
    except aiohttp.ClientHttpProxyError as error:
        raise httpx.ProxyError(_cause(error), request=request) from error
    except (aiohttp.ClientConnectorError, _NotConnected) as error:
        raise httpx.ConnectError(_cause(error), request=request) from error
    except TimeoutError as error:
        raise httpx.ReadTimeout(_cause(error), request=request) from error
    except (aiohttp.ClientResponseError, aiohttp.ServerDisconnectedError, aiohttp.ClientPayloadError) as error:
        raise httpx.RemoteProtocolError(_cause(error), request=request) from error
    except (aiohttp.ClientError, OSError) as error:
        if isinstance(error.__cause__, ConnectorError):
            raise error.__cause__ from None
        raise httpx.ReadError(_cause(error), request=request) from error


def _cause(error: Exception) -> str:
    """The kind of error only: aiohttp's texts hold addresses."""
    return type(error).__name__


class AiohttpTransport(httpx.AsyncBaseTransport):
    """At most `connections` at once, each kept for `keep_alive` seconds; nothing is redirected, stored or sent twice.

    `check` is asked whenever something of a request is handed to the system, which may be long after the call, because a
    connection had to be opened. What it raises goes to the caller as it is, and nothing complete was sent then.
    """

    def __init__(
        self,
        route: Route | None = None,
        *,
        connections: int = 64,
        keep_alive: float = 30.0,
        check: Callable[[], None] | None = None,
    ) -> None:
        self._route = route or Route()
        self._check = check
        self._connections = connections
        self._keep_alive = keep_alive
        self._session: aiohttp.ClientSession | None = None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send one request once. Raises httpx's errors; see the module for what they prove."""
        sent = Request.of(request)
        url, allowed = URL(sent.address, encoded=True), sent.extensions.get("timeout", {})
        proxy = self._route.proxy_for(url.scheme, url.host or "")
        encrypted = url.scheme == "https" or (proxy is not None and proxy.url.startswith("https:"))
        credentials = _credentials(proxy)
        tunnel = url.scheme == "https"
        with _as_httpx(request):
            answer = await self._opened().request(
                sent.method,
                url,
                headers=[*sent.said.items(), *([] if tunnel else credentials)],
                data=sent.body or None,
                allow_redirects=False,
                timeout=_timeout(allowed.get("pool"), allowed.get("connect"), allowed.get("read")),
                ssl=tls(self._route.trust) if encrypted else True,
                proxy=None if proxy is None else proxy.url,
                proxy_headers=dict(credentials) if tunnel else None,
            )
        return httpx.Response(answer.status, headers=answer.raw_headers, stream=_Body(answer, request), request=request)

    async def aclose(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            connector = _Connector(self._check, limit=self._connections, keepalive_timeout=self._keep_alive)
            # httpx names the headers and unpacks the body.
            self._session = aiohttp.ClientSession(
                connector=connector,
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                skip_auto_headers=("Accept", "Accept-Encoding", "Content-Type", "User-Agent"),
                # Security policies of large web applications are longer than aiohttp's 8 KB.
                max_line_size=MAX_HEADER,
                max_field_size=MAX_HEADER,
            )
            # A trap: aiohttp sends a PUT again by itself when a kept connection was cut, and has no public switch for it.
            self._session._retry_connection = False
        return self._session


@lru_cache(maxsize=64)
def _timeout(pool: float | None, connect: float | None, read: float | None) -> aiohttp.ClientTimeout:
    return aiohttp.ClientTimeout(total=None, connect=pool, sock_connect=connect, sock_read=read)


def _credentials(proxy: Proxy | None) -> list[tuple[str, str]]:
    """The header for the proxy, if it wants one; for addresses of https it goes with CONNECT and never further."""
    if proxy is None or proxy.user is None:
        return []
    password = proxy.password.get_secret_value() if proxy.password else ""
    pair = base64.b64encode(f"{proxy.user}:{password}".encode()).decode("ascii")
    return [("Proxy-Authorization", f"Basic {pair}")]


class _Body(httpx.AsyncByteStream):
    """The answer's bytes as they come."""

    def __init__(self, answer: aiohttp.ClientResponse, request: httpx.Request) -> None:
        self._answer = answer
        self._request = request

    async def __aiter__(self) -> AsyncIterator[bytes]:
        with _as_httpx(self._request):
            async for chunk in self._answer.content.iter_any():
                yield chunk

    async def aclose(self) -> None:
        """Give the connection back; one whose answer was not read to its end is closed."""
        if self._answer.content.at_eof():
            self._answer.release()
        else:
            self._answer.close()
