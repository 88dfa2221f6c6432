"""Whose record is it? Asks the rules in their order, writes what they answer to the trace, and commits the link.

This is the one place that decides what an answer leads to: a link, a question for a person, a hold, or the next rule.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

from msgspec import structs

from connector.model.errors import Hold, NothingToIdentify
from connector.model.jobs import Work
from connector.model.links import Link
from connector.sync.matching.answers import Ambiguous, Answer, Found, Gone, Match, Stop
from connector.sync.matching.case import Case, Parts, Seen
from connector.sync.matching.evidence import CHOOSE, agreement, review
from connector.sync.matching.rules import LINKED, LOOKED_UP, STORED, Rule
from connector.sync.person.agreement import Agreement
from connector.sync.person.identity import Identity
from connector.sync.trace import note

_UNREADABLE = "Correct it in the booking system, or set default_country in [booking.{}]; then retry the event."


async def resolve(parts: Parts, work: Work, seen: Seen) -> None:
    """Find or create the customer of a client, and commit the link."""
    case = Case(parts, work, seen, parts.identity(work.event.client))
    found = await _ask(LINKED, case)
    if found is None:
        _check_decided(case)
        found = await _ask(STORED, case)
    if found is None:
        await _look_up(case)
    else:
        await _commit(case, found)


async def _look_up(case: Case) -> None:
    """No id is stored anywhere: look the person up, while nobody else can create the same one."""
    await _identify(case)
    parts = case.parts
    # Two clients of whom one was merged into the other are one person too, whatever they say of themselves.
    living = f"client:{case.work.source}:{case.living_client_id}"
    async with parts.locks.hold(parts.crm.name, [*case.person.keys(), living]):
        await case.read_known()
        if (found := await _ask(LOOKED_UP, case)) is not None:
            await _commit(case, found)


async def _ask(rules: Sequence[Rule], case: Case) -> Found | None:
    """Ask one rule after the other, until one decides."""
    for rule in rules:
        answers = await rule.ask(case)
        for answer in answers:
            if isinstance(answer, Answer):
                note(case.work, answer.rule or rule.name, answer.result, answer.text, answer.customer_id)
        if answers and (found := _decide(case, answers[-1])) is not None:
            return found
    return None


def _decide(case: Case, answer: Answer | Stop) -> Found | None:
    """The customer; None lets the next rule speak. Raises what holds or ends the event."""
    match answer:
        case Match():
            return answer.found
        case Ambiguous():
            raise _question(case, answer)
        case Gone() if case.parts.settings.deleted_customer == "hold":
            text = f"the client is linked to customer {answer.customer_id}, which the CRM no longer has"
            fix = f"`connector check --drift {case.work.source} --fix`"
            raise Hold(text, hint=f"Restore it there and retry the event, or choose another: {fix}.")
        case Stop():
            raise answer.error
    return None


def _question(case: Case, answer: Ambiguous) -> Hold:
    question = review(answer.text, answer.among, answer.person or case.person, answer.shared)
    question.key = answer.key
    return question


def _check_decided(case: Case) -> None:
    """Raise Hold where a decision about this client was taken back: nothing is matched until there is a new one."""
    decision = case.decision
    if decision is not None and decision.decision == "undecided":
        text = f"the decision about this client was undone; it waits for a new one in review {decision.review_id}"
        raise Hold(text, hint=CHOOSE)


async def _identify(case: Case) -> None:
    """Know enough of the person to look for it: where the delivery says too little, the booking system is read.

    Raises Hold where what it says cannot be read, NothingToIdentify where it says nothing.
    """
    parts, work = case.parts, case.work
    if case.person.lacks(parts.settings.minimum_identity):
        case.seen.client = await parts.booking.client(case.living_client_id)
        if case.seen.client is not None:
            # What is known of the person from here on, also where others ask who it is.
            work.event = structs.replace(work.event, client=structs.replace(case.seen.client, id=work.client_id))
            case.person = parts.identity(work.event.client)
    if case.person.matchable:
        return
    if not case.person.unreadable:
        raise NothingToIdentify("nothing to identify the client: no e-mail address and no phone number that can be read")
    fields = ", ".join(field.replace("_", " ") for field in case.person.unreadable)
    text = f"nothing to identify the client: what is written as {fields} cannot be read"
    raise Hold(text, hint=_UNREADABLE.format(work.source))


async def _commit(case: Case, found: Found) -> None:
    """Commit the link, what is remembered with it, and the next step; nothing is written where all of it is known."""
    parts, work, seen = case.parts, case.work, case.seen
    stored_id = found.stored_id
    if stored_id is None and work.link is not None and work.link.crm != parts.crm.name:
        # Ours from another CRM, so it may be written over.
        stored_id = work.link.stored_id
    link = Link(work.source, work.client_id, parts.crm.name, found.customer.id, found.origin, stored_id, found.written_back_at)
    work.outcome = work.outcome or found.outcome
    new = link != work.link or found.intent is not None
    person = parts.identity(work.event.client)
    said = (*person.phone_keys, *person.email_keys)
    keys = {*found.keys, *_telling(found, person, said if new or not said else await parts.links.missing_keys(work, said))}
    if new or keys:
        links = [link]
        if case.living_client_id != work.client_id:
            links.append(replace(link, client_id=case.living_client_id))
        await parts.journal.linked(
            work,
            links,
            "write_back",
            parts.clock(),
            keys=sorted(keys),
            said=said,
            merged_from=found.merged_from,
            intent=found.intent,
        )
    work.link, work.step, seen.customer = link, "write_back", found.customer


def _telling(found: Found, person: Identity, said: Collection[str]) -> Collection[str]:
    """What the client says of itself that is tied to the customer.

    It may reach the CRM only by the step that fills blanks, or never; the person's next client must be recognised by
    it at once. An address that came with another name may be another person's, unless somebody said that it is not.
    """
    if found.origin == "review" or {*said} <= {*found.keys, *person.phone_keys}:
        return said
    return said if agreement(person, found.customer) is not Agreement.AGAINST else {*said}.intersection(person.phone_keys)
