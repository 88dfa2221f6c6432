"""The contract's account in the Salesforce sandbox."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import httpx
from crms.salesforce.shapes import conforming

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
    room = 32_000
    nobody = "0035g0000000zzzAAA"
    #: A body that cannot be read into the types of its fields is refused as a whole.
    unnamed = frozenset({"number", "date"})
    starts_with_no = True
    written: ClassVar[Mapping[str, Any]] = {
        "text": "Downtown",
        "lines": "Cut",
        "number": 12.5,
        "yes_no": True,
        "date": "2027-03-01",
        "time": "2027-03-01T12:00:00.000+0000",
        "option": "Red",
        "options": "Red",
    }

    def __init__(self) -> None:
        self.sandbox = SalesforceSandbox(key_fields=("Connector_Key__c",))
        self.app = self.sandbox.app

    def checked(self, transport: httpx.AsyncBaseTransport) -> httpx.AsyncBaseTransport:
        return conforming(transport, further=r"\w+__c|x_nowhere|OwnerId")

    def settings(self, base_url: str) -> dict[str, Any]:
        return {
            "system": "salesforce",
            "base_url": base_url,
            "client_id": "sandbox-client",
            "client_secret": "sandbox-client-secret",
            "timeout_seconds": 2,
        }

    def forbid_duplicates(self) -> bool:
        self.sandbox.rules.duplicate_rule = "block"
        return True

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

    def text(self, record_id: str) -> str:
        return next(str(event.get("Description", "")) for event in self.sandbox.events() if event["Id"] == record_id)

    def delete_appointment(self, record_id: str) -> None:
        self.sandbox.delete_event(record_id)

    def add_user(self, email: str, *, active: bool = True) -> str:
        return self.sandbox.add_user(email, active=active)

    def owner(self, customer_id: str) -> str | None:
        owner: str | None = self.sandbox.records.rows[customer_id].fields.get("OwnerId")
        return owner

    def add_fields(self) -> dict[str, str]:
        kinds = {
            "text": "string",
            "lines": "textarea",
            "number": "double",
            "yes_no": "boolean",
            "date": "date",
            "time": "datetime",
            "option": "picklist",
            "options": "multipicklist",
            "fixed": "string",
        }
        for name, kind in kinds.items():
            options = ["Red", "Blue"] if name.startswith("option") else []
            length = {"text": 20, "lines": 1_000, "option": 255, "options": 4_099}.get(name, 0)
            shape = {"type": kind, "length": length, "externalId": False, "unique": False}
            self.sandbox.records.add_field(f"X_{name}__c", options=options, **shape)
        self.sandbox.records.read_only.add("X_fixed__c")
        return {name: f"X_{name}__c" for name in kinds}

    def kept(self, customer_id: str) -> Mapping[str, Any]:
        fields: Mapping[str, Any] = self.sandbox.records.rows[customer_id].fields
        return fields

    def remove_field(self, name: str) -> None:
        del self.sandbox.records.custom[name]

    def unprepare(self) -> None:
        self.sandbox.records.custom.clear()
