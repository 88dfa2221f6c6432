"""What the demo needs of a CRM's sandbox: how it is configured, given customers, and asked what it holds."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar

#: Seconds that a customer has been there: long enough for every search index.
AGE = 3600


class CrmStage(ABC):
    """A CRM for the demo. `settings` are the lines of `[crm.main]`; BASE stands for the sandbox's address."""

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
