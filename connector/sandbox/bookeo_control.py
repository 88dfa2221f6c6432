"""The routes under `/_sandbox` by which curl and process-level tests steer a Bookeo sandbox. No part of Bookeo.

A deed queues a message, as the Python method of the same name does. It is sent at once, in the background, when its
webhook is registered and the request does not say `"send": false`. `POST /_sandbox/deliver` sends what waits and
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

from connector.sandbox.bookeo_rest import LOOPBACK
from connector.sandbox.bookeo_state import Json
from connector.sandbox.faults import CONTROL, Faults

if TYPE_CHECKING:
    from connector.sandbox.bookeo import BookeoSandbox

#: Called with the body's keys and the path's parameters; an unknown or missing key is a TypeError.
Deed = Callable[..., Any]


def control_routes(sandbox: BookeoSandbox) -> list[Route]:
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
        ("POST", "/customers", control.add_customer),
        ("POST", "/customers/{customer_id}/{deed}", control.change_customer),
        ("POST", "/bookings", control.book),
        ("POST", "/bookings/{number}/{deed}", control.change),
        ("POST", "/expire_tokens", sandbox.expire_tokens),
        ("POST", "/deliver", control.deliver),
    ]
    control.table = [f"{method} {CONTROL}{path}" for method, path, _ in table]
    return [Route(CONTROL + path, _endpoint(deed), methods=[method]) for method, path, deed in table]


class Control:
    """The deeds which are more than a method of the sandbox."""

    def __init__(self, sandbox: BookeoSandbox) -> None:
        self.sandbox = sandbox
        self.table: list[str] = []
        self._sending: set[asyncio.Task[int]] = set()

    def help(self) -> Json:
        """What there is."""
        return {"about": "steers the sandbox; no part of Bookeo", "routes": self.table}

    def state(self) -> Json:
        """Everything the sandbox remembers, and what waits to be sent."""
        state = self.sandbox.state
        return {
            "customers": list(state.customers.values()),
            "bookings": list(state.bookings.values()),
            "fields": state.fields,
            "webhooks": list(state.webhooks.values()),
            "waiting": [{"id": m.id, "domain": m.domain, "type": m.type} for m in self.sandbox.outbox.waiting],
        }

    def faults(self) -> Json:
        """The faults as they are."""
        return self.sandbox.faults.model_dump()

    def put_faults(self, **faults: Any) -> Json:
        """Replace the faults."""
        self.sandbox.faults = Faults.model_validate(faults)
        return self.faults()

    def put_webhook(self, *, url: str) -> Json:
        """Say where messages really go (`url`, on this machine only), whatever host was registered."""
        if urlsplit(url).hostname not in LOOPBACK:
            raise ValueError("the sandbox sends webhooks to this machine only: use http://127.0.0.1:PORT")
        self.sandbox.outbox.via = url
        return {"url": url}

    def add_customer(self, *, send: bool = True, **fields: Any) -> Json:
        """Add a customer."""
        customer_id = self.sandbox.add_customer(**fields)
        self._send_soon(send)
        return {"id": customer_id}

    def change_customer(self, *, customer_id: str, deed: str, send: bool = True, **fields: Any) -> Json:
        """`update` with fields, or `delete`."""
        deeds: dict[str, Deed] = {"update": self.sandbox.update_customer, "delete": self.sandbox.delete_customer}
        deeds[deed](customer_id, **fields)
        self._send_soon(send)
        return {"id": customer_id}

    def book(
        self,
        *,
        customer_id: str | None = None,
        customer: Json | None = None,
        starts_at: str | None = None,
        send: bool = True,
        **fields: Any,
    ) -> Json:
        """Book for `customer_id`, or for a new `customer`; `starts_at`; and any members of a booking."""
        if customer_id is None:
            customer_id = self.sandbox.add_customer(**(customer or {}))
        moment = None if starts_at is None else datetime.fromisoformat(starts_at)
        if moment is not None and moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        number = self.sandbox.book(customer_id, starts_at=moment, **fields)
        self._send_soon(send)
        return {"bookingNumber": number, "customerId": customer_id}

    def change(self, *, number: str, deed: str, send: bool = True, **fields: Any) -> Json:
        """`update` with fields, `cancel`, `no_show` or `delete`."""
        deeds: dict[str, Deed] = {
            "update": self.sandbox.update_booking,
            "cancel": self.sandbox.cancel,
            "no_show": self.sandbox.no_show,
            "delete": self.sandbox.delete_booking,
        }
        deeds[deed](number, **fields)
        self._send_soon(send)
        return {"bookingNumber": number}

    async def deliver(self, *, concurrency: int = 1) -> Json:
        """Send what waits, and answer how many were acknowledged."""
        return {"acknowledged": await self.sandbox.send_webhooks(concurrency=concurrency)}

    def _send_soon(self, wanted: bool) -> None:
        if wanted and self.sandbox.state.webhooks:
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
        except (KeyError, TypeError, ValueError) as error:
            return JSONResponse({"message": f"{type(error).__name__}: {error}"}, 400)
        return JSONResponse({} if result is None else result)

    return endpoint
