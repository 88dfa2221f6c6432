"""A sender whose ids are not unique per event is named by `check`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from store.samples import delivery, opened

from connector.operations import checks

pytestmark = pytest.mark.anyio


async def test_a_reused_id_is_a_warning_for_its_source(tmp_path: Path) -> None:
    async with opened(tmp_path / "connector.db") as store:
        await store.inbox.accept(delivery("e-1"))
        await store.inbox.accept(delivery("e-1"))
        assert await checks.ids(store) == []
        await store.inbox.accept(replace(delivery("e-1"), body=b'{"other": 1}'))
        (found,) = await checks.ids(store)
    assert (found.id, found.level) == ("booking.stores.event_ids", "warning")
    assert found.message.startswith("1 delivery to stores came under an id seen before, with another body")
