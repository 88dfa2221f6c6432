"""What the remote systems do wrong, drawn from a seed and changed every second or so."""

from __future__ import annotations

import json
import random
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from connector.sandbox.hubspot.app import HubSpotSandbox
from connector.sandbox.kit.faults import Faults

#: Seconds which the service waits for an answer, and which a withheld answer takes.
TIMEOUT, WITHHELD = 2.0, 3.0

KINDS: tuple[dict[str, Any], ...] = (
    {},
    {"latency_ms": (1, 300)},
    {"lost_answer": 0.15},
    {"error_after_effect": 0.15},
    {"error_500": 0.1, "error_after_effect": 0.1, "lost_answer": 0.1},
    {"timeout": 0.08, "timeout_seconds": WITHHELD},
    {"error_503": 0.2, "retry_after": 0.5},
    {"rate_limit": 0.1, "retry_after": 0.3},
    {"html": 0.05, "html_status": 502},
    {"html": 0.03, "html_status": 403},
    {"html": 0.05, "html_status": 200},
    {"lost_answer": 0.05, "timeout": 0.03, "timeout_seconds": WITHHELD, "latency_ms": (1, 60), "error_500": 0.05},
    {"down": True},
)
LAGS = (0.0, 0.0, 1.0, 5.0, 20.0, 60.0)


class Chaos:
    """Sets the faults of both sides. With `late`, some answers come after the service's patience, and the effect with them."""

    def __init__(self, rng: random.Random, *, late: bool = False) -> None:
        self._rng = rng
        self._late = late
        #: Share of search answers that are cut short.
        self.cut = 0.0

    def draw(self) -> Faults:
        """The faults of one side for the next second or so."""
        kind = dict(self._rng.choice(KINDS))
        if self._late and self._rng.random() < 0.3:
            kind = {"latency_ms": (0, TIMEOUT * 1300)}
        return Faults(seed=self._rng.randrange(1, 10**9), search_lag_seconds=self._rng.choice(LAGS), **kind)

    def stir(self, booxi: Any, hubspot: HubSpotSandbox) -> None:
        """New faults at both sides."""
        booxi.faults, hubspot.faults = self.draw(), self.draw()
        hubspot.rules.conflict_names_winner = self._rng.random() < 0.5
        self.cut = self._rng.choice([0.0, 0.0, 0.3])

    def calm(self, booxi: Any, hubspot: HubSpotSandbox) -> None:
        """No more faults."""
        booxi.faults = hubspot.faults = Faults()
        self.cut = 0.0

    def partial_pages(self, app: ASGIApp) -> ASGIApp:
        """Some search answers lose their last results while `total` still counts them."""

        async def cutting(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] != "http" or not scope["path"].endswith("/search") or self._rng.random() >= self.cut:
                await app(scope, receive, send)
                return
            await app(scope, receive, Scissors(send))

        return cutting


def determined(app: ASGIApp) -> ASGIApp:
    """Let a remote system do what it was asked even when the client has gone: it reads the whole request first."""

    async def reading(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await app(scope, receive, send)
            return
        read = [message := await receive()]
        while message.get("more_body"):
            read.append(message := await receive())
        if message["type"] == "http.disconnect":
            return  # Killed while it asked.

        async def replay() -> Message:
            return read.pop(0) if read else await receive()

        await app(scope, replay, send)

    return reading


class Scissors:
    """Takes the place of `send`: cuts the page of a complete answer."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._start: Message = {}

    async def __call__(self, message: Message) -> None:
        """Hold the head back until the body is known, because its length changes."""
        if message["type"] == "http.response.start":
            self._start = message
            return
        start, self._start = self._start, {}
        if start.get("status") == 200 and message.get("body", b"").startswith(b'{"total"'):
            data = json.loads(message["body"])
            message = {**message, "body": json.dumps({**data, "results": data["results"][:-1]}).encode()}
            others = [(name, value) for name, value in start["headers"] if name.lower() != b"content-length"]
            start = {**start, "headers": [*others, (b"content-length", str(len(message["body"])).encode())]}
        if start:
            await self._send(start)
        await self._send(message)
