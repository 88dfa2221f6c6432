"""The contract's account in the HubSpot sandbox."""

from __future__ import annotations

from typing import Any

from connector.model.persons import NewCustomer
from connector.sandbox.hubspot.app import HubSpotSandbox

from . import CrmAccount


class Account(CrmAccount):
    """HubSpot."""

    system = "hubspot"
    nobody = "99999999"

    def __init__(self) -> None:
        self.sandbox = HubSpotSandbox(per_10_seconds=None, search_per_second=None, unique_properties=("connector_person_key",))
        self.app = self.sandbox.app

    def settings(self, base_url: str) -> dict[str, Any]:
        limits = {"per_10_seconds": 0, "search_per_second": 0}
        return {"system": "hubspot", "token": "sandbox-token", "base_url": base_url, "limits": limits, "timeout_seconds": 2}

    def refuse_key(self) -> None:
        self.sandbox.token = "another"

    def effects(self) -> int:
        counted = ("POST contacts", "PATCH contacts/{id}", "POST meetings", "PATCH meetings/{id}")
        return sum(self.sandbox.requests[name] for name in counted)

    def add(self, new: NewCustomer) -> str:
        names = {"first_name": "firstname", "last_name": "lastname", "mobile_phone": "mobilephone"}
        return self.sandbox.add_contact(**{names.get(key, key): value for key, value in new.model_dump().items() if value})

    def merge(self, loser: str, survivor: str) -> str:
        return self.sandbox.merge(survivor, loser)

    def delete(self, customer_id: str) -> None:
        self.sandbox.archive(customer_id)

    def customers(self) -> list[str]:
        return [contact["id"] for contact in self.sandbox.contacts()]

    def appointments(self) -> list[str]:
        return [meeting["id"] for meeting in self.sandbox.meetings()]

    def delete_appointment(self, record_id: str) -> None:
        self.sandbox.archive_meeting(record_id)

    def unprepare(self) -> None:
        self.sandbox.records.properties.clear()
