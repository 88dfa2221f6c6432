"""Taking a decision back: the link that it made is removed, the one before holds again, and the item is open again."""

from __future__ import annotations

import json
from dataclasses import replace

from connector.model.links import Link
from connector.store.connection import Connection, Row
from connector.store.follow_ups import queue_follow_up
from connector.store.inbox import LIVE
from connector.store.links import is_running, link_of, save_link, unlink
from connector.store.reviews.items import clients_of
from connector.store.reviews.shared import unshare


def undo(connection: Connection, review_id: int, by: str, now: float) -> tuple[str | None, list[str]]:
    """The statement behind `Reviews.undo`."""
    row = connection.execute("SELECT * FROM reviews WHERE id = ?", (review_id,)).fetchone()
    if row is None:
        return f"There is no review {review_id}.", []
    if row["decision"] is None and unshare(connection, review_id, by, now):
        return None, ["The address or number counts as one person's again; what has been linked or created since stays."]
    if row["decision"] is None:
        return f"Review {review_id} is open: there is nothing to undo.", []
    if (refusal := _in_the_way(connection, row)) is not None:
        return refusal, []
    said = []
    for client in clients_of(connection, review_id):
        undecided, sentence = _take_back(connection, row, client, now)
        said.append(sentence)
        connection.execute(
            "UPDATE review_clients SET answer = NULL, replaced = NULL,"
            " standing = CASE WHEN :undecided = 1 THEN 1 ELSE standing END,"
            " undecided = :undecided WHERE id = :id",
            {"undecided": undecided, "id": client["id"]},
        )
    connection.execute("DELETE FROM different WHERE review_id = ?", (review_id,))
    connection.execute(
        "UPDATE reviews SET decision = NULL, customer_id = NULL, decided_by = NULL, decided_at = NULL WHERE id = ?",
        (review_id,),
    )
    connection.execute(
        "UPDATE review_decisions SET undone_by = ?, undone_at = ? WHERE review_id = ? AND undone_at IS NULL",
        (by, now, review_id),
    )
    return None, said


def _in_the_way(connection: Connection, review: Row) -> str | None:
    """Why a decision cannot be taken back now."""
    for client in clients_of(connection, review["id"]):
        key, who = (client["source"], client["client_id"]), f"client {client['client_id']} of {client['source']}"
        if is_running(connection, *key):
            return f"An event of {who} is being processed. Try again in a moment."
        other = connection.execute(
            "SELECT r.id, r.decision FROM review_clients c JOIN reviews r ON r.id = c.review_id"
            " WHERE c.source = ? AND c.client_id = ? AND r.id <> ? AND (r.decided_at IS NULL OR (r.decided_at, r.id) > (?, ?))"
            " ORDER BY r.id LIMIT 1",
            (*key, review["id"], review["decided_at"], review["id"]),
        ).fetchone()
        if other is not None:
            todo = "decide that one" if other["decision"] is None else "undo that one first"
            return f"Review {other['id']} about {who} is newer: {todo}."
    same = connection.execute(
        "SELECT id FROM reviews WHERE crm = ? AND person = ? AND decision IS NULL", (review["crm"], review["person"])
    ).fetchone()
    return f"Review {same[0]} about the same person is open: decide that one." if same else None


def _take_back(connection: Connection, review: Row, client: Row, now: float) -> tuple[bool, str]:
    """Withdraw the decision for one client; answers whether it must be decided again, and a sentence for people."""
    source, client_id, answer = client["source"], client["client_id"], client["answer"]
    who = f"Client {client_id} of {source}"
    link = link_of(connection, source, client_id)
    before = Link(**json.loads(client["replaced"])) if client["replaced"] else None
    if answer == "dismiss":
        return _welcome_back(connection, link or before, restored=link is None, who=who, now=now)
    if answer == "wait":
        connection.execute(
            "UPDATE events SET reason = ?, updated_at = ? WHERE source = ? AND client_id = ? AND state = 'held'",
            (review["reason"], now, source, client_id),
        )
    if link is None or answer == "wait":
        return False, f"{who}: nothing had been done yet; waiting events are processed again."
    if review["decision"] == "link" and link.customer_id != review["customer_id"]:
        return False, f"{who}: it was linked to {link.customer_id} since, and that link stays."
    used = answer == "create" or link.origin != "review" or _is_in_use(connection, link, review["decided_at"])
    unlink(connection, link)
    if before is not None and before != link:
        _restore(connection, before, link.stored_id or link.customer_id if used else before.stored_id, now)
        return False, f"{who}: the link to {link.customer_id} is gone and the one to {before.customer_id} holds again."
    stays = f"; the customer {link.customer_id} stays in the CRM" if link.origin == "created" else ""
    after = (
        f"was in use and is gone{stays}. Its events wait until you decide again."
        if used
        else "is gone; nothing had been written back."
    )
    return used, f"{who}: the link to {link.customer_id} {after}"


def _welcome_back(connection: Connection, link: Link | None, *, restored: bool, who: str, now: float) -> tuple[bool, str]:
    """A client that was dismissed counts again, with the link that it had."""
    if link is None or not restored:
        return False, f"{who}: future events are held again; what was discarded stays discarded."
    _restore(connection, link, None, now)
    return False, f"{who}: the link to {link.customer_id} holds again; what was discarded stays discarded."


def _restore(connection: Connection, link: Link, stored_id: str | None, now: float) -> None:
    """Let an earlier link hold again, and have it written back where the booking system holds something else."""
    save_link(connection, replace(link, stored_id=stored_id), now)
    if stored_id != link.stored_id:
        queue_follow_up(connection, link.source, link.client_id, "review", now, LIVE)


def _is_in_use(connection: Connection, link: Link, since: float) -> bool:
    """Whether the booking system may hold the link, or an event has used it: the customer may carry the client's e-mail now.

    Without a new decision the next event would find the same customer by that, and nobody would have decided so.
    """
    if link.stored_id is not None or link.written_back_at is not None:
        return True
    query = (
        "SELECT 1 FROM intents WHERE source = :source AND client_id = :client AND kind = 'write_back' AND state <> 'done'"
        " UNION ALL SELECT 1 FROM intents WHERE source = :source AND client_id = :client AND updated_at >= :since"
        " UNION ALL SELECT 1 FROM events WHERE source = :source AND client_id = :client AND state = 'done'"
        " AND updated_at >= :since"
    )
    values = {"source": link.source, "client": link.client_id, "since": since}
    return connection.execute(query, values).fetchone() is not None
