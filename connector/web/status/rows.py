"""From rows of the lists to what the pages show: values ready to be shown, nothing left to compute."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from connector.model.states import DISCARDED, RETRIED
from connector.web.status.wording import NEVER, Moment, moment, sentence

_TONES = {"done": "ok", "held": "warn", "retrying": "warn"}


@dataclass(frozen=True, slots=True)
class EventRow:
    """One line of the list of events."""

    id: str
    state: str
    tone: str
    source: str
    client: str
    client_address: str
    type: str
    attempts: int
    reason: str
    at: Moment


@dataclass(frozen=True, slots=True)
class LinkRow:
    """One line of the list of links; `written` is empty where the booking system had the id before."""

    source: str
    client: str
    client_address: str
    crm: str
    customer: str
    origin: str
    at: Moment
    written: Moment


@dataclass(frozen=True, slots=True)
class EventPage:
    """Everything that is shown about one event; `steps` are (rule, result, note)."""

    row: EventRow
    #: The open reviews of its client.
    reviews_address: str
    delivery: str
    duplicates: int
    updated: Moment
    next_try: Moment
    facts: tuple[tuple[str, str], ...]
    reason: str
    hint: str
    steps: tuple[tuple[str, str, str], ...]
    customers: tuple[tuple[str, str], ...]
    commands: tuple[str, ...]
    may_retry: bool
    may_discard: bool
    body_kept: bool


def address(kind: str, **fields: object) -> str:
    """The address of a list that is narrowed to some fields."""
    return f"/status/{kind}?{urlencode(fields)}"


def tone_of(state: str) -> str:
    """How a state looks."""
    return _TONES.get(state, "quiet")


def event_row(row: Mapping[str, Any], now: float) -> EventRow:
    """One line of the list of events; `now` is Unix time."""
    client = str(row["client_id"] or "")
    return EventRow(
        id=str(row["id"]),
        state=row["state"],
        tone=tone_of(row["state"]),
        source=row["source"],
        client=client,
        client_address=address("events", source=row["source"], client=client) if client else "",
        type=row["type"] or "",
        attempts=int(row["attempts"] or 0),
        reason=row["reason"] or "",
        at=moment(row["received_at"], now),
    )


def link_row(row: Mapping[str, Any], now: float) -> LinkRow:
    """One line of the list of links."""
    return LinkRow(
        source=row["source"],
        client=row["client_id"],
        client_address=address("events", source=row["source"], client=row["client_id"]),
        crm=row["crm"],
        customer=row["customer_id"],
        origin=row["origin"].replace("_", " "),
        at=moment(row["linked_at"], now),
        written=moment(row["written_back_at"], now),
    )


def event_page(row: Mapping[str, Any], now: float, option: str) -> EventPage:
    """Everything about one event; `option` is what every command is given."""
    state, number = row["state"], shlex.quote(str(row["id"]))
    customers = dict.fromkeys(str(entry["customer_id"]) for entry in row["trace"] if entry.get("customer_id"))
    may_retry, may_discard = state in RETRIED, state in DISCARDED
    verbs = ["show", *(["retry"] if may_retry else []), *(["discard"] if may_discard else [])]
    open_ = state not in ("done", "ignored", "discarded")
    facts = [("Step", str(row["step"] or "").replace("_", " ")), ("Waits for", str(row["waits_for"] or ""))] if open_ else []
    return EventPage(
        row=event_row(row, now),
        reviews_address=address("reviews", source=row["source"], client=row["client_id"] or ""),
        delivery=str(row["event"] or ""),
        duplicates=int(row["duplicates"] or 0),
        updated=moment(row["updated_at"], now),
        next_try=moment(row["next_try"], now) if state == "retrying" else NEVER,
        facts=tuple((name, value) for name, value in facts if value),
        reason=sentence(row["reason"]) if row["reason"] else "",
        hint=row["hint"] or "",
        steps=tuple(step(entry) for entry in row["trace"]),
        customers=tuple((customer, address("links", customer=customer)) for customer in customers),
        commands=tuple(f"connector events {verb} {number} {option}" for verb in verbs),
        may_retry=may_retry,
        may_discard=may_discard,
        body_kept=bool(row["body_kept"]),
    )


def step(entry: Mapping[str, Any]) -> tuple[str, str, str]:
    """One step of a trace as (rule, result, note)."""
    more = [f"{key.replace('_', ' ')} {value}" for key, value in entry.items() if key not in {"rule", "result", "note"}]
    note = "; ".join(part for part in (str(entry.get("note") or ""), *more) if part)
    return str(entry.get("rule", "")).replace("_", " "), str(entry.get("result", "")), note
