"""Dynamics 365 in the demo."""

from __future__ import annotations

from typing import ClassVar

from connector.sandbox.dynamics.app import DynamicsSandbox
from connector.sandbox.kit.stage import AGE, CrmStage, given


class Demo(CrmStage):
    """Dynamics 365: contacts and appointments."""

    title = "Dynamics 365"
    settings = (
        'base_url = "BASE"\nlogin_url = "BASE"\ntenant_id = "sandbox-tenant"\nclient_id = "sandbox-client"\n'
        'client_secret = { file = "crm-secret" }\n'
    )
    secrets: ClassVar[dict[str, str]] = {"crm-secret": "sandbox-secret"}

    def __init__(self) -> None:
        self.sandbox = DynamicsSandbox(key_columns=("new_connectorkey",))

    def add(self, first: str, last: str, email: str = "", phone: str = "") -> str:
        """Add a contact."""
        said = given(emailaddress1=email, mobilephone=phone)
        made: str = self.sandbox.add_contact(age=AGE, firstname=first, lastname=last, **said)
        return made

    def stored(self) -> str:
        """Count."""
        contacts, appointments = self.sandbox.contacts(), self.sandbox.appointments()
        return f"Dynamics 365 now has {len(contacts)} contacts and {len(appointments)} appointments."
