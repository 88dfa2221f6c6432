"""FollowUps: events of our own making, so that what a person or a check wants done goes the way every event goes.

They stand in the client's lane behind what is there already, and the worker runs them under the same quota, journal
and trace. A follow-up knows nothing of the client but the id, so it fills no blanks and records no appointment.
"""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import quote

from connector.model.bookings import Client, Event
from connector.model.links import Link
from connector.store.connection import Connection
from connector.store.database import Database
from connector.store.inbox import BACKFILL, next_delivery, queue_events
from connector.store.links import link_of, save_alias, save_link


class FollowUps:
    """FollowUps that set right what no longer agrees between the two sides."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def repair(self, link: Link, now: float, *, merged_from: str | None = None, survivor: str | None = None) -> int:
        """Let the sync look at a client's link again and write it back; returns the event's id. `link` is what was compared.

        What the booking system was known to hold counts as unknown from here on. `merged_from` is an id of the CRM that
        was merged into the link's customer; `survivor`, the client into which this one was merged: it takes the link on,
        and the follow-up is the survivor's.
        """
        return await self._database.write(lambda connection: _repair(connection, link, now, merged_from, survivor))


def queue_follow_up(connection: Connection, source: str, client_id: str, type_: str, now: float, priority: int) -> int:
    """Queue an event which only names the client; returns its id."""
    number = next_delivery(connection)
    connection.execute(
        # Headers tell `prune` that there is something left to drop.
        "INSERT INTO deliveries (id, source, event, derived, type, received_at, headers) VALUES (?, ?, ?, 1, ?, ?, '{}')",
        (number, source, f"{type_}:{quote(client_id, safe='')}:{number}", type_, now),
    )
    queue_events(connection, number, source, now, [Event(type=type_, client=Client(id=client_id))], priority)
    return int(connection.execute("SELECT id FROM events WHERE delivery_id = ?", (number,)).fetchone()[0])


def _repair(connection: Connection, link: Link, now: float, merged_from: str | None, survivor: str | None) -> int:
    there, source, client_id = link_of(connection, link.source, link.client_id), link.source, link.client_id
    # A person may have linked the client to somebody else since: then what was compared says nothing of that customer.
    same = there is not None and (there.crm, there.customer_id) == (link.crm, link.customer_id)
    if same and merged_from is not None:
        save_alias(connection, link.crm, merged_from, link.customer_id, now)
    if same and survivor is not None and link_of(connection, source, survivor) is None:
        save_link(connection, replace(link, client_id=survivor, stored_id=None, written_back_at=None), now)
    client_id = survivor or client_id
    connection.execute("UPDATE links SET stored_id = NULL WHERE source = ? AND client_id = ?", (source, client_id))
    return queue_follow_up(connection, source, client_id, "drift", now, BACKFILL)
