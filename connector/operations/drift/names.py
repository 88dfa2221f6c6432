"""Customers who have several clients with names that speak against one person: links of earlier rules, or of a mistake.

Names are read fresh from both sides and not kept. Nothing is changed: what is found becomes review items, so that a person
links the client to another customer, or to the present one for good; both can be undone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from itertools import combinations
from typing import Any, ClassVar

from connector.model.errors import Rejected
from connector.model.persons import Customer
from connector.operations.engine import Engine
from connector.operations.running import Kind, LongOperation, Progress
from connector.operations.waiting import patiently, probed
from connector.store import linked, views
from connector.store.reviews import views as review_views
from connector.sync.matching.evidence import agrees
from connector.sync.person.agreement import Agreement, names_agree
from connector.sync.person.names import PersonName

#: What a review says; it names nobody.
REASON = "clients of one customer have names that speak against one person"


@dataclass(frozen=True, slots=True)
class Pair:
    """Two clients of one customer whose names speak against one person; the first one is in the review item."""

    source: str
    client_id: str
    other_source: str
    other_client_id: str
    customer_id: str
    review: int


@dataclass(frozen=True, slots=True)
class _Named:
    """A linked client with its name, as it is now."""

    source: str
    client_id: str
    #: The id under which the booking system has it now: merged clients are one person.
    current_id: str
    name: PersonName
    #: What a person has said of the client: whose it is, for whatever reason (`linked`), or that this question is settled.
    linked: bool
    settled: bool


class NamesCheck(LongOperation):
    """One look through the customers of a source's CRM who have several clients, at least one of them of this source."""

    kind: ClassVar[Kind] = "names"

    def __init__(self, engine: Engine, source: str) -> None:
        super().__init__(Progress(source, "comparing", {"seen": 0}, fraction=1.0))
        self._engine = engine
        self._source = source
        self._store = engine.store
        self._crm = engine.syncs[source].crm
        self._unread = 0
        self._pairs: list[Pair] = []

    @property
    def asked(self) -> None:
        """Every request of a source is the same."""

    def as_dict(self) -> dict[str, Any]:
        """The figures as JSON-able data; the pairs once it has ended. `unread`: clients without a name that could be read."""
        pairs = [asdict(pair) for pair in self._pairs] if self.progress.ended else []
        return {**super().as_dict(), "unread": self._unread, "pairs": pairs}

    async def _work(self) -> None:
        """Look at every customer."""
        await probed(self._engine.syncs[self._source].booking, self._crm)
        shared = await self._store.read(linked.shared_customers, self._source, self._crm.name)
        self.progress.counts["seen"] = self.progress.open = len(shared)
        for customer_id, clients in shared.items():
            await self._look_at(customer_id, clients)
            self.progress.open -= 1

    async def _look_at(self, customer_id: str, clients: Sequence[tuple[str, str]]) -> None:
        read = [await patiently(partial(self._named, *one)) for one in clients]
        named = [one for one in read if one is not None]
        self._unread += len(clients) - len(named)
        against = [(one, two) for one, two in combinations(named, 2) if _are_against(one, two)]
        if not against:
            return
        customer = await patiently(lambda: self._crm.get(customer_id))
        asked: dict[_Named, list[_Named]] = {}
        for pair in against:
            client, other = _whom_to_ask_about(*pair, customer)
            if not (client.linked or client.settled or other.settled):
                asked.setdefault(client, []).append(other)
        for client, others in asked.items():
            review = await self._ask(client, others, customer_id)
            self._pairs += [
                Pair(client.source, client.client_id, other.source, other.client_id, customer_id, review) for other in others
            ]

    async def _named(self, source: str, client_id: str) -> _Named | None:
        """Read a client's name; None when there is none, or nobody who could be asked."""
        sync = self._engine.syncs.get(source)
        if sync is None:
            return None
        try:
            client = await sync.booking.client(client_id)
        except Rejected:
            return None
        name = PersonName() if client is None else sync.parts.identity(client).name
        if client is None or name.blank:
            return None
        decision = await self._store.read(views.decision, source, client_id)
        if decision is None or decision.crm != self._crm.name:
            return _Named(source, client_id, client.id, name, linked=False, settled=False)
        review = await self._store.read(review_views.review, decision.review_id)
        settled = decision.decision == "dismiss" or (review is not None and review["reason"] == REASON)
        return _Named(source, client_id, client.id, name, linked=decision.decision == "link", settled=settled)

    async def _ask(self, client: _Named, others: Sequence[_Named], customer_id: str) -> int:
        """Raise the review item that lets a person decide; the same one as long as it is open."""
        evidence = ["our link", *(f"also the customer of client {other.client_id} of {other.source}" for other in others)]
        return await self._store.reviews.open(
            client.source,
            client.client_id,
            self._crm.name,
            REASON,
            [{"customer_id": customer_id, "evidence": evidence}],
            self._engine.clock(),
            standing=True,
        )


def _are_against(one: _Named, two: _Named) -> bool:
    merged = one.source == two.source and one.current_id == two.current_id
    return not merged and names_agree(one.name, two.name) is Agreement.AGAINST


def _whom_to_ask_about(one: _Named, two: _Named, customer: Customer | None) -> tuple[_Named, _Named]:
    """The client who is probably wrong, first: not decided, then against the customer's name, then the later one."""
    marks = [(client.linked, not customer or agrees(client.name, customer) is not Agreement.AGAINST) for client in (one, two)]
    return (one, two) if marks[0] < marks[1] else (two, one)
