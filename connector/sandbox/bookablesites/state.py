"""What the Bookablesites sandbox remembers: customers, appointments with their bookings, and what staff wrote.

Synthetic, because no public page says it: all id numbers, that an appointment's list shows cancelled ones for ever, how a
written `phone` is cut into number and country code, that a customer's e-mail may be changed, and every default value.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import phonenumbers

Json = dict[str, Any]
#: How the API writes times (synthetic): naive, in the account's zone.
API_TIME = "%Y-%m-%d %H:%M:%S"
STATUSES = ("approved", "pending", "canceled", "rejected", "no-show")


class Taken(ValueError):
    """Another customer has this e-mail: it is unique in an account."""


class BookablesitesState:
    """The state of one sandbox; plain data, changed by synchronous methods only, so each change is atomic."""

    def __init__(self, zone: str, clock: Callable[[], float]) -> None:
        self.zone = ZoneInfo(zone)
        self._clock = clock
        self.reset()

    def reset(self) -> None:
        """Forget everything."""
        self.customers: dict[int, Json] = {}
        self.appointments: dict[int, Json] = {}
        #: What was written as `description`, by customer; no read shows it.
        self.descriptions: dict[int, str] = {}
        self._last_id = 4_100

    def _next_id(self) -> int:
        self._last_id += 1
        return self._last_id

    def api_time(self, moment: datetime) -> str:
        """A moment as the API writes it."""
        return moment.astimezone(self.zone).strftime(API_TIME)

    def add_customer(self, *, first_name: str, last_name: str, email: str, phone: str = "", **fields: Any) -> int:
        """Add a customer; returns the id. Raises Taken."""
        self._check_free(email, None)
        id_ = self._next_id()
        record = {"id": id_, "first_name": first_name, "last_name": last_name, "email": email, **cut_phone(phone)}
        self.customers[id_] = {**record, "gender": None, "birthday": None, **fields}
        return id_

    def by_email(self, email: str) -> int | None:
        """The customer with this e-mail, whatever its case."""
        return next((id_ for id_, one in self.customers.items() if one["email"].lower() == email.lower()), None)

    def update_customer(self, customer: int, fields: Json) -> Json:
        """Write a customer. `description` is kept apart and shown by no read; left out, it stays. Raises Taken."""
        self._check_free(str(fields["email"]), customer)
        record = self.customers[customer]
        record.update({name: fields[name] for name in ("first_name", "last_name", "email")}, **cut_phone(str(fields["phone"])))
        if "description" in fields:
            self.descriptions[customer] = str(fields["description"])
        return record

    def _check_free(self, email: str, customer: int | None) -> None:
        if (holder := self.by_email(email)) is not None and holder != customer:
            raise Taken

    def book(self, customers: Iterable[int], starts_at: datetime | None, service: str, status: str, minutes: int) -> int:
        """Make one appointment with a booking for each customer; returns its id."""
        now = datetime.fromtimestamp(self._clock(), UTC)
        start = starts_at or (now + timedelta(days=1)).replace(minute=0, second=0, microsecond=0)
        appointment: Json = {
            "id": self._next_id(),
            "status": status,
            "start_date_time": self.api_time(start),
            "end_date_time": self.api_time(start + timedelta(minutes=minutes)),
            "created_at": self.api_time(now),
            "note": "",
            "service": {"id": 31, "name": service},
            "location": {"id": 7, "name": "Main Street"},
            "employees": [{"id": 5, "first_name": "Robin", "last_name": "Example"}],
            "bookings": [
                {"id": self._next_id(), "status": status, "additional_persons": 0, "customer": {"id": customer}}
                for customer in customers
            ],
        }
        self.appointments[appointment["id"]] = appointment
        return int(appointment["id"])

    def move(self, appointment: int, starts_at: datetime) -> None:
        """Reschedule, keeping the length."""
        record = self.appointments[appointment]
        start, end = (datetime.strptime(record[name], API_TIME) for name in ("start_date_time", "end_date_time"))  # noqa: DTZ007
        record.update(start_date_time=self.api_time(starts_at), end_date_time=self.api_time(starts_at + (end - start)))

    def set_status(self, appointment: int, status: str, customer: int | None = None) -> None:
        """Set the status of an appointment and of its bookings, or of one customer's booking alone. Raises ValueError."""
        if status not in STATUSES:
            raise ValueError(f"status is one of {', '.join(STATUSES)}")
        record = self.appointments[appointment]
        if customer is None:
            record["status"] = status
        for booking in record["bookings"]:
            if customer in (None, booking["customer"]["id"]):
                booking["status"] = status

    def shown(self, appointment: Json) -> Json:
        """An appointment as the API shows it: bookings name their customers, without the phone."""
        keys = ("id", "first_name", "last_name", "email")
        bookings = [
            {**booking, "customer": {key: self.customers.get(booking["customer"]["id"], {}).get(key) for key in keys}}
            for booking in appointment["bookings"]
        ]
        return {**appointment, "bookings": bookings}


def cut_phone(phone: str) -> Json:
    """A written `phone` as it is read: number and country code apart (synthetic)."""
    try:
        number = phonenumbers.parse(phone)
    except phonenumbers.NumberParseException:
        return {"phone_number": phone, "phone_country_code": ""}
    national = phonenumbers.national_significant_number(number)
    return {"phone_number": national, "phone_country_code": f"+{number.country_code}"}
