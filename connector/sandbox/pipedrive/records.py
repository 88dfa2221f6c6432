"""The records behind the Pipedrive sandbox: nothing is unique, a search lags behind, a merge leaves no pointer.

Everything here is synchronous, so that one request is one step. What Pipedrive does not document is marked *synthetic*;
where several behaviours are plausible it is a setting of `Rules`.
"""

from __future__ import annotations

import hashlib
import itertools
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from connector.sandbox.pipedrive.model import (
    ACTIVITY_KEYS,
    CONTACT_SYNC_KEYS,
    PERSON_KEYS,
    Activity,
    Person,
    Refusal,
    contacts,
)

#: Seconds of old versions that are kept for a lagging search.
HISTORY = 900.0
#: Types of own fields that the sandbox keeps, and the characters of texts.
TYPES = {"varchar": 255, "varchar_auto": 255, "phone": 255, "text": 65_000, "double": 0, "date": 0, "enum": 0, "set": 0}


@dataclass
class Rules:
    """What is not documented, as settings; every one of them is synthetic."""

    #: What reading a deleted or merged person answers: the record with `is_deleted`, or 404.
    deleted_reads: Literal["deleted", "gone"] = "deleted"
    #: Whether a search for a phone number ignores how the number is written.
    search_ignores_format: bool = False
    #: Seconds by which the lists are behind. That they are fresh is inferred; this shows what happens if they are not.
    list_lag_seconds: float = 0.0


class Records:
    """One company. `clock` gives seconds since the epoch."""

    def __init__(self, clock: Callable[[], float], rules: Rules) -> None:
        self.clock = clock
        self.rules = rules
        self.persons: dict[int, Person] = {}
        self.activities: dict[int, Activity] = {}
        self.fields: dict[str, dict[str, Any]] = {}
        self.activity_types = ["call", "meeting", "task", "deadline", "email", "lunch"]
        #: Users: id → (e-mail address, whether active).
        self.users: dict[int, tuple[str, bool]] = {}
        self._ids = itertools.count(101)

    # ---- fields ----

    def create_field(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Add a custom field of persons. Two fields may have one name: only the code tells them apart (synthetic)."""
        name, kind = given.get("field_name"), given.get("field_type")
        if not isinstance(name, str) or not 0 < len(name) <= 255 or kind not in TYPES:
            raise Refusal(400, "Validation failed: field_name, field_type")
        labels = [one.get("label") for one in given.get("options") or [] if isinstance(one, dict)]
        if (kind in ("enum", "set")) != bool(labels) or not all(isinstance(label, str) and label for label in labels):
            raise Refusal(400, "Validation failed: options")
        code = hashlib.sha1(f"{name} {next(self._ids)}".encode(), usedforsecurity=False).hexdigest()
        self.fields[code] = {
            "field_name": name,
            "field_code": code,
            "field_type": kind,
            "options": [{"id": next(self._ids), "label": label} for label in labels] or None,
            "subfields": None,
            "is_custom_field": True,
            "is_optional_response_field": False,
        }
        return self.fields[code]

    def field(self, code: str) -> dict[str, Any]:
        """Read a definition; 404 where there is none."""
        if code not in self.fields:
            raise Refusal(404, "Field not found")
        return self.fields[code]

    # ---- persons ----

    def person(self, identity: int) -> Person:
        """Read a person; what was deleted is answered as the rules say."""
        person = self.persons.get(identity)
        if person is None or (person.is_deleted and self.rules.deleted_reads == "gone"):
            raise Refusal(404, "Person not found")
        return person

    def living(self, identity: int) -> Person:
        """A person that can be written."""
        person = self.persons.get(identity)
        if person is None or person.is_deleted:
            raise Refusal(404, "Person not found")
        return person

    def create_person(self, given: Mapping[str, Any], *, age: float = 0.0) -> Person:
        """Make a person, whoever is there already; `age` in seconds makes it known to a lagging search."""
        data = self._checked(given)
        if not str(data.get("name") or "").strip():
            raise Refusal(400, "Validation failed: name: Field is required")
        at = self.clock() - age
        person = Person(next(self._ids), {}, at, at)
        self.persons[person.id] = person
        self._change(person, data, at)
        return person

    def update_person(self, identity: int, given: Mapping[str, Any]) -> Person:
        """Write some values; a list of e-mail addresses or phones replaces the one that is there (synthetic)."""
        person, data = self.living(identity), self._checked(given)
        if "name" in data and not str(data["name"] or "").strip():
            raise Refusal(400, "Validation failed: name: Field is required")
        self._change(person, data, self.clock())
        return person

    def delete_person(self, identity: int) -> Person:
        """Mark a person as deleted."""
        person = self.living(identity)
        person.is_deleted, person.updated = True, self.clock()
        return person

    def merge(self, loser: int, survivor: int) -> Person:
        """Make one person of two: the survivor's values win, its blanks are filled, the loser is deleted.

        Activities go over with everything else. That e-mail addresses and phones are added up is synthetic.
        """
        first, second = self.living(loser), self.living(survivor)
        if first is second:
            raise Refusal(400, "Cannot merge a person with itself")
        lists = {
            key: _joined(second.data.get(key, []), first.data.get(key, [])) for key in ("emails", "phones")
        }  # fmt: skip
        own = {**first.data.get("custom_fields", {}), **second.data.get("custom_fields", {})}
        self._change(second, {**first.data, **second.data, **lists, "custom_fields": own}, self.clock())
        first.is_deleted, first.merged_into, first.updated = True, second.id, self.clock()
        for activity in self.activities.values():
            for entry in activity.data.get("participants", []):
                if entry["person_id"] == first.id:
                    entry["person_id"] = second.id
        return second

    def _checked(self, given: Mapping[str, Any]) -> dict[str, Any]:
        if given.keys() & CONTACT_SYNC_KEYS:
            raise Refusal(403, "Contact Sync is not enabled")
        if unknown := given.keys() - PERSON_KEYS:
            raise Refusal(400, f"Validation failed: unexpected {sorted(unknown)}")
        data = dict(given)
        for key in ("emails", "phones"):
            if key in data:
                data[key] = contacts(data[key], key)
        if "owner_id" in data and not self.users.get(data["owner_id"], ("", False))[1]:
            raise Refusal(400, "Validation failed: owner_id")
        own = data.get("custom_fields", {})
        if not isinstance(own, dict) or own.keys() - self.fields.keys():
            raise Refusal(400, "Validation failed: custom_fields: unknown field")
        for code, value in own.items():
            if value is not None and not _fits(value, self.fields[code]):
                raise Refusal(400, "Validation failed: custom_fields: value does not fit its field")
        return data

    def _change(self, person: Person, data: Mapping[str, Any], at: float) -> None:
        own = {**person.data.get("custom_fields", {}), **data.get("custom_fields", {})}
        person.data = {**person.data, **data, "custom_fields": {code: value for code, value in own.items() if value}}
        person.updated = max(at, person.updated)
        recent = [entry for entry in person.history if entry[0] > at - HISTORY]
        person.history = [*(recent or person.history[-1:]), (at, person.data)]

    # ---- what lists and searches see ----

    def updated_since(self, since: float | None) -> list[Person]:
        """The living persons changed since then, the longest unchanged first."""
        seen = self.clock() - self.rules.list_lag_seconds
        found = [p for p in self.persons.values() if not p.is_deleted and p.updated <= seen]
        # Times are kept to the second, and compared so.
        return sorted((p for p in found if since is None or int(p.updated) >= int(since)), key=lambda p: (p.updated, p.id))

    def search(self, term: str, fields: list[str], *, exact: bool, lag: float) -> list[tuple[Person, dict[str, Any]]]:
        """The living persons of whom the index, as it was `lag` seconds ago, knows the term; with what it knows."""
        found = []
        for person in self.persons.values():
            data = None if person.is_deleted else person.as_of(self.clock() - lag)
            if data is not None and any(self._fits(term, value, exact) for value in _searched(data, fields)):
                found.append((person, data))
        return found

    def _fits(self, term: str, value: str, exact: bool) -> bool:
        wanted, there = term.casefold(), value.casefold()
        if self.rules.search_ignores_format and re.fullmatch(r"[+\d() .-]+", wanted):
            wanted, there = re.sub(r"\D", "", wanted), re.sub(r"\D", "", there)
        return wanted == there if exact else wanted in there

    # ---- activities ----

    def create_activity(self, given: Mapping[str, Any]) -> Activity:
        """Make an activity."""
        data = self._checked_activity(given)
        if not data.get("subject") or not data.get("type"):
            raise Refusal(400, "Validation failed: subject, type")
        activity = Activity(next(self._ids), data, self.clock(), self.clock())
        self.activities[activity.id] = activity
        return activity

    def activity(self, identity: int) -> Activity:
        """Read an activity; a deleted one is answered as the rules say."""
        activity = self.activities.get(identity)
        if activity is None or (activity.is_deleted and self.rules.deleted_reads == "gone"):
            raise Refusal(404, "Activity not found")
        return activity

    def update_activity(self, identity: int, given: Mapping[str, Any]) -> Activity:
        """Write some values of an activity that is not deleted."""
        activity = self.activities.get(identity)
        if activity is None or activity.is_deleted:
            raise Refusal(404, "Activity not found")
        activity.data.update(self._checked_activity(given))
        activity.updated = self.clock()
        return activity

    def delete_activity(self, identity: int) -> Activity:
        """Mark an activity as deleted."""
        activity = self.activity(identity)
        activity.is_deleted = True
        return activity

    def _checked_activity(self, given: Mapping[str, Any]) -> dict[str, Any]:
        if unknown := given.keys() - ACTIVITY_KEYS:
            raise Refusal(400, f"Validation failed: unexpected {sorted(unknown)}")
        if "type" in given and given["type"] not in self.activity_types:
            raise Refusal(400, "Validation failed: type")
        for key, form in (
            ("due_date", r"\d{4}-\d\d-\d\d"),
            ("due_time", r"\d\d:\d\d(:\d\d)?"),
            ("duration", r"\d\d:\d\d(:\d\d)?"),
        ):
            if given.get(key) and not re.fullmatch(form, str(given[key])):
                raise Refusal(400, f"Validation failed: {key}")
        for entry in given.get("participants", []):
            self.living(entry["person_id"])
        return dict(given)


def _fits(value: Any, definition: Mapping[str, Any]) -> bool:
    """Whether a field takes a value; how exactly Pipedrive words the refusal of another one is synthetic."""
    kind, ids = definition["field_type"], {one["id"] for one in definition["options"] or ()}
    match kind:
        case "double":
            return type(value) in (int, float)
        case "date":
            return isinstance(value, str) and re.fullmatch(r"\d{4}-\d\d-\d\d", value) is not None
        case "enum":
            return type(value) is int and value in ids
        case "set":
            return isinstance(value, list) and all(type(one) is int and one in ids for one in value)
    return isinstance(value, str) and len(value) <= TYPES[kind]


def _joined(first: list[dict[str, Any]], second: list[dict[str, Any]]) -> list[dict[str, Any]]:
    there = {str(entry["value"]).casefold() for entry in first}
    return contacts([*first, *({**e, "primary": False} for e in second if e["value"].casefold() not in there)], "emails")


def _searched(data: Mapping[str, Any], fields: list[str]) -> list[str]:
    values = [str(data.get("name", ""))] if "name" in fields else []
    for field, key in (("email", "emails"), ("phone", "phones")):
        values += [entry["value"] for entry in data.get(key, [])] if field in fields else []
    return values + ([str(v) for v in data.get("custom_fields", {}).values()] if "custom_fields" in fields else [])
