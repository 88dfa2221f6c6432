"""What a person decided about a client."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

#: What a person can decide about a client, what another client of the same person does meanwhile, and a decision taken back.
Answer = Literal["link", "create", "dismiss", "wait", "undecided"]


@dataclass(frozen=True, slots=True)
class Decision:
    """What a person decided about a client; `undecided` where the decision was taken back."""

    review_id: int
    decision: Answer
    by: str
    #: The customers among whom the person chose.
    shown: tuple[str, ...] = ()
    #: The CRM that was spoken of; of another one the decision says nothing.
    crm: str = ""
