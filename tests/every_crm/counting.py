"""The way to a sandbox, on which every call is counted and held to the product's published shapes, where there are any."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable

import httpx
from contract.accounts import SandboxAccount
from pydantic import ValidationError

from connector.remote.rate_limit import Window

Checker = Callable[[httpx.AsyncBaseTransport], httpx.AsyncBaseTransport]


class Counting(httpx.AsyncBaseTransport):
    """Passes on to `app`. `methods` and `statuses` count, `times` are the moments of the calls in seconds.

    `checked` counts the exchanges that were compared, `odd` names those of which one side did not conform; they go on.
    """

    def __init__(self, app: Callable[..., object], check: Checker | None = None) -> None:
        self.methods: Counter[str] = Counter()
        self.statuses: Counter[int] = Counter()
        self.times: list[float] = []
        self.checked = 0
        self.odd: list[str] = []
        self._inner = httpx.ASGITransport(app)  # type: ignore[arg-type]
        self._check = check

    @property
    def compares(self) -> bool:
        """Whether there are shapes to compare with."""
        return self._check is not None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Count, compare, pass on."""
        self.methods[request.method] += 1
        self.times.append(time.monotonic())
        response = await self._compared(request)
        self.statuses[response.status_code] += 1
        return response

    async def _compared(self, request: httpx.Request) -> httpx.Response:
        if self._check is None:
            return await self._inner.handle_async_request(request)
        self.checked += 1
        once = _Remembering(self._inner)
        try:
            return await self._check(once).handle_async_request(request)
        except (AssertionError, ValidationError) as error:
            self.odd.append(f"{request.method} {request.url.path}: {str(error).splitlines()[0]}")
            return once.answer or await self._inner.handle_async_request(request)


class _Remembering(httpx.AsyncBaseTransport):
    """Keeps the answer, in case that it is refused afterwards."""

    def __init__(self, inner: httpx.AsyncBaseTransport) -> None:
        self.answer: httpx.Response | None = None
        self._inner = inner

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        response = await self._inner.handle_async_request(request)
        content = await response.aread()
        self.answer = httpx.Response(response.status_code, headers=response.headers, content=content, request=request)
        return httpx.Response(response.status_code, headers=response.headers, content=content, request=request)


def checker(account: SandboxAccount) -> Checker | None:
    """What holds calls to this CRM to its published shapes; None: nobody has any."""
    probe = httpx.ASGITransport(account.app)
    return None if account.checked(probe) is probe else account.checked


def most_within(times: Iterable[float], seconds: float) -> int:
    """The largest number of moments that lie within so many seconds."""
    ordered = sorted(times)
    most = first = 0
    for place, moment in enumerate(ordered):
        while ordered[first] <= moment - seconds:
            first += 1
        most = max(most, place - first + 1)
    return most


def quota(times: list[float], windows: Iterable[Window]) -> str:
    """How much of each window was used at most, such as `96 of 100 in 10 s`."""
    said = [f"{most_within(times, window.seconds)} of {window.calls} in {window.seconds:g} s" for window in windows]
    return "; ".join(said) or f"{len(times)} calls, nothing by the second"
