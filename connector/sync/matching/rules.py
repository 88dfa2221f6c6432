"""The rules of docs/matching.md, in their order: the first that decides, decides. `matcher` asks them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from connector.sync.matching import create, keys, stored
from connector.sync.matching.answers import Answer, Stop
from connector.sync.matching.case import Case


@dataclass(frozen=True, slots=True)
class Rule:
    """One question. `name` is how the trace names it; `ask` answers with what it found, the last of which decides."""

    name: str
    ask: Callable[[Case], Awaitable[Sequence[Answer | Stop]]]


#: Asked first: it answers for almost every event, with one question to the CRM.
LINKED = (Rule("our_link", stored.our_link),)
#: Ids that the booking system holds; its two questions need one read.
STORED = (
    Rule("delivery", stored.delivery),
    Rule("booking_system", stored.merged_client),
    Rule("booking_system", stored.booking_system),
)
#: Asked while the person's keys are locked.
LOOKED_UP = (
    Rule("booking_system", stored.survivor),
    Rule("crm_key", keys.crm_key),
    Rule("email", keys.email),
    Rule("phone", keys.phone),
    Rule("create", create.create),
)
