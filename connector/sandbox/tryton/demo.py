"""Tryton in the demo."""

from __future__ import annotations

from typing import ClassVar

from connector.sandbox.kit.stage import CrmStage, given
from connector.sandbox.tryton.app import TrytonSandbox


class Demo(CrmStage):
    """Tryton: parties, and attachments for appointments."""

    title = "Tryton"
    settings = 'base_url = "BASE"\ndatabase = "sandbox"\napi_key = { file = "crm-key" }\n'
    secrets: ClassVar[dict[str, str]] = {"crm-key": "sandbox-key"}

    def __init__(self) -> None:
        self.sandbox = TrytonSandbox()

    def add(self, first: str, last: str, email: str = "", phone: str = "") -> str:
        """Add a party; Tryton keeps one name."""
        mechanisms = tuple(given(email=email, phone=phone).items())
        made: str = self.sandbox.add_party(f"{first} {last}".strip(), mechanisms=mechanisms)
        return made

    def stored(self) -> str:
        """Count."""
        return f"Tryton now has {len(self.sandbox.parties())} parties and {len(self.sandbox.attachments())} attachments."
