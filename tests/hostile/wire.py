"""A client without manners: sends an attack's bytes as they are, and reads whatever comes back."""

from __future__ import annotations

import asyncio
import random
import re
from contextlib import suppress
from dataclasses import dataclass, field

from .attacks import Attack

#: Seconds in which a complete request must be answered, and an incomplete one given up by the server.
PATIENCE = 45.0
#: Seconds that are waited for the answer to what may be incomplete.
GLANCE = 0.3
#: How many of the incomplete requests are waited for until the server gives up.
PATIENT = 0.002
#: Seconds that are waited for further answers on the same connection.
FURTHER = 0.02
#: Requests on one connection at most.
REUSED = 40
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)\r\n", re.IGNORECASE)
_BODILESS = (100, 101, 204, 304)


@dataclass(slots=True)
class Reply:
    """What came back: (status, body) of each answer. `hung` says that the server neither answered nor closed in time.

    `how` says how it ended where there was no answer.
    """

    answers: list[tuple[int, bytes]] = field(default_factory=list)
    closed: bool = False
    hung: bool = False
    how: str = ""


class Wire:
    """One connection after the other, each from an address of this machine's own, used again while the server lets us."""

    def __init__(self, host: str, port: int, rng: random.Random) -> None:
        self._to = (host, port)
        self._rng = rng
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self._used = 0

    async def send(self, attack: Attack) -> Reply:
        """Send one attack and read the answer; a connection on which nothing is left to be read is kept."""
        reply = Reply()
        loop = asyncio.get_running_loop()
        begun, patience = loop.time(), PATIENCE if attack.whole or self._rng.random() < PATIENT else GLANCE
        try:
            async with asyncio.timeout(patience) as deadline:
                reader = await self._written(attack)
                while await self._read(reader, attack, reply):
                    deadline.reschedule(loop.time() + FURTHER)
        except TimeoutError:
            reply.hung = patience == PATIENCE and not reply.answers
            reply.closed = True
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError) as error:
            reply.closed = True
            reply.how = f"{type(error).__name__} after {loop.time() - begun:.1f} s, request {self._used} of its connection"
        if reply.closed or not attack.whole or self._used >= REUSED:
            await self.close()
        return reply

    async def close(self) -> None:
        """Drop the connection."""
        if self._streams is not None:
            (_, writer), self._streams = self._streams, None
            writer.transport.abort()
            with suppress(OSError):
                await writer.wait_closed()

    async def _written(self, attack: Attack) -> asyncio.StreamReader:
        if self._streams is None:
            here = f"127.{self._rng.randint(1, 20)}.{self._rng.randint(0, 250)}.{self._rng.randint(1, 250)}"
            self._streams = await asyncio.open_connection(*self._to, limit=8_000_000, local_addr=(here, 0))
            self._used = 0
        self._used += 1
        reader, writer = self._streams
        for number, part in enumerate(attack.parts):
            if number and attack.pause:
                await asyncio.sleep(attack.pause)
            writer.write(part)
        # Where the server answers and closes before it has read all, the answer is still there to be read.
        with suppress(OSError):
            await writer.drain()
        return reader

    async def _read(self, reader: asyncio.StreamReader, attack: Attack, reply: Reply) -> bool:
        """Read one answer; says whether another one may follow."""
        head = await reader.readuntil(b"\r\n\r\n")
        status = int(head[9:12])
        reply.answers.append((status, b""))
        length = _LENGTH.search(head)
        if status not in _BODILESS and not attack.head_only:
            # An answer without a length ends with its connection.
            body = await (reader.readexactly(int(length[1])) if length else reader.read())
            reply.answers[-1] = (status, body)
        reply.closed = reply.closed or b"connection: close" in head.lower()
        return not reply.closed and (status == 100 or not attack.whole)
