"""Single values in foreign JSON. Readers are careful: a wrong type is "not said", never an exception."""

from __future__ import annotations

import hashlib
import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any
from urllib.parse import unquote
from zoneinfo import ZoneInfo

#: Characters kept of any text; longer ones are cut.
MAX_TEXT = 1_000
#: Characters of an event id kept as they are; longer ones are hashed.
MAX_EVENT_ID = 200
#: Digits of an id; far beyond 64 bits, and a bound for hostile input.
MAX_DIGITS = 40
_ORIGIN = re.compile(r"https?://[^/]*")
#: Segments that lead to another address.
_NOT_ALLOWED = frozenset({"", ".", ".."})
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_END_OF_DAY = re.compile(r"(\d{4}-?\d\d-?\d\d)[T ]24(?::?00){1,2}(?:[.,]0+)?(Z|[+-]\d\d(?::?\d\d)?)?", re.ASCII)
#: By coordinated time it comes at 23:59, elsewhere at another hour, but always at a minute of 29, 44 or 59.
_LEAP_SECOND = re.compile(r"([T ]\d\d:?(?:29|44|59):?)60(?![\d:])", re.ASCII)
#: A zone's name behind the offset, as Java ("+01:00[Europe/Paris]", RFC 9557) and Go ("+0000 UTC") write it, says nothing more.
_ZONE_NAME = re.compile(r"\s*(Z|[+-]\d\d:?\d\d)\s*(?:\[[^\]]*\]|[A-Z]{2,5})?$", re.ASCII)
#: What Ruby writes instead of a Z.
_UTC = re.compile(r"\s*(?:UTC|GMT)$")
_LARGEST = 10**MAX_DIGITS


def is_safe_path(path: str) -> bool:
    """Whether a path made from ids leads where it says: no empty, `.` or `..` segment, no control character, encoded or not.

    One slash in front is allowed, and no path at all; a whole address may stand there too. A query is not looked at.
    """
    path = _ORIGIN.sub("", path.partition("?")[0]).removeprefix("/")
    plain = [unquote(segment) for segment in path.split("/")] if "%" in path else path.split("/")
    return not path or not (_NOT_ALLOWED.intersection(plain) or _CONTROL.search("/".join(plain)))


def write_time(moment: datetime) -> str:
    """A moment in UTC, to the second, as RFC 3339 with a Z."""
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def read_key(value: Any) -> str | None:
    """An id that may be any text: a booking's, or a customer's. None when empty, too long or of another type."""
    if type(value) is int:
        return str(value) if abs(value) < _LARGEST else None
    if isinstance(value, str) and value.strip() and len(value) <= MAX_TEXT and clean(value) == value:
        return value
    return None


def read_event_id(value: Any) -> str | None:
    """The sender's event id; what cannot be stored as it is (too long, broken characters) is hashed, never cut."""
    if type(value) is int:
        value = str(value) if abs(value) < _LARGEST else hex(value)
    if not isinstance(value, str) or not value.strip():
        return None
    if len(value) <= MAX_EVENT_ID and clean(value) == value:
        return value
    return "sha256:" + hashlib.sha256(value.encode("utf-8", "surrogatepass")).hexdigest()


def clean(value: str) -> str:
    """The text without NULs and lone surrogates, which neither the database nor UTF-8 can hold."""
    if value.isascii() and "\x00" not in value:
        return value
    return value.replace("\x00", "").encode("utf-8", "surrogatepass").decode("utf-8", "replace")


def read_text(value: Any, limit: int = MAX_TEXT) -> str:
    """The text, cleaned, trimmed and cut; empty when it is not a text."""
    if not isinstance(value, str):
        return ""
    text = value[:limit]
    return (text if text.isascii() and "\x00" not in text else clean(text)).strip()


def read_number(value: Any) -> str:
    """A text that may have been sent as a JSON number, as phone numbers are; empty when it is neither."""
    if type(value) is float and value.is_integer():
        value = int(value)
    return str(value) if type(value) is int and 0 <= value < 10**20 else read_text(value)


def read_count(value: Any) -> int | None:
    """A number of records or pages, which some write as text; None where it is none."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 12:
        return int(value)
    return value if type(value) is int and value >= 0 else None


def read_said(value: Any) -> str:
    """A person's name, address or number in whatever shape it is said: of arrays and objects, all texts in them in one.

    What is said in an unexpected shape is not "not said": it is read, or it is found to be unreadable.
    """
    # Nearly always a text: the rest is not looked for then.
    if isinstance(value, str):
        return read_text(value)
    if isinstance(value, list | dict):
        return read_text(" ".join(_leaves(value, depth=3)))
    return read_number(value)


def _leaves(value: Any, depth: int) -> list[str]:
    """The texts and numbers in arrays and objects, in their order; those that are nested deeper are left out."""
    if isinstance(value, dict):
        value = list(value.values())
    if not isinstance(value, list):
        return [text] if (text := read_number(value)) else []
    return [text for one in value[:20] for text in _leaves(one, depth - 1)] if depth else []


def read_iso(text: str) -> datetime:
    """A date-time of ISO 8601, which may be naive; 24:00 is the next day's 00:00, and a leap second the last one before it.

    A zone's name is read over behind an offset; "UTC" and "GMT" are one.

    Raises ValueError where it is none, OverflowError beyond the calendar.
    """
    text = text.strip().upper()
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        text = _UTC.sub("Z", _ZONE_NAME.sub(r"\1", text))
        # Python reads these two from version 3.14 on, or never.
        if found := _END_OF_DAY.fullmatch(text):
            return datetime.fromisoformat(f"{found[1]}T00:00{found[2] or ''}") + timedelta(days=1)
        return datetime.fromisoformat(_LEAP_SECOND.sub(r"\g<1>59", text))


def read_time(value: Any, zone: str | None = None) -> datetime | None:
    """An RFC 3339 date-time in UTC; one without an offset is in `zone`, or UTC; None when it is none."""
    if not isinstance(value, str) or len(value) > 64 or not value:
        return None
    try:
        moment = read_iso(value)
        return (moment if moment.tzinfo else moment.replace(tzinfo=ZoneInfo(zone) if zone else UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def unread(**times: tuple[Any, datetime | None]) -> tuple[str, ...]:
    """The names of the times that are said (first value) and could not be read (second value)."""
    return tuple(name for name, (said, moment) in times.items() if moment is None and said not in (None, ""))


def read_object(value: Any) -> dict[str, Any]:
    """The object, or an empty one."""
    return value if isinstance(value, dict) else {}


def read_objects(value: Any) -> list[dict[str, Any]]:
    """The objects of an array; everything else in it is left out."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def at(document: Any, pointer: str) -> Any:
    """The value at a JSON pointer (RFC 6901), None where there is nothing."""
    for key in _tokens(pointer):
        if isinstance(document, dict):
            document = document.get(key)
        elif isinstance(document, list) and key.isascii() and key.isdigit() and len(key) < 10 and int(key) < len(document):
            document = document[int(key)]
        else:
            return None
    return document


@lru_cache(maxsize=256)
def _tokens(pointer: str) -> tuple[str, ...]:
    """The unescaped parts of a JSON pointer. Pointers come from settings and adapters: they are few, and used all the time."""
    return tuple(token.replace("~1", "/").replace("~0", "~") for token in pointer.split("/")[1:])
