"""One stage for each booking system: how its sandbox is configured, fed and asked what it stores."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar

from connector.sandbox.bookablesites.app import BookablesitesSandbox
from connector.sandbox.bookeo.app import BookeoSandbox
from connector.sandbox.bookingflow.app import BookingFlowSandbox
from connector.sandbox.booxi.app import BooxiSandbox
from connector.sandbox.booxi.webhooks import Target as BooxiTarget
from connector.sandbox.kit.json_outbox import Target

TOKEN = "demo-webhook-token"  # noqa: S105 - known to the sandbox only
PATH_KEY = "demo-secret-part-of-the-address"
_WEBHOOK = '[booking.stores.webhook]\nverify = "token"\ntokens = [{ file = "webhook-token" }]\n'


class Stage(ABC):
    """A booking system for the demo. `settings` are the lines of `[booking.stores]`; BASE stands for the address."""

    title: ClassVar[str]
    settings: ClassVar[str]
    #: Path of the API behind the sandbox's address.
    api: ClassVar[str] = ""
    #: Files beside the configuration that hold the keys.
    secrets: ClassVar[dict[str, str]] = {}
    #: An address of ours that the product must be told, for signatures that cover it.
    public_url: ClassVar[str | None] = None
    #: Whether a client may have neither e-mail nor phone.
    nameless: ClassVar[bool] = True
    sandbox: Any

    @abstractmethod
    def aim(self, url: str) -> None:
        """Let the sandbox call the service at `url`."""

    @abstractmethod
    def add(self, first: str, last: str, email: str = "", phone: str = "") -> Any:
        """Add a client, as far as the product has such a thing."""

    @abstractmethod
    def book(self, client: Any) -> Any:
        """Let the client book; returns the booking."""

    def stored(self) -> str:
        """What the product stores of links now, in words."""
        return f"{self.title} has no place for customer ids: the links are ours alone."


class LinkingStage(Stage):
    """A booking system that has a place for customer ids."""

    @abstractmethod
    def link(self, client: Any, customer_id: str) -> None:
        """Store a customer's id for the client."""


class Booxi(LinkingStage):
    """Booxi: ids in the client's module link."""

    title = "Booxi"
    api = "/booking/v1"
    settings = 'base_url = "BASE"\npartner_key = { file = "booxi-key" }\nmodule_id = "hubspot"\n' + _WEBHOOK
    secrets: ClassVar[dict[str, str]] = {"booxi-key": "sandbox-partner-key", "webhook-token": TOKEN}

    def __init__(self) -> None:
        self.sandbox = BooxiSandbox()

    def aim(self, url: str) -> None:
        """Register the webhook with its fixed token."""
        self.sandbox.outbox.target = BooxiTarget(f"{url}/webhooks/stores", token=TOKEN)

    def add(self, first: str, last: str, email: str = "", phone: str = "") -> Any:
        """Add a client."""
        return self.sandbox.add_client(firstName=first, lastName=last, email=email, mobilePhoneNumber=phone)

    def book(self, client: Any) -> Any:
        """Book, and queue `appointment.created`."""
        return self.sandbox.book(client)

    def link(self, client: Any, customer_id: str) -> None:
        """Store the id in the module link."""
        self.sandbox.set_link(client, customer_id)

    def stored(self) -> str:
        """Show the module links."""
        found = {str(client): customer for client, customer in self.sandbox.links().items()}
        shown = ", ".join(f'"{client}": "{customer}"' for client, customer in found.items())
        return f"Booxi now stores {len(found)} external ids under the module hubspot: {{{shown}}}"


class Bookeo(LinkingStage):
    """Bookeo: ids in a custom field of the customer; webhooks that we register ourselves, signed over our address."""

    title = "Bookeo"
    settings = 'base_url = "BASE"\napi_key = { file = "bookeo-key" }\nsecret_key = { file = "bookeo-secret" }\n'
    secrets: ClassVar[dict[str, str]] = {"bookeo-key": "sandbox-api-key", "bookeo-secret": "sandbox-secret-key"}
    public_url = "https://hooks.example.com"

    def __init__(self) -> None:
        self.sandbox = BookeoSandbox()
        self._customers: list[str] = []

    def aim(self, url: str) -> None:
        """Lead what is sent to our public address to this machine."""
        self.sandbox.outbox.via = url

    def add(self, first: str, last: str, email: str = "", phone: str = "") -> Any:
        """Add a customer; that is told by a webhook of its own."""
        phones = [{"number": phone, "type": "mobile"}] if phone else []
        customer = self.sandbox.add_customer(firstName=first, lastName=last, emailAddress=email, phoneNumbers=phones)
        self._customers.append(customer)
        return customer

    def book(self, client: Any) -> Any:
        """Book, and queue the notification."""
        return self.sandbox.book(client)

    def link(self, client: Any, customer_id: str) -> None:
        """Store the id in the custom field, as somebody of the staff would."""
        field = self.sandbox.state.field_id("CRM customer id")
        self.sandbox.update_customer(client, customFields=[{"id": field, "value": customer_id}])

    def stored(self) -> str:
        """Show the custom field."""
        field = self.sandbox.state.field_id("CRM customer id")
        found = {c: value for c in self._customers if (value := self.sandbox.state.custom(c, field))}
        return f"Bookeo now stores {len(found)} ids in the custom field “CRM customer id”: {found}"


class Bookablesites(Stage):
    """Bookablesites: flat bodies without ids; no place for ours by default."""

    title = "Bookablesites"
    nameless = False
    settings = (
        'base_url = "BASE"\napi = "v2"\nclient_id = "sandbox-client"\nclient_secret = { file = "api-secret" }\n'
        'date_format = "%d/%m/%Y %I:%M %p"\ntime_zone = "Europe/Paris"\npath_key = { file = "path-key" }\n' + _WEBHOOK
    )
    secrets: ClassVar[dict[str, str]] = {
        "api-secret": "sandbox-client-secret",
        "path-key": PATH_KEY,
        "webhook-token": TOKEN,
    }

    def __init__(self) -> None:
        self.sandbox = BookablesitesSandbox()

    def aim(self, url: str) -> None:
        """Register the webhooks with token and key."""
        self.sandbox.outbox.target = Target(f"{url}/webhooks/stores", key=PATH_KEY, token=TOKEN)

    def add(self, first: str, last: str, email: str = "", phone: str = "") -> Any:
        """Add a customer; that is told by a webhook of its own."""
        return self.sandbox.add_customer(first_name=first, last_name=last, email=email, phone=phone)

    def book(self, client: Any) -> Any:
        """Book, and queue the notification."""
        return self.sandbox.book(client)


class BookingFlow(Stage):
    """BookingFlow: a delivery is only a hint; the booking is read back, and is what is linked."""

    title = "BookingFlow"
    api = "/api/v1"
    settings = 'base_url = "BASE"\napi_key = { file = "api-key" }\npath_key = { file = "path-key" }\n' + _WEBHOOK
    secrets: ClassVar[dict[str, str]] = {"api-key": "sandbox-api-key", "path-key": PATH_KEY, "webhook-token": TOKEN}

    def __init__(self) -> None:
        self.sandbox = BookingFlowSandbox(read_only=True)

    def aim(self, url: str) -> None:
        """Register the webhook with token and key."""
        self.sandbox.outbox.target = Target(f"{url}/webhooks/stores", key=PATH_KEY, token=TOKEN)

    def add(self, first: str, last: str, email: str = "", phone: str = "") -> dict[str, str]:
        """There is no customer of its own: the person lives in each booking."""
        return {"name": f"{first} {last}".strip(), "email": email, "phone": phone}

    def book(self, client: Any) -> Any:
        """Book, and queue the notification."""
        return self.sandbox.book(**client)


STAGES: dict[str, type[Stage]] = {
    "booxi": Booxi,
    "bookeo": Bookeo,
    "bookablesites": Bookablesites,
    "bookingflow": BookingFlow,
}
