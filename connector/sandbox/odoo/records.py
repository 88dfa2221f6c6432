"""The records behind the Odoo sandbox: partners, events, external ids, with the rules that were measured on 19.0 and 17.0.

Everything here is synchronous, so that one call is one transaction. What was not measured is marked *synthetic*.
"""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from connector.sandbox.odoo import model as m
from connector.sandbox.odoo.model import EVENT, KEYS, MODELS, PARTNER, SCHEMA, Json, OdooError

#: (model, operation) → the user may do that.
RIGHTS = frozenset(
    {(model, operation) for model in (PARTNER, EVENT) for operation in ("read", "write", "create")}
    | {(KEYS, "read"), (MODELS, "read"), (m.USERS, "read")}
)
SILENT = "no_mail_to_attendees"


class Records:
    """One database. `rights` may be replaced; `written` counts records made or changed, `mails` the invitations sent."""

    def __init__(self, clock: Callable[[], float], major: int, *, knows_numbers: bool) -> None:
        self.clock = clock
        self.major = major
        self.knows_numbers = knows_numbers
        self.schema = {name: dict(fields) for name, fields in SCHEMA.items()}
        if major < 19:
            self.schema[PARTNER]["mobile"] = ("char", False)
        #: The options of partners' own selections, value → label.
        self.options: dict[str, dict[str, str]] = {}
        #: The time zone that the user has chosen: an import reads times in it.
        self.user_zone = "UTC"
        self.rights: set[tuple[str, str]] = set(RIGHTS)
        self.tables: dict[str, dict[int, Json]] = {name: {} for name in self.schema}
        self.references: dict[tuple[str, str], tuple[str, int]] = {}
        self.written: Counter[str] = Counter()
        self.mails = 0
        self._ids = itertools.count(8)
        self.tables[MODELS][1] = self._new(1) | {"model": PARTNER, "name": "Contact"}

    # ---- the methods of every model ----

    def search(self, model: str, domain: Sequence[Any], context: Mapping[str, Any]) -> list[Json]:
        """Records that meet the domain, oldest first; archived ones only where the context asks for them."""
        self._allow(model, "read")
        fields = self.schema[model]
        meets = m.condition(domain, lambda name: name in fields or name in m.ALWAYS)
        hidden = "active" in fields and context.get("active_test", True)
        return [record for record in self.tables[model].values() if meets(record) and not (hidden and not record["active"])]

    def shown(self, model: str, record: Json, names: Sequence[str]) -> Json:
        """A record as `read` answers it."""
        for name in names:
            if name not in self.schema[model] and name not in m.ALWAYS:
                raise m.value_error(f"Invalid field {name!r} on {model!r}")
        return {"id": record["id"], **{name: self._shown(model, name, record[name]) for name in names}}

    def _shown(self, model: str, name: str, value: Any) -> Any:
        """One value; a relation to a user with the user's name beside the id."""
        if model == PARTNER and name == "user_id" and value:
            return [value, self.tables[m.USERS][value]["login"]]
        return _plain(value)

    def create(self, model: str, values: Mapping[str, Any], context: Mapping[str, Any]) -> int:
        """Make a record."""
        self._allow(model, "create")
        kept = m.checked(model, self.schema[model], values, self._options(model))
        if model in (PARTNER, EVENT) and kept.get("name") in (None, False):
            raise m.invalid("Missing required value for the field 'Name' (name).")
        record = self._new(next(self._ids))
        defaults = {name: default for name, (_, default) in self.schema[model].items() if default is not None}
        record |= {**defaults, **kept}
        self._settle(model, record)
        self.tables[model][record["id"]] = record
        self.written[f"{model} create"] += 1
        self._invite(model, context)
        return int(record["id"])

    def write(self, model: str, ids: Sequence[int], values: Mapping[str, Any], context: Mapping[str, Any]) -> bool:
        """Change records; of none it says true as well."""
        self._allow(model, "write")
        kept = m.checked(model, self.schema[model], values, self._options(model))
        for identity in ids:
            if identity not in self.tables[model]:
                raise m.missing()
        for identity in ids:
            record = {**self.tables[model][identity], **kept}
            self._settle(model, record)
            record["write_date"] = self._now()
            self.tables[model][identity] = record
            self.written[f"{model} write"] += 1
            self._invite(model, context)
        return True

    def load(self, model: str, fields: Sequence[str], data: Sequence[Sequence[Any]], context: Mapping[str, Any]) -> Json:
        """Import rows: made or changed by their external id. A failure is answered with messages, and nothing is written."""
        # Records are replaced and not changed, so that shallow copies are enough to go back to.
        tables = {name: dict(table) for name, table in self.tables.items()}
        before = (tables, dict(self.references), Counter(self.written), self.mails)
        ids: list[int] = []
        for number, row in enumerate(data):
            try:
                ids.append(self._load_row(model, dict(zip(fields, row, strict=True)), context))
            except OdooError as error:
                self.tables, self.references, self.written, self.mails = before
                return {"ids": False, "messages": [failure(str(error), number, error.field)], "nextrow": 0}
        return {"ids": ids, "messages": [], "nextrow": 0}

    def _load_row(self, model: str, row: dict[str, Any], context: Mapping[str, Any]) -> int:
        key = str(row.pop("id", "") or "")
        values = {
            name.removesuffix("/.id"): self._cell(model, name, cell, str(context.get("tz") or self.user_zone))
            for name, cell in row.items()
        }
        if not key:
            return self.create(model, values, context)
        if not m.NAME_OF_KEY.fullmatch(key):
            raise m.invalid("External IDs cannot contain spaces")
        module, _, name = key.rpartition(".") if "." in key else ("__import__", "", key)
        kept_model, identity = self.references.get((module, name), (model, 0))
        if kept_model != model:
            raise m.invalid(f"For external id {key} when trying to create/update a record of model {model}")
        if identity in self.tables[model]:
            self.write(model, [identity], values, context)
            return identity
        made = self.create(model, values, context)
        self.references[module, name] = (model, made)
        return made

    def _cell(self, model: str, name: str, cell: Any, zone: str) -> Any:
        if name.endswith("/.id"):
            ids = [int(part) for part in str(cell).split(",") if part.strip().isdigit()]
            column = name.removesuffix("/.id")
            if self.schema[model].get(column, ("", None))[0] != "many2one":
                return ids
            if not ids or ids[0] not in self.tables[m.USERS]:
                raise m.OdooError("builtins.ValueError", f"No matching record found for {column}", 500, field=column)
            return ids[0]
        kind = self.schema[model].get(name, ("", None))[0]
        if cell in ("", None):
            return False
        return m.cell(name, kind, str(cell), self._options(model).get(name, {}), zone)

    def _options(self, model: str) -> dict[str, dict[str, str]]:
        return self.options if model == PARTNER else {}

    # ---- what else the adapter asks ----

    def reference(self, module: str, name: str, context: Mapping[str, Any]) -> list[Any]:
        """(model, id) of an external id; an id of False where the user may not see the record."""
        found = self.references.get((module, name))
        if found is None:
            raise m.value_error(f"External ID not found in the system: {module}.{name}")
        model, identity = found
        seen = self.search(model, [["id", "=", identity]], context)
        return [model, identity if seen else False]

    def external_ids(self, model: str, ids: Sequence[int]) -> dict[str, str]:
        """One external id of each record, or an empty text. Which one of several is synthetic: the oldest."""
        found: dict[str, str] = {str(identity): "" for identity in ids}
        for (module, name), (kept_model, identity) in self.references.items():
            if kept_model == model and found.get(str(identity)) == "":
                found[str(identity)] = f"{module}.{name}"
        return found

    def described(self, model: str, names: Sequence[str] | None) -> dict[str, Json]:
        """The definitions of those of the fields that exist."""
        always = {name: ("integer" if name == "id" else "datetime", None) for name in m.ALWAYS}
        wanted = {**always, **self.schema[model]}.items()
        return {name: self._described(model, name, *one) for name, one in wanted if names is None or name in names}

    def _described(self, model: str, name: str, kind: str, default: Any) -> Json:
        """One definition; what only Odoo itself writes has no default."""
        options = self._options(model).get(name)
        chosen = {} if options is None else {"selection": [list(pair) for pair in options.items()]}
        return {"type": kind, "string": name, "readonly": default is None, **chosen}

    def has_right(self, model: str, operation: str) -> bool:
        """Whether the user may do that with records of the model."""
        return (model, operation) in self.rights

    def add_field(self, values: Mapping[str, Any], context: Mapping[str, Any]) -> int:
        """Make a custom field of the model that `model_id` names."""
        identity = self.create(m.FIELDS, values, context)
        name = str(values["name"])
        if not re.fullmatch(r"x_[a-z0-9_]+", name):
            del self.tables[m.FIELDS][identity]
            raise m.invalid("Custom fields must have a name that starts with 'x_'!")
        target = str(self.tables[MODELS][int(values["model_id"])]["model"])
        self.schema[target][name] = (str(values["ttype"]), False)
        for record in self.tables[target].values():
            record.setdefault(name, False)
        return identity

    # ---- by hand ----

    def merge(self, loser: int, survivor: int) -> None:
        """As the wizard does: references and attendances lead to the survivor, blanks are filled, the loser is deleted."""
        partners = self.tables[PARTNER]
        gone = partners.pop(loser)
        filled = {name: value for name, value in gone.items() if not partners[survivor][name]}
        partners[survivor] = {**partners[survivor], **filled}
        self._settle(PARTNER, partners[survivor])
        for key, target in self.references.items():
            if target == (PARTNER, loser):
                self.references[key] = (PARTNER, survivor)
        for event in self.tables[EVENT].values():
            moved = (survivor if partner == loser else partner for partner in event["partner_ids"])
            event["partner_ids"] = tuple(dict.fromkeys(moved))

    def delete(self, model: str, identity: int) -> None:
        """Delete a record for good, with its external ids."""
        del self.tables[model][identity]
        self.references = {key: target for key, target in self.references.items() if target != (model, identity)}

    # ---- inside ----

    def _allow(self, model: str, operation: str) -> None:
        if (model, operation) not in self.rights:
            raise m.access(model, operation)

    def _settle(self, model: str, record: Json) -> None:
        if model == PARTNER:
            record["email_normalized"] = m.email_normalized(record["email"])
            phone = record.get("mobile") or record["phone"]
            record["phone_sanitized"] = m.phone_sanitized(phone, knows_numbers=self.knows_numbers)
        elif model == EVENT:
            if not record["start"] or not record["stop"]:
                raise m.invalid("Missing required value for the field 'Start' (start).")
            if record["stop"] < record["start"]:
                raise m.invalid("The ending date and time cannot be earlier than the starting date and time.")
            if not set(record["partner_ids"]) <= self.tables[PARTNER].keys():
                raise m.invalid("Another model is using the record you are trying to delete.")

    def _invite(self, model: str, context: Mapping[str, Any]) -> None:
        if model == EVENT and not context.get(SILENT):
            self.mails += 1

    def _new(self, identity: int) -> Json:
        return {"id": identity, "create_date": self._now(), "write_date": self._now()}

    def _now(self) -> str:
        return datetime.fromtimestamp(self.clock(), UTC).strftime("%Y-%m-%d %H:%M:%S")


def failure(text: str, row: int, field: str | None = None) -> Json:
    """A message of `load` about a row that failed; `field` where a cell does not fit it."""
    named = {"field": field} if field else {}
    return {"type": "error", "message": text, "record": row, "rows": {"from": row, "to": row}, **named}


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
