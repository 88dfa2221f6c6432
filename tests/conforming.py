"""A transport that holds every request to a remote system, and every answer of its sandbox, to the published shapes.

A product's calls stand in a table of `Call`, next to its tests; `Conforming` lets through what fits and raises
`Nonconforming` for the rest. It proves shapes, never races, lag or limits.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any
from urllib.parse import unquote

import httpx
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

#: Something that is put in front of a transport.
Checked = Callable[[httpx.AsyncBaseTransport], httpx.AsyncBaseTransport]
#: What `connector.sandbox.kit.faults` answers in place of the product.
INJECTED = (
    b'{"status":"error","message":"internal error"}',
    b'{"status":"error","message":"unavailable"}',
    b'{"status":"error","errorType":"RATE_LIMIT"}',
)


class Nonconforming(AssertionError):
    """A request or an answer is not as published."""


class Closed(BaseModel):
    """An object that has the members named here and no others; numbers are not texts."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Open(BaseModel):
    """An object to which the product may add members at any time."""

    model_config = ConfigDict(extra="allow", strict=True)


class NoQuery(Closed):
    """A call without parameters in its address."""


@dataclass(frozen=True)
class Call:
    """One published call: a pattern of the whole decoded path, what is sent, and what is answered with each status.

    `body` and `query` are types that pydantic validates; without a `body` none is sent. An answer of None has no body.
    """

    method: str
    path: str
    answers: Mapping[int, Any]
    body: Any = None
    query: Any = NoQuery
    #: What else a body must be sent as.
    content_type: str = "application/json"
    #: Whether a success may also be answered without a body.
    may_be_empty: bool = False
    #: Headers that the request must have, by lower-case name, as patterns.
    headers: Mapping[str, str] = field(default_factory=dict)

    def fits(self, path: str, headers: httpx.Headers) -> bool:
        """Whether a request with this path and these headers is this call."""
        named = all(re.fullmatch(pattern, headers.get(name, "")) for name, pattern in self.headers.items())
        return named and re.fullmatch(self.path, path) is not None


class Conforming(httpx.AsyncBaseTransport):
    """Passes on to `inner` what is one of `calls`; every status that a call does not list is answered with `refusal`.

    `seen` holds method, pattern and status of what was answered. Members of a body whose names match `further` are the user's
    own fields: what they are given is between `[sync.fields]` and the account.
    """

    def __init__(self, inner: httpx.AsyncBaseTransport, calls: Sequence[Call], refusal: Any, further: str = "(?!)") -> None:
        self.inner = inner
        self._further = further
        self._calls = calls
        self._refusal = refusal
        self.seen: list[tuple[str, str, int]] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Check, pass on, check."""
        await request.aread()
        path = unquote(request.url.raw_path.decode().partition("?")[0])
        call = next((c for c in self._calls if c.method == request.method and c.fits(path, request.headers)), None)
        if call is None:
            raise Nonconforming(f"no such call is published, or not with these headers: {request.method} {path}")
        self.check_request(call, request)
        response = await self.inner.handle_async_request(request)
        content = await response.aread()
        self.seen.append((call.method, call.path, response.status_code))
        if content not in INJECTED and not content.startswith(b"<"):
            self.check_answer(call, request, response)
        return httpx.Response(response.status_code, headers=response.headers, content=content, request=request)

    def check_request(self, call: Call, request: httpx.Request) -> None:
        """Hold a request to its call."""
        fits(call.query, json.dumps(dict(request.url.params)), f"{call.method} {call.path}: the parameters")
        if call.body is None:
            if request.content:
                raise Nonconforming(f"{call.method} {call.path} has no body")
            return
        if request.headers.get("content-type") != call.content_type:
            raise Nonconforming(f"{call.method} {call.path}: the body is {request.headers.get('content-type')}")
        content = request.content.decode()
        if call.content_type == "application/x-www-form-urlencoded":
            content = json.dumps(dict(httpx.QueryParams(content)))
        elif isinstance(body := json.loads(content), dict):
            content = json.dumps({name: value for name, value in body.items() if not re.fullmatch(self._further, name)})
        fits(call.body, content, f"{call.method} {call.path}: the request")

    def check_answer(self, call: Call, request: httpx.Request, response: httpx.Response) -> None:
        """Hold an answer, which was read, to its call."""
        status, content = response.status_code, response.content
        shape = call.answers.get(status, self._refusal)
        what = f"{call.method} {call.path}: the answer {status}"
        if status < 300 and not content and call.may_be_empty:
            return
        if shape is None:
            if content:
                raise Nonconforming(f"{what} has no body")
            return
        if status < 300 and status not in call.answers:
            raise Nonconforming(f"{what} is not published")
        fits(shape, content.decode(), what)


@cache
def _adapter(shape: Any) -> TypeAdapter[Any]:
    return TypeAdapter(shape)


def fits(shape: Any, content: str, what: str) -> None:
    """Raise `Nonconforming` unless the JSON text is of this shape."""
    try:
        _adapter(shape).validate_json(content)
    except ValidationError as error:
        raise Nonconforming(f"{what}: {error}") from None
