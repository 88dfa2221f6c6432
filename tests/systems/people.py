"""Who books: the same people at every booking system."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from connector.sandbox.kit.stage import BookingStage, find_stage

#: The pauses of a sender whose delivery was not answered, in seconds: short, or the table would take an hour.
RETRIES = [0.05] * 200
TOMORROW = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) + timedelta(days=1)


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


class Place:
    """One booking system without limits, which knows whom it has met; `name` is the system's."""

    def __init__(self, name: str) -> None:
        stage: type[BookingStage] = find_stage(name)
        self.name = name
        self.stage = stage(retries=RETRIES, **stage.unlimited)
        self.sandbox = self.stage.sandbox
        self._clients: dict[Person, Any] = {}

    def settings(self, base_url: str, source: str) -> str:
        """The lines of the source's table, and those of its webhook."""
        return self.stage.settings.replace("BASE", base_url + self.stage.api).replace("booking.stores", f"booking.{source}")

    @property
    def secrets(self) -> Mapping[str, str]:
        """The files that the settings name."""
        return self.stage.secrets

    def book(self, person: Person, starts_at: datetime) -> None:
        """Let a person book, known to the product before or not."""
        if person not in self._clients:
            self._clients[person] = self.stage.add(*person.names, person.email, person.phone)
        self.stage.book(self._clients[person], starts_at)

    def calls(self) -> int:
        """Requests that the product has answered."""
        return sum(self.sandbox.requests.values())
