"""Connections behind a layer of ours: made with the first request, or checked before each."""

from __future__ import annotations

from collections.abc import Callable

import httpx

from connector.config.outbound import Route


class OnDemand(httpx.AsyncBaseTransport):
    """One account's connections (`connector.remote.transport`), made with its first request.

    aiohttp takes a fifth of a start and 8 MB: a command that asks no remote system, and a process that only receives, do
    without it, and a service listens before it is there.
    """

    def __init__(self, route: Route | None = None, *, check: Callable[[], None] | None = None) -> None:
        self._route = route
        self._check = check
        self._made: httpx.AsyncBaseTransport | None = None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send one request once. Raises httpx's errors."""
        if self._made is None:
            from connector.remote.transport import AiohttpTransport

            self._made = AiohttpTransport(self._route, check=self._check)
        return await self._made.handle_async_request(request)

    async def aclose(self) -> None:
        """Close the connections, if there are any."""
        if self._made is not None:
            await self._made.aclose()


class CheckedTransport(httpx.AsyncBaseTransport):
    """Asks `check` before each request whether it may still be sent; what that raises goes to the caller as it is."""

    def __init__(self, transport: httpx.AsyncBaseTransport, check: Callable[[], None]) -> None:
        self._transport = transport
        self._check = check

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Check, then send."""
        self._check()
        return await self._transport.handle_async_request(request)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._transport.aclose()
