"""How a sandbox calls our webhook where each action has its own query and its own kind of body: real HTTP requests.

Used by the sandboxes whose vendors say next to nothing of their deliveries. Synthetic therefore: all that `outbox` lists.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import urlencode

import httpx

from connector.sandbox.kit import outbox
from connector.sandbox.kit.faults import Faults
from connector.sandbox.kit.outbox import RETRIES

Encoding = Literal["json", "form"]


@dataclass(frozen=True, slots=True)
class Target:
    """Where deliveries go: the address, its secret `key`, and the fixed header by which the sender proves itself."""

    url: str
    key: str | None = None
    token: str | None = None
    header: str = "Authorization"


@dataclass(frozen=True, slots=True)
class Message:
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


class Outbox(outbox.Outbox[Message]):
    """Messages waiting to be sent to one target."""

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

    @property
    def ready(self) -> bool:
        """Whether there is a target."""
        return self.target is not None

    def add(self, message: Message) -> Message:
        """Queue a message."""
        self.waiting.append(message)
        return message

    async def _post(self, http: httpx.AsyncClient, item: Message) -> httpx.Response:
        target = self.target
        if target is None:
            raise ValueError("the sandbox has no webhook target")
        type_, content = item.content()
        headers = {"Content-Type": type_, **({target.header: target.token} if target.token else {})}
        return await http.post(item.path(target), content=content, headers=headers)
