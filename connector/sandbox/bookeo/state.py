"""What the Bookeo sandbox remembers: customers, bookings, custom fields and webhooks, with Bookeo's rules for them.

Synthetic, because no public page says it: the form of ids, every default value, that members left out of a PUT are
cleared (but for those that public code leaves out of bookings), which members a PUT cannot change, that a cancelled
booking keeps its external reference, and that a deleted customer's bookings go with it.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

Json = dict[str, Any]
#: Bookeo's own limit on a booking's external reference.
MAX_EXTERNAL_REF = 64
#: Members of an object that a PUT does not change, whatever it says or leaves out.
READ_ONLY = {
    "customers": ("id", "creationTime", "numBookings", "numCancelations", "numNoShows", "credit", "member"),
    "bookings": (
        *("bookingNumber", "customerId", "startTime", "endTime", "creationTime", "creationAgent"),
        *("canceled", "cancelationTime", "cancelationAgent", "lastChangeTime", "lastChangeAgent"),
    ),
}


class BookeoState:
    """The state of one sandbox; plain data, changed by synchronous methods only, so each change is atomic."""

    def __init__(self, text_fields: Iterable[str], clock: Callable[[], float]) -> None:
        self._text_fields = tuple(text_fields)
        self._clock = clock
        self.reset()

    def reset(self) -> None:
        """Forget everything but the custom fields given at the start."""
        self.customers: dict[str, Json] = {}
        self.bookings: dict[str, Json] = {}
        #: By (domain, type): there is at most one for each.
        self.webhooks: dict[tuple[str, str], Json] = {}
        self.fields: dict[str, list[Json]] = {}
        self._last = 0
        for name in self._text_fields:
            self.add_field(name)

    def moment(self) -> datetime:
        """The sandbox's time."""
        return datetime.fromtimestamp(self._clock(), UTC)

    def now(self) -> str:
        """The sandbox's time as Bookeo writes it."""
        return stamp(self.moment())

    def next_id(self, letters: str) -> str:
        """An id of Bookeo's look."""
        self._last += 1
        return f"2856{letters}{self._last:06}"

    def add_field(self, name: str, kind: str = "textFields") -> str:
        """Define a custom field of customers, by default a text; returns its id."""
        entries = self.fields.setdefault(kind, [])
        entry = {"id": self.next_id("CF"), "name": name, "shownToCustomers": False, "forCustomer": True}
        entries.append({**entry, "forParticipants": False, "index": len(entries)})
        return str(entry["id"])

    def field_id(self, name: str) -> str:
        """The id of a text field."""
        return next(str(entry["id"]) for entry in self.fields.get("textFields", []) if entry["name"] == name)

    def add_customer(self, **fields: Any) -> str:
        """Add a customer with Bookeo's field names; returns the id. Two may have the same e-mail address."""
        record: Json = {
            "id": self.next_id("CU"),
            "creationTime": self.now(),
            "gender": "unknown",
            "acceptSmsReminders": True,
            "member": False,
            "credit": {"amount": "0", "currency": "USD"},
            "numBookings": 0,
            **fields,
        }
        self.customers[record["id"]] = record
        return str(record["id"])

    def book(self, customer_id: str, *, starts_at: datetime | None = None, **fields: Any) -> str:
        """Store a booking and return its number. `fields` override anything, `participants` among them."""
        start = starts_at or self.moment() + timedelta(days=1)
        booking: Json = {
            "bookingNumber": self.next_id("BK"),
            "eventId": self.next_id("EV"),
            "startTime": stamp(start),
            "endTime": stamp(start + timedelta(hours=2)),
            "customerId": customer_id,
            "title": "Harbour tour",
            "productName": "Harbour tour",
            "productId": "2856PR1",
            "participants": {"numbers": [{"peopleCategoryId": "Cadults", "number": 2}]},
            "canceled": False,
            "accepted": True,
            "privateEvent": False,
            "creationTime": self.now(),
            "creationAgent": "customer",
            **fields,
        }
        self.bookings[booking["bookingNumber"]] = booking
        self.customers[customer_id]["numBookings"] += 1
        return str(booking["bookingNumber"])

    def change_booking(self, number: str, **fields: Any) -> None:
        """Change members of a booking."""
        self.bookings[number].update({**fields, "lastChangeTime": self.now(), "lastChangeAgent": "manager"})

    def put(self, domain: str, id_: str, body: Json) -> Json:
        """Replace an object: what is not in the body is gone, save what a PUT cannot change."""
        objects = self.customers if domain == "customers" else self.bookings
        old = objects[id_]
        fixed = {name: old[name] for name in READ_ONLY[domain] if name in old}
        new = {**copy.deepcopy({name: value for name, value in body.items() if name not in READ_ONLY[domain]}), **fixed}
        if domain == "bookings":
            new.pop("customer", None)
            details = (old.get("participants") or {}).get("details")
            if details is not None and isinstance(new.get("participants"), dict):
                new["participants"].setdefault("details", details)
            new.update(lastChangeTime=self.now(), lastChangeAgent="api")
        objects[id_] = new
        return new

    def booking(self, number: str, *, customer: bool = False, participants: bool = False) -> Json:
        """A booking as an answer shows it: customer and participants in full on request only."""
        shown = copy.deepcopy(self.bookings[number])
        if not participants and isinstance(shown.get("participants"), dict):
            shown["participants"].pop("details", None)
        if customer and shown["customerId"] in self.customers:
            shown["customer"] = copy.deepcopy(self.customers[shown["customerId"]])
        return shown

    def set_custom(self, customer_id: str, field_id: str, value: str) -> None:
        """Fill a custom field of a customer."""
        entries = [e for e in self.customers[customer_id].get("customFields", []) if e.get("id") != field_id]
        name = next((e["name"] for kind in self.fields.values() for e in kind if e["id"] == field_id), "")
        self.customers[customer_id]["customFields"] = [*entries, {"id": field_id, "name": name, "value": value}]

    def custom(self, customer_id: str, field_id: str) -> str | None:
        """The value of a custom field."""
        entries = self.customers[customer_id].get("customFields") or []
        return next((entry.get("value") for entry in entries if entry.get("id") == field_id), None)


def stamp(moment: datetime) -> str:
    """A date-time as Bookeo writes it, with an offset."""
    return moment.astimezone(UTC).isoformat(timespec="seconds")
