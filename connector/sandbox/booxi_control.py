"""The routes under `/_sandbox` by which curl and process-level tests steer a Booxi sandbox. No part of Booxi.

A deed queues an event, as the Python method of the same name does. It is sent at once, in the background, when a
webhook target is set and the request does not say `"send": false`. `POST /_sandbox/deliver` sends what waits and
answers when that is done.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from connector.sandbox.booxi_state import InvalidExternalId, Json
from connector.sandbox.booxi_webhooks import Target
from connector.sandbox.faults import CONTROL, Faults

if TYPE_CHECKING:
    from connector.sandbox.booxi import BooxiSandbox

LOOPBACK = ("127.0.0.1", "localhost", "::1")
#: Called with the body's keys and the path's parameters; an unknown or missing key is a TypeError.
Deed = Callable[..., Any]


def control_routes(sandbox: BooxiSandbox) -> list[Route]:
    """The routes; every body and every answer is a JSON object, and a wrong body is a 400."""
    control = Control(sandbox)
    table: list[tuple[str, str, Deed]] = [
        ("GET", "", control.help),
        ("GET", "/state", control.state),
        ("GET", "/stats", sandbox.stats),
        ("POST", "/reset", sandbox.reset),
        ("GET", "/faults", control.faults),
        ("PUT", "/faults", control.put_faults),
        ("PUT", "/webhook", control.put_webhook),
        ("POST", "/clients", lambda **fields: {"clientId": sandbox.add_client(**fields)}),
        ("POST", "/bookings", control.book),
        ("POST", "/bookings/{booking_id}/{deed}", control.change),
        ("POST", "/merge", sandbox.merge_clients),
        ("PUT", "/links", sandbox.set_link),
        ("POST", "/expire_cursors", sandbox.expire_cursors),
        ("POST", "/deliver", control.deliver),
    ]
    control.table = [f"{method} {CONTROL}{path}" for method, path, _ in table]
    return [Route(CONTROL + path, _endpoint(deed), methods=[method]) for method, path, deed in table]


class Control:
    """The deeds which are more than a method of the sandbox."""

    def __init__(self, sandbox: BooxiSandbox) -> None:
        self.sandbox = sandbox
        self.table: list[str] = []
        self._sending: set[asyncio.Task[int]] = set()

    def help(self) -> Json:
        """What there is."""
        return {"about": "steers the sandbox; no part of Booxi", "routes": self.table}

    def state(self) -> Json:
        """Everything the sandbox remembers, and what waits to be sent."""
        state = self.sandbox.state
        return {
            "merchants": list(state.merchants.values()),
            "clients": list(state.clients.values()),
            "bookings": list(state.bookings.values()),
            "links": list(state.links.values()),
            "merged": {str(loser): survivor for loser, survivor in state.merged.items()},
            "waiting": self.sandbox.outbox.waiting,
        }

    def faults(self) -> Json:
        """The faults as they are."""
        return self.sandbox.faults.model_dump()

    def put_faults(self, **faults: Any) -> Json:
        """Replace the faults."""
        self.sandbox.faults = Faults.model_validate(faults)
        return self.faults()

    def put_webhook(self, **fields: Any) -> Json:
        """Say where events go: `url` (on this machine only), `token`, `header`, `method`."""
        target = Target(**fields)
        if urlsplit(target.url).hostname not in LOOPBACK:
            raise ValueError("the sandbox sends webhooks to this machine only: use http://127.0.0.1:PORT/…")
        if target.method not in ("POST", "PUT"):
            raise ValueError("method is POST or PUT")
        self.sandbox.outbox.target = target
        return {"url": target.url, "method": target.method, "header": target.header}

    def book(self, *, send: bool = True, starts_at: str | None = None, **fields: Any) -> Json:
        """Book: `client_id`, or `client` with contact data; `starts_at`; and what `BooxiSandbox.book` takes."""
        moment = None if starts_at is None else datetime.fromisoformat(starts_at)
        if moment is not None and moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        booking_id = self.sandbox.book(starts_at=moment, **fields)
        self._send_soon(send)
        client = self.sandbox.state.bookings[booking_id].get("client") or {}
        return {"bookingId": booking_id, "clientId": client.get("id")}

    def change(self, *, booking_id: str, deed: str, send: bool = True, **fields: Any) -> Json:
        """`update` with fields, `cancel`, `no_show` or `complete`."""
        deeds: dict[str, Callable[..., None]] = {
            "update": self.sandbox.update_booking,
            "cancel": self.sandbox.cancel,
            "no_show": self.sandbox.no_show,
            "complete": self.sandbox.complete,
        }
        deeds[deed](booking_id, **fields)
        self._send_soon(send)
        return {"bookingId": booking_id}

    async def deliver(self, *, concurrency: int = 1) -> Json:
        """Send what waits, and answer how many were acknowledged."""
        return {"acknowledged": await self.sandbox.send_webhooks(concurrency=concurrency)}

    def _send_soon(self, wanted: bool) -> None:
        if wanted and self.sandbox.outbox.target is not None:
            task = asyncio.create_task(self.sandbox.send_webhooks())
            self._sending.add(task)
            task.add_done_callback(self._sending.discard)


def _endpoint(deed: Deed) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        try:
            body = await request.json() if await request.body() else {}
            result = deed(**{**body, **request.path_params})
            result = await result if asyncio.iscoroutine(result) else result
        except ValidationError as error:
            return JSONResponse({"message": str(error)}, 400)
        except InvalidExternalId:
            return JSONResponse({"message": "the external id is blank or too long"}, 400)
        except (KeyError, TypeError, ValueError) as error:
            return JSONResponse({"message": f"{type(error).__name__}: {error}"}, 400)
        return JSONResponse({} if result is None else result)

    return endpoint
