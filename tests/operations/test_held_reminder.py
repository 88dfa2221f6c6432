"""What is held for long is reminded of: it keeps what the sender said of people."""

from __future__ import annotations

from pathlib import Path

import pytest
from store.samples import NOW, accept, claim_one, hold, opened

from connector.operations.checks import DAY, long_held


@pytest.mark.anyio
async def test_events_that_are_held_for_longer_than_the_setting_says_are_counted(tmp_path: Path) -> None:
    async with opened(tmp_path / "connector.db") as store:
        for number, at in enumerate((NOW, NOW + 20 * DAY)):
            await accept(store, f"e-{number}")
            await hold(store, await claim_one(store), now=at)
        assert await long_held(store, 30, NOW + 30 * DAY) == []
        (one,) = await long_held(store, 30, NOW + 31 * DAY)
        assert (one.id, one.level) == ("events.held", "warning")
        assert one.message.startswith("1 event is held for more than 30 days, the first since ")
        assert "--state held --until 30d" in one.hint
        (both,) = await long_held(store, 10.5, NOW + 31 * DAY)
        assert both.message.startswith("2 events are held for more than 10.5 days")
        assert "--until 11d" in both.hint
        assert await long_held(store, 0, NOW + 900 * DAY) == []
