"""What our links say, beside what both sides say: reads only. `connector.operations.drift.run` walks the links and repairs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from connector.booking_systems.base import ClientLink
from connector.model.capabilities import BookingCapability
from connector.model.errors import Rejected
from connector.model.links import Link
from connector.sync.pipeline import Sync
from connector.sync.repositories import LinksMemory

Result = Literal["reported", "repairing", "fixed", "held", "left", "pending"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One disagreement. `remedy` is how `--fix` treats it: `sync` repairs it, `ask` raises a review, `none` leaves it."""

    source: str
    client_id: str
    customer_id: str
    problem: str
    message: str
    fix: str
    remedy: Literal["sync", "ask", "none"]
    result: Result = "reported"
    #: The id of the other side's record which the disagreement is about.
    other: str | None = None
    #: The client into which this one was merged.
    survivor: str | None = None
    event: int | None = None
    review: int | None = None


class Comparison:
    """Compares links of one sync with its booking system and its CRM."""

    def __init__(self, sync: Sync, links: LinksMemory) -> None:
        self._booking, self._crm = sync.booking, sync.crm
        self._links = links

    async def compare(self, link: Link) -> list[Finding]:
        """Everything that disagrees with one link. Raises what the reads raise, but for a refusal, which is a finding."""
        try:
            customer = await self._crm.get(link.customer_id)
            current = customer.id if customer else link.customer_id
            found = []
            if customer is None:
                found.append(self._gone(link))
            elif current != link.customer_id:
                found.append(self._merged(link, current))
            if (
                self._booking.can(BookingCapability.WRITES_LINKS)
                and self._booking.can(BookingCapability.READS_LINKS)
                and not self._booking.can(BookingCapability.LINKS_APPOINTMENTS)
            ):
                stored = await self._booking.read_link(link.client_id)
                if stored.client_id != link.client_id:
                    found += await self._client_merged(link, current, stored)
                else:
                    found += await self._stored(link, current, stored)
        except Rejected as error:
            return [_finding(link, "unreadable", str(error), "nothing is changed; a person must look at it", "none")]
        return found

    def _gone(self, link: Link) -> Finding:
        message = f"{self._crm.title} no longer has customer {link.customer_id}"
        return _finding(link, "customer_gone", message, "a review is opened, to link the client to another customer", "ask")

    def _merged(self, link: Link, current: str) -> Finding:
        message = f"{self._crm.title} has merged customer {link.customer_id} into {current}"
        return _finding(link, "customer_merged", message, f"{current} is linked and written back", "sync", other=current)

    async def _stored(self, link: Link, current: str, stored: ClientLink) -> list[Finding]:
        there, title = stored.customer_id, self._booking.title
        if there in (link.customer_id, current):
            return []
        if there is None:
            if await self._booking.client(link.client_id) is None:
                return [_finding(link, "client_gone", f"{title} no longer has this client", "it is left as it is", "none")]
            message = f"{title} holds no customer id for this client"
            return [_finding(link, "id_missing", message, f"{current} is written again", "sync")]
        holder = await self._crm.get(there)
        if holder is not None and holder.id == current:
            message = f"{title} holds {there}, which {self._crm.title} has merged into {current}"
            return [_finding(link, "id_outdated", message, f"{current} is written again", "sync", other=there)]
        message = f"{title} holds another customer's id for this client: {there}"
        return [_finding(link, "id_foreign", message, "a review is opened for it", "ask", other=there)]

    async def _client_merged(self, link: Link, current: str, stored: ClientLink) -> list[Finding]:
        """The client lives on as another one: that one must have the same customer, linked and stored."""
        survivor = stored.client_id
        own = await self._links.find(self._booking.name, survivor)
        theirs = None if own is None else await self._crm.get(own.customer_id)
        message = f"{self._booking.title} has merged this client into client {survivor}"
        if own is not None and (theirs.id if theirs else own.customer_id) in (link.customer_id, current):
            return []  # what is stored for the survivor is looked at with its own link
        if own is None and stored.customer_id in (None, link.customer_id, current):
            fix = f"client {survivor} is linked to {current} too"
            return [_finding(link, "client_merged", message, fix, "sync", survivor=survivor)]
        other = own.customer_id if own else stored.customer_id
        return [
            _finding(
                link,
                "clients_apart",
                f"{message}, whose customer is {other}",
                "a review is opened for it",
                "ask",
                other=other,
                survivor=survivor,
            )
        ]


def _finding(link: Link, problem: str, message: str, fix: str, remedy: Literal["sync", "ask", "none"], **more: Any) -> Finding:
    return Finding(link.source, link.client_id, link.customer_id, problem, message, fix, remedy, **more)
