"""A stateful Booxi for the demo, the tests and the benchmarks: a real HTTP application with Booxi's documented rules.

Only what the connector uses is here: clients, module links, bookings, merchants, webhooks. **Synthetic** are the things
no public page says, and they are arguments where it matters: the status of a merged client's answer (409), whether a
missing link is a 404 or an empty link, the code numbers and the texts of errors, the status of a refused key (401) and
of an unknown module (403), page sizes, the form and the life of cursors, how many clients a search answers, that both
ends of from/to are inclusive, and all that `booxi_state` and `booxi_webhooks` list. Paths under `/_sandbox` control the
sandbox and are no part of Booxi.
"""

from __future__ import annotations

import hmac
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import datetime
from typing import Any, Literal

import httpx
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from connector.sandbox.booxi.control import control_routes
from connector.sandbox.booxi.rest import Rest
from connector.sandbox.booxi.state import BooxiState, Json
from connector.sandbox.booxi.webhooks import Outbox, Spelling, Target
from connector.sandbox.kit.application import BookingSandbox, Meter
from connector.sandbox.kit.faults import Faults
from connector.sandbox.kit.outbox import RETRIES

__all__ = ["BooxiSandbox", "Target"]

#: Booxi's fair use: calls a second, calls a minute.
QUOTA = (5, 300)


class BooxiSandbox(BookingSandbox[Outbox]):
    """One Booxi. Serve `app` with `connector.sandbox.kit.server.Server`, or give it to `httpx.ASGITransport`.

    The API is under `/booking/v1`. `faults` may be replaced at any time. `clock` gives epoch seconds, `ticks` the
    seconds by which the quota is counted. Events queue up until `send_webhooks` sends them to `webhook`.
    """

    def __init__(
        self,
        *,
        partner_key: str = "sandbox-partner-key",
        module_ids: Iterable[str] = ("hubspot",),
        merchants: int | Iterable[Json] = 3,
        quota: tuple[int, int] | None = QUOTA,
        webhook: Target | None = None,
        faults: Faults | None = None,
        clock: Callable[[], float] = time.time,
        ticks: Callable[[], float] = time.monotonic,
        page_size: int = 50,
        search_size: int = 10,
        merged_status: int = 409,
        absent_link: Literal["404", "empty"] = "404",
        put_answer: Literal["link", "nothing"] = "link",
        spelling: Spelling = "id",
        links_in_webhooks: bool = True,
        links_in_lists: bool = False,
        retries: Sequence[float] = RETRIES,
        wait: Callable[[float], Awaitable[None]] | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self.partner_key = partner_key
        super().__init__(faults)
        self.state = BooxiState(module_ids, merchants, clock)
        self.meter = Meter(quota, ticks)
        more: dict[str, Any] = {"wait": wait} if wait else {}
        self.outbox = Outbox(webhook, lambda: self.faults, retries=retries, transport=transport, **more)
        self.rest = Rest(
            self.state,
            page_size=page_size,
            search_size=search_size,
            merged_status=merged_status,
            absent_link=absent_link,
            put_answer=put_answer,
            links_in_lists=links_in_lists,
        )
        self.spelling = spelling
        self.links_in_webhooks = links_in_webhooks
        self._serve([*self.rest.routes(self._guarded), *control_routes(self)])

    def _refusal(self, request: Request) -> Response | None:
        key = request.headers.get("booxi-partnerkey", "")
        if not hmac.compare_digest(key.encode("latin-1"), self.partner_key.encode()):
            return JSONResponse({"message": "The partner key is not valid.", "code": 401}, 401)
        if not self.meter.count():
            self.meter.throttled += 1
            return JSONResponse({"message": "Too many requests.", "code": 429}, 429)
        return None

    def _answered(self, response: Response) -> None:
        # A 400 counts twice.
        if response.status_code == 400:
            self.meter.count()

    # What happens at the store. Each action about a booking queues an event.

    def add_client(self, **fields: Any) -> int:
        """Add a client record with Booxi's field names; returns its id."""
        return self.state.add_client(**fields)

    def book(
        self, client_id: int | None = None, *, client: Json | None = None, starts_at: datetime | None = None, **fields: Any
    ) -> str:
        """Book for a known client, or for contact data which are matched as Booxi matches; returns the booking's id.

        Further fields: `merchant_id`, `service`, `attendees` (client ids), and any field of the booking itself.
        """
        if client_id is None and client is not None:
            client_id = self.state.match_client(client)
        booking_id = self.state.book(client_id, starts_at=starts_at, **fields)
        self.queue_event(booking_id, "created")
        return booking_id

    def update_booking(self, booking_id: str, **fields: Any) -> None:
        """Change fields of a booking."""
        self.state.change(booking_id, **fields)
        self.queue_event(booking_id, "updated")

    def cancel(self, booking_id: str) -> None:
        """Cancel a booking."""
        self.state.change(booking_id, presence="Expecting", status="Cancelled")
        self.queue_event(booking_id, "status_updated")

    def no_show(self, booking_id: str) -> None:
        """Note that the client did not come."""
        self.state.change(booking_id, presence="NoShow")
        self.queue_event(booking_id, "status_updated")

    def complete(self, booking_id: str) -> None:
        """Note that the appointment took place."""
        self.state.change(booking_id, presence="Arrived", isCompleted=True)
        self.queue_event(booking_id, "status_updated")

    def merge_clients(self, loser: int, survivor: int) -> None:
        """Merge a client away; calls about it then name the survivor."""
        self.state.merge(loser, survivor)

    def set_link(self, client_id: int, external_id: str, *, module_id: str | None = None, metadata: Json | None = None) -> None:
        """Store a link, by default under the first module."""
        self.state.set_link(client_id, module_id or self.state.module_ids[0], external_id, metadata)

    def links(self, module_id: str | None = None) -> dict[int, str]:
        """External ids by client, of one module."""
        wanted = module_id or self.state.module_ids[0]
        return {client: link["externalId"] for (client, module), link in self.state.links.items() if module == wanted}

    def expire_cursors(self) -> None:
        """Make every cursor handed out so far invalid."""
        self.rest.cursor_epoch += 1

    # What the sandbox tells others.

    def queue_event(self, booking_id: str, action: str) -> Json:
        """Queue `appointment.<action>` or `reservation.<action>` for a booking and return the body."""
        booking = self.state.bookings[booking_id]
        family = "appointment" if booking["bookingMethod"] == "Appointment" else "reservation"
        content: Json = {"booking": booking}
        if self.links_in_webhooks:
            content["clientLinks"] = self.state.links_of(booking)
        return self.outbox.add(f"{family}.{action}", content, self.spelling)

    async def deliver(self, body: Json) -> int | None:
        """Send one body once; see `Outbox.deliver`."""
        return await self.outbox.deliver(body)

    def stats(self) -> Json:
        """Requests by endpoint, statuses answered, calls over the quota, deliveries, injected faults."""
        return {**super().stats(), "throttled": self.meter.throttled}

    def reset(self) -> None:
        """Forget everything but the settings."""
        super().reset()
        self.state.reset()
        self.meter.reset()
