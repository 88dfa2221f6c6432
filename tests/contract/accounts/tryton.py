"""The contract's account in the Tryton sandbox, which takes every number: a server without the library for them."""

from __future__ import annotations

from typing import Any

import httpx
from crms.tryton.shapes import conforming

from connector.model.persons import NewCustomer
from connector.sandbox.tryton.app import TrytonSandbox

from . import CrmAccount


def mechanisms_of(new: NewCustomer) -> tuple[tuple[str, str], ...]:
    """The types and values of a person's contact mechanisms."""
    pairs = (("email", new.email), ("mobile", new.mobile_phone), ("phone", new.phone))
    return tuple((kind, value) for kind, value in pairs if value)


class Account(CrmAccount):
    """Tryton."""

    system = "tryton"
    nobody = "99999999"
    one_name = True
    needs_preparation = False
    room = 65_536

    def __init__(self) -> None:
        self.sandbox = TrytonSandbox(knows_numbers=False)
        self.app = self.sandbox.app

    def checked(self, transport: httpx.AsyncBaseTransport) -> httpx.AsyncBaseTransport:
        return conforming(transport)

    def settings(self, base_url: str) -> dict[str, Any]:
        account = {"system": "tryton", "api_key": "sandbox-key", "database": "sandbox", "base_url": base_url}
        return {**account, "limits": {"per_second": 0}, "timeout_seconds": 2}

    def refuse_key(self) -> None:
        self.sandbox.api_key = "another"

    def effects(self) -> int:
        return self.sandbox.records.written.total()

    def add(self, new: NewCustomer) -> str:
        before = self.sandbox.records.written.copy()
        made = self.sandbox.add_party(f"{new.first_name} {new.last_name}".strip(), mechanisms=mechanisms_of(new))
        self.sandbox.records.written = before
        return made

    def merge(self, loser: str, survivor: str) -> str:
        self.sandbox.replace(loser, survivor)
        return survivor

    def delete(self, customer_id: str) -> None:
        self.sandbox.delete_party(customer_id)

    def customers(self) -> list[str]:
        return [str(party["id"]) for party in self.sandbox.parties()]

    def appointments(self) -> list[str]:
        return [str(attachment["id"]) for attachment in self.sandbox.attachments()]

    def text(self, record_id: str) -> str:
        return str(next(one["description"] for one in self.sandbox.attachments() if str(one["id"]) == record_id))

    def delete_appointment(self, record_id: str) -> None:
        self.sandbox.delete_attachment(record_id)

    def unprepare(self) -> None:
        raise AssertionError("nothing has to be prepared in Tryton")
