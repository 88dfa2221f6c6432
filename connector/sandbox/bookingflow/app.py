"""A stateful BookingFlow for the demo, the tests and the benchmarks: a real HTTP application.

**Nearly all of it is synthetic**: the keyed API and the webhooks are announced (https://www.bookingflowai.com/developers) and
no public evidence shows them at work. From the announcement are the calls, Bearer keys that may be read-only, and the four
events; from the vendor's public source the booking's members and the answers' wrapper. Ours are the paging, the filter's
name, statuses of errors, that a DELETE keeps the booking as `canceled`, the envelope of deliveries, and that PUT takes single
members and free ones (`free_fields`). `/_sandbox` controls it and is no part of BookingFlow.
"""

from __future__ import annotations

import hmac
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import httpx
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from connector.sandbox.kit.application import BookingSandbox, Handler
from connector.sandbox.kit.control import ControlRoutes, Json, OutboxControlRoutes, moment
from connector.sandbox.kit.faults import Faults
from connector.sandbox.kit.json_outbox import Message, Outbox, Target
from connector.sandbox.kit.outbox import RETRIES

__all__ = ["BookingFlowSandbox", "Target"]

API = "/api/v1"
#: Where a delivery keeps the booking (synthetic): its id alone, the whole of it, or the whole of it at the root.
Envelope = Literal["id", "booking", "root"]
#: Members that a PUT may change; `free_fields` come on top.
WRITABLE = {"startAt", "endAt", "players", "customer"}


class BookingFlowSandbox(BookingSandbox[Outbox]):
    """One organisation. Serve `app` with `connector.sandbox.kit.server.Server`, or give it to `httpx.ASGITransport`.

    The API is under `/api/v1`. `clock` gives epoch seconds, `ticks` the seconds by which `per_minute` is counted. Actions
    queue deliveries; `send_webhooks` sends them to `webhook`.
    """

    def __init__(
        self,
        *,
        api_key: str = "sandbox-api-key",
        read_only: bool = False,
        free_fields: Sequence[str] = (),
        page_size: int = 50,
        pages: bool = True,
        filters: bool = True,
        per_minute: int | None = None,
        envelope: Envelope = "booking",
        event_ids: bool = True,
        webhook: Target | None = None,
        faults: Faults | None = None,
        clock: Callable[[], float] = time.time,
        ticks: Callable[[], float] = time.monotonic,
        retries: Sequence[float] = RETRIES,
        wait: Callable[[float], Awaitable[None]] | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self.api_key = api_key
        self.read_only = read_only
        self.free_fields = set(free_fields)
        self.page_size = page_size
        self.pages = pages
        self.filters = filters
        self.per_minute = per_minute
        self.envelope: Envelope = envelope
        self.event_ids = event_ids
        super().__init__(faults)
        self.bookings: dict[str, Json] = {}
        more: dict[str, Any] = {"wait": wait} if wait else {}
        self.outbox = Outbox(webhook, lambda: self.faults, retries=retries, transport=transport, **more)
        self._clock, self._ticks = clock, ticks
        self._calls: list[float] = []
        self._number = 0
        self._serve([*self._routes(), *self._control_routes().routes()])

    def _routes(self) -> list[Route]:
        table: list[tuple[str, str, Handler]] = [
            ("GET", "/public/me", lambda *_: _answer({"organization": {"id": "org_1"}, "readOnly": self.read_only})),
            ("GET", "/bookings", self._list),
            ("GET", "/bookings/{id}", self._get),
            ("PUT", "/bookings/{id}", self._put),
            ("DELETE", "/bookings/{id}", self._delete),
        ]
        return [Route(API + path, self._guarded(f"{m} {path}", action), methods=[m]) for m, path, action in table]

    def _refusal(self, request: Request) -> Response | None:
        given, wanted = request.headers.get("authorization", ""), f"Bearer {self.api_key}"
        if not hmac.compare_digest(given.encode("latin-1"), wanted.encode()):
            return _refused(401, "unauthorized")
        if self.read_only and request.method != "GET":
            return _refused(403, "forbidden")
        now = self._ticks()
        self._calls = [at for at in self._calls if at > now - 60.0] + [now]
        if self.per_minute is not None and len(self._calls) > self.per_minute:
            return _refused(429, "rate_limited", **{"X-RateLimit-Limit": str(self.per_minute), "X-RateLimit-Remaining": "0"})
        return None

    # The API.

    def _list(self, request: Request, _: Json) -> Response:
        query = request.query_params
        found = sorted(self.bookings.values(), key=lambda booking: (booking["startAt"], booking["bookingId"]))
        if self.filters:
            found = [b for b in found if query.get("date", b["startAt"][:10]) == b["startAt"][:10]]
        if status := query.get("status"):
            found = [b for b in found if b["status"] == status]
        if self.pages:
            number, size = _number(query.get("page"), 1), min(_number(query.get("limit"), 50), self.page_size)
            found = found[(number - 1) * size : number * size]
        return _answer({"bookings": found})

    def _get(self, request: Request, _: Json) -> Response:
        booking = self.bookings.get(request.path_params["id"])
        return _refused(404, "booking_not_found") if booking is None else _answer({"booking": booking})

    def _put(self, request: Request, body: Json) -> Response:
        booking = self.bookings.get(request.path_params["id"])
        if booking is None:
            return _refused(404, "booking_not_found")
        if not body or not body.keys() <= WRITABLE | self.free_fields:
            return _refused(400, "invalid_request")
        self._change(booking, "booking.updated", **body)
        return _answer({"booking": booking})

    def _delete(self, request: Request, _: Json) -> Response:
        booking = self.bookings.get(request.path_params["id"])
        if booking is None:
            return _refused(404, "booking_not_found")
        self._change(booking, "booking.canceled", status="canceled")
        return _answer({})

    # What happens at the venue. Each action queues a delivery.

    def book(
        self, *, name: str = "", email: str = "", phone: str = "", starts_at: datetime | None = None, **fields: Any
    ) -> str:
        """Book for a person; returns the booking's id. Further fields go into the booking as they are."""
        self._number += 1
        now = datetime.fromtimestamp(self._clock(), UTC)
        start = starts_at or (now + timedelta(days=1)).replace(minute=0, second=0, microsecond=0)
        hold = f"hold{self._number:06}"
        booking: Json = {
            "orgId": "org_1",
            "bookingId": f"booking_{hold}",
            "holdId": hold,
            "gameId": "game_vault",
            "roomId": "room_2",
            "bookingType": "private",
            "startAt": _stamp(start),
            "endAt": _stamp(start + timedelta(hours=1)),
            "players": 4,
            "status": "confirmed",
            "createdAt": _stamp(now),
            "currency": "USD",
            "totalCents": 12_000,
            "paymentStatus": "unpaid",
            "customer": {"name": name, "phone": phone, "email": email},
            **fields,
        }
        self.bookings[booking["bookingId"]] = booking
        self.queue(booking, "booking.created")
        return str(booking["bookingId"])

    def reschedule(self, booking_id: str, starts_at: datetime) -> None:
        """Move a booking."""
        booking, end = self.bookings[booking_id], starts_at + timedelta(hours=1)
        self._change(booking, "booking.updated", startAt=_stamp(starts_at), endAt=_stamp(end))

    def cancel(self, booking_id: str) -> None:
        """Cancel a booking; it stays in the list."""
        self._change(self.bookings[booking_id], "booking.canceled", status="canceled")

    def set_status(self, booking_id: str, status: str) -> None:
        """Give a booking another status, such as `no-show` (synthetic: two statuses are known)."""
        self._change(self.bookings[booking_id], "booking.updated", status=status)

    def pay(self, booking_id: str) -> None:
        """Pay a booking in full."""
        self._change(self.bookings[booking_id], "payment.succeeded", paymentStatus="paid_full")

    def delete(self, booking_id: str) -> None:
        """Remove a booking altogether; the webhook says "canceled" (synthetic)."""
        self.queue(self.bookings.pop(booking_id), "booking.canceled")

    def _change(self, booking: Json, event: str, **fields: Any) -> None:
        booking.update(fields)
        self.queue(booking, event)

    # What the sandbox tells others.

    def queue(self, booking: Json, event: str) -> Message:
        """Queue a delivery about a booking as it stands now, in the envelope chosen for this sandbox."""
        self._number += 1
        own = {"id": f"evt_{self._number:08}"} if self.event_ids else {}
        content: dict[Envelope, Json] = {
            "id": {"data": {"bookingId": booking["bookingId"]}},
            "booking": {"data": {"booking": dict(booking)}},
            "root": dict(booking),
        }
        return self.outbox.add(Message({**own, "type": event, **content[self.envelope]}))

    def snapshot(self) -> Json:
        """Everything the sandbox remembers, and what waits to be sent."""
        return {"bookings": list(self.bookings.values()), "waiting": [dict(message.body) for message in self.outbox.waiting]}

    def reset(self) -> None:
        """Forget everything but the settings."""
        super().reset()
        self.bookings.clear()
        self._calls.clear()

    def _control_routes(self) -> ControlRoutes:
        control = OutboxControlRoutes(self, self.outbox)
        control.add("GET", "/state", self.snapshot)
        control.add("POST", "/bookings", control.sending(self._book))
        control.add("POST", "/bookings/{booking_id}/{action}", control.sending(self._do))
        return control

    def _book(self, *, starts_at: str | None = None, **fields: Any) -> Json:
        return {"bookingId": self.book(starts_at=moment(starts_at) if starts_at else None, **fields)}

    def _do(self, *, booking_id: str, action: str, **fields: Any) -> Json:
        if action == "reschedule":
            self.reschedule(booking_id, moment(fields["starts_at"]))
        else:
            actions: dict[str, Callable[..., None]] = {
                "cancel": self.cancel,
                "status": self.set_status,
                "pay": self.pay,
                "delete": self.delete,
            }
            actions[action](booking_id, **fields)
        return {"bookingId": booking_id}


def _answer(data: Json) -> Response:
    return JSONResponse({"ok": True, **data})


def _refused(status: int, code: str, **headers: str) -> Response:
    return JSONResponse({"ok": False, "error": code, "message": code.replace("_", " ")}, status, headers=headers)


def _number(text: str | None, otherwise: int) -> int:
    return max(1, int(text)) if text and text.isascii() and text.isdigit() and len(text) < 10 else otherwise


def _stamp(value: datetime) -> str:
    return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
