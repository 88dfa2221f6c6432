"""What the process measures about itself while it works; `/metrics` shows it beside the figures of the database.

Labels are configured names, states and statuses only, so that the series stay few.
"""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector

REGISTRY = CollectorRegistry()
ProcessCollector(registry=REGISTRY)

#: Seconds; from a commit on a fast disk to the longest patience with a remote system.
_SHORT = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
#: Seconds; events may wait for a week.
_LONG = (0.1, 0.5, 1, 5, 15, 60, 300, 900, 3_600, 21_600, 86_400, 604_800)

STORING = Histogram(
    "connector_store_seconds", "Time until a delivery was stored durably.", ["source"], buckets=_SHORT, registry=REGISTRY
)
OUTCOMES = Histogram(
    "connector_event_seconds",
    "Age of events when they were concluded, by what became of them.",
    ["source", "state"],
    buckets=_LONG,
    registry=REGISTRY,
)
CALLS = Counter(
    "connector_calls",
    "Calls to remote systems; the status is the answer's, or why there was none.",
    ["account", "status"],
    registry=REGISTRY,
)
CALL_SECONDS = Histogram(
    "connector_call_seconds", "Time until a remote system had answered.", ["account"], buckets=_SHORT, registry=REGISTRY
)
