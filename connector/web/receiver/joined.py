"""One write for head and body of an answer: uvicorn writes one after the other, and each would be a call and a packet."""

from __future__ import annotations

import asyncio
from typing import Any

#: Bytes that are held back at most; what is larger goes out at once, so that the transport can say when it has enough.
MOST_HELD = 65_536


class JoinedWrites(asyncio.Transport):
    """The transport of a connection, which sends what one turn of the event loop writes in one piece, when the turn ends.

    It offers what uvicorn uses: `write`, `close`, `is_closing` and `get_extra_info`.
    """

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__()
        self._transport = transport
        self._loop = loop
        self._held: list[bytes | bytearray | memoryview[Any]] = []
        self._size = 0

    def write(self, data: bytes | bytearray | memoryview[Any]) -> None:
        """Hold the bytes back until the turn ends."""
        if not self._held:
            self._loop.call_soon(self._send)
        self._held.append(data)
        self._size += len(data)
        if self._size > MOST_HELD:
            self._send()

    def _send(self) -> None:
        held, self._held, self._size = self._held, [], 0
        if held and not self._transport.is_closing():
            self._transport.write(b"".join(held))

    def close(self) -> None:
        """Send what is held back, then close."""
        self._send()
        self._transport.close()

    def is_closing(self) -> bool:
        """Whether it is closed, or about to be."""
        return self._transport.is_closing()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """See `asyncio.BaseTransport.get_extra_info`."""
        return self._transport.get_extra_info(name, default)
