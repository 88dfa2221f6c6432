"""One stage for each CRM: how its sandbox is configured, given customers, and asked what it holds."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar

from connector.registry import CRMS
from connector.sandbox.dynamics.app import DynamicsSandbox
from connector.sandbox.hubspot.app import HubSpotSandbox
from connector.sandbox.odoo.app import OdooSandbox
from connector.sandbox.pipedrive.app import PipedriveSandbox
from connector.sandbox.salesforce.app import SalesforceSandbox
from connector.sandbox.zoho.app import ZohoSandbox

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


class HubSpot(CrmStage):
    """HubSpot: contacts and meetings."""

    title = "HubSpot"
    settings = 'base_url = "BASE"\ntoken = { file = "crm-token" }\n'
    secrets: ClassVar[dict[str, str]] = {"crm-token": "sandbox-token"}

    def __init__(self) -> None:
        self.sandbox = HubSpotSandbox(unique_properties=("connector_person_key",))

    def add(self, first: str, last: str, email: str = "", phone: str = "") -> str:
        """Add a contact."""
        made: str = self.sandbox.add_contact(age=AGE, firstname=first, lastname=last, **_said(email=email, mobilephone=phone))
        return made

    def stored(self) -> str:
        """Count, with the outcomes of the meetings."""
        meetings = self.sandbox.meetings()
        outcomes = ", ".join(meeting.get("hs_meeting_outcome", "?") for meeting in meetings)
        return f"HubSpot now has {len(self.sandbox.contacts())} contacts and {len(meetings)} meetings ({outcomes})."


class Salesforce(CrmStage):
    """Salesforce: contacts and events."""

    title = "Salesforce"
    settings = 'base_url = "BASE"\nclient_id = "sandbox-client"\nclient_secret = { file = "crm-secret" }\n'
    secrets: ClassVar[dict[str, str]] = {"crm-secret": "sandbox-client-secret"}

    def __init__(self) -> None:
        self.sandbox = SalesforceSandbox(key_fields=("Connector_Key__c",))

    def add(self, first: str, last: str, email: str = "", phone: str = "") -> str:
        """Add a contact."""
        made: str = self.sandbox.add_contact(age=AGE, FirstName=first, LastName=last, **_said(Email=email, MobilePhone=phone))
        return made

    def stored(self) -> str:
        """Count."""
        return f"Salesforce now has {len(self.sandbox.contacts())} contacts and {len(self.sandbox.events())} events."


class Dynamics(CrmStage):
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
        said = _said(emailaddress1=email, mobilephone=phone)
        made: str = self.sandbox.add_contact(age=AGE, firstname=first, lastname=last, **said)
        return made

    def stored(self) -> str:
        """Count."""
        contacts, appointments = self.sandbox.contacts(), self.sandbox.appointments()
        return f"Dynamics 365 now has {len(contacts)} contacts and {len(appointments)} appointments."


class Zoho(CrmStage):
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
        made: str = self.sandbox.add_contact(age=AGE, First_Name=first, Last_Name=last, **_said(Email=email, Mobile=phone))
        return made

    def stored(self) -> str:
        """Count."""
        return f"Zoho CRM now has {len(self.sandbox.contacts())} contacts and {len(self.sandbox.events())} events."


class Odoo(CrmStage):
    """Odoo: contacts and calendar events. It needs a field for mobile numbers, as version 19 does."""

    title = "Odoo"
    settings = 'base_url = "BASE"\napi_key = { file = "crm-key" }\nmobile_field = "x_mobile"\n'
    secrets: ClassVar[dict[str, str]] = {"crm-key": "sandbox-key"}

    def __init__(self) -> None:
        self.sandbox = OdooSandbox()
        self.sandbox.add_field("x_mobile")

    def add(self, first: str, last: str, email: str = "", phone: str = "") -> str:
        """Add a contact; Odoo keeps one name."""
        made: str = self.sandbox.add_partner(name=f"{first} {last}".strip(), **_said(email=email, phone=phone))
        return made

    def stored(self) -> str:
        """Count."""
        return f"Odoo now has {len(self.sandbox.partners())} contacts and {len(self.sandbox.events())} calendar events."


class Pipedrive(CrmStage):
    """Pipedrive: persons and activities."""

    title = "Pipedrive"
    settings = 'base_url = "BASE"\ntoken = { file = "crm-token" }\n'
    secrets: ClassVar[dict[str, str]] = {"crm-token": "sandbox-token"}

    def __init__(self) -> None:
        self.sandbox = PipedriveSandbox(fields=("Connector person key",))

    def add(self, first: str, last: str, email: str = "", phone: str = "") -> str:
        """Add a person."""
        phones = ((phone, "mobile"),) if phone else ()
        made: str = self.sandbox.add_person(f"{first} {last}", age=AGE, emails=(email,) if email else (), phones=phones)
        return made

    def stored(self) -> str:
        """Count."""
        return f"Pipedrive now has {len(self.sandbox.persons())} persons and {len(self.sandbox.activities())} activities."


def _said(**values: str) -> dict[str, str]:
    return {name: value for name, value in values.items() if value}


_STAGES: tuple[type[CrmStage], ...] = (HubSpot, Salesforce, Dynamics, Zoho, Odoo, Pipedrive)
#: By the name in the configuration; a CRM of the registry without a stage here fails a test.
CRM_STAGES = {name: stage for name in CRMS for stage in _STAGES if stage.__name__.lower() == name}
