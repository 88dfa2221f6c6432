"""One webhook request as it arrived."""

from __future__ import annotations

from dataclasses import dataclass

from connector.model.bookings import Reading


@dataclass(slots=True)
class Delivery:
    """One verified webhook request, as it arrived, with what the adapter made of it.

    `event` is the id used for de-duplication: the sender's own, or one derived from the body (`derived`).
    `received_at` is Unix time in seconds.
    """

    source: str
    event: str
    derived: bool
    headers: dict[str, str]
    body: bytes
    received_at: float
    reading: Reading
