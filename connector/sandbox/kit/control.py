"""The routes under `/_sandbox` which sandboxes have in common: curl and process-level tests control them there.

Every body and every answer is a JSON object, and a wrong body is a 400. None of it is part of the product.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any, ClassVar, Protocol
from urllib.parse import urlsplit

from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from connector.sandbox.kit import json_outbox as messages
from connector.sandbox.kit.faults import CONTROL, Faults
from connector.sandbox.kit.outbox import Outbox

LOOPBACK = ("127.0.0.1", "localhost", "::1")
Json = dict[str, Any]
#: Called with the body's keys and the path's parameters; an unknown or missing key is a TypeError.
Action = Callable[..., Any]


class Unacceptable(Exception):
    """What the body asks for cannot be; the text is the answer."""


class Controlled(Protocol):
    """What every sandbox has."""

    faults: Faults

    @property
    def outbox(self) -> Outbox[Any]:
        """What waits to be sent."""

    def stats(self) -> Json:
        """Figures."""

    def reset(self) -> None:
        """Forget everything but the settings."""


class ControlRoutes(ABC):
    """The routes of one sandbox: the common ones, and those that are added.

    An action about the product queues a delivery, as the Python method of the same name does. It is sent at once, in the
    background, when there is somewhere to send to and the request does not say `"send": false`. `POST /_sandbox/deliver`
    sends what waits and answers when that is done.
    """

    #: The product that this is no part of.
    product: ClassVar[str] = "the product"

    def __init__(self, sandbox: Controlled) -> None:
        self.sandbox = sandbox
        self._table: list[tuple[str, str, Action]] = [
            ("GET", "", self.help),
            ("GET", "/stats", sandbox.stats),
            ("POST", "/reset", sandbox.reset),
            ("GET", "/faults", self.faults),
            ("PUT", "/faults", self.put_faults),
            ("PUT", "/webhook", self.put_webhook),
            ("POST", "/deliver", self.deliver),
        ]
        self._sending: set[asyncio.Task[int]] = set()

    def add(self, method: str, path: str, action: Action) -> None:
        """One more route."""
        self._table.append((method, path, action))

    def routes(self) -> list[Route]:
        """All routes."""
        return [Route(CONTROL + path, _endpoint(action), methods=[method]) for method, path, action in self._table]

    def help(self) -> Json:
        """What there is."""
        routes = [f"{method} {CONTROL}{path}" for method, path, _ in self._table]
        return {"about": f"controls the sandbox; no part of {self.product}", "routes": routes}

    def faults(self) -> Json:
        """The faults as they are."""
        return self.sandbox.faults.model_dump()

    def put_faults(self, **faults: Any) -> Json:
        """Replace the faults."""
        self.sandbox.faults = Faults.model_validate(faults)
        return self.faults()

    @abstractmethod
    def put_webhook(self, **fields: Any) -> Json:
        """Say where deliveries go, on this machine only."""

    async def deliver(self, *, concurrency: int = 1) -> Json:
        """Send what waits, and answer how many were acknowledged."""
        return {"acknowledged": await self.sandbox.outbox.send(concurrency=concurrency)}

    @property
    def ready(self) -> bool:
        """Whether what is queued can be sent at once."""
        return self.sandbox.outbox.ready

    def sending(self, action: Action) -> Action:
        """An action after which what waits is sent in the background, unless its body says `"send": false`."""

        def act(*, send: bool = True, **fields: Any) -> Any:
            result = action(**fields)
            if send and self.ready:
                task = asyncio.create_task(self.sandbox.outbox.send())
                self._sending.add(task)
                task.add_done_callback(self._sending.discard)
            return result

        return act


class OutboxControlRoutes(ControlRoutes):
    """For sandboxes that send messages."""

    def __init__(self, sandbox: Controlled, outbox: messages.Outbox) -> None:
        super().__init__(sandbox)
        self._messages = outbox

    def put_webhook(self, **fields: Any) -> Json:
        """Say where deliveries go: `url` (on this machine only), `key`, `token`, `header`."""
        target = messages.Target(**fields)
        check_local(target.url)
        self._messages.target = target
        return {"url": target.url, "header": target.header}


def check_local(url: str) -> None:
    """Raise ValueError where an address is not on this machine."""
    if urlsplit(url).hostname not in LOOPBACK:
        raise ValueError("the sandbox sends webhooks to this machine only: use http://127.0.0.1:PORT/…")


def moment(text: str) -> datetime:
    """A date-time out of a control body; UTC when it names no zone."""
    found = datetime.fromisoformat(text)
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _endpoint(action: Action) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        try:
            body = await request.json() if await request.body() else {}
            result = action(**{**body, **request.path_params})
            result = await result if asyncio.iscoroutine(result) else result
        except (ValidationError, Unacceptable) as error:
            return JSONResponse({"message": str(error)}, 400)
        except (KeyError, TypeError, ValueError) as error:
            return JSONResponse({"message": f"{type(error).__name__}: {error}"}, 400)
        return JSONResponse({} if result is None else result)

    return endpoint
