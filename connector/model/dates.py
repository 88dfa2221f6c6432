"""Days and moments as people type and read them: 2026-01-31, 2026-01-31T09:30+01:00, yesterday, 7d."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta

#: A day as ISO 8601 writes it: 2026-01-31, 20260131 or 2026-W05-6.
_DAY = re.compile(r"(\d{4}-\d{2}-\d{2}|\d{8}|\d{4}-?W\d{2}-?\d)(Z|[+-]\d{2}:?\d{2})?")
_AGO = re.compile(r"(\d{1,6}) ?(m|h|d|w)")
_UNITS = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}
_NAMED = {"today": 0, "yesterday": 1, "tomorrow": -1}


def utc_now() -> datetime:
    """The present time, in UTC."""
    return datetime.now(UTC)


def moment(text: str, option: str, *, end: bool = False, now: datetime | None = None) -> datetime:
    """Read a day or a moment. Days are whole, in UTC unless they carry an offset; with `end`, the day's last instant counts.

    Args:
        text: what was typed; with `now` also words such as `yesterday` and ages such as `7d`.
        option: the option's name, for the error.
        end: whether a day means its end (exclusive: the next midnight).
        now: the present time; None where only dates make sense.

    Raises:
        ValueError: it is none of these; the text says so.
    """
    try:
        return _read(absolute(text, now) if now else text.strip(), end)
    except (ValueError, OverflowError):
        raise ValueError(f"{option}: {text!r} is not a date; write it like 2026-01-31, yesterday or 7d") from None


def absolute(text: str, now: datetime) -> str:
    """`yesterday`, `7d` and `12h` as a date or moment in UTC; anything else, also what lies before year 1, as it is."""
    word = text.strip().lower()
    if word in _NAMED:
        return str(now.astimezone(UTC).date() - timedelta(days=_NAMED[word]))
    if found := _AGO.fullmatch(word):
        try:
            back = now.astimezone(UTC) - int(found[1]) * _UNITS[found[2]]
        except OverflowError:
            return word
        return str(back.date()) if found[2] in "dw" else back.isoformat(timespec="seconds")
    return text.strip()


def _read(text: str, end: bool) -> datetime:
    if day := _DAY.fullmatch(text):
        zone = datetime.strptime(day[2].replace(":", ""), "%z").tzinfo if day[2] else UTC
        found = datetime.combine(date.fromisoformat(day[1]), time(), zone) + (timedelta(days=1) if end else timedelta())
    else:
        found = datetime.fromisoformat(text)
    # The ends of the calendar may lie beyond it in UTC.
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)


def moment_of(unix: float) -> str:
    """A Unix time for people, in UTC."""
    return datetime.fromtimestamp(unix, UTC).strftime("%Y-%m-%d %H:%M UTC")
