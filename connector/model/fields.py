"""What is written into a customer's further fields: where values come from, and how they meet what is there."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal

#: When a value is written: where the field is empty, only on a customer who is made, always, or as a further line.
Mode = Literal["if_empty", "on_create", "overwrite", "append"]
#: A value as we know it; several options are a tuple. An adapter writes it in its product's form.
Value = str | bool | int | float | date | datetime | tuple[str, ...]

#: The sources of times; every other source is text.
TIMES = ("appointment.end", "appointment.start")
#: Every source of `[sync.fields]`.
SOURCES = (
    "appointment.id",
    "appointment.location",
    "appointment.status",
    "appointment.title",
    "client.email",
    "client.first_name",
    "client.home_phone",
    "client.id",
    "client.last_name",
    "client.mobile_phone",
    "service.id",
    "service.name",
    "staff.email",
    "staff.id",
    "staff.name",
    "store.id",
    "store.name",
    *TIMES,
)


#: A source in a template, and a part of a template that may be left out.
NAMED, OPTIONAL = re.compile(r"\{([^{}]*)\}"), re.compile(r"\[([^\[\]]*)\]")


@dataclass(frozen=True, slots=True)
class FieldRule:
    """One line of `[sync.fields]`: the CRM's field `name` takes `source`, or the constant `value` where there is none."""

    name: str
    source: str | None = None
    value: str | bool | int | float | None = None
    mode: Mode = "if_empty"


@dataclass(frozen=True, slots=True)
class FieldValue:
    """What a rule says for one event; there is none for a source that says nothing."""

    name: str
    value: Value
    mode: Mode = "if_empty"
