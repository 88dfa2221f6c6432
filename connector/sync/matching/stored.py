"""Rules 1 to 3: an id that somebody has stored, here, in the delivery or in the booking system.

Such an id is believed once the CRM has confirmed it, but not blindly.
"""

from __future__ import annotations

from dataclasses import replace

from connector.model.capabilities import BookingCapability, CrmCapability
from connector.model.links import Link
from connector.model.persons import Customer
from connector.sync.matching.answers import Ambiguous, Found, Gone, Match, Merged, Nothing, match
from connector.sync.matching.case import Case
from connector.sync.matching.evidence import agreement, has_email, same_name
from connector.sync.person.agreement import Agreement

#: Seconds after which an id in a delivery may have been corrected in the booking system: then that is asked.
FRESH_FOR = 3600.0
_BY_ADDRESS = "the e-mail address by which this client is known"
_BY_BOOKING = "the booking that carries this customer's id"


async def our_link(case: Case) -> list[Match | Gone | Ambiguous]:
    """We linked this client before."""
    link = case.work.link
    if link is None or link.crm != case.parts.crm.name:
        return []
    chosen = link.origin == "review" and link.stored_id is None
    answer = await _follow(case, link, "matched" if chosen else "already_linked")
    may_move = case.parts.booking.can(BookingCapability.MOVING_IDS) and link.origin != "review"
    return [answer, *(await _doubts(case, answer, _BY_ADDRESS) if may_move else ())]


async def delivery(case: Case) -> list[Match | Gone | Ambiguous | Nothing]:
    """The delivery names the customer of this client under our module."""
    asked = case.work.event.linked_customer_id
    if asked is None or case.is_of_another_crm(asked) or await case.is_apart(asked):
        return []
    if case.parts.booking.can(BookingCapability.READS_LINKS) and case.parts.clock() - case.work.received_at > FRESH_FOR:
        return []
    return await _adopt(case, "delivery", asked)


async def merged_client(case: Case) -> list[Merged | Match | Gone]:
    """The booking system is read: it may have merged this client into one that we have linked."""
    case.seen.stored = stored = await case.parts.booking.read_link(case.work.client_id, case.appointment_id)
    if stored.client_id == case.work.client_id:
        return []
    return [Merged(f"the booking system has merged this client into {stored.client_id}"), *await survivor(case)]


async def survivor(case: Case) -> list[Match | Gone]:
    """The link of the client into which this one was merged; it may have come while we waited for our turn."""
    if case.living_client_id == case.work.client_id:
        return []
    link = await case.parts.links.find(case.parts.booking.name, case.living_client_id)
    if link is None or link.crm != case.parts.crm.name or await case.is_apart(link.customer_id):
        return []
    return [replace(await _follow(case, link, "already_linked"), rule="our_link")]


async def booking_system(case: Case) -> list[Match | Gone | Ambiguous | Nothing]:
    """The booking system stores an id (the delivery may not have been allowed to show it)."""
    stored = case.seen.stored.customer_id if case.seen.stored else None
    if not stored:
        return [Nothing("no link is stored for this client")]
    if await case.is_apart(stored):
        return [Nothing("the stored id belongs to a customer that is not this client, as a person decided")]
    if case.is_of_another_crm(stored):
        return [Nothing("the stored id belongs to another CRM")]
    return await _adopt(case, "booking_system", stored)


async def _adopt(case: Case, origin: str, customer_id: str) -> list[Match | Gone | Ambiguous | Nothing]:
    """Take an id that the booking system gave us, once the CRM has confirmed that it lives."""
    work = case.work
    link = Link(work.source, work.client_id, case.parts.crm.name, customer_id, origin, stored_id=customer_id)
    answer = await _follow(case, link, "already_linked")
    if isinstance(answer, Match) and answer.customer_id in case.apart:
        return [answer, Nothing("the client is not this customer, as a person decided")]
    may_move = case.parts.booking.can(BookingCapability.LINKS_APPOINTMENTS)
    return [answer, *(await _doubts(case, answer, _BY_BOOKING) if may_move else ())]


async def _follow(case: Case, link: Link, outcome: str) -> Match | Gone:
    """The customer of a link, or the one into which the CRM has merged it."""
    asked = link.customer_id
    customer = await case.parts.crm.get(asked) or await _merged_into(case)
    if customer is None:
        return Gone(customer_id=asked)
    merged = asked if customer.id != asked else None
    how = f"customer {merged} was merged into this one" if merged else "linked to this customer"
    found = Found(
        customer,
        link.origin,
        outcome,
        stored_id=link.stored_id,
        merged_from=merged,
        written_back_at=link.written_back_at,
    )
    return match(how, found)


async def _merged_into(case: Case) -> Customer | None:
    """Whom the client's customer was merged into, in a CRM that shows the old id as gone and does not name the survivor.

    It is exactly one customer who carries our key or has the client's e-mail address, and whose name agrees strongly.
    """
    crm = case.parts.crm
    if crm.can(CrmCapability.FOLLOWS_MERGES):
        return None
    person = await case.person_read()
    by_key = await crm.by_key(case.key)
    found = [by_key] if by_key is not None else []
    for email in person.emails:
        found += await crm.by_email(email)
    await case.read_known()
    living = {customer.id: customer for customer in case.possible(found) if same_name(person, customer)}
    return next(iter(living.values())) if len(living) == 1 else None


async def _doubts(case: Case, answer: Match | Gone, what: str) -> list[Ambiguous]:
    """What leads to this customer may have passed to another person: then a person decides."""
    if isinstance(answer, Gone):
        return []
    customer, person, settings = answer.found.customer, await case.person_read(), case.parts.settings
    known = settings.name_mismatch == "link" and has_email(customer, person, settings.ignore_dots_and_tags)
    if agreement(person, customer) is not Agreement.AGAINST or known:
        return []
    reason = f"{what} may have passed to another person: the names differ"
    return [Ambiguous(reason, customer.id, among=[customer], shared="link", person=person)]
