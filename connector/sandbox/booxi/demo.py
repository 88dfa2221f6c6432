"""Booxi in the demo: ids in the client's module link."""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar

from connector.sandbox.booxi.app import BooxiSandbox
from connector.sandbox.booxi.webhooks import Target
from connector.sandbox.kit.stage import TOKEN, WEBHOOK, LinkingStage


class Demo(LinkingStage):
    """Booxi, with `options` of the sandbox."""

    title = "Booxi"
    api = "/booking/v1"
    settings = 'base_url = "BASE"\npartner_key = { file = "booxi-key" }\nmodule_id = "hubspot"\n' + WEBHOOK
    secrets: ClassVar[dict[str, str]] = {"booxi-key": "sandbox-partner-key", "webhook-token": TOKEN}
    unlimited: ClassVar[dict[str, Any]] = {"quota": None}
    place = "external ids under the module hubspot"

    def __init__(self, **options: Any) -> None:
        self.sandbox = BooxiSandbox(**options)

    def aim(self, url: str, source: str = "stores") -> None:
        """Register the webhook with its fixed token."""
        self.sandbox.outbox.target = Target(f"{url}/webhooks/{source}", token=TOKEN)

    def add(self, first: str, last: str, email: str = "", phone: str = "") -> Any:
        """Add a client."""
        return self.sandbox.add_client(firstName=first, lastName=last, email=email, mobilePhoneNumber=phone)

    def book(self, client: Any, starts_at: datetime | None = None) -> Any:
        """Book, and queue `appointment.created`."""
        return self.sandbox.book(client, starts_at=starts_at)

    def link(self, client: Any, customer_id: str) -> None:
        """Store the id in the module link."""
        self.sandbox.set_link(client, customer_id)

    def links(self) -> dict[str, str]:
        """The module links."""
        return {str(client): customer for client, customer in self.sandbox.links().items()}
