"""What the laws need of a far side: its sandbox behind a few deeds that every product knows.

A new integration adds one subclass here and names it in `CRMS` or `BOOKING_SYSTEMS`; the laws then hold for it too.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import httpx
from starlette.types import ASGIApp

from connector import registry
from connector.appointments import Client
from connector.booking_systems.base import BookingSystem
from connector.crms.base import CRM, NewCustomer
from connector.quota import Quota
from connector.sandbox.booxi import BooxiSandbox
from connector.sandbox.faults import Faults
from connector.sandbox.hubspot import HubSpotSandbox

NOWHERE = "http://far.test"


class FarSide(ABC):
    """A sandbox and the account we have there."""

    #: The name in the registry.
    system: str
    app: ASGIApp
    #: The sandbox behind `app`; it has `faults`.
    sandbox: Any

    @abstractmethod
    def settings(self, base_url: str) -> dict[str, Any]:
        """The account's table in the configuration, without limits."""

    @abstractmethod
    def refuse_key(self) -> None:
        """From now on our key is not accepted."""

    @abstractmethod
    def effects(self) -> int:
        """How many writes it has carried out."""

    def disturb(self, **faults: Any) -> None:
        """Misbehave from now on as `connector.sandbox.faults.Faults` says."""
        self.sandbox.faults = Faults(**faults)


class CrmFarSide(FarSide):
    """A CRM."""

    #: An id of the right form that nobody has.
    nobody: str

    def connect(self, base_url: str = NOWHERE) -> CRM:
        """The adapter, by default without a socket; with an address through a real server."""
        adapter = registry.crm(self.system)
        settings = adapter.settings_model.model_validate(self.settings(base_url))
        transport = httpx.ASGITransport(self.app) if base_url == NOWHERE else None
        return adapter.connect("main", settings, Quota, transport=transport)

    @abstractmethod
    def add(self, new: NewCustomer) -> str:
        """Add a customer by hand; returns the id."""

    @abstractmethod
    def merge(self, loser: str, survivor: str) -> str:
        """Merge two customers by hand; returns the id under which both are known from now on."""

    @abstractmethod
    def delete(self, customer_id: str) -> None:
        """Delete a customer by hand."""

    @abstractmethod
    def customers(self) -> list[str]:
        """The ids of all customers."""

    @abstractmethod
    def appointments(self) -> list[str]:
        """The ids of all appointments on customers' timelines."""

    @abstractmethod
    def delete_appointment(self, record_id: str) -> None:
        """Delete an appointment by hand."""

    @abstractmethod
    def unprepare(self) -> None:
        """Take away what `connector check --fix` makes."""


class BookingFarSide(FarSide):
    """A booking system."""

    #: An id of the right form that no client has.
    nobody: str

    def connect(self, base_url: str = NOWHERE) -> BookingSystem:
        """The adapter, by default without a socket; with an address through a real server."""
        adapter = registry.booking_system(self.system)
        settings = adapter.settings_model.model_validate(self.settings(base_url))
        transport = httpx.ASGITransport(self.app) if base_url == NOWHERE else None
        return adapter.connect("stores", settings, Quota, transport=transport)

    @abstractmethod
    def add(self, client: Client) -> str:
        """Add a client by hand; returns the id (the given one does not count)."""

    @abstractmethod
    def book(self, client_id: str, starts_at: datetime, place: int = 0) -> str:
        """Book at the place of this number; returns the appointment's id."""

    @abstractmethod
    def delivery(self, appointment_id: str) -> tuple[Mapping[str, str], Any]:
        """The webhook of an appointment: headers and parsed body."""

    @abstractmethod
    def store(self, client_id: str, customer_id: str, metadata: dict[str, Any] | None) -> None:
        """Store a link by hand."""

    @abstractmethod
    def stored(self, client_id: str) -> tuple[str | None, dict[str, Any] | None]:
        """The customer id and the metadata stored for a client."""

    @abstractmethod
    def merge(self, loser: str, survivor: str) -> None:
        """Merge a client into another one by hand."""


class HubSpot(CrmFarSide):
    """HubSpot."""

    system = "hubspot"
    nobody = "99999999"

    def __init__(self) -> None:
        self.sandbox = HubSpotSandbox(per_10_seconds=None, search_per_second=None, unique_properties=("connector_person_key",))
        self.app = self.sandbox.app

    def settings(self, base_url: str) -> dict[str, Any]:
        limits = {"per_10_seconds": 0, "search_per_second": 0}
        return {"system": "hubspot", "token": "sandbox-token", "base_url": base_url, "limits": limits, "timeout_seconds": 2}

    def refuse_key(self) -> None:
        self.sandbox.token = "another"

    def effects(self) -> int:
        counted = ("POST contacts", "PATCH contacts/{id}", "POST meetings", "PATCH meetings/{id}")
        return sum(self.sandbox.requests[name] for name in counted)

    def add(self, new: NewCustomer) -> str:
        names = {"first_name": "firstname", "last_name": "lastname", "mobile_phone": "mobilephone"}
        return self.sandbox.add_contact(**{names.get(key, key): value for key, value in new.model_dump().items() if value})

    def merge(self, loser: str, survivor: str) -> str:
        return self.sandbox.merge(survivor, loser)

    def delete(self, customer_id: str) -> None:
        self.sandbox.archive(customer_id)

    def customers(self) -> list[str]:
        return [contact["id"] for contact in self.sandbox.contacts()]

    def appointments(self) -> list[str]:
        return [meeting["id"] for meeting in self.sandbox.meetings()]

    def delete_appointment(self, record_id: str) -> None:
        self.sandbox.archive_meeting(record_id)

    def unprepare(self) -> None:
        self.sandbox.records.properties.clear()


class Booxi(BookingFarSide):
    """Booxi."""

    system = "booxi"
    nobody = "99999999"

    def __init__(self) -> None:
        self.sandbox = BooxiSandbox(quota=None, page_size=4)
        self.app = self.sandbox.app

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


#: One for each entry of `connector.registry.CRMS` and `connector.registry.BOOKING_SYSTEMS`.
CRMS: dict[str, type[CrmFarSide]] = {"hubspot": HubSpot}
BOOKING_SYSTEMS: dict[str, type[BookingFarSide]] = {"booxi": Booxi}
