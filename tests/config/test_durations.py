"""Durations in the file have a number and a unit."""

import pytest
from pydantic import ValidationError

from connector.config.settings import SyncSettings


@pytest.mark.parametrize(("said", "seconds"), [("0", 0), ("90s", 90), ("15m", 900), ("1h", 3_600), ("7d", 604_800)])
def test_a_duration_is_read(said, seconds):
    assert SyncSettings(booking="stores", crm="main", confirm_links_every=said).confirmed_for == seconds


@pytest.mark.parametrize("said", ["", "1", "0h", "-1h", "1.5h", "1 h", "1w", "01m", "999999d", "h", "1h\n"])
def test_what_is_no_duration_is_refused_with_an_example(said):
    with pytest.raises(ValidationError, match='must be a number with its unit, such as "15m", "1h" or "1d", or "0"'):
        SyncSettings(booking="stores", crm="main", confirm_links_every=said)
