"""Carries the booking system's deliveries: again until acknowledged, in disorder, twice, and several at the same moment."""

from __future__ import annotations

import asyncio
import itertools
import random
from collections import Counter
from typing import Any

import httpx

Json = dict[str, Any]
#: Seconds between two attempts at a delivery.
PAUSE = 0.1


class Courier:
    """Posts to `url`, which changes with every life of the service; None: nobody is there.

    `acknowledged` has the body's bytes by event id, for every delivery that was answered 202. `transport` replaces the
    network. `again` and `late` are the shares of deliveries that are sent twice or more, or out of turn.
    """

    def __init__(
        self,
        rng: random.Random,
        token: str,
        *,
        transport: httpx.AsyncBaseTransport | None = None,
        again: float = 0.25,
        late: float = 0.2,
    ) -> None:
        #: Where the services listen; each delivery goes to the next one.
        self.urls: list[str] = []
        self._turn = itertools.count()
        self.acknowledged: dict[str, Json] = {}
        self.answers: Counter[str] = Counter()
        self.again = again
        self.late = late
        self.strange: Counter[str] = Counter()
        self._rng = rng
        self._headers = {"Authorization": token}
        self._transport = transport
        self._open: set[asyncio.Task[None]] = set()

    def start(self) -> None:
        """Open the connections."""
        limits = httpx.Limits(max_connections=32)
        self._http = httpx.AsyncClient(
            timeout=10, trust_env=False, transport=self._transport, headers=self._headers, limits=limits
        )

    async def close(self) -> None:
        """Give up what is still under way."""
        for task in self._open:
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)
        await self._http.aclose()

    def take(self, bodies: list[Json]) -> None:
        """Take the list (it is emptied) and bring everything, in the background."""
        batch, bodies[:] = list(bodies), []
        for body in batch:
            delay = self._rng.uniform(0, 1.5) if self._rng.random() < self.late else 0.0
            for _ in range(self._rng.choice([2, 2, 3, 6]) if self._rng.random() < self.again else 1):
                self._spawn(body, delay if self._rng.random() < 0.5 else 0.0)

    def _spawn(self, body: Json, delay: float) -> None:
        task = asyncio.create_task(self._bring(body, delay))
        self._open.add(task)
        task.add_done_callback(self._open.discard)

    async def all_brought(self) -> None:
        """Wait until everything taken has been acknowledged."""
        while self._open:
            await asyncio.gather(*list(self._open))

    async def _bring(self, body: Json, delay: float) -> None:
        await asyncio.sleep(delay)
        while not await self._try(body):
            await asyncio.sleep(PAUSE)

    async def _try(self, body: Json) -> bool:
        if not self.urls:
            return False
        url = self.urls[next(self._turn) % len(self.urls)]
        try:
            response = await self._http.post(f"{url}/webhooks/stores", json=body)
        except httpx.HTTPError:
            return False
        if response.status_code != 202:
            self.strange[str(response.status_code)] += 1
            return False
        self.acknowledged[body["id"]] = body
        self.answers[response.json()["status"]] += 1
        return True
