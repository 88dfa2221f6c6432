"""The records behind the HubSpot sandbox: contacts, meetings and property definitions, with HubSpot's own rules.

Everything here is synchronous, so that one request is one step: of two creates of one person exactly one wins.
What HubSpot does not document is marked *synthetic*; where both behaviours are plausible it is a setting of `Rules`.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from connector.sandbox.hubspot import bodies
from connector.sandbox.hubspot.account import Account
from connector.sandbox.hubspot.model import (
    CONTACT_PROPERTIES,
    OPTIONS,
    Record,
    Refusal,
    checked_meeting,
    invalid,
    iso,
    listed,
    misfit,
    searchable,
)

MAX_UNIQUE_PROPERTIES = 10
EMAIL = re.compile(r"[^@\s,;]+@[^@\s,;]+\.[^@\s,;]+")
#: Seconds of old versions that are kept for a lagging search.
HISTORY = 900.0


@dataclass
class Rules:
    """What is not documented, as settings; every one of them is synthetic."""

    #: Whether an address stays taken after its contact went to the recycle bin.
    archived_blocks_email: bool = False
    #: Whether reading by e-mail address also finds additional addresses.
    additional_emails_found: bool = True
    #: Whether the refusal of a known address is worded so that its id can be found.
    conflict_names_winner: bool = True
    #: `new`: a merge makes a new record id (classic); `primary`: the primary keeps its id (beta).
    merged_id: Literal["new", "primary"] = "new"


class Records:
    """One account. `clock` gives seconds since the epoch."""

    def __init__(self, clock: Callable[[], float], rules: Rules, account: Account) -> None:
        self.clock = clock
        self.rules = rules
        self.account = account
        self.contacts: dict[str, Record] = {}
        self.meetings: dict[str, Record] = {}
        self.properties: dict[str, dict[str, Any]] = {}
        #: Users who can own contacts: id → e-mail address; and those who were deactivated.
        self.owners: dict[str, str] = {}
        self.former_owners: set[str] = set()
        self._opened = iso(self.now())
        self._ids = itertools.count(6001)
        self._survivors: dict[str, str] = {}
        self._emails: dict[str, str] = {}
        self._unique: dict[tuple[str, str], str] = {}

    # ---- properties ----

    def create_property(self, definition: Mapping[str, Any]) -> dict[str, Any]:
        """Add a contact property; uniqueness can only be said here."""
        made = bodies.definition(definition)
        if made.name in self.properties or made.name in CONTACT_PROPERTIES:
            raise Refusal(409, f"A property named '{made.name}' already exists.", "OBJECT_ALREADY_EXISTS")
        if made.hasUniqueValue:
            if made.type != "string":
                raise Refusal(400, "Only string properties can have unique values.", "VALIDATION_ERROR")
            if sum(p["hasUniqueValue"] for p in self.properties.values()) >= MAX_UNIQUE_PROPERTIES:
                raise Refusal(400, "The limit of unique properties is reached.", "VALIDATION_ERROR")
        self.properties[made.name] = {"archived": False, **made.model_dump()}
        return self.properties[made.name]

    def property(self, name: str) -> dict[str, Any]:
        """Read a definition; 404 where there is none."""
        if name in self.properties:
            return self.properties[name]
        if name in CONTACT_PROPERTIES:
            own = {"label": name, "description": "", "groupName": "contactinformation", "hasUniqueValue": False}
            read_only = {"archivable": False, "readOnlyDefinition": True, "readOnlyValue": CONTACT_PROPERTIES[name]}
            kinds = {"type": "string", "fieldType": "text", "options": [], **OPTIONS.get(name, {})}
            return {"name": name, **own, **kinds, "hubspotDefined": True, "modificationMetadata": read_only}
        raise Refusal(404, f"Property '{name}' does not exist.", "OBJECT_NOT_FOUND")

    def all_properties(self) -> list[dict[str, Any]]:
        """The definitions of all properties."""
        return [self.property(name) for name in (*CONTACT_PROPERTIES, *self.properties)]

    def is_unique(self, name: str) -> bool:
        """Whether two contacts may not share a value of this property of the account's own."""
        return bool(self.properties.get(name, {}).get("hasUniqueValue"))

    def owners_list(self, *, archived: bool) -> list[dict[str, Any]]:
        """The users who can own contacts, or those who were deactivated."""
        ids = [identity for identity in self.owners if (identity in self.former_owners) == archived]
        common = {"type": "PERSON", "archived": archived, "createdAt": self._opened, "updatedAt": self._opened}
        return [{"id": identity, "email": self.owners[identity], **common} for identity in ids]

    # ---- contacts ----

    def contact(self, identity: str, id_property: str | None = None) -> Record:
        """Find a live contact by id (an old id gives the survivor), e-mail address or own unique property."""
        if id_property is None:
            found: str | None = self._follow(identity)
        elif id_property == "email":
            found = self._emails.get(identity.casefold())
            if found and not self.rules.additional_emails_found:
                found = found if self.contacts[found].properties.get("email") == identity.casefold() else None
        elif self.is_unique(id_property):
            found = self._unique.get((id_property, identity))
        else:
            raise Refusal(400, f"Property {id_property} is not a unique identifier property.", "VALIDATION_ERROR")
        record = self.contacts.get(found or "")
        if record is None or record.archived:
            raise Refusal(404, "resource not found", "OBJECT_NOT_FOUND")
        return record

    def create_contact(self, given: Mapping[str, str], *, age: float = 0.0) -> Record:
        """Make a contact; `age` in seconds makes it known to a lagging search."""
        properties = self._checked(given)
        if not any(properties.get(name) for name in ("email", "firstname", "lastname")):
            raise Refusal(400, "At least one of email, firstname or lastname is required.", "VALIDATION_ERROR")
        self.account.demand(properties)
        identity = str(next(self._ids))
        self._claim(identity, properties)
        record = Record(identity, {}, self.now(), self.now())
        self.contacts[identity] = record
        self._change(record, properties, at=self.clock() - age)
        return record

    def update_contact(self, identity: str, given: Mapping[str, str]) -> Record:
        """Write some properties; an empty value clears one."""
        record = self.contact(identity)
        if not given:
            raise Refusal(400, "No properties found to update, please provide at least one.", "VALIDATION_ERROR")
        properties = self._checked(given)
        self._claim(record.id, properties)
        self._release(record, [name for name, value in properties.items() if value != record.properties.get(name)])
        self._change(record, properties)
        return record

    def archive_contact(self, identity: str) -> None:
        """Move a contact to the recycle bin."""
        record = self.contact(identity)
        record.archived = True
        self._unique = {key: holder for key, holder in self._unique.items() if holder != record.id}
        if not self.rules.archived_blocks_email:
            self._emails = {email: holder for email, holder in self._emails.items() if holder != record.id}

    def delete_for_privacy(self, identity: str, id_property: str | None = None) -> None:
        """Delete a contact for good; its addresses, or an address that nobody has, are not taken any more."""
        try:
            record = self.contact(identity, id_property)
        except Refusal as refusal:
            if refusal.status == 404 and id_property == "email":
                self.account.privacy_deleted.add(identity.casefold())
                return
            raise
        del self.contacts[record.id]
        self.account.privacy_deleted |= {email for email, holder in self._emails.items() if holder == record.id}
        self._unique = {key: holder for key, holder in self._unique.items() if holder != record.id}
        self._emails = {email: holder for email, holder in self._emails.items() if holder != record.id}

    def merge(self, primary: str, other: str) -> Record:
        """Make one contact of two. The primary's values win; what becomes of the loser's own key is synthetic: it goes."""
        first, second = self.contact(primary), self.contact(other)
        if first is second:
            raise Refusal(400, "Cannot merge a record with itself.", "VALIDATION_ERROR")
        properties = {**second.properties, **{name: value for name, value in first.properties.items() if value}}
        kept = properties.get("email")
        emails = [e for r in (first, second) for e in (r.properties.get("email"), *listed(r, "hs_additional_emails")) if e]
        old = [first.id, second.id, *listed(first, "hs_merged_object_ids"), *listed(second, "hs_merged_object_ids")]
        survivor = self._survivor(first)
        properties["hs_additional_emails"] = ";".join(dict.fromkeys(e for e in emails if e != kept))
        properties["hs_merged_object_ids"] = ";".join(dict.fromkeys(i for i in old if i != survivor.id))
        for record in (first, second):
            self._unique = {key: holder for key, holder in self._unique.items() if holder != record.id}
            if record is not survivor:
                self._survivors[record.id] = survivor.id
                del self.contacts[record.id]
        self._emails.update(dict.fromkeys(emails, survivor.id))
        self._unique.update({(n, v): survivor.id for n, v in properties.items() if v and self.is_unique(n)})
        for meeting in self.meetings.values():
            meeting.contacts = list(dict.fromkeys(self._follow(contact) for contact in meeting.contacts))
        self._change(survivor, properties)
        return survivor

    def add_email(self, identity: str, email: str) -> None:
        """Give a contact an additional address, as a person does in HubSpot's own pages."""
        record = self.contact(identity)
        self._claim(record.id, {"email": email.casefold()})
        self._emails[email.casefold()] = record.id
        emails = [*listed(record, "hs_additional_emails"), email.casefold()]
        self._change(record, {"hs_additional_emails": ";".join(emails)})

    def _survivor(self, primary: Record) -> Record:
        if self.rules.merged_id == "primary":
            return primary
        record = Record(str(next(self._ids)), {}, self.now(), self.now())
        self.contacts[record.id] = record
        return record

    def _follow(self, identity: str) -> str:
        while identity in self._survivors:
            identity = self._survivors[identity]
        return identity

    def _checked(self, given: Mapping[str, str]) -> dict[str, str]:
        """The properties as they would be stored, or the refusal of those that cannot be."""
        faults = []
        properties = {name: value.strip() if self._is_text(name) else value for name, value in given.items()}
        for name, value in properties.items():
            if name not in self.properties and name not in CONTACT_PROPERTIES:
                faults.append((name, "PROPERTY_DOESNT_EXIST", f'Property \\"{name}\\" does not exist'))
            elif CONTACT_PROPERTIES.get(name):
                faults.append((name, "READ_ONLY_VALUE", f'\\"{name}\\" is a read only property'))
            elif name == "email" and value and not EMAIL.fullmatch(value):
                faults.append((name, "INVALID_EMAIL", f"Email address {value} is invalid"))
            elif name == "hubspot_owner_id" and value and value not in self.owners:
                faults.append((name, "INVALID_OWNER_ID", f"{value} is no owner"))  # the code is synthetic
            elif value and (code := misfit(value, self.property(name))) is not None:
                faults.append((name, code, f"{value} is not a valid value"))
        if faults := faults or self.account.broken(properties):
            raise invalid(faults)
        if "email" in properties:
            properties["email"] = properties["email"].casefold()
        return properties

    def _is_text(self, name: str) -> bool:
        return self.properties.get(name, {"type": "string"})["type"] == "string" and name not in OPTIONS

    def _claim(self, identity: str, properties: Mapping[str, str]) -> None:
        """Refuse values that another contact holds. The e-mail address is looked at first, which is synthetic."""
        self.account.forget(properties.get("email") or "")
        holder = self._emails.get(properties.get("email") or "")
        if holder not in (None, identity):
            text = (
                f"Contact already exists. Existing ID: {holder}" if self.rules.conflict_names_winner else "Duplicate contact."
            )
            raise Refusal(409, text, "CONFLICT")
        for name, value in properties.items():
            holder = self._unique.get((name, value)) if value else None
            if holder not in (None, identity):
                where = f"PropertyValueCoordinates{{portalId=1, objectTypeId=0-1, propertyName={name}, value={value}}}"
                raise Refusal(400, f"Cannot set {where} on {identity}. {holder} already has that value.", "VALIDATION_ERROR")

    def _release(self, record: Record, names: Iterable[str]) -> None:
        for name in names:
            value = record.properties.get(name) or ""
            self._unique.pop((name, value), None)
            if name == "email":
                self._emails.pop(value, None)

    def _change(self, record: Record, properties: Mapping[str, str], *, at: float | None = None) -> None:
        at = self.clock() if at is None else at
        merged = {**record.properties, **properties}
        merged["hs_searchable_calculated_phone_number"] = searchable(merged.get("phone", ""))
        merged["hs_searchable_calculated_mobile_number"] = searchable(merged.get("mobilephone", ""))
        record.properties = {name: value for name, value in merged.items() if value}
        record.updated = self.now()
        if email := record.properties.get("email"):
            self._emails[email] = record.id
        self._unique.update({(n, v): record.id for n, v in record.properties.items() if self.is_unique(n)})
        recent = [entry for entry in record.history if entry[0] > at - HISTORY]
        record.history = [*(recent or record.history[-1:]), (at, record.properties)]

    # ---- meetings ----

    def create_meeting(self, given: Mapping[str, str], contacts: Iterable[str]) -> Record:
        """Make a meeting on contacts."""
        properties = checked_meeting(given)
        if not (properties.get("hs_timestamp") or properties.get("hs_meeting_start_time")):
            raise Refusal(400, "hs_timestamp is required.", "VALIDATION_ERROR")
        holders = [self.contact(contact).id for contact in contacts]
        record = Record(str(next(self._ids)), properties, self.now(), self.now(), contacts=holders, prefix="hs_")
        self.meetings[record.id] = record
        return record

    def meeting(self, identity: str) -> Record:
        """Read a live meeting."""
        record = self.meetings.get(identity)
        if record is None or record.archived:
            raise Refusal(404, "resource not found", "OBJECT_NOT_FOUND")
        return record

    def update_meeting(self, identity: str, given: Mapping[str, str]) -> Record:
        """Write some properties of a meeting."""
        if not given:
            raise Refusal(400, "No properties found to update, please provide at least one.", "VALIDATION_ERROR")
        record, properties = self.meeting(identity), checked_meeting(given)
        record.properties.update(properties)
        record.updated = self.now()
        return record

    def meetings_of(self, identity: str) -> list[Record]:
        """The live meetings of a contact, oldest first."""
        contact = self.contact(identity)
        return [m for m in self.meetings.values() if contact.id in m.contacts and not m.archived]

    def now(self) -> datetime:
        """The time in UTC."""
        return datetime.fromtimestamp(self.clock(), UTC)
