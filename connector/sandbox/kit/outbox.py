"""What waits to be sent to our webhooks, and the sending: real HTTP requests, with configurable duplicates and disorder.

Synthetic, because no vendor's page says it: the pauses between attempts, and that 2xx is success.
"""

from __future__ import annotations

import asyncio
import random
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

import httpx

from connector.sandbox.kit.faults import Faults

#: Synthetic: pauses in seconds before each further attempt.
RETRIES = (0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0)

T = TypeVar("T")


class Outbox(ABC, Generic[T]):
    """The queue of one sandbox. `counts`: sent, acknowledged, refused, unanswered, gave_up."""

    #: Synthetic, unless a sandbox knows better: seconds the receiver has for its answer.
    patience = 10.0

    def __init__(
        self,
        faults: Callable[[], Faults],
        *,
        retries: Sequence[float] = RETRIES,
        wait: Callable[[float], Awaitable[None]] = asyncio.sleep,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self.waiting: list[T] = []
        self.counts: Counter[str] = Counter()
        self._faults = faults
        self._retries = tuple(retries)
        self._wait = wait
        self._transport = transport
        self._rng = random.Random(faults().seed)

    @property
    @abstractmethod
    def ready(self) -> bool:
        """Whether there is somewhere to send to; without it everything keeps waiting."""

    @abstractmethod
    async def _post(self, http: httpx.AsyncClient, item: T) -> httpx.Response:
        """Make the request. Raises ValueError when there is nowhere to send to."""

    def reset(self) -> None:
        """Forget what waits and what was counted."""
        self.waiting.clear()
        self.counts.clear()

    async def send(self, *, concurrency: int = 1) -> int:
        """Send all that waits, each until it is acknowledged or given up; returns how many were acknowledged.

        First attempts keep the order of the queue unless `concurrency` or the faults disturb it; what is refused does not
        hold back the next one.
        """
        if not self.ready:
            return 0
        batch, limit = self._disturbed(), asyncio.Semaphore(concurrency)
        async with self._http() as http:
            return sum(await asyncio.gather(*(self._until_acknowledged(http, item, limit) for item in batch)))

    async def deliver(self, item: T) -> int | None:
        """Send one item once; returns the status, or None where no answer came. Raises ValueError without a target."""
        async with self._http() as http:
            return await self._attempt(http, item)

    def _http(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(timeout=self.patience, trust_env=False, follow_redirects=False, transport=self._transport)

    def _disturbed(self) -> list[T]:
        """Take the queue: some items twice, some later than their turn, as the faults say."""
        faults, batch = self._faults(), self.waiting
        self.waiting = []
        batch = [item for item in batch for _ in range(1 + (self._rng.random() < faults.duplicate_delivery))]
        for place in range(len(batch)):
            if self._rng.random() < faults.reorder_delivery:
                other = self._rng.randrange(len(batch))
                batch[place], batch[other] = batch[other], batch[place]
        return batch

    async def _until_acknowledged(self, http: httpx.AsyncClient, item: T, limit: asyncio.Semaphore) -> bool:
        for pause in (0.0, *self._retries):
            if pause:
                await self._wait(pause)
            async with limit:
                status = await self._attempt(http, item)
            if status is not None and 200 <= status < 300:
                return True
        self.counts["gave_up"] += 1
        return False

    async def _attempt(self, http: httpx.AsyncClient, item: T) -> int | None:
        try:
            response = await self._post(http, item)
        except httpx.HTTPError:
            self.counts.update(("sent", "unanswered"))
            return None
        self.counts.update(("sent", "acknowledged" if response.is_success else "refused"))
        return response.status_code
