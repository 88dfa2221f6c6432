"""What the sandboxes for booking systems have in common: they count, refuse, misbehave on command, and send what waits."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Generic, TypeVar

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from connector.sandbox.kit.faults import FaultInjector, Faults
from connector.sandbox.kit.outbox import Outbox

Json = dict[str, Any]
Handler = Callable[[Request, Json], Response]
#: Wraps the handler of the named endpoint: the keys, the limits, the counters.
Guard = Callable[[str, Handler], Callable[[Request], Awaitable[Response]]]


class Refused(Exception):
    """Answered with this status and body."""

    def __init__(self, status: int, message: str, body: Json) -> None:
        super().__init__(message)
        self.status = status
        self.body = body


def answering(handler: Handler) -> Handler:
    """A handler that may raise `Refused`."""

    def answer(request: Request, body: Json) -> Response:
        try:
            return handler(request, body)
        except Refused as refused:
            return JSONResponse(refused.body, refused.status)

    return answer


class Meter:
    """Counts calls in sliding windows of a second and a minute. Every call counts, a refused one too (synthetic)."""

    def __init__(self, quota: tuple[int, int] | None, clock: Callable[[], float]) -> None:
        self.windows = [(quota[0], 1.0), (quota[1], 60.0)] if quota else []
        self.throttled = 0
        self._calls: deque[float] = deque()
        self._clock = clock

    def count(self, cost: int = 1) -> bool:
        """Count a call; False when it is one too many."""
        if not self.windows:
            return True
        now = self._clock()
        while self._calls and self._calls[0] <= now - 60.0:
            self._calls.popleft()
        self._calls.extend([now] * cost)
        return all(sum(1 for at in self._calls if at > now - seconds) <= calls for calls, seconds in self.windows)

    def reset(self) -> None:
        """Forget all calls."""
        self._calls.clear()
        self.throttled = 0


#: The sandbox's own kind of outbox.
B = TypeVar("B", bound=Outbox[Any])


class BookingSandbox(ABC, Generic[B]):
    """One account. `app` is the ASGI application; `faults` may be replaced at any time."""

    app: FaultInjector
    #: What waits to be sent.
    outbox: B

    def __init__(self, faults: Faults | None) -> None:
        self.faults = faults or Faults()
        self.requests: Counter[str] = Counter()
        self.statuses: Counter[int] = Counter()

    @abstractmethod
    def _refusal(self, request: Request) -> Response | None:
        """The answer to a call that may not be made; None: it may."""

    def _serve(self, routes: Sequence[Route]) -> None:
        self.app = FaultInjector(Starlette(routes=routes), lambda: self.faults)

    def _guarded(self, name: str, handle: Handler) -> Callable[[Request], Awaitable[Response]]:
        async def endpoint(request: Request) -> Response:
            self.requests[name] += 1
            response = self._refusal(request)
            if response is None:
                response = handle(request, await _body(request))
                self._answered(response)
            self.statuses[response.status_code] += 1
            return response

        return endpoint

    def _answered(self, response: Response) -> None:
        """Hear of the answer to a call that was allowed."""

    async def send_webhooks(self, *, concurrency: int = 1) -> int:
        """Send all that is queued; see `outbox.Outbox.send`."""
        return await self.outbox.send(concurrency=concurrency)

    def stats(self) -> Json:
        """Requests by endpoint, statuses answered, deliveries, injected faults."""
        return {
            "requests": dict(self.requests),
            "statuses": {str(status): number for status, number in self.statuses.items()},
            "deliveries": dict(self.outbox.counts),
            "waiting": len(self.outbox.waiting),
            "injected": dict(self.app.injected),
        }

    def reset(self) -> None:
        """Forget everything but the settings."""
        self.outbox.reset()
        self.requests.clear()
        self.statuses.clear()


async def _body(request: Request) -> Json:
    try:
        data = await request.json() if await request.body() else {}
    except ValueError:
        data = {}
    return data if isinstance(data, dict) else {}
