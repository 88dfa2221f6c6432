"""Zoho CRM in the demo."""

from __future__ import annotations

from typing import ClassVar

from connector.sandbox.kit.stage import AGE, CrmStage, given
from connector.sandbox.zoho.app import ZohoSandbox


class Demo(CrmStage):
    """Zoho CRM: contacts and events."""

    title = "Zoho CRM"
    settings = (
        'data_centre = "eu"\nbase_url = "BASE"\naccounts_url = "BASE"\nclient_id = "sandbox-client"\n'
        'client_secret = { file = "crm-secret" }\nrefresh_token = { file = "crm-refresh-token" }\n'
    )
    secrets: ClassVar[dict[str, str]] = {"crm-secret": "sandbox-secret", "crm-refresh-token": "sandbox-refresh"}

    def __init__(self) -> None:
        self.sandbox = ZohoSandbox(fields=("Contacts.Connector_Person_Key!", "Events.Connector_Marker"))

    def add(self, first: str, last: str, email: str = "", phone: str = "") -> str:
        """Add a contact."""
        made: str = self.sandbox.add_contact(age=AGE, First_Name=first, Last_Name=last, **given(Email=email, Mobile=phone))
        return made

    def stored(self) -> str:
        """Count."""
        return f"Zoho CRM now has {len(self.sandbox.contacts())} contacts and {len(self.sandbox.events())} events."
