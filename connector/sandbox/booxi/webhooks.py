"""How the Booxi sandbox calls our webhook.

Synthetic, because no public page says it: the names of the envelope's id and type, and all that `outbox` lists.
"""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import httpx

from connector.sandbox.kit import outbox
from connector.sandbox.kit.faults import Faults
from connector.sandbox.kit.outbox import RETRIES

Spelling = Literal["id", "eventId"]


@dataclass(frozen=True, slots=True)
class Target:
    """Where events go: the address, POST or PUT, and the fixed header by which the sender proves itself."""

    url: str
    token: str | None = None
    header: str = "Authorization"
    method: Literal["POST", "PUT"] = "POST"


class Outbox(outbox.Outbox[dict[str, Any]]):
    """Events waiting to be sent to one target."""

    def __init__(
        self,
        target: Target | None,
        faults: Callable[[], Faults],
        *,
        retries: Sequence[float] = RETRIES,
        wait: Callable[[float], Awaitable[None]] = asyncio.sleep,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        super().__init__(faults, retries=retries, wait=wait, transport=transport)
        self.target = target
        self._number = 0

    @property
    def ready(self) -> bool:
        """Whether there is a target."""
        return self.target is not None

    def add(self, type_: str, content: dict[str, Any], spelling: Spelling) -> dict[str, Any]:
        """Queue one event as it stands now and return its body; every event gets its own id."""
        self._number += 1
        names = ("id", "type", "content") if spelling == "id" else ("eventId", "eventType", "eventContent")
        body = dict(zip(names, (f"evt-{self._number:08}", type_, copy.deepcopy(content)), strict=True))
        self.waiting.append(body)
        return body

    async def _post(self, http: httpx.AsyncClient, item: dict[str, Any]) -> httpx.Response:
        target = self.target
        if target is None:
            raise ValueError("the sandbox has no webhook target")
        headers = {target.header: target.token} if target.token else {}
        return await http.request(target.method, target.url, json=item, headers=headers)
