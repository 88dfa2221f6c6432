"""What happens in the town: people arrive, book, change their minds, and are merged at both sides while all this runs."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from connector.sandbox.booxi.app import BooxiSandbox
from connector.sandbox.hubspot.app import HubSpotSandbox

from .people import DUMMY_EMAILS, DUMMY_PHONES, People, Person, surname

#: Seconds; makes what was in the CRM before visible to every lagging search.
OLD = 600.0
MODULE = "hubspot"
#: People at one number after whom everybody has noticed that it is an office's.
NOTICED = 6


class Town:
    """The population of one round and its actions. `told` is the newest statement about each (booking, client)."""

    def __init__(self, booxi: BooxiSandbox, hubspot: HubSpotSandbox, rng: random.Random, *, merges: bool = True) -> None:
        self.booxi = booxi
        self.hubspot = hubspot
        self.rng = rng
        self.people = People(rng)
        self.owner: dict[int, Person] = {}
        self.bookings: list[str] = []
        self.told: dict[tuple[str, int], datetime] = {}
        #: Bookings to which several clients came.
        self.groups: set[str] = set()
        #: Links and metadata that were in the booking system before.
        self.metadata: dict[int, dict[str, Any]] = {}
        #: Clients that a Booxi merge made or left: they are merged only once.
        self.touched: set[int] = set()
        #: One number that strangers give: that of the office where they work.
        self._office = self.people.new_phone()
        self._merges = merges
        self._times = 0
        self._arrivals: list[tuple[float, Callable[[], list[int]]]] = [
            (14, self._new_by_email),
            (8, self._new_by_both),
            (10, self._known_by_email),
            (8, self._known_and_linked),
            (17, self._another_client),
            (8, self._new_by_phone),
            (6, self._known_by_phone),
            (6, self._family),
            (5, self._household),
            (4, self._at_the_office),
            (3, self._dummy_email),
            (2, self._dummy_phone),
            (2, self._recycled_email),
            (4, self._slip),
            (5, self._blank),
        ]

    # ---- actions ----

    def act(self) -> None:
        """One random action."""
        action = self.rng.random()
        if action < 0.45 or not self.bookings:
            self._visit_all(self.arrive())
        elif action < 0.60:
            self.visit(self.rng.choice(list(self.owner)))
        elif action < 0.92 or not self._merges:
            self.change()
        elif action < 0.97:
            self.merge_contacts()
        else:
            self.merge_clients()

    def arrive(self) -> list[int]:
        """New clients, who may be known persons."""
        weights = [weight for weight, _ in self._arrivals]
        (arrival,) = self.rng.choices([arrival for _, arrival in self._arrivals], weights)
        return arrival()

    def _visit_all(self, clients: list[int]) -> None:
        # Several clients of one booking are different people.
        distinct = len({id(self.owner[client]) for client in clients}) == len(clients)
        if len(clients) > 1 and distinct and self.rng.random() < 0.5:
            self.visit(clients[0], attendees=clients)
            return
        for client in clients:
            self.visit(client)

    def visit(self, client: int, *, attendees: list[int] | None = None) -> None:
        """Book for a client, or for a group."""
        client = self.booxi.state.merged.get(client, client)
        start = self._time()
        booking = self.booxi.book(client, starts_at=start, attendees=attendees or [])
        self.bookings.append(booking)
        if attendees:
            self.groups.add(booking)
        self._tell(booking, start)

    def change(self) -> None:
        """Move a booking to another time, cancel it, or note what became of it; every statement has a time of its own."""
        booking, start = self.rng.choice(self.bookings), self._time()
        if self.booxi.state.bookings[booking]["modifiedOn"] == self.booxi.state.now():
            return  # Two statements of one millisecond have no order.
        stamp, end = _stamp(start), _stamp(start + timedelta(minutes=30))
        span = {"startsOn": stamp, "totalClientTimespan": {"start": stamp, "end": end, "duration": 30}}
        action = self.rng.choice(["move", "move", "move", "cancel", "no_show", "complete"])
        if action == "move":
            self.booxi.update_booking(booking, status="Approved", **span)
        else:
            self.booxi.state.change(booking, **span)
            getattr(self.booxi, action)(booking)
        self._tell(booking, start)

    def merge_contacts(self) -> None:
        """Somebody finds a second record of a person in the CRM, under another address, and merges the two."""
        person = self.rng.choice(self.people.all)
        contact = self._contact_of(person)
        if contact is None or person.ambiguous or person.anchor != "email" or len(person.emails) > 4:
            return
        email = f"p{person.number}.{len(person.emails)}@example.net"
        twin = self.hubspot.add_contact(age=OLD, email=email, firstname=person.first, lastname=person.last)
        pair = [contact, twin] if self.rng.random() < 0.5 else [twin, contact]
        self.hubspot.merge(*pair)
        person.emails.append(email)
        person.merged = True

    def merge_clients(self) -> None:
        """Booxi merges two clients of one person."""
        pairs = [p for p in self.people.all if len(self._free_clients(p)) > 1 and p.must_be_linked]
        if pairs:
            loser, survivor = self.rng.sample(self._free_clients(self.rng.choice(pairs)), 2)
            self.booxi.merge_clients(loser, survivor)
            self.touched |= {loser, survivor}

    def last_visits(self) -> None:
        """Whoever was merged comes once more, so that both sides get to know it."""
        for person in self.people.all:
            for client in person.clients:
                if (person.merged or client in self.touched) and client not in self.booxi.state.merged:
                    self.visit(client)

    # ---- arrivals ----

    def _client(self, person: Person, fields: dict[str, str]) -> int:
        client = self.booxi.add_client(**fields)
        self.owner[client] = person
        person.clients.append(client)
        return client

    def _new_by_email(self) -> list[int]:
        person = self.people.person()
        return [self._client(person, self.people.spelled(person)) for _ in range(self.rng.choice([1, 1, 1, 2, 4]))]

    def _new_by_both(self) -> list[int]:
        person = self.people.person(phone=True)
        return [self._client(person, self.people.spelled(person)) for _ in range(self.rng.choice([1, 1, 2]))]

    def _known_by_email(self) -> list[int]:
        person = self.people.person(phone=self.rng.random() < 0.3)
        self._contact(person)
        return [self._client(person, self.people.spelled(person)) for _ in range(self.rng.choice([1, 1, 2]))]

    def _known_and_linked(self) -> list[int]:
        person = self.people.person()
        contact = self._contact(person)
        client = self._client(person, self.people.spelled(person))
        self.metadata[client] = {"colour": f"c{client}"}
        self.booxi.set_link(client, contact, metadata=self.metadata[client])
        return [client]

    def _another_client(self) -> list[int]:
        people = [p for p in self.people.all if not p.blank]
        if not people:
            return self._new_by_email()
        person = self.rng.choice(people)
        fields = self.people.slip(person) if person.ambiguous and not person.emails else self.people.spelled(person)
        return [self._client(person, fields)]

    def _new_by_phone(self) -> list[int]:
        person = self.people.person(email=False, phone=True)
        return [self._client(person, self.people.spelled(person)) for _ in range(self.rng.choice([1, 2, 3]))]

    def _known_by_phone(self) -> list[int]:
        person = self.people.person(email=False, phone=True)
        self._contact(person)
        return [self._client(person, self.people.spelled(person))]

    def _family(self) -> list[int]:
        number, last = self.people.new_phone(), ""
        clients = []
        for first in self.rng.sample(["Ada", "Bruno", "Elif", "Grace"], 2):
            person = self.people.person(number=number, first=first, last=last)
            last, person.ambiguous = person.last, True
            if self.rng.random() < 0.4:
                self._contact(person)
            clients.append(self._client(person, self.people.spelled(person, whole=True)))
        return clients

    def _household(self) -> list[int]:
        """Several people of one surname with one mailbox, some of them with the number at home as well."""
        first, last, email = self.people.person(), "", ""
        number = self.people.new_phone() if self.rng.random() < 0.5 else ""
        clients = []
        for name in self.rng.sample(["Ada", "Bruno", "Elif", "Grace"], self.rng.choice([2, 2, 3])):
            person = self.people.person(email=False, number=number, first=name, last=last) if clients else first
            person.first, person.phone, person.anchor, person.ambiguous = name, number, "email", True
            last, email = person.last, email or person.emails[0]
            person.emails = [email]
            # HubSpot keeps addresses unique: one of them can be there before.
            if not clients and self.rng.random() < 0.5:
                self._contact(person)
            # Both fields in the other order, for all of them: nobody could tell the surname unless it is a frequent one.
            fields = self.people.spelled(person, whole=True) | {"firstName": person.first, "lastName": person.last}
            clients.append(self._client(person, fields))
        return clients

    def _at_the_office(self) -> list[int]:
        """Somebody with an address of their own and the number of the office, which many others give too."""
        # A surname of their own: the same whole name with the same number would be the same person, whoever looks at it.
        person = self.people.person(number=self._office, last=surname(len(self.people.all)))
        # Until it is seen that the number belongs to many, a given name that two of them share is asked about.
        person.ambiguous = sum(other.phone == self._office for other in self.people.all) <= NOTICED
        return [self._client(person, self.people.spelled(person, whole=True))]

    def _dummy_email(self) -> list[int]:
        """Somebody with a phone; staff typed an address that is nobody's."""
        person = self.people.person(email=False, phone=True)
        return [self._client(person, self.people.spelled(person) | {"email": self.rng.choice(DUMMY_EMAILS)})]

    def _dummy_phone(self) -> list[int]:
        """Somebody with an address; staff typed a number that is nobody's."""
        person = self.people.person()
        return [self._client(person, self.people.spelled(person) | {"mobilePhoneNumber": self.rng.choice(DUMMY_PHONES)})]

    def _recycled_email(self) -> list[int]:
        """A mailbox that has passed from somebody whom the CRM knows to somebody else."""
        before = self.people.person(first="Dmitri")
        self._contact(before)
        after = self.people.person(email=False, first="Hedy")
        after.emails, after.anchor = [before.emails[0]], "email"
        before.ambiguous = after.ambiguous = True
        return [self._client(after, self.people.spelled(after))]

    def _slip(self) -> list[int]:
        person = self.people.person(email=False, phone=True)
        person.ambiguous = True
        self._contact(person)
        return [self._client(person, self.people.slip(person))]

    def _blank(self) -> list[int]:
        person = self.people.person(email=False)
        person.blank = True
        return [self._client(person, {"firstName": person.first, "lastName": self.rng.choice(["", person.last])})]

    # ---- what they share ----

    def _contact(self, person: Person) -> str:
        fields = {"firstname": person.first, "lastname": person.last}
        if person.emails:
            fields["email"] = person.emails[0]
        if person.phone:
            fields[self.rng.choice(["phone", "mobilephone"])] = person.phone
        return self.hubspot.add_contact(age=OLD, **fields)

    def _contact_of(self, person: Person) -> str | None:
        if not person.emails:
            return None
        wanted = set(person.emails)
        return next((c["id"] for c in self.hubspot.contacts() if c.get("email") in wanted), None)

    def _free_clients(self, person: Person) -> list[int]:
        return [client for client in person.clients if client not in self.touched]

    def _time(self) -> datetime:
        self._times += 1
        return datetime(2030, 1, 1, tzinfo=UTC) + timedelta(minutes=self._times)

    def _tell(self, booking: str, start: datetime) -> None:
        content = self.booxi.state.bookings[booking]
        for person in [content["client"], *content.get("attendees", [])]:
            self.told[booking, person["id"]] = start


def _stamp(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")
