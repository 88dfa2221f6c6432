"""The other clients of a customer: two names that each agree with a third may still be two people."""

from __future__ import annotations

from connector.model.errors import Rejected
from connector.model.persons import Customer
from connector.sync.matching.case import Case
from connector.sync.matching.evidence import agreement, agrees, name_of
from connector.sync.person.agreement import Agreement, names_agree
from connector.sync.person.names import PersonName, name_key

#: Other clients whose names are read at most: of a customer with more, the newest links.
MOST_READ = 3


async def speak_against(case: Case, customer: Customer) -> bool:
    """Whether another client of the customer has a name that speaks against this client.

    "J. Smith" agrees weakly with John and with Jane, and Alan Reed strongly with Alan B. and with Alan C. Reed, so who has been
    linked there says more than the customer's own name. Names are read fresh, and only where the two names differ.
    """
    if case.person.name.blank or name_key(case.person.name) == name_key(name_of(customer)):
        return False
    parts, work = case.parts, case.work
    for client_id in await parts.links.clients_of(parts.crm.name, customer.id, work.source, MOST_READ + 1):
        if client_id != work.client_id and await _speaks_against(case, client_id):
            return True
    return False


async def may_be(case: Case, customer: Customer) -> bool:
    """Whether the client may be somebody else than the customer: another client about whom a review asks.

    "Hale" may be John Hale, who has the address, or Mary Hale, who gave the same one and waits.
    """
    if agreement(case.person, customer) is Agreement.STRONG:
        return False
    parts, work = case.parts, case.work
    for client_id in await parts.links.asked_about(parts.crm.name, customer.id, work.source, MOST_READ + 1):
        name = await _name_of(case, client_id) if client_id != work.client_id else None
        if name is None or agrees(name, customer) is not Agreement.AGAINST:
            continue
        if names_agree(case.person.name, name) is not Agreement.AGAINST:
            return True
    return False


async def _speaks_against(case: Case, client_id: str) -> bool:
    name = await _name_of(case, client_id)
    return name is not None and names_agree(case.person.name, name) is Agreement.AGAINST


async def _name_of(case: Case, client_id: str) -> PersonName | None:
    try:
        other = await case.parts.booking.client(client_id)
    except Rejected:
        return None
    return None if other is None else case.parts.identity(other).name
