"""The rows behind the Dynamics sandbox: contacts and appointments, with Dataverse's own rules.

Every method is one step, but an upsert is two: the server looks, then it writes, and another one may write in between. The
unique index decides then, as it does at Dataverse.
"""

from __future__ import annotations

import asyncio
import itertools
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from connector.sandbox.dynamics.metadata import Metadata
from connector.sandbox.dynamics.model import (
    NEEDED,
    OPEN,
    READ_ONLY,
    STATES,
    TABLES,
    Refusal,
    Row,
    Rules,
    folded,
    moment,
    new_id,
    stored,
)
from connector.sandbox.dynamics.odata import Parser, unknown_column

OWNER = "ownerid@odata.bind"
REGARDING = "regardingobjectid_contact@odata.bind"


@dataclass(frozen=True)
class Conditions:
    """What a PATCH demands: `match` is an etag or `*`."""

    match: str = ""
    only_create: bool = False
    detect_duplicates: bool = False


class Records:
    """One environment. `clock` gives seconds since the epoch."""

    def __init__(self, clock: Callable[[], float], rules: Callable[[], Rules], metadata: Metadata) -> None:
        self.clock = clock
        self.rows: dict[str, Row] = {}
        self._rules = rules
        self._metadata = metadata
        self._numbers = itertools.count(1)

    # ---- reading ----

    def all_of(self, table: str) -> Iterator[Row]:
        """All rows of a table, oldest first."""
        return (row for row in self.rows.values() if row.table == table)

    def query(self, table: str, text: str) -> list[Row]:
        """The rows that a filter lets through."""
        test = Parser(text, self._metadata.columns(table)).read() if text else lambda _: True
        return [row for row in self.all_of(table) if test(row)]

    def find(self, table: str, address: tuple[str, str]) -> Row | None:
        """The row with this (column, value), which is its id or a key; a refusal where that is no key."""
        name, value = address
        if name == TABLES[table][1]:
            row = self.rows.get(value.lower())
            return row if row is not None and row.table == table else None
        if table != "contacts" or not self._metadata.is_key(name):
            kind = TABLES[table][0]
            raise Refusal(400, "0x80060888", f"The specified key attributes are not a defined key for the {kind} entity")
        return self._holder(name, value)

    def _holder(self, name: str, value: Any) -> Row | None:
        return next((row for row in self.all_of("contacts") if folded(row.fields.get(name)) == folded(value)), None)

    # ---- writing ----

    async def upsert(
        self, table: str, address: tuple[str, str], given: Mapping[str, Any], conditions: Conditions
    ) -> tuple[Row, bool]:
        """Create or change the row with this id or key; the second answer says whether it was made."""
        row = self.find(table, address)
        if row is None and conditions.match:
            text = f"{TABLES[table][0]} With Id = {address[1]} Does Not Exist"
            raise Refusal(404, self._rules().missing_code, text)
        if row is not None and conditions.only_create:
            raise Refusal(412, self._rules().exists_code, "A record with matching key values already exists.")
        if row is not None:
            return self.update(row, given, conditions), False
        await asyncio.sleep(0)
        name, value = address
        if name == TABLES[table][1]:
            return self.create(table, given, identity=value.lower(), detect=conditions.detect_duplicates), True
        return self.create(table, {name: value, **given}, detect=conditions.detect_duplicates), True

    def create(
        self, table: str, given: Mapping[str, Any], *, identity: str | None = None, detect: bool = False, age: float = 0.0
    ) -> Row:
        """Make a row; `age` in seconds sets its date back."""
        if "statecode" in given:
            raise Refusal(400, "0x80048408", "statecode is not valid for create")
        fields = self._checked(table, given)
        fields["statecode"], fields["statuscode"] = self._state(table, fields.get("statuscode") or 1)
        if fields["statecode"] not in OPEN[table]:
            raise Refusal(400, "0x80048408", f"{fields['statuscode']} is not a valid status code for a new row")
        self._refuse(table, fields, detect=detect)
        identity = identity or new_id(next(self._numbers))
        if identity in self.rows:
            raise Refusal(412, "0x80040237", "Cannot insert duplicate key.")
        self._claim(identity, fields)
        dates = {"createdon": moment(self.clock() - age), "modifiedon": moment(self.clock())}
        self.rows[identity] = Row(table, identity, {**fields, **dates}, order=next(self._numbers))
        return self.rows[identity]

    def update(self, row: Row, given: Mapping[str, Any], conditions: Conditions) -> Row:
        """Write some columns; an empty value clears one."""
        if conditions.match not in ("", "*", row.etag):
            text = "The version of the existing record doesn't match the RowVersion property provided."
            raise Refusal(412, "0x80060882", text)
        fields = self._checked(row.table, given)
        if row.fields["statecode"] not in OPEN[row.table] and not fields.keys() <= {"statecode", "statuscode"}:
            raise Refusal(400, self._rules().read_only_code, "The object cannot be updated because it is read-only.")
        self._refuse(row.table, {**row.fields, **fields}, detect=False)
        if "statuscode" in fields or "statecode" in fields:
            state, status = self._state(row.table, fields.get("statuscode"), fields.get("statecode"))
            fields |= {"statecode": state, "statuscode": status}
        self._claim(row.id, fields)
        row.fields |= {**fields, "modifiedon": moment(self.clock())}
        row.version += 1
        return row

    def delete(self, identity: str) -> None:
        """Delete a row: at once and for good."""
        del self.rows[identity]

    def deactivate(self, identity: str) -> None:
        """Deactivate a contact; it keeps its key."""
        self.rows[identity].fields |= {"statecode": 1, "statuscode": 2}

    def merge(self, master: str, loser: str) -> Row:
        """Merge two contacts: the loser is deactivated and names its master, whose blanks it fills (a choice people make)."""
        first, second = self.rows[master], self.rows[loser]
        if first is second or not first.fields["statecode"] == second.fields["statecode"] == 0:
            raise Refusal(400, "0x80040203", "these cannot be merged")
        filled = {
            name: value
            for name, value in second.fields.items()
            if value and not first.fields.get(name) and name not in self._metadata.own
        }
        first.fields |= filled
        second.fields |= {"statecode": 1, "statuscode": 2, "merged": True, "_masterid_value": first.id}
        if not self._rules().merged_keeps_key:
            second.fields |= dict.fromkeys(self._metadata.own)
        for row in self.all_of("appointments"):
            if row.fields.get("_regardingobjectid_value") == second.id:
                row.fields["_regardingobjectid_value"] = first.id
        return first

    # ---- rules ----

    def _checked(self, table: str, given: Mapping[str, Any]) -> dict[str, Any]:
        known, fields = self._metadata.columns(table), {}
        for name, value in given.items():
            if table == "appointments" and name == REGARDING:
                fields["_regardingobjectid_value"] = self._bound(value)
            elif table == "contacts" and name == OWNER:
                fields["_ownerid_value"] = self._user(value)
            elif name not in known or name in READ_ONLY:
                raise unknown_column(name, TABLES[table][0])
            else:
                fields[name] = stored(name, value, *known[name], options=self._metadata.choices(name))
        return fields

    def add_user(self, email: str, *, active: bool) -> str:
        """Make a user; returns the id."""
        identity = new_id(next(self._numbers))
        fields = {"internalemailaddress": email, "isdisabled": not active}
        self.rows[identity] = Row("systemusers", identity, fields, order=next(self._numbers))
        return identity

    def _user(self, value: Any) -> str:
        """The user that an owner's `@odata.bind` names."""
        found = re.fullmatch(r"/systemusers\(([0-9a-f-]{36})\)", str(value))
        row = self.rows.get(found[1]) if found else None
        if row is None or row.table != "systemusers" or row.fields["isdisabled"]:
            raise Refusal(400, "0x80048d19", "Error identified in Payload: the owner")
        return row.id

    def _bound(self, value: Any) -> str:
        """The contact that an `@odata.bind` names."""
        found = re.fullmatch(r"/contacts\(([0-9a-f-]{36})\)", str(value))
        row = self.rows.get(found[1]) if found else None
        if row is None or row.table != "contacts":
            raise Refusal(404, "0x80040217", "contact With Id = ... Does Not Exist")
        return row.id

    def _state(self, table: str, status: int | None, state: int | None = None) -> tuple[int, int]:
        """State and status reason, which must belong together; of one alone, the other one follows."""
        pairs = {reason: of for reason, of in STATES[table].items() if state is None or of == state}
        if status is None:
            status = min(pairs, default=None)
        if status is None or status not in pairs:
            raise Refusal(400, "0x80048408", f"{status} is not a valid status code for state code {state}")
        return pairs[status], status

    def _refuse(self, table: str, fields: dict[str, Any], *, detect: bool) -> None:
        """What is missing, what contradicts itself, and what the environment's own rules do not let through."""
        rules = self._rules()
        if missing := [name for name in NEEDED[table] if not fields.get(name)]:
            raise Refusal(400, "0x80040203", f"Required fields are missing: {', '.join(missing)}")
        if table == "appointments" and fields["scheduledend"] < fields["scheduledstart"]:
            raise Refusal(400, "0x80040203", "The end must not be before the start.")
        if rules.plugin_refuses and fields.get("lastname") == rules.plugin_refuses:
            raise Refusal(400, "0x80040265", f"Our plug-in does not like {fields['lastname']}.")
        email = fields.get("emailaddress1")
        if table == "contacts" and detect and rules.duplicate_rule and email and self._holder("emailaddress1", email):
            text = "A record was not created or updated because a duplicate of the current record already exists."
            raise Refusal(rules.duplicate_status, "0x80040333", text)

    def _claim(self, identity: str, fields: dict[str, Any]) -> None:
        """Refuse values of active keys that another contact holds."""
        for name in self._metadata.active_keys():
            value = fields.get(name)
            holder = self._holder(name, value) if value else None
            if holder is not None and holder.id != identity:
                text = self._rules().taken_text.format(column=name, value=value, id=holder.id)
                raise Refusal(412, "0x80060892", text)
