"""A company's own fields of persons, as `[sync.fields]` names them: by name, or by the code that Pipedrive gave them; pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any

from connector.model.fields import Value
from connector.remote import fields
from connector.remote.fields import Field, Kind
from connector.remote.values import read_object, read_objects, read_text

#: Pipedrive's types, with the characters that they take (documented; 65,000 where the page says "65k").
KINDS = {
    **dict.fromkeys(("varchar", "varchar_auto", "phone"), (Kind.TEXT, 255)),
    "text": (Kind.LINES, 65_000),
    "double": (Kind.NUMBER, None),
    "int": (Kind.WHOLE, None),
    "date": (Kind.DATE, None),
    "enum": (Kind.OPTION, None),
    "set": (Kind.OPTIONS, None),
}


class OwnFields:
    """The definitions as they were read last; `key_field` is the name of the field with our key, which is not written here."""

    def __init__(self, definitions: Iterable[dict[str, Any]] = (), key_field: str = "") -> None:
        named = [one for one in definitions if read_text(one.get("field_code"))]
        times = Counter(read_text(one.get("field_name")) for one in named)
        self.schema: dict[str, Field] = {}
        self._codes: dict[str, str] = {}
        self._own = {read_text(one["field_code"]) for one in named if one.get("is_custom_field") is True}
        for one in named:
            code, name = read_text(one["field_code"]), read_text(one.get("field_name"))
            # Two fields may have one name: then only the code says which one is meant.
            for key in (code, name) if name and times[name] == 1 else (code,):
                self.schema[key] = _field(key, one, writable=one.get("is_custom_field") is True and name != key_field)
                self._codes[key] = code

    def codes(self, names: Iterable[str]) -> dict[str, str]:
        """Name → code of those that exist and are the company's own: no list is asked for others by their codes."""
        return {name: self._codes[name] for name in names if self._codes.get(name) in self._own}

    def read(self, person: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
        """What stands in those of the fields that exist, by the names of the rules."""
        there = read_object(person.get("custom_fields"))
        return fields.kept({name: there.get(code) for name, code in self.codes(names).items()}, names)

    def added(self, person: dict[str, Any], properties: Mapping[str, Value], owner: str | None) -> dict[str, Any]:
        """A person with these values, and with the owner, which is no field of the company's own."""
        chosen = {name: int(str(value)) for name, value in properties.items() if name == owner}
        further = self.written({name: value for name, value in properties.items() if name != owner})
        return {**person, **chosen, "custom_fields": {**further, **person["custom_fields"]}}

    def written(self, properties: Mapping[str, Value]) -> dict[str, Any]:
        """The values of `custom_fields`: dates as text, options by their ids."""
        pairs = ((name, self._codes.get(name, name), value) for name, value in properties.items())
        return {code: _written(self.schema.get(name), value) for name, code, value in pairs}


def codes(definitions: Iterable[dict[str, Any]], name: str) -> list[str]:
    """The codes of the company's own fields of this name."""
    own = [field for field in definitions if field.get("field_name") == name and field.get("is_custom_field") is True]
    return [str(field["field_code"]) for field in own if isinstance(field.get("field_code"), str)]


def users(entries: Iterable[dict[str, Any]]) -> dict[str, str]:
    """The active ones of the company's users: id → e-mail address."""
    return {str(one["id"]): read_text(one.get("email")) for one in entries if type(one.get("id")) is int and _active(one)}


def _active(user: dict[str, Any]) -> bool:
    return user.get("active_flag") is not False


def _field(key: str, definition: dict[str, Any], *, writable: bool) -> Field:
    kind, length = KINDS.get(str(definition.get("field_type")), (Kind.OTHER, None))
    options = {str(one.get("id")): read_text(one.get("label")) for one in read_objects(definition.get("options"))}
    return Field(key, kind, "", writable, length, options)


def _written(about: Field | None, value: Value) -> Any:
    if isinstance(value, tuple):
        return [_option(one) for one in value]
    if about is not None and about.kind is Kind.OPTION:
        return _option(str(value))
    return value.isoformat() if isinstance(value, date) else value


def _option(value: str) -> int | str:
    """The id of an option: a number for fields of the company's own."""
    return int(value) if value.isascii() and value.isdigit() else value
