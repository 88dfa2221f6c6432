"""Reviews: persons whose customer somebody must choose, the choice, that it is remembered, and how it is taken back.

One item stands for one person, however many clients of however many sources that is. `review_clients.told` says what a
decision means for each of them: of several, one is told to `create` and the others `wait` for that customer. It is null
while the item is open. A `standing` client stays in an open item although it is linked and nothing of it waits.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from datetime import UTC, datetime
from typing import Any

from connector.store.database import Database
from connector.store.errands import queue_errand
from connector.store.inbox import LIVE
from connector.store.intents import forget_open
from connector.store.links import Link, link_of, save_link


@dataclass(frozen=True, slots=True)
class Decision:
    """What a person decided about a client: `link`, `create` or `dismiss`."""

    review_id: int
    decision: str
    by: str


@dataclass(frozen=True, slots=True)
class _Deed:
    """A decision while it is carried out. `errands`: queue one for whom nothing waits that would carry it out."""

    review_id: int
    crm: str
    customer_id: str | None
    by: str
    now: float
    errands: bool

    def step(self, told: str) -> dict[str, Any]:
        """The entry in the traces of the events which it lets go."""
        at = datetime.fromtimestamp(self.now, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        entry = {"rule": "review", "result": told, "note": f"decided in review {self.review_id} by {self.by} at {at}"}
        return entry if self.customer_id is None else {**entry, "customer_id": self.customer_id}


class Reviews:
    """Open items and decisions."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def open(
        self,
        source: str,
        client_id: str,
        crm: str,
        reason: str,
        candidates: Sequence[dict[str, Any]],
        now: float,
        *,
        person: str | None = None,
        standing: bool = False,
    ) -> int:
        """Raise a review item, or bring the open one up to date; returns its id.

        Clients of one CRM with the same `person` (any key that reveals nothing) share an item; without one the client
        has an item of its own. `standing`: only a decision ends it, not that the client's events went through.
        """
        asked = (source, client_id, crm, person)
        said = json.dumps(list(candidates))
        return await self._database.write(lambda connection: _open(connection, asked, reason, said, standing, now))

    async def decide(
        self, review_id: int, decision: str, customer_id: str | None, by: str, now: float, *, errands: bool = False
    ) -> str | None:
        """Record a decision for all clients of an item and let the waiting events go on.

        Returns a sentence why not, or None when done. With `errands`, a client for whom nothing waits gets an event that
        carries the decision out now; otherwise its next event does.
        """
        return await self._database.write(
            lambda connection: _decide(connection, review_id, decision, customer_id, by, now, errands)
        )

    async def undo(self, review_id: int, by: str, now: float) -> tuple[str | None, list[str]]:
        """Withdraw a decision and open the item again; returns a sentence why not (or None), and one for each client.

        A link it made goes, unless the booking system may know of it already: then it stays until the next decision.
        """
        return await self._database.write(lambda connection: _undo(connection, review_id, by, now))


def decision_of(connection: sqlite3.Connection, source: str, client_id: str) -> Decision | None:
    """The latest decision about a client that was not taken back."""
    row = connection.execute(
        "SELECT r.id, c.told, coalesce(r.decided_by, '') FROM review_clients c JOIN reviews r ON r.id = c.review_id"
        " WHERE c.source = ? AND c.client_id = ? AND c.told IS NOT NULL ORDER BY r.decided_at DESC, r.id DESC LIMIT 1",
        (source, client_id),
    ).fetchone()
    return Decision(*row) if row and row[1] != "wait" else None


def follow(connection: sqlite3.Connection, decision: Decision | None, link: Link | None, now: float) -> None:
    """The client that was told to create is linked: whoever waits for that customer is linked to it as well."""
    if link is None or decision is None or decision.decision != "create":
        return
    rows = connection.execute(
        "SELECT id, source, client_id FROM review_clients WHERE review_id = ? AND told = 'wait'", (decision.review_id,)
    ).fetchall()
    deed = _Deed(decision.review_id, link.crm, link.customer_id, decision.by, now, errands=True)
    for row in rows:
        connection.execute("UPDATE review_clients SET told = 'link' WHERE id = ?", (row["id"],))
        _withdraw(connection, row["source"], row["client_id"])
        _carry_out(connection, deed, "link", row["source"], row["client_id"])


# Opening.


def _open(
    connection: sqlite3.Connection,
    asked: tuple[str, str, str, str | None],
    reason: str,
    candidates: str,
    standing: bool,
    now: float,
) -> int:
    source, client_id, crm, person = asked
    review_id = _item_for(connection, source, client_id, crm, person)
    if review_id is None:
        _withdraw(connection, source, client_id)
        review_id = connection.execute(
            "INSERT INTO reviews (source, client_id, crm, person, reason, since, candidates) VALUES (?, ?, ?, ?, ?, ?, '[]')"
            " RETURNING id",
            (source, client_id, crm, person or _alone(source, client_id), reason, now),
        ).fetchone()[0]
    connection.execute(
        "INSERT INTO review_clients (review_id, source, client_id, candidates, standing) VALUES (?, ?, ?, ?, ?)"
        " ON CONFLICT (review_id, source, client_id) DO UPDATE SET candidates = excluded.candidates,"
        " standing = max(standing, excluded.standing)",
        (review_id, source, client_id, candidates, standing),
    )
    connection.execute("UPDATE reviews SET reason = ? WHERE id = ?", (reason, review_id))
    _drop_settled(connection, int(review_id), source, client_id)
    _refresh(connection, int(review_id))
    return int(review_id)


def _item_for(connection: sqlite3.Connection, source: str, client_id: str, crm: str, person: str | None) -> int | None:
    """The open item the client belongs into: its own as long as it says the same person, else the person's."""
    own = connection.execute(
        "SELECT r.id, r.crm, r.person, (SELECT count(*) FROM review_clients WHERE review_id = r.id) AS clients"
        " FROM review_clients c JOIN reviews r ON r.id = c.review_id"
        " WHERE c.source = ? AND c.client_id = ? AND c.told IS NULL",
        (source, client_id),
    ).fetchone()
    if own is not None and own["crm"] == crm and person in (None, own["person"]):
        return int(own["id"])
    person = person or _alone(source, client_id)
    shared = connection.execute(
        "SELECT id FROM reviews WHERE crm = ? AND person = ? AND decision IS NULL", (crm, person)
    ).fetchone()
    if shared is not None:
        _withdraw(connection, source, client_id)
        return int(shared[0])
    if own is not None and own["crm"] == crm and own["clients"] == 1:
        connection.execute("UPDATE reviews SET person = ? WHERE id = ?", (person, own["id"]))
        return int(own["id"])
    return None


def _alone(source: str, client_id: str) -> str:
    return "client:" + json.dumps([source, client_id])


def _withdraw(connection: sqlite3.Connection, source: str, client_id: str) -> None:
    """Take a client out of its open item; an item without clients is gone."""
    rows = connection.execute(
        "DELETE FROM review_clients WHERE source = ? AND client_id = ? AND told IS NULL RETURNING review_id", (source, client_id)
    ).fetchall()
    for row in rows:
        _refresh(connection, row[0])


def _drop_settled(connection: sqlite3.Connection, review_id: int, source: str, client_id: str) -> None:
    """Others in the item whose events have gone through meanwhile are no business of the decision any more."""
    connection.execute(
        "DELETE FROM review_clients AS c WHERE review_id = ? AND NOT (source = ? AND client_id = ?) AND NOT standing"
        " AND EXISTS (SELECT 1 FROM links l WHERE l.source = c.source AND l.client_id = c.client_id) AND NOT EXISTS"
        " (SELECT 1 FROM events e WHERE e.source = c.source AND e.client_id = c.client_id AND e.state = 'held')",
        (review_id, source, client_id),
    )


def _refresh(connection: sqlite3.Connection, review_id: int) -> None:
    """Let an item say what its clients say: the first one's source, and everybody's candidates, each once."""
    rows = _clients(connection, review_id)
    if not rows:
        connection.execute("DELETE FROM reviews WHERE id = ?", (review_id,))
        return
    together: dict[str, list[str]] = {}
    for row in rows:
        for candidate in json.loads(row["candidates"]):
            evidence = together.setdefault(candidate["customer_id"], [])
            evidence += [one for one in candidate["evidence"] if one not in evidence]
    said = json.dumps([{"customer_id": id_, "evidence": evidence} for id_, evidence in together.items()])
    connection.execute(
        "UPDATE reviews SET source = ?, client_id = ?, candidates = ? WHERE id = ?",
        (rows[0]["source"], rows[0]["client_id"], said, review_id),
    )


def _clients(connection: sqlite3.Connection, review_id: int) -> list[sqlite3.Row]:
    return connection.execute("SELECT * FROM review_clients WHERE review_id = ? ORDER BY id", (review_id,)).fetchall()


# Deciding.


def _decide(
    connection: sqlite3.Connection,
    review_id: int,
    decision: str,
    customer_id: str | None,
    by: str,
    now: float,
    errands: bool,
) -> str | None:
    row = connection.execute("SELECT crm, decision FROM reviews WHERE id = ?", (review_id,)).fetchone()
    if row is None:
        return f"There is no review {review_id}."
    if row["decision"] is not None:
        return f"Review {review_id} was decided before ({row['decision']})."
    said = (decision, customer_id, by, now)
    connection.execute(
        "UPDATE reviews SET decision = ?, customer_id = ?, decided_by = ?, decided_at = ? WHERE id = ?", (*said, review_id)
    )
    connection.execute(
        "INSERT INTO review_decisions (review_id, decision, customer_id, decided_by, decided_at) VALUES (?, ?, ?, ?, ?)",
        (review_id, *said),
    )
    deed = _Deed(review_id, row["crm"], customer_id, by, now, errands)
    for number, client in enumerate(_clients(connection, review_id)):
        told = "wait" if decision == "create" and number else decision
        before = link_of(connection, client["source"], client["client_id"])
        connection.execute(
            "UPDATE review_clients SET told = ?, replaced = ? WHERE id = ?",
            (told, json.dumps(astuple(before)) if before else None, client["id"]),
        )
        _carry_out(connection, deed, told, client["source"], client["client_id"])
    return None


def _carry_out(connection: sqlite3.Connection, deed: _Deed, told: str, source: str, client_id: str) -> None:
    """Do what a decision says for one client."""
    if told != "create":
        forget_open(connection, source, client_id)
    if told == "link" and deed.customer_id is not None:
        save_link(connection, Link(source, client_id, deed.crm, deed.customer_id, "review"), deed.now)
    moved = _let_go(connection, deed, told, source, client_id)
    if deed.errands and not moved and told in ("link", "create"):
        queue_errand(connection, source, client_id, "review", deed.now, LIVE)


def _let_go(connection: sqlite3.Connection, deed: _Deed, told: str, source: str, client_id: str) -> int:
    """Move what was held for a client; returns how many events that were."""
    state = {"dismiss": "discarded", "wait": "held"}.get(told, "queued")
    reason = {
        "dismiss": f"dismissed in review {deed.review_id}",
        "wait": f"waits for the customer that review {deed.review_id} lets another client of this person create",
    }.get(told, f"decided in review {deed.review_id}: {told}")
    rows = connection.execute(
        "SELECT id, lane_id, trace FROM events WHERE source = ? AND client_id = ? AND state = 'held'", (source, client_id)
    ).fetchall()
    for row in rows:
        connection.execute(
            "UPDATE events SET state = ?, step = 'resolve', reason = ?, hint = NULL, attempts = 0, trace = ?,"
            " outcome = nullif(outcome, 'failed'), updated_at = ? WHERE id = ?",
            (state, reason, json.dumps([*json.loads(row["trace"]), deed.step(told)]), deed.now, row["id"]),
        )
    if state == "queued":
        for lane in {row["lane_id"] for row in rows}:
            connection.execute("UPDATE lanes SET due = ? WHERE id = ? AND due IS NULL AND boot IS NULL", (deed.now, lane))
    return len(rows)


# Undoing.


def _undo(connection: sqlite3.Connection, review_id: int, by: str, now: float) -> tuple[str | None, list[str]]:
    row = connection.execute("SELECT * FROM reviews WHERE id = ?", (review_id,)).fetchone()
    if row is None:
        return f"There is no review {review_id}.", []
    if row["decision"] is None:
        return f"Review {review_id} is open: there is nothing to undo.", []
    if (refusal := _in_the_way(connection, row)) is not None:
        return refusal, []
    said = [_take_back(connection, row, client, now) for client in _clients(connection, review_id)]
    connection.execute("UPDATE review_clients SET told = NULL, replaced = NULL, standing = 1 WHERE review_id = ?", (review_id,))
    connection.execute(
        "UPDATE reviews SET decision = NULL, customer_id = NULL, decided_by = NULL, decided_at = NULL WHERE id = ?", (review_id,)
    )
    connection.execute(
        "UPDATE review_decisions SET undone_by = ?, undone_at = ? WHERE review_id = ? AND undone_at IS NULL", (by, now, review_id)
    )
    return None, said


def _in_the_way(connection: sqlite3.Connection, review: sqlite3.Row) -> str | None:
    """Why a decision cannot be taken back now."""
    for client in _clients(connection, review["id"]):
        key, who = (client["source"], client["client_id"]), f"client {client['client_id']} of {client['source']}"
        running = connection.execute(
            "SELECT 1 FROM lanes WHERE source = ? AND client_id = ? AND boot IS NOT NULL", key
        ).fetchone()
        if running is not None:
            return f"An event of {who} is being worked on. Try again in a moment."
        other = connection.execute(
            "SELECT r.id, r.decision FROM review_clients c JOIN reviews r ON r.id = c.review_id"
            " WHERE c.source = ? AND c.client_id = ? AND r.id <> ? AND coalesce(r.decided_at, ?) >= ? ORDER BY r.id LIMIT 1",
            (*key, review["id"], review["decided_at"], review["decided_at"]),
        ).fetchone()
        if other is not None:
            todo = "decide that one" if other["decision"] is None else "undo that one first"
            return f"Review {other['id']} about {who} is newer: {todo}."
    same = connection.execute(
        "SELECT id FROM reviews WHERE crm = ? AND person = ? AND decision IS NULL", (review["crm"], review["person"])
    ).fetchone()
    return f"Review {same[0]} about the same person is open: decide that one." if same else None


def _take_back(connection: sqlite3.Connection, review: sqlite3.Row, client: sqlite3.Row, now: float) -> str:
    """Withdraw the decision for one client, and say what that came to."""
    source, client_id, told = client["source"], client["client_id"], client["told"]
    who = f"Client {client_id} of {source}"
    if told == "dismiss":
        return f"{who}: coming events are held again; what was discarded stays discarded."
    link = link_of(connection, source, client_id)
    before = Link(*json.loads(client["replaced"])) if client["replaced"] else None
    if told == "wait":
        connection.execute(
            "UPDATE events SET reason = ?, updated_at = ? WHERE source = ? AND client_id = ? AND state = 'held'",
            (review["reason"], now, source, client_id),
        )
    if link is None or told == "wait":
        return f"{who}: nothing had been done yet; what is waiting is looked at again."
    if told == "create" or link.origin != "review" or _is_known_there(connection, link):
        return f"{who} stays linked to {link.customer_id} until you decide anew: the link was in use already."
    connection.execute("DELETE FROM links WHERE source = ? AND client_id = ?", (source, client_id))
    if before is not None:
        save_link(connection, before, now)
        return f"{who}: the link to {link.customer_id} is gone and the one to {before.customer_id} holds again."
    return f"{who}: the link to {link.customer_id} is gone; nothing had been written back."


def _is_known_there(connection: sqlite3.Connection, link: Link) -> bool:
    """Whether the booking system holds the link, or may hold it: a write without a clear answer counts."""
    if link.stored_id is not None or link.written_back_at is not None:
        return True
    query = "SELECT 1 FROM intents WHERE source = ? AND client_id = ? AND kind = 'write_back' AND state <> 'done'"
    return connection.execute(query, (link.source, link.client_id)).fetchone() is not None
