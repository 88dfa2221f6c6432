"""The customers who may be a person: those we tied to the person ourselves, and those the CRM shows when it is asked now."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from connector.config.settings import SyncSettings
from connector.crms.base import CRM
from connector.model.errors import Conflict
from connector.model.persons import Customer
from connector.sync.matching.evidence import has_email, has_phone, number, same_name
from connector.sync.person.identity import Identity
from connector.sync.person.numbering import phone_variants
from connector.sync.repositories import LinksMemory


class Customers:
    """Look-ups in one CRM for one sync. What fails to be answered is raised; nothing is decided here.

    `tied` are the keys of the person that are tied to some customer, where that is known: only those are asked for.
    """

    def __init__(self, settings: SyncSettings, crm: CRM, links: LinksMemory, country: str | None) -> None:
        self._plain_domains = settings.ignore_dots_and_tags
        self._crm = crm
        self._links = links
        self._country = country

    async def alive(self, customer_ids: Sequence[str]) -> list[Customer]:
        """Those of the customers that the CRM still has, each once, merges followed."""
        found: dict[str, Customer] = {}
        for customer_id in customer_ids:
            customer = await self._crm.get(customer_id)
            if customer is not None:
                found[customer.id] = customer
        return list(found.values())

    async def by_email(self, person: Identity, tied: Collection[str] | None) -> tuple[list[Customer], list[Customer]]:
        """Those who have the person's address, by a fresh read; and those whom we tied to it, whether they have it or not."""
        remembered = await self._remembered(person.email_keys, tied)
        with_it = [customer for customer in remembered if has_email(customer, person, self._plain_domains)]
        if with_it:
            return with_it, remembered
        found = [customer for email in person.emails for customer in await self._crm.by_email(email)]
        if not found and person.other_email is not None:
            found = list(await self._crm.by_email(person.other_email))
        return list({customer.id: customer for customer in found}.values()), remembered

    async def by_phone(self, person: Identity, tied: Collection[str] | None) -> list[Customer]:
        """Those who have one of the person's numbers; behind a switchboard, only those whose name agrees."""
        found: dict[str, Customer] = {}
        for customer in await self._remembered(person.phone_keys, tied):
            # We tied this person's phone to them; a search may not show for a minute what we wrote a moment ago.
            if same_name(person, customer) or has_phone(customer, person, self._country):
                found[customer.id] = customer
        for phone in person.phones:
            # Colleagues behind one switchboard share its number, as people share a number that is said to be shared.
            alone = phone == number(phone) and phone not in person.shared_phones
            for variant in phone_variants(number(phone)):
                for customer in await self._crm.by_phone(variant):
                    if alone or same_name(person, customer):
                        found[customer.id] = customer
        return list(found.values())

    async def winner(self, conflict: Conflict, person: Identity, person_key: str) -> Customer | None:
        """The record because of which the CRM refused another one; None while it does not show it."""
        if conflict.winner is not None:
            return await self._crm.get(conflict.winner)
        if conflict.by == "email" and person.email is not None:
            found = await self._crm.by_email(person.email)
            return found[0] if len(found) == 1 else None
        return await self._crm.by_key(person_key)

    async def _remembered(self, keys: Sequence[str], tied: Collection[str] | None) -> list[Customer]:
        known = [key for key in keys if tied is None or key in tied]
        return await self.alive(await self._links.remembered(self._crm.name, known)) if known else []
