"""The connections under `Remote`: aiohttp's, behind httpx's interface, at a third of the processor time of httpx's own.

What a failed write may have done depends on when it failed, so errors are sorted by that: before anything was sent
(`httpx.ConnectError`, `httpx.ConnectTimeout`), or after (any other `httpx.TransportError`).
"""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import AsyncIterator, Iterator
from functools import cache

import aiohttp
import httpx
from yarl import URL


@cache
def tls() -> ssl.SSLContext:
    """The certificates that httpx trusts by default, read once for all accounts."""
    return httpx.create_ssl_context(trust_env=False)


@contextlib.contextmanager
def _as_httpx(request: httpx.Request) -> Iterator[None]:
    """Raise aiohttp's errors as httpx's."""
    try:
        yield
    except aiohttp.ConnectionTimeoutError as error:
        raise httpx.ConnectTimeout(_cause(error), request=request) from error
    except aiohttp.ClientConnectorError as error:
        raise httpx.ConnectError(_cause(error), request=request) from error
    except TimeoutError as error:
        raise httpx.ReadTimeout(_cause(error), request=request) from error
    except (aiohttp.ClientResponseError, aiohttp.ServerDisconnectedError, aiohttp.ClientPayloadError) as error:
        raise httpx.RemoteProtocolError(_cause(error), request=request) from error
    except (aiohttp.ClientError, OSError) as error:
        raise httpx.ReadError(_cause(error), request=request) from error


def _cause(error: Exception) -> str:
    """The kind of error only: aiohttp's texts hold addresses."""
    return type(error).__name__


class AiohttpTransport(httpx.AsyncBaseTransport):
    """At most `connections` at once, each kept for `keep_alive` seconds; nothing is redirected, stored or sent twice."""

    def __init__(self, *, connections: int = 64, keep_alive: float = 30.0) -> None:
        self._connections = connections
        self._keep_alive = keep_alive
        self._session: aiohttp.ClientSession | None = None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send one request once. Raises httpx's errors; see the module for what they prove."""
        allowed = request.extensions.get("timeout", {})
        timeout = aiohttp.ClientTimeout(
            total=None, connect=allowed.get("pool"), sock_connect=allowed.get("connect"), sock_read=allowed.get("read")
        )
        with _as_httpx(request):
            answer = await self._opened().request(
                request.method,
                URL(str(request.url), encoded=True),
                headers=request.headers.multi_items(),
                data=request.content or None,
                allow_redirects=False,
                timeout=timeout,
                ssl=tls() if request.url.scheme == "https" else True,
            )
        return httpx.Response(answer.status, headers=answer.raw_headers, stream=_Body(answer, request), request=request)

    async def aclose(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            connector = aiohttp.TCPConnector(limit=self._connections, keepalive_timeout=self._keep_alive)
            # httpx names the headers and unpacks the body.
            self._session = aiohttp.ClientSession(
                connector=connector,
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                skip_auto_headers=("Accept", "Accept-Encoding", "Content-Type", "User-Agent"),
            )
            # A trap: aiohttp sends a PUT again by itself when a kept connection was cut, and has no public switch for it.
            self._session._retry_connection = False
        return self._session


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
