"""Bookeo in the demo: ids in a custom field; webhooks that we register ourselves, signed over our address."""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar

from connector.sandbox.bookeo.app import BookeoSandbox
from connector.sandbox.kit.stage import LinkingStage


class Demo(LinkingStage):
    """Bookeo, with `options` of the sandbox."""

    title = "Bookeo"
    settings = 'base_url = "BASE"\napi_key = { file = "bookeo-key" }\nsecret_key = { file = "bookeo-secret" }\n'
    secrets: ClassVar[dict[str, str]] = {"bookeo-key": "sandbox-api-key", "bookeo-secret": "sandbox-secret-key"}
    public_url = "https://hooks.example.com"
    unlimited: ClassVar[dict[str, Any]] = {"quota": None}
    place = "ids in the custom field “CRM customer id”"

    def __init__(self, **options: Any) -> None:
        self.sandbox = BookeoSandbox(**options)
        self._customers: list[str] = []

    def aim(self, url: str, source: str = "stores") -> None:  # noqa: ARG002 - `check --fix` registers the address
        """Lead what is sent to our public address to this machine."""
        self.sandbox.outbox.via = url

    def add(self, first: str, last: str, email: str = "", phone: str = "") -> Any:
        """Add a customer, which a webhook of its own says."""
        phones = [{"number": phone, "type": "mobile"}] if phone else []
        customer = self.sandbox.add_customer(firstName=first, lastName=last, emailAddress=email, phoneNumbers=phones)
        self._customers.append(customer)
        return customer

    def book(self, client: Any, starts_at: datetime | None = None) -> Any:
        """Book, and queue the notification."""
        return self.sandbox.book(client, starts_at=starts_at)

    def link(self, client: Any, customer_id: str) -> None:
        """Store the id in the custom field."""
        field = self.sandbox.state.field_id("CRM customer id")
        self.sandbox.update_customer(client, customFields=[{"id": field, "value": customer_id}])

    def links(self) -> dict[str, str]:
        """The custom field of the customers who were added here."""
        field = self.sandbox.state.field_id("CRM customer id")
        return {c: value for c in self._customers if (value := self.sandbox.state.custom(c, field))}
