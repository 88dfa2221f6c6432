"""The contract's account in the HubSpot sandbox."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import httpx
from crms.hubspot.shapes import conforming

from connector.model.persons import NewCustomer
from connector.sandbox.hubspot.app import HubSpotSandbox

from . import CrmAccount


def choices(**labels: str) -> list[dict[str, Any]]:
    """The options of a property, by their values."""
    pairs = enumerate(labels.items())
    return [{"value": value, "label": label, "hidden": False, "displayOrder": index} for index, (value, label) in pairs]


class Account(CrmAccount):
    """HubSpot."""

    system = "hubspot"
    room = 65_536
    nobody = "99999999"
    text_length = 65_536
    written: ClassVar[Mapping[str, Any]] = {
        "text": "Downtown",
        "lines": "Cut",
        "number": "12.5",
        "yes_no": "true",
        "date": "2027-03-01",
        "time": "2027-03-01T12:00:00.000Z",
        "option": "r",
        "options": "r",
    }

    def __init__(self) -> None:
        self.sandbox = HubSpotSandbox(per_10_seconds=None, search_per_second=None, unique_properties=("connector_person_key",))
        self.app = self.sandbox.app

    def enforce_limits(self) -> None:
        self.sandbox = HubSpotSandbox(unique_properties=("connector_person_key",))
        self.app = self.sandbox.app

    def checked(self, transport: httpx.AsyncBaseTransport) -> httpx.AsyncBaseTransport:
        return conforming(transport)

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

    def text(self, record_id: str) -> str:
        return next(
            str(meeting.get("hs_meeting_body", "")) for meeting in self.sandbox.meetings() if meeting["id"] == record_id
        )

    def delete_appointment(self, record_id: str) -> None:
        self.sandbox.archive_meeting(record_id)

    def add_user(self, email: str, *, active: bool = True) -> str:
        identity = str(77_000 + len(self.sandbox.records.owners))
        self.sandbox.records.owners[identity] = email
        if not active:
            self.sandbox.records.former_owners.add(identity)
        return identity

    def owner(self, customer_id: str) -> str | None:
        owner: str | None = self.sandbox.records.contacts[customer_id].properties.get("hubspot_owner_id")
        return owner

    def add_fields(self) -> dict[str, str]:
        colours = choices(r="Red", b="Blue")
        yes_no = choices(true="Yes", false="No")
        for name, kind, field, options in (
            ("text", "string", "text", []),
            ("lines", "string", "textarea", []),
            ("number", "number", "number", []),
            ("yes_no", "bool", "booleancheckbox", yes_no),
            ("date", "date", "date", []),
            ("time", "datetime", "date", []),
            ("option", "enumeration", "select", colours),
            ("options", "enumeration", "checkbox", colours),
        ):
            shape = {"label": f"My {name}", "type": kind, "fieldType": field, "groupName": "contactinformation"}
            self.sandbox.records.create_property({"name": f"x_{name}", "options": options, **shape})
        return {**{name: f"x_{name}" for name in self.written}, "fixed": "createdate"}

    def kept(self, customer_id: str) -> Mapping[str, Any]:
        properties: Mapping[str, Any] = self.sandbox.records.contacts[customer_id].properties
        return properties

    def remove_field(self, name: str) -> None:
        del self.sandbox.records.properties[name]

    def unprepare(self) -> None:
        self.sandbox.records.properties.clear()
