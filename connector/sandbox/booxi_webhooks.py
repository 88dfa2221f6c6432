"""How the Booxi sandbox calls our webhook: real HTTP requests, with duplicates and disorder on a knob.

Synthetic, because no public page says it: the names of the envelope's id and type, what counts as success (2xx), the
time allowed for an answer, and the whole retry schedule.
"""

from __future__ import annotations

import asyncio
import copy
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import httpx

from connector.sandbox.faults import Faults

#: Synthetic: pauses in seconds before each further attempt.
RETRIES = (0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0)
#: Synthetic: seconds the receiver has for its answer.
PATIENCE = 10.0

Spelling = Literal["id", "eventId"]


@dataclass(frozen=True, slots=True)
class Target:
    """Where events go: the address, POST or PUT, and the fixed header by which the sender proves itself."""

    url: str
    token: str | None = None
    header: str = "Authorization"
    method: Literal["POST", "PUT"] = "POST"


class Outbox:
    """Events waiting to be sent, and the sending. `counts`: sent, acknowledged, refused, unanswered, gave_up."""

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
        self.waiting: list[dict[str, Any]] = []
        self.counts: Counter[str] = Counter()
        self._faults = faults
        self._retries = tuple(retries)
        self._wait = wait
        self._transport = transport
        self._rng = random.Random(faults().seed)
        self._number = 0

    def reset(self) -> None:
        """Forget what waits and what was counted."""
        self.waiting.clear()
        self.counts.clear()

    def add(self, type_: str, content: dict[str, Any], spelling: Spelling) -> dict[str, Any]:
        """Queue one event as it stands now and return its body; every event gets its own id."""
        self._number += 1
        names = ("id", "type", "content") if spelling == "id" else ("eventId", "eventType", "eventContent")
        body = dict(zip(names, (f"evt-{self._number:08}", type_, copy.deepcopy(content)), strict=True))
        self.waiting.append(body)
        return body

    async def send(self, *, concurrency: int = 1) -> int:
        """Send all that waits, each until it is acknowledged or given up; returns how many were acknowledged.

        First attempts keep the order of the queue unless `concurrency` or the faults disturb it; an event that is
        refused does not hold back the next one. Without a target nothing is sent and everything keeps waiting.
        """
        if self.target is None:
            return 0
        batch, limit = self._disturbed(), asyncio.Semaphore(concurrency)
        async with self._http() as http:
            return sum(await asyncio.gather(*(self._until_acknowledged(http, body, limit) for body in batch)))

    async def deliver(self, body: dict[str, Any]) -> int | None:
        """Send one body once; returns the status, or None where no answer came. Raises ValueError without a target."""
        async with self._http() as http:
            return await self._attempt(http, body)

    def _http(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(timeout=PATIENCE, trust_env=False, follow_redirects=False, transport=self._transport)

    def _disturbed(self) -> list[dict[str, Any]]:
        """Take the queue: some events twice, some later than their turn, as the faults say."""
        faults, batch = self._faults(), self.waiting
        self.waiting = []
        batch = [body for body in batch for _ in range(1 + (self._rng.random() < faults.duplicate_delivery))]
        for place in range(len(batch)):
            if self._rng.random() < faults.reorder_delivery:
                other = self._rng.randrange(len(batch))
                batch[place], batch[other] = batch[other], batch[place]
        return batch

    async def _until_acknowledged(self, http: httpx.AsyncClient, body: dict[str, Any], limit: asyncio.Semaphore) -> bool:
        for pause in (0.0, *self._retries):
            if pause:
                await self._wait(pause)
            async with limit:
                status = await self._attempt(http, body)
            if status is not None and 200 <= status < 300:
                return True
        self.counts["gave_up"] += 1
        return False

    async def _attempt(self, http: httpx.AsyncClient, body: dict[str, Any]) -> int | None:
        target = self.target
        if target is None:
            raise ValueError("the sandbox has no webhook target")
        headers = {target.header: target.token} if target.token else {}
        self.counts["sent"] += 1
        try:
            response = await http.request(target.method, target.url, json=body, headers=headers)
        except httpx.HTTPError:
            self.counts["unanswered"] += 1
            return None
        self.counts["acknowledged" if response.is_success else "refused"] += 1
        return response.status_code
