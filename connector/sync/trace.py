"""The trace of an event: what each rule and step found out, so that one can see why."""

from __future__ import annotations

from typing import Any

from connector.model.jobs import Work


def note(work: Work, rule: str, result: str, text: str, customer_id: str | None = None) -> None:
    """Add to the trace of an event; what a retry finds again moves to the end, so that many retries push nothing out."""
    entry: dict[str, Any] = {"rule": rule, "result": result, "note": text}
    if customer_id is not None:
        entry["customer_id"] = customer_id
    if entry in work.trace:
        work.trace.remove(entry)
    work.trace.append(entry)
