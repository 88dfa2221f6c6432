"""The contract's account in the Dynamics 365 sandbox."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import httpx
from crms.dynamics.shapes import conforming

from connector.model.persons import NewCustomer
from connector.sandbox.dynamics.app import DynamicsSandbox

from . import CrmAccount

NAMES = {
    "first_name": "firstname",
    "last_name": "lastname",
    "email": "emailaddress1",
    "mobile_phone": "mobilephone",
    "phone": "telephone1",
}


class Account(CrmAccount):
    """Dynamics 365."""

    system = "dynamics"
    room = 1_048_576
    #: A refusal says which column does not exist, and nothing of values.
    unnamed = frozenset({"text", "number", "date", "option", "options"})
    written: ClassVar[Mapping[str, Any]] = {
        "text": "Downtown",
        "lines": "Cut",
        "number": 12.5,
        "yes_no": True,
        "date": "2027-03-01",
        "time": "2027-03-01T12:00:00Z",
        "option": 1,
        "options": "1",
    }
    nobody = "0fffffff-5a3c-ef11-8e4f-000d3ab00000"

    def __init__(self) -> None:
        self.sandbox = DynamicsSandbox(key_columns=("new_connectorkey",))
        self.app = self.sandbox.app

    def checked(self, transport: httpx.AsyncBaseTransport) -> httpx.AsyncBaseTransport:
        return conforming(transport, further=r"new_my\w+|createdon|x_nowhere|ownerid@odata\.bind")

    def settings(self, base_url: str) -> dict[str, Any]:
        keys = {name: getattr(self.sandbox, name) for name in ("tenant_id", "client_id", "client_secret")}
        # Secrets are only sent to this machine or by https.
        login = base_url.replace("http://far.test", "https://far.test")
        return {"system": "dynamics", "base_url": base_url, "login_url": login, "timeout_seconds": 2, **keys}

    def forbid_duplicates(self) -> bool:
        self.sandbox.rules.duplicate_rule = True
        return True

    def refuse_key(self) -> None:
        self.sandbox.client_secret = "another"
        self.sandbox.expire_tokens()

    def effects(self) -> int:
        return sum(count for name, count in self.sandbox.requests.items() if name.startswith("PATCH "))

    def add(self, new: NewCustomer) -> str:
        return self.sandbox.add_contact(**{NAMES[key]: value for key, value in new.model_dump().items() if value})

    def merge(self, loser: str, survivor: str) -> str:
        return self.sandbox.merge(survivor, loser)

    def delete(self, customer_id: str) -> None:
        self.sandbox.delete(customer_id)

    def customers(self) -> list[str]:
        return [contact["id"] for contact in self.sandbox.contacts()]

    def appointments(self) -> list[str]:
        return [appointment["id"] for appointment in self.sandbox.appointments()]

    def text(self, record_id: str) -> str:
        found = (one for one in self.sandbox.appointments() if one["id"] == record_id)
        return str(next(found).get("description", ""))

    def delete_appointment(self, record_id: str) -> None:
        self.sandbox.delete(record_id)

    def add_user(self, email: str, *, active: bool = True) -> str:
        return self.sandbox.add_user(email, active=active)

    def owner(self, customer_id: str) -> str | None:
        owner: str | None = self.sandbox.records.rows[customer_id].fields.get("_ownerid_value")
        return owner

    def add_fields(self) -> dict[str, str]:
        kinds = {"text": "text", "lines": "memo", "number": "decimal", "yes_no": "yes_no", "date": "date", "time": "time",
                 "option": "choice", "options": "choices"}  # fmt: skip
        for name, kind in kinds.items():
            choices = {1: "Red", 2: "Blue"} if name.startswith("option") else {}
            length = {"text": 20, "lines": 2_000}.get(name, 0)
            self.sandbox.metadata.further[f"new_my{name}"] = (kind, length, choices)
        return {**{name: f"new_my{name}" for name in kinds}, "fixed": "createdon"}

    def kept(self, customer_id: str) -> Mapping[str, Any]:
        fields: Mapping[str, Any] = self.sandbox.records.rows[customer_id].fields
        return fields

    def remove_field(self, name: str) -> None:
        del self.sandbox.metadata.further[name]

    def unprepare(self) -> None:
        self.sandbox.metadata.own.clear()
        self.sandbox.metadata.keys.clear()
