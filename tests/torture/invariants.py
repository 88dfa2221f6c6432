"""What must hold at the end of a round. Every function answers sentences, one for each breach; none when all is well.

Compared are the two sandboxes, the database and the population, none of which is asked through the service.
"""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from acceptance.world import OnServer, rows

from connector.sandbox.hubspot.app import HubSpotSandbox
from connector.store import look
from connector.store.reviews import views as review_views
from connector.sync.person.identity import person_key

from .courier import Courier
from .people import Person
from .town import MODULE, Town

MARKER = re.compile(r"connector: ([0-9a-f]{32})")


class Ledger:
    """Watches the CRM's meetings from inside: which time each write gave to each meeting, in the order of the writes."""

    def __init__(self, hubspot: HubSpotSandbox) -> None:
        self.times: dict[str, list[str]] = defaultdict(list)
        self._records = hubspot.records
        self._create, self._update = hubspot.records.create_meeting, hubspot.records.update_meeting
        hubspot.records.create_meeting = self.create  # type: ignore[method-assign]
        hubspot.records.update_meeting = self.update  # type: ignore[method-assign]

    def create(self, given: Mapping[str, Any], contacts: Iterable[str]) -> Any:
        """Pass it on and remember it."""
        record = self._create(given, contacts)
        self.times[record.id].append(str(given.get("hs_timestamp")))
        return record

    def update(self, identity: str, given: Mapping[str, Any]) -> Any:
        """Pass it on and remember it."""
        record = self._update(identity, given)
        self.times[identity].append(str(given.get("hs_timestamp")))
        return record


class Inspection:
    """Everything an inspection looks at. `meetings`: whether appointments are recorded in this round."""

    def __init__(
        self,
        town: Town,
        courier: Courier,
        database: Path | OnServer,
        ledger: Ledger,
        log: list[str],
        secrets: list[str],
        *,
        meetings: bool,
    ) -> None:
        self.town = town
        self.courier = courier
        self.database = database
        self.ledger = ledger
        self.log = log
        self.secrets = secrets
        self.meetings = meetings
        self.links = {int(c): i for c, i in rows(database, "SELECT client_id, customer_id FROM links")}

    def breaches(self) -> list[str]:
        """All breaches, in words."""
        checks = [self.stored, self.final, self.ordered, self.one_customer, self.right_links, self.equal_links, self.settled]
        checks += [self.quotas, self.silent] + ([self.one_meeting] if self.meetings else [])
        return [f"{check.__name__}: {breach}" for check in checks for breach in check()]

    # ---- the inbox ----

    def stored(self) -> Iterator[str]:
        """Acknowledged = stored, to the byte; and nothing is stored that was never sent."""
        if isinstance(self.database, Path) and rows(self.database, "PRAGMA integrity_check") != [("ok",)]:
            yield "the database is damaged"
        stored = dict(rows(self.database, "SELECT event, body FROM deliveries"))
        for event, body in self.courier.acknowledged.items():
            if event not in stored:
                yield f"delivery {event} was acknowledged and is not stored"
            elif json.loads(stored[event]) != body:
                yield f"delivery {event} is stored with another body"
        yield from (f"delivery {event} is stored and was not acknowledged" for event in stored.keys() - self._acknowledged())
        drawn = rows(
            self.database, "SELECT event FROM deliveries d WHERE NOT EXISTS (SELECT 1 FROM events WHERE delivery_id=d.id)"
        )
        yield from (f"delivery {event} has no event" for (event,) in drawn)
        for event, n in rows(
            self.database, "SELECT delivery_id, count(*) FROM events GROUP BY delivery_id, client_id HAVING count(*) > 1"
        ):
            yield f"delivery {event} has {n} events of one client"
        if self.courier.strange.keys() - {"503"}:
            yield f"the receiver answered {dict(self.courier.strange)}"

    def _acknowledged(self) -> set[str]:
        return set(self.courier.acknowledged)

    def final(self) -> Iterator[str]:
        """Each event is final, or waits visibly and for a reason we know."""
        query = "SELECT id, client_id, state, reason FROM events WHERE state <> 'done'"
        reviewed = {client for item in look(self.database, review_views.reviews) for client in item["client_ids"]}
        for event, client, state, reason in rows(self.database, query):
            person = self.town.owner[int(client)] if client else None
            if state not in ("held", "ignored"):
                yield f"event {event} of client {client} is still {state}: {reason}"
            elif state == "ignored" and not (person and person.blank):
                yield f"event {event} of client {client} was ignored: {reason}"
            elif state == "held" and not (person and person.ambiguous):
                yield f"event {event} of client {client} is held: {reason}"
            elif state == "held" and client not in reviewed:
                yield f"event {event} of client {client} is held, but no review is open: {reason}"

    def ordered(self) -> Iterator[str]:
        """The events of a lane ended in the order in which they came."""
        query = "SELECT client_id, id, updated_at FROM events WHERE state = 'done' ORDER BY client_id, id"
        last: dict[str, float] = {}
        for client, event, at in rows(self.database, query):
            if not self.town.owner[int(client)].ambiguous and at < last.get(client, 0):
                yield f"event {event} of client {client} ended before an older one"
            last[client] = at

    # ---- customers and links ----

    def person_of(self, contact: Mapping[str, str]) -> Person | None:
        """Whose it is: by its addresses and, where several people have one, its name; without any, by whom it was made for."""
        emails = {contact.get("email", ""), *contact.get("hs_additional_emails", "").split(";")} - {""}
        owners = {person.number: person for email in emails for person in self._by_email.get(email, ())}
        if len(owners) > 1:
            name = {contact.get(part, "").casefold() for part in ("firstname", "lastname")}
            owners = {n: person for n, person in owners.items() if {person.first.casefold(), person.last.casefold()} == name}
        if emails:
            return next(iter(owners.values())) if len(owners) == 1 else None
        if contact.get("connector_person_key") in self._made_for:
            return self._made_for[contact["connector_person_key"]]
        numbers = {contact.get("phone"), contact.get("mobilephone")} - {None}
        return next((p for p in self.town.people.all if p.phone in numbers and not p.emails), None)

    @cached_property
    def _by_email(self) -> dict[str, list[Person]]:
        found: dict[str, list[Person]] = defaultdict(list)
        for person in self.town.people.all:
            for email in person.emails:
                found[email].append(person)
        return found

    @cached_property
    def _made_for(self) -> dict[str, Person]:
        return {person_key("stores", str(client)): person for client, person in self.town.owner.items()}

    def one_customer(self) -> Iterator[str]:
        """One live contact for each person; none for nobody; none that is nobody's."""
        found: Counter[int] = Counter()
        for contact in self.town.hubspot.contacts():
            person = self.person_of(contact)
            if person is None:
                yield f"contact {contact['id']} is nobody's: {contact}"
            else:
                found[person.number] += 1
        for person in self.town.people.all:
            count = found[person.number]
            if count > 1 or (count == 1 and person.blank):
                yield f"person {person.number} (clients {person.clients}) is {count} contacts"
            elif count == 0 and person.must_be_linked:
                yield f"person {person.number} (clients {person.clients}) is no contact"

    def right_links(self) -> Iterator[str]:
        """Each link leads to the client's own person; nobody is left out."""
        contacts = {contact["id"]: contact for contact in self.town.hubspot.contacts()}
        for client, customer in self.links.items():
            person, contact = self.town.owner[client], contacts.get(self.follow(customer))
            if contact is None:
                yield f"client {client} is linked to {customer}, which does not exist"
            elif self.person_of(contact) is not person:
                yield f"client {client} is linked to {customer}, who is somebody else"
        for client, person in self.town.owner.items():
            if person.must_be_linked and client not in self.links:
                yield f"client {client} of person {person.number} is not linked"

    def follow(self, customer: str) -> str:
        """The id after all merges."""
        return self.town.hubspot.records._follow(customer)

    def equal_links(self) -> Iterator[str]:
        """What the booking system holds is what we hold: the survivor's id, since everybody came once more at the end."""
        there = self.town.booxi.links(MODULE)
        for client, customer in self.links.items():
            yield from self._equal_link(client, customer, there)
        yield from (f"the booking system links client {client}, we do not" for client in there.keys() - self.links.keys())
        for client, metadata in self.town.metadata.items():
            link = self.town.booxi.state.links.get((client, MODULE), {})
            if client not in self.town.touched and link.get("metadata") != metadata:
                yield f"the metadata beside the link of client {client} was lost"

    def _equal_link(self, client: int, customer: str, there: Mapping[int, str]) -> Iterator[str]:
        holder, alive = self.town.booxi.state.merged.get(client, client), self.follow(customer)
        held = there.get(holder)
        if held is None:
            yield f"client {client} is linked to {customer}, and the booking system does not know"
        elif client == holder and {customer, held} != {alive}:
            yield f"client {client} is linked to {customer}, the booking system holds {held}, alive is {alive}"
        elif self.follow(held) != alive:
            yield f"client {client} was merged into {holder}: {customer} here, {held} there"

    # ---- effects ----

    def settled(self) -> Iterator[str]:
        """No intent is left open, no identity key is claimed; but by those who wait for a review."""
        held = {c for (c,) in rows(self.database, "SELECT client_id FROM events WHERE state = 'held'")}
        query = "SELECT key, client_id, (SELECT count(*) FROM claims WHERE intent = key) FROM intents WHERE state <> 'done'"
        for key, client, claims in rows(self.database, query):
            if client not in held:
                yield f"the intent {key[:40]} of client {client} is open and claims {claims} keys"

    def one_meeting(self) -> Iterator[str]:
        """One meeting for each (appointment, client), in the newest state, on the person's contact, written in order.

        Clients who were merged are one client, but for an appointment to which both had come before.
        """
        found: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for meeting in self.town.hubspot.meetings():
            mark = MARKER.search(meeting.get("hs_internal_meeting_notes", ""))
            found[mark.group(1) if mark else ""].append(meeting)
        nothing = found.keys() - {marker(*key) for key in self.town.told}
        yield from (f"{len(found[mark])} meetings of nothing" for mark in nothing)
        together: dict[tuple[str, int], list[int]] = defaultdict(list)
        for booking, client in self.town.told:
            together[booking, self.town.booxi.state.merged.get(client, client)].append(client)
        for (booking, holder), clients in together.items():
            if not self._waits(holder):
                meetings = [meeting for client in clients for meeting in found[marker(booking, client)]]
                yield from self._one_meeting(meetings, booking, clients)

    def _waits(self, client: int) -> bool:
        person = self.town.owner[client]
        return person.blank or person.ambiguous

    def _one_meeting(self, meetings: list[dict[str, Any]], booking: str, clients: list[int]) -> Iterator[str]:
        where = f"booking {booking} of {' and '.join(map(str, clients))}"
        most = len(clients) if booking in self.town.groups or self.town.owner[clients[0]].merged else 1
        if not 1 <= len(meetings) <= most:
            yield f"{where} has {len(meetings)} meetings"
            return
        newest = _stamp(max(self.town.told[booking, client] for client in clients))
        if newest not in {meeting["hs_timestamp"] for meeting in meetings}:
            yield f"{where} is recorded for {meetings[0]['hs_timestamp']}, the newest statement says {newest}"
        contacts = {self.follow(self.links[client]) for client in clients if client in self.links}
        for meeting in meetings:
            times = self.ledger.times[meeting["id"]]
            # Clients who were merged have two lanes: a lost answer may let an older statement in until it is repeated.
            if len(clients) == 1 and times != sorted(times):
                yield f"{where} was written out of order: {times}"
            if contacts and not contacts & set(meeting["contacts"]):
                yield f"{where} is recorded on {meeting['contacts']}, the customer is {contacts}"

    def quotas(self) -> Iterator[str]:
        """We never exceeded what the remote systems allow."""
        if self.town.booxi.meter.throttled:
            yield f"Booxi refused {self.town.booxi.meter.throttled} calls as too many"
        if self.town.hubspot.statuses[429]:
            yield f"HubSpot refused {self.town.hubspot.statuses[429]} calls as too many"

    def silent(self) -> Iterator[str]:
        """No log line holds a secret, an address, a number or a name."""
        private = {*self.secrets}
        for person in self.town.people.all:
            private |= {person.last, *person.emails, *([person.phone, person.phone[2:]] if person.phone else [])}
        words = re.compile("|".join(re.escape(word) for word in private if word), re.IGNORECASE)
        for number, line in enumerate(self.log):
            if words.search(line) or re.search(r"@example\.|555.?01\d\d", line):
                yield f"line {number} of the log holds something private"
            if "Traceback" in line or '"failed unexpectedly' in line:
                yield f"line {number} of the log: {line[:300]}"


def _stamp(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def marker(booking: str, client: int) -> str:
    return person_key("stores/appointments", f"{booking}/{client}")[:32]
