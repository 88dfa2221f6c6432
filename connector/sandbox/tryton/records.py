"""What the Tryton sandbox stores, and how it refuses: parties, their contact mechanisms, attachments."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import phonenumbers

from connector.sandbox.tryton import domains
from connector.sandbox.tryton.domains import Json

PARTY, MECHANISM, ATTACHMENT = "party.party", "party.contact_mechanism", "ir.attachment"
#: model → field → default.
SCHEMA: dict[str, dict[str, Any]] = {
    PARTY: {"name": None, "code": None, "active": True, "replaced_by": None},
    MECHANISM: {"type": "other", "value": None, "value_compact": None, "party": None, "active": True},
    ATTACHMENT: {"name": None, "type": "data", "description": None, "link": None, "resource": None},
}
ALWAYS = ("id", "create_date", "write_date")
NESTED = "contact_mechanisms"


class Refusal(Exception):
    """A status with Tryton's sentence, and nothing was done."""

    def __init__(self, status: int, message: str, description: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.body = {"status": status, "message": message, "description": description}


class Missing(Exception):
    """There is no such record, or it is not active: answered with a page."""


class Records:
    """The database. Every write is one transaction: it happens as a whole or not at all."""

    def __init__(self, clock: Callable[[], float], *, knows_numbers: bool) -> None:
        self.clock = clock
        #: Whether the library for numbers is installed there: then numbers are checked and shown with blanks.
        self.knows_numbers = knows_numbers
        self.tables: dict[str, dict[int, Json]] = {model: {} for model in SCHEMA}
        #: (model, right) that the user has.
        self.rights = {(model, right) for model in SCHEMA for right in ("read", "write", "create", "delete")}
        #: Whoever is none may search attachments only by what they are attached to, and so change none.
        self.administrator = True
        self.written: Counter[str] = Counter()
        self._ids = {model: itertools.count(1) for model in SCHEMA}
        self._codes = itertools.count(1)

    # ---- the API's calls ----

    def search(self, model: str, domain: list[Any], fields: Sequence[str], limit: int | None, order: Any) -> list[Json]:
        """`search_read`. Raises KeyError for what does not exist, Refusal 403 without the right."""
        self._allow(model, "read", status=403)
        self._allow_search(model, domains.names(domain), status=403)
        whole = (
            domain if "active" not in SCHEMA[model] or "active" in domains.names(domain) else [domain, ["active", "=", True]]
        )
        found = [record for record in self.tables[model].values() if domains.fits(whole, record, self._field)]
        found.sort(key=lambda record: record["id"], reverse=order == [["id", "DESC"]])
        return [self.shown(model, record, fields, dotted=True) for record in found[:limit]]

    def shown(self, model: str, record: Json, fields: Sequence[str], *, dotted: bool) -> Json:
        """A record with these fields; nested ones under a name with a dot, or without one."""
        plain: Json = {name: _plain(self._field(record, name)) for name in fields if "." not in name and name != "__name__"}
        inner = [name.partition(".")[2] for name in fields if name.startswith(f"{NESTED}.") and model == PARTY]
        if inner:
            active = [one for one in self._field(record, NESTED) if one["active"]]
            named: Json = {} if dotted else {"__name__": MECHANISM}
            nested = [{**named, "id": one["id"], **{name: _plain(self._field(one, name)) for name in inner}} for one in active]
            plain[f"{NESTED}." if dotted else NESTED] = nested
        return {"id": record["id"], **plain}

    def create(self, model: str, values: Mapping[str, Any]) -> Json:
        """Make a record. Raises Refusal 400, or KeyError for a field that does not exist."""
        self._allow(model, "create")
        given = dict(values)
        nested = given.pop(NESTED, []) if model == PARTY else []
        record: Json = {**SCHEMA[model], **self._known(model, given), "id": next(self._ids[model]), **self._times()}
        self._settle(model, record)
        mechanisms = self._mechanisms(record, nested)
        self._keep(model, record, mechanisms)
        self.written[f"{model} create"] += 1
        return record

    def write(self, model: str, identity: int, values: Mapping[str, Any]) -> Json:
        """Write some fields. Raises Missing, Refusal 400, or KeyError for a field that does not exist."""
        self._allow_search(model, {"id"}, status=400)
        there = self.tables[model].get(identity)
        if there is None or not there.get("active", True):
            raise Missing
        self._allow(model, "write")
        given = dict(values)
        nested = given.pop(NESTED, []) if model == PARTY else []
        record = {**there, **self._known(model, given), "write_date": self._now()}
        self._settle(model, record)
        self._keep(model, record, self._mechanisms(record, nested))
        self.written[f"{model} write"] += 1
        return record

    def access(self, models: Sequence[str]) -> Json:
        """What the user may do with each model. Raises KeyError for a model that does not exist."""
        return {model: self._access(model) for model in models if SCHEMA[model]}

    def _access(self, model: str) -> Json:
        """Where a rule says what may be done, the answers are numbers on SQLite."""
        found = {right: (model, right) in self.rights for right in ("read", "write", "create", "delete")}
        return found if all(found.values()) else {right: int(may) for right, may in found.items()}

    # ---- by hand ----

    def replace(self, source: int, destination: int) -> None:
        """As the wizard does: the source keeps its code and is no longer active; its mechanisms go over, not active.

        Who was replaced by the source is replaced by the destination; attachments stay where they were.
        """
        parties = self.tables[PARTY]
        parties[source] = {**parties[source], "active": False, "replaced_by": destination}
        for party in parties.values():
            if party["replaced_by"] == source:
                party["replaced_by"] = destination
        for one in self.tables[MECHANISM].values():
            if one["party"] == source:
                one.update(party=destination, active=False)

    def delete(self, model: str, identity: int) -> None:
        """Delete a record, and the contact mechanisms of a party."""
        del self.tables[model][identity]
        if model == PARTY:
            mechanisms = self.tables[MECHANISM]
            self.tables[MECHANISM] = {key: one for key, one in mechanisms.items() if one["party"] != identity}

    # ---- inside ----

    def _field(self, record: Json, name: str) -> Any:
        """A field's value; raises KeyError for one that does not exist."""
        if name == NESTED and "code" in record:
            return [one for one in self.tables[MECHANISM].values() if one["party"] == record["id"]]
        return record[name]

    def _known(self, model: str, values: Mapping[str, Any]) -> Json:
        for name in values:
            if name not in SCHEMA[model]:
                raise KeyError(name)
        return dict(values)

    def _settle(self, model: str, record: Json) -> None:
        if model == PARTY:
            if record["id"] not in self.tables[PARTY]:
                record["code"] = record["code"] or str(next(self._codes))
            _require(record, "code", "Party")
            if any(one["code"] == record["code"] and one["id"] != record["id"] for one in self.tables[PARTY].values()):
                raise Refusal(400, "The code on party must be unique.")
        if model == ATTACHMENT:
            _require(record, "name", "Attachment")
            owner = str(record["resource"]).partition(",")[2]
            if not owner.isdigit() or int(owner) not in self.tables[PARTY]:
                _require({**record, "resource": None}, "resource", "Attachment")

    def _mechanisms(self, party: Json, commands: Sequence[Sequence[Any]]) -> list[Json]:
        """The contact mechanisms that the commands of a one2many field make; only `create` is understood."""
        made = []
        if commands:
            self._allow(MECHANISM, "create")
        for command, values in commands:
            if command != "create":
                raise ValueError(command)
            for one in values:
                mechanism = {**SCHEMA[MECHANISM], **self._known(MECHANISM, one), "party": party["id"], **self._times()}
                made.append({**mechanism, **self._formatted(mechanism, party)})
        return made

    def _formatted(self, mechanism: Json, party: Json) -> Json:
        text = mechanism["value"]
        if not self.knows_numbers or mechanism["type"] not in ("phone", "mobile", "fax"):
            return {"value_compact": text}
        try:
            number = phonenumbers.parse(text, None)
        except phonenumbers.NumberParseException:
            number = None
        if number is None or not phonenumbers.is_valid_number(number):
            raise Refusal(400, f'The phone number "{text}" for party "{party["name"]}" is not valid.')
        shown = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.INTERNATIONAL)
        return {"value": shown, "value_compact": phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)}

    def _keep(self, model: str, record: Json, mechanisms: Sequence[Json]) -> None:
        self.tables[model][record["id"]] = record
        for one in mechanisms:
            identity = next(self._ids[MECHANISM])
            self.tables[MECHANISM][identity] = {**one, "id": identity}

    def _allow(self, model: str, right: str, *, status: int = 400) -> None:
        if model not in SCHEMA:
            raise KeyError(model)
        if (model, right) not in self.rights:
            raise Refusal(status, 'You are not allowed to access "Party".', "Within groups: ")

    def _allow_search(self, model: str, names: set[str], *, status: int) -> None:
        if model == ATTACHMENT and not self.administrator and "resource" not in names:
            raise Refusal(status, 'You are not allowed to search on the "ir.attachment" resource.')

    def _times(self) -> Json:
        return {"create_date": self._now(), "write_date": self._now()}

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self.clock(), UTC)


def _require(record: Json, name: str, model: str) -> None:
    """Raise the refusal of a record without this value."""
    if not record[name]:
        title = f'field "{name.capitalize()}" in record "{record["name"] or record["id"]}" of "{model}"'
        raise Refusal(400, f"A value is required for {title}.")


def _plain(value: Any) -> Any:
    """A value as Tryton's JSON has it: a time as an object of its parts, yes and no as SQLite keeps them."""
    if isinstance(value, datetime):
        parts = ("year", "month", "day", "hour", "minute", "second", "microsecond")
        return {"__class__": "datetime", **{part: getattr(value, part) for part in parts}}
    return int(value) if isinstance(value, bool) else value
