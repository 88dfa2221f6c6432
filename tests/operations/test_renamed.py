"""A source that was renamed keeps neither its links nor its waiting events: `check` must say so."""

from __future__ import annotations

from pathlib import Path

import pytest
from store.samples import NOW, execute, opened

from connector.operations.checks import renamed
from connector.store import Store


async def link(store: Store, source: str, client: str) -> None:
    query = "INSERT INTO links (source, client_id, crm, customer_id, origin, linked_at) VALUES (?, ?, 'main', '1', 'email', ?)"
    await execute(store, query + " RETURNING id", source, client, NOW)


@pytest.mark.anyio
async def test_a_new_source_beside_links_of_one_that_is_gone_is_said_until_it_has_links(tmp_path: Path) -> None:
    async with opened(tmp_path / "connector.db") as store:
        assert await renamed(store, ["stores"]) == [], "a first start"
        await link(store, "stores", "c-1")
        await link(store, "stores", "c-2")
        assert await renamed(store, ["stores", "spa"]) == [], "a second source"
        assert await renamed(store, []) == [], "the last source was removed"
        (one,) = await renamed(store, ["shops", "spa"])
        assert (one.id, one.level) == ("database.sources", "warning")
        assert "links of stores, which is no source of the configuration any more, and none of shops, spa" in one.message
        await link(store, "shops", "c-1")
        assert "none of spa" in (await renamed(store, ["shops", "spa"]))[0].message
        await link(store, "spa", "c-1")
        assert await renamed(store, ["shops", "spa"]) == []
