"""The crosswalk between clients and customers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Link:
    """One client and its customer. `stored_id` is what we know the booking system to hold (None: not known)."""

    source: str
    client_id: str
    crm: str
    customer_id: str
    origin: str
    stored_id: str | None = None
    written_back_at: float | None = None


@dataclass(frozen=True, slots=True)
class KnownOfClient:
    """What our records say of a client, besides its own link."""

    #: Those of the client's identity keys that belong to several people.
    shared: frozenset[str]
    #: Those of them that are tied to a customer.
    tied: frozenset[str]
    #: The customers that the client, or another client of the same person, is not.
    different: tuple[str, ...]
    #: The customers of the other clients of the booking that the event speaks of.
    beside: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Records:
    """What is known of the CRM's records of one appointment, each by its id and its version."""

    own: tuple[str, float] | None
    #: Whether the client's own was begun and never settled: it may exist.
    begun: bool
    #: Those of other clients of the same source and customer; None for one that was begun by an event which still goes on.
    beside: Mapping[str, tuple[str, float] | None]
