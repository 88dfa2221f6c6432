"""BookingFlow in the demo: a delivery is only a hint; the booking is read back, and is what is linked."""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar

from connector.sandbox.bookingflow.app import BookingFlowSandbox
from connector.sandbox.kit.json_outbox import Target
from connector.sandbox.kit.stage import PATH_KEY, TOKEN, WEBHOOK, BookingStage


class Demo(BookingStage):
    """BookingFlow, with `options` of the sandbox."""

    title = "BookingFlow"
    api = "/api/v1"
    # The spans in which a repetition is recognised begin with the clock: the demo's seldom meets the end of a long one.
    settings = (
        'repeat_window_seconds = 86400\nbase_url = "BASE"\napi_key = { file = "api-key" }\npath_key = { file = "path-key" }\n'
        + WEBHOOK
    )
    secrets: ClassVar[dict[str, str]] = {"api-key": "sandbox-api-key", "path-key": PATH_KEY, "webhook-token": TOKEN}

    def __init__(self, **options: Any) -> None:
        self.sandbox = BookingFlowSandbox(read_only=True, **options)

    def aim(self, url: str, source: str = "stores") -> None:
        """Register the webhook with token and key."""
        self.sandbox.outbox.target = Target(f"{url}/webhooks/{source}", key=PATH_KEY, token=TOKEN)

    def add(self, first: str, last: str, email: str = "", phone: str = "") -> dict[str, str]:
        """There is no customer of its own: the person lives in each booking."""
        return {"name": f"{first} {last}".strip(), "email": email, "phone": phone}

    def book(self, client: Any, starts_at: datetime | None = None) -> Any:
        """Book, and queue the notification."""
        return self.sandbox.book(**client, starts_at=starts_at)
