"""A stateful Bookablesites for the demo, the tests and the benchmarks: a real HTTP application.

It follows what is known of Trafft, which Bookablesites seems to be a white label of (inferred). **Synthetic** is what no
page says, an argument where it matters: which generation of the API an account has, whether lists say their length, how long
tokens live, the content type of deliveries, whether the token comes bare or after "Bearer", one delivery for each booking of
an appointment, and all that `bookablesites_state`, `bookablesites_rest` and `json_outbox` list. `/_sandbox` controls it.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Any

import httpx
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from connector.sandbox.bookablesites.rest import Generation, Rest
from connector.sandbox.bookablesites.state import API_TIME, BookablesitesState, Json
from connector.sandbox.kit.application import BookingSandbox
from connector.sandbox.kit.control import ControlRoutes, OutboxControlRoutes, moment
from connector.sandbox.kit.faults import Faults
from connector.sandbox.kit.json_outbox import Encoding, Message, Outbox, Target
from connector.sandbox.kit.outbox import RETRIES

__all__ = ["BookablesitesSandbox", "Target"]


class BookablesitesSandbox(BookingSandbox[Outbox]):
    """One Bookablesites account. Serve `app` with `connector.sandbox.kit.server.Server`, or give it to `httpx.ASGITransport`.

    The API is under `/api/v1` and `/api/v2`, or under one of them (`apis`). `clock` gives epoch seconds. Actions queue
    deliveries, one for each booking; `send_webhooks` sends them to `webhook`, with the event in the query.
    """

    def __init__(
        self,
        *,
        apis: Sequence[Generation] = ("v1", "v2"),
        client_id: str = "sandbox-client",
        client_secret: str = "sandbox-client-secret",  # noqa: S107 - known to the sandbox only
        token_seconds: float = 3600.0,
        paginates: bool = True,
        zone: str = "Europe/Paris",
        date_format: str = "%d/%m/%Y %I:%M %p",
        encoding: Encoding = "json",
        webhook: Target | None = None,
        faults: Faults | None = None,
        clock: Callable[[], float] = time.time,
        retries: Sequence[float] = RETRIES,
        wait: Callable[[float], Awaitable[None]] | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        super().__init__(faults)
        self.date_format = date_format
        self.encoding: Encoding = encoding
        self.state = BookablesitesState(zone, clock)
        self.client_id = client_id
        self.client_secret = client_secret
        self.token_seconds = token_seconds
        self.paginates = paginates
        self.clock = clock
        #: Token → when it ends.
        self.tokens: dict[str, float] = {}
        more: dict[str, Any] = {"wait": wait} if wait else {}
        self.outbox = Outbox(webhook, lambda: self.faults, retries=retries, transport=transport, **more)
        routes = [route for api in apis for route in Rest(self.state, api, self).routes(self._guarded)]
        self._serve([*routes, *self._control_routes().routes()])

    def _refusal(self, request: Request) -> Response | None:
        """A token that lives is needed."""
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        allowed = scheme.lower() == "bearer" and self.tokens.get(token, 0.0) > self.clock()
        return None if allowed else JSONResponse({"message": "Unauthenticated."}, 401)

    def _control_routes(self) -> ControlRoutes:
        control = OutboxControlRoutes(self, self.outbox)
        control.add("GET", "/state", self.snapshot)
        control.add("POST", "/expire_tokens", self.expire_tokens)
        control.add("POST", "/customers", control.sending(lambda **fields: {"customerId": self.add_customer(**fields)}))
        control.add("POST", "/appointments", control.sending(self._book))
        control.add("POST", "/appointments/{appointment:int}/{action}", control.sending(self._change))
        return control

    # What happens at the salon. Each action about an appointment queues a delivery for each booking.

    def add_customer(self, **fields: Any) -> int:
        """Add a customer (`first_name`, `last_name`, `email`, `phone`), and tell by "Customer Created"; returns the id."""
        customer = self.state.add_customer(**fields)
        self.outbox.add(Message(self._person(customer), {"event": "customer"}, self.encoding))
        return customer

    def book(
        self,
        *customers: int,
        starts_at: datetime | None = None,
        service: str = "Haircut",
        status: str = "approved",
        minutes: int = 45,
    ) -> int:
        """Book one appointment for one or several customers; returns its id."""
        appointment = self.state.book(customers, starts_at, service, status, minutes)
        self.queue(appointment, "booked")
        return appointment

    def reschedule(self, appointment: int, starts_at: datetime) -> None:
        """Move an appointment."""
        self.state.move(appointment, starts_at)
        self.queue(appointment, "rescheduled")

    def cancel(self, appointment: int) -> None:
        """Cancel an appointment."""
        self.state.set_status(appointment, "canceled")
        self.queue(appointment, "canceled")

    def set_status(self, appointment: int, status: str, customer: int | None = None) -> None:
        """Set the status: of all, or of one customer's booking alone."""
        self.state.set_status(appointment, status, customer)
        self.queue(appointment, "status", customer)

    def no_show(self, appointment: int, customer: int | None = None) -> None:
        """Note that the customer did not come."""
        self.set_status(appointment, "no-show", customer)

    def delete(self, appointment: int) -> None:
        """Remove an appointment altogether; the webhook says "canceled" (synthetic)."""
        self.state.set_status(appointment, "canceled")
        self.queue(appointment, "canceled")
        del self.state.appointments[appointment]

    def expire_tokens(self) -> None:
        """Make every token handed out so far invalid."""
        self.tokens.clear()

    def descriptions(self) -> dict[int, str]:
        """What was written as description, by customer."""
        return dict(self.state.descriptions)

    # What the sandbox tells others.

    def queue(self, appointment: int, event: str, customer: int | None = None) -> list[Message]:
        """Queue a delivery for each booking (or for one customer's) and return them."""
        record = self.state.appointments[appointment]
        found = []
        for booking in record["bookings"]:
            if customer in (None, booking["customer"]["id"]):
                found.append(self.outbox.add(Message(self._body_of(record, booking), {"event": event}, self.encoding)))
        return found

    def _body_of(self, record: Json, booking: Json) -> Json:
        """The flat body, by the member names of https://trafft.com/docs/custom-features/configure-webhooks/."""
        return {
            "appointmentStatus": booking["status"],
            "appointmentStartDateTime": self._displayed(record["start_date_time"]),
            "appointmentEndDateTime": self._displayed(record["end_date_time"]),
            "appointmentPrice": "$45.00",
            **self._person(booking["customer"]["id"]),
            "employeeFullName": "Robin Example",
            "employeeEmail": "robin@example.com",
            "serviceName": record["service"]["name"],
            "serviceDuration": "45min",
            "locationName": record["location"]["name"],
        }

    def _person(self, customer: int) -> Json:
        record = self.state.customers[customer]
        return {
            "customerFullName": f"{record['first_name']} {record['last_name']}".strip(),
            "customerFirstName": record["first_name"],
            "customerLastName": record["last_name"],
            "customerEmail": record["email"],
            "customerPhone": f"{record['phone_country_code']}{record['phone_number']}",
        }

    def _displayed(self, api_time: str) -> str:
        """A time as the account's settings display it."""
        return datetime.strptime(api_time, API_TIME).strftime(self.date_format)  # noqa: DTZ007

    def snapshot(self) -> Json:
        """Everything the sandbox remembers, and what waits to be sent."""
        return {
            "customers": list(self.state.customers.values()),
            "appointments": [self.state.shown(one) for one in self.state.appointments.values()],
            "descriptions": {str(customer): text for customer, text in self.state.descriptions.items()},
            "waiting": [{**message.query, **message.body} for message in self.outbox.waiting],
        }

    def reset(self) -> None:
        """Forget everything but the settings."""
        super().reset()
        self.state.reset()
        self.tokens.clear()

    # Actions as the control routes name them.

    def _book(self, *, customers: list[int], starts_at: str | None = None, **fields: Any) -> Json:
        return {"appointmentId": self.book(*customers, starts_at=moment(starts_at) if starts_at else None, **fields)}

    def _change(self, *, appointment: int, action: str, **fields: Any) -> Json:
        if action == "reschedule":
            self.reschedule(appointment, moment(fields["starts_at"]))
        else:
            actions: dict[str, Callable[..., None]] = {
                "cancel": self.cancel,
                "no_show": self.no_show,
                "status": self.set_status,
                "delete": self.delete,
            }
            actions[action](appointment, **fields)
        return {"appointmentId": appointment}
