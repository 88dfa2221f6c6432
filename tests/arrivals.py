"""What arrives at a remote system from one process, and what of it came after the process had lost its lease."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from starlette.types import ASGIApp, Message, Receive, Scope, Send


@dataclass
class Arrival:
    """A request of the watched process. Unix seconds; `complete` is when its last byte was there: no effect is earlier."""

    writes: bool
    begun: float
    complete: float | None = None
    answered: float | None = None


@dataclass
class Arrivals:
    """Notes every request that comes through it, and strikes the process that sends them at a moment of its work."""

    clock: Callable[[], float] = time.time
    seen: list[Arrival] = field(default_factory=list)
    strike: Callable[[], None] | None = None
    _left: int = 0

    def strike_at(self, number: int, strike: Callable[[], None]) -> None:
        """Call `strike` when the request with this number, counted from now, is complete."""
        self._left, self.strike = number, strike

    def before(self, app: ASGIApp) -> ASGIApp:
        """The application with the notes taken before it."""

        async def noting(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] != "http":
                await app(scope, receive, send)
                return
            one = Arrival(writes(scope["method"], scope["path"]), self.clock())
            self.seen.append(one)
            messages = await _whole(receive)
            if messages[-1]["type"] == "http.request":
                one.complete = self.clock()
                self._count()

            async def replayed() -> Message:
                return messages.pop(0) if messages else await receive()

            async def answering(message: Message) -> None:
                await send(message)
                if message["type"] == "http.response.body" and not message.get("more_body"):
                    one.answered = self.clock()

            await app(scope, replayed, answering)

        return noting

    def _count(self) -> None:
        self._left -= 1
        if self.strike is not None and self._left <= 0:
            strike, self.strike = self.strike, None
            strike()

    def after(self, struck: float, lease_end: float, until: float = math.inf) -> Counts:
        """What arrived of a process that was struck then, whose lease ended then, and that may send again from `until` on."""
        whole = [(one, one.complete) for one in self.seen if one.complete is not None]
        waiting = [one for one, complete in whole if complete <= lease_end and (one.answered is None or one.answered > struck)]
        late = [one for one, complete in whole if lease_end < complete <= until]
        return Counts(
            on_the_wire=len(waiting),
            writes=sum(one.writes for one in late),
            reads=sum(not one.writes for one in late),
            begun_before=sum(one.begun <= lease_end for one in late),
        )


@dataclass(frozen=True)
class Counts:
    """Requests that were not answered when the process was struck; those complete after its lease, and how many had begun."""

    on_the_wire: int
    writes: int
    reads: int
    begun_before: int


def writes(method: str, path: str) -> bool:
    """Whether a request changes something; HubSpot's searches and reads of several are asked with POST."""
    return method not in ("GET", "HEAD") and not path.endswith(("/search", "/read"))


async def _whole(receive: Receive) -> list[Message]:
    messages = [await receive()]
    while messages[-1]["type"] == "http.request" and messages[-1].get("more_body"):
        messages.append(await receive())
    return messages
