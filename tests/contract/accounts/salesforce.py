"""The contract's account in the Salesforce sandbox."""

from __future__ import annotations

from typing import Any

from connector.model.persons import NewCustomer
from connector.sandbox.salesforce.app import SalesforceSandbox

from . import CrmAccount

NAMES = {
    "first_name": "FirstName",
    "last_name": "LastName",
    "email": "Email",
    "mobile_phone": "MobilePhone",
    "phone": "Phone",
}


class Account(CrmAccount):
    """Salesforce."""

    system = "salesforce"
    nobody = "0035g0000000zzzAAA"

    def __init__(self) -> None:
        self.sandbox = SalesforceSandbox(key_fields=("Connector_Key__c",))
        self.app = self.sandbox.app

    def settings(self, base_url: str) -> dict[str, Any]:
        return {
            "system": "salesforce",
            "base_url": base_url,
            "client_id": "sandbox-client",
            "client_secret": "sandbox-client-secret",
            "timeout_seconds": 2,
        }

    def refuse_key(self) -> None:
        self.sandbox.client_secret = "another"
        self.sandbox.expire_tokens()

    def effects(self) -> int:
        counted = ("PATCH Contact/{key}", "PATCH Contact/{id}", "POST Event", "PATCH Event/{id}")
        return sum(self.sandbox.requests[name] for name in counted)

    def add(self, new: NewCustomer) -> str:
        return self.sandbox.add_contact(**{NAMES[key]: value for key, value in new.model_dump().items() if value})

    def merge(self, loser: str, survivor: str) -> str:
        return self.sandbox.merge(survivor, loser)

    def delete(self, customer_id: str) -> None:
        self.sandbox.delete_contact(customer_id)

    def customers(self) -> list[str]:
        return [contact["Id"] for contact in self.sandbox.contacts()]

    def appointments(self) -> list[str]:
        return [event["Id"] for event in self.sandbox.events()]

    def delete_appointment(self, record_id: str) -> None:
        self.sandbox.delete_event(record_id)

    def unprepare(self) -> None:
        self.sandbox.records.custom.clear()
