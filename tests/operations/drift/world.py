"""Three linked clients between both sandboxes, and how to compare their links."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path
from typing import Any

from connector.operations.drift.run import Drift
from connector.operations.operations import Operations
from connector.store import views
from connector.store.reviews import views as review_views
from operations.backfill.world import World

PEOPLE = ("Ada", "Ben", "Chloe")


class Town(World):
    """`ada`, `ben` and `chloe` are clients; `customer` says whose customer they are, `stored` what Booxi holds."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.ada, self.ben, self.chloe = (
            str(self.client(firstName=name, lastName="Example", email=f"{name.lower()}@example.com")) for name in PEOPLE
        )

    async def link_everybody(self) -> None:
        """Everybody books once; returns when all are linked and written back."""
        self.operations = Operations(self.engine, works=True)
        for client in (self.ada, self.ben, self.chloe):
            self.booxi.book(int(client))
        await self.deliver()
        await self.settled()
        assert len(await self.links()) == 3
        assert len(self.booxi.links()) == 3
        self.to_booxi.sent.clear()
        self.to_hubspot.sent.clear()

    async def drift(
        self, *, fix: bool = False, sample: int | None = None, chance: random.Random | None = None
    ) -> dict[str, Any]:
        """One comparison to its end; answers its figures."""
        job = Drift(self.engine, "stores", sample=sample, fix=fix, **({"chance": chance} if chance else {}))
        async with asyncio.timeout(30):
            await job.run()
        return job.as_dict()

    async def found(self, *, fix: bool = False) -> list[tuple[str, str, str]]:
        """(client, problem, result) of every disagreement."""
        links = len(await self.links())
        drift = await self.drift(fix=fix)
        assert (drift["state"], drift["counts"]["seen"]) == ("done", links)
        return [(one["client_id"], one["problem"], one["result"]) for one in drift["findings"]]

    async def links(self) -> dict[str, str]:
        """Customer by client."""
        return {link["client_id"]: link["customer_id"] for link in await self.engine.store.read(views.links)}

    async def customer(self, client: str) -> str:
        return (await self.links())[client]

    def stored(self, client: str) -> str | None:
        return self.booxi.links().get(int(client))

    def forget(self, client: str) -> None:
        """Somebody removes the id from Booxi."""
        del self.booxi.state.links[int(client), "hubspot"]

    async def review(self) -> dict[str, Any]:
        """The only open review item."""
        (item,) = await self.engine.store.read(review_views.reviews)
        return item

    async def decide(self, decision: str, customer: str | None = None) -> None:
        """Decide the only open review item, and let everything settle."""
        item = await self.review()
        await self.operations.call("decide", {"review": item["id"], "decision": decision, "customer_id": customer, "by": "ops"})
        await self.settled()
