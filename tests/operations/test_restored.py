"""After a restore `check` says what is missing and what to do, until it was done."""

from __future__ import annotations

from pathlib import Path

import pytest
from store.samples import NOW, accept, opened

from connector.model.backfills import Request
from connector.operations.checks import AHEAD, DAY, clock, restored
from connector.store import Store
from connector.store.backup import back_up, restore


async def _backfill(store: Store, source: str, since: float, at: float) -> None:
    run = await store.backfills.begin(source, Request(), since, at, False, at)
    await store.backfills.move(run, "done", at + 60)


@pytest.mark.anyio
async def test_each_source_is_named_until_its_backfill_reaches_back_to_the_backup(tmp_path: Path) -> None:
    path, made = tmp_path / "connector.db", NOW - DAY
    async with opened(path) as store:
        await _backfill(store, "stores", made - DAY, made - DAY)
        assert await restored(store, ["stores"]) == []
    back_up(path, tmp_path / "backup.db", made)
    restore(path, tmp_path / "backup.db", NOW)
    async with opened(path) as store:
        assert store.database.restored is not None
        put_back = store.database.restored[0]
        (one,) = await restored(store, ["stores", "spa"])
        assert (one.id, one.level) == ("database.restored", "warning")
        assert "is a backup of 2026-" in one.message
        assert "looks for each customer and appointment before it creates one" in one.message
        day = one.message.split("backup of ")[1][:10]
        assert f"`connector backfill spa --since {day}` and `connector backfill stores --since {day}`" in one.hint
        await _backfill(store, "stores", made + 1, put_back + 5)
        assert "stores" in (await restored(store, ["stores"]))[0].hint, "a part of the time is missing"
        await _backfill(store, "stores", made - 1, put_back + 10)
        (left,) = await restored(store, ["stores", "spa"])
        assert "stores" not in left.hint
        await _backfill(store, "spa", made, put_back + 10)
        assert await restored(store, ["stores", "spa"]) == []


@pytest.mark.anyio
async def test_a_clock_that_was_set_back_is_said(tmp_path: Path) -> None:
    async with opened(tmp_path / "connector.db") as store:
        assert await clock(store, NOW) == []
        await accept(store, "e-1")
        (received,) = await store.read(lambda connection: connection.execute("SELECT received_at FROM deliveries").fetchone())
        assert await clock(store, received - AHEAD) == []
        (one,) = await clock(store, received - DAY)
        assert (one.id, one.level) == ("process.clock", "warning")
        assert "the clock was set back" in one.message
