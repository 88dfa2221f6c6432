"""What can go wrong at a remote system, configurable: the same faults serve the demo, the tests and the benchmarks.

`Faults` is the setting, `FaultInjector` the ASGI middleware that applies it. Which requests are hit is decided by a seeded
generator, so a run can be repeated as long as the requests arrive in the same order.
"""

from __future__ import annotations

import asyncio
import difflib
import json
import random
import tomllib
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Self

import httpx
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from connector.model.errors import ConfigError

#: Requests under this path control the sandbox and are never disturbed.
CONTROL = "/_sandbox"

Probability = Annotated[float, Field(ge=0, le=1)]
Seconds = Annotated[float, Field(ge=0)]


class Faults(BaseModel):
    """How a remote system misbehaves; every probability is per request (or per delivery) and 0 means never."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    seed: int = 0
    #: Every answer waits for a time drawn evenly from this range.
    latency_ms: tuple[Seconds, Seconds] = (0, 0)
    #: These four are answered instead of doing what was asked.
    error_500: Probability = 0
    error_503: Probability = 0
    html: Probability = 0
    rate_limit: Probability = 0
    #: Status of the HTML page; 403 is what firewalls in front of a service answer.
    html_status: Annotated[int, Field(ge=200, le=599)] = 403
    #: Retry-After of the 429 and 503 answers, in seconds; None leaves the header out.
    retry_after: Seconds | None = None
    #: The effect happens, then the connection is cut.
    lost_answer: Probability = 0
    #: The effect happens, then the answer is a 500.
    error_after_effect: Probability = 0
    #: The effect happens, then the answer is withheld for `timeout_seconds` and the connection is cut.
    timeout: Probability = 0
    timeout_seconds: Seconds = 30
    #: How far a search index is behind the records.
    search_lag_seconds: Seconds = 0
    #: Used by sandboxes that send webhooks.
    duplicate_delivery: Probability = 0
    reorder_delivery: Probability = 0
    #: Every request is answered 503.
    down: bool = False
    #: Only requests with these methods are disturbed, such as ["PUT"]; none named: all.
    methods: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _range(self) -> Self:
        if self.latency_ms[0] > self.latency_ms[1]:
            raise ValueError("latency_ms is [shortest, longest]")
        return self

    @classmethod
    def load(cls, path: Path | str) -> Faults:
        """Read a TOML file (or JSON, when its name ends in .json).

        Raises:
            ConfigError: one line per fault, naming file, key and fix.
        """
        path = Path(path)
        try:
            text = path.read_text(encoding="utf-8")
            data = json.loads(text) if path.suffix == ".json" else tomllib.loads(text)
            return cls.model_validate(data)
        except ValidationError as error:
            raise ConfigError([f"{path}: {_explain(fault)}" for fault in error.errors()]) from None
        except (OSError, ValueError) as error:
            raise ConfigError([f"{path}: cannot be read as a faults file: {error}"]) from None


def _explain(fault: Any) -> str:
    key = ".".join(str(part) for part in fault["loc"]) or "file"
    if fault["type"] != "extra_forbidden":
        return f"{key}: {fault['msg']}"
    near = difflib.get_close_matches(key, Faults.model_fields, n=1)
    known = f"did you mean {near[0]}?" if near else f"known are {', '.join(Faults.model_fields)}"
    return f"{key}: unknown key; {known}"


class FaultInjector:
    """ASGI middleware: disturbs the requests to `app` as `faults()` says at that moment; `/_sandbox` is exempt.

    A connection is cut by promising more bytes than are sent: uvicorn then closes the socket and the client sees an
    incomplete answer. Under `httpx.ASGITransport` there is no socket, so `httpx.RemoteProtocolError` is raised instead
    (`httpx.ReadTimeout` for a withheld answer); the two differ in the `spec_version` which only servers put in
    the scope. `requests` and `injected` count what came and what was done to it.
    `method_of` says as which method a request counts for `Faults.methods`, where a product's reads are POSTs too.
    """

    def __init__(
        self,
        app: ASGIApp,
        faults: Callable[[], Faults],
        *,
        method_of: Callable[[Scope], str] = lambda scope: str(scope["method"]),
    ) -> None:
        self.app = app
        self._method_of = method_of
        self.requests = 0
        self.injected: Counter[str] = Counter()
        self._faults = faults
        self._seed = faults().seed
        self._rng = random.Random(self._seed)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or one fault."""
        if scope["type"] != "http" or scope["path"].startswith(CONTROL):
            await self.app(scope, receive, send)
            return
        self.requests += 1
        faults = self._faults()
        if faults.methods and self._method_of(scope) not in faults.methods:
            await self.app(scope, receive, send)
            return
        fault = self._draw(faults)
        if faults.latency_ms[1] > 0:
            await asyncio.sleep(self._rng.uniform(*faults.latency_ms) / 1000)
        if fault is None:
            await self.app(scope, receive, send)
            return
        self.injected[fault] += 1
        if fault in ("lost_answer", "error_after_effect", "timeout"):
            await self.app(scope, receive, _swallow)
        await self._misbehave(fault, faults, scope, receive, send)

    def _draw(self, faults: Faults) -> str | None:
        """The one fault this request meets; `down` before all others, then in the order of the list."""
        if faults.seed != self._seed:
            self._seed = faults.seed
            self._rng = random.Random(self._seed)
        if faults.down:
            return "down"
        names = ("error_500", "error_503", "html", "rate_limit", "lost_answer", "error_after_effect", "timeout")
        return next((name for name in names if (p := getattr(faults, name)) and self._rng.random() < p), None)

    async def _misbehave(self, fault: str, faults: Faults, scope: Scope, receive: Receive, send: Send) -> None:
        if fault == "html":
            await _answer(send, faults.html_status, b"<!doctype html><title>Sorry</title>", content_type=b"text/html")
        elif fault in ("error_500", "error_after_effect"):
            await _answer(send, 500, b'{"status":"error","message":"internal error"}')
        elif fault in ("error_503", "down"):
            await _answer(send, 503, b'{"status":"error","message":"unavailable"}', retry_after=faults.retry_after)
        elif fault == "rate_limit":
            await _answer(send, 429, b'{"status":"error","errorType":"RATE_LIMIT"}', retry_after=faults.retry_after)
        elif fault == "timeout":
            await _withhold(receive, faults.timeout_seconds)
            await _cut(scope, send, httpx.ReadTimeout("the sandbox withheld its answer"))
        else:
            await _cut(scope, send, httpx.RemoteProtocolError("the sandbox cut the connection"))


async def _swallow(message: Message) -> None:
    """Take the place of `send`: the answer is lost."""


async def _answer(
    send: Send, status: int, body: bytes, *, content_type: bytes = b"application/json", retry_after: float | None = None
) -> None:
    headers = [(b"content-type", content_type), (b"content-length", str(len(body)).encode())]
    if retry_after is not None:
        headers.append((b"retry-after", f"{retry_after:g}".encode()))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def _withhold(receive: Receive, seconds: float) -> None:
    """Wait, but no longer than the client does: otherwise a server could not shut down in the meantime."""
    try:
        async with asyncio.timeout(seconds):
            while (await receive())["type"] != "http.disconnect":
                pass
    except TimeoutError:
        return


async def _cut(scope: Scope, send: Send, without_socket: Exception) -> None:
    if "spec_version" not in scope["asgi"]:
        raise without_socket
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"1000")]})
    await send({"type": "http.response.body", "body": b"{", "more_body": True})
