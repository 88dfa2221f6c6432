"""The contract's account in the Pipedrive sandbox."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import httpx
from crms.pipedrive.shapes import conforming

from connector.model.persons import NewCustomer
from connector.sandbox.pipedrive.app import MARKER, PipedriveSandbox

from . import CrmAccount


class Account(CrmAccount):
    """Pipedrive."""

    system = "pipedrive"
    room = 2_000
    one_name = True
    nobody = "99999999"
    text_length = 255
    unnamed = frozenset({"text", "number", "date", "option", "options", "fixed", "unknown"})
    written: ClassVar[Mapping[str, Any]] = {"text": "Downtown", "lines": "Cut", "number": 12.5, "date": "2027-03-01"}

    def __init__(self) -> None:
        self.sandbox = PipedriveSandbox(per_2_seconds=None, searches_per_2_seconds=None, daily_tokens=None, fields=(MARKER,))
        self.app = self.sandbox.app

    def enforce_limits(self) -> None:
        self.sandbox = PipedriveSandbox(fields=(MARKER,))
        self.app = self.sandbox.app

    def checked(self, transport: httpx.AsyncBaseTransport) -> httpx.AsyncBaseTransport:
        return conforming(transport)

    def settings(self, base_url: str) -> dict[str, Any]:
        limits = {"per_2_seconds": 0, "searches_per_2_seconds": 0, "daily_tokens": 0}
        return {"system": "pipedrive", "token": "sandbox-token", "base_url": base_url, "limits": limits, "timeout_seconds": 2}

    def refuse_key(self) -> None:
        self.sandbox.token = "another"

    def effects(self) -> int:
        counted = ("POST persons", "PATCH persons/{id}", "POST activities", "PATCH activities/{id}")
        return sum(self.sandbox.requests[name] for name in counted)

    def add(self, new: NewCustomer) -> str:
        name = f"{new.first_name} {new.last_name}".strip() or new.email or new.phone or new.mobile_phone
        phones = tuple((number, kind) for number, kind in ((new.mobile_phone, "mobile"), (new.phone, "home")) if number)
        return self.sandbox.add_person(name, emails=(new.email,) if new.email else (), phones=phones)

    def merge(self, loser: str, survivor: str) -> str:
        return self.sandbox.merge(loser, survivor)

    def delete(self, customer_id: str) -> None:
        self.sandbox.delete(customer_id)

    def customers(self) -> list[str]:
        return [str(person["id"]) for person in self.sandbox.persons()]

    def appointments(self) -> list[str]:
        return [str(activity["id"]) for activity in self.sandbox.activities()]

    def text(self, record_id: str) -> str:
        return str(self.sandbox.records.activities[int(record_id)].data.get("public_description", ""))

    def delete_appointment(self, record_id: str) -> None:
        self.sandbox.delete_activity(record_id)

    def add_user(self, email: str, *, active: bool = True) -> str:
        identity = 55_000 + len(self.sandbox.records.users)
        self.sandbox.records.users[identity] = (email, active)
        return str(identity)

    def owner(self, customer_id: str) -> str | None:
        return str(self.sandbox.records.persons[int(customer_id)].data.get("owner_id"))

    def add_fields(self) -> dict[str, str]:
        kinds = {"text": "varchar", "lines": "text", "number": "double", "date": "date", "option": "enum", "options": "set"}
        for name, kind in kinds.items():
            options = [{"label": "Red"}, {"label": "Blue"}] if name.startswith("option") else []
            self.sandbox.records.create_field({"field_name": f"My {name}", "field_type": kind, "options": options})
        return {**{name: f"My {name}" for name in kinds}, "fixed": "Org"}

    def kept(self, customer_id: str) -> Mapping[str, Any]:
        own = self.sandbox.records.persons[int(customer_id)].data["custom_fields"]
        return {definition["field_name"]: own.get(code) for code, definition in self.sandbox.records.fields.items()}

    def remove_field(self, name: str) -> None:
        fields = self.sandbox.records.fields
        del fields[next(code for code, definition in fields.items() if definition["field_name"] == name)]

    def unprepare(self) -> None:
        self.sandbox.records.fields.clear()
