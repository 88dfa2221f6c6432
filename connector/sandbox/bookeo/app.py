"""A stateful Bookeo for the demo, the tests and the benchmarks: a real HTTP application with Bookeo's known rules.

Only what the connector uses is here: customers, bookings, custom fields, webhooks. **Synthetic** are the things no public
page says, and they are arguments where it matters: the limit on calls, the status of refused keys (401) and of refused
requests (400), page sizes and tokens, whether a PUT answers with the object, whether our own PUT sends a notification,
whether a booking's notification embeds the customer and a deletion the whole item, that a cancellation is reported as
`deleted` only, and all that `bookeo_state` and `bookeo_webhooks` list. Paths under `/_sandbox` control the sandbox and are
no part of Bookeo.
"""

from __future__ import annotations

import copy
import hmac
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import datetime
from typing import Any, Literal

import httpx
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from connector.sandbox.bookeo.control import control_routes
from connector.sandbox.bookeo.rest import Rest
from connector.sandbox.bookeo.state import BookeoState, Json
from connector.sandbox.bookeo.webhooks import DROPS, RETRIES, Message, Outbox
from connector.sandbox.kit.application import BookingSandbox, Meter
from connector.sandbox.kit.faults import Faults

#: Synthetic: calls a second, calls a minute. Bookeo publishes no figure.
QUOTA = (4, 120)
PERMISSIONS = ("customers_r_all", "customers_rw_all", "bookings_r_all", "bookings_rw_all")


class BookeoSandbox(BookingSandbox[Outbox]):
    """One Bookeo account. Serve `app` with `connector.sandbox.kit.server.Server`, or give it to `httpx.ASGITransport`.

    The API is under `/v2`. `faults` may be replaced at any time. Messages queue up until `send_webhooks` sends them to
    the webhooks that were registered; `via` is where they really go (scheme and host), as with a reverse proxy.
    """

    def __init__(
        self,
        *,
        api_key: str = "sandbox-api-key",
        secret_key: str = "sandbox-secret-key",  # noqa: S107 - a sandbox's key
        text_fields: Iterable[str] = ("CRM customer id",),
        permissions: Iterable[str] = PERMISSIONS,
        quota: tuple[int, int] | None = QUOTA,
        retry_after: Literal["body", "header", "nowhere"] = "body",
        via: str | None = None,
        faults: Faults | None = None,
        clock: Callable[[], float] = time.time,
        ticks: Callable[[], float] = time.monotonic,
        page_size: int = 100,
        put_answer: Literal["object", "nothing"] = "object",
        own_puts_notify: bool = True,
        embed_customer: bool = True,
        deleted_item: bool = True,
        retries: Sequence[float] = RETRIES,
        drops: int = DROPS,
        wait: Callable[[float], Awaitable[None]] | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self.api_key = api_key
        self.secret_key = secret_key
        super().__init__(faults)
        self.state = BookeoState(text_fields, clock)
        self.meter = Meter(quota, ticks)
        more: dict[str, Any] = {"wait": wait} if wait else {}
        self.outbox = Outbox(
            lambda: self.state.webhooks,
            lambda: self.faults,
            secret_key=lambda: self.secret_key,
            via=via,
            retries=retries,
            drops=drops,
            clock=clock,
            transport=transport,
            **more,
        )
        self.rest = Rest(self.state, self._changed_by_call, page_size=page_size, put_answer=put_answer, permissions=permissions)
        self.own_puts_notify = own_puts_notify
        self.embed_customer = embed_customer
        self.deleted_item = deleted_item
        self._retry_after = retry_after
        self._serve([*self.rest.routes(self._guarded), *control_routes(self)])

    def _refusal(self, request: Request) -> Response | None:
        """Both keys are needed on every call, as headers or in the query."""
        for name, expected in (("secretKey", self.secret_key), ("apiKey", self.api_key)):
            given = request.headers.get(f"X-Bookeo-{name}") or request.query_params.get(name, "")
            if not hmac.compare_digest(given.encode("utf-8", "replace"), expected.encode()):
                body = {"httpStatus": 401, "message": f"The {name} is not valid.", "errorId": "SANDBOX401"}
                return JSONResponse(body, 401)
        return None if self.meter.count() else self._throttled()

    def _throttled(self) -> Response:
        self.meter.throttled += 1
        body: Json = {"httpStatus": 429, "message": "Too many requests.", "errorId": "SANDBOX429"}
        if self._retry_after == "body":
            body["retryAfter"] = 1
        return JSONResponse(body, 429, headers={"Retry-After": "1"} if self._retry_after == "header" else None)

    # What happens at the business. Each action queues a message.

    def add_customer(self, **fields: Any) -> str:
        """Add a customer with Bookeo's field names; returns the id."""
        customer_id = self.state.add_customer(**fields)
        self.queue("customers", "created", customer_id)
        return customer_id

    def update_customer(self, customer_id: str, **fields: Any) -> None:
        """Change members of a customer, as the staff does."""
        self.state.customers[customer_id].update(fields)
        self.queue("customers", "updated", customer_id)

    def delete_customer(self, customer_id: str) -> None:
        """Delete a customer and the bookings; each deletion is reported."""
        for number in [n for n, booking in self.state.bookings.items() if booking["customerId"] == customer_id]:
            self.delete_booking(number)
        self.queue("customers", "deleted", customer_id)
        del self.state.customers[customer_id]

    def book(self, customer_id: str, *, starts_at: datetime | None = None, **fields: Any) -> str:
        """Book for a customer; returns the booking's number. `fields` are any members of a booking."""
        number = self.state.book(customer_id, starts_at=starts_at, **fields)
        self.queue("bookings", "created", number)
        return number

    def update_booking(self, number: str, **fields: Any) -> None:
        """Change members of a booking."""
        self.state.change_booking(number, **fields)
        self.queue("bookings", "updated", number)

    def cancel(self, number: str) -> None:
        """Cancel a booking: it stays readable, and is reported as deleted."""
        self.state.change_booking(number, canceled=True, cancelationTime=self.state.now())
        self.queue("bookings", "deleted", number)

    def no_show(self, number: str) -> None:
        """Note that nobody came."""
        self.update_booking(number, noShow=True)

    def delete_booking(self, number: str) -> None:
        """Delete a booking outright."""
        self.queue("bookings", "deleted", number)
        del self.state.bookings[number]

    def expire_tokens(self) -> None:
        """Make every page token handed out so far invalid."""
        self.rest.tokens.clear()

    def _changed_by_call(self, domain: str, type_: str, id_: str) -> None:
        if self.own_puts_notify:
            self.queue(domain, type_, id_)

    # What the sandbox tells others.

    def queue(self, domain: str, type_: str, id_: str) -> Message:
        """Queue a message about a customer or a booking as it stands now, and return it."""
        item: Json | None
        if domain == "customers":
            item = copy.deepcopy(self.state.customers[id_])
        else:
            item = self.state.booking(id_, customer=self.embed_customer)
        if type_ == "deleted" and not self.deleted_item:
            item = None
        return self.outbox.add(domain, type_, id_, item, self.state.now())

    async def deliver(self, message: Message) -> int | None:
        """Send one message once; see `Outbox.deliver`."""
        return await self.outbox.deliver(message)

    def stats(self) -> Json:
        """Requests by endpoint, statuses answered, calls over the limit, deliveries, injected faults."""
        return {**super().stats(), "throttled": self.meter.throttled}

    def reset(self) -> None:
        """Forget everything but the settings."""
        super().reset()
        self.state.reset()
        self.rest.tokens.clear()
        self.meter.reset()
