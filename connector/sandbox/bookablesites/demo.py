"""Bookablesites in the demo: flat bodies without ids; no place for ours by default."""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar

from connector.sandbox.bookablesites.app import BookablesitesSandbox
from connector.sandbox.kit.json_outbox import Target
from connector.sandbox.kit.stage import PATH_KEY, TOKEN, WEBHOOK, BookingStage


class Demo(BookingStage):
    """Bookablesites, with `options` of the sandbox."""

    title = "Bookablesites"
    nameless = False
    # The spans in which a repetition is recognised begin with the clock: the demo's seldom meets the end of a long one.
    settings = (
        "repeat_window_seconds = 86400\n"
        'base_url = "BASE"\napi = "v2"\nclient_id = "sandbox-client"\nclient_secret = { file = "api-secret" }\n'
        'date_format = "%d/%m/%Y %I:%M %p"\ntime_zone = "Europe/Paris"\npath_key = { file = "path-key" }\n' + WEBHOOK
    )
    secrets: ClassVar[dict[str, str]] = {
        "api-secret": "sandbox-client-secret",
        "path-key": PATH_KEY,
        "webhook-token": TOKEN,
    }

    def __init__(self, **options: Any) -> None:
        self.sandbox = BookablesitesSandbox(**options)

    def aim(self, url: str, source: str = "stores") -> None:
        """Register the webhooks with token and key."""
        self.sandbox.outbox.target = Target(f"{url}/webhooks/{source}", key=PATH_KEY, token=TOKEN)

    def add(self, first: str, last: str, email: str = "", phone: str = "") -> Any:
        """Add a customer, which a webhook of its own says."""
        return self.sandbox.add_customer(first_name=first, last_name=last, email=email, phone=phone)

    def book(self, client: Any, starts_at: datetime | None = None) -> Any:
        """Book, and queue the notification."""
        return self.sandbox.book(client, starts_at=starts_at)
