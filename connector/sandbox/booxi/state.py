"""What the Booxi sandbox remembers: merchants, clients, bookings and module links, with Booxi's rules for them.

Synthetic, because no public page says it: all id numbers, that a merge moves bookings and a lone link to the survivor,
the limit on the length of an external id, and every default value.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

Json = dict[str, Any]
#: Synthetic: longer external ids are refused as InvalidExternalId.
MAX_EXTERNAL_ID = 200
CONTACT_FIELDS = ("firstName", "lastName", "email", "homePhoneNumber", "mobilePhoneNumber")


class InvalidExternalId(ValueError):
    """The external id is blank or too long (synthetic triggers)."""


class BooxiState:
    """The state of one sandbox; plain data, changed by synchronous methods only, so each change is atomic."""

    def __init__(self, module_ids: Iterable[str], merchants: int | Iterable[Json], clock: Callable[[], float]) -> None:
        self.module_ids = tuple(module_ids)
        self._merchants = merchants
        self._clock = clock
        #: Grows with every change of a booking.
        self.version = 0
        #: SYNTHETIC: what an empty external id does is not documented; False refuses it like any other blank.
        self.empty_id_unlinks = False
        self.reset()

    def reset(self) -> None:
        """Forget everything but the merchants given at the start."""
        self.merchants: dict[int, Json] = {}
        self.clients: dict[int, Json] = {}
        self.bookings: dict[str, Json] = {}
        self.links: dict[tuple[int, str], Json] = {}
        self.merged: dict[int, int] = {}
        self.version += 1
        self._modules = dict.fromkeys(self.module_ids)
        self._last_id = 10_374_000
        given = [{} for _ in range(self._merchants)] if isinstance(self._merchants, int) else self._merchants
        for merchant in given:
            self.add_merchant(**merchant)

    def now(self) -> str:
        """The sandbox's time as Booxi writes it."""
        return self.moment().isoformat(timespec="milliseconds").replace("+00:00", "Z")

    def moment(self) -> datetime:
        """The sandbox's time."""
        return datetime.fromtimestamp(self._clock(), UTC)

    def _next_id(self) -> int:
        self._last_id += 1
        return self._last_id

    def add_merchant(self, **fields: Any) -> int:
        """Add a store; returns its id."""
        number = len(self.merchants) + 1
        merchant = {"id": 500 + number, "name": f"Store {number}", "storeNumber": f"S{number:03}", "timeZone": "UTC", **fields}
        self.merchants[merchant["id"]] = merchant
        return int(merchant["id"])

    def add_client(self, **fields: Any) -> int:
        """Add a client record with Booxi's field names (`firstName`, `email`, `mobilePhoneNumber` …); returns its id."""
        record = {"id": self._next_id(), "merchantId": next(iter(self.merchants), None), "status": "Active", **fields}
        record.update(createdOn=self.now(), modifiedOn=self.now())
        self.clients[record["id"]] = record
        return int(record["id"])

    def match_client(self, wanted: Json) -> int:
        """The client a booking is made for, as Booxi matches: customer id, then full name with e-mail or a phone, else new.

        Blanks of a matched client are filled from the booking. A new client gets the customer id as its link.
        """
        contact = {key: value for key, value in wanted.items() if key in CONTACT_FIELDS and value}
        found = self._find(wanted.get("customerId"), contact)
        if found is None:
            found = self.add_client(**contact)
            if wanted.get("customerId") and self.module_ids:
                self.set_link(found, self.module_ids[0], str(wanted["customerId"]))
        record = self.clients[found]
        record.update({key: value for key, value in contact.items() if not record.get(key)})
        return found

    def _find(self, customer_id: Any, contact: Json) -> int | None:
        if customer_id and self.module_ids:
            for (client, module), link in self.links.items():
                if module == self.module_ids[0] and link["externalId"] == str(customer_id):
                    return client
        for third in ("email", "homePhoneNumber", "mobilePhoneNumber"):
            keys = ("firstName", "lastName", third)
            if all(contact.get(key) for key in keys):
                for client, record in self.clients.items():
                    if client not in self.merged and all(_same(record.get(key), contact[key]) for key in keys):
                        return client
        return None

    def book(
        self,
        client: int | None,
        *,
        merchant_id: int | None = None,
        starts_at: datetime | None = None,
        service: str = "Fitting",
        attendees: Iterable[int] = (),
        **fields: Any,
    ) -> str:
        """Store a booking and return its id; with attendees it is a group reservation. `fields` override anything."""
        start = starts_at or self.moment() + timedelta(days=1)
        span = {"start": _stamp(start), "end": _stamp(start + timedelta(minutes=30)), "duration": 30}
        others = list(attendees)
        booking: Json = {
            "bookingId": f"B{self._next_id()}",
            "merchantId": merchant_id or next(iter(self.merchants), None),
            "bookingMethod": "GroupReservation" if others else "Appointment",
            "status": "Approved",
            "isCompleted": False,
            "startsOn": _stamp(start),
            "totalClientTimespan": span,
            "staffId": 71,
            "staffFirstName": "Robin",
            "staffLastName": "Example",
            "items": [{"serviceId": 31, "serviceName": service}],
            "location": "Business",
            "createdOn": self.now(),
            "modifiedOn": self.now(),
            "client": None if client is None else self.person(client),
        }
        if others:
            booking["attendees"] = [{**self.person(other), "isRequester": other == client} for other in others]
        booking.update(fields)
        self.bookings[str(booking["bookingId"])] = booking
        self.version += 1
        return str(booking["bookingId"])

    def person(self, client: int) -> Json:
        """A client as a booking shows it: fewer fields than the record, and a presence."""
        record = self.clients[client]
        return {"id": client, **{key: record.get(key) for key in CONTACT_FIELDS}, "presence": "Expecting"}

    def change(self, booking_id: str, *, presence: str | None = None, **fields: Any) -> None:
        """Change a booking's fields, and the presence of its client."""
        booking = self.bookings[booking_id]
        booking.update(fields, modifiedOn=self.now())
        self.version += 1
        if presence is not None and booking.get("client"):
            booking["client"]["presence"] = presence

    def set_link(self, client: int, module: str, external_id: Any, metadata: Json | None = None) -> Json:
        """Replace external id and metadata, as Booxi does: what is not given is gone.

        Raises:
            InvalidExternalId: blank, not a text, or too long.
        """
        if external_id == "" and self.empty_id_unlinks:
            self.links.pop((client, module), None)
            return {"clientId": client, "moduleId": module}
        if not isinstance(external_id, str) or not external_id.strip() or len(external_id) > MAX_EXTERNAL_ID:
            raise InvalidExternalId
        self._modules[module] = None
        created = self.links.get((client, module), {}).get("createdOn", self.now())
        link: Json = {"clientId": client, "moduleId": module, "externalId": external_id}
        if metadata is not None:
            link["metadata"] = metadata
        self.links[client, module] = {**link, "createdOn": created, "modifiedOn": self.now()}
        return self.links[client, module]

    def links_of(self, booking: Json) -> list[Json]:
        """All links of all people of a booking, as `clientLinks` lists them."""
        people = [booking.get("client") or {}, *booking.get("attendees", [])]
        keys = [(client, module) for client in {person.get("id") for person in people} for module in self._modules]
        return [copy.deepcopy(self.links[key]) for key in keys if key in self.links]

    def merge(self, loser: int, survivor: int) -> None:
        """Merge a client away; its bookings, and its links where the survivor has none, go to the survivor."""
        if loser == survivor or loser not in self.clients or survivor not in self.clients:
            raise KeyError("both clients must exist and differ")
        self.merged[loser] = survivor
        for module in self.module_ids:
            link = self.links.pop((loser, module), None)
            if link is not None and (survivor, module) not in self.links:
                self.links[survivor, module] = {**link, "clientId": survivor}
        self.version += 1
        for booking in self.bookings.values():
            for person in [booking.get("client") or {}, *booking.get("attendees", [])]:
                if person.get("id") == loser:
                    person["id"] = survivor

    def search(self, matches: Callable[[Json], bool], limit: int) -> list[Json]:
        """The first clients that match; the others are silently left out, as Booxi does."""
        found = (record for client, record in self.clients.items() if client not in self.merged and matches(record))
        return [record for record, _ in zip(found, range(limit), strict=False)]


def _same(one: Any, other: Any) -> bool:
    return str(one or "").strip().casefold() == str(other or "").strip().casefold()


def _stamp(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
