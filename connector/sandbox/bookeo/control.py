"""The routes under `/_sandbox` by which curl and process-level tests control a Bookeo sandbox. No part of Bookeo."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from starlette.routing import Route

from connector.sandbox.bookeo.state import Json
from connector.sandbox.kit.control import Action, ControlRoutes, check_local, moment

if TYPE_CHECKING:
    from connector.sandbox.bookeo.app import BookeoSandbox


def control_routes(sandbox: BookeoSandbox) -> list[Route]:
    """All routes."""
    control = Control(sandbox)
    control.add("GET", "/state", control.state)
    control.add("POST", "/customers", control.sending(lambda **fields: {"id": sandbox.add_customer(**fields)}))
    control.add("POST", "/customers/{customer_id}/{action}", control.sending(control.change_customer))
    control.add("POST", "/bookings", control.sending(control.book))
    control.add("POST", "/bookings/{number}/{action}", control.sending(control.change))
    control.add("POST", "/expire_tokens", sandbox.expire_tokens)
    return control.routes()


class Control(ControlRoutes):
    """The actions which are more than a method of the sandbox."""

    product = "Bookeo"

    def __init__(self, sandbox: BookeoSandbox) -> None:
        super().__init__(sandbox)
        self.bookeo = sandbox

    @property
    def ready(self) -> bool:
        """Whether any webhook is registered: what is sent before that is heard by nobody."""
        return bool(self.bookeo.state.webhooks)

    def state(self) -> Json:
        """Everything the sandbox remembers, and what waits to be sent."""
        state = self.bookeo.state
        return {
            "customers": list(state.customers.values()),
            "bookings": list(state.bookings.values()),
            "fields": state.fields,
            "webhooks": list(state.webhooks.values()),
            "waiting": [{"id": m.id, "domain": m.domain, "type": m.type} for m in self.bookeo.outbox.waiting],
        }

    def put_webhook(self, *, url: str) -> Json:  # type: ignore[override]
        """Say where messages really go (`url`, on this machine only), whatever host was registered."""
        check_local(url)
        self.bookeo.outbox.via = url
        return {"url": url}

    def change_customer(self, *, customer_id: str, action: str, **fields: Any) -> Json:
        """`update` with fields, or `delete`."""
        actions: dict[str, Action] = {"update": self.bookeo.update_customer, "delete": self.bookeo.delete_customer}
        actions[action](customer_id, **fields)
        return {"id": customer_id}

    def book(
        self, *, customer_id: str | None = None, customer: Json | None = None, starts_at: str | None = None, **fields: Any
    ) -> Json:
        """Book for `customer_id`, or for a new `customer`; `starts_at`; and any members of a booking."""
        if customer_id is None:
            customer_id = self.bookeo.add_customer(**(customer or {}))
        number = self.bookeo.book(customer_id, starts_at=moment(starts_at) if starts_at is not None else None, **fields)
        return {"bookingNumber": number, "customerId": customer_id}

    def change(self, *, number: str, action: str, **fields: Any) -> Json:
        """`update` with fields, `cancel`, `no_show` or `delete`."""
        actions: dict[str, Action] = {
            "update": self.bookeo.update_booking,
            "cancel": self.bookeo.cancel,
            "no_show": self.bookeo.no_show,
            "delete": self.bookeo.delete_booking,
        }
        actions[action](number, **fields)
        return {"bookingNumber": number}
