"""The contract's account in the Odoo sandbox: JSON-2, with a field of its own for mobile numbers, as 19 needs it."""

from __future__ import annotations

import html
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import httpx
from crms.odoo.shapes import conforming

from connector.model.persons import NewCustomer
from connector.sandbox.odoo.app import OdooSandbox

from . import CrmAccount

MOBILE = "x_mobile"


class Account(CrmAccount):
    """Odoo."""

    system = "odoo"
    room = 65_536
    nobody = "99999999"
    one_name = True
    text_length = None
    ignored = frozenset({"fixed"})
    unnamed = frozenset({"unknown"})
    unnamed_updates = True
    starts_with_no = True
    written: ClassVar[Mapping[str, Any]] = {
        "text": "Downtown",
        "lines": "Cut",
        "number": 12.5,
        "yes_no": True,
        "date": "2027-03-01",
        "time": "2027-03-01 12:00:00",
        "option": "r",
    }

    def __init__(self) -> None:
        self.sandbox = OdooSandbox(key_expires=datetime.now(UTC) + timedelta(days=90))
        self.sandbox.records.rights |= {("ir.model.fields", "create"), ("ir.model.fields", "read")}
        self.sandbox.add_field(MOBILE)
        self.app = self.sandbox.app
        # Times would be shifted by it where they were not said to be in UTC.
        self.sandbox.records.user_zone = "America/Toronto"

    def checked(self, transport: httpx.AsyncBaseTransport) -> httpx.AsyncBaseTransport:
        return conforming(transport)

    def settings(self, base_url: str) -> dict[str, Any]:
        limits = {"per_second": 0, "per_minute": 0}
        account = {"system": "odoo", "api_key": "sandbox-key", "base_url": base_url, "mobile_field": MOBILE}
        return {**account, "limits": limits, "timeout_seconds": 2}

    def refuse_key(self) -> None:
        self.sandbox.api_key = "another"

    def effects(self) -> int:
        counted = ("res.partner create", "res.partner write", "calendar.event create", "calendar.event write")
        return sum(self.sandbox.records.written[name] for name in counted)

    def add(self, new: NewCustomer) -> str:
        before = self.sandbox.records.written.copy()
        values = {"email": new.email, "phone": new.phone, MOBILE: new.mobile_phone}
        kept = {name: value for name, value in values.items() if value}
        made = self.sandbox.add_partner(name=f"{new.first_name} {new.last_name}".strip(), **kept)
        self.sandbox.records.written = before
        return made

    def merge(self, loser: str, survivor: str) -> str:
        self.sandbox.merge(loser, survivor)
        return survivor

    def delete(self, customer_id: str) -> None:
        self.sandbox.delete_partner(customer_id)

    def customers(self) -> list[str]:
        return [str(partner["id"]) for partner in self.sandbox.partners()]

    def appointments(self) -> list[str]:
        return [str(event["id"]) for event in self.sandbox.events()]

    def text(self, record_id: str) -> str:
        event = next(event for event in self.sandbox.events() if str(event["id"]) == record_id)
        return html.unescape(str(event.get("description") or "").replace("<br>", "\n"))

    def delete_appointment(self, record_id: str) -> None:
        self.sandbox.delete_event(record_id)

    def add_user(self, email: str, *, active: bool = True) -> str:
        return self.sandbox.add_user(email, active=active)

    def owner(self, customer_id: str) -> str | None:
        return str(self.sandbox.records.tables["res.partner"][int(customer_id)]["user_id"] or "") or None

    def add_fields(self) -> dict[str, str]:
        kinds = {"text": "char", "lines": "text", "number": "float", "yes_no": "boolean", "date": "date", "time": "datetime",
                 "option": "selection"}  # fmt: skip
        for name, kind in kinds.items():
            self.sandbox.add_field(f"x_my_{name}", kind, {"r": "Red", "b": "Blue"} if name == "option" else None)
        return {**{name: f"x_my_{name}" for name in kinds}, "fixed": "create_date"}

    def kept(self, customer_id: str) -> Mapping[str, Any]:
        partner: Mapping[str, Any] = self.sandbox.records.tables["res.partner"][int(customer_id)]
        return partner

    def remove_field(self, name: str) -> None:
        self.sandbox.remove_field(name)

    def unprepare(self) -> None:
        self.sandbox.remove_field(MOBILE)
