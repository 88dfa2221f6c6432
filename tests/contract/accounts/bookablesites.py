"""The contract's account in the Bookablesites sandbox."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from connector.booking_systems.bookablesites.values import client_key
from connector.model.bookings import Client
from connector.sandbox.bookablesites.app import BookablesitesSandbox

from . import BookingAccount


class Account(BookingAccount):
    """Bookablesites, with links that are ours alone: what can be written there cannot be read."""

    system = "bookablesites"
    nobody = "0" * 32
    keeps_metadata = False
    merges = False
    names_deliveries = False

    def __init__(self) -> None:
        self.sandbox = BookablesitesSandbox()
        self.app = self.sandbox.app

    def settings(self, base_url: str) -> dict[str, Any]:
        return {
            "system": "bookablesites",
            "base_url": base_url,
            "api": "v2",
            "client_id": "sandbox-client",
            "client_secret": "sandbox-client-secret",
            "path_key": "a-key-for-the-address",
            "date_format": "%d/%m/%Y %I:%M %p",
            "time_zone": "Europe/Paris",
            "limits": {"per_second": 0, "per_minute": 0},
            "page_size": 4,
            "timeout_seconds": 2,
            "webhook": {"verify": "none"},
        }

    def refuse_key(self) -> None:
        self.sandbox.client_secret = "another"
        self.sandbox.expire_tokens()

    def effects(self) -> int:
        return self.sandbox.requests["PATCH /customers/{id}"]

    def add(self, client: Client) -> str:
        if self.sandbox.state.by_email(client.email) is None:
            self.sandbox.add_customer(
                first_name=client.first_name, last_name=client.last_name, email=client.email, phone=client.mobile_phone
            )
        return client_key("stores", client.email, "", "") or ""

    def book(self, client_id: str, starts_at: datetime, place: int = 0) -> str:
        known = self.sandbox.state.customers.items()
        customer = next(id_ for id_, one in known if client_key("stores", one["email"], "", "") == client_id)
        return str(self.sandbox.book(customer, starts_at=starts_at, service=f"Cut {place}"))

    def delivery(self, appointment_id: str) -> tuple[Mapping[str, str], Any]:
        (letter,) = self.sandbox.queue(int(appointment_id), "booked")
        return {":path": "/webhooks/stores?event=booked&key=a-key-for-the-address"}, dict(letter.body)

    def store(self, client_id: str, customer_id: str, metadata: dict[str, Any] | None) -> None:
        """There is no place for a link."""

    def stored(self, client_id: str) -> tuple[str | None, dict[str, Any] | None]:
        return None, None
