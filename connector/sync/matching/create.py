"""Rule 7: nobody was found, by answered and empty look-ups, so a customer is made; or the CRM says who is there already."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from connector.model.bookings import Kind
from connector.model.errors import Conflict, ConnectorError, Hold, Ignore, Lasting
from connector.model.fields import Value
from connector.model.persons import Customer, NewCustomer
from connector.sync.effects import effect, wait_until_visible
from connector.sync.fields import wanted
from connector.sync.matching.answers import AlreadyThere, Ambiguous, Created, Found, Stop
from connector.sync.matching.case import Case
from connector.sync.matching.decisions import names_differ
from connector.sync.matching.evidence import agreement, new_customer
from connector.sync.person.agreement import Agreement

_COMPLETE = "Create or complete the customer in the CRM and retry the event, or set `create = true` in its [[sync]]."
_HIDDEN = "Look in the CRM's recycle bin and its list of erased contacts: restore or release it there, then retry the event."


class _Doubt(ConnectorError):
    """Nothing was created, and a person must choose: it ends the effect, and carries the answer out of it."""

    def __init__(self, answer: Ambiguous) -> None:
        super().__init__(answer.text)
        self.answer = answer


async def create(case: Case) -> list[Created | AlreadyThere | Ambiguous | Stop]:
    """Nobody: create one, unless the sync or the event says that nobody is created."""
    if (reason := reason_against(case)) is not None:
        return [Stop(reason)]
    parts, intent, keys = case.parts, case.create_intent, case.person.keys()
    await wait_until_visible(parts.journal, intent, parts.crm.settle_seconds, parts.clock())
    begun = effect(parts.journal, case.work, intent, "create", parts.clock(), crm=parts.crm.name, identity=keys)
    try:
        async with begun as may_exist:
            return [await _create(case, unsettled=may_exist)]
    except _Doubt as doubt:
        return [doubt.answer]


def reason_against(case: Case) -> ConnectorError | None:
    """Why nobody is created; None where a person has decided it."""
    settings = case.parts.settings
    if case.to_create:
        return None
    if case.work.event.kind is Kind.DELETED:
        return Ignore("no customer matches, and no customer is created for a deleted client")
    if not settings.create:
        return Hold("no customer matches, and this sync only links existing ones", hint=_COMPLETE)
    if lacking := case.person.lacks(settings.minimum_identity):
        return Hold(f"no customer matches, and too little is known to create one: {lacking}", hint=_COMPLETE)
    return None


async def _create(case: Case, *, unsettled: bool) -> Created | AlreadyThere:
    try:
        customer = await case.parts.crm.create(new_customer(case.person), case.key, await _more(case))
    except Conflict as conflict:
        return await _already_there(case, conflict, unsettled=unsettled)
    left_out = f"; the CRM refused: {', '.join(customer.refused)}" if customer.refused else ""
    return _created(case, customer, f"no customer was found, so one was created{left_out}")


async def _more(case: Case) -> Mapping[str, Value]:
    """What `[sync.fields]` and `[sync.owner]` say for a customer who is made."""
    event = case.work.event
    parts = case.parts
    changes = await parts.crm.changes(wanted(parts.settings, parts.crm, event.client, event.appointment))
    return changes.values


def _created(case: Case, customer: Customer, text: str, *, without_email: bool = False) -> Created:
    keys = case.person.phone_keys if without_email else case.person.keys()
    found = Found(customer, "created", "created", keys=keys, intent=case.create_intent)
    return Created(text, customer.id, found=found)


async def _already_there(case: Case, conflict: Conflict, *, unsettled: bool) -> Created | AlreadyThere:
    """The CRM refused a second record: the one it has is the customer, unless that is another person."""
    customer = await _winner(case, conflict)
    # An earlier try may have had its effect only after we had looked for it.
    ours = conflict.by == "key" or customer.person_key == case.key
    if not ours and _is_another(case, customer):
        return await _create_without_email(case, customer)
    if not ours and _differ(case, customer) and case.parts.settings.name_mismatch == "hold":
        raise _Doubt(replace(names_differ(customer), rule="email"))
    origin, outcome = ("email", "matched") if not ours else ("created", "created") if unsettled else ("crm_key", "matched")
    found = Found(customer, origin, outcome, keys=case.person.keys(), intent=case.create_intent)
    return AlreadyThere(f"the CRM already had this person (same {conflict.by})", customer.id, found=found)


async def _winner(case: Case, conflict: Conflict) -> Customer:
    parts = case.parts
    customer = await parts.customers.winner(conflict, case.person, case.key)
    if customer is None:
        text = f"{parts.crm.title} says that this person exists already but does not show the record yet"
        raise Lasting(text, account=parts.crm.remote.account, hint=_HIDDEN)
    return customer


def _is_another(case: Case, customer: Customer) -> bool:
    """Whether who has the address is certainly not the client."""
    shares = case.person.shared_email and agreement(case.person, customer) is not Agreement.STRONG
    return case.to_create or shares or customer.id in case.apart | case.beside


def _differ(case: Case, customer: Customer) -> bool:
    return agreement(case.person, customer) is Agreement.AGAINST


async def _create_without_email(case: Case, holder: Customer) -> Created | AlreadyThere:
    """The CRM keeps addresses unique and another person has this one: the customer is made without it."""
    new = new_customer(case.person).model_copy(update={"email": ""})
    if new == NewCustomer():
        text = "the CRM refuses a second customer with this e-mail address, and nothing else is known of the person"
        raise Hold(text, hint=f"Complete the client in the booking system, or `connector review` links it to {holder.id}.")
    parts = case.parts
    try:
        customer = await parts.crm.create(new, case.key, await _more(case))
    except Conflict as conflict:
        if conflict.by != "key":
            raise
        return await _already_there(case, conflict, unsettled=False)
    if case.person.email_key is not None:
        await parts.links.notice(parts.crm.name, case.person.email_key, 2)
    text = f"a customer was created without the e-mail address, which belongs to customer {holder.id}"
    return _created(case, customer, text, without_email=True)
