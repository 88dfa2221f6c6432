"""Links: the crosswalk between clients and customers, kept for ever; aliases of merged customers; remembered identities."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable

from connector.model.links import Link
from connector.store.sqlite.database import Database


class Links:
    """Look-ups; links are written by `journal`, together with the step that made them."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def find(self, source: str, client_id: str) -> Link | None:
        """The link of a client."""
        return await self._database.read(lambda connection: link_of(connection, source, client_id))

    async def remembered(self, crm: str, keys: Iterable[str]) -> list[str]:
        """Ids of the customers which we ourselves tied to any of these identity keys, survivors of merges included."""
        wanted = list(keys)
        return await self._database.read(lambda connection: _remembered(connection, crm, wanted))

    async def missing_keys(self, link: Link, keys: Iterable[str]) -> list[str]:
        """Those of the keys that the link's client has not tied to the link's customer."""
        wanted = list(keys)
        return await self._database.read(lambda connection: _missing(connection, link, wanted))

    async def clients_of(self, crm: str, customer_id: str, source: str, limit: int) -> list[str]:
        """The clients of a source who are linked to a customer, newest first."""
        query = "SELECT client_id FROM links WHERE crm = ? AND customer_id = ? AND source = ? ORDER BY id DESC LIMIT ?"
        rows = await self._database.read(lambda c: c.execute(query, (crm, customer_id, source, limit)).fetchall())
        return [row[0] for row in rows]

    async def is_alias(self, crm: str, customer_id: str, survivor_id: str) -> bool:
        """Whether the CRM once told us that `customer_id` was merged into `survivor_id`."""
        return await self._database.read(lambda connection: survivor_of(connection, crm, customer_id) == survivor_id)

    async def compared(self, source: str, client_id: str, now: float) -> None:
        """Note that a link was compared with both sides. What a power cut takes of this is only compared sooner."""
        query = "UPDATE links SET compared_at = ? WHERE source = ? AND client_id = ?"
        await self._database.write(lambda connection: connection.execute(query, (now, source, client_id)), durable=False)


def link_of(connection: sqlite3.Connection, source: str, client_id: str) -> Link | None:
    """The statement behind `find`."""
    row = connection.execute(
        "SELECT source, client_id, crm, customer_id, origin, stored_id, written_back_at FROM links"
        " WHERE source = ? AND client_id = ?",
        (source, client_id),
    ).fetchone()
    return Link(*row) if row else None


def save_link(connection: sqlite3.Connection, link: Link, now: float) -> None:
    """Insert or re-point a link; the first link's date is kept while the customer stays the same."""
    connection.execute(
        "INSERT INTO links (source, client_id, crm, customer_id, origin, linked_at, written_back_at, stored_id)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (source, client_id) DO UPDATE SET"
        " crm = excluded.crm, customer_id = excluded.customer_id, origin = excluded.origin, stored_id = excluded.stored_id,"
        " written_back_at = excluded.written_back_at,"
        " linked_at = CASE WHEN links.customer_id = excluded.customer_id THEN links.linked_at ELSE excluded.linked_at END",
        (link.source, link.client_id, link.crm, link.customer_id, link.origin, now, link.written_back_at, link.stored_id),
    )


def save_alias(connection: sqlite3.Connection, crm: str, customer_id: str, survivor_id: str, now: float) -> None:
    """Remember a merge, and let older aliases point at the new survivor at once."""
    connection.execute("UPDATE aliases SET survivor_id = ? WHERE crm = ? AND survivor_id = ?", (survivor_id, crm, customer_id))
    connection.execute(
        "INSERT INTO aliases VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET survivor_id = excluded.survivor_id",
        (crm, customer_id, survivor_id, now),
    )


def remember(connection: sqlite3.Connection, link: Link, keys: Iterable[str], now: float) -> None:
    """Tie identity keys to a link's customer, as its client says them."""
    connection.executemany(
        "INSERT INTO identities VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET seen_at = excluded.seen_at",
        [(link.crm, key, link.customer_id, link.source, link.client_id, now) for key in keys],
    )


def retie(connection: sqlite3.Connection, crm: str, source: str, client_id: str, customer_id: str | None) -> None:
    """A person says whose client this is: what it said of itself is tied to that customer, or (None) to nobody."""
    who = (crm, source, client_id)
    if customer_id is None:
        connection.execute("DELETE FROM identities WHERE crm = ? AND source = ? AND client_id = ?", who)
        return
    query = "UPDATE OR REPLACE identities SET customer_id = ? WHERE crm = ? AND source = ? AND client_id = ?"
    connection.execute(query, (customer_id, *who))


def survivor_of(connection: sqlite3.Connection, crm: str, customer_id: str) -> str:
    """The customer that a merge made of this one, as far as we have heard; else itself."""
    row = connection.execute("SELECT survivor_id FROM aliases WHERE crm = ? AND customer_id = ?", (crm, customer_id)).fetchone()
    return str(row[0]) if row else customer_id


def _remembered(connection: sqlite3.Connection, crm: str, keys: list[str]) -> list[str]:
    found: dict[str, None] = {}
    for key in keys:
        # The newest of a number that many share: a search shows the others by now.
        query = (
            "SELECT customer_id FROM identities WHERE crm = ? AND key = ?"
            " GROUP BY customer_id ORDER BY max(seen_at) DESC, customer_id LIMIT 20"
        )
        for row in connection.execute(query, (crm, key)):
            found[survivor_of(connection, crm, row[0])] = None
    return list(found)


def _missing(connection: sqlite3.Connection, link: Link, keys: list[str]) -> list[str]:
    query = "SELECT 1 FROM identities WHERE crm = ? AND key = ? AND customer_id = ? AND source = ? AND client_id = ?"
    who = (link.customer_id, link.source, link.client_id)
    return [key for key in keys if connection.execute(query, (link.crm, key, *who)).fetchone() is None]
