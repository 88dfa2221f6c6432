"""Days and moments as people type them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from connector.model.dates import absolute, moment

NOW = datetime(2026, 11, 28, 18, 30, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("typed", "means"),
    [
        ("today", "2026-11-28"),
        ("Yesterday", "2026-11-27"),
        ("7d", "2026-11-21"),
        ("2w", "2026-11-14"),
        ("12h", "2026-11-28T06:30:05+00:00"),
        ("90 m", "2026-11-28T17:00:05+00:00"),
        (" 2026-01-31 ", "2026-01-31"),
        ("999999w", "999999w"),
    ],
)
def test_words_and_ages_are_dates(typed, means):
    assert absolute(typed, NOW) == means


@pytest.mark.parametrize(
    ("typed", "end", "means"),
    [
        ("yesterday", False, "2026-11-27T00:00:00+00:00"),
        ("yesterday", True, "2026-11-28T00:00:00+00:00"),
        ("2026-01-31+01:00", False, "2026-01-30T23:00:00+00:00"),
        ("2026-01-31T09:30", True, "2026-01-31T09:30:00+00:00"),
        ("1h", True, "2026-11-28T17:30:05+00:00"),
    ],
)
def test_a_day_is_whole(typed, end, means):
    assert moment(typed, "--since", end=end, now=NOW).isoformat() == means


@pytest.mark.parametrize("typed", ["", "7", "d", "7y", "-1d", "next week", "2026-13-01", "999999w", "7d 2h"])
def test_anything_else_is_refused_with_an_example(typed):
    with pytest.raises(ValueError, match="is not a date; write it like 2026-01-31, yesterday or 7d"):
        moment(typed, "--since", now=NOW)
