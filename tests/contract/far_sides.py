"""What the laws need of a far side: its sandbox behind a few deeds that every product knows.

A new integration adds one subclass here and names it in `CRMS` or `BOOKING_SYSTEMS`; the laws then hold for it too.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import httpx
from starlette.types import ASGIApp

from connector import registry
from connector.booking_systems.base import BookingSystem
from connector.booking_systems.bookablesites.values import client_key
from connector.crms.base import CRM
from connector.model.bookings import Client
from connector.model.persons import NewCustomer
from connector.remote.rate_limit import Quota
from connector.sandbox.bookablesites.app import BookablesitesSandbox
from connector.sandbox.bookeo.app import BookeoSandbox
from connector.sandbox.bookingflow.app import BookingFlowSandbox
from connector.sandbox.booxi.app import BooxiSandbox
from connector.sandbox.hubspot.app import HubSpotSandbox
from connector.sandbox.kit.faults import Faults

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
        """Misbehave from now on as `connector.sandbox.kit.faults.Faults` says."""
        self.sandbox.faults = Faults(**faults)

    def disturb_writes(self, **faults: Any) -> None:
        """Misbehave whenever something is written; reads are answered."""
        self.disturb(methods=("POST", "PUT", "PATCH"), **faults)


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
    #: Whether others can keep metadata beside our id.
    keeps_metadata = True
    #: Whether clients can be merged, and the product says so.
    merges = True
    #: Whether its deliveries carry ids of their own.
    names_deliveries = True
    #: Whether each booking is a client of its own, because the product keeps no persons.
    clients_are_bookings = False

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

    def merge(self, loser: str, survivor: str) -> None:
        """Merge a client into another one by hand, where `merges` says that the product does."""
        raise AssertionError("nobody asks a product to merge that is not known to")


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


class Bookeo(BookingFarSide):
    """Bookeo, with the id in a custom field."""

    system = "bookeo"
    nobody = "2856CU999999"
    keeps_metadata = False
    merges = False

    def __init__(self) -> None:
        self.sandbox = BookeoSandbox(quota=None, page_size=4)
        self.app = self.sandbox.app

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


class Bookablesites(BookingFarSide):
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


class BookingFlow(BookingFarSide):
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
CRMS: dict[str, type[CrmFarSide]] = {"hubspot": HubSpot}
BOOKING_SYSTEMS: dict[str, type[BookingFarSide]] = {
    "bookablesites": Bookablesites,
    "bookeo": Bookeo,
    "bookingflow": BookingFlow,
    "booxi": Booxi,
}
