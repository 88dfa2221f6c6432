"""Salesforce as a CRM: answers truthfully, decides nothing. Who is who is decided in `connector.sync.pipeline`."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, Self

import httpx
import phonenumbers

from connector.crms.base import CRM, NOTHING, Uniqueness
from connector.crms.salesforce import mapping, soql
from connector.crms.salesforce.api import TOKEN, Client, DayCalls
from connector.crms.salesforce.login import login_of
from connector.crms.salesforce.refusals import Gone, Refusals, Similar
from connector.crms.salesforce.settings import SalesforceSettings
from connector.crms.salesforce.setup import Setup
from connector.model.bookings import Appointment
from connector.model.capabilities import CrmCapability
from connector.model.dates import utc_now
from connector.model.errors import (
    Conflict,
    Lasting,
    NeedsReview,
    Rejected,
    RemoteError,
    UnknownOutcome,
)
from connector.model.fields import Value
from connector.model.persons import Customer, NewCustomer
from connector.model.problems import Check
from connector.remote import contacts
from connector.remote.fields import Field
from connector.remote.http import Answer, Remote
from connector.remote.oauth import TokenSource, request_token
from connector.remote.rate_limit import QuotaFor
from connector.remote.values import read_object, read_text

#: Merges of merges that are followed.
MERGES = 10
#: Pages of a query that are read before the answer counts as cut short.
CONTACT_PAGES, EVENT_PAGES = 5, 10
#: Contacts named by a duplicate rule that are looked at.
SIMILAR = 5


class Salesforce(CRM):
    """One Salesforce organisation. Our key is a unique external id there, so a create cannot happen twice."""

    system = "salesforce"
    title = "Salesforce"
    settings_model = SalesforceSettings
    capabilities = frozenset({CrmCapability.FOLLOWS_MERGES, CrmCapability.ALWAYS_OWNED})
    uniqueness = Uniqueness.KEY

    def __init__(
        self,
        name: str,
        remote: Remote,
        client: Client,
        settings: SalesforceSettings,
        *,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        super().__init__(name, remote)
        self._client = client
        self._settings = settings
        self._key = settings.person_key_field
        self._unknown_end = timedelta(minutes=settings.unknown_end_minutes)
        self._setup = Setup(remote.account, client, settings)
        self.record_settle_seconds = settings.wait_minutes * 60
        self._clock = clock

    @classmethod
    def connect(
        cls, name: str, settings: Any, quota_for: QuotaFor, *, transport: httpx.AsyncBaseTransport | None = None
    ) -> Self:
        """Build the adapter; makes no request."""
        account = f"crm.{name}"
        login = login_of(settings, account)
        tokens = TokenSource(lambda probe: request_token(remote, TOKEN, login.form(time.time()), probe=probe, hint=login.hint))
        quota = quota_for(f"{settings.base_url} {settings.client_id}", ())
        remote = Remote(
            account,
            settings.base_url,
            title=cls.title,
            headers={},
            quota=quota,
            timeout=settings.timeout_seconds,
            interpret=Refusals(account, settings.person_key_field, quota, tokens.forget).interpret,
            tokens=tokens,
            transport=transport,
        )
        client = Client(remote, DayCalls(quota, settings.limits.percent_of_day))
        return cls(name, remote, client, settings)

    # ---- look-ups ----

    async def get(self, customer_id: str) -> Customer | None:
        """Read by id, with the recycle bin: a contact that lies there because of a merge names its survivor."""
        record = mapping.whole_id(customer_id)
        for _ in range(MERGES):
            if record is None:
                return None
            rows = await self._contacts("look up a contact by id", soql.equals("Id", record), deleted=True)
            if not rows:
                return None
            if mapping.whole_id(rows[0].get("Id")) != record:
                raise self.transient("look up a contact by id: answered with another contact")
            if not rows[0].get("IsDeleted"):
                return self._customer(rows[0])
            record = mapping.whole_id(rows[0].get("MasterRecordId"))
        raise self.transient("look up a contact by id: too many merges to follow")

    async def by_key(self, person_key: str) -> Customer | None:
        """Read by our unique field; a contact that lost a merge leads to its survivor, which has another key or none."""
        rows = await self._contacts("look up a contact by our key", soql.equals(self._key, person_key), deleted=True)
        found = [self._customer(row) for row in rows]
        if any(contact.person_key != person_key for contact in found):
            raise self.transient("look up a contact by our key: answered with a contact that carries another key")
        for row, contact in zip(rows, found, strict=True):
            if not row.get("IsDeleted"):
                return contact
        masters = dict.fromkeys(master for row in rows if (master := mapping.whole_id(row.get("MasterRecordId"))) is not None)
        for master in masters:
            if (survivor := await self.get(master)) is not None:
                return survivor
        return None

    async def by_email(self, email: str) -> list[Customer]:
        """Read by e-mail address; an international domain is asked for in both spellings."""
        spellings = contacts.email_spellings(email)
        if not spellings[0]:
            return []
        rows = await self._contacts("look up a contact by email", soql.among("Email", spellings))
        found = [self._customer(row) for row in rows]
        if not all(contacts.has_email(contact, email) for contact in found):
            raise self.transient("look up a contact by email: answered with a contact that has another address")
        return found

    async def by_phone(self, phone: str) -> list[Customer]:
        """Read every contact with these digits in this order, however they are written, and compare exactly."""
        try:
            where = soql.digits(mapping.PHONES, mapping.national_number(phone))
        except phonenumbers.NumberParseException:
            raise self.rejected("look up a contact by phone: the number is not in E.164 form", "") from None
        rows = await self._contacts("look up a contact by phone", where)
        return [self._customer(row) for row in rows if mapping.has_phone(row, phone)]

    async def _contacts(self, what: str, where: str, *, deleted: bool = False) -> list[dict[str, Any]]:
        query = soql.select((*mapping.READ, self._key, *await self.readable()), "Contact", where)
        found: list[dict[str, Any]] = []
        async for rows, last in self._client.pages(what, query, deleted=deleted, most=CONTACT_PAGES):
            found += rows
            if last:
                return found
        hint = "More contacts fit than can be read: clean up in Salesforce, then retry the event."
        raise Lasting(f"Salesforce: {what}: the result was cut short", account=self.remote.account, hint=hint)

    # ---- writes ----

    async def create(self, new: NewCustomer, person_key: str, properties: Mapping[str, Value] = NOTHING) -> Customer:
        """Create the contact under our unique key.

        Raises:
            Conflict: a contact has the key, or a duplicate rule names exactly one that has the address.
            NeedsReview: a duplicate rule names other contacts.
            AccountPaused: our key field does not exist, or our user may not write it.
            Rejected: Salesforce refuses what identifies the person, or a value without naming its field.
        """
        fields = {**mapping.written(properties), **mapping.fields_of(new)}
        try:
            answer, refused = await self._create(fields, person_key, properties)
        except Conflict as conflict:
            raise await self._confirmed(conflict, new.email, person_key) from None
        except Similar as similar:
            raise await self._judged(similar, new.email, person_key) from None
        identity = mapping.whole_id(read_object(answer.data).get("id"))
        if answer.status != 201 and (answer.status == 204 or read_object(answer.data).get("created") is not True):
            # Somebody made it under this very key after it was looked for: that contact is the customer.
            taken = Conflict("Salesforce: create a contact: another contact has this key", by="key", winner=identity)
            raise await self._confirmed(taken, new.email, person_key)
        if identity is None:
            text = f"Salesforce: create a contact: answered {answer.status} without a contact"
            raise UnknownOutcome(text, account=self.remote.account, status=answer.status)
        return (await self._made(identity, new, person_key)).model_copy(update={"refused": refused})

    async def _create(
        self, fields: dict[str, Any], person_key: str, further: Mapping[str, Value]
    ) -> tuple[Answer, tuple[str, ...]]:
        """Create it; once more without what the organisation's rules refuse, if the rest still says who it is.

        The second answer is which of our fields were left out.
        """
        try:
            return await self._upsert(fields, person_key), ()
        except Rejected as refusal:
            kept = contacts.retried(fields, refusal.fields, further)
            if kept == fields or isinstance(refusal, Similar) or not contacts.identifies(fields, kept, mapping.FIELDS):
                raise
            return await self._upsert(kept, person_key), mapping.ours([name for name in fields if name not in kept])

    async def _upsert(self, fields: dict[str, Any], person_key: str) -> Answer:
        fixed: dict[str, Any] = {"LastName": self._settings.missing_last_name}
        if self._settings.account_id is not None:
            fixed["AccountId"] = self._settings.account_id
        allow = self._settings.override_duplicate_alerts
        return await self._client.upsert_contact(self._key, person_key, {**fixed, **fields}, allow_save=allow)

    async def _made(self, identity: str, new: NewCustomer, person_key: str) -> Customer:
        """The contact that was made, as Salesforce has it; as it was sent where that cannot be read just now."""
        try:
            found = await self.get(identity)
        except RemoteError:
            found = None
        emails = (new.email,) if new.email else ()
        sent = new.model_dump(exclude={"email"})
        return found or Customer(id=identity, emails=emails, person_key=person_key, **sent)

    async def _confirmed(self, conflict: Conflict, email: str, person_key: str) -> Conflict:
        """The conflict with a winner that was read and carries the address or the key; an id in a sentence is only a claim."""
        named = await self.get(conflict.winner) if conflict.winner is not None else None
        if named is not None and "key" in contacts.shared(named, email, person_key):
            return self._conflict("key", named.id, conflict.status)
        holder = await self.by_key(person_key)
        if holder is None and named is not None and contacts.has_email(named, email):
            return self._conflict("email", named.id, conflict.status)
        return self._conflict("key", holder.id if holder is not None else None, conflict.status)

    async def _judged(self, similar: Similar, email: str, person_key: str) -> Conflict | NeedsReview | Rejected:
        """What a duplicate rule's refusal comes to: exactly one contact that has the address or key, or a question."""
        read = [await self.get(record) for record in similar.records[:SIMILAR]]
        found = {contact.id: contact for contact in read if contact is not None}
        sure = [contact for contact in found.values() if contacts.shared(contact, email, person_key)]
        if len(sure) == 1:
            by = "email" if contacts.has_email(sure[0], email) else "key"
            return self._conflict(by, sure[0].id, similar.status)
        if similar.alerts:
            way = f"set override_duplicate_alerts = true in [{self.remote.account}]"
        else:
            way = "change the rule in Salesforce"
        hint = f"Choose the customer. For a new person, {way} and retry the event."
        if not found:
            return self.rejected("create a contact: a duplicate rule refuses it and names no contact", hint)
        evidence = [f"named by the duplicate rule {similar.rule}" if similar.rule else "named by a duplicate rule"]
        candidates = [{"customer_id": identity, "evidence": evidence} for identity in found]
        return NeedsReview("a duplicate rule of Salesforce refuses a new contact", candidates=candidates, hint=hint)

    def _conflict(self, by: str, winner: str | None, status: int | None) -> Conflict:
        held = "e-mail address" if by == "email" else "key"
        text = f"Salesforce: create a contact: another contact has this {held}"
        return Conflict(text, by=by, winner=winner, account=self.remote.account, status=status)

    async def fill(self, customer: Customer, new: NewCustomer, properties: Mapping[str, Value] = NOTHING) -> tuple[str, ...]:
        """Write blanks only. An e-mail address that another contact has, or a field that is refused, is left out."""
        fields = contacts.blanks(customer, new, mapping.FIELDS)
        # Salesforce itself does not mind two contacts with one address.
        if "email" in fields and any(other.id != customer.id for other in await self.by_email(new.email)):
            fields.remove("email")
        return await self._write(customer.id, {**mapping.fields_of(new, fields), **mapping.written(properties)}, properties)

    async def _write(self, customer_id: str, values: dict[str, Any], further: Mapping[str, Value]) -> tuple[str, ...]:
        if not values:
            return ()
        try:
            await self._client.update_contact(customer_id, values)
        except Gone:
            hint = "Somebody deleted or merged it in Salesforce meanwhile; retry the event to find the customer again."
            raise self.rejected("update a contact: the contact is gone", hint) from None
        except Rejected as refusal:
            kept = contacts.retried(values, refusal.fields, further)
            if not kept or kept == values:
                raise
            return await self._write(customer_id, kept, further)
        return mapping.ours(values)

    async def fields(self) -> Mapping[str, Field]:
        """Read which fields of contacts our user sees."""
        return await self._setup.fields()

    async def users(self) -> Mapping[str, str]:
        """Read the active users, as far as our user sees them."""
        query = soql.select(("Id", "Email"), "User", "IsActive = true")
        found: dict[str, str] = {}
        async for rows, _ in self._client.pages("list the users", query, most=CONTACT_PAGES):
            ids = ((mapping.whole_id(row.get("Id"), mapping.USER), read_text(row.get("Email"))) for row in rows)
            found |= {identity: email for identity, email in ids if identity is not None}
        return found

    # ---- appointments ----

    async def record_appointment(self, customer_id: str, appointment: Appointment, marker: str, record_id: str | None) -> str:
        """Keep the appointment as an event of the contact.

        An event that a person deleted is not made again: `Rejected`, so that somebody looks. Updates leave the description
        alone, since people write there too.
        """
        if record_id is None:
            fields = mapping.new_event(appointment, customer_id, marker, self._clock(), self._unknown_end)
            answer = await self._client.create_event(fields)
            identity = mapping.whole_id(read_object(answer.data).get("id"), mapping.EVENT)
            if identity is None:
                text = f"Salesforce: record the appointment: answered {answer.status} without an id"
                raise UnknownOutcome(text, account=self.remote.account, status=answer.status)
            return identity
        try:
            await self._client.update_event(record_id, mapping.event(appointment, self._unknown_end))
        except Gone:
            hint = "Somebody deleted the event in Salesforce. Restore it there and retry the event, or discard the event."
            text = "Salesforce: update the appointment: its event is gone"
            raise Rejected(text, account=self.remote.account, status=404, hint=hint) from None
        return record_id

    async def find_appointment(self, customer_id: str, marker: str) -> str | None:
        """Look through the contact's own events for the marker, archived ones too; the newest first."""
        what, contact = "list a contact's events", mapping.whole_id(customer_id)
        if contact is None:
            return None
        where = f"{soql.equals('WhoId', contact)} AND IsDeleted = false"
        query = soql.select(("Id", "Description"), "Event", where, " ORDER BY CreatedDate DESC")
        async for rows, last in self._client.pages(what, query, deleted=True, most=EVENT_PAGES):
            for row in rows:
                identity = mapping.whole_id(row.get("Id"), mapping.EVENT)
                # One that is left out might be the event, and it would be made a second time.
                if identity is None:
                    raise self.transient(f"{what}: answered with something that is not an event")
                if contacts.carries(row.get("Description"), marker):
                    return identity
            if last:
                return None
        hint = "The contact has more events than can be read: clean up in Salesforce, then retry the event."
        raise Lasting(f"Salesforce: {what}: there are too many", account=self.remote.account, hint=hint)

    # ---- health ----

    async def probe(self) -> None:
        """Read what contacts have: shows in one call that the credentials work, and our field and rights are right."""
        # A field of [sync.fields] that is gone makes every read fail, until the schema is read again.
        self.schema = None
        await self._setup.probe()

    async def checks(self) -> list[Check]:
        """Say separately whether our field, contacts, person accounts, events and the day's calls are as they should be."""
        return await self._setup.checks(appointments=self.records)

    async def fix(self) -> list[str]:
        """Create our key field and add it to the permission set of our user, as far as either is missing."""
        return await self._setup.fix()

    # ---- reading answers ----

    def _customer(self, row: dict[str, Any]) -> Customer:
        contact = mapping.customer(row, self._key, self._settings.missing_last_name, self.kept)
        if contact is None:
            raise self.transient("look up a contact: answered with something that is not a contact")
        return contact
