"""The durable core: one database, one writer. All SQL of the project lives in this package."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from connector.store.backfills import Backfills
from connector.store.connection import Connection
from connector.store.database import Database
from connector.store.follow_ups import FollowUps
from connector.store.inbox import Inbox
from connector.store.journal import Journal
from connector.store.lanes import Lanes
from connector.store.links import Links
from connector.store.lock import read_lock
from connector.store.maintenance import Upkeep
from connector.store.opening import Location, look, open_database, stream
from connector.store.renewed import RenewedFile, RenewedTable
from connector.store.reviews.decisions import Reviews
from connector.store.shared import Ledger, Locks, SharedStates

T = TypeVar("T")

__all__ = ["Store", "look", "read_lock", "stream"]


class Store:
    """The open database, by subject. `read` runs one of `connector.store.views` on a read-only connection."""

    def __init__(self, database: Database, path: Path) -> None:
        self.database = database
        self.inbox = Inbox(database)
        self.lanes = Lanes(database)
        self.links = Links(database)
        self.journal = Journal(database)
        self.reviews = Reviews(database)
        self.follow_ups = FollowUps(database)
        self.upkeep = Upkeep(database)
        self.backfills = Backfills(database)
        self.renewed = RenewedTable(database) if database.shared else RenewedFile(path)
        #: Only where several processes work on the database.
        self.locks = Locks(database)
        self.ledger = Ledger(database)
        self.states = SharedStates(database)

    @classmethod
    def open(cls, where: Path | Location, *, role: str = "all") -> Store:
        """Open, made where there is none yet. Raises StoreError; see `open_database`."""
        return cls(open_database(where, role), where if isinstance(where, Path) else where.path)

    async def read(self, view: Callable[..., T], *args: Any, budget: float = 10.0, **kwargs: Any) -> T:
        """Run a view; raises StoreError when it takes longer than `budget` seconds."""

        def query(connection: Connection) -> T:
            return view(connection, *args, **kwargs)

        return await self.database.read(query, budget=budget)

    async def close(self) -> None:
        """Finish what waits to be written and let go of the file."""
        await self.database.close()
