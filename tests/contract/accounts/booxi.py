"""The contract's account in the Booxi sandbox."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import httpx
from booking_systems.booxi.shapes import conforming

from connector.model.bookings import Client
from connector.sandbox.booxi.app import BooxiSandbox

from . import BookingAccount


class Account(BookingAccount):
    """Booxi."""

    system = "booxi"
    nobody = "99999999"

    def __init__(self) -> None:
        self.sandbox = BooxiSandbox(quota=None, page_size=4)
        self.app = self.sandbox.app

    def checked(self, transport: httpx.AsyncBaseTransport) -> httpx.AsyncBaseTransport:
        return conforming(transport)

    def settings(self, base_url: str) -> dict[str, Any]:
        return {
            "system": "booxi",
            "base_url": base_url,
            "partner_key": "sandbox-partner-key",
            "module_id": "hubspot",
            "limits": {"per_second": 0, "per_minute": 0},
            "webhook": {"verify": "none"},
            "backfill_window_days": 3,
            "timeout_seconds": 2,
        }

    def refuse_key(self) -> None:
        self.sandbox.partner_key = "another"

    def effects(self) -> int:
        return self.sandbox.requests["PUT /client/{clientId}/moduleLink/{moduleId}"]

    def add(self, client: Client) -> str:
        names = {
            "first_name": "firstName",
            "last_name": "lastName",
            "email": "email",
            "mobile_phone": "mobilePhoneNumber",
            "home_phone": "homePhoneNumber",
        }
        return str(self.sandbox.add_client(**{theirs: getattr(client, ours) for ours, theirs in names.items()}))

    def book(self, client_id: str, starts_at: datetime, place: int = 0) -> str:
        merchants = sorted(self.sandbox.state.merchants)
        return self.sandbox.book(int(client_id), starts_at=starts_at, merchant_id=merchants[place % len(merchants)])

    def delivery(self, appointment_id: str) -> tuple[Mapping[str, str], Any]:
        return {"content-type": "application/json"}, self.sandbox.queue_event(appointment_id, "created")

    def store(self, client_id: str, customer_id: str, metadata: dict[str, Any] | None) -> None:
        self.sandbox.set_link(int(client_id), customer_id, metadata=metadata)

    def stored(self, client_id: str) -> tuple[str | None, dict[str, Any] | None]:
        link = self.sandbox.state.links.get((int(client_id), "hubspot"), {})
        return link.get("externalId"), link.get("metadata")

    def merge(self, loser: str, survivor: str) -> None:
        self.sandbox.merge_clients(int(loser), int(survivor))
