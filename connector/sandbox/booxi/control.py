"""The routes under `/_sandbox` by which curl and process-level tests control a Booxi sandbox. No part of Booxi."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from starlette.routing import Route

from connector.sandbox.booxi.state import InvalidExternalId, Json
from connector.sandbox.booxi.webhooks import Target
from connector.sandbox.kit.control import ControlRoutes, Unacceptable, check_local, moment

if TYPE_CHECKING:
    from connector.sandbox.booxi.app import BooxiSandbox


def control_routes(sandbox: BooxiSandbox) -> list[Route]:
    """All routes."""
    control = Control(sandbox)
    control.add("GET", "/state", control.state)
    control.add("POST", "/clients", lambda **fields: {"clientId": sandbox.add_client(**fields)})
    control.add("POST", "/bookings", control.sending(control.book))
    control.add("POST", "/bookings/{booking_id}/{action}", control.sending(control.change))
    control.add("POST", "/merge", sandbox.merge_clients)
    control.add("PUT", "/links", control.link)
    control.add("POST", "/expire_cursors", sandbox.expire_cursors)
    return control.routes()


class Control(ControlRoutes):
    """The actions which are more than a method of the sandbox."""

    product = "Booxi"

    def __init__(self, sandbox: BooxiSandbox) -> None:
        super().__init__(sandbox)
        self.booxi = sandbox

    def state(self) -> Json:
        """Everything the sandbox remembers, and what waits to be sent."""
        state = self.booxi.state
        return {
            "merchants": list(state.merchants.values()),
            "clients": list(state.clients.values()),
            "bookings": list(state.bookings.values()),
            "links": list(state.links.values()),
            "merged": {str(loser): survivor for loser, survivor in state.merged.items()},
            "waiting": self.booxi.outbox.waiting,
        }

    def put_webhook(self, **fields: Any) -> Json:
        """Say where events go: `url` (on this machine only), `token`, `header`, `method`."""
        target = Target(**fields)
        check_local(target.url)
        if target.method not in ("POST", "PUT"):
            raise ValueError("method is POST or PUT")
        self.booxi.outbox.target = target
        return {"url": target.url, "method": target.method, "header": target.header}

    def link(self, **fields: Any) -> None:
        """Store a link; `BooxiSandbox.set_link` says which fields."""
        try:
            self.booxi.set_link(**fields)
        except InvalidExternalId:
            raise Unacceptable("the external id is blank or too long") from None

    def book(self, *, starts_at: str | None = None, **fields: Any) -> Json:
        """Book: `client_id`, or `client` with contact data; `starts_at`; and what `BooxiSandbox.book` takes."""
        booking_id = self.booxi.book(starts_at=moment(starts_at) if starts_at is not None else None, **fields)
        client = self.booxi.state.bookings[booking_id].get("client") or {}
        return {"bookingId": booking_id, "clientId": client.get("id")}

    def change(self, *, booking_id: str, action: str, **fields: Any) -> Json:
        """`update` with fields, `cancel`, `no_show` or `complete`."""
        actions: dict[str, Callable[..., None]] = {
            "update": self.booxi.update_booking,
            "cancel": self.booxi.cancel,
            "no_show": self.booxi.no_show,
            "complete": self.booxi.complete,
        }
        actions[action](booking_id, **fields)
        return {"bookingId": booking_id}
