"""The connection before a request is one: how long its head may take, and how large it may be.

uvicorn with httptools bounds neither, and a stranger needs no token to open a connection.
"""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

#: Seconds until the head of the next request must have arrived; uvicorn itself closes idle connections that were used once.
HEAD_TIMEOUT = 10.0
#: Bytes; reverse proxies allow half of this.
MAX_HEAD = 65_536


class BoundedConnection(HttpToolsProtocol):
    """uvicorn's connection, closed where no request comes of it."""

    _deadline: asyncio.TimerHandle | None = None
    _head: int | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for the first request."""
        super().connection_made(transport)
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no longer."""
        self._arrived()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Count what belongs to an unfinished head."""
        super().data_received(data)
        if self._head is not None:
            self._head += len(data)
            if self._head > MAX_HEAD and not self.transport.is_closing():
                self.send_400_response("The head of the request is too large.")
        if self._deadline is None and self._between():
            self._wait()

    def on_message_begin(self) -> None:
        """A head begins."""
        self._head = 0
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take headers; what follows a body is no header, and there is no end to it."""
        if self._head is not None:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """It is there; the receiver has limits of its own for the body."""
        self._head = None
        self._arrived()
        super().on_headers_complete()

    def _between(self) -> bool:
        cycle: Any = self.cycle
        return cycle is None or cycle.response_complete

    def _wait(self) -> None:
        self._deadline = self.loop.call_later(HEAD_TIMEOUT, self._give_up)

    def _arrived(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _give_up(self) -> None:
        self._deadline = None
        if self._between() and not self.transport.is_closing():
            self.transport.close()
