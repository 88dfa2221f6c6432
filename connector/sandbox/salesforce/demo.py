"""Salesforce in the demo."""

from __future__ import annotations

from typing import ClassVar

from connector.sandbox.kit.stage import AGE, CrmStage, given
from connector.sandbox.salesforce.app import SalesforceSandbox


class Demo(CrmStage):
    """Salesforce: contacts and events."""

    title = "Salesforce"
    settings = 'base_url = "BASE"\nclient_id = "sandbox-client"\nclient_secret = { file = "crm-secret" }\n'
    secrets: ClassVar[dict[str, str]] = {"crm-secret": "sandbox-client-secret"}

    def __init__(self) -> None:
        self.sandbox = SalesforceSandbox(key_fields=("Connector_Key__c",))

    def add(self, first: str, last: str, email: str = "", phone: str = "") -> str:
        """Add a contact."""
        made: str = self.sandbox.add_contact(age=AGE, FirstName=first, LastName=last, **given(Email=email, MobilePhone=phone))
        return made

    def stored(self) -> str:
        """Count."""
        return f"Salesforce now has {len(self.sandbox.contacts())} contacts and {len(self.sandbox.events())} events."
