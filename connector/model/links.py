"""The crosswalk between clients and customers."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Link:
    """One client and its customer. `stored_id` is what we know the booking system to hold (None: not known)."""

    source: str
    client_id: str
    crm: str
    customer_id: str
    origin: str
    stored_id: str | None = None
    written_back_at: float | None = None
