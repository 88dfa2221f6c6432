"""What the web needs from the rest of the program, and nothing more."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from connector.model.bookings import Reading
from connector.model.deliveries import Delivery
from connector.model.problems import Check
from connector.remote.signatures import Verifier

#: Request headers that are stored with a delivery. Nothing that proves anything belongs here: no token, no signature.
KEPT_HEADERS = frozenset(
    {
        "content-type",
        "user-agent",
        "webhook-id",
        "svix-id",
        "webhook-timestamp",
        "x-request-id",
        "x-bookeo-messageid",
        "x-bookeo-timestamp",
    }
)


#: Whatever else is asked for: these prove something, by name or by what they are called.
_PROVES = re.compile(r"authorization|cookie|token|secret|signature|passw|api-?key", re.ASCII)


def kept_headers(read: Iterable[str], proof: str | None) -> frozenset[str]:
    """The headers stored with a delivery: ours and those that an adapter reads, but not `proof`, by which it is verified."""
    wanted = KEPT_HEADERS.union(name.lower() for name in read)
    return frozenset(name for name in wanted if not _PROVES.search(name) and name != (proof or "").lower())


class Intake(Protocol):
    """Where verified deliveries go."""

    async def accept(self, delivery: Delivery) -> str:
        """Store durably, then answer `queued`, `duplicate`, `ignored` or `held`.

        Raises:
            Overloaded: there is no room now; nothing was stored.
            StoreError: the database cannot do it; nothing was stored.
        """
        ...


@dataclass(frozen=True, slots=True)
class Source:
    """One configured account of a booking system, as the receiver sees it.

    `read` is the adapter's pure reading of `(headers, parsed JSON)`; `keep` names the headers stored with a delivery.
    """

    name: str
    read: Callable[[Mapping[str, str], Any], Reading]
    verifier: Verifier
    keep: frozenset[str] = KEPT_HEADERS
    #: Whether HTML forms are taken as well as JSON.
    forms: bool = False


class StatusData(Protocol):
    """The figures behind the status page. Ids only, no personal data."""

    async def status(self) -> dict[str, Any]:
        """Answer exactly what `/status.json` shows."""
        ...

    async def page(self) -> dict[str, Any]:
        """Answer `status()` and, for the page: `decisions`, `held`, `reviews`, `ignored_without_identity`, `chart`.

        Here `checks` are values of `connector.model.problems.Check`. Optional: `decided` (the last decisions about persons),
        `open_reviews` (how many there are) and, in a review, its `clients` and whether one is `linked`.
        """
        ...

    async def listing(self, kind: str, wanted: Mapping[str, Any]) -> dict[str, Any]:
        """Answer one page of `events`, `links` or `reviews`: `rows`, `cursor`, `partly`, `sources`."""
        ...

    async def event(self, event_id: int) -> dict[str, Any] | None:
        """Answer one event with its trace; None when there is none."""
        ...

    async def body(self, event_id: int) -> str | None:
        """Answer what the sender sent, which is personal data; None when it is not kept."""
        ...


class Actions(Protocol):
    """What the buttons of the status page do; `connector.operations.operations.Operations`.

    `by` says who wants it. Whatever is refused raises ConnectorError, with a hint.
    """

    async def compare(self, review: int, by: str) -> dict[str, Any]:
        """Read the clients and candidates of a review side by side; personal data."""
        ...

    async def decide(self, review: int, decision: str, customer_id: str | None, by: str) -> None:
        """Decide a review: `link` (to the customer), `create`, `different` or `dismiss`."""
        ...

    async def share(self, review: int, by: str) -> list[int]:
        """Treat the address or number of a review as shared by several people; answers the events that go on."""
        ...

    async def undo(self, review: int, by: str) -> list[str]:
        """Take a decision back; answers a sentence for each client."""
        ...

    async def retry(self, ids: list[int]) -> list[int]:
        """Queue events again; answers the ids that could be."""
        ...

    async def discard(self, ids: list[int], by: str) -> list[int]:
        """Give events up for good; answers the ids that could be."""
        ...


#: Whether this process can take deliveries now. Remote systems do not count: their problem must not take the receiver away.
Ready = Callable[[], Awaitable[Sequence[Check]]]
