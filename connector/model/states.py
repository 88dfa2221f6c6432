"""The states of an event and the moves between them; drawn in docs/events.md, enforced by triggers in every database.

Their steps are in here too: what the sync does for an event, in this order; a retry goes on at the one that failed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

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

#: States from which a person may queue an event again, and discard it.
RETRIED = tuple(state for state, moves in MOVES.items() if "queued" in moves and state != "running")
DISCARDED = tuple(state for state, moves in MOVES.items() if "discarded" in moves)


def why_not(choice: str, event: Mapping[str, Any] | None) -> str:
    """Why an event could not be queued again or discarded, as a sentence about how it is now."""
    if event is None:
        return "there is no such event."
    state = event["state"]
    if state == "running":
        return "it is being processed now; try again in a moment."
    if choice == "retry" and state in RETRIED:
        return "its delivery still cannot be read." if state == "held" else "its content is no longer stored."
    if choice == "discard" and state in DISCARDED:
        return "it has just changed; look at it again."
    return f"it is {state}, which is final."
