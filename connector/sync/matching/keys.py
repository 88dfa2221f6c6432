"""Rules 4 to 6: a customer in the CRM who carries our key, the client's e-mail address, or the client's phone number.

Whatever a look-up *fails* to answer is raised as an error: only an answered, empty look-up lets the next rule speak, so
nobody is created on doubt.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from connector.model.capabilities import CrmCapability
from connector.model.persons import Customer
from connector.sync.matching import decisions, others
from connector.sync.matching.answers import Ambiguous, Found, Later, Match, Nothing, match
from connector.sync.matching.case import Case
from connector.sync.matching.create import reason_against
from connector.sync.matching.decisions import Choice, Take
from connector.sync.matching.evidence import one_person


async def crm_key(case: Case) -> list[Match | Nothing | Later]:
    """A customer carries our own key for this client."""
    crm = case.parts.crm
    if await _create_asks(case):
        return [Later(f"not asked before the create: {crm.title} itself refuses a second customer with our key")]
    customer = await crm.by_key(case.key)
    while customer is not None and customer.id in case.apart:
        # A link that a person removed: that customer keeps its key, and the client's next one gets another.
        case.key_number += 1
        customer = await crm.by_key(case.key)
    if customer is None:
        return [Nothing("no customer carries our key for this client")]
    if await case.parts.journal.is_open(case.create_intent):
        found = Found(customer, "created", "created", keys=case.person.keys(), intent=case.create_intent)
        return [match("the customer that an earlier attempt created", found)]
    return [match("the customer that carries our key for this client", Found(customer, "crm_key", "matched"))]


async def _create_asks(case: Case) -> bool:
    """Whether nothing was begun for the client and nobody else may be the person, so that a create is next.

    A CRM that refuses a second customer with our key then answers this rule's question, and its customer is taken.
    """
    person, parts = case.person, case.parts
    if not parts.crm.can(CrmCapability.REFUSES_KEYS) or person.shared_email or case.apart:
        return False
    if case.decision is not None or case.work.link is not None or reason_against(case) is not None:
        return False
    if case.work.unsettled and await parts.journal.is_open(case.create_intent):
        return False
    if person.email is not None and any(await case.by_email()):
        return False
    return not (person.phones and parts.settings.match_phone and await case.by_phone())


async def email(case: Case) -> list[Match | Ambiguous | Nothing]:
    """Exactly one customer has the same e-mail address, by a fresh read."""
    person, settings = case.person, case.parts.settings
    if person.email is None or case.to_create:
        return []
    found, known = await case.by_email()
    choice = decisions.by_email(person, found, known, settings)
    if isinstance(choice, Take) and settings.name_mismatch == "hold" and await others.speak_against(case, choice.customer):
        choice = decisions.names_differ(choice.customer)
    elif isinstance(choice, Take) and settings.name_mismatch == "hold" and await others.may_be(case, choice.customer):
        choice = decisions.another_waits(choice.customer, person.email_key)
    if not person.shared_email:
        choice = await _noticed(case, "e-mail address", person.email_key, [*found, *known], choice)
    return [_answer(choice, "email", person.email_keys) or Nothing("no customer has this e-mail address")]


async def phone(case: Case) -> list[Match | Ambiguous | Nothing]:
    """Exactly one customer has the same phone and a name that agrees."""
    person, settings = case.person, case.parts.settings
    if not person.phones or not settings.match_phone:
        return []
    found = await case.by_phone()
    if case.to_create:
        since = decisions.since_decision(person, found, await _shown(case, found), settings)
        return [answer] if (answer := _answer(since, "phone", person.keys())) else []
    choice = decisions.by_phone(person, found, settings)
    if isinstance(choice, Take) and await others.speak_against(case, choice.customer):
        choice = decisions.others_differ(person, choice.customer)
    if len(person.phones) == 1 and not person.shared_phones:
        choice = await _noticed(case, "phone number", person.phone_keys[0], found, choice)
    return [_answer(choice, "phone", person.keys()) or Nothing("no customer has this phone number")]


async def _shown(case: Case, found: Sequence[Customer]) -> set[str]:
    """The customers among whom a person chose, under their present ids too; not asked where nobody was found."""
    if case.decision is None or not found:
        return set()
    return {*case.decision.shown, *(customer.id for customer in await case.parts.customers.alive(case.decision.shown))}


async def _noticed(case: Case, what: str, key: str | None, found: Sequence[Customer], choice: Choice) -> Choice:
    """Learn that a key belongs to several people, once it was seen with several plainly different names.

    A question that is asked now says so; from the next client on the key is no evidence beside another name.
    """
    people = decisions.people_behind(case.person, found)
    if key is None or people < decisions.SEVERAL:
        return choice
    # Another client of the person who is asked about now joins that review.
    asked = one_person(case.person) if isinstance(choice, Ambiguous) else None
    await case.parts.links.notice(case.parts.crm.name, key, people, person=asked)
    if isinstance(choice, Ambiguous):
        return replace(choice, text=f"{choice.text}; this {what} is used by {people} people", key=key)
    return choice


def _answer(choice: Choice, origin: str, keys: Sequence[str]) -> Match | Ambiguous | None:
    if isinstance(choice, Take):
        return match(choice.how, Found(choice.customer, origin, "matched", keys=keys))
    return choice
