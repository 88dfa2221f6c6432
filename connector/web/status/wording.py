"""How the status page says moments, durations and numbers."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import NamedTuple

_UNITS = ((86_400 * 2, 86_400, "days"), (3600 * 2, 3600, "h"), (60, 60, "min"), (0, 1, "s"))


class Moment(NamedTuple):
    """A time for people: `ago` in the text, `exact` when they look closer. Both are empty when it never happened."""

    ago: str
    exact: str

    @property
    def iso(self) -> str:
        """For the browser, which shows it in the reader's own zone."""
        return self.exact.removesuffix(" UTC").replace(" ", "T") + "Z" if self.exact else ""


#: What has never happened.
NEVER = Moment("", "")


def moment(value: str | float | None, now: float) -> Moment:
    """Say an RFC 3339 text or a Unix time relative to `now` (Unix seconds)."""
    at = _timestamp(value)
    if at is None:
        return NEVER
    exact = datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    age = now - at
    return Moment("just now" if age < 5 else f"{duration(age)} ago", exact)


def duration(seconds: float) -> str:
    """Say a length of time in the largest unit that still means something: `42 s`, `3 min`, `5 h`, `4 days`."""
    size, unit = next((size, unit) for least, size, unit in _UNITS if seconds >= least or not least)
    return f"{max(0, int(seconds // size)):,} {unit}"


def count(number: int, one: str, many: str = "") -> str:
    """Say a number with its noun: `1 event`, `1,204 events`."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def sentence(text: str) -> str:
    """A message as a sentence: full stop at the end, a capital at the start unless it starts with a setting's name."""
    text = text.strip()
    named = any(mark in text.partition(" ")[0].rstrip(".") for mark in "._`")
    return (text if named else text[:1].upper() + text[1:]) + ("" if text.endswith((".", "!", "?")) else ".")


def _timestamp(value: str | float | None) -> float | None:
    if value is None or value == "":
        return None
    if isinstance(value, str):
        read = datetime.fromisoformat(value)
        return (read if read.tzinfo else read.replace(tzinfo=UTC)).timestamp()
    return float(value)
