"""What a person decided about a client."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Decision:
    """What a person decided about a client: `link`, `create` or `dismiss`; `undecided` where a decision was taken back."""

    review_id: int
    decision: str
    by: str
    #: The customers among whom the person chose.
    shown: tuple[str, ...] = ()
    #: The CRM that was spoken of; of another one the decision says nothing.
    crm: str = ""
