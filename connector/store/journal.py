"""The journal: every foreign effect is written down as an intent before it is attempted, and settled afterwards.

An intent that is still open when its event runs again means: the effect may have happened. While a create is open it
also claims the person's identity keys, so that no other client who is the same person can be created meanwhile.

Only an intent has to be on the disk before anything else happens. What settles it waits for no disk: the next intent or the
verdict takes it along, and if a power cut comes first, the intent is as open as if the cut had come a moment earlier.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from connector.model.errors import Postponed
from connector.model.jobs import Work
from connector.model.links import Link, Records
from connector.model.states import Step
from connector.store.connection import Connection, require
from connector.store.database import Database
from connector.store.intents import forget
from connector.store.lanes import fence, reach_step
from connector.store.links import give_up, link_of, remember, save_alias, save_link, survivor_of

#: Seconds after which an event looks again whether the other client's create has been settled.
LOOK_AGAIN = 3.0


class Journal:
    """Intents, and the commits that settle them. All writes are fenced by the claim of `work`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        #: Whether this was once a backup: effects that came after it are not written down here.
        self.restored = database.restored is not None

    async def begin(self, work: Work, key: str, kind: str, now: float, *, crm: str = "", identity: Sequence[str] = ()) -> bool:
        """Commit the intent `key` before its effect is attempted; True when it was open before: the effect may exist.

        Raises:
            Postponed: another client with one of these identity keys is being created and its outcome is not known yet.
        """
        claimed = [self._database.keyed(one) for one in identity]
        return await self._database.write(lambda connection: _begin(connection, work, key, kind, now, crm, claimed))

    async def is_open(self, key: str) -> bool:
        """Whether an earlier try of this effect was never settled."""
        return await self._database.read(lambda connection: _is_open(connection, key))

    async def tried_at(self, key: str) -> float | None:
        """When the last try of this effect was begun (Unix time), while it is not settled; None where nothing is open."""
        query = "SELECT updated_at FROM intents WHERE key = ? AND state <> 'done'"
        row = await self._database.read(lambda connection: connection.execute(query, (key,)).fetchone())
        return None if row is None else float(row[0])

    async def undone(self, key: str) -> None:
        """The effect certainly did not happen: forget the intent and what it claims."""
        await self._database.write(lambda connection: forget(connection, key))

    async def linked(
        self,
        work: Work,
        links: Sequence[Link],
        step: Step,
        now: float,
        *,
        keys: Sequence[str] = (),
        said: Sequence[str] = (),
        merged_from: str | None = None,
        intent: str | None = None,
    ) -> None:
        """Commit the outcome of the resolve step: the links (the client's own first), what we remember, the next step.

        `said` are all identity keys that the client has now: what it had before in their place is no longer its key.
        """
        new, all_ = ([self._database.keyed(key) for key in some] for some in (keys, said))
        await self._database.write(
            lambda connection: _linked(connection, work, links, step, now, new, all_, merged_from, intent), durable=False
        )

    async def wrote_back(self, work: Work, link: Link, step: Step, now: float, *, intent: str | None) -> None:
        """Commit that the booking system holds the customer's id."""
        await self._database.write(lambda connection: _wrote_back(connection, work, link, step, now, intent), durable=False)

    async def settled(self, work: Work, key: str, now: float) -> None:
        """Commit that an effect without further bookkeeping is done."""
        await self._database.write(lambda connection: _settle(connection, work, key, now), durable=False)

    async def recorded(self, work: Work, appointment_id: str, record_id: str, version: float, intent: str, now: float) -> None:
        """Commit which CRM record holds the appointment, and which statement about it was written last."""
        await self._database.write(
            lambda connection: _recorded(connection, work, appointment_id, record_id, version, intent, now), durable=False
        )

    async def records(self, link: Link, appointment_id: str, intent: str) -> Records:
        """Which records an appointment has, in one look; `intent` is that of the client's own."""
        return await self._database.read(
            lambda connection: Records(
                _recorded_as(connection, link.source, appointment_id, link.client_id),
                _is_open(connection, intent),
                _recorded_beside(connection, link, appointment_id),
            )
        )


def _is_open(connection: Connection, key: str) -> bool:
    return connection.execute("SELECT 1 FROM intents WHERE key = ? AND state <> 'done'", (key,)).fetchone() is not None


def _begin(connection: Connection, work: Work, key: str, kind: str, now: float, crm: str, identity: Sequence[str]) -> bool:
    fence(connection, work)
    if kind == "create":
        _check_link(connection, work, work.link)
    row = connection.execute("SELECT state FROM intents WHERE key = ?", (key,)).fetchone()
    connection.execute(
        "INSERT INTO intents (key, kind, state, source, client_id, event_id, begun_at, updated_at)"
        " VALUES (?, ?, 'intent', ?, ?, ?, ?, ?) ON CONFLICT (key) DO UPDATE SET"
        " state = 'intent', event_id = excluded.event_id, updated_at = excluded.updated_at",
        (key, kind, work.source, work.client_id, work.event_id, now, now),
    )
    for identity_key in identity:
        holder = connection.execute("SELECT intent FROM claims WHERE crm = ? AND key = ?", (crm, identity_key)).fetchone()
        if holder is None:
            connection.execute("INSERT INTO claims VALUES (?, ?, ?)", (crm, identity_key, key))
        elif holder[0] != key:
            raise Postponed(_who_claims(connection, holder[0]), retry_after=LOOK_AGAIN)
    return row is not None and row[0] != "done"


def _who_claims(connection: Connection, intent: str) -> str:
    """What is waited for, in words; that it waits for a person in turn must not stay hidden."""
    row = connection.execute(
        "SELECT e.id FROM intents i JOIN events e ON e.id = i.event_id WHERE i.key = ? AND e.state = 'held'", (intent,)
    ).fetchone()
    text = "another client with the same e-mail or phone is being created"
    return text if row is None else f"{text}, and its event {row[0]} is held: resolve that one first"


def _check_link(connection: Connection, work: Work, known: Link | None) -> None:
    """Raise Postponed where the client was linked to somebody else while its event ran: a decision is not written over."""
    found = connection.execute(
        "SELECT crm, customer_id FROM links WHERE source = ? AND client_id = ?", (work.source, work.client_id)
    )

    def check() -> None:
        row = found.fetchone()
        if row is not None and (known is None or (row[0], row[1]) != (known.crm, known.customer_id)):
            raise Postponed("the client's link was changed while this event ran", retry_after=LOOK_AGAIN)

    require(connection, check)


def _settle(connection: Connection, work: Work, key: str, now: float) -> None:
    fence(connection, work)
    _close(connection, key, now)


def _close(connection: Connection, key: str, now: float) -> None:
    connection.execute("UPDATE intents SET state = 'done', updated_at = ? WHERE key = ?", (now, key))
    connection.execute("DELETE FROM claims WHERE intent = ?", (key,))


def _linked(
    connection: Connection,
    work: Work,
    links: Sequence[Link],
    step: Step,
    now: float,
    keys: Sequence[str],
    said: Sequence[str],
    merged_from: str | None,
    intent: str | None,
) -> None:
    fence(connection, work)
    _check_link(connection, work, work.link)
    own = links[0]
    save_link(connection, own, now)
    for link in links[1:]:
        there = link_of(connection, link.source, link.client_id)
        # The client into which this one was merged may have got another customer meanwhile; who is right is for drift to ask.
        if there is None or there.crm != link.crm or there.customer_id in (link.customer_id, merged_from):
            save_link(connection, link, now)
    if merged_from is not None and merged_from != own.customer_id:
        save_alias(connection, own.crm, merged_from, own.customer_id, now)
    remember(connection, own, keys, now)
    give_up(connection, own, keys, said)
    if intent is not None:
        _close(connection, intent, now)
    _settle_creates(connection, own, now)
    reach_step(connection, work, step, now)


def _settle_creates(connection: Connection, link: Link, now: float) -> None:
    """However the client came to be linked, an earlier attempt to create it must not block others for ever."""
    creates = "source = ? AND client_id = ? AND kind = 'create' AND state <> 'done'"
    who = (link.source, link.client_id)
    connection.execute(f"DELETE FROM claims WHERE intent IN (SELECT key FROM intents WHERE {creates})", who)
    connection.execute(f"UPDATE intents SET state = 'done', updated_at = ? WHERE {creates}", (now, *who))


def _wrote_back(connection: Connection, work: Work, link: Link, step: Step, now: float, intent: str | None) -> None:
    fence(connection, work)
    _check_link(connection, work, link)
    save_link(
        connection, replace(link, stored_id=link.customer_id, written_back_at=now if intent else link.written_back_at), now
    )
    if intent is not None:
        _close(connection, intent, now)
    reach_step(connection, work, step, now)


def _recorded(
    connection: Connection, work: Work, appointment_id: str, record_id: str, version: float, intent: str, now: float
) -> None:
    _settle(connection, work, intent, now)
    connection.execute(
        "INSERT INTO appointments VALUES (:source, :appointment, :client, :record, :version, :now,"
        " coalesce((SELECT crm FROM links WHERE source = :source AND client_id = :client), ''))"
        " ON CONFLICT (source, appointment_id, client_id) DO UPDATE SET"
        " record_id = excluded.record_id, version = excluded.version, updated_at = excluded.updated_at, crm = excluded.crm",
        {
            "source": work.source,
            "appointment": appointment_id,
            "client": work.client_id,
            "record": record_id,
            "version": version,
            "now": now,
        },
    )
    # One record of two clients who were merged: what is said of either is said of it.
    connection.execute(
        "UPDATE appointments SET version = ? WHERE source = ? AND appointment_id = ? AND record_id = ? AND version < ?",
        (version, work.source, appointment_id, record_id, version),
    )


def _recorded_as(connection: Connection, source: str, appointment_id: str, client_id: str) -> tuple[str, float] | None:
    # A record in a CRM with which the source was synced before is nobody's here.
    row = connection.execute(
        "SELECT record_id, version FROM appointments AS a WHERE source = ? AND appointment_id = ? AND client_id = ?"
        " AND NOT EXISTS (SELECT 1 FROM links l WHERE l.source = a.source AND l.client_id = a.client_id AND l.crm <> a.crm)",
        (source, appointment_id, client_id),
    ).fetchone()
    return (row[0], row[1]) if row else None


def _recorded_beside(connection: Connection, link: Link, appointment_id: str) -> dict[str, tuple[str, float] | None]:
    key = f"record:{link.source}/{appointment_id}/"
    begun = connection.execute(
        "SELECT i.client_id, l.customer_id FROM intents i JOIN links l USING (source, client_id)"
        " JOIN events e ON e.id = i.event_id AND e.state IN ('queued', 'running', 'retrying')"
        " WHERE i.key = ? || i.client_id AND i.state <> 'done' AND i.source = ? AND i.client_id <> ? AND l.crm = ?",
        (key, link.source, link.client_id, link.crm),
    ).fetchall()
    rows = connection.execute(
        "SELECT a.client_id, l.customer_id, a.record_id, a.version FROM appointments a JOIN links l USING (source, client_id)"
        " WHERE a.source = ? AND a.appointment_id = ? AND a.client_id <> ? AND l.crm = ? AND a.crm = l.crm",
        (link.source, appointment_id, link.client_id, link.crm),
    ).fetchall()
    found = {row[0]: (row[1], None) for row in begun} | {row[0]: (row[1], (row[2], row[3])) for row in rows}
    ours = survivor_of(connection, link.crm, link.customer_id)
    return {
        client: record for client, (customer, record) in found.items() if survivor_of(connection, link.crm, customer) == ours
    }
