"""The two dates of a backfill: whole days, inclusive, in UTC unless they carry an offset."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from connector.operations.backfill import period

NOW = datetime(2026, 11, 21, 15, 30, tzinfo=UTC)


def read(since, until):
    return tuple(moment.astimezone(UTC).isoformat() for moment in period(since, until, NOW))


@pytest.mark.parametrize(
    ("since", "until", "expected"),
    [
        ("2026-01-31", "2026-02-01", ("2026-01-31T00:00:00+00:00", "2026-02-02T00:00:00+00:00")),
        ("2026-01-31", "2026-01-31", ("2026-01-31T00:00:00+00:00", "2026-02-01T00:00:00+00:00")),
        ("2026-01-31Z", "2026-01-31Z", ("2026-01-31T00:00:00+00:00", "2026-02-01T00:00:00+00:00")),
        ("2026-01-31+02:00", "2026-01-31-05:00", ("2026-01-30T22:00:00+00:00", "2026-02-01T05:00:00+00:00")),
        ("2026-01-31+0530", "2026-01-31", ("2026-01-30T18:30:00+00:00", "2026-02-01T00:00:00+00:00")),
        ("2024-02-29", "2024-02-29", ("2024-02-29T00:00:00+00:00", "2024-03-01T00:00:00+00:00")),
        ("2026-01-31T09:00", "2026-01-31T10:00+01:00", ("2026-01-31T09:00:00+00:00", "2026-01-31T09:00:00+00:00")),
        ("20260131", "20260131", ("2026-01-31T00:00:00+00:00", "2026-02-01T00:00:00+00:00")),
        ("2026-W05-6", "2026W056+02:00", ("2026-01-31T00:00:00+00:00", "2026-01-31T22:00:00+00:00")),
        (" 2026-01-31 ", "2026-01-31", ("2026-01-31T00:00:00+00:00", "2026-02-01T00:00:00+00:00")),
    ],
)
def test_dates(since, until, expected):
    if expected[0] == expected[1]:
        with pytest.raises(ValueError, match="earlier"):
            read(since, until)
    else:
        assert read(since, until) == expected


def test_a_year_back_and_a_year_ahead_when_nothing_is_said():
    assert read(None, None) == ("2025-11-21T00:00:00+00:00", "2027-11-21T00:00:00+00:00")
    assert read("2026-11-01", None)[0] == "2026-11-01T00:00:00+00:00"
    assert read(None, "2026-11-01")[1] == "2026-11-02T00:00:00+00:00"


NO_DATES = ["last week", "2026-13-01", "2026-02-30", "31.01.2026", "20260131x", "2026-01-31+25:00", "9" * 99]
#: These are dates, but not in UTC.
BEYOND = ["0001-01-01+14:00", "9999-12-31-01:00"]


@pytest.mark.parametrize("text", NO_DATES + BEYOND)
@pytest.mark.parametrize("option", ["--since", "--until"])
def test_what_is_no_date_is_named_with_its_option(text, option):
    since, until = (text, None) if option == "--since" else (None, text)
    with pytest.raises(ValueError, match=r"--(since|until)") as caught:
        period(since, until, NOW)
    assert str(caught.value) in (
        f"{option}: {text!r} is not a date; write it like 2026-01-31, yesterday or 7d",
        "--until is earlier than --since",
    )


def test_the_end_must_not_lie_before_the_beginning():
    with pytest.raises(ValueError, match="--until is earlier than --since"):
        period("2026-02-01", "2026-01-31", NOW)


def test_the_ends_of_the_calendar():
    start, end = period("0001-01-01", "9999-12-30", NOW)
    assert (start, end) == (datetime.min.replace(tzinfo=UTC), datetime(9999, 12, 31, tzinfo=UTC))
    with pytest.raises(ValueError, match="--until"):
        period(None, "9999-12-31", NOW)
