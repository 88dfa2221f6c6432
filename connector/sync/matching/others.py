"""The other clients of a customer: two names that each agree with a third may still be two people."""

from __future__ import annotations

from connector.model.errors import Rejected
from connector.model.persons import Customer
from connector.sync.matching.case import Case
from connector.sync.matching.evidence import name_of
from connector.sync.person.agreement import Agreement, names_agree
from connector.sync.person.names import name_key

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


async def _speaks_against(case: Case, client_id: str) -> bool:
    try:
        other = await case.parts.booking.client(client_id)
    except Rejected:
        return False
    return other is not None and names_agree(case.person.name, case.parts.identity(other).name) is Agreement.AGAINST
