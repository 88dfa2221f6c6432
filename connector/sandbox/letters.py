"""How a sandbox calls our webhook where each deed has its own query and its own kind of body: real HTTP requests.

Used by the stand-ins whose vendors say next to nothing of their deliveries. Synthetic therefore: what counts as success
(2xx), the time allowed for an answer, and the whole retry schedule.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import urlencode

import httpx

from connector.sandbox.faults import Faults

#: Synthetic: pauses in seconds before each further attempt.
RETRIES = (0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0)
#: Synthetic: seconds the receiver has for its answer.
PATIENCE = 10.0

Encoding = Literal["json", "form"]


@dataclass(frozen=True, slots=True)
class Target:
    """Where deliveries go: the address, its secret `key`, and the fixed header by which the sender proves itself."""

    url: str
    key: str | None = None
    token: str | None = None
    header: str = "Authorization"


@dataclass(frozen=True, slots=True)
class Letter:
    """One delivery: what stands in the query, and the body's members."""

    body: Mapping[str, Any]
    query: Mapping[str, str] = field(default_factory=dict)
    encoding: Encoding = "json"

    def content(self) -> tuple[str, bytes]:
        """Content type and bytes."""
        if self.encoding == "json":
            return "application/json", json.dumps(self.body, ensure_ascii=False).encode()
        return "application/x-www-form-urlencoded", urlencode(
            {k: "" if v is None else v for k, v in self.body.items()}
        ).encode()

    def path(self, target: Target) -> str:
        """The whole address."""
        query = {**self.query, **({"key": target.key} if target.key else {})}
        return f"{target.url}?{urlencode(query)}" if query else target.url


class Outbox:
    """Letters waiting to be sent, and the sending. `counts`: sent, acknowledged, refused, unanswered, gave_up."""

    def __init__(
        self,
        target: Target | None,
        faults: Callable[[], Faults],
        *,
        retries: Sequence[float] = RETRIES,
        wait: Callable[[float], Awaitable[None]] = asyncio.sleep,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self.target = target
        self.waiting: list[Letter] = []
        self.counts: Counter[str] = Counter()
        self._faults = faults
        self._retries = tuple(retries)
        self._wait = wait
        self._transport = transport
        self._rng = random.Random(faults().seed)

    def reset(self) -> None:
        """Forget what waits and what was counted."""
        self.waiting.clear()
        self.counts.clear()

    def add(self, letter: Letter) -> Letter:
        """Queue a letter."""
        self.waiting.append(letter)
        return letter

    async def send(self, *, concurrency: int = 1) -> int:
        """Send all that waits, each until it is acknowledged or given up; returns how many were acknowledged.

        Without a target nothing is sent and everything keeps waiting.
        """
        if self.target is None:
            return 0
        batch, limit = self._disturbed(), asyncio.Semaphore(concurrency)
        async with self._http() as http:
            return sum(await asyncio.gather(*(self._until_acknowledged(http, letter, limit) for letter in batch)))

    async def deliver(self, letter: Letter) -> int | None:
        """Send one letter once; returns the status, or None where no answer came. Raises ValueError without a target."""
        async with self._http() as http:
            return await self._attempt(http, letter)

    def _http(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(timeout=PATIENCE, trust_env=False, follow_redirects=False, transport=self._transport)

    def _disturbed(self) -> list[Letter]:
        """Take the queue: some letters twice, some later than their turn, as the faults say."""
        faults, batch = self._faults(), self.waiting
        self.waiting = []
        batch = [letter for letter in batch for _ in range(1 + (self._rng.random() < faults.duplicate_delivery))]
        for place in range(len(batch)):
            if self._rng.random() < faults.reorder_delivery:
                other = self._rng.randrange(len(batch))
                batch[place], batch[other] = batch[other], batch[place]
        return batch

    async def _until_acknowledged(self, http: httpx.AsyncClient, letter: Letter, limit: asyncio.Semaphore) -> bool:
        for pause in (0.0, *self._retries):
            if pause:
                await self._wait(pause)
            async with limit:
                status = await self._attempt(http, letter)
            if status is not None and 200 <= status < 300:
                return True
        self.counts["gave_up"] += 1
        return False

    async def _attempt(self, http: httpx.AsyncClient, letter: Letter) -> int | None:
        target = self.target
        if target is None:
            raise ValueError("the sandbox has no webhook target")
        type_, content = letter.content()
        headers = {"Content-Type": type_, **({target.header: target.token} if target.token else {})}
        self.counts["sent"] += 1
        try:
            response = await http.post(letter.path(target), content=content, headers=headers)
        except httpx.HTTPError:
            self.counts["unanswered"] += 1
            return None
        self.counts["acknowledged" if response.is_success else "refused"] += 1
        return response.status_code
