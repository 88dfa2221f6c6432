"""HubSpot as a CRM: answers truthfully, decides nothing. Who is who is decided in `connector.sync.pipeline`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial
from typing import Any, Self

import httpx
import phonenumbers

from connector.crms.base import CRM, NOTHING, Uniqueness
from connector.crms.hubspot import mapping
from connector.crms.hubspot.api import Client
from connector.crms.hubspot.refusals import HINT_FIX, Refusals
from connector.crms.hubspot.settings import HubSpotSettings
from connector.model.bookings import Appointment
from connector.model.capabilities import CrmCapability
from connector.model.dates import utc_now
from connector.model.errors import AccountPaused, Conflict, Lasting, Rejected, UnknownOutcome
from connector.model.fields import Value
from connector.model.persons import Customer, NewCustomer
from connector.model.problems import Check
from connector.remote import contacts
from connector.remote.fields import Field
from connector.remote.http import Answer, Remote
from connector.remote.rate_limit import QuotaFor
from connector.remote.values import read_text

#: Pages of 100 search results that are read before the answer counts as cut short.
SEARCH_PAGES = 5
#: Pages of 500 meetings that are looked through for one appointment.
MEETING_PAGES = 10
#: Pages of 500 users.
OWNER_PAGES = 20
BATCH = 100


class HubSpot(CRM):
    """One HubSpot account. E-mail addresses and our key are unique there, so a create cannot happen twice."""

    system = "hubspot"
    title = "HubSpot"
    settings_model = HubSpotSettings
    uniqueness = Uniqueness.KEY
    capabilities = frozenset({CrmCapability.FOLLOWS_MERGES, CrmCapability.REFUSES_KEYS})

    def __init__(
        self, name: str, remote: Remote, client: Client, person_key_property: str, *, clock: Callable[[], datetime] = utc_now
    ) -> None:
        super().__init__(name, remote)
        self._client = client
        self._key = person_key_property
        self._clock = clock

    @classmethod
    def connect(
        cls, name: str, settings: Any, quota_for: QuotaFor, *, transport: httpx.AsyncBaseTransport | None = None
    ) -> Self:
        """Build the adapter; searches have a budget of their own next to the account's."""
        token = settings.token.get_secret_value()
        quota = quota_for(token, settings.limits.windows())
        search_quota = quota_for(f"search {token}", settings.limits.search_windows())
        account = f"crm.{name}"
        remote = Remote(
            account,
            settings.base_url,
            title=cls.title,
            headers={"Authorization": f"Bearer {token}"},
            quota=quota,
            timeout=settings.timeout_seconds,
            interpret=Refusals(account, settings.person_key_property, quota, search_quota).interpret,
            transport=transport,
        )
        made = cls(name, remote, Client(remote, search_quota), settings.person_key_property)
        made.record_settle_seconds = settings.wait_minutes * 60
        return made

    @property
    def _read(self) -> tuple[str, ...]:
        return (*mapping.READ, self._key, *self.kept)

    # ---- look-ups ----

    async def get(self, customer_id: str) -> Customer | None:
        """Read by record id; an id that is not a number cannot be HubSpot's, so nothing is asked."""
        if not (customer_id.isascii() and customer_id.isdigit() and len(customer_id) <= 20):
            return None
        return self._found(await self._client.contact(customer_id, self._read))

    async def by_key(self, person_key: str) -> Customer | None:
        """Read by our unique property; an answer with another key is not believed (`Transient`)."""
        found = self._found(await self._client.contact(person_key, self._read, id_property=self._key))
        if found is not None and found.person_key != person_key:
            raise self.transient("look up a contact by our key: answered with a contact that carries another key")
        return found

    async def by_email(self, email: str) -> list[Customer]:
        """Read by e-mail address; an answer with other addresses is not believed (`Transient`).

        Whether HubSpot keeps an international domain as it was typed is not documented, so both spellings are asked for.
        """
        holders: dict[str, Customer] = {}
        for spelling in contacts.email_spellings(email):
            found = self._found(await self._client.contact(spelling, self._read, id_property="email"))
            if found is None:
                continue
            if not contacts.has_email(found, email):
                raise self.transient("look up a contact by email: answered with a contact that has another address")
            holders[found.id] = found
        return list(holders.values())

    async def by_phone(self, phone: str) -> list[Customer]:
        """Search both phone properties, then compare exactly; the search index lags behind the records."""
        try:
            groups = mapping.phone_search(phone)
        except phonenumbers.NumberParseException:
            raise Rejected("HubSpot: search contacts: the number is not in E.164 form", account=self.remote.account) from None
        found: dict[str, Customer] = {}
        seen, after = 0, None
        for _ in range(SEARCH_PAGES):
            data = (await self._client.search(groups, self._read, after)).data
            results = self._results(data, "search contacts")
            seen += len(results)
            for result in results:
                contact = self._customer(result, "search contacts")
                if not mapping.is_archived(result) and contacts.has_phone(contact, phone):
                    found[contact.id] = contact
            after = mapping.after(data)
            if after is None:
                if isinstance(total := data.get("total"), int) and total > seen:
                    raise self.transient("search contacts: the result was cut short")
                return list(found.values())
        hint = f"More than {SEARCH_PAGES * 100} contacts fit one phone number: clean up in HubSpot, then retry the event."
        raise Lasting("HubSpot: search contacts: the result was cut short", account=self.remote.account, hint=hint)

    # ---- writes ----

    async def create(self, new: NewCustomer, person_key: str, properties: Mapping[str, Value] = NOTHING) -> Customer:
        """Create the contact under our unique key.

        Raises:
            Conflict: HubSpot knows the e-mail address or the key; the winner is named if one contact is seen to carry it.
            AccountPaused: our unique property does not exist.
            Rejected: HubSpot refuses the e-mail address, the key, or a value without naming its property.
        """
        try:
            sent = {**mapping.written(properties), **mapping.properties_of(new), self._key: person_key}
            answer, refused = await self._create(sent, properties)
        except Conflict as conflict:
            raise await self._confirmed(conflict, new.email, person_key) from None
        created = mapping.customer(answer.data, self._key, self.kept)
        if created is None:
            text = f"HubSpot: create a contact: answered {answer.status} without a contact"
            raise UnknownOutcome(text, account=self.remote.account, status=answer.status)
        return created.model_copy(update={"refused": refused})

    async def _create(self, properties: dict[str, str], further: Mapping[str, Value]) -> tuple[Answer, tuple[str, ...]]:
        """Create it; once more without what the account's rules refuse, if the rest still says who it is.

        The second answer is which of our fields were left out.
        """
        try:
            return await self._client.create_contact(properties), ()
        except Rejected as refusal:
            if refusal.fields and not properties.keys() & set(refusal.fields):
                raise  # what was not sent cannot be left out
            kept = contacts.retried(properties, refusal.fields, further)
            if kept == properties or self._key not in kept or not contacts.identifies(properties, kept, mapping.FIELDS):
                raise
            return await self._client.create_contact(kept), mapping.ours([name for name in properties if name not in kept])

    async def _confirmed(self, conflict: Conflict, email: str, person_key: str) -> Conflict:
        """The conflict with a winner that was read and carries the address or the key; an id in a sentence is only a claim."""
        named = await self.get(conflict.winner) if conflict.winner is not None else None
        carried = contacts.shared(named, email, person_key) if named is not None else frozenset()
        found = {named.id: named} if named is not None and carried else await self._holders(email, person_key)
        winner = next(iter(found.values())) if len(found) == 1 else None
        by = conflict.by
        if winner is not None and by not in (carried := contacts.shared(winner, email, person_key)):
            (by,) = carried
        text, account, status = str(conflict), self.remote.account, conflict.status
        return Conflict(text, by=by, winner=winner.id if winner is not None else None, account=account, status=status)

    async def _holders(self, email: str, person_key: str) -> dict[str, Customer]:
        """Whoever carries the address or the key, by fresh reads."""
        by_email = await self.by_email(email) if email.strip() else []
        found = [*by_email, await self.by_key(person_key)]
        return {contact.id: contact for contact in found if contact is not None}

    async def fill(self, customer: Customer, new: NewCustomer, properties: Mapping[str, Value] = NOTHING) -> tuple[str, ...]:
        """Write blanks only. An e-mail address that another contact has, or a field that is refused, is left out."""
        fields = contacts.blanks(customer, new, mapping.FIELDS)
        values = {**mapping.properties_of(new, fields), **mapping.written(properties)}
        try:
            return await self._write(customer.id, values)
        except Conflict as conflict:
            if conflict.by != "email" or "email" not in values:
                raise
            return await self._write(customer.id, {name: value for name, value in values.items() if name != "email"})

    async def _write(self, customer_id: str, values: dict[str, str]) -> tuple[str, ...]:
        if not values:
            return ()
        try:
            answer = await self._client.update_contact(customer_id, values)
        except Rejected as refusal:
            kept = {name: value for name, value in values.items() if name not in refusal.fields}
            if not kept or kept == values:
                raise
            return await self._write(customer_id, kept)
        if answer.status == 404:
            hint = "Somebody deleted it in HubSpot meanwhile; retry the event to find the customer again."
            raise self.rejected("update a contact: the contact is gone", hint)
        return mapping.ours(values)

    async def fields(self) -> Mapping[str, Field]:
        """Read the definitions of all contact properties."""
        what = "list the contact properties"
        data = (await self._client.properties(what)).data
        found = [mapping.field(result) for result in self._results(data, what)]
        return {about.name: about for about in found if about is not None}

    async def users(self) -> Mapping[str, str]:
        """Read who can own contacts; needs the scope `crm.objects.owners.read`."""
        what, after = "list the owners", None
        found: dict[str, str] = {}
        for _ in range(OWNER_PAGES):
            data = (await self._client.owners(what, after)).data
            found |= {str(o["id"]): read_text(o.get("email")) for o in self._results(data, what) if mapping.is_id(o.get("id"))}
            if (after := mapping.after(data)) is None:
                return found
        raise Lasting("HubSpot: list the owners: there are too many", account=self.remote.account, hint="Remove [sync.owner].")

    # ---- appointments ----

    async def record_appointment(self, customer_id: str, appointment: Appointment, marker: str, record_id: str | None) -> str:
        """Keep the appointment as a meeting on the contact's timeline.

        A meeting that a person deleted is not made again: `Rejected`, so that somebody looks. Updates leave the internal
        notes alone, since people write there too.
        """
        if record_id is None:
            properties = mapping.new_meeting(appointment, marker, self._clock())
            return self._record_id(await self._client.create_meeting(properties, customer_id))
        answer = await self._client.update_meeting(record_id, mapping.meeting(appointment))
        if answer.status == 404:
            hint = "Somebody deleted the meeting in HubSpot. Restore it there and retry the event, or discard the event."
            text = "HubSpot: update the appointment: its meeting is gone"
            raise Rejected(text, account=self.remote.account, status=404, hint=hint)
        return record_id

    async def find_appointment(self, customer_id: str, marker: str) -> str | None:
        """Look through the contact's own meetings for the marker; `Transient` when there are too many to be sure."""
        after = None
        for _ in range(MEETING_PAGES):
            answer = await self._client.meetings_of(customer_id, after)
            if self._absent(answer, "list a contact's meetings"):
                return None
            ids = [mapping.associated(result) for result in self._results(answer.data, "list a contact's meetings")]
            # One that is left out might be the meeting, and it would be made a second time.
            if None in ids:
                raise self.transient("list a contact's meetings: answered with something that is not a meeting")
            # One that is associated by two types may be listed twice (seen), and a batch with an id twice is refused (seen).
            if (found := await self._with_marker(list(dict.fromkeys(i for i in ids if i)), marker)) is not None:
                return found
            if (after := mapping.after(answer.data)) is None:
                return None
        hint = f"The contact has more than {MEETING_PAGES * 500} meetings: clean up in HubSpot, then retry the event."
        raise Lasting("HubSpot: list a contact's meetings: there are too many", account=self.remote.account, hint=hint)

    async def _with_marker(self, ids: list[str], marker: str) -> str | None:
        for start in range(0, len(ids), BATCH):
            batch = ids[start : start + BATCH]
            answer = await self._client.read_meetings(batch, ("hs_internal_meeting_notes",))
            if self._absent(answer, "read meetings"):
                continue
            for result in (results := self._results(answer.data, "read meetings")):
                properties = result.get("properties")
                if not isinstance(properties, dict) or not mapping.is_id(result.get("id")):
                    raise self.transient("read meetings: answered with something that is not a meeting")
                if contacts.carries(properties.get("hs_internal_meeting_notes"), marker):
                    return str(result["id"])
            unread = answer.data.get("errors") or []
            if not isinstance(unread, list) or any(
                not isinstance(e, dict) or e.get("category") != "OBJECT_NOT_FOUND" for e in unread
            ):
                raise self.transient("read meetings: some could not be read")
            if not unread and len(results) < len(batch):
                raise self.transient("read meetings: some were left out")
        return None

    # ---- health ----

    async def probe(self) -> None:
        """Read the definition of our unique property: shows in one call that the key works and the property is right."""
        answer = await self._client.property(self._key)
        missing = self._absent(answer, "read a property's definition")
        if missing or answer.data.get("hasUniqueValue") is not True:
            raise self._property_problem(missing)

    def _property_problem(self, missing: bool) -> AccountPaused:
        if missing:
            text, hint = f"the unique contact property {self._key} does not exist", HINT_FIX
        else:
            text = f"the contact property {self._key} exists but is not unique, and HubSpot cannot change that"
            hint = f"Set another person_key_property in [{self.remote.account}], then run `connector check --fix`."
        return AccountPaused(f"HubSpot: {text}", account=self.remote.account, hint=hint)

    async def checks(self) -> list[Check]:
        """Say separately whether our property is right and what may be read; HubSpot does not say what a key may write."""
        found = [
            await self.check("property", f"the unique contact property {self._key} exists", self.probe),
            await self.check("contacts", "contacts can be read", self._read_nothing),
        ]
        if self.records:
            read = partial(self._client.read_meetings, ["0"], ("hs_object_id",))
            found.append(await self.check("meetings", "meetings can be read", read))
        what = "contacts and meetings" if self.records else "contacts"
        return [*found, self.unchecked(f"whether the key may write {what} (scope crm.objects.contacts.write)")]

    async def _read_nothing(self) -> None:
        # Record 0 is nobody's: the answer shows the scope without showing a person.
        await self._client.contact("0", ("hs_object_id",))

    async def fix(self) -> list[str]:
        """Create our unique property if it is missing. Raises AccountPaused with a hint when the key may not do that."""
        if not self._absent(await self._client.property(self._key), "read a property's definition"):
            return []
        answer = await self._client.create_property(
            {
                "name": self._key,
                "label": "Connector person key",
                "description": "Written by connector: keeps one person from becoming two contacts. Do not edit.",
                "groupName": "contactinformation",
                "type": "string",
                "fieldType": "text",
                "hasUniqueValue": True,
            }
        )
        if answer.status == 403:
            hint = f"Give the key of [{self.remote.account}] the scope crm.schemas.contacts.write, then run it again."
            text = "HubSpot: create a property: the key may not do that"
            raise AccountPaused(text, account=self.remote.account, status=403, hint=hint)
        # 409: another process made it a moment ago, which is as good.
        return [] if answer.status == 409 else [f"HubSpot: created the unique contact property {self._key}."]

    # ---- reading answers ----

    def _absent(self, answer: Answer, what: str) -> bool:
        """Whether HubSpot says that there is no such record. A 404 without its error body comes from somebody else."""
        if answer.status != 404:
            if not isinstance(answer.data, dict):
                raise self.transient(f"{what}: answered {answer.status} with something unexpected")
            return False
        if not isinstance(answer.data, dict) or not {"status", "category", "message"} & answer.data.keys():
            raise self.transient(f"{what}: answered 404, but not in HubSpot's format; is base_url right?")
        return True

    def _found(self, answer: Answer) -> Customer | None:
        if self._absent(answer, "look up a contact") or mapping.is_archived(answer.data):
            return None
        return self._customer(answer.data, "look up a contact")

    def _customer(self, data: Any, what: str) -> Customer:
        contact = mapping.customer(data, self._key, self.kept)
        if contact is None:
            raise self.transient(f"{what}: answered with something that is not a contact")
        return contact

    def _results(self, data: Any, what: str) -> list[dict[str, Any]]:
        results = data.get("results") if isinstance(data, dict) else None
        if not isinstance(results, list) or not all(isinstance(result, dict) for result in results):
            raise self.transient(f"{what}: answered without results")
        return results

    def _record_id(self, answer: Answer) -> str:
        identity = answer.data.get("id") if isinstance(answer.data, dict) else None
        if not mapping.is_id(identity):
            text = f"HubSpot: record the appointment: answered {answer.status} without an id"
            raise UnknownOutcome(text, account=self.remote.account, status=answer.status)
        return str(identity)
