"""What the receiver counts; the status page and the metrics read it."""

from __future__ import annotations

from collections import Counter

from connector.web.unmatched import Unmatched

#: Stands for requests to sources that are not configured; no source can have this name.
NO_SOURCE = "-"


class ReceiverStats:
    """Counters of this process, since it started. Keys are configured names only, so that they stay few."""

    def __init__(self) -> None:
        #: (source, status) → deliveries answered 202.
        self.accepted: Counter[tuple[str, str]] = Counter()
        #: (source, reason) → requests refused.
        self.refusals: Counter[tuple[str, str]] = Counter()
        #: Source → what was refused since its last delivery answered 202, by reason.
        self.refused_since: dict[str, Counter[str]] = {}
        #: Source → Unix time of its last delivery answered 202.
        self.last_delivery_at: dict[str, float] = {}
        #: Requests that match no address.
        self.unmatched = Unmatched()

    def accept(self, source: str, status: str, now: float) -> None:
        """Count a delivery answered 202."""
        self.accepted[source, status] += 1
        self.last_delivery_at[source] = now
        self.refused_since.pop(source, None)

    def refuse(self, source: str, reason: str) -> None:
        """Count a request answered with anything else."""
        self.refusals[source, reason] += 1
        self.refused_since.setdefault(source, Counter())[reason] += 1

    def received(self, source: str) -> int:
        """How many deliveries of `source` were answered 202."""
        return sum(n for (name, _), n in self.accepted.items() if name == source)

    def refused(self, source: str) -> dict[str, int]:
        """How many requests to `source` were refused, by reason."""
        return {reason: n for (name, reason), n in self.refusals.items() if name == source}
