"""What the contract suites need of a remote system: its sandbox, and a few operations that every product knows.

A new integration adds one module here, named as in the registry, whose class `Account` answers for it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from datetime import datetime
from importlib import import_module
from typing import Any, ClassVar

import httpx
from starlette.types import ASGIApp

from connector import registry
from connector.booking_systems.base import BookingSystem
from connector.crms.base import CRM
from connector.model.bookings import Client
from connector.model.persons import NewCustomer
from connector.remote.rate_limit import Quota
from connector.sandbox.kit.faults import Faults

NOWHERE = "http://far.test"


class SandboxAccount(ABC):
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

    def checked(self, transport: httpx.AsyncBaseTransport) -> httpx.AsyncBaseTransport:
        """The way to the sandbox, held to the shapes that the product publishes, where we have written them down."""
        return transport

    def disturb(self, **faults: Any) -> None:
        """Misbehave from now on as `connector.sandbox.kit.faults.Faults` says."""
        self.sandbox.faults = Faults(**faults)

    def disturb_writes(self, **faults: Any) -> None:
        """Misbehave whenever something is written; reads are answered."""
        self.disturb(methods=("POST", "PUT", "PATCH"), **faults)


class CrmAccount(SandboxAccount):
    """A CRM."""

    #: An id of the right form that nobody has.
    nobody: str
    #: What the CRM stores of the values that `test_crm_fields` writes, by the keys of `add_fields`.
    written: ClassVar[Mapping[str, Any]] = {}
    #: Characters of the field "text".
    text_length: int | None = 20
    #: Values that the CRM ignores instead of refusing them, and those that it refuses without saying which field it is, so
    #: that the rest cannot be written: by the keys of `test_crm_fields.REFUSED`.
    ignored: frozenset[str] = frozenset()
    unnamed: frozenset[str] = frozenset()
    #: Whether a refused update never says which field it is.
    unnamed_updates = False
    #: Whether a field for yes and no has a value from the start.
    starts_with_no = False
    #: Whether a person has one name there, instead of a given name and a family name.
    one_name = False
    #: Characters that the text of an appointment's record holds.
    room: int
    #: Whether `connector check --fix` has something to make there.
    needs_preparation = True

    def as_kept(self, new: NewCustomer) -> NewCustomer:
        """What is read of a customer who was made of this."""
        if not self.one_name:
            return new
        return new.model_copy(update={"first_name": f"{new.first_name} {new.last_name}".strip(), "last_name": ""})

    def connect(self, base_url: str = NOWHERE) -> CRM:
        """The adapter, by default without a socket; with an address through a real server."""
        adapter = registry.crm(self.system)
        settings = adapter.settings_model.model_validate(self.settings(base_url))
        transport = self.checked(httpx.ASGITransport(self.app)) if base_url == NOWHERE else None
        return adapter.connect("main", settings, Quota, transport=transport)

    def enforce_limits(self) -> None:
        """Refuse too many calls from now on, where the product publishes how many and the sandbox does not already."""

    def forbid_duplicates(self) -> bool:
        """Switch on the product's own rules against duplicates, as its administrators do; False: it has none to switch on."""
        return False

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
    def text(self, record_id: str) -> str:
        """What stands in the text of an appointment's record."""

    @abstractmethod
    def delete_appointment(self, record_id: str) -> None:
        """Delete an appointment by hand."""

    @abstractmethod
    def unprepare(self) -> None:
        """Take away what `connector check --fix` makes."""

    def add_user(self, email: str, *, active: bool = True) -> str:
        """Add a user who can own customers; returns the id."""
        raise AssertionError(f"{self.system} takes no owners")

    def owner(self, customer_id: str) -> str | None:
        """The id of a customer's owner."""
        raise AssertionError(f"{self.system} takes no owners")

    def add_fields(self) -> dict[str, str]:
        """Make further fields of customers; the CRM's names of them, by what they take.

        One line of `text`, several `lines`, a `number`, a `yes_no`, a `date`, a `time`, an `option` and `options` of Red and
        Blue, and one that is `fixed`; without those that the CRM does not know.
        """
        raise AssertionError(f"{self.system} takes no further fields")

    def kept(self, customer_id: str) -> Mapping[str, Any]:
        """What the CRM stores of a customer, by its own names of fields."""
        raise AssertionError(f"{self.system} takes no further fields")

    def remove_field(self, name: str) -> None:
        """Take a field away by hand."""
        raise AssertionError(f"{self.system} takes no further fields")


class BookingAccount(SandboxAccount):
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
        transport = self.checked(httpx.ASGITransport(self.app)) if base_url == NOWHERE else None
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


def account(system: str) -> Any:
    """A fresh account of the product that the registry names `system`."""
    return import_module(f"{__name__}.{system}").Account()
