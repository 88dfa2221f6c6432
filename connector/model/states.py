"""The states of an event and the moves between them; drawn in docs/events.md, enforced by triggers in every database."""

MOVES = {
    "queued": ("running", "discarded"),
    "running": ("queued", "retrying", "held", "done", "ignored"),
    "retrying": ("running", "queued", "discarded"),
    "held": ("queued", "ignored", "discarded"),
    "done": (),
    "ignored": ("queued",),
    "discarded": (),
}
STATES = tuple(MOVES)
