"""The contract's account in the Bookeo sandbox."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import httpx
from booking_systems.bookeo.shapes import conforming

from connector.model.bookings import Client
from connector.sandbox.bookeo.app import BookeoSandbox

from . import BookingAccount


class Account(BookingAccount):
    """Bookeo, with the id in a custom field."""

    system = "bookeo"
    nobody = "2856CU999999"
    keeps_metadata = False
    merges = False

    def __init__(self) -> None:
        self.sandbox = BookeoSandbox(quota=None, page_size=4)
        self.app = self.sandbox.app

    def checked(self, transport: httpx.AsyncBaseTransport) -> httpx.AsyncBaseTransport:
        return conforming(transport)

    def settings(self, base_url: str) -> dict[str, Any]:
        return {
            "system": "bookeo",
            "base_url": base_url,
            "api_key": "sandbox-api-key",
            "secret_key": "sandbox-secret-key",
            "limits": {"per_second": 0, "per_minute": 0},
            "backfill_window_days": 3,
            "backfill_customers": False,
            "timeout_seconds": 2,
        }

    def refuse_key(self) -> None:
        self.sandbox.api_key = "another"

    def effects(self) -> int:
        return self.sandbox.requests["PUT /customers/{id}"]

    def add(self, client: Client) -> str:
        phones = (("mobile", client.mobile_phone), ("home", client.home_phone))
        return self.sandbox.add_customer(
            firstName=client.first_name,
            lastName=client.last_name,
            emailAddress=client.email,
            phoneNumbers=[{"number": number, "type": type_} for type_, number in phones if number],
        )

    def book(self, client_id: str, starts_at: datetime, place: int = 0) -> str:
        return self.sandbox.book(client_id, starts_at=starts_at, productId=f"2856PR{place}")

    def delivery(self, appointment_id: str) -> tuple[Mapping[str, str], Any]:
        message = self.sandbox.queue("bookings", "created", appointment_id)
        path = "/webhooks/stores?domain=bookings&type=created"
        sent = self.sandbox.outbox.headers(message, f"https://hooks.example.com{path}")
        return {":path": path, **{name.lower(): value for name, value in sent.items()}}, message.data

    def _field(self) -> str:
        return self.sandbox.state.field_id("CRM customer id")

    def store(self, client_id: str, customer_id: str, metadata: dict[str, Any] | None) -> None:
        self.sandbox.state.set_custom(client_id, self._field(), customer_id)

    def stored(self, client_id: str) -> tuple[str | None, dict[str, Any] | None]:
        return self.sandbox.state.custom(client_id, self._field()), None
