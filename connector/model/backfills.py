"""What a backfill was asked for."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Mode(StrEnum):
    """What the walk reads."""

    #: What starts in the period.
    BOOKINGS = "bookings"
    #: What changed in the period: the repair after lost deliveries.
    CHANGES = "changes"
    #: What starts in the period, without effects; never stored.
    DRY_RUN = "dry_run"


@dataclass(frozen=True, slots=True)
class Request:
    """The period as it was written, and what is read of it. The same request goes on where it was interrupted."""

    since: str | None = None
    until: str | None = None
    mode: Mode = Mode.BOOKINGS
