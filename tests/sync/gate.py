"""The way to a sandbox, with a gate in it: single requests go wrong on command, and every request is counted."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import httpx
from conforming import Checked

from connector.sandbox.kit.faults import Faults

#: What may go wrong: a fault of the sandbox, an answer in its place, an exception in its place, or an action that comes first.
Mishap = Faults | httpx.Response | Exception | Callable[[], Any]

LOST = Faults(lost_answer=1)
BEFORE_IT_ARRIVED = httpx.ReadTimeout("the request never arrived")


@dataclass
class Rule:
    """The next `times` requests with this method and path meet the mishap, after `skip` that do not."""

    method: str
    path: re.Pattern[str]
    mishap: Mishap
    times: int
    skip: int

    def meets(self, request: httpx.Request) -> bool:
        if self.times == 0 or request.method != self.method or not self.path.search(request.url.path):
            return False
        if self.skip:
            self.skip -= 1
            return False
        self.times -= 1
        return True


class Gate(httpx.AsyncBaseTransport):
    """Passes requests on to a sandbox's application; `checked` holds the exchanges to the product's published shapes."""

    def __init__(self, sandbox: Any, checked: Checked = lambda inner: inner) -> None:
        self.sandbox = sandbox
        self.sent: list[str] = []
        self._inner = checked(httpx.ASGITransport(sandbox.app))
        self._rules: list[Rule] = []

    def on(self, method: str, path: str, mishap: Mishap, *, times: int = 1, skip: int = 0) -> None:
        """Let something happen to requests whose path matches the pattern `path`."""
        self._rules.append(Rule(method, re.compile(path), mishap, times, skip))

    def open(self) -> None:
        """Nothing more goes wrong."""
        self._rules.clear()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Serve a request, or its mishap."""
        self.sent.append(f"{request.method} {request.url.path}")
        rule = next((rule for rule in self._rules if rule.meets(request)), None)
        match rule.mishap if rule else None:
            case Faults() as faults:
                return await self._disturbed(request, faults)
            case httpx.Response() as answer:
                return httpx.Response(answer.status_code, content=answer.content, headers=answer.headers)
            case Exception() as error:
                raise error
            case None:
                pass
            case action:
                action()
        return await self._inner.handle_async_request(request)

    async def _disturbed(self, request: httpx.Request, faults: Faults) -> httpx.Response:
        before = self.sandbox.faults
        self.sandbox.faults = before.model_copy(update=faults.model_dump(exclude_unset=True))
        try:
            return await self._inner.handle_async_request(request)
        finally:
            self.sandbox.faults = before
