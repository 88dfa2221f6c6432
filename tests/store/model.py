"""What the store should do, as a dictionary: the yardstick of `test_machine`."""

from __future__ import annotations

from dataclasses import dataclass, field

from connector.model.jobs import Awaited

WAITING = ("queued", "retrying")
FINAL = ("done", "ignored", "discarded")


@dataclass
class Lane:
    """A client's lane: when its head may run, what it waits for, and the event that runs."""

    live: bool
    due: float | None = None
    waits_for: Awaited | None = None
    running: int | None = None
    claims: int = 0


@dataclass
class Entry:
    """One event."""

    client: str
    delivery: str
    state: str = "queued"
    attempts: int = 0
    snoozes: int = 0
    failed: bool = False
    pruned: bool = False


@dataclass
class Model:
    """Events by id, lanes by client, de-duplication ids, open reviews by client."""

    events: dict[int, Entry] = field(default_factory=dict)
    lanes: dict[str, Lane] = field(default_factory=dict)
    seen: set[str] = field(default_factory=set)
    reviews: dict[str, int] = field(default_factory=dict)

    def deliver(self, id_: str, clients: list[str], now: float, *, live: bool = True) -> None:
        self.seen.add(id_)
        for client in clients:
            lane = self.lanes.setdefault(client, Lane(live))
            lane.live = lane.live or live
            if lane.running is None and lane.waits_for is None and lane.due is None:
                lane.due = now
            self.events[len(self.events) + 1] = Entry(client, id_)

    def of(self, client: str, *states: str) -> list[int]:
        return [id_ for id_, event in self.events.items() if event.client == client and event.state in states]

    def head(self, client: str) -> int | None:
        return min(self.of(client, *WAITING), default=None)

    def due(self, now: float, *, live: bool) -> set[str]:
        """Clients with something to claim now."""
        return {
            client
            for client, lane in self.lanes.items()
            if lane.live == live and lane.due is not None and lane.due <= now and self.head(client) is not None
        }

    def empty(self, now: float) -> list[str]:
        """Clients whose lane is due with nothing in it: their last waiting event was discarded."""
        due = [client for client, lane in self.lanes.items() if lane.due is not None and lane.due <= now]
        return [client for client in due if self.head(client) is None]

    def close(self, clients: list[str]) -> None:
        for client in clients:
            lane = self.lanes[client]
            lane.due, lane.waits_for, lane.live, lane.claims = None, None, False, lane.claims + 1

    def claim(self, client: str) -> int:
        id_ = self.head(client)
        assert id_ is not None
        lane, event = self.lanes[client], self.events[id_]
        lane.due, lane.waits_for, lane.running, lane.claims = None, None, id_, lane.claims + 1
        event.state, event.attempts = "running", event.attempts + 1
        return id_

    def conclude(self, id_: int, state: str, now: float, *, due=None, waits_for=None, counts=True, failed=False) -> None:
        event = self.events[id_]
        event.state, event.failed = state, event.failed or failed
        event.attempts -= 0 if counts else 1
        event.snoozes = 0 if counts else event.snoozes + 1
        if state == "done":
            for held in self.of(event.client, "held"):
                if not self.events[held].failed:
                    self.events[held].state, self.events[held].attempts = "queued", 0
        lane = self.lanes[event.client]
        more = self.head(event.client) is not None
        lane.running, lane.waits_for = None, waits_for
        lane.due = (now if due is None else due) if more and waits_for is None else None
        lane.live = lane.live and more

    def crash(self, now: float) -> None:
        for client, lane in self.lanes.items():
            if lane.waits_for is not None:
                lane.due, lane.waits_for = now, None
            if lane.running is not None:
                event = self.events[lane.running]
                event.state, lane.running = "retrying", None
                most = max(self.events[id_].attempts for id_ in self.of(client, "retrying"))
                lane.due = now + (0.0 if most <= 3 else min(2.0 ** min(most, 12), 3600.0))

    def wake(self, wanted: Awaited, now: float) -> int:
        woken = [lane for lane in self.lanes.values() if lane.waits_for == wanted and lane.running is None]
        for lane in woken:
            lane.due, lane.waits_for = now - 1.0 / (1 + lane.claims), None
        return len(woken)

    def retry(self, id_: int, now: float) -> bool:
        event = self.events[id_]
        if event.state not in ("queued", "retrying", "held", "ignored") or event.pruned:
            return False
        event.state, event.attempts, event.failed = "queued", 0, False
        self._hurry(event.client, now)
        return True

    def discard(self, id_: int, now: float) -> bool:
        event = self.events[id_]
        if event.state not in ("queued", "retrying", "held"):
            return False
        event.state = "discarded"
        self._hurry(event.client, now)
        return True

    def decide(self, client: str, decision: str, now: float) -> None:
        del self.reviews[client]
        held = self.of(client, "held")
        for id_ in held:
            event = self.events[id_]
            event.state, event.attempts, event.failed = "discarded" if decision == "dismiss" else "queued", 0, False
        lane = self.lanes[client]
        if held and decision != "dismiss" and lane.running is None and lane.due is None:
            lane.due = now

    def prune(self) -> int:
        """Everything received so far whose events are all final."""
        unfinished = {event.delivery for event in self.events.values() if event.state not in FINAL}
        fresh = {e.delivery for e in self.events.values() if not e.pruned and e.delivery not in unfinished}
        for event in self.events.values():
            event.pruned = event.pruned or event.delivery in fresh
        return len(fresh)

    def _hurry(self, client: str, now: float) -> None:
        lane = self.lanes[client]
        if lane.running is None:
            lane.due, lane.waits_for = now, None
