"""Lanes: the order per client. Claim a lane, run the event at its head, write down what became of it.

Every write of a running event is fenced: it applies only while the lane still carries the token of the claim.
"""

from __future__ import annotations

import json
from collections.abc import Collection

from connector.model.bookings import read_event
from connector.model.jobs import Awaited, StaleClaim, Verdict, Work
from connector.model.states import Step
from connector.store import tallies
from connector.store.connection import Connection, Row, marks, require
from connector.store.database import Database
from connector.store.inbox import BACKFILL, LIVE
from connector.store.intents import forget_open
from connector.store.links import link_of
from connector.store.reviews.decisions import decision_of, follow
from connector.store.tallies import hour_of

#: Trace entries kept per event; the oldest go first.
LONGEST_TRACE = 60
#: Reason and hint of an event whose stored payload is not what this version expects.
_UNREADABLE = (
    "the stored event cannot be read by this version of connector",
    "Start the newer version again and retry the event.",
)

#: After so many attempts, about ten hours, an event is held that ended the process the last two times.
ENDED_ATTEMPTS = 20
_ENDED = "the process ended while it ran"
_ENDS_IT = (
    "given up: the process ended each time it ran",
    "See the log, and the system's, for what ended it; report it, then retry or discard the event.",
)

#: Whether there is something of the event's client in a table: new clients have no link, and most have no review.
_KNOWN = "EXISTS (SELECT 1 FROM {} AS k WHERE k.source = events.source AND k.client_id = events.client_id)"
#: The event at the head of a lane.
_HEAD = (
    "SELECT id, lane_id, source, client_id, type, payload, step, attempts, snoozes, received_at, failing_since, trace,"
    " written_back, outcome, (SELECT event FROM deliveries WHERE deliveries.id = delivery_id) AS delivery,"
    f" {_KNOWN.format('links')} AS linked, {_KNOWN.format('review_clients')} AS reviewed,"
    " EXISTS (SELECT 1 FROM intents AS i WHERE i.source = events.source AND i.client_id = events.client_id"
    " AND i.state <> 'done') AS unsettled FROM events"
    " WHERE lane_id = ? AND state IN ('queued', 'retrying') ORDER BY id LIMIT 1"
)
#: The keys that a client has tied to the customer of its link.
_TIED = (
    "SELECT key FROM identities AS i JOIN links AS l ON l.source = i.source AND l.client_id = i.client_id AND l.crm = i.crm"
    " AND l.customer_id = i.customer_id WHERE i.source = ? AND i.client_id = ?"
)


class Lanes:
    """Claims and verdicts."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def recover(self, now: float) -> int:
        """Take back what earlier processes were running when they ended, and wake what waited for an account."""
        return await self._database.write(lambda connection: recover(connection, self._database.ended(connection), now))

    async def take_over(self, now: float) -> int:
        """Take back what other processes were running that have ended meanwhile."""
        if not await self._database.read(self._database.has_ended):
            return 0
        return await self._database.write(lambda connection: _take_back(connection, self._database.ended(connection), now))

    async def claim(self, limit: int, now: float, *, without: Collection[str] = ()) -> list[Work]:
        """Take up to `limit` due lanes, live ones first; each comes with the event at its head, its attempt counted.

        `without` names sources that get none now.
        """
        claimed, _ = await self.claim_or_next(limit, now, without=without)
        return claimed

    async def claim_or_next(self, limit: int, now: float, *, without: Collection[str] = ()) -> tuple[list[Work], float | None]:
        """As `claim`; and as `next_due`, where there were fewer than `limit`."""
        database = self._database
        if database.shared:
            # Every process hears of every lane that becomes due; most of them come too late, and need not wait for their turn.
            due = await self.next_due(without=without)
            if due is None or due > now:
                return [], due

        def look(connection: Connection) -> tuple[list[Work], float | None]:
            claimed = _claim(connection, database.boot, limit, now, without) if database.takes_part(connection) else []
            # Others wait for their turn to write, so that what can be read beside it is not read here.
            return claimed, _next_due(connection, without) if len(claimed) < limit and not database.shared else None

        # A power cut may forget a claim: nothing has been done yet, and every effect is preceded by a durable intent.
        claimed, due = await database.write(look, durable=False)
        return claimed, await self.next_due(without=without) if len(claimed) < limit and database.shared else due

    async def conclude(self, work: Work, verdict: Verdict, now: float) -> None:
        """Write down the verdict and free the lane. Raises StaleClaim when the lane is no longer ours."""
        await self._database.write(lambda connection: _conclude(connection, work, verdict, now))

    async def wake(self, wanted: Awaited, now: float, *, one: bool = False) -> int:
        """Make due every lane that waits for `wanted`, or only `one` of them; returns how many.

        Those that were claimed least often come first: what woke and failed goes to the end.
        """
        return await self._database.write(lambda connection: _wake(connection, wanted, now, one=one))

    async def set_back(self, seconds: float, now: float) -> None:
        """The clock was put back by so much: what is due later comes when it would have come."""
        await self._database.write(lambda connection: _set_back(connection, seconds, now))

    async def next_due(self, *, without: Collection[str] = ()) -> float | None:
        """Unix time at which the next waiting lane of any other source is due; None when nothing waits for a time."""
        return await self._database.read(lambda connection: _next_due(connection, without))


def fence(connection: Connection, work: Work) -> None:
    """Raise StaleClaim unless the claim still holds: at the latest when the operation is to be committed."""
    found = connection.execute("SELECT token FROM lanes WHERE id = ? AND boot IS NOT NULL", (work.lane_id,))

    def check() -> None:
        row = found.fetchone()
        if row is None or row[0] != work.token:
            raise StaleClaim(f"Event {work.event_id} was taken over.")

    require(connection, check)


def reach_step(connection: Connection, work: Work, step: Step, now: float) -> None:
    """Note that the event has reached `step`, with its trace; for operations that are fenced and commit more with it."""
    connection.execute(
        "UPDATE events SET step = ?, trace = ?, outcome = ?, written_back = ?, updated_at = ? WHERE id = ?",
        (step, json.dumps(work.trace[-LONGEST_TRACE:]), work.outcome, work.written_back, now, work.event_id),
    )


def recover(connection: Connection, ended: Collection[str], now: float) -> int:
    """Take back what was running under these boot ids, and wake what waits for an account; returns how many events ran."""
    newest = connection.execute("SELECT received_at FROM deliveries ORDER BY id DESC LIMIT 1").fetchone()
    if newest is not None and newest[0] > now:
        # What the clock said then was wrong, or is now; either way nothing may wait until it says so again.
        _set_back(connection, newest[0] - now, now)
    connection.execute(
        "UPDATE lanes SET due = ?, awaited_account = NULL, awaited_action = NULL"
        " WHERE awaited_account IS NOT NULL AND boot IS NULL",
        (now,),
    )
    return _take_back(connection, ended, now)


def _take_back(connection: Connection, ended: Collection[str], now: float) -> int:
    """Queue what was running under these boot ids. A lane that nobody claims fits no token; its next claim takes another."""
    query = f"SELECT id FROM lanes WHERE boot IN ({marks(ended)})"
    lanes = [row[0] for row in connection.execute(query, tuple(ended))] if ended else []
    for lane in lanes:
        held = connection.execute(
            "UPDATE events SET state = 'held', outcome = 'failed', reason = ?, hint = ?, updated_at = ?"
            " WHERE lane_id = ? AND state = 'running' AND attempts >= ? AND reason = ?",
            (*_ENDS_IT, now, lane, ENDED_ATTEMPTS, _ENDED),
        ).rowcount
        if held:
            tallies.add(connection, [("held", "", hour_of(now), held)])
        connection.execute(
            "UPDATE events SET state = 'retrying', reason = ? WHERE lane_id = ? AND state = 'running'", (_ENDED, lane)
        )
        attempts = connection.execute(
            "SELECT max(attempts) FROM events WHERE lane_id = ? AND state = 'retrying'", (lane,)
        ).fetchone()[0]
        # An event that ends the process each time it runs must not end it at once again.
        pause = 0.0 if (attempts or 0) <= 3 else min(2.0 ** min(attempts, 12), 3600.0)
        connection.execute("UPDATE lanes SET boot = NULL, due = ? WHERE id = ?", (now + pause, lane))
    return len(lanes)


def _claim(connection: Connection, boot: str, limit: int, now: float, without: Collection[str]) -> list[Work]:
    found: list[Work] = []
    for priority in (LIVE, BACKFILL):
        # A lane with nothing in it (its events were discarded) must not use up the place of one that has something.
        while len(found) < limit and (lanes := _claim_lanes(connection, boot, priority, limit - len(found), now, without)):
            for lane_id, token in lanes:
                work = _take_head(connection, lane_id, token, now)
                if work is None:
                    connection.execute("UPDATE lanes SET boot = NULL, priority = ? WHERE id = ?", (BACKFILL, lane_id))
                else:
                    found.append(work)
    return found


def _claim_lanes(
    connection: Connection, boot: str, priority: int, limit: int, now: float, without: Collection[str]
) -> list[tuple[int, int]]:
    others, aside = _others(without)
    # Here and for the head not one UPDATE … RETURNING: SQLite makes a table for its answer, which takes longer than to ask.
    due = connection.execute(
        f"SELECT id, token FROM lanes WHERE priority = ? AND due <= ? AND boot IS NULL{others} ORDER BY due LIMIT ?",
        (priority, now, *aside, limit),
    ).fetchall()
    claimed = [(lane_id, token + 1) for lane_id, token in due]
    connection.executemany(
        "UPDATE lanes SET boot = ?, token = ?, due = NULL, awaited_account = NULL, awaited_action = NULL WHERE id = ?",
        [(boot, token, lane_id) for lane_id, token in claimed],
    )
    return claimed


def _take_head(connection: Connection, lane_id: int, token: int, now: float) -> Work | None:
    while True:
        row = connection.execute(_HEAD, (lane_id,)).fetchone()
        if row is None:
            return None
        connection.execute(
            "UPDATE events SET state = 'running', attempts = attempts + 1, updated_at = ? WHERE id = ?", (now, row["id"])
        )
        try:
            return _work(connection, row, token)
        except ValueError:
            # Written by another version. One such event must not keep everybody else from being claimed.
            connection.execute("UPDATE events SET state = 'held', reason = ?, hint = ? WHERE id = ?", (*_UNREADABLE, row["id"]))


def _work(connection: Connection, row: Row, token: int) -> Work:
    """The event of a row of `_HEAD`, whose attempt has just begun."""
    # A row of sqlite3 compares the names of its columns one after the other for each value that is asked by name.
    found = dict(zip(row.keys(), row, strict=True))
    source, client_id, link, tied = found["source"], found["client_id"], None, frozenset[str]()
    if found["linked"]:
        keys = connection.execute(_TIED, (source, client_id))
        link = link_of(connection, source, client_id)
        tied = frozenset(row[0] for row in keys.fetchall())
    return Work(
        event_id=found["id"],
        lane_id=found["lane_id"],
        token=token,
        source=source,
        client_id=client_id,
        delivery=found["delivery"],
        type=found["type"],
        event=read_event(found["payload"]),
        step=found["step"],
        attempts=found["attempts"] + 1,
        snoozes=found["snoozes"],
        received_at=found["received_at"],
        failing_since=found["failing_since"],
        link=link,
        tied=tied,
        decision=decision_of(connection, source, client_id) if found["reviewed"] else None,
        unsettled=bool(found["unsettled"]),
        trace=json.loads(found["trace"]),
        written_back=bool(found["written_back"]),
        outcome=found["outcome"],
    )


def _conclude(connection: Connection, work: Work, verdict: Verdict, now: float) -> None:
    fence(connection, work)
    connection.execute(
        "UPDATE events SET state = ?, step = ?, reason = ?, hint = ?, trace = ?, outcome = ?, written_back = ?, updated_at = ?,"
        " attempts = attempts - ?, snoozes = CASE WHEN ? = 1 THEN 0 ELSE snoozes + 1 END, failing_since ="
        " CASE WHEN ? = 1 THEN coalesce(failing_since, ?) WHEN ? = 1 THEN NULL ELSE failing_since END WHERE id = ?",
        (
            verdict.state,
            work.step,
            verdict.reason,
            verdict.hint,
            json.dumps(work.trace[-LONGEST_TRACE:]),
            work.outcome,
            work.written_back,
            now,
            0 if verdict.counts else 1,
            verdict.counts,
            verdict.state == "retrying",
            now,
            # An account that could not be used says nothing of the event.
            verdict.waits_for is not None,
            work.event_id,
        ),
    )
    if verdict.state in ("done", "held", "ignored"):
        tallies.add(connection, [(verdict.state, "", hour_of(now), 1)])
    if verdict.state in ("done", "ignored"):
        forget_open(connection, work.source, work.client_id, work.event_id)
    follow(connection, work.decision, work.link, now)
    if verdict.state == "done":
        release_held(connection, work.source, work.client_id, now)
    _free(connection, work.lane_id, verdict, now)


def release_held(connection: Connection, source: str, client_id: str, now: float) -> int:
    """What was held for this client can be decided now: its link is known. Deliveries nobody could read stay held."""
    rows = connection.execute(
        "UPDATE events SET state = 'queued', step = 'resolve', attempts = 0, failing_since = NULL,"
        " reason = 'released: the client is linked now', hint = NULL"
        " WHERE source = ? AND client_id = ? AND state = 'held' AND coalesce(outcome, '') <> 'failed' RETURNING lane_id",
        (source, client_id),
    ).fetchall()
    for row in rows:
        connection.execute("UPDATE lanes SET due = ? WHERE id = ? AND due IS NULL AND boot IS NULL", (now, row[0]))
    return len(rows)


def _free(connection: Connection, lane_id: int, verdict: Verdict, now: float) -> None:
    more = connection.execute(
        "SELECT 1 FROM events WHERE lane_id = ? AND state IN ('queued', 'retrying') LIMIT 1", (lane_id,)
    ).fetchone()
    due, awaited = None, verdict.waits_for
    if more and awaited is None:
        due = verdict.due if verdict.due is not None else now
    connection.execute(
        "UPDATE lanes SET boot = NULL, due = ?, awaited_account = ?, awaited_action = ?,"
        " priority = CASE WHEN ? = 1 THEN priority ELSE ? END WHERE id = ?",
        (due, awaited and awaited.account, awaited and awaited.action, more is not None, BACKFILL, lane_id),
    )


def _wake(connection: Connection, wanted: Awaited, now: float, *, one: bool) -> int:
    waiting, names = "awaited_account = ? AND awaited_action IS NULL AND boot IS NULL", [wanted.account]
    if wanted.action is not None:
        waiting, names = "awaited_account = ? AND awaited_action = ? AND boot IS NULL", [wanted.account, wanted.action]
    chosen = f"id = (SELECT id FROM lanes WHERE {waiting} ORDER BY token, id LIMIT 1)" if one else waiting
    # Lanes are claimed in the order of `due`: the further in the past (a second at most), the less often claimed.
    query = f"UPDATE lanes SET due = ? - 1.0 / (1 + token), awaited_account = NULL, awaited_action = NULL WHERE {chosen}"
    return connection.execute(query, (now, *names)).rowcount


def _set_back(connection: Connection, seconds: float, now: float) -> None:
    connection.execute(
        "UPDATE lanes SET due = CASE WHEN due - :seconds > :now THEN due - :seconds ELSE :now END"
        " WHERE due > :now AND boot IS NULL",
        {"seconds": seconds, "now": now},
    )


def _next_due(connection: Connection, without: Collection[str]) -> float | None:
    others, aside = _others(without)
    query = f"SELECT due FROM lanes WHERE priority = ? AND due IS NOT NULL AND boot IS NULL{others} ORDER BY due LIMIT 1"
    rows = (connection.execute(query, (priority, *aside)).fetchone() for priority in (LIVE, BACKFILL))
    return min((row[0] for row in rows if row is not None), default=None)


def _others(without: Collection[str]) -> tuple[str, tuple[str, ...]]:
    """The condition that leaves sources out, and its parameters."""
    return (f" AND source NOT IN ({', '.join('?' * len(without))})", tuple(without)) if without else ("", ())
