"""The contract's account in the Zoho CRM sandbox."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import httpx
from crms.zoho.shapes import conforming

from connector.model.persons import NewCustomer
from connector.sandbox.zoho.app import ZohoSandbox
from connector.sandbox.zoho.records import options

from . import CrmAccount

FIELDS = ("Contacts.Connector_Person_Key!", "Events.Connector_Marker")
NAMES = {
    "email": "Email",
    "first_name": "First_Name",
    "last_name": "Last_Name",
    "mobile_phone": "Mobile",
    "phone": "Phone",
}


class Account(CrmAccount):
    """Zoho CRM."""

    system = "zoho"
    room = 2_000
    nobody = "554023000000999999"
    ignored = frozenset({"fixed", "unknown"})
    starts_with_no = True
    written: ClassVar[Mapping[str, Any]] = {
        "text": "Downtown",
        "lines": "Cut",
        "number": 12.5,
        "yes_no": True,
        "date": "2027-03-01",
        "time": "2027-03-01T12:00:00+00:00",
        "option": "Red",
        "options": ["Red"],
    }

    def __init__(self) -> None:
        self.sandbox = ZohoSandbox(fields=FIELDS)
        self.app = self.sandbox.app

    def checked(self, transport: httpx.AsyncBaseTransport) -> httpx.AsyncBaseTransport:
        return conforming(transport, further=r"My_\w+|Created_Time|x_nowhere")

    def settings(self, base_url: str) -> dict[str, Any]:
        keys = {name: getattr(self.sandbox, name) for name in ("client_id", "client_secret", "refresh_token")}
        # Secrets are only sent to this machine or by https.
        accounts = base_url.replace("http://far.test", "https://far.test")
        where = {"data_centre": "eu", "base_url": base_url, "accounts_url": accounts}
        return {"system": "zoho", "timeout_seconds": 2, **where, **keys}

    def forbid_duplicates(self) -> bool:
        self.sandbox.rules.unique_email = True
        return True

    def refuse_key(self) -> None:
        self.sandbox.refresh_token = "another"
        self.sandbox.revoke_tokens()

    def effects(self) -> int:
        counted = ("POST Contacts/upsert", "PUT Contacts/{id}", "POST Events", "PUT Events/{id}")
        return sum(self.sandbox.requests[name] for name in counted)

    def add(self, new: NewCustomer) -> str:
        values = {NAMES[key]: value for key, value in new.model_dump().items() if value}
        return self.sandbox.add_contact(**{"Last_Name": "(no last name)", **values})

    def merge(self, loser: str, survivor: str) -> str:
        return self.sandbox.merge(survivor, loser)

    def delete(self, customer_id: str) -> None:
        self.sandbox.delete("Contacts", customer_id)

    def customers(self) -> list[str]:
        return [contact["id"] for contact in self.sandbox.contacts()]

    def appointments(self) -> list[str]:
        return [event["id"] for event in self.sandbox.events()]

    def text(self, record_id: str) -> str:
        return next(str(event.get("Description", "")) for event in self.sandbox.events() if event["id"] == record_id)

    def delete_appointment(self, record_id: str) -> None:
        self.sandbox.delete("Events", record_id)

    def add_user(self, email: str, *, active: bool = True) -> str:
        identity = str(554023000000323002 + len(self.sandbox.records.users))
        self.sandbox.records.users[identity] = (email, active)
        return identity

    def owner(self, customer_id: str) -> str | None:
        return str(self.sandbox.records.modules["Contacts"][customer_id].values["Owner"]["id"])

    def add_fields(self) -> dict[str, str]:
        kinds = {"text": "text", "lines": "textarea", "number": "double", "yes_no": "boolean", "date": "date",
                 "time": "datetime", "option": "picklist", "options": "multiselectpicklist"}  # fmt: skip
        for name, kind in kinds.items():
            colours = options(("-None-", "Red", "Blue")) if name.startswith("option") else []
            length = {"text": 20}.get(name, 2_000)
            shape = {"data_type": kind, "length": length, "pick_list_values": colours}
            self.sandbox.records.create_field("Contacts", {"field_label": f"My {name}", **shape})
        return {**{name: f"My_{name}" for name in kinds}, "fixed": "Created_Time"}

    def kept(self, customer_id: str) -> Mapping[str, Any]:
        values: Mapping[str, Any] = self.sandbox.records.modules["Contacts"][customer_id].values
        return values

    def remove_field(self, name: str) -> None:
        del self.sandbox.records.fields["Contacts"][name]

    def unprepare(self) -> None:
        for fields in self.sandbox.records.fields.values():
            fields.clear()
