"""How the Bookeo sandbox calls our webhooks: signed requests, sent again when unanswered, given up on, and blocked.

The signature, the headers, the five seconds and the blocking are as seen in public receivers and descriptions.
Synthetic, because no public page says it: the number of attempts and their spacing, how many dropped messages block a
webhook and the words of the reason, that the message id stays the same while the time stamp is renewed, and that the
loss is reported with the next message of the same webhook.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx

from connector.sandbox.kit import outbox
from connector.sandbox.kit.faults import Faults

Json = dict[str, Any]
#: Synthetic: pauses in seconds before each further attempt, and dropped messages in a row that block a webhook.
RETRIES = (1.0, 5.0, 30.0)
DROPS = 3
#: Seconds the receiver has for its answer.
PATIENCE = 5.0


def signature(secret_key: str, timestamp: str, message_id: str, url: str, body: bytes) -> str:
    """What the header X-Bookeo-Signature holds: lower-case hex, no separators between what is signed."""
    message = f"{timestamp}{message_id}{url}".encode() + body
    return hmac.digest(secret_key.encode(), message, hashlib.sha256).hex()


@dataclass(frozen=True, slots=True)
class Message:
    """One message for the webhook of its domain and type, as it stood when the thing happened."""

    id: str
    domain: str
    type: str
    body: bytes

    @property
    def data(self) -> Any:
        """The body, parsed."""
        return json.loads(self.body)


class Outbox(outbox.Outbox[Message]):
    """Messages waiting to be sent to the registered webhooks. `counts` also has: dropped, unheard.

    `via` replaces scheme and host of the registered addresses on the wire, as a reverse proxy would; what is signed is
    the address as registered.
    """

    patience = PATIENCE

    def __init__(
        self,
        webhooks: Callable[[], Mapping[tuple[str, str], Json]],
        faults: Callable[[], Faults],
        *,
        secret_key: Callable[[], str],
        via: str | None = None,
        retries: Sequence[float] = RETRIES,
        drops: int = DROPS,
        clock: Callable[[], float] = time.time,
        wait: Callable[[float], Awaitable[None]] = asyncio.sleep,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        super().__init__(faults, retries=retries, wait=wait, transport=transport)
        self.via = via
        self._webhooks = webhooks
        self._secret_key = secret_key
        self._drops = drops
        self._clock = clock
        self._number = 0
        #: By webhook id: messages dropped in a row, and whether a loss has still to be reported.
        self._dropped: Counter[str] = Counter()
        self._losses: set[str] = set()

    @property
    def ready(self) -> bool:
        """Always: what has no webhook, or a blocked one, is never sent, and does not wait."""
        return True

    def reset(self) -> None:
        """Forget what waits and what was counted."""
        super().reset()
        self._dropped.clear()
        self._losses.clear()

    def add(self, domain: str, type_: str, item_id: str, item: Json | None, at: str) -> Message:
        """Queue a message and return it."""
        self._number += 1
        body: Json = {"itemId": item_id, "timestamp": at}
        if item is not None:
            body["item"] = item
        message = Message(f"mW{self._number:08}x{item_id}", domain, type_, json.dumps(body).encode())
        self.waiting.append(message)
        return message

    def headers(self, message: Message, url: str, *, lost: bool = False) -> dict[str, str]:
        """The headers of one attempt, signed now."""
        timestamp = str(int(self._clock() * 1000))
        headers = {
            "Content-Type": "application/json",
            "X-Bookeo-Timestamp": timestamp,
            "X-Bookeo-MessageId": message.id,
            "X-Bookeo-Signature": signature(self._secret_key(), timestamp, message.id, url, message.body),
        }
        return headers | ({"X-Bookeo-PreviousMessageLost": "true"} if lost else {})

    async def deliver(self, item: Message) -> int | None:
        """Send one message once; the status, or None where there was no answer or no webhook."""
        return await super().deliver(item) if self._hook(item) is not None else None

    def _hook(self, message: Message) -> Json | None:
        hook = self._webhooks().get((message.domain, message.type))
        return None if hook is None or "blockedTime" in hook else hook

    async def _until_acknowledged(self, http: httpx.AsyncClient, item: Message, limit: asyncio.Semaphore) -> bool:
        async with limit:
            hook = self._hook(item)
            if hook is None:
                self.counts["unheard"] += 1
                return False
            for pause in (0.0, *self._retries):
                if pause:
                    await self._wait(pause)
                status = await self._attempt(http, item)
                if status is not None and 200 <= status < 300:
                    self._dropped[hook["id"]] = 0
                    return True
            self._drop(hook, status)
            return False

    def _drop(self, hook: Json, status: int | None) -> None:
        self.counts["dropped"] += 1
        self._dropped[hook["id"]] += 1
        self._losses.add(hook["id"])
        if self._dropped[hook["id"]] >= self._drops:
            hook["blockedTime"] = time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime(self._clock()))
            hook["blockedReason"] = "connection timed out" if status is None else f"HTTP status {status} from {hook['url']}"

    async def _post(self, http: httpx.AsyncClient, item: Message) -> httpx.Response:
        hook = self._webhooks()[item.domain, item.type]
        headers = self.headers(item, hook["url"], lost=hook["id"] in self._losses)
        response = await http.post(self._wire(hook["url"]), content=item.body, headers=headers)
        if response.is_success:
            self._losses.discard(hook["id"])
        return response

    def _wire(self, url: str) -> str:
        if self.via is None:
            return url
        parts, proxy = urlsplit(url), urlsplit(self.via)
        return parts._replace(scheme=proxy.scheme, netloc=proxy.netloc).geturl()
