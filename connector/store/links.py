"""Links: the crosswalk between clients and customers, kept for ever; aliases of merged customers; remembered identities."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from connector.model.jobs import Work
from connector.model.links import KnownOfClient, Link
from connector.store.connection import Connection, marks
from connector.store.database import Database
from connector.store.intents import forget_open

#: What becomes of an identity key that is there already.
_SEEN_AGAIN = "ON CONFLICT (crm, key, customer_id, source, client_id) DO UPDATE SET seen_at = excluded.seen_at"


class Links:
    """Look-ups; links are written by `journal`, together with the step that made them."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def find(self, source: str, client_id: str) -> Link | None:
        """The link of a client."""
        return await self._database.read(lambda connection: link_of(connection, source, client_id))

    async def remembered(self, crm: str, keys: Iterable[str]) -> list[str]:
        """Ids of the customers which we ourselves tied to any of these identity keys, survivors of merges included."""
        wanted = [self._database.keyed(key) for key in keys]
        return await self._database.read(lambda connection: _remembered(connection, crm, wanted))

    async def missing_keys(self, work: Work, keys: Iterable[str]) -> list[str]:
        """Those of the keys that the client had not tied to the customer of its link when its event was claimed."""
        return [key for key in keys if self._database.keyed(key) not in work.tied]

    async def clients_of(self, crm: str, customer_id: str, source: str, limit: int) -> list[str]:
        """The clients of a source who are linked to a customer, newest first."""
        query = "SELECT client_id FROM links WHERE crm = ? AND customer_id = ? AND source = ? ORDER BY id DESC LIMIT ?"
        rows = await self._database.read(lambda c: c.execute(query, (crm, customer_id, source, limit)).fetchall())
        return [row[0] for row in rows]

    async def asked_about(self, crm: str, customer_id: str, source: str, limit: int) -> list[str]:
        """The clients of a source for whom an open review shows this customer, newest first."""
        return await self._database.read(lambda connection: _asked_about(connection, crm, customer_id, source)[:limit])

    async def shared(self, crm: str, keys: Iterable[str], person: str | None) -> set[str]:
        """Those of the keys that belong to several people.

        What was only noticed does not count for a `person` about whom there is a review: that decides for all its clients.
        """
        wanted, who = {self._database.keyed(key): key for key in keys}, self._keyed(person)
        shared = await self._database.read(lambda connection: _shared(connection, crm, list(wanted), who))
        return {wanted[key] for key in shared}

    async def notice(self, crm: str, key: str, people: int, *, person: str | None = None) -> None:
        """Remember that a key was seen with so many plainly different people. What somebody decided about it stands.

        `person` is who is asked about because of it: for that person's other clients it does not count (see `shared`).
        """
        stored, who = self._database.keyed(key), self._keyed(person)
        await self._database.write(lambda connection: notice(connection, crm, stored, people, who))

    async def different(self, crm: str, source: str, client_id: str, person: str | None) -> list[str]:
        """The customers that the client, or another client of this `person`, is not, survivors of merges included."""
        who = self._keyed(person)
        return await self._database.read(lambda connection: _different(connection, crm, source, client_id, who))

    async def known_of(self, crm: str, work: Work, keys: Iterable[str], person: str | None) -> KnownOfClient:
        """In one look: `shared`, `different`, which keys are tied, and the customers of those who came by the same delivery."""
        wanted, who = {self._database.keyed(key): key for key in keys}, self._keyed(person)
        appointment = work.event.appointment

        def look(connection: Connection) -> KnownOfClient:
            shared = _shared(connection, crm, list(wanted), who) if wanted else set()
            beside = _beside(connection, crm, work, appointment.id) if appointment else []
            return KnownOfClient(
                shared=frozenset(wanted[key] for key in shared),
                tied=frozenset(wanted[key] for key in _tied(connection, crm, list(wanted))),
                different=tuple(_different(connection, crm, work.source, work.client_id, who)),
                beside=tuple(beside),
            )

        return await self._database.read(look)

    async def remove(self, source: str, client_id: str, by: str, now: float) -> tuple[str | None, Link | None]:
        """Remove a client's link and what is remembered with it; returns a sentence why not, or the link that was removed.

        The client counts as somebody else than that customer from now on. Where a person removed the link before, it is
        answered again, so that what the booking system still holds can be cleared by repeating the command.
        """
        return await self._database.write(lambda connection: _remove(connection, source, client_id, by, now))

    async def is_alias(self, crm: str, customer_id: str, survivor_id: str) -> bool:
        """Whether the CRM once said that `customer_id` was merged into `survivor_id`."""
        return await self._database.read(lambda connection: survivor_of(connection, crm, customer_id) == survivor_id)

    async def compared(self, source: str, client_id: str, now: float) -> None:
        """Note that a link was compared with both sides. What a power cut takes of this is only compared sooner."""
        query = "UPDATE links SET compared_at = ? WHERE source = ? AND client_id = ?"
        await self._database.write(lambda connection: connection.execute(query, (now, source, client_id)), durable=False)

    def _keyed(self, person: str | None) -> str | None:
        return None if person is None else self._database.keyed(person)


def link_of(connection: Connection, source: str, client_id: str) -> Link | None:
    """The statement behind `find`."""
    row = connection.execute(
        "SELECT source, client_id, crm, customer_id, origin, stored_id, written_back_at FROM links"
        " WHERE source = ? AND client_id = ?",
        (source, client_id),
    ).fetchone()
    return Link(*row) if row else None


def save_link(connection: Connection, link: Link, now: float) -> None:
    """Insert or re-point a link; the first link's date is kept while the customer stays the same."""
    connection.execute(
        "INSERT INTO links (source, client_id, crm, customer_id, origin, linked_at, written_back_at, stored_id)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (source, client_id) DO UPDATE SET"
        " crm = excluded.crm, customer_id = excluded.customer_id, origin = excluded.origin, stored_id = excluded.stored_id,"
        " written_back_at = excluded.written_back_at,"
        " linked_at = CASE WHEN links.customer_id = excluded.customer_id THEN links.linked_at ELSE excluded.linked_at END",
        (link.source, link.client_id, link.crm, link.customer_id, link.origin, now, link.written_back_at, link.stored_id),
    )


def save_alias(connection: Connection, crm: str, customer_id: str, survivor_id: str, now: float) -> None:
    """Remember a merge, and let older aliases point at the new survivor at once."""
    connection.execute("UPDATE aliases SET survivor_id = ? WHERE crm = ? AND survivor_id = ?", (survivor_id, crm, customer_id))
    connection.execute(
        "INSERT INTO aliases VALUES (?, ?, ?, ?)"
        " ON CONFLICT (crm, customer_id) DO UPDATE SET survivor_id = excluded.survivor_id",
        (crm, customer_id, survivor_id, now),
    )


def remember(connection: Connection, link: Link, keys: Iterable[str], now: float) -> None:
    """Tie identity keys to a link's customer, as its client says them."""
    connection.executemany(
        f"INSERT INTO identities VALUES (?, ?, ?, ?, ?, ?) {_SEEN_AGAIN}",
        [(link.crm, key, link.customer_id, link.source, link.client_id, now) for key in keys],
    )


def notice(connection: Connection, crm: str, key: str, people: int, person: str | None) -> None:
    """The statement behind `Links.notice`."""
    connection.execute(
        "INSERT INTO shared_keys (crm, key, people, person) VALUES (?, ?, ?, ?)"
        " ON CONFLICT (crm, key) DO UPDATE SET people = excluded.people"
        " WHERE shared_keys.decided_by IS NULL AND shared_keys.people < excluded.people",
        (crm, key, people, person),
    )


def give_up(connection: Connection, link: Link, new: Sequence[str], said: Sequence[str]) -> None:
    """The client says a new address or number: what it said before in its place is no longer its key."""
    for kind in ("email:", "phone:"):
        now = [key for key in said if key.startswith(kind)]
        if now and any(key.startswith(kind) for key in new):
            connection.execute(
                "DELETE FROM identities WHERE crm = ? AND source = ? AND client_id = ? AND substr(key, 1, 6) = ?"
                f" AND key NOT IN ({marks(now)})",
                (link.crm, link.source, link.client_id, kind, *now),
            )


def retie(connection: Connection, crm: str, source: str, client_id: str, customer_id: str | None) -> None:
    """A person says whose client this is: what it said of itself is tied to that customer, or (None) to nobody."""
    who = (crm, source, client_id)
    if customer_id is None:
        connection.execute("DELETE FROM identities WHERE crm = ? AND source = ? AND client_id = ?", who)
        return
    connection.execute(
        "INSERT INTO identities SELECT crm, key, ?, source, client_id, max(seen_at) FROM identities"
        f" WHERE crm = ? AND source = ? AND client_id = ? GROUP BY crm, key, source, client_id {_SEEN_AGAIN}",
        (customer_id, *who),
    )
    query = "DELETE FROM identities WHERE crm = ? AND source = ? AND client_id = ? AND customer_id <> ?"
    connection.execute(query, (*who, customer_id))


def survivor_of(connection: Connection, crm: str, customer_id: str) -> str:
    """The customer that a merge made of this one, as far as we have heard; else itself."""
    row = connection.execute("SELECT survivor_id FROM aliases WHERE crm = ? AND customer_id = ?", (crm, customer_id)).fetchone()
    return str(row[0]) if row else customer_id


def _remembered(connection: Connection, crm: str, keys: list[str]) -> list[str]:
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


def _asked_about(connection: Connection, crm: str, customer_id: str, source: str) -> list[str]:
    rows = connection.execute(
        "SELECT c.client_id, c.candidates FROM reviews r JOIN review_clients c ON c.review_id = r.id"
        " WHERE r.crm = ? AND r.decision IS NULL AND c.source = ? AND c.answer IS NULL ORDER BY c.id DESC",
        (crm, source),
    )
    return [row[0] for row in rows if any(shown["customer_id"] == customer_id for shown in json.loads(row[1]))]


def _tied(connection: Connection, crm: str, keys: list[str]) -> set[str]:
    query = "SELECT 1 FROM identities WHERE crm = ? AND key = ? LIMIT 1"
    return {key for key in keys if connection.execute(query, (crm, key)).fetchone() is not None}


def set_apart(
    connection: Connection, link: Link, by: str, now: float, *, person: str | None = None, review_id: int | None = None
) -> None:
    """Remember that the link's client is not the link's customer; with `person`, nor is any other client of that person."""
    connection.execute(
        "INSERT INTO different (crm, source, client_id, customer_id, person, review_id, decided_by, decided_at)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (crm, source, client_id, customer_id) DO UPDATE SET"
        " person = excluded.person, review_id = excluded.review_id,"
        " decided_by = excluded.decided_by, decided_at = excluded.decided_at",
        (link.crm, link.source, link.client_id, link.customer_id, person, review_id, by, now),
    )


def unlink(connection: Connection, link: Link) -> None:
    """Drop a link with what is remembered of its client: identity keys, open effects, and which records it has there.

    What is on its way begins again.
    """
    who = (link.source, link.client_id)
    connection.execute("DELETE FROM links WHERE source = ? AND client_id = ?", who)
    connection.execute("DELETE FROM appointments WHERE source = ? AND client_id = ?", who)
    retie(connection, link.crm, *who, None)
    forget_open(connection, *who)
    connection.execute(
        "UPDATE events SET step = 'resolve' WHERE lane_id = (SELECT id FROM lanes WHERE source = ? AND client_id = ?)"
        " AND state IN ('queued', 'retrying', 'held')",
        who,
    )


def is_running(connection: Connection, source: str, client_id: str) -> bool:
    """Whether an event of the client is being worked on now."""
    query = "SELECT 1 FROM lanes WHERE source = ? AND client_id = ? AND boot IS NOT NULL"
    return connection.execute(query, (source, client_id)).fetchone() is not None


def _remove(connection: Connection, source: str, client_id: str, by: str, now: float) -> tuple[str | None, Link | None]:
    link = link_of(connection, source, client_id)
    if link is None:
        row = connection.execute(
            "SELECT source, client_id, crm, customer_id, 'review' FROM different WHERE source = ? AND client_id = ?"
            " AND review_id IS NULL ORDER BY decided_at DESC LIMIT 1",
            (source, client_id),
        ).fetchone()
        return (None, Link(*row)) if row else (f"Client {client_id} of {source} has no link.", None)
    if is_running(connection, source, client_id):
        return f"An event of client {client_id} of {source} is being processed. Try again in a moment.", None
    unlink(connection, link)
    set_apart(connection, link, by, now)
    _note_removal(connection, link, by, now)
    return None, link


def _note_removal(connection: Connection, link: Link, by: str, now: float) -> None:
    """Leave a trace in the client's latest event."""
    row = connection.execute(
        "SELECT e.id, e.trace FROM lanes l JOIN events e ON e.lane_id = l.id WHERE l.source = ? AND l.client_id = ?"
        " ORDER BY e.id DESC LIMIT 1",
        (link.source, link.client_id),
    ).fetchone()
    if row is not None:
        at = datetime.fromtimestamp(now, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        said = f"the link ({link.origin}) was removed by {by} at {at}"
        entry = {"rule": "link", "result": "removed", "note": said, "customer_id": link.customer_id}
        trace = json.dumps([*json.loads(row["trace"]), entry])
        connection.execute("UPDATE events SET trace = ? WHERE id = ?", (trace, row["id"]))


def _shared(connection: Connection, crm: str, keys: list[str], person: str | None) -> set[str]:
    query = (
        f"SELECT key FROM shared_keys WHERE crm = ? AND people > 1 AND key IN ({marks(keys)})"
        " AND (decided_by IS NOT NULL OR coalesce(person <> ?, 1 = 1)"
        " AND NOT EXISTS (SELECT 1 FROM reviews WHERE crm = ? AND person = ?))"
    )
    return {row[0] for row in connection.execute(query, (crm, *keys, person, crm, person))}


def _different(connection: Connection, crm: str, source: str, client_id: str, person: str | None) -> list[str]:
    rows = connection.execute(
        "SELECT customer_id FROM different WHERE crm = :crm AND source = :source AND client_id = :client"
        " UNION SELECT customer_id FROM different WHERE crm = :crm AND person = :person",
        {"crm": crm, "source": source, "client": client_id, "person": person},
    ).fetchall()
    return list(dict.fromkeys(id_ for row in rows for id_ in (row[0], survivor_of(connection, crm, row[0]))))


def _beside(connection: Connection, crm: str, work: Work, appointment_id: str) -> list[str]:
    rows = connection.execute(
        "SELECT DISTINCT l.customer_id FROM events e JOIN events other ON other.delivery_id = e.delivery_id"
        " JOIN links l ON l.source = other.source AND l.client_id = other.client_id"
        " WHERE e.id = ? AND other.client_id <> ? AND l.source = ? AND l.crm = ?"
        " AND json_extract(other.payload, '$.appointment.id') = ?",
        (work.event_id, work.client_id, work.source, crm, appointment_id),
    ).fetchall()
    return [survivor_of(connection, crm, row[0]) for row in rows]
