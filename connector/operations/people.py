"""What a person decides about people: whose record a client is, that a link is removed, and that a decision is taken back.

Only `reveal` and `compare` answer personal data; who asked to compare is logged.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import structlog

from connector.booking_systems.base import BookingSystem, ClientLink
from connector.model.bookings import Client
from connector.model.capabilities import BookingCapability
from connector.model.errors import ConnectorError
from connector.model.links import Link
from connector.operations.engine import Engine
from connector.operations.running import Refused
from connector.store import views
from connector.store.reviews import views as review_views
from connector.sync.matching import comparison

#: Bookings of one client whose stored id is cleared by one command, for products that keep it with the booking.
MANY = 100


def _shown(client: Client | None) -> dict[str, object] | None:
    return None if client is None else comparison.of_client(client).as_dict()


class People:
    """Decisions, and their inverses. Every method wakes the worker for what may go on."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._store = engine.store
        self._log = structlog.get_logger("connector.operations.people").bind()

    async def decide(self, review: int, decision: str, customer_id: str | None, by: str) -> None:
        """Decide a review item: `link`, `create`, `different` or `dismiss`. Raises Refused when it cannot be decided so."""
        if decision == "link":
            await self._check_customer(review, customer_id)
        if decision in ("create", "different"):
            await self._check_unlinked(review)
        before = await self._links_of(review)
        now = self._engine.clock()
        refusal = await self._store.reviews.decide(review, decision, customer_id, by, now, follow_ups=True)
        if refusal is not None:
            raise Refused(refusal, hint="`connector review list` shows what is open.")
        self._log.info("review decided", review=review, decision=decision, customer=customer_id, by=by)
        await self._clear_removed(before)
        self._engine.worker.wake()

    async def share(self, review: int, by: str) -> list[int]:
        """Treat the address or number of an item as shared by several; answers the events that are asked again.

        Raises Refused where the item is not about one.
        """
        refusal, events = await self._store.reviews.share(review, by, self._engine.clock())
        if refusal is not None:
            raise Refused(refusal, hint=f"`connector review show {review}` shows its state.")
        self._log.info("key treated as shared", review=review, events=len(events), by=by)
        self._engine.worker.wake()
        return events

    async def undo(self, review: int, by: str) -> list[str]:
        """Take a decision back; answers a sentence for each client. Raises Refused when it cannot be taken back now."""
        before = await self._links_of(review)
        refusal, said = await self._store.reviews.undo(review, by, self._engine.clock())
        if refusal is not None:
            raise Refused(refusal, hint=f"`connector review show {review}` shows its state.")
        self._log.info("review opened again", review=review, by=by)
        said += await self._clear_removed(before)
        self._engine.worker.wake()
        return said

    async def unlink(self, source: str, client_id: str, by: str) -> list[str]:
        """Remove a link, its id in the booking system, and what is remembered with it; answers sentences for people.

        The client counts as somebody else than that customer from then on, so that its next booking does not link it again.
        Raises Refused where there is no link, or an event of the client is being worked on.
        """
        refusal, link = await self._store.links.remove(source, client_id, by, self._engine.clock())
        if link is None:
            raise Refused(refusal or "", hint="`connector links list` shows every link.")
        self._log.info("link removed", source=source, client=client_id, customer=link.customer_id, by=by)
        said = [f"Client {client_id} of {source} is no longer linked to {link.customer_id}.", *await self._clear(link)]
        self._engine.worker.wake()
        return said

    async def reveal(self, crm: str, customer_ids: list[str]) -> dict[str, dict[str, Any] | None]:
        """Read customers for a person who must tell them apart."""
        found = {customer_id: await self._engine.connections.crms[crm].get(customer_id) for customer_id in customer_ids}
        return {customer_id: customer.model_dump(mode="json") if customer else None for customer_id, customer in found.items()}

    async def compare(self, review: int, by: str) -> dict[str, Any]:
        """Read the clients and candidates of an item fresh, side by side, with what speaks for and against each candidate.

        Nothing of it is stored; that it was read is logged. The first client that is still there is the one that is compared.
        Raises Refused where there is no such item.
        """
        item = await self._store.read(review_views.review, review)
        if item is None:
            raise Refused(f"There is no review {review}.", hint="`connector review list` shows what is open.")
        self._log.info("review revealed", review=review, by=by)
        clients = [await self._client(client["source"], client["client_id"]) for client in item["clients"]]
        person = next(((source, client) for source, _, client in clients if client is not None), None)
        candidates = [await self._candidate(item["crm"], one["customer_id"], person) for one in item["candidates"]]
        shown = [
            {"source": source, "client_id": id_, "url": self._address("booking", source, id_), "record": _shown(client)}
            for source, id_, client in clients
        ]
        about_key = review in await self._store.read(review_views.about_keys)
        linked = any(client["linked"] for client in item["clients"])
        return {**item, "clients": shown, "candidates": candidates, "about_key": about_key, "linked": linked}

    async def _client(self, source: str, client_id: str) -> tuple[str, str, Client | None]:
        adapter = self._engine.connections.booking.get(source)
        return source, client_id, await adapter.client(client_id) if adapter is not None else None

    async def _candidate(self, crm: str, customer_id: str, person: tuple[str, Client] | None) -> dict[str, Any]:
        adapter = self._engine.connections.crms.get(crm)
        customer = await adapter.get(customer_id) if adapter is not None else None
        found: dict[str, Any] = {"customer_id": customer_id, "url": self._address("crm", crm, customer_id)}
        if customer is None:
            return {**found, "record": None, "evidence": None}
        sync = self._engine.syncs.get(person[0]) if person is not None else None
        evidence = None
        if person is not None and sync is not None:
            evidence = comparison.compare(sync.parts.identity(person[1]), customer, sync.country).as_dict()
        return {**found, "record": comparison.of_customer(customer).as_dict(), "evidence": evidence}

    def _address(self, kind: str, name: str, record: str) -> str | None:
        """Where a person can open the record, as `record_url` in the account's table says."""
        config = self._engine.config
        settings = (config.booking if kind == "booking" else config.crm).get(name)
        template = getattr(settings, "record_url", None)
        return None if template is None else template.replace("{id}", quote(record, safe=""))

    async def _links_of(self, review: int) -> list[Link]:
        """The links that the clients of an item have now."""
        item = await self._store.read(review_views.review, review)
        found = [await self._store.links.find(c["source"], c["client_id"]) for c in (item["clients"] if item else ())]
        return [link for link in found if link is not None]

    async def _clear_removed(self, before: list[Link]) -> list[str]:
        """Clear the id in the booking system of every client that has lost its link."""
        said: list[str] = []
        for link in before:
            if await self._store.links.find(link.source, link.client_id) is None:
                said += await self._clear(link)
        return said

    async def _clear(self, link: Link) -> list[str]:
        """Take the customer's id out of the booking system; a sentence about what came of it, if there is anything to say."""
        adapter = self._engine.connections.booking.get(link.source)
        if adapter is None or not adapter.can(BookingCapability.WRITES_LINKS):
            return []
        if not adapter.can(BookingCapability.READS_LINKS):
            return [
                f"{adapter.title} does not show the id that it holds for the client: remove {link.customer_id} there by hand."
            ]
        try:
            places = await self._places(adapter, link)
            left = [place for place in places if not await adapter.clear_link(place)]
        except ConnectorError as error:
            return [
                f"{adapter.title} may still hold the id {link.customer_id} ({error}): repeat the command, or remove it there."
            ]
        if left:
            return [
                f"{adapter.title} still holds the id {link.customer_id}: remove it there by hand. connector ignores it now."
            ]
        return [f"The id {link.customer_id} was removed from {adapter.title}."] if places else []

    async def _places(self, adapter: BookingSystem, link: Link) -> list[ClientLink]:
        """Where the booking system holds the customer's id, read fresh."""
        bookings: list[str | None] = [None]
        if adapter.can(BookingCapability.LINKS_APPOINTMENTS):
            bookings = [*await self._store.read(views.written_to, link.source, link.client_id, link.customer_id, limit=MANY)]
        read = [await adapter.read_link(link.client_id, booking) for booking in bookings]
        return [place for place in read if place.customer_id == link.customer_id]

    async def _check_unlinked(self, review: int) -> None:
        """The sync believes a link before it looks anybody up, so it would create nothing for a linked client."""
        item = await self._store.read(review_views.review, review)
        # One that was decided before is refused as that, also where the client is linked because of the decision.
        waiting = item["clients"] if item and item["decision"] is None else ()
        linked = next((client for client in waiting if client["linked"]), None)
        if linked is not None:
            text = f"Client {linked['client_id']} is linked to customer {linked['linked']}, so no customer is created for it."
            remove = f"`connector links remove {linked['source']} {linked['client_id']}`"
            raise Refused(text, hint=f"Link the review to the right customer, or remove the link first: {remove}.")

    async def _check_customer(self, review: int, customer_id: str | None) -> None:
        """A typing error must not become a link."""
        item = await self._store.read(review_views.review, review)
        crm = self._engine.connections.crms.get(item["crm"]) if item else None
        if crm is None or customer_id is None:
            return
        if await crm.get(customer_id) is None:
            raise Refused(f"{crm.title} has no customer {customer_id}.", hint="Check the id; nothing was changed.")
