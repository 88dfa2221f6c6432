"""The contract's account in the BookingFlow sandbox."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from connector.model.bookings import Client
from connector.sandbox.bookingflow.app import BookingFlowSandbox

from . import BookingAccount


class Account(BookingAccount):
    """BookingFlow, with a field of the booking for the id, as nobody says it has one."""

    system = "bookingflow"
    nobody = "booking:booking_nobody"
    keeps_metadata = False
    merges = False
    clients_are_bookings = True

    def __init__(self) -> None:
        self.sandbox = BookingFlowSandbox(page_size=4, free_fields=("externalId",))
        self.app = self.sandbox.app

    def settings(self, base_url: str) -> dict[str, Any]:
        return {
            "system": "bookingflow",
            "base_url": f"{base_url}/api/v1",
            "api_key": "sandbox-api-key",
            "path_key": "a-key-for-the-address",
            "write_back_field": "externalId",
            "limits": {"per_second": 0, "per_minute": 0},
            "timeout_seconds": 2,
            "webhook": {"verify": "none"},
        }

    def refuse_key(self) -> None:
        self.sandbox.api_key = "another"

    def effects(self) -> int:
        return self.sandbox.requests["PUT /bookings/{id}"]

    def add(self, client: Client) -> str:
        """Somebody who booked long ago."""
        name = f"{client.first_name} {client.last_name}"
        long_ago = datetime(2001, 1, 1, tzinfo=UTC)
        booking = self.sandbox.book(name=name, email=client.email, phone=client.mobile_phone, starts_at=long_ago)
        return f"booking:{booking}"

    def book(self, client_id: str, starts_at: datetime, place: int = 0) -> str:
        person = self.sandbox.bookings[client_id.removeprefix("booking:")]["customer"]
        return self.sandbox.book(**person, starts_at=starts_at, roomName=f"Room {place}")

    def delivery(self, appointment_id: str) -> tuple[Mapping[str, str], Any]:
        return {}, dict(self.sandbox.queue(self.sandbox.bookings[appointment_id], "booking.created").body)

    def _booking(self, client_id: str) -> dict[str, Any]:
        return self.sandbox.bookings[client_id.removeprefix("booking:")]

    def store(self, client_id: str, customer_id: str, metadata: dict[str, Any] | None) -> None:
        self._booking(client_id)["externalId"] = customer_id

    def stored(self, client_id: str) -> tuple[str | None, dict[str, Any] | None]:
        return self._booking(client_id).get("externalId"), None


#: One for each entry of `connector.registry.CRMS` and `connector.registry.BOOKING_SYSTEMS`.
