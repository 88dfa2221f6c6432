"""Whose record is it? The rules of docs/matching.md in their order: the first that decides, decides.

Each rule writes to the trace what it found. Whatever a look-up *fails* to answer is raised as an error: only an answered,
empty look-up lets the next rule speak, so nobody is created on doubt.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from connector.model.bookings import Kind
from connector.model.errors import Conflict, Hold, Ignore, Lasting, NothingToIdentify
from connector.model.fields import Value
from connector.model.jobs import Work
from connector.model.links import Link
from connector.model.persons import Customer, NewCustomer
from connector.sync.effects import effect
from connector.sync.fields import field_values
from connector.sync.matching import decisions, others
from connector.sync.matching.decisions import Ask, Take
from connector.sync.matching.evidence import agreement, new_customer, one_person, review
from connector.sync.matching.stored import Found, Seen, StoredIds
from connector.sync.person.agreement import Agreement
from connector.sync.person.identity import Identity, person_key
from connector.sync.trace import note

_COMPLETE = "Create or complete the customer in the CRM and retry the event, or set `create = true` in its [[sync]]."
_UNREADABLE = "Correct it in the booking system, or set default_country in [booking.{}]; then retry the event."
_HIDDEN = "Look in the CRM's recycle bin and its list of erased contacts: restore or release it there, then retry the event."


class Matcher(StoredIds):
    """Finds or creates the customer of a client, and commits the link."""

    async def resolve(self, work: Work, seen: Seen) -> None:
        """Find or create the customer, and commit the link."""
        found = await self.by_our_link(work)
        if found is None:
            self._check_decided(work)
            found = await self.by_delivery(work) or await self.by_booking_system(work, seen)
        if found is not None:
            await self._commit(work, seen, found)
            return
        person = await self._identify(work, seen)
        # Two clients of whom one was merged into the other are one person too, whatever they say of themselves.
        living = f"client:{work.source}:{seen.stored.client_id if seen.stored else work.client_id}"
        async with self.locks.hold(self.crm.name, [*person.keys(), living]):
            person = person.sharing(await self.links.shared(self.crm.name, person.keys(), one_person(person)))
            await self._set_apart(work, person)
            found = await self._by_survivor(work, seen) or await self.by_key(work, person)
            if found is None and self._is_to_create(work):
                found = await self.by_newcomer(work, person)
            elif found is None:
                found = await self.by_email(work, person) or await self.by_phone(work, person)
            if found is None:
                found = await self.create(work, person)
            await self._commit(work, seen, found)

    async def _set_apart(self, work: Work, person: Identity) -> None:
        """Note on `work` whom the client is not: nothing below takes one of these customers."""
        appointment = work.event.appointment.id if work.event.appointment else None
        work.apart = await self._apart(work, one_person(person))
        work.beside = frozenset(await self.links.beside(self.crm.name, work.source, work.client_id, work.event_id, appointment))

    async def by_key(self, work: Work, person: Identity) -> Found | None:
        """Rule 4: a customer carries our own key for this client."""
        customer = await self.crm.by_key(self._key(work))
        while customer is not None and customer.id in work.apart:
            # A link that a person removed: that customer keeps its key, and the client's next one gets another.
            work.own_key += 1
            customer = await self.crm.by_key(self._key(work))
        if customer is None:
            note(work, "crm_key", "none", "no customer carries our key for this client")
            return None
        intent = self._create_intent(work)
        ours = await self.journal.is_open(intent)
        how = "the customer which an earlier try created" if ours else "the customer that carries our key for this client"
        note(work, "crm_key", "match", how, customer.id)
        if not ours:
            return Found(customer, "crm_key", "matched")
        return Found(customer, "created", "created", keys=person.keys(), intent=intent)

    async def by_email(self, work: Work, person: Identity) -> Found | None:
        """Rule 5: exactly one customer has the same e-mail address, by a fresh read."""
        if person.email is None:
            return None
        found, known = (self._possible(work, customers) for customers in await self.customers.by_email(person))
        answer = decisions.by_email(person, found, known, self.settings)
        if isinstance(answer, Take) and self.settings.name_mismatch == "hold":
            asked = (self.booking, self.links, self.crm.name, self.identity)
            if await others.speak_against(*asked, work, answer.customer):
                answer = Ask("the e-mail address matches, the name does not", [answer.customer], "e-mail")
        if not person.shared_email:
            answer = await self._noticed("e-mail address", person, person.email_key, [*found, *known], answer)
        return self._answered(work, person, "email", answer, person.email_keys, "no customer has this e-mail address")

    async def by_phone(self, work: Work, person: Identity) -> Found | None:
        """Rule 6: exactly one customer has the same phone and a name that agrees."""
        if not person.phones or not self.settings.match_phone:
            return None
        found = self._possible(work, await self.customers.by_phone(person))
        answer = decisions.by_phone(person, found, self.settings)
        if len(person.phones) == 1 and not person.shared_phones:
            answer = await self._noticed("phone number", person, person.phone_keys[0], found, answer)
        return self._answered(work, person, "phone", answer, person.keys(), "no customer has this phone number")

    async def by_newcomer(self, work: Work, person: Identity) -> Found | None:
        """Rule 6 after a person said that it is none of the customers shown."""
        if work.decision is None or not person.phones or not self.settings.match_phone:
            return None
        found = self._possible(work, await self.customers.by_phone(person))
        shown = {*work.decision.shown, *(c.id for c in await self.customers.alive(work.decision.shown))} if found else set()
        answer = decisions.since_decision(person, found, shown, self.settings)
        return self._answered(work, person, "phone", answer, person.keys(), "")

    async def _noticed(
        self, what: str, person: Identity, key: str | None, found: Sequence[Customer], answer: Take | Ask | None
    ) -> Take | Ask | None:
        """Learn that a key belongs to several people, once it was seen with several plainly different names.

        A question that is asked now says so; from the next client on the key is no evidence beside another name.
        """
        people = decisions.people_behind(person, found)
        if key is None or people < decisions.SEVERAL:
            return answer
        # Another client of the person who is asked about now joins that review.
        asked = one_person(person) if isinstance(answer, Ask) else None
        await self.links.notice(self.crm.name, key, people, self.clock(), person=asked)
        if isinstance(answer, Ask):
            return replace(answer, reason=f"{answer.reason}; this {what} is used by {people} people", key=key)
        return answer

    def _possible(self, work: Work, found: Sequence[Customer]) -> list[Customer]:
        """Those whom the client can be. Several clients of one booking are different people, whatever keys they share."""
        return [customer for customer in found if customer.id not in work.apart | work.beside]

    def _answered(
        self, work: Work, person: Identity, rule: str, answer: Take | Ask | None, keys: Sequence[str], none: str
    ) -> Found | None:
        """The one place where an answer becomes a line of the trace, a match, or a question for a person."""
        match answer:
            case Take():
                note(work, rule, "match", answer.how, answer.customer.id)
                return Found(answer.customer, rule, "matched", keys=keys)
            case Ask():
                note(work, rule, "ambiguous", answer.reason)
                question = review(answer.reason, answer.among, person, answer.shared)
                question.key = answer.key
                raise question
        if none:
            note(work, rule, "none", none)
        return None

    async def create(self, work: Work, person: Identity) -> Found:
        """Rule 7: nobody was found, by answered and empty look-ups."""
        asked_for = self._is_to_create(work)
        if work.event.kind is Kind.DELETED and not asked_for:
            raise Ignore("no customer matches, and nobody is created for what was deleted")
        if not self.settings.create and not asked_for:
            raise Hold("no customer matches, and this sync only links existing ones", hint=_COMPLETE)
        if (lacking := person.lacks(self.settings.minimum_identity)) and not asked_for:
            raise Hold(f"no customer matches, and too little is known to create one: {lacking}", hint=_COMPLETE)
        intent, now = self._create_intent(work), self.clock()
        async with effect(self.journal, work, intent, "create", now, crm=self.crm.name, identity=person.keys()) as may_exist:
            return await self._create(work, person, intent, unsettled=may_exist)

    async def _create(self, work: Work, person: Identity, intent: str, *, unsettled: bool) -> Found:
        try:
            more = await self._more(work)
            customer = await self.crm.create(new_customer(person), self._key(work), more)
        except Conflict as conflict:
            return await self._winner(work, conflict, person, intent, unsettled=unsettled)
        left_out = f"; the CRM refused: {', '.join(customer.refused)}" if customer.refused else ""
        note(work, "create", "created", f"no customer was found, so one was created{left_out}", customer.id)
        return Found(customer, "created", "created", keys=person.keys(), intent=intent)

    # What the rules share.

    async def _commit(self, work: Work, seen: Seen, found: Found) -> None:
        stored_id = found.stored_id
        if stored_id is None and work.link is not None and work.link.crm != self.crm.name:
            # Ours from another CRM, so it may be written over.
            stored_id = work.link.stored_id
        link = Link(
            work.source, work.client_id, self.crm.name, found.customer.id, found.origin, stored_id, found.written_back_at
        )
        work.outcome = work.outcome or found.outcome
        keys = {*found.keys, *await self._unremembered(work, found)}
        if link != work.link or found.intent is not None or keys:
            links = [link]
            if seen.stored is not None and seen.stored.client_id != work.client_id:
                links.append(replace(link, client_id=seen.stored.client_id))
            await self.journal.linked(
                work,
                links,
                "write_back",
                self.clock(),
                keys=sorted(keys),
                said=self.identity(work.event.client).keys(),
                merged_from=found.merged_from,
                intent=found.intent,
            )
        work.link, work.step, seen.customer = link, "write_back", found.customer

    async def _unremembered(self, work: Work, found: Found) -> list[str]:
        """What the client says of itself that we have not tied to the customer yet.

        It may reach the CRM only by the step that fills blanks, or never; the person's next client must be recognised by
        it at once. An address that came with another name may be another person's, unless somebody said that it is not.
        """
        person = self.identity(work.event.client)
        keys = list(person.phone_keys)
        if found.origin == "review" or agreement(person, found.customer) is not Agreement.AGAINST:
            keys += person.email_keys
        link = Link(work.source, work.client_id, self.crm.name, found.customer.id, found.origin)
        return await self.links.missing_keys(link, keys) if keys else []

    async def _identify(self, work: Work, seen: Seen) -> Identity:
        person = self.identity(work.event.client)
        if person.lacks(self.settings.minimum_identity):
            client_id = seen.stored.client_id if seen.stored else work.client_id
            seen.client = await self.booking.client(client_id)
            if seen.client is not None:
                # What is known of the person from here on, also where others ask who it is.
                work.event = work.event.model_copy(update={"client": seen.client.model_copy(update={"id": work.client_id})})
                person = self.identity(work.event.client)
        if not person.matchable and person.unreadable:
            fields = ", ".join(field.replace("_", " ") for field in person.unreadable)
            raise Hold(
                f"nothing to identify the client: what is written as {fields} cannot be read",
                hint=_UNREADABLE.format(work.source),
            )
        if not person.matchable:
            raise NothingToIdentify("nothing to identify the client: no e-mail address and no phone number that can be read")
        return person

    async def _winner(self, work: Work, conflict: Conflict, person: Identity, intent: str, *, unsettled: bool) -> Found:
        """The CRM refused a second record: the one it has is the customer."""
        customer = await self.customers.winner(conflict, person, self._key(work))
        if customer is None:
            text = f"{self.crm.title} says that this person exists already but does not show the record yet"
            raise Lasting(text, account=self.crm.remote.account, hint=_HIDDEN)
        # An earlier try may have had its effect only after we had looked for it.
        ours = conflict.by == "key" or customer.person_key == self._key(work)
        another = customer.id in work.apart | work.beside or (
            person.shared_email and agreement(person, customer) is not Agreement.STRONG
        )
        if not ours and (another or self._is_to_create(work)):
            return await self._create_without_email(work, person, intent, customer)
        if not ours and self.settings.name_mismatch == "hold" and agreement(person, customer) is Agreement.AGAINST:
            self._answered(
                work, person, "email", Ask("the e-mail address matches, the name does not", [customer], "e-mail"), (), ""
            )
        if ours:
            origin, outcome = ("created", "created") if unsettled else ("crm_key", "matched")
        else:
            origin, outcome = "email", "matched"
        note(work, "create", "conflict", f"the CRM already had this person (same {conflict.by})", customer.id)
        return Found(customer, origin, outcome, keys=person.keys(), intent=intent)

    async def _create_without_email(self, work: Work, person: Identity, intent: str, holder: Customer) -> Found:
        """The CRM keeps addresses unique and another person has this one: the customer is made without it."""
        new = new_customer(person).model_copy(update={"email": ""})
        if new == NewCustomer():
            text = "the CRM refuses a second customer with this e-mail address, and nothing else is known of the person"
            raise Hold(text, hint=f"Complete the client in the booking system, or `connector review` links it to {holder.id}.")
        customer = await self.crm.create(new, self._key(work), await self._more(work))
        if person.email_key is not None:
            await self.links.notice(self.crm.name, person.email_key, 2, self.clock())
        text = f"a customer was created without the e-mail address, which belongs to customer {holder.id}"
        note(work, "create", "created", text, customer.id)
        return Found(customer, "created", "created", keys=person.phone_keys, intent=intent)

    async def _more(self, work: Work) -> Mapping[str, Value]:
        """What `[sync.fields]` says for a customer who is made."""
        event = work.event
        changes = await self.crm.changes(field_values(self.settings.fields, event.client, event.appointment))
        return changes.values

    def _create_intent(self, work: Work) -> str:
        return f"create:{self.crm.name}:{self._key(work)}"

    def _key(self, work: Work) -> str:
        return person_key(work.source, work.client_id, work.own_key)
