"""The records behind the Zoho CRM sandbox: contacts, events and the account's own fields, with Zoho's rules.

Everything here is synchronous, so that one request is one step: of two upserts of one key exactly one inserts.
What Zoho does not document is marked *synthetic*; where both behaviours are plausible it is a setting in `Rules`.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from connector.sandbox.zoho.model import (
    FIELDS,
    MANDATORY,
    OPTIONS,
    OWN_TYPES,
    READ_ONLY,
    TYPES,
    ItemRefusal,
    Json,
    Record,
    Refusal,
    duplicate,
    error,
    expected,
    invalid,
    missing,
    no_such_record,
    refuse,
)

EMAIL = re.compile(r"[^@\s,;]+@[^@\s,;]+\.[^@\s,;]+")
#: Fields whose values must look like an e-mail address.
EMAIL_FIELDS = ("Email", "Secondary_Email")


#: What the definition of a field says besides.
FIELD: Json = {
    "operation_type": {"web_update": True, "api_create": True, "web_create": True, "api_update": True},
    "field_read_only": False,
    "read_only": False,
}


@dataclass
class Rules:
    """What is not documented, or is a setting of the account."""

    #: Whether the account's administrator ticked "Do not allow duplicate values" for the e-mail address.
    unique_email: bool = False
    #: Whether a merge fills the master's blanks from the other record. Synthetic.
    merge_fills_blanks: bool = False
    #: How a read of a record that is not there is answered. Synthetic.
    absent: Literal[204, 400, 404] = 204
    #: The status when every record of a request was refused: 400 (the vendor's newer files) or 200 (its older ones).
    item_failure: Literal[200, 202, 400] = 400
    #: Whether a refusal names the record that holds the value.
    duplicate_names_holder: bool = True
    #: Whether an upsert finds what was written within this many seconds; the unique field refuses in any case. Synthetic.
    upsert_lag_seconds: float = 0.0


class Records:
    """One account. `clock` gives seconds since the epoch."""

    def __init__(self, clock: Callable[[], float], rules: Rules) -> None:
        self.clock = clock
        self.rules = rules
        self.modules: dict[str, dict[str, Record]] = {module: {} for module in FIELDS}
        self.deleted: dict[str, str] = {}
        #: module → the fields that were made: api name → definition.
        self.fields: dict[str, dict[str, Json]] = {module: {} for module in FIELDS}
        #: Users: id → (e-mail address, whether active).
        self.users: dict[str, tuple[str, bool]] = {}
        self._ids = itertools.count(554023000000424001)

    # ---- fields ----

    def create_field(self, module: str, definition: Mapping[str, Any]) -> Json:
        """Add a field; its API name is made of its label, which is synthetic in its details."""
        label = definition.get("field_label")
        if not isinstance(label, str) or not label.strip():
            raise ItemRefusal(error("MANDATORY_NOT_FOUND", "required field not found", api_name="field_label"))
        kind = definition.get("data_type")
        if kind not in OWN_TYPES:
            raise ItemRefusal(error("INVALID_DATA", "invalid data", api_name="data_type", json_path="$.fields[0].data_type"))
        name = re.sub(r"\W+", "_", label.strip())
        if name in self.fields[module] or name in FIELDS[module]:
            raise ItemRefusal(error("DUPLICATE_DATA", "duplicate data", api_name="field_label"))
        identity = str(next(self._ids))
        kept = {"field_label": label, "length": definition.get("length", 255), "unique": definition.get("unique") or {}}
        listed = {"pick_list_values": definition.get("pick_list_values") or []}
        own = {"id": identity, "api_name": name, "data_type": kind, "custom_field": True}
        self.fields[module][name] = {**FIELD, **own, **kept, **listed}
        return {"code": "SUCCESS", "details": {"id": identity}, "message": "field created", "status": "success"}

    def list_fields(self, module: str) -> list[Json]:
        """The definitions of all fields of a module."""
        unique: Json = {"case_sensitive": False} if self.rules.unique_email else {}
        own = [
            {
                **FIELD,
                "id": _field_id(module, name),
                "api_name": name,
                "field_label": name.replace("_", " "),
                "data_type": TYPES.get(name, "text"),
                "length": length,
                "custom_field": False,
                "unique": {},
                "pick_list_values": options(OPTIONS.get(name, ())),
            }
            for name, length in FIELDS[module].items()
        ]
        system = [f | {"unique": unique} if f["api_name"] == "Email" else f for f in own]
        closed = [_closed(module, name) for name in READ_ONLY]
        return [*system, *closed, *self.fields[module].values()]

    def is_unique(self, module: str, name: str) -> bool:
        """Whether two records may not share a value of this field."""
        if module == "Contacts" and name == "Email":
            return self.rules.unique_email
        return bool(self.fields[module].get(name, {}).get("unique"))

    def knows(self, module: str, name: str) -> bool:
        """Whether records of the module have this field."""
        return name in FIELDS[module] or name in READ_ONLY or name in self.fields[module]

    # ---- records ----

    def find(self, module: str, identity: str) -> Record | None:
        """A record by its id, None where it is not there (any more)."""
        return self.modules[module].get(identity)

    def insert(self, module: str, given: Mapping[str, Any], *, age: float = 0.0) -> Record:
        """Make a record; `age` in seconds makes it known to a lagging search."""
        values = self._checked(module, given, None)
        refuse(missing(name) for name in MANDATORY[module] if not values.get(name))
        now = self.clock()
        no = {name: False for name, one in self.fields[module].items() if one.get("data_type") == "boolean"}
        values = {**no, **values}
        record = Record(str(next(self._ids)), values, now, now, [(now - age, values)])
        self.modules[module][record.id] = record
        return record

    def update(self, module: str, identity: str, given: Mapping[str, Any]) -> Record:
        """Write some fields; null or an empty text clears one."""
        record = self.find(module, identity)
        if record is None:
            raise ItemRefusal(no_such_record())
        values = {**record.values, **self._checked(module, given, identity)}
        refuse(missing(name) for name in MANDATORY[module] if not values.get(name))
        self._times(module, values)
        record.values = {name: value for name, value in values.items() if value not in (None, "")}
        record.modified = self.clock()
        record.history.append((record.modified, record.values))
        return record

    def upsert(self, given: Mapping[str, Any], check: Iterable[str]) -> Json:
        """Update the contact that carries a value of the fields to check, in their order; otherwise insert one."""
        known = self.clock() - self.rules.upsert_lag_seconds
        for name in check:
            if name != "Email" and not self.is_unique("Contacts", name):
                # That such a field is refused is synthetic, and so is the shape of the refusal.
                raise ItemRefusal(error("INVALID_DATA", "invalid data", api_name=name, json_path="$.duplicate_check_fields[0]"))
            holder = self._holder("Contacts", name, given.get(name), None)
            if holder is not None and holder.created <= known:
                record = self.update("Contacts", holder.id, given)
                return record.result("record updated", action="update", duplicate_field=name)
        return self.insert("Contacts", given).result("record added", action="insert", duplicate_field=None)

    def delete(self, module: str, identity: str) -> None:
        """Move a record to the recycle bin."""
        self.modules[module].pop(identity)
        self.deleted[identity] = module

    def merge(self, master: str, other: str) -> Record:
        """Merge one contact into another, whose events follow. Nothing leads from the one that is gone to the master."""
        kept, gone = self.modules["Contacts"][master], self.modules["Contacts"][other]
        self.delete("Contacts", other)
        if self.rules.merge_fills_blanks:
            self.update("Contacts", master, {n: v for n, v in gone.values.items() if n not in kept.values})
        for event in self.modules["Events"].values():
            if (event.values.get("Who_Id") or {}).get("id") == other:
                event.values["Who_Id"] = {"id": master}
        return kept

    # ---- rules ----

    def _checked(self, module: str, given: Mapping[str, Any], identity: str | None) -> Json:
        """The values as they would be stored; fields nobody knows are ignored, which is believed of Zoho."""
        values = {name: value for name, value in given.items() if self.knows(module, name) and name not in READ_ONLY}
        refuse(itertools.chain(self._faults(module, values), self._duplicates(module, values, identity)))
        if module == "Events":
            self._times(module, values)
            who = values.get("Who_Id")
            if who is not None and str(who.get("id")) not in self.modules["Contacts"]:
                refuse([invalid("Who_Id")])
        return {name: value.strip() if isinstance(value, str) else value for name, value in values.items()}

    def _faults(self, module: str, values: Json) -> Iterable[Json]:
        lengths = {**FIELDS[module], **{name: f["length"] for name, f in self.fields[module].items()}}
        for name, value in values.items():
            if name in ("Who_Id", "Owner"):
                if not isinstance(value, dict):
                    yield invalid(name, expected_data_type="jsonobject")
                elif name == "Owner" and not self.users.get(str(value.get("id")), ("", False))[1]:
                    yield invalid(name)
            elif value is not None and (kind := expected(*self._type(module, name), value)) is not None:
                yield invalid(name, expected_data_type=kind)
            elif value and isinstance(value, str) and len(value) > lengths[name]:
                yield invalid(name, maximum_length=str(lengths[name]))
            elif value and name in EMAIL_FIELDS and not EMAIL.fullmatch(value):
                yield invalid(name, expected_data_type="email")

    def _type(self, module: str, name: str) -> tuple[str, list[str]]:
        """A field's type and the values of its options."""
        own = self.fields[module].get(name)
        if own is None:
            return TYPES.get(name, "text"), OPTIONS.get(name, [])
        return own.get("data_type", "text"), [one["actual_value"] for one in own.get("pick_list_values", ())]

    def _duplicates(self, module: str, values: Json, identity: str | None) -> Iterable[Json]:
        for name, value in values.items():
            if self.is_unique(module, name) and (holder := self._holder(module, name, value, identity)) is not None:
                found = duplicate(name, holder.id, module)
                if not self.rules.duplicate_names_holder:
                    del found["details"]["duplicate_record"]
                yield found

    def _holder(self, module: str, name: str, value: Any, identity: str | None) -> Record | None:
        wanted = value.strip().casefold() if isinstance(value, str) else ""
        holders = (r for r in self.modules[module].values() if str(r.values.get(name) or "").casefold() == wanted)
        return next((r for r in holders if r.id != identity), None) if wanted else None

    def _times(self, module: str, values: Json) -> None:
        start, end = values.get("Start_DateTime"), values.get("End_DateTime")
        if module == "Events" and start and end and str(end) <= str(start):
            refuse([invalid("End_DateTime")])

    def contacts(self) -> list[Record]:
        """All live contacts, oldest first."""
        return list(self.modules["Contacts"].values())

    def module(self, name: str) -> dict[str, Record]:
        """The records of a module; raises the refusal of a name nobody knows."""
        if name not in self.modules:
            raise Refusal(400, "INVALID_MODULE", "the module name given seems to be invalid", resource_path_index=0)
        return self.modules[name]


def options(values: Iterable[str]) -> list[Json]:
    """The options of a choice, as a definition has them."""
    return [{"actual_value": value, "display_value": value, "type": "used"} for value in values]


def _closed(module: str, name: str) -> Json:
    """The definition of a field that only Zoho writes."""
    kind = "text" if name == "id" else "datetime"
    more = {"field_read_only": True, "read_only": True, "custom_field": False, "unique": {}, "pick_list_values": []}
    return {
        **FIELD,
        "id": _field_id(module, name),
        "api_name": name,
        "field_label": name.replace("_", " "),
        "data_type": kind,
        "length": 40,
        **more,
    }


def _field_id(module: str, name: str) -> str:
    """The id of a field that every account has; the numbers are synthetic."""
    names = [(one, known) for one, fields in FIELDS.items() for known in (*fields, *READ_ONLY)]
    return str(554023000000002000 + names.index((module, name)))
