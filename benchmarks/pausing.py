"""The remote system asks one of two processes for a pause: how soon the other one begins no call any more.

Two real processes drain the same queue, each by addresses of its own, so that it is known whose request arrives. One request
of the first process is answered 429 with `Retry-After`; noted is what the second one sends from that moment on.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

from measuring import spread, table
from several import copy_key, listening, postgres, sandboxes, service
from starlette.types import ASGIApp, Receive, Scope, Send
from world import NO_LIMITS, fill

from connector.sandbox.booxi.app import BooxiSandbox
from connector.sandbox.booxi.webhooks import Target

#: Milliseconds which a sandbox takes for an answer; seconds of the pause that it asks for.
LATENCY, PAUSE = 20, 2
#: A limit that is never reached, so that a portion is counted ahead.
LIMITS = (NO_LIMITS[0], "{ per_10_seconds = 3000, search_per_second = 0 }")
#: Calls of each process within `RECENT` seconds before the answer, so that both are at work; clients of one trial.
BUSY, RECENT, CLIENTS = 5, 0.5, 150
#: Seconds until a trial that does not begin ends the run.
PATIENCE = 60.0
_REFUSAL = {"status": "error", "message": "too many calls", "policyName": "TEN_SECONDLY_ROLLING", "category": "RATE_LIMITS"}


@dataclass
class Requests:
    """When each request of one process began to arrive; the next one is refused where `refuse` is set."""

    clock: Callable[[], float] = time.monotonic
    begun: list[float] = field(default_factory=list)
    refuse: asyncio.Future[float] | None = None

    def before(self, app: ASGIApp) -> ASGIApp:
        """The application with the notes taken before it."""

        async def noting(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] == "http":
                self.begun.append(self.clock())
                if self.refuse is not None:
                    refused, self.refuse = self.refuse, None
                    await _refuse(receive, send)
                    refused.set_result(self.clock())
                    return
            await app(scope, receive, send)

        return noting

    def since(self, moment: float) -> list[float]:
        """Seconds after the moment at which calls began."""
        return [at - moment for at in self.begun if at > moment]


async def _refuse(receive: Receive, send: Send) -> None:
    while (await receive()).get("more_body"):
        pass
    body = json.dumps(_REFUSAL).encode()
    headers = [(b"content-type", b"application/json"), (b"retry-after", str(PAUSE).encode())]
    await send({"type": "http.response.start", "status": 429, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def _busy(both: tuple[Requests, Requests]) -> None:
    async with asyncio.timeout(PATIENCE):
        while any(len(one.since(one.clock() - RECENT)) < BUSY for one in both):
            await asyncio.sleep(0.02)


async def _trial(booxi: BooxiSandbox, first: int, refused: Requests, other: Requests) -> list[float]:
    """What the other process began within the pause, in seconds since the answer."""
    fill(booxi, CLIENTS, first)
    sending = asyncio.create_task(booxi.send_webhooks(concurrency=16))
    await asyncio.sleep(RECENT)
    await _busy((refused, other))
    refused.refuse = asyncio.get_running_loop().create_future()
    moment = await refused.refuse
    await asyncio.sleep(PAUSE * 0.9)
    late = [seconds for seconds in other.since(moment) if seconds < PAUSE * 0.9]
    await sending
    return late


async def limited(server: postgres.Server, folder: Path, args: argparse.Namespace) -> None:
    """From the answer 429 to one process until the last call that another one begins, and how many it begins."""
    folder = folder / "limited"
    folder.mkdir()
    async with sandboxes(LATENCY) as (booxi, hubspot), AsyncExitStack() as stack:
        address, both = server.fresh(), (Requests(), Requests())
        (booxi_url,) = await listening(stack, booxi.app)
        urls = await listening(stack, *(one.before(hubspot.app) for one in both))
        for number, (url, role) in enumerate(zip(urls, ("all", "worker"), strict=True)):
            if number:
                copy_key(folder / "0", folder / str(number))
            one = service(folder / str(number), address, role, booxi=booxi_url, hubspot=url, limits=LIMITS)
            receiver, _ = await stack.enter_async_context(one)
            if not number:
                booxi.outbox.target = Target(f"{receiver}/webhooks/stores", token="benchmark")
        found = [await _trial(booxi, n * CLIENTS, *both) for n in range(args.trials)]
    last, calls = [1000 * max(late, default=0.0) for late in found], [len(late) for late in found]
    row = [str(len(found)), spread(last, 1), spread(calls, 0), str(sum(not late for late in found))]
    columns = ("times", "ms until the last call of the other", "calls that it began", "times none")
    table(f"The remote system asks one of two processes for a pause of {PAUSE} s: median (minimum–maximum)", columns, [row])
