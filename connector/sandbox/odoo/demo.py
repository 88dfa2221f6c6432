"""Odoo in the demo."""

from __future__ import annotations

from typing import ClassVar

from connector.sandbox.kit.stage import CrmStage, given
from connector.sandbox.odoo.app import OdooSandbox


class Demo(CrmStage):
    """Odoo: contacts and calendar events. It needs a field for mobile numbers, as version 19 does."""

    title = "Odoo"
    settings = 'base_url = "BASE"\napi_key = { file = "crm-key" }\nmobile_field = "x_mobile"\n'
    secrets: ClassVar[dict[str, str]] = {"crm-key": "sandbox-key"}

    def __init__(self) -> None:
        self.sandbox = OdooSandbox()
        self.sandbox.add_field("x_mobile")

    def add(self, first: str, last: str, email: str = "", phone: str = "") -> str:
        """Add a contact; Odoo keeps one name."""
        made: str = self.sandbox.add_partner(name=f"{first} {last}".strip(), **given(email=email, phone=phone))
        return made

    def stored(self) -> str:
        """Count."""
        return f"Odoo now has {len(self.sandbox.partners())} contacts and {len(self.sandbox.events())} calendar events."
