"""What a rule answers: one typed value for each thing that it found, with what the trace says of it. Pure.

A rule may answer several in a row ("merged", then "match"); the last one decides.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from connector.model.errors import ConnectorError
from connector.model.persons import Customer
from connector.sync.person.identity import Identity


@dataclass(frozen=True, slots=True)
class Found:
    """The customer, and how we know. `stored_id` is what the booking system is known to hold for the client."""

    customer: Customer
    origin: str
    outcome: str
    keys: Sequence[str] = ()
    stored_id: str | None = None
    merged_from: str | None = None
    intent: str | None = None
    written_back_at: float | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """One line of the trace. `rule` is the rule whose line it is, where that is another one than the rule that was asked."""

    result: ClassVar[str]
    text: str
    customer_id: str | None = None
    rule: str = ""


@dataclass(frozen=True, slots=True)
class Nothing(Answer):
    """Asked, answered, and empty: the next rule speaks."""

    result: ClassVar[str] = "none"


@dataclass(frozen=True, slots=True)
class Later(Answer):
    """Not asked: the create, which comes for certain, asks the same question."""

    result: ClassVar[str] = "later"


@dataclass(frozen=True, slots=True)
class Merged(Answer):
    """The booking system has merged the client into another one: see what that one is linked to."""

    result: ClassVar[str] = "merged"


@dataclass(frozen=True, slots=True)
class Gone(Answer):
    """The CRM no longer has the customer whose id is stored."""

    result: ClassVar[str] = "gone"
    text: str = "this customer no longer exists in the CRM"


@dataclass(frozen=True, slots=True, kw_only=True)
class Match(Answer):
    """This customer."""

    result: ClassVar[str] = "match"
    found: Found


@dataclass(frozen=True, slots=True)
class Created(Match):
    """Nobody was there: a customer was made."""

    result: ClassVar[str] = "created"


@dataclass(frozen=True, slots=True)
class AlreadyThere(Match):
    """The CRM refused a second record of this person: the one that it has is the customer."""

    result: ClassVar[str] = "conflict"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ambiguous(Answer):
    """A person must choose among these; `shared` is what they have in common with the client.

    `key` is the digest of the address or number that raises the question, where it may belong to several people.
    `person` is the client as far as it was read for this question.
    """

    result: ClassVar[str] = "ambiguous"
    among: Sequence[Customer]
    shared: str
    key: str | None = None
    person: Identity | None = None


@dataclass(frozen=True, slots=True)
class Stop:
    """No rule is asked any more: the event ends with this error. It writes no line; the event's reason says it."""

    error: ConnectorError


def match(text: str, found: Found, rule: str = "") -> Match:
    """A match, whose line names the customer."""
    return Match(text, found.customer.id, rule, found=found)
