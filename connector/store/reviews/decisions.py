"""Reviews: persons whose customer somebody must choose, the choice, that it is remembered, and how it is taken back.

One item stands for one person, however many clients of however many sources that is. `review_clients.answer` says what a
decision means for each of them: of several, one is to `create` and the others `wait` for that customer. It is null
while the item is open. A `standing` client stays in an open item although it is linked and nothing of it waits.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from connector.model.links import Link
from connector.model.reviews import Decision
from connector.store.connection import Connection, Row
from connector.store.database import Database
from connector.store.follow_ups import queue_follow_up
from connector.store.inbox import LIVE
from connector.store.intents import forget_open
from connector.store.links import link_of, retie, save_link, set_apart, unlink
from connector.store.reviews.items import alone, clients_of, open_item, withdraw
from connector.store.reviews.shared import share
from connector.store.reviews.undo import undo


@dataclass(frozen=True, slots=True)
class _Action:
    """A decision while it is carried out. `follow_ups`: queue one for whom nothing waits that would carry it out."""

    review_id: int
    crm: str
    customer_id: str | None
    by: str
    now: float
    follow_ups: bool

    def step(self, answer: str) -> dict[str, Any]:
        """The entry in the traces of the events which it lets go."""
        at = datetime.fromtimestamp(self.now, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        entry = {"rule": "review", "result": answer, "note": f"decided in review {self.review_id} by {self.by} at {at}"}
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
        key: str | None = None,
    ) -> int:
        """Raise a review item, or bring the open one up to date; returns its id.

        Clients of one CRM with the same `person` (any key that reveals nothing) share an item; without one the client
        has an item of its own. `key`: the digest of the address or number that raises the question, where that may
        belong to several people; see `share`. `standing`: only a decision ends it, not that the client's events went through.
        """
        keyed = self._database.keyed
        asked = (source, client_id, crm, None if person is None else keyed(person))
        said, about = json.dumps(list(candidates)), None if key is None else keyed(key)
        return await self._database.write(lambda connection: open_item(connection, asked, reason, said, standing, now, about))

    async def answered(
        self, source: str, client_id: str, crm: str, reason: str, candidates: Sequence[str], now: float, *, person: str
    ) -> dict[str, Any] | None:
        """Link the client as an earlier decision linked another client of the same `person`, who raised the same question.

        Returns the entry for the trace, or None where nobody decided that, the customer is no longer a candidate, or a
        client of that decision was linked to somebody else since: then somebody must be asked. A dismissal answers for
        nobody else.
        """
        asked = (source, client_id, crm, self._database.keyed(person))
        return await self._database.write(lambda connection: _answer(connection, asked, reason, candidates, now))

    async def decide(
        self, review_id: int, decision: str, customer_id: str | None, by: str, now: float, *, follow_ups: bool = False
    ) -> str | None:
        """Record a decision for all clients of an item and let the waiting events go on.

        `different` is `create`, and the person is remembered as none of the candidates, whichever client asks next.
        Returns a sentence why not, or None when done. With `follow_ups`, a client for whom nothing waits gets an event that
        carries the decision out now; otherwise its next event does.
        """
        return await self._database.write(
            lambda connection: _decide(connection, review_id, decision, customer_id, by, now, follow_ups)
        )

    async def share(self, review_id: int, by: str, now: float) -> tuple[str | None, list[int]]:
        """Treat the address or number that an item is about as shared by several people, and ask all that wait for it again.

        Returns a sentence why not (or None), and the ids of the events that go on.
        """
        return await self._database.write(lambda connection: share(connection, review_id, by, now))

    async def undo(self, review_id: int, by: str, now: float) -> tuple[str | None, list[str]]:
        """Withdraw a decision and open the item again; returns a sentence why not (or None), and one for each client.

        A link it made goes. Where the booking system or an event may have used it already, nothing is matched for the client
        until somebody decides again; what is stored in the booking system is for the caller to clear.
        """
        return await self._database.write(lambda connection: undo(connection, review_id, by, now))


def decision_of(connection: Connection, source: str, client_id: str) -> Decision | None:
    """The latest decision about a client that was not taken back; `undecided` where nothing may be matched without one."""
    row = connection.execute(
        "SELECT r.id, c.answer, coalesce(r.decided_by, ''), r.candidates, r.crm"
        " FROM review_clients c JOIN reviews r ON r.id = c.review_id"
        " WHERE c.source = ? AND c.client_id = ? AND (c.answer IS NOT NULL OR c.undecided = 1)"
        " ORDER BY c.answer IS NULL DESC, r.decided_at DESC, r.id DESC LIMIT 1",
        (source, client_id),
    ).fetchone()
    if row is None or row[1] == "wait":
        return None
    if row[1] is None:
        return Decision(row[0], "undecided", "", crm=row[4])
    return Decision(row[0], row[1], row[2], tuple(candidate["customer_id"] for candidate in json.loads(row[3])), row[4])


def follow(connection: Connection, decision: Decision | None, link: Link | None, now: float) -> None:
    """The client that was to be created is linked: whoever waits for that customer is linked to it as well."""
    if link is None or decision is None or decision.decision != "create" or decision.crm != link.crm:
        return
    rows = connection.execute(
        # Whoever was decided about again meanwhile waits no more.
        "SELECT id, source, client_id FROM review_clients AS c WHERE review_id = ? AND answer = 'wait' AND NOT EXISTS"
        " (SELECT 1 FROM review_clients n WHERE n.source = c.source AND n.client_id = c.client_id"
        " AND n.review_id > c.review_id AND n.answer IS NOT NULL)",
        (decision.review_id,),
    ).fetchall()
    action = _Action(decision.review_id, link.crm, link.customer_id, decision.by, now, follow_ups=True)
    for row in rows:
        connection.execute("UPDATE review_clients SET answer = 'link' WHERE id = ?", (row["id"],))
        withdraw(connection, row["source"], row["client_id"])
        _carry_out(connection, action, "link", row["source"], row["client_id"])


def _decide(
    connection: Connection,
    review_id: int,
    decision: str,
    customer_id: str | None,
    by: str,
    now: float,
    follow_ups: bool,
) -> str | None:
    row = connection.execute("SELECT crm, decision FROM reviews WHERE id = ?", (review_id,)).fetchone()
    if row is None:
        return f"There is no review {review_id}."
    if row["decision"] is not None:
        return f"Review {review_id} was decided before ({row['decision']})."
    different, decision = decision == "different", "create" if decision == "different" else decision
    said = (decision, customer_id, by, now)
    connection.execute(
        "UPDATE reviews SET decision = ?, customer_id = ?, decided_by = ?, decided_at = ? WHERE id = ?", (*said, review_id)
    )
    connection.execute(
        "INSERT INTO review_decisions (review_id, decision, customer_id, decided_by, decided_at) VALUES (?, ?, ?, ?, ?)",
        (review_id, "different" if different else decision, customer_id, by, now),
    )
    if different:
        _keep_apart(connection, review_id, by, now)
    action = _Action(review_id, row["crm"], customer_id, by, now, follow_ups)
    for number, client in enumerate(clients_of(connection, review_id)):
        answer = "wait" if decision == "create" and number else decision
        before = link_of(connection, client["source"], client["client_id"])
        connection.execute(
            "UPDATE review_clients SET answer = ?, replaced = ? WHERE id = ?",
            (answer, json.dumps(asdict(before)) if before else None, client["id"]),
        )
        _carry_out(connection, action, answer, client["source"], client["client_id"])
    return None


def _keep_apart(connection: Connection, review_id: int, by: str, now: float) -> None:
    """Remember for every client of the item, and for its person, that it is none of the candidates."""
    row = connection.execute(
        "SELECT source, client_id, crm, person, candidates FROM reviews WHERE id = ?", (review_id,)
    ).fetchone()
    person = None if row["person"] == alone(row["source"], row["client_id"]) else row["person"]
    for client in clients_of(connection, review_id):
        for candidate in json.loads(row["candidates"]):
            link = Link(client["source"], client["client_id"], row["crm"], candidate["customer_id"], "review")
            set_apart(connection, link, by, now, person=person, review_id=review_id)


def earlier(connection: Connection, asked: tuple[str, str, str, str], reason: str, candidates: Sequence[str]) -> Row | None:
    """The review (id, customer_id, decided_by) that says who the client is: see `Reviews.answered`."""
    source, client_id, crm, person = asked
    row = connection.execute(
        "SELECT id, customer_id, decided_by, EXISTS (SELECT 1 FROM review_clients c JOIN links l USING (source, client_id)"
        " WHERE c.review_id = r.id AND l.crm = r.crm AND l.customer_id <> r.customer_id) AS corrected"
        " FROM reviews AS r WHERE crm = ? AND person = ? AND reason = ? AND decision = 'link'"
        " AND NOT EXISTS (SELECT 1 FROM review_clients WHERE review_id = r.id AND source = ? AND client_id = ?)"
        " ORDER BY decided_at DESC, id DESC LIMIT 1",
        (crm, person, reason, source, client_id),
    ).fetchone()
    return row if row and not row["corrected"] and row["customer_id"] in candidates else None


def _answer(
    connection: Connection, asked: tuple[str, str, str, str], reason: str, candidates: Sequence[str], now: float
) -> dict[str, Any] | None:
    source, client_id, crm, _ = asked
    row = earlier(connection, asked, reason, candidates)
    if row is None:
        return None
    withdraw(connection, source, client_id)
    before = link_of(connection, source, client_id)
    connection.execute(
        "INSERT INTO review_clients (review_id, source, client_id, candidates, answer, replaced)"
        " VALUES (?, ?, ?, '[]', 'link', ?)",
        (row["id"], source, client_id, json.dumps(asdict(before)) if before else None),
    )
    action = _Action(row["id"], crm, row["customer_id"], row["decided_by"], now, follow_ups=False)
    _carry_out(connection, action, "link", source, client_id)
    note = f"{row['decided_by']} decided this for another client of this person in review {row['id']}"
    return {**action.step("link"), "note": note}


def _carry_out(connection: Connection, action: _Action, answer: str, source: str, client_id: str) -> None:
    """Do what a decision says for one client."""
    if answer != "create":
        forget_open(connection, source, client_id)
    if answer == "dismiss" and (there := link_of(connection, source, client_id)) is not None and there.crm == action.crm:
        unlink(connection, there)
    if answer == "link" and action.customer_id is not None:
        save_link(connection, Link(source, client_id, action.crm, action.customer_id, "review"), action.now)
        connection.execute(
            "DELETE FROM different WHERE crm = ? AND source = ? AND client_id = ? AND customer_id = ?",
            (action.crm, source, client_id, action.customer_id),
        )
        retie(connection, action.crm, source, client_id, action.customer_id)
    moved = _let_go(connection, action, answer, source, client_id)
    if action.follow_ups and not moved and answer in ("link", "create"):
        queue_follow_up(connection, source, client_id, "review", action.now, LIVE)


def _let_go(connection: Connection, action: _Action, answer: str, source: str, client_id: str) -> int:
    """Move what was held for a client; returns how many events that were."""
    state = {"dismiss": "discarded", "wait": "held"}.get(answer, "queued")
    reason = {
        "dismiss": f"dismissed in review {action.review_id}",
        "wait": f"waits for the customer that review {action.review_id} lets another client of this person create",
    }.get(answer, f"decided in review {action.review_id}: {answer}")
    rows = connection.execute(
        "SELECT id, lane_id, trace FROM events WHERE source = ? AND client_id = ? AND state = 'held'", (source, client_id)
    ).fetchall()
    for row in rows:
        connection.execute(
            "UPDATE events SET state = ?, step = 'resolve', reason = ?, hint = NULL, attempts = 0, trace = ?,"
            " failing_since = NULL, outcome = nullif(outcome, 'failed'), updated_at = ? WHERE id = ?",
            (state, reason, json.dumps([*json.loads(row["trace"]), action.step(answer)]), action.now, row["id"]),
        )
    if state == "queued":
        for lane in {row["lane_id"] for row in rows}:
            connection.execute("UPDATE lanes SET due = ? WHERE id = ? AND due IS NULL AND boot IS NULL", (action.now, lane))
    return len(rows)
