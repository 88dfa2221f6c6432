"""The states of an event and the moves between them; drawn in docs/events.md, enforced by triggers in every database.

Their steps are in here too: what the sync does for an event, in this order; a retry goes on at the one that failed.
"""

from __future__ import annotations

from typing import Literal

State = Literal["queued", "running", "retrying", "held", "done", "ignored", "discarded"]
Step = Literal["resolve", "write_back", "fill", "record"]

MOVES: dict[State, tuple[State, ...]] = {
    "queued": ("running", "discarded"),
    "running": ("queued", "retrying", "held", "done", "ignored"),
    "retrying": ("running", "queued", "discarded"),
    "held": ("queued", "ignored", "discarded"),
    "done": (),
    "ignored": ("queued",),
    "discarded": (),
}
STATES: tuple[State, ...] = tuple(MOVES)
