"""What `connector demo` and the comparison of booking systems need of a sandbox: how it is configured, fed and read.

Each product's part is the class `Demo` in `demo.py` beside its sandbox.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from datetime import datetime
from importlib import import_module
from typing import Any, ClassVar

#: Seconds that a customer has been there: long enough for every search index.
AGE = 3600
#: What the booking systems' sandboxes prove themselves by.
TOKEN = "demo-webhook-token"  # noqa: S105 - known to the sandbox only
PATH_KEY = "demo-secret-part-of-the-address"
#: The settings for the fixed token.
WEBHOOK = '[booking.stores.webhook]\nverify = "token"\ntokens = [{ file = "webhook-token" }]\n'


def find_stage(system: str) -> Any:
    """Return the class `Demo` of a product; raises ModuleNotFoundError for a product that has none."""
    return import_module(f"connector.sandbox.{system}.demo").Demo


class BookingStage(ABC):
    """A booking system. `settings` are the lines of `[booking.stores]`; BASE stands for the address."""

    title: ClassVar[str]
    settings: ClassVar[str]
    #: Path of the API behind the sandbox's address.
    api: ClassVar[str] = ""
    #: Files beside the configuration that hold the keys.
    secrets: ClassVar[dict[str, str]] = {}
    #: An address of ours that the product must be given, for signatures that cover it.
    public_url: ClassVar[str | None] = None
    #: Whether a client may have neither e-mail nor phone.
    nameless: ClassVar[bool] = True
    #: The options that make the sandbox answer without limits.
    unlimited: ClassVar[Mapping[str, Any]] = {}
    sandbox: Any

    @abstractmethod
    def aim(self, url: str, source: str = "stores") -> None:
        """Let the sandbox call the webhook address of `source` in the service at `url`."""

    @abstractmethod
    def add(self, first: str, last: str, email: str = "", phone: str = "") -> Any:
        """Add a client, as far as the product has such a thing."""

    @abstractmethod
    def book(self, client: Any, starts_at: datetime | None = None) -> Any:
        """Let the client book, tomorrow if nothing else is said; returns the booking."""

    def stored(self) -> str:
        """What the product stores of links now, in words."""
        return f"{self.title} has no place for customer ids: the links are ours alone."


class LinkingStage(BookingStage):
    """A booking system that has a place for customer ids."""

    #: What the ids are and where they are kept, in words.
    place: ClassVar[str]

    @abstractmethod
    def link(self, client: Any, customer_id: str) -> None:
        """Store a customer's id for the client, as somebody of the staff would."""

    @abstractmethod
    def links(self) -> dict[str, str]:
        """Client id → the customer id that is stored for it."""

    def stored(self) -> str:
        """Show what is in that place."""
        found = self.links()
        shown = ", ".join(f'"{client}": "{customer}"' for client, customer in found.items())
        return f"{self.title} now stores {len(found)} {self.place}: {{{shown}}}"


class CrmStage(ABC):
    """A CRM. `settings` are the lines of `[crm.main]`; BASE stands for the sandbox's address."""

    title: ClassVar[str]
    settings: ClassVar[str]
    #: Files beside the configuration that hold the keys.
    secrets: ClassVar[dict[str, str]]
    #: First and last name of a customer who may be Dan Lee: they agree in part.
    perhaps_dan: ClassVar[tuple[str, str]] = ("D.", "Lee")
    sandbox: Any

    @abstractmethod
    def add(self, first: str, last: str, email: str = "", phone: str = "") -> str:
        """Add a customer who has been there for long; returns the id."""

    @abstractmethod
    def stored(self) -> str:
        """What the CRM holds now, in words."""


def given(**values: str) -> dict[str, str]:
    """Only those fields that are not blank."""
    return {name: value for name, value in values.items() if value}
