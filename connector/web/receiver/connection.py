"""The connection before a request is one: how long its head may take, and how large it may be.

uvicorn with httptools bounds neither, and a stranger needs no token to open a connection.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from connector.web.receiver.joined import JoinedWrites
from connector.web.receiver.upgrades import Parser

#: Seconds until the head of the next request must have arrived; uvicorn itself closes idle connections that were used once.
HEAD_TIMEOUT = 10.0
#: Seconds an idle connection is kept: longer than proxies keep theirs to us (nginx and ALB 60, Traefik 90, Caddy 120), because
#: the side that closes first must be the one that sends, or a request now and then meets a connection that is just closing.
KEEP_ALIVE = 130
#: Bytes; reverse proxies allow half of this.
MAX_HEAD = 65_536
#: The key of an ASGI scope that is true once the whole body has arrived: who reads it then need not watch the time.
ARRIVED = "connector.arrived"


class BoundedConnection(HttpToolsProtocol):
    """uvicorn's connection, closed where no request comes of it."""

    _deadline: asyncio.TimerHandle | None = None
    #: Whether the deadline is that of a connection on which nothing is under way.
    _idle = False
    _head: int | None = None
    #: How many heads began in the bytes that came last.
    _begun = 0
    #: Whether a message has begun and is not complete; its answer may be.
    _inside = False
    #: Requests whose answer is not complete, in their order; the first is being answered, the others wait for it.
    _unanswered: deque[RequestResponseCycle]

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for the first request."""
        super().connection_made(transport)
        self.parser = Parser(self)  # type: ignore[assignment]
        self.transport = JoinedWrites(transport, self.loop)
        self._unanswered = deque()
        self._wait(HEAD_TIMEOUT)

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no longer, and let every request know: uvicorn lets only the newest one."""
        self._arrived()
        # uvicorn itself leaves its timer, and so all of the connection in memory, where the other end has reset it.
        self._unset_keepalive_if_required()
        for cycle in self._unanswered:
            cycle.disconnected = not cycle.response_complete
            cycle.message_event.set()
        self._unanswered.clear()
        super().connection_lost(exc)

    def eof_received(self) -> bool:  # type: ignore[override]
        """The other end sends no more and may still listen: what has come as a whole is answered, then the connection ends."""
        if self._inside or not self._unanswered or self._unanswered[-1].response_complete:
            # asyncio would close without what is held back.
            self.transport.close()
            return False
        self._unanswered[-1].keep_alive = False
        return True

    def data_received(self, data: bytes) -> None:
        """Count what belongs to an unfinished head."""
        before, self._begun = self._inside, 0
        super().data_received(data)
        if self._head is not None:
            # Of a head that begins behind a body or another request, it is not known how many of these bytes are its own.
            self._head += len(data) if not self._begun or (self._begun == 1 and not before) else 0
            if self._head > MAX_HEAD and not self.transport.is_closing():
                self.send_400_response("The head of the request is too large.")
        if self._between():
            self._watch(completed=before and not self._inside)

    def _watch(self, *, completed: bool) -> None:
        """Set the limit for what arrives while nobody is being answered.

        uvicorn's own timer, set when an answer ends, is ended by the next byte: also by the rest of a body that was answered
        before it was complete. Then the connection is as idle as any other.
        """
        if completed:
            self._arrived()
            self._wait(self.timeout_keep_alive, idle=True)
        elif self._deadline is None or self._idle:
            self._arrived()
            self._wait(HEAD_TIMEOUT)

    def on_message_begin(self) -> None:
        """A head begins."""
        self._head = 0
        self._begun += 1
        self._inside = True
        super().on_message_begin()

    def on_message_complete(self) -> None:
        """The body has ended."""
        self._inside = False
        scope: Any = self.scope
        scope[ARRIVED] = True
        super().on_message_complete()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take headers; what follows a body is no header, and there is no end to it."""
        if self._head is not None:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """It is there; the receiver has limits of its own for the body."""
        self._head = None
        self._arrived()
        before = self.cycle
        super().on_headers_complete()
        while self._unanswered and self._unanswered[0].response_complete:
            self._unanswered.popleft()
        if self.cycle is not None and self.cycle is not before:
            self._unanswered.append(self.cycle)

    def _between(self) -> bool:
        cycle: Any = self.cycle
        return cycle is None or cycle.response_complete

    def _wait(self, seconds: float, *, idle: bool = False) -> None:
        self._idle = idle
        self._deadline = self.loop.call_later(seconds, self._give_up)

    def _arrived(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _give_up(self) -> None:
        self._deadline = None
        if self._between() and not self.transport.is_closing():
            self.transport.close()
