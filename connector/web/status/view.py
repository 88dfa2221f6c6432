"""What the status template is given: values ready to be shown, nothing left to compute."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from connector.web.status.wording import NEVER, Moment

Tone = Literal["ok", "warn", "bad", "quiet"]


@dataclass(frozen=True, slots=True)
class Tile:
    """One number at the top of the page."""

    label: str
    value: str
    meaning: str
    tone: str = ""
    #: Of the list that the number counts.
    address: str = "/status/events"


@dataclass(frozen=True, slots=True)
class Account:
    """One source or CRM; `ok` only where it has answered. `quota` is (text, used, limit) or None."""

    name: str
    kind: str
    system: str
    state: str
    tone: Tone
    reason: str
    last: Moment | None
    received: int
    refused: int
    quota: tuple[str, int, int] | None

    @property
    def account(self) -> str:
        """As settings, checks and messages name it: `crm.main`."""
        return f"{self.kind}.{self.name}"


@dataclass(frozen=True, slots=True)
class Waiting:
    """Something that a person must decide, and the commands that do it."""

    title: str
    source: str
    who: str
    reason: str
    hint: str
    since: Moment
    commands: tuple[str, ...]
    candidates: tuple[tuple[str, str], ...] = ()
    others: str = ""
    #: Where more about it stands.
    address: str = ""
    #: Of a review: its number, and whether a customer may still be created for it.
    review: str = ""
    may_create: bool = True
    #: Whether the review is about one address or number, which may belong to several people.
    about_key: bool = False


@dataclass(frozen=True, slots=True)
class FirstSteps:
    """What a source that has never received anything needs; `command` sends a sample to it."""

    source: str
    address: str
    proof: str
    command: str


@dataclass(frozen=True, slots=True)
class Decided:
    """A decision about a person that holds, and can be undone."""

    review: str
    source: str
    who: str
    what: str
    by: str
    at: Moment


@dataclass(frozen=True, slots=True)
class Decision:
    """One event and the recorded reasons for what became of it."""

    id: str
    source: str
    client_id: str
    type: str
    customer_id: str
    state: str
    tone: str
    reason: str
    at: Moment
    trace: tuple[tuple[str, str, str], ...]


@dataclass(frozen=True, slots=True)
class Bar:
    """One hour of the chart; heights are percent of the tallest."""

    label: str
    iso: str
    received: int
    linked: int
    held: int
    heights: tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class View:
    """Everything that the template shows."""

    version: str
    now: Moment
    tone: Tone
    headline: str
    remarks: tuple[str, ...]
    tiles: tuple[Tile, ...]
    oldest: str
    accounts: tuple[Account, ...]
    held: tuple[Waiting, ...]
    more_held: str
    #: How many of the held events were looked at, as "500 of 5,025"; empty: all.
    held_of: str
    reviews: tuple[Waiting, ...]
    more_reviews: str
    decisions: tuple[Decision, ...]
    checks: tuple[tuple[Tone, str, str, str], ...]
    well: tuple[tuple[Tone, str, str, str], ...]
    bars: tuple[Bar, ...]
    chart_summary: str
    ignored_without_identity: str = ""
    open_reviews: int = 0
    first_steps: tuple[FirstSteps, ...] = ()
    #: How many requests matched no webhook address, the path of the last one, and when.
    unmatched: str = ""
    unmatched_path: str = ""
    unmatched_at: Moment = NEVER
    decided: tuple[Decided, ...] = ()
