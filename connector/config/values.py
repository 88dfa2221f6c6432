"""Kinds of settings that several tables have."""

from __future__ import annotations

import re
from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, ConfigDict


class Section(BaseModel):
    """A table of the file: frozen, unknown keys refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, hide_input_in_errors=True)


def _zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (KeyError, ValueError, OSError):
        raise ValueError('must be a time zone as IANA names it, such as "Europe/Paris"') from None
    return value


Zone = Annotated[str, AfterValidator(_zone)]


#: Seconds of the units that a duration may have.
_UNITS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}


def _duration(value: str) -> str:
    if not re.fullmatch(r"0|[1-9]\d{0,4}[smhd]", value):
        raise ValueError('must be a number with its unit, such as "15m", "1h" or "1d", or "0"')
    return value


#: A time such as "15m"; `seconds_of` reads it.
Duration = Annotated[str, AfterValidator(_duration)]


def seconds_of(duration: str) -> float:
    """A `Duration` in seconds."""
    return float(0 if duration == "0" else int(duration[:-1]) * _UNITS[duration[-1]])


def _record_url(value: str) -> str:
    """An address with a place for the record's id; raises ValueError otherwise."""
    if not re.fullmatch(r"https://[^\s\"'<>{}]+", value.replace("{id}", "x")) or "{id}" not in value:
        raise ValueError('must be an https address with "{id}" in the place of the record\'s id')
    return value


#: Where a person opens a record, such as `https://app.example.com/contacts/{id}`.
RecordUrl = Annotated[str, AfterValidator(_record_url)]
