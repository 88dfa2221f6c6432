"""A claimed event on its way through the sync, and what became of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from connector.model.bookings import Event
from connector.model.errors import StoreError
from connector.model.links import Link
from connector.model.reviews import Decision
from connector.model.states import State, Step


class StaleClaim(StoreError):
    """Somebody else runs this lane by now; whatever this claim found out is void."""


@dataclass(slots=True)
class Work:
    """A claimed event: everything the sync needs to know from our side."""

    event_id: int
    lane_id: int
    token: int
    source: str
    client_id: str
    #: The de-duplication id of the delivery: the one id that follows it through the logs.
    delivery: str
    type: str
    event: Event
    step: Step
    attempts: int
    snoozes: int
    received_at: float
    #: Unix time of the first failure since it was queued, or since the account it waited for came back.
    failing_since: float | None = None
    link: Link | None = None
    #: The client's identity keys that are tied to the link's customer, as they are stored.
    tied: frozenset[str] = frozenset()
    decision: Decision | None = None
    #: False where no effect of the client's was begun before that was not settled.
    unsettled: bool = True
    trace: list[dict[str, Any]] = field(default_factory=list)
    #: True once this event itself stored an id in the booking system.
    written_back: bool = False
    outcome: str | None = None


@dataclass(frozen=True, slots=True)
class Awaited:
    """What an event waits for that cannot go on: an account, or one kind of its actions (None: the whole account)."""

    account: str
    action: str | None = None

    def __str__(self) -> str:
        """As `connector events show` and the status page name it."""
        return self.account if self.action is None else f"{self.account}: {self.action}"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of a claimed event."""

    state: State
    reason: str | None = None
    hint: str | None = None
    #: Unix time of the next try, for `queued` and `retrying`.
    due: float | None = None
    #: What wakes the lane once it works again; then `due` does not count.
    waits_for: Awaited | None = None
    #: False for a snooze: this try does not count as an attempt.
    counts: bool = True
