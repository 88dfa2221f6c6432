"""The outermost layer: every request passes here first, and every answer last.

Webhooks go straight to the receiver; the rest is routed. Whatever fails unexpectedly is answered 503, never with a
traceback, and logged in bounded number.
"""

from __future__ import annotations

import json
import time
from collections.abc import Awaitable, Callable, Iterable
from pathlib import PurePath
from traceback import walk_tb

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from connector.web.unmatched import Unmatched

#: The receiver's addresses begin with this.
WEBHOOKS = "/webhooks/"
#: Methods that deliver, and where only our own command line posts.
DELIVERING = frozenset({"POST", "PUT"})
OWN = "/-/"
#: Seconds between two log lines about unexpected errors: they may be provoked by strangers.
QUIET = 10.0
#: Seconds after which a sender should come back after an unexpected error.
RETRY_AFTER = 30
PACKAGE = PurePath(__file__).parents[1]
_EVERY = ((b"x-content-type-options", b"nosniff"), (b"cache-control", b"no-store"))
_HSTS = (b"strict-transport-security", b"max-age=31536000")


class Front:
    """Passes webhooks to `receiver` and everything else to `pages`; `https` says that senders see us over TLS.

    `unmatched` sees what looks like a delivery and has no address of ours. `clock` gives seconds, of which only differences
    count; `now` is Unix time.
    """

    def __init__(
        self,
        receiver: ASGIApp,
        pages: ASGIApp,
        *,
        https: bool = False,
        unmatched: Unmatched | None = None,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._receiver = receiver
        self._pages = pages
        self._added = [*_EVERY, _HSTS] if https else list(_EVERY)
        self._names = frozenset(name for name, _ in self._added)
        self._unmatched = unmatched or Unmatched()
        self._clock = clock
        self._now = now
        self._log = structlog.get_logger("connector.web")
        self._quiet_until = float("-inf")
        self._silent = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; never raises."""
        begun = False

        # Not a coroutine of its own around the server's: every delivery passes here twice.
        def answer(message: Message) -> Awaitable[None]:
            nonlocal begun
            if message["type"] == "http.response.start":
                begun = True
                self._note(scope, message["status"])
                message["headers"] = self._completed(message.get("headers", ()))
            return send(message)

        try:
            if scope["type"] != "http":
                return
            if fault := _ambiguous(scope["headers"]):
                await _send(answer, 400, "bad_request", fault, (b"connection", b"close"))
            elif (source := _source(scope["path"])) is not None:
                scope["path_params"] = {"source": source}
                await self._receiver(scope, receive, answer)
            else:
                await self._pages(scope, receive, answer)
        except Exception as error:  # whatever it is, a stranger gets no traceback and no 500
            self._report(error)
            if not begun:
                retry = (b"retry-after", str(RETRY_AFTER).encode())
                await _send(answer, 503, "unavailable", "Something went wrong here; please send again.", retry)

    def _note(self, scope: Scope, status: int) -> None:
        """Remember a request that was meant to deliver something, to an address that takes nothing."""
        if status in (404, 405) and scope["method"] in DELIVERING and not scope["path"].startswith(OWN):
            self._unmatched.see(scope["method"], scope["path"], self._now())

    def _completed(self, headers: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
        """The headers, with those that every answer has; one that the answer has itself stays."""
        given = list(headers)
        # Names are lower-case in ASGI; only that of a careless application is not.
        own = self._names.intersection([name.lower() for name, _ in given])
        return given + ([pair for pair in self._added if pair[0] not in own] if own else self._added)

    def _report(self, error: Exception) -> None:
        """Log type and place, at most one line every `QUIET` seconds; not the text, which may quote the request."""
        now = self._clock()
        if now < self._quiet_until:
            self._silent += 1
            return
        self._log.error("unexpected error", error=type(error).__name__, place=_place(error), silent=self._silent)
        self._quiet_until, self._silent = now + QUIET, 0


def _source(path: str) -> str | None:
    """The name behind `/webhooks/`; None for any other address.

    A slash at the end is no other address, nor is a second one in front, as it comes of an address put together from two.
    """
    if path.startswith("//"):
        path = f"/{path.lstrip('/')}"
    return path.removeprefix(WEBHOOKS).removesuffix("/") if path.startswith(WEBHOOKS) else None


def _ambiguous(headers: Iterable[tuple[bytes, bytes]]) -> str:
    """Why a proxy before us may have understood this request otherwise than we do; empty when it may not."""
    hosts = lengths = codings = 0
    for name, value in headers:
        if name == b"host":
            hosts += 1
        elif name == b"content-length":
            lengths += 1
        elif name == b"transfer-encoding":
            codings += 1
            if value.strip(b" \t").lower() != b"chunked":
                return "This Transfer-Encoding is not supported."
    if hosts > 1:
        return "There is more than one Host header."
    return "The length of the body is given more than once." if lengths + codings > 1 else ""


def _place(error: Exception) -> str:
    """File and line where it was raised, and where it left our code if that is elsewhere."""
    frames = [(PurePath(frame.f_code.co_filename), line) for frame, line in walk_tb(error.__traceback__)]
    ours = [one for one in frames if one[0].is_relative_to(PACKAGE)]
    return " ".join(dict.fromkeys(f"{file.name}:{line}" for file, line in [*ours[-1:], *frames[-1:]]))


async def _send(send: Send, status: int, error: str, message: str, *headers: tuple[bytes, bytes]) -> None:
    body = json.dumps({"error": error, "message": message}).encode()
    every = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode()), *headers]
    await send({"type": "http.response.start", "status": status, "headers": every})
    await send({"type": "http.response.body", "body": body})
