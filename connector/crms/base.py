"""The contract every CRM meets: fresh look-ups, a create that cannot happen twice, careful updates."""

from __future__ import annotations

from abc import abstractmethod
from enum import Enum
from typing import ClassVar

from connector.config.settings import CrmSettings
from connector.model.bookings import Appointment
from connector.model.persons import Customer, NewCustomer
from connector.remote.integration import Integration


class Uniqueness(Enum):
    """What keeps a CRM from having one person twice."""

    #: It refuses, or upserts, a second record with our own key.
    KEY = "key"
    #: It refuses a second record with the same e-mail address; our key is only a mark.
    EMAIL = "e-mail"
    #: Nothing: earlier creates are found by looking, and a small risk stays (docs/reliability.md).
    NONE = "none"


class CRM(Integration):
    """One configured CRM account. An answer of None or [] means *answered and empty*; anything else raises."""

    settings_model: ClassVar[type[CrmSettings]]
    #: What makes a second record of one person impossible there.
    uniqueness: ClassVar[Uniqueness]
    #: Whether the id of a record that was merged into another leads there. False: it reads as gone.
    names_survivors: ClassVar[bool] = True

    @abstractmethod
    async def get(self, customer_id: str) -> Customer | None:
        """Read by record id; follows merges (the answer's id differs), if `names_survivors`.

        None: deleted, archived or never there.
        """

    @abstractmethod
    async def by_key(self, person_key: str) -> Customer | None:
        """Read the record that carries our own key, fresh."""

    @abstractmethod
    async def by_email(self, email: str) -> list[Customer]:
        """All records with this normalised e-mail address, by a fresh read."""

    @abstractmethod
    async def by_phone(self, phone: str) -> list[Customer]:
        """All records whose phone equals this E.164 number, re-checked exactly; the search behind it may lag.

        Raises `Transient` when the result was cut short: a partial answer is not an answer.
        """

    @abstractmethod
    async def create(self, new: NewCustomer, person_key: str) -> Customer:
        """Create under our unique key. Raises `Conflict` when the person is already there.

        Its `winner` was read and carries the address that was sent or our key; an id that a refusal only names is no winner.
        """

    @abstractmethod
    async def fill(self, customer: Customer, new: NewCustomer) -> tuple[str, ...]:
        """Write those fields of `new` that are blank in `customer`; return the names of the fields written."""

    @abstractmethod
    async def record_appointment(self, customer_id: str, appointment: Appointment, marker: str, record_id: str | None) -> str:
        """Create (`record_id` None) or update the one record of this appointment on the customer; return its id."""

    @abstractmethod
    async def find_appointment(self, customer_id: str, marker: str) -> str | None:
        """After an unknown outcome: find the record that carries `marker` among the customer's own, without an index."""

    @abstractmethod
    async def probe(self) -> None:
        """Check that the account works and our unique property exists; raise `AccountPaused` with a hint otherwise."""
