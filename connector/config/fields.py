"""`[sync.fields]`: which field of the CRM takes which value, read from TOML with a sentence for every mistake."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Annotated, Any, get_args

from pydantic import PlainValidator, WithJsonSchema

from connector.config.reader import Tables, nearest
from connector.model.fields import NAMED, OPTIONAL, SOURCES, FieldRule, Mode

MODES: tuple[str, ...] = get_args(Mode)
#: Characters of a field's name and of a constant.
LONGEST_NAME, LONGEST_VALUE = 100, 1_000
_KEYS = ("from", "mode", "value")


def read_rules(given: Any) -> tuple[FieldRule, ...]:
    """Read the table; raises ValueError with everything that is wrong in it."""
    if not isinstance(given, dict):
        raise ValueError("must be a table: write [sync.fields] below its [[sync]]")  # noqa: TRY004 - pydantic shows only these
    rules, faults = [], []
    for name, entry in given.items():
        try:
            rules.append(_rule(name, entry))
        except ValueError as error:
            faults.append(f"{name[:LONGEST_NAME]}: {error}")
    if faults:
        raise ValueError("; ".join(faults))
    return tuple(rules)


def _rule(name: str, entry: Any) -> FieldRule:
    if not name.strip() or not name.isprintable() or len(name) > LONGEST_NAME:
        raise ValueError("is not the name of a field")
    if isinstance(entry, str):
        return FieldRule(name, _source(entry))
    if not isinstance(entry, dict):
        raise ValueError('must name a source, such as "store.name", or be { value = "…" }')  # noqa: TRY004
    for key in entry.keys() - set(_KEYS):
        raise ValueError(f"unknown key {key}; {nearest(key, _KEYS)}")
    if ("from" in entry) == ("value" in entry):
        raise ValueError('needs either from = "store.name" or value = "…"')
    mode = entry.get("mode", "if_empty")
    if mode not in MODES:
        raise ValueError(f"mode must be one of {', '.join(MODES)}")
    if "value" in entry:
        return FieldRule(name, value=_constant(entry["value"]), mode=mode)
    return FieldRule(name, _source(entry["from"]), mode=mode)


def _source(given: Any) -> str:
    if given not in SOURCES:
        raise ValueError(f'there is no such source; {nearest(str(given), SOURCES)} (a constant is {{ value = "…" }})')
    return str(given)


def _constant(given: Any) -> str | bool | int | float:
    if isinstance(given, str) and given.strip() and len(given) <= LONGEST_VALUE:
        return given.strip()
    if isinstance(given, bool | int | float):
        return given
    raise ValueError(f"value must be text of 1 to {LONGEST_VALUE} characters, a number, true or false")


def read_template(given: str) -> str:
    """Check a template: its sources exist, and no bracket is left open; raises ValueError."""
    for name in NAMED.findall(given):
        if name not in SOURCES:
            raise ValueError(f"there is no source {{{name}}}; {nearest(name, SOURCES)}")
    if any(bracket in NAMED.sub("", OPTIONAL.sub(r"\1", given)) for bracket in "{}[]"):
        raise ValueError("has a bracket that is not closed: write {service.name}, and [ with {staff.name}] for a part")
    return given


def read_lines(given: str) -> str:
    """Check a template of several lines, each for itself; raises ValueError."""
    for line in given.split("\n"):
        read_template(line)
    return given


def check_rules(tables: Tables, where: str, rules: Sequence[FieldRule], identity: Collection[str] | None) -> None:
    """Refuse fields that say who a customer is: matching writes those. `identity` None: this CRM takes no rules."""
    if rules and identity is None:
        tables.fault(where, "fields", "fields cannot be written to this CRM; remove [sync.fields]")
    taken = {name.casefold() for name in identity or ()}
    for rule in rules:
        if rule.name.casefold() in taken:
            text = f"{rule.name} says who the customer is and is written by itself; remove it"
            tables.fault(where, "fields", text)


def check_owner(tables: Tables, where: str, rules: Sequence[FieldRule], field: str | None, *, wanted: bool) -> None:
    """Refuse `[sync.owner]` where the CRM takes no owner, and the owner's `field` among the others."""
    if wanted and field is None:
        tables.fault(where, "owner", "this CRM takes no owner; remove [sync.owner]")
    if field is not None and field.casefold() in (rule.name.casefold() for rule in rules):
        tables.fault(where, "fields", f"{field} is the owner: use [sync.owner] instead")


_SCHEMA = {
    "type": "object",
    "additionalProperties": {
        "anyOf": [
            {"enum": list(SOURCES)},
            {
                "type": "object",
                "properties": {
                    "from": {"enum": list(SOURCES)},
                    "value": {"type": ["string", "number", "boolean"]},
                    "mode": {"enum": list(MODES)},
                },
                "additionalProperties": False,
            },
        ]
    },
}
#: The rules as a setting.
FieldRules = Annotated[tuple[FieldRule, ...], PlainValidator(read_rules), WithJsonSchema(_SCHEMA)]
