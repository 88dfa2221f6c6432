"""One stage for each booking system: how its sandbox adds a person, lets them book, and what it stores of links."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from connector.sandbox.bookablesites.app import BookablesitesSandbox
from connector.sandbox.bookeo.app import BookeoSandbox
from connector.sandbox.bookingflow.app import BookingFlowSandbox
from connector.sandbox.booxi.app import BooxiSandbox
from connector.sandbox.booxi.webhooks import Target as BooxiTarget
from connector.sandbox.kit.json_outbox import Target

TOKEN, PATH_KEY = "a-fixed-token-of-the-sender", "a-secret-part-of-the-address"
WEBHOOK = f'[booking.place.webhook]\nverify = "token"\ntokens = ["{TOKEN}"]'
#: The pauses of a sender whose delivery was not answered, in seconds: short, or the table would take an hour.
RETRIES = [0.05] * 200


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who books: the e-mail address tells persons apart."""

    number: int

    @property
    def email(self) -> str:
        return f"person{self.number}@example.com"

    @property
    def phone(self) -> str:
        return f"+1514555{self.number:04}"

    @property
    def names(self) -> tuple[str, str]:
        return f"Given{self.number}", f"Family{self.number}"


class Stage(ABC):
    """What the four have in common. `settings` are the lines of `[booking.place]`."""

    name = ""
    settings = ""
    sandbox: Any
    keeps_links = True

    @abstractmethod
    def aim(self, url: str) -> None:
        """Let the sandbox send its webhooks to the service."""

    @abstractmethod
    def book(self, person: Person, starts_at: datetime) -> None:
        """Let a person book, known to the product before or not."""

    def stored(self) -> list[str]:
        """The customer ids that the product stores now."""
        return []

    def calls(self) -> int:
        """Requests that the product has answered."""
        return sum(self.sandbox.requests.values())


class Booxi(Stage):
    name = "booxi"
    settings = (
        f'base_url = "https://place.test"\npartner_key = "sandbox-partner-key"\nmodule_id = "hubspot"\n{{limits}}\n{WEBHOOK}'
    )

    def __init__(self) -> None:
        self.sandbox = BooxiSandbox(quota=None, retries=RETRIES)
        self._clients: dict[Person, int] = {}

    def aim(self, url: str) -> None:
        self.sandbox.outbox.target = BooxiTarget(f"{url}/webhooks/place", token=TOKEN)

    def book(self, person: Person, starts_at: datetime) -> None:
        if person not in self._clients:
            first, last = person.names
            fields = {"firstName": first, "lastName": last, "email": person.email, "mobilePhoneNumber": person.phone}
            self._clients[person] = self.sandbox.add_client(**fields)
        self.sandbox.book(self._clients[person], starts_at=starts_at)

    def stored(self) -> list[str]:
        return list(self.sandbox.links().values())


class Bookeo(Stage):
    name = "bookeo"
    settings = 'base_url = "https://place.test"\napi_key = "sandbox-api-key"\nsecret_key = "sandbox-secret-key"\n{limits}'

    def __init__(self) -> None:
        self.sandbox = BookeoSandbox(quota=None, retries=RETRIES)
        self._customers: dict[Person, str] = {}

    def aim(self, url: str) -> None:
        self.sandbox.outbox.via = url

    def book(self, person: Person, starts_at: datetime) -> None:
        if person not in self._customers:
            first, last = person.names
            phones = [{"number": person.phone, "type": "mobile"}]
            fields = {"firstName": first, "lastName": last, "emailAddress": person.email, "phoneNumbers": phones}
            self._customers[person] = self.sandbox.add_customer(**fields)
        self.sandbox.book(self._customers[person], starts_at=starts_at)

    def stored(self) -> list[str]:
        field = self.sandbox.state.field_id("CRM customer id")
        found = [self.sandbox.state.custom(customer, field) for customer in self._customers.values()]
        return [customer for customer in found if customer]


class Bookablesites(Stage):
    name = "bookablesites"
    keeps_links = False
    settings = (
        'base_url = "https://place.test"\napi = "v2"\nclient_id = "sandbox-client"\nclient_secret = "sandbox-client-secret"\n'
        f'date_format = "%d/%m/%Y %I:%M %p"\ntime_zone = "Europe/Paris"\npath_key = "{PATH_KEY}"\n{{limits}}\n{WEBHOOK}'
    )

    def __init__(self) -> None:
        self.sandbox = BookablesitesSandbox(retries=RETRIES)
        self._customers: dict[Person, int] = {}

    def aim(self, url: str) -> None:
        self.sandbox.outbox.target = Target(f"{url}/webhooks/place", key=PATH_KEY, token=TOKEN)

    def book(self, person: Person, starts_at: datetime) -> None:
        if person not in self._customers:
            first, last = person.names
            fields = {"first_name": first, "last_name": last, "email": person.email, "phone": person.phone}
            self._customers[person] = self.sandbox.add_customer(**fields)
        self.sandbox.book(self._customers[person], starts_at=starts_at)


class BookingFlow(Stage):
    name = "bookingflow"
    keeps_links = False
    settings = (
        f'base_url = "https://place.test/api/v1"\napi_key = "sandbox-api-key"\npath_key = "{PATH_KEY}"\n{{limits}}\n{WEBHOOK}'
    )

    def __init__(self) -> None:
        self.sandbox = BookingFlowSandbox(read_only=True, retries=RETRIES)

    def aim(self, url: str) -> None:
        self.sandbox.outbox.target = Target(f"{url}/webhooks/place", key=PATH_KEY, token=TOKEN)

    def book(self, person: Person, starts_at: datetime) -> None:
        self.sandbox.book(name=" ".join(person.names), email=person.email, phone=person.phone, starts_at=starts_at)


STAGES = (Booxi, Bookeo, Bookablesites, BookingFlow)
TOMORROW = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) + timedelta(days=1)
