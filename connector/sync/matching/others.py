"""The other clients of a customer: two names that each agree a little with a third may still be two people."""

from __future__ import annotations

from collections.abc import Callable

from connector.booking_systems.base import BookingSystem
from connector.model.bookings import Client
from connector.model.errors import Rejected
from connector.model.jobs import Work
from connector.model.persons import Customer
from connector.sync.matching.evidence import agreement
from connector.sync.person.agreement import Agreement, names_agree
from connector.sync.person.identity import Identity
from connector.sync.repositories import LinksMemory

#: Other clients whose names are read at most: of a customer with more, the newest links.
MOST_READ = 3


async def speak_against(
    booking: BookingSystem,
    links: LinksMemory,
    crm: str,
    identity: Callable[[Client], Identity],
    work: Work,
    customer: Customer,
) -> bool:
    """Whether another client of the customer has a name that speaks against this client.

    "J. Smith" agrees weakly with John and with Jane, so who has been linked there says more than the customer's own name.
    Names are read fresh, and only where the client's name does not agree strongly with the customer's.
    """
    person = identity(work.event.client)
    if person.name.blank or agreement(person, customer) is Agreement.STRONG:
        return False
    for client_id in await links.clients_of(crm, customer.id, work.source, MOST_READ + 1):
        if client_id == work.client_id:
            continue
        try:
            other = await booking.client(client_id)
        except Rejected:
            continue
        if other is not None and names_agree(person.name, identity(other).name) is Agreement.AGAINST:
            return True
    return False
