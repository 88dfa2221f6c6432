"""The columns of contacts as Dataverse defines them, read for `[sync.fields]`; and values as it takes them. Mapping is pure."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

from connector.crms.dynamics.api import Client
from connector.model.errors import Transient
from connector.model.fields import Value
from connector.remote import fields
from connector.remote.fields import Field, Kind
from connector.remote.values import read_object, read_objects, read_text, write_time

#: The user to whom a contact belongs.
OWNER = "ownerid"
#: Dataverse's types of columns.
KINDS = {
    "StringType": Kind.TEXT,
    "MemoType": Kind.LINES,
    "DecimalType": Kind.NUMBER,
    "DoubleType": Kind.NUMBER,
    "MoneyType": Kind.NUMBER,
    "IntegerType": Kind.WHOLE,
    "BooleanType": Kind.YES_NO,
    "DateTimeType": Kind.TIME,
    "PicklistType": Kind.OPTION,
    "MultiSelectPicklistType": Kind.OPTIONS,
}
#: What only the definitions of one type say: type → (members, parts).
DETAILS: dict[str, tuple[Sequence[str], Sequence[str]]] = {
    "String": (("MaxLength", "FormatName"), ()),
    "Memo": (("MaxLength", "FormatName"), ()),
    "DateTime": (("DateTimeBehavior",), ()),
    "Picklist": ((), ("OptionSet", "GlobalOptionSet")),
    "MultiSelectPicklist": ((), ("OptionSet", "GlobalOptionSet")),
}


async def read(client: Client, account: str) -> dict[str, Field]:
    """The columns of contacts, by logical name: one call for what all have, and one for each type that says more."""
    calls = [client.columns(kind, members, parts) for kind, (members, parts) in DETAILS.items()]
    answers = await asyncio.gather(client.columns(), *calls)
    found: dict[str, dict[str, Any]] = {}
    for answer in answers:
        for column in read_objects(read_object(answer.data).get("value")):
            name = read_text(column.get("LogicalName"))
            found[name] = {**found.get(name, {}), **column}
    if "lastname" not in found:
        raise Transient("Dynamics 365: read what a contact has: answered without its columns", account=account)
    return {name: field(name, column) for name, column in found.items()}


def field(name: str, column: Mapping[str, Any]) -> Field:
    """One column. Formatted text is not written; a text with several lines is one for lines."""
    kind = KINDS.get(_value(column, "AttributeTypeName"), Kind.OTHER)
    form = _value(column, "FormatName")
    if form == "RichText":
        kind = Kind.OTHER
    elif kind is Kind.TEXT and form == "TextArea":
        kind = Kind.LINES
    elif kind is Kind.TIME and _value(column, "DateTimeBehavior") == "DateOnly":
        kind = Kind.DATE
    writable = column.get("IsValidForCreate") is True and column.get("IsValidForUpdate") is True
    most = column.get("MaxLength")
    length = most if type(most) is int and most > 0 else None
    return Field(name, kind, _label(column.get("DisplayName")), writable, length, _options(column))


def _options(column: Mapping[str, Any]) -> dict[str, str]:
    """Value → label, of the column's own choices or of those that it shares."""
    sets = (read_object(column.get(part)) for part in ("OptionSet", "GlobalOptionSet"))
    found = next((given for one in sets if (given := read_objects(one.get("Options")))), [])
    return {str(one.get("Value")): _label(one.get("Label")) for one in found}


def _value(column: Mapping[str, Any], member: str) -> str:
    return read_text(read_object(column.get(member)).get("Value"))


def _label(given: Any) -> str:
    return read_text(read_object(read_object(given).get("UserLocalizedLabel")).get("Label"))


def kept(row: Mapping[str, Any], names: Sequence[str], schema: Mapping[str, Field]) -> dict[str, Any]:
    """What stands in these columns; several choices come as numbers between commas."""
    found = fields.kept(row, names)
    several = {name for name in names if name in schema and schema[name].kind is Kind.OPTIONS}
    return {n: v.split(",") if n in several and isinstance(v, str) and v else v for n, v in found.items()}


def written(properties: Mapping[str, Value], schema: Mapping[str, Field]) -> dict[str, Any]:
    """Values as Dataverse takes them: a choice as its number, several as numbers between commas, times in UTC."""
    owner = {bound(OWNER): f"/systemusers({value})" for name, value in properties.items() if name == OWNER}
    return owner | {name: _written(schema.get(name), value) for name, value in properties.items() if name != OWNER}


def bound(name: str) -> str:
    """The member of a body that writes a column: one that names another row is bound to it."""
    return f"{name}@odata.bind" if name == OWNER else name


def _written(about: Field | None, value: Value) -> Any:
    if isinstance(value, tuple):
        return ",".join(value)
    if isinstance(value, datetime):
        return write_time(value)
    if about is not None and about.kind is Kind.OPTION and str(value).lstrip("-").isdigit():
        return int(str(value))
    return value.isoformat() if isinstance(value, date) else value
