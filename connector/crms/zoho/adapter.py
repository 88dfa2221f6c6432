"""Zoho CRM as a CRM: answers truthfully, decides nothing. Who is who is decided in `connector.sync`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Self

import httpx
import phonenumbers

from connector.crms.base import CRM, NOTHING, Uniqueness
from connector.crms.zoho import mapping
from connector.crms.zoho.api import TOKEN_SECONDS, TOKENS, Client, unexpected
from connector.crms.zoho.own_fields import OwnFields
from connector.crms.zoho.refusals import Refusals, code_of
from connector.crms.zoho.settings import ZohoSettings
from connector.model.bookings import Appointment
from connector.model.capabilities import CrmCapability
from connector.model.dates import utc_now
from connector.model.errors import Conflict, Lasting, Rejected, UnknownOutcome
from connector.model.fields import Value
from connector.model.persons import Customer, NewCustomer
from connector.model.problems import Check, Topic
from connector.remote import contacts
from connector.remote.fields import Field
from connector.remote.http import Answer, Remote
from connector.remote.rate_limit import QuotaFor, Window
from connector.remote.values import read_object, read_objects, read_text

#: Records in one answer of a query, which costs one credit, and the pages that are read before the answer counts as cut short.
PAGE, PAGES = 200, 5
#: Pages of 200 users.
USER_PAGES = 20
#: Credits left below which `connector check` warns.
FEW_CREDITS = 1_000


class Zoho(CRM):
    """One Zoho CRM organisation. Our key is a unique field of contacts, so a create cannot happen twice."""

    system = "zoho"
    title = "Zoho CRM"
    settings_model = ZohoSettings
    uniqueness = Uniqueness.KEY
    capabilities = frozenset({CrmCapability.ALWAYS_OWNED})

    def __init__(
        self, name: str, remote: Remote, client: Client, settings: ZohoSettings, *, clock: Callable[[], datetime] = utc_now
    ) -> None:
        super().__init__(name, remote)
        self._client = client
        self._key = settings.person_key_field
        self._marker = settings.marker_field
        self._missing = settings.missing_last_name
        self._default = timedelta(minutes=settings.default_minutes)
        self._read = (*mapping.READ, self._key)
        self._clock = clock
        self._own = OwnFields(remote, client, self._key, self._marker)
        self.record_settle_seconds = settings.wait_minutes * 60

    @classmethod
    def connect(
        cls, name: str, settings: Any, quota_for: QuotaFor, *, transport: httpx.AsyncBaseTransport | None = None
    ) -> Self:
        """Build the adapter; the tokens that may be fetched are counted for the refresh token, and outlive a restart."""
        secret = settings.refresh_token.get_secret_value()
        quota = quota_for(secret, settings.limits.windows())
        account = f"crm.{name}"
        key, marker = settings.person_key_field, settings.marker_field
        refusals = Refusals(account, key, (key, marker), quota)
        remote = Remote(
            account,
            settings.api_address,
            title=cls.title,
            headers={},
            quota=quota,
            timeout=settings.timeout_seconds,
            interpret=refusals.interpret,
            transport=transport,
        )
        tokens = quota_for(f"tokens {secret}", (Window(TOKENS, TOKEN_SECONDS),))
        return cls(name, remote, Client(remote, refusals, settings, tokens), settings)

    # ---- look-ups ----

    async def get(self, customer_id: str) -> Customer | None:
        """Read by record id; an id that is not a number cannot be Zoho's, so nothing is asked.

        A contact that was merged into another one reads as gone: Zoho does not say which one goes on.
        """
        if not mapping.is_id(customer_id):
            return None
        further = await self.readable()
        record = await self._record("Contacts", customer_id, (*self._read, *further))
        return None if record is None else self._customer(record, "read a contact", further)

    async def by_key(self, person_key: str) -> Customer | None:
        """Query by our unique field; an answer with another key is not believed (`Transient`)."""
        what = "look up a contact by our key"
        found = await self._contacts(what, f"{self._key} = {mapping.quoted(person_key)}")
        if len(found) > 1 or any(contact.person_key != person_key for contact in found):
            raise unexpected(self.remote, what, "answered with a contact that carries another key, or with several")
        return found[0] if found else None

    async def by_email(self, email: str) -> list[Customer]:
        """Query both e-mail fields; an answer with other addresses is not believed (`Transient`).

        Raises Rejected for an address that cannot stand in a query.
        """
        what = "look up a contact by e-mail"
        if not email.strip():
            return []
        values = self._values(what, contacts.email_spellings(email))
        found = await self._contacts(what, f"(Email in ({values}) or Secondary_Email in ({values}))")
        if not all(contacts.has_email(contact, email) for contact in found):
            raise unexpected(self.remote, what, "answered with a contact that has another address")
        return found

    async def by_phone(self, phone: str) -> list[Customer]:
        """Query both phone fields for the ways in which people write the number, then compare exactly."""
        what = "look up a contact by phone"
        try:
            values = self._values(what, mapping.phone_spellings(phone))
        except phonenumbers.NumberParseException:
            raise self._rejected(what, "the number is not in E.164 form") from None
        found = await self._contacts(what, f"(Mobile in ({values}) or Phone in ({values}))")
        return [contact for contact in found if contacts.has_phone(contact, phone)]

    # ---- writes ----

    async def create(self, new: NewCustomer, person_key: str, properties: Mapping[str, Value] = NOTHING) -> Customer:
        """Create the contact under our unique key.

        Raises:
            Conflict: a contact with the key, or with an e-mail address that the account keeps unique, is there already; the
                winner is named if one contact is seen to carry it.
            AccountPaused: our unique field does not exist.
            Rejected: Zoho refuses a value that is needed to find the contact again.
        """
        values = {"Last_Name": self._missing, **mapping.written(properties), **mapping.values_of(new), self._key: person_key}
        try:
            result, values, refused = await self._create(values)
            details = read_object(result.get("details"))
            if result.get("action") == "update" and mapping.is_id(details.get("id")):
                by = "email" if result.get("duplicate_field") == "Email" else "key"
                text = f"Zoho CRM: create a contact: a contact with this {by} was there already"
                raise Conflict(text, by=by, winner=str(details["id"]), account=self.remote.account)
        except Conflict as conflict:
            raise await self._confirmed(conflict, new.email, person_key) from None
        times = {name: details.get(name) for name in ("Created_Time", "Modified_Time")}
        created = mapping.customer({**values, **times, "id": details.get("id")}, self._key, self._missing, self.kept)
        if created is None or result.get("action") != "insert":
            raise UnknownOutcome("Zoho CRM: create a contact: the result says too little", account=self.remote.account)
        return created.model_copy(update={"refused": refused})

    async def _create(self, values: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any], tuple[str, ...]]:
        """Create it; once more without what the account's rules refuse, if the rest still says who it is.

        Returns the result, what was written, and which of our fields were left out.
        """
        try:
            return await self._client.upsert_contact(values, self._key), values, ()
        except Rejected as refusal:
            kept = {"Last_Name": self._missing} | {n: v for n, v in values.items() if n not in refusal.fields}
            if kept == values or self._key not in kept or not contacts.identifies(values, kept, mapping.FIELDS):
                raise
            left_out = mapping.ours(name for name in values if kept.get(name) != values[name])
            return await self._client.upsert_contact(kept, self._key), kept, left_out

    async def _confirmed(self, conflict: Conflict, email: str, person_key: str) -> Conflict:
        """The conflict with a winner that was read and carries the address or the key; an id in a refusal is only a claim."""
        winner = await self.get(conflict.winner) if conflict.winner is not None else None
        if winner is None or not contacts.shared(winner, email, person_key):
            winner = await self._holder(email, person_key)
        by = conflict.by
        if winner is not None and by not in (carried := contacts.shared(winner, email, person_key)):
            (by,) = carried
        text, account, status = str(conflict), self.remote.account, conflict.status
        return Conflict(text, by=by, winner=winner.id if winner is not None else None, account=account, status=status)

    async def _holder(self, email: str, person_key: str) -> Customer | None:
        """Who carries our key, or else the only one who carries the address, by fresh reads."""
        keyed = await self.by_key(person_key)
        if keyed is not None:
            return keyed
        found = await self.by_email(email)
        return found[0] if len(found) == 1 else None

    async def fill(self, customer: Customer, new: NewCustomer, properties: Mapping[str, Value] = NOTHING) -> tuple[str, ...]:
        """Write blanks only. An e-mail address that another contact has, or a field that is refused, is left out."""
        fields = contacts.blanks(customer, new, mapping.FIELDS)
        if "email" in fields and any(other.id != customer.id for other in await self.by_email(new.email)):
            fields.remove("email")
        values = {**mapping.values_of(new, fields), **mapping.written(properties)}
        while values:
            try:
                await self._client.update("update a contact", "Contacts", customer.id, values)
            except Conflict as conflict:
                refused: tuple[str, ...] = ("Email",) if conflict.by == "email" else ()
                if not set(refused) & set(values):
                    raise
            except Rejected as refusal:
                refused = refusal.fields
                if not set(refused) & set(values):
                    raise await self._gone(
                        refusal, "Contacts", customer.id, "update a contact", "the contact is gone"
                    ) from None
            else:
                return mapping.ours(values)
            values = {name: value for name, value in values.items() if name not in refused}
        return ()

    async def fields(self) -> Mapping[str, Field]:
        """Read the definitions of the fields of contacts."""
        return await self._own.of_contacts()

    async def users(self) -> Mapping[str, str]:
        """Read the active users; needs the scope `ZohoCRM.users.READ`."""
        found: dict[str, str] = {}
        for page in range(1, USER_PAGES + 1):
            data = read_object((await self._client.users(page)).data)
            users = read_objects(data.get("users"))
            found |= {str(one["id"]): read_text(one.get("email")) for one in users if mapping.is_id(one.get("id"))}
            if read_object(data.get("info")).get("more_records") is not True:
                return found
        raise Lasting("Zoho CRM: list the users: there are too many", account=self.remote.account, hint="Remove [sync.owner].")

    # ---- appointments ----

    async def record_appointment(self, customer_id: str, appointment: Appointment, marker: str, record_id: str | None) -> str:
        """Keep the appointment as an event (Zoho's word for a meeting) on the contact.

        Nobody is invited. An event that a person deleted is not made again: `Rejected`, so that somebody looks.
        """
        if record_id is not None:
            return await self._update_event(record_id, appointment)
        await self._own.require_marker()
        values = mapping.new_event(appointment, customer_id, self._clock(), self._default) | {self._marker: marker}
        try:
            result = await self._client.create_event(values)
        except Rejected as refusal:
            # Only where somebody made the marker's field unique: then the event is there already.
            found = await self.find_appointment(customer_id, marker) if self._marker in refusal.fields else None
            if found is None:
                raise
            return await self._update_event(found, appointment)
        identity = read_object(result.get("details")).get("id")
        if not mapping.is_id(identity):
            raise UnknownOutcome("Zoho CRM: record the appointment: the result has no id", account=self.remote.account)
        return str(identity)

    async def _update_event(self, record_id: str, appointment: Appointment) -> str:
        what = "update the appointment"
        try:
            await self._client.update(what, "Events", record_id, mapping.event(appointment, self._default))
        except Rejected as refusal:
            raise await self._gone(refusal, "Events", record_id, what, "its event is gone") from None
        return record_id

    async def find_appointment(self, customer_id: str, marker: str) -> str | None:
        """Query the events for the marker; one that is on another contact is not this customer's."""
        what = "look up an event by its marker"
        where = f"{self._marker} = {mapping.quoted(marker)}"
        found = await self._query(what, "Events", ("id", "Who_Id", self._marker), where)
        if any(not mapping.is_id(event.get("id")) or event.get(self._marker) != marker for event in found):
            raise unexpected(self.remote, what, "answered with something that is not our event")
        # On no contact: somebody took it off; it is ours all the same.
        own = [str(event["id"]) for event in found if mapping.holder_of(event) in (None, customer_id)]
        return min(own, key=int) if own else None

    async def _gone(self, refusal: Rejected, module: str, identity: str, what: str, how: str) -> Rejected:
        """The refusal of an update; if it is the record that is wrong, and it is not there, in words that say so."""
        if set(refusal.fields) - {"id"} or await self._record(module, identity, ("id",)) is not None:
            return refusal
        hint = "Somebody deleted it in Zoho, or merged it. Restore it there and retry the event, or discard the event."
        return Rejected(f"Zoho CRM: {what}: {how}", account=self.remote.account, status=404, hint=hint)

    # ---- health ----

    async def probe(self) -> None:
        """Read the fields of contacts: shows in one call that the token works and our unique field is right."""
        # A field of [sync.fields] that is gone makes every query fail, until the schema is read again.
        self.schema = None
        await self._own.require_key()

    async def checks(self) -> list[Check]:
        """Say separately whether our fields are right, and whether contacts and events may be queried.

        Zoho does not say what a token may write.
        """
        found = [await self.check("key", f"the unique field {self._key} of contacts exists", self.probe)]
        if found[0].level == "ok":
            found.append(await self.check("contacts", "contacts can be queried", lambda: self.by_key("0" * 64)))
        if self.records:
            marker = await self.check("marker", f"the field {self._marker} of events exists", self._own.look_at_marker)
            found.append(marker)
            if marker.level == "ok":
                found.append(await self.check("events", "events can be queried", lambda: self.find_appointment("0", "0" * 64)))
        scopes = "ZohoCRM.modules.contacts.ALL" + (" and ZohoCRM.modules.events.ALL" if self.records else "")
        found.append(self.unchecked(f"whether the token may write (scopes {scopes})"))
        left = self._client.credits_left
        if left is not None and left < FEW_CREDITS:
            text = f"Zoho CRM: {left} credits are left of the last 24 hours'"
            hint = "Events wait when there are none. Look for other programs that use the account, or buy credits."
            found.append(Check(topic=Topic(self.remote.account, "credits"), level="warning", message=text, hint=hint))
        return found

    async def fix(self) -> list[str]:
        """Make our two fields where they are missing. Raises AccountPaused with a hint when the token may not do that."""
        return await self._own.make()

    # ---- reading answers ----

    async def _record(self, module: str, identity: str, fields: Sequence[str]) -> dict[str, Any] | None:
        """One record; None where Zoho says that there is none: with an empty answer, or by calling the id invalid."""
        answer = await self._client.record(module, identity, fields)
        if answer.status == 204 or self._is_absent(answer):
            return None
        records = answer.data.get("data") if answer.status == 200 and isinstance(answer.data, dict) else None
        if not isinstance(records, list) or len(records) != 1 or str(read_object(records[0]).get("id")) != identity:
            how = f"answered {answer.status} ({code_of(answer.data) or 'no code'}), not with the record; is base_url right?"
            raise unexpected(self.remote, f"read a record of {module}", how)
        return read_object(records[0])

    def _is_absent(self, answer: Answer) -> bool:
        """Whether an error says that there is no such record; one about a parameter says nothing of the kind."""
        details = read_object(read_object(answer.data).get("details"))
        return answer.status in (400, 404) and code_of(answer.data) == "INVALID_DATA" and "param_name" not in details

    async def _contacts(self, what: str, where: str) -> list[Customer]:
        further = await self.readable()
        try:
            records = await self._query(what, "Contacts", ("id", *self._read, *further), where)
        except Rejected as refusal:
            # Perhaps a field of [sync.fields] was taken away meanwhile.
            self.schema = None
            present = await self.readable()
            if present == further:
                raise refusal from None
            records, further = await self._query(what, "Contacts", ("id", *self._read, *present), where), present
        return list({c.id: c for record in records for c in [self._customer(record, what, further)]}.values())

    async def _query(self, what: str, module: str, columns: Sequence[str], where: str) -> list[dict[str, Any]]:
        """All records that fit, page by page; an answer that was cut short is no answer."""
        found: list[dict[str, Any]] = []
        for page in range(PAGES):
            answer = await self._client.query(what, mapping.select(columns, module, where, limit=PAGE, offset=page * PAGE))
            if answer.status == 204:
                return found
            records = answer.data.get("data") if isinstance(answer.data, dict) else None
            if not isinstance(records, list) or not all(isinstance(record, dict) for record in records):
                raise unexpected(self.remote, what, "answered without records")
            found += records
            if read_object(answer.data.get("info")).get("more_records") is not True:
                return found
        hint = f"More than {PAGES * PAGE} records fit: clean up in Zoho, then retry the event."
        raise Lasting(f"Zoho CRM: {what}: there are too many", account=self.remote.account, hint=hint)

    def _customer(self, record: dict[str, Any], what: str, further: Sequence[str]) -> Customer:
        # Whether a query answers an empty field at all is not documented.
        whole = {**dict.fromkeys(further), **record}
        contact = mapping.customer(whole, self._key, self._missing, further)
        if contact is None:
            raise unexpected(self.remote, what, "answered with something that is not a contact")
        return contact

    def _values(self, what: str, values: Sequence[str]) -> str:
        try:
            return ", ".join(mapping.quoted(value) for value in values)
        except ValueError:
            raise self._rejected(what, "the value has a character that cannot stand in a query") from None

    def _rejected(self, what: str, how: str) -> Rejected:
        hint = "Correct it in the booking system, then retry the event."
        return self.rejected(f"{what}: {how}", hint)
