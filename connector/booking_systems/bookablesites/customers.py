"""Which of Bookablesites' customers a client of ours is: an index in memory, filled by paging.

The API cannot search, and deliveries carry no customer id. The index maps the client's digest to the product's id; a hit
is always read afresh, since an e-mail may have been changed, and a miss pages the list, newest customers first.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from connector.booking_systems.bookablesites.api import BookablesitesClient, Sheet
from connector.booking_systems.bookablesites.values import customer_id, read_customer
from connector.model.bookings import Client
from connector.model.errors import Transient

#: A bound on the pages of a list, against a server that never ends it.
MAX_PAGES = 100_000


class Pager:
    """Says when a list has ended: by its own page count, else by a page that is empty or the same as the one before."""

    def __init__(self) -> None:
        self._before: list[str | None] = []

    def ended(self, page: int, sheet: Sheet) -> bool:
        """Whether `sheet`, the page of this number, is the last one."""
        ids = [customer_id(record) for record in sheet.records]
        repeats, self._before = ids == self._before, ids
        if not sheet.records:
            return True
        return page >= sheet.pages if sheet.pages is not None else repeats


class Customers:
    """The index of one account. It dies with the process and is filled again when it is needed."""

    def __init__(self, client: BookablesitesClient, source: str, page_size: int) -> None:
        self._client = client
        self._source = source
        self._page_size = page_size
        self._ids: dict[str, str] = {}
        #: By the product's id: an appointment does not show everything of its customers.
        self._people: dict[str, Client] = {}

    def learn(self, record: Mapping[str, Any]) -> Client | None:
        """Put a customer's record into the index; None when it says nothing."""
        theirs, client = customer_id(record), read_customer(self._source, record)
        if theirs is None or client is None:
            return None
        self._ids[client.id], self._people[theirs] = theirs, client
        return client

    async def find(self, client: str) -> dict[str, Any] | None:
        """The fresh record of a client; None when the whole list has been looked through."""
        theirs = self._ids.get(client)
        record = await self._fresh(client, theirs) if theirs else None
        if record is not None or (theirs := await self._look_for(client)) is None:
            return record
        return await self._fresh(client, theirs)

    async def of_booking(self, person: Mapping[str, Any]) -> Client | None:
        """The customer of a booking as their own record has them; None when nobody is named.

        Read afresh when the booking shows another e-mail than we know; as the booking shows them, when they are gone.
        """
        shown, theirs = read_customer(self._source, person), customer_id(person)
        if theirs is None:
            return shown
        known = self._people.get(theirs)
        if known is None or (shown is not None and shown.email and shown.id != known.id):
            record = await self._client.get_customer(theirs)
            known = self.learn(record) if record else None
        return known or shown

    async def _fresh(self, client: str, theirs: str) -> dict[str, Any] | None:
        record = await self._client.get_customer(theirs)
        known = read_customer(self._source, record) if record else None
        if known is not None and known.id == client:
            return record
        self._ids.pop(client, None)
        return None

    async def _look_for(self, client: str) -> str | None:
        pager = Pager()
        for page in range(1, MAX_PAGES):
            sheet = await self._client.list_customers(page, self._page_size)
            for record in sheet.records:
                self.learn(record)
            if client in self._ids or pager.ended(page, sheet):
                return self._ids.get(client)
        raise Transient("Bookablesites: list customers: the list does not end", account=self._client.remote.account)
