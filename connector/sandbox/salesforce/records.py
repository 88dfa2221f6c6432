"""The rows behind the Salesforce sandbox: contacts, events and permissions, with Salesforce's own rules.

Every method is one step, but an upsert is two: it looks, then it writes, and another one may write in between. The unique
index decides then, as it does at Salesforce.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Iterator
from typing import Any

from connector.sandbox.salesforce.model import (
    FIELDS,
    OPEN,
    OPTIONS,
    READ_ONLY,
    Record,
    Refusal,
    Rules,
    checked,
    moment,
    new_id,
    whole,
)  # fmt: skip
from connector.sandbox.salesforce.soql import Fields, Parser

PERMISSION_SET = "connector"


class Records:
    """One organisation, as its integration user may see it. `clock` gives seconds since the epoch."""

    def __init__(self, clock: Callable[[], float], rules: Rules, lag: Callable[[], float]) -> None:
        self.clock = clock
        self.rules = rules
        self.rows: dict[str, Record] = {}
        #: Contact's own fields: name → definition.
        self.custom: dict[str, dict[str, Any]] = {}
        #: Fields that the integration user may not see, or may see but not write.
        self.hidden: set[str] = set()
        self.read_only: set[str] = set()
        #: How many of the next writes find their row locked.
        self.locks = 0
        self._lag = lag
        self._numbers = itertools.count(1)
        self._unique: dict[tuple[str, str], str] = {}
        self._add("PermissionSet", {"Name": PERMISSION_SET, "Label": "Connector"})

    # ---- what exists ----

    def add_field(self, name: str, **definition: Any) -> None:
        """Make a field of contacts that everybody sees: without a definition one for our key.

        `type` is as a description names it; `options` are the values of a picklist, which takes no others.
        """
        self.custom[name] = {"length": 64, "externalId": True, "unique": True, **definition}

    def options_of(self, kind: str) -> dict[str, list[str]]:
        """The values of an object's picklists."""
        own = {name: list(one["options"]) for name, one in self.custom.items() if one.get("options")}
        return OPTIONS if kind != "Contact" else {**OPTIONS, **own}

    def fields_of(self, kind: str) -> Fields:
        """The fields of an object that the integration user may see; a refusal where it may not see the object."""
        if kind not in FIELDS:
            raise Refusal(400, "INVALID_TYPE", f"sObject type '{kind}' is not supported.")
        fields = dict(FIELDS[kind])
        if kind == "Contact":
            fields |= {name: (str(one.get("type", "string")), int(one["length"])) for name, one in self.custom.items()}
            if self.rules.person_accounts:
                fields["IsPersonAccount"] = ("boolean", 0)
        return {name: info for name, info in fields.items() if name not in self.hidden}

    def create_field(self, full_name: str, metadata: dict[str, Any]) -> str:
        """Make a field with the Tooling API: nobody sees it before a permission set says so (documented)."""
        kind, _, name = full_name.partition(".")
        if kind != "Contact" or not name.endswith("__c"):
            raise Refusal(400, "INVALID_FULLNAME", f"{full_name} is no field of contacts")
        if name in self.custom:
            text = f"There is already a field named {name.removesuffix('__c')} on Contact."
            raise Refusal(400, "DUPLICATE_DEVELOPER_NAME", text, [])
        if metadata.get("type") != "Text" or not metadata.get("label") or not metadata.get("length"):
            raise Refusal(400, "FIELD_INTEGRITY_EXCEPTION", "A text field needs type, label and length", [])
        self.custom[name] = {key: metadata.get(key, False) for key in ("length", "externalId", "unique")}
        self.hidden.add(name)
        return new_id("CustomField", next(self._numbers))

    def permit(self, given: dict[str, Any]) -> None:
        """Let a field be seen, and written, by those who have the permission set."""
        name = str(given.get("Field", "")).removeprefix("Contact.")
        if name not in self.custom:
            raise Refusal(400, "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", "bad value for Field", ["Field"])
        if given.get("PermissionsRead"):
            self.hidden.discard(name)
        (self.read_only.discard if given.get("PermissionsEdit") else self.read_only.add)(name)

    # ---- rows ----

    def live(self, kind: str) -> Iterator[Record]:
        """The rows that are not in the recycle bin, oldest first."""
        return (row for row in self.rows.values() if row.object == kind and not row.deleted)

    def query(self, text: str, *, deleted: bool) -> tuple[list[Record], list[str]]:
        """The rows of a query and the fields asked for; with those in the recycle bin where `deleted`."""
        query = Parser(text, self.fields_of).read()
        found = [row for row in self.rows.values() if row.object == query.object and (deleted or not row.deleted)]
        found = [row for row in found if query.test(row)]
        if query.order is not None:
            name, falling = query.order
            found.sort(key=lambda row: (str(row.value(name) or ""), row.order), reverse=falling)
        return found[: query.limit], query.fields

    def row(self, kind: str, identity: str) -> Record:
        """A live row by its id."""
        row = self.rows.get(whole(identity) if len(identity) == 15 else identity)
        if row is None or row.object != kind:
            raise Refusal(404, "NOT_FOUND", "The requested resource does not exist")
        if row.deleted:
            raise Refusal(404, "ENTITY_IS_DELETED", "entity is deleted", [])
        return row

    def by_key(self, name: str, value: str) -> Record | None:
        """The live contact that holds this value of an external id; a refusal where there is no such field."""
        if name not in self.fields_of("Contact") or not self.custom.get(name, {}).get("externalId"):
            text = f"Provided external ID field does not exist or is not accessible: {name}"
            raise Refusal(404, "NOT_FOUND", text)
        holders = [row for row in self.live("Contact") if (row.fields.get(name) or "").casefold() == value.casefold()]
        if len(holders) > 1:
            refusal = Refusal(300, "MULTIPLE", "several")
            refusal.body = [row.document(())["attributes"]["url"] for row in holders]
            raise refusal
        return holders[0] if holders else None

    async def upsert(self, name: str, value: str, given: dict[str, Any], *, allow_save: bool = False) -> tuple[Record, bool]:
        """Create or change the contact with this key; the second answer says whether it was made."""
        if name in given:
            raise Refusal(400, "INVALID_FIELD", f"The {name} field should not be specified in the sobject data.", [name])
        row = self.by_key(name, value)
        if row is not None:
            return self.update("Contact", row.id, given), False
        await asyncio.sleep(0)
        return self.create("Contact", {**given, name: value}, allow_save=allow_save), True

    def create(self, kind: str, given: dict[str, Any], *, allow_save: bool = False, age: float = 0.0) -> Record:
        """Make a row; `age` in seconds makes it known to a lagging index."""
        fields = self._checked(kind, given)
        self._required(kind, fields)
        self._lock()
        if kind == "Contact":
            self._duplicates(fields, allow_save=allow_save)
        return self._add(kind, fields, age=age)

    def update(self, kind: str, identity: str, given: dict[str, Any]) -> Record:
        """Write some fields; an empty value clears one."""
        row = self.row(kind, identity)
        fields = self._checked(kind, given)
        self._required(kind, {**row.fields, **fields})
        self._lock()
        self._claim(row.id, fields)
        row.fields |= {**fields, "LastModifiedDate": moment(self.clock())}
        return row

    def delete(self, kind: str, identity: str) -> None:
        """Move a row to the recycle bin; its keys are free from now on."""
        row = self.row(kind, identity)
        row.deleted = True
        self._unique = {key: holder for key, holder in self._unique.items() if holder != row.id}

    def merge(self, master: str, loser: str) -> Record:
        """Make one contact of two. The master's values win, and the loser's fill its blanks (a choice people make)."""
        first, second = self.row("Contact", master), self.row("Contact", loser)
        if first is second:
            raise Refusal(400, "INVALID_OPERATION", "a record cannot be merged with itself")
        self.delete("Contact", second.id)
        second.master = first.id
        filled = {n: v for n, v in second.fields.items() if not first.fields.get(n) and n not in self.custom}
        first.fields |= {**filled, "LastModifiedDate": moment(self.clock())}
        if not self.rules.merged_keeps_key:
            second.fields = {n: v for n, v in second.fields.items() if n not in self.custom}
        for event in self.live("Event"):
            if event.fields.get("WhoId") == second.id:
                event.fields["WhoId"] = first.id
        return first

    # ---- rules ----

    def _checked(self, kind: str, given: dict[str, Any]) -> dict[str, Any]:
        restricted = {name: values for name, values in self.options_of(kind).items() if name not in OPEN}
        fields = checked(kind, given, self.fields_of(kind), self.read_only, restricted)
        owner = self.rows.get(str(fields.get("OwnerId")))
        if fields.get("OwnerId") and (owner is None or owner.object != "User" or not owner.fields["IsActive"]):
            # Salesforce has another code for an owner who is not active (synthetic: one for both).
            raise Refusal(400, "INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id", ["OwnerId"])
        if fields.get("WhoId"):
            fields["WhoId"] = self.row("Contact", str(fields["WhoId"])).id
        return fields

    def _required(self, kind: str, fields: dict[str, Any]) -> None:
        needed = {"Contact": ("LastName",), "Event": ("StartDateTime", "EndDateTime")}.get(kind, ())
        if missing := [name for name in needed if not fields.get(name)]:
            text = f"Required fields are missing: [{', '.join(missing)}]"
            raise Refusal(400, "REQUIRED_FIELD_MISSING", text, missing)
        if kind == "Event" and fields["EndDateTime"] < fields["StartDateTime"]:
            raise Refusal(400, "FIELD_INTEGRITY_EXCEPTION", "The end must not be before the start", ["EndDateTime"])

    def _lock(self) -> None:
        if self.locks:
            self.locks -= 1
            text = "unable to obtain exclusive access to this record or 1 records"
            raise Refusal(self.rules.lock_status, "UNABLE_TO_LOCK_ROW", text, [])

    def _duplicates(self, fields: dict[str, Any], *, allow_save: bool) -> None:
        """The organisation's duplicate rule. It reads an index that may lag, and is no lock (inferred)."""
        rule, name = self.rules.duplicate_rule, "Email" if self.rules.duplicate_match == "email" else "LastName"
        if rule == "none" or not fields.get(name) or (rule == "alert" and allow_save):
            return
        known = self.clock() - self._lag()
        wanted = str(fields[name]).casefold()
        found = [row for row in self.live("Contact") if row.made <= known and str(row.fields.get(name)).casefold() == wanted]
        if found:
            raise self._duplicate(found)

    def _duplicate(self, found: list[Record]) -> Refusal:
        text = "You're creating a duplicate record. We recommend you use an existing record instead."
        records = [
            {"additionalInformation": [], "fieldDiffs": [], "matchConfidence": 100.0, "record": row.document(("Id",))}
            for row in found
        ]
        match = {"entityType": "Contact", "errors": [], "matchEngine": "ExactMatchEngine", "rule": "Contact_MR"}
        result = {
            "allowSave": self.rules.duplicate_rule == "alert",
            "duplicateRule": "Contacts_DR",
            "duplicateRuleEntityType": "Contact",
            "errorMessage": text,
            "matchResults": [{**match, "size": len(found), "success": True, "matchRecords": records}],
        }
        return Refusal(400, "DUPLICATES_DETECTED", text, **{self.rules.duplicate_member: result})

    def _claim(self, identity: str, fields: dict[str, Any]) -> None:
        """Refuse values of unique fields that another contact holds; hold them from now on."""
        mine = {(n, str(v).casefold()) for n, v in fields.items() if v and self.custom.get(n, {}).get("unique")}
        for name, value in mine:
            if (holder := self._unique.get((name, value))) not in (None, identity):
                length = self.rules.duplicate_id
                named = "<unknown>" if length == "unknown" else str(holder)[:length]
                text = self.rules.duplicate_text.format(field=name, id=named)
                raise Refusal(400, "DUPLICATE_VALUE", text, [])
        replaced = fields.keys() & self.custom.keys()
        kept = {key: holder for key, holder in self._unique.items() if holder != identity or key[0] not in replaced}
        self._unique = {**kept, **dict.fromkeys(mine, identity)}

    def _add(self, kind: str, fields: dict[str, Any], *, age: float = 0.0) -> Record:
        number, now = next(self._numbers), self.clock()
        identity = new_id(kind, number)
        self._claim(identity, fields)
        dates = {"CreatedDate": moment(now - age), "LastModifiedDate": moment(now)} if kind in ("Contact", "Event") else {}
        said = {name: value for name, value in fields.items() if name not in READ_ONLY}
        no = {name: False for name, one in self.custom.items() if kind == "Contact" and one.get("type") == "boolean"}
        self.rows[identity] = Record(kind, identity, {**no, **said, **dates}, made=now - age, order=number)
        return self.rows[identity]
