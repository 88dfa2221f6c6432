"""The lists of the status page: one page at a time, narrowed as the commands narrow them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from connector.store import Store, lists, pages
from connector.store.reviews import views as review_views

_KINDS = {"events": pages.events, "links": pages.links, "reviews": pages.reviews}


class Lists:
    """Pages of events, links and reviews."""

    def __init__(self, store: Store) -> None:
        self._read = store.read

    async def listing(self, kind: str, wanted: Mapping[str, Any]) -> dict[str, Any]:
        """One page of `events`, `links` or `reviews`: `rows`, `cursor` (None at the end), `partly`, and the known `sources`.

        `wanted` has fields of `connector.store.lists.Wanted`. Reviews come with `reasons`: how many are open by reason.
        Raises StoreError when it takes too long.
        """
        page = await self._read(_KINDS[kind], lists.Wanted(**wanted))
        found: dict[str, Any] = {"rows": page.rows, "cursor": page.cursor, "partly": page.partly}
        if kind == "reviews":
            found["reasons"] = await self._read(review_views.open_reviews)
        return {**found, "sources": await self._read(lists.sources)}
