"""Dynamics 365 as a CRM: answers truthfully, decides nothing. Who is who is decided in `connector.sync`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, Self

import httpx
import phonenumbers

from connector.crms.base import CRM, NOTHING, Uniqueness
from connector.crms.dynamics import columns, mapping
from connector.crms.dynamics.api import Client
from connector.crms.dynamics.appointments import Appointments
from connector.crms.dynamics.refusals import Changed, DuplicateRule, Gone, Refusals
from connector.crms.dynamics.settings import DynamicsSettings
from connector.crms.dynamics.setup import Setup
from connector.model.bookings import Appointment
from connector.model.capabilities import CrmCapability
from connector.model.dates import utc_now
from connector.model.errors import Conflict, Lasting, Rejected, UnknownOutcome
from connector.model.fields import Value
from connector.model.persons import Customer, NewCustomer
from connector.model.problems import Check
from connector.remote import contacts
from connector.remote.fields import Field
from connector.remote.http import Answer, Remote
from connector.remote.oauth import TokenSource, request_token
from connector.remote.rate_limit import QuotaFor
from connector.remote.values import read_text

#: Merges of merges that are followed.
MERGES = 10
#: How often blanks are looked at again because somebody else wrote to the contact in between.
FILL_ATTEMPTS = 3
ACTIVE = "statecode eq 0"


class Dynamics(CRM):
    """One Dataverse environment. Our key is an alternate key there, so a create cannot happen twice."""

    system = "dynamics"
    title = "Dynamics 365"
    settings_model = DynamicsSettings
    capabilities = frozenset({CrmCapability.FOLLOWS_MERGES, CrmCapability.REFUSES_KEYS, CrmCapability.ALWAYS_OWNED})
    uniqueness = Uniqueness.KEY

    def __init__(
        self, name: str, remote: Remote, client: Client, settings: DynamicsSettings, *, clock: Callable[[], datetime] = utc_now
    ) -> None:
        super().__init__(name, remote)
        self._client = client
        self._settings = settings
        self._key = settings.person_key_field
        self._read = (*mapping.READ, self._key)
        self._appointments = Appointments(remote.account, client, timedelta(minutes=settings.unknown_end_minutes))
        self._setup = Setup(remote.account, client, self._key)
        self._clock = clock

    @classmethod
    def connect(
        cls, name: str, settings: Any, quota_for: QuotaFor, *, transport: httpx.AsyncBaseTransport | None = None
    ) -> Self:
        """Build the adapter; makes no request."""
        account, secret = f"crm.{name}", settings.client_secret.get_secret_value()
        form = {
            "grant_type": "client_credentials",
            "client_id": settings.client_id,
            "client_secret": secret,
            "scope": f"{settings.base_url}/.default",
        }
        address = f"{settings.login_url}/{settings.tenant_id}/oauth2/v2.0/token"
        hint = f"Check tenant_id, client_id, client_secret and base_url in [{account}]; client secrets of Entra ID expire."
        remote = Remote(
            account,
            settings.base_url,
            title=cls.title,
            headers={"OData-Version": "4.0", "OData-MaxVersion": "4.0"},
            quota=quota_for(f"{settings.base_url} {settings.client_id}", settings.limits.windows()),
            timeout=settings.timeout_seconds,
            interpret=Refusals(account, settings.person_key_field).interpret,
            tokens=TokenSource(lambda probe: request_token(remote, address, form, probe=probe, hint=hint)),
            transport=transport,
        )
        client = Client(remote, settings.limits.simultaneous_calls, settings.solution)
        return cls(name, remote, client, settings)

    # ---- look-ups ----

    async def get(self, customer_id: str) -> Customer | None:
        """Read by id. A contact that lost a merge is deactivated and names its master; another deactivated one is gone."""
        row = await self._survivor("look up a contact by id", mapping.guid(customer_id))
        return None if row is None else self._customer(row)

    async def by_key(self, person_key: str) -> Customer | None:
        """Read by our column; a contact that lost a merge leads to its survivor, which has another key or none."""
        what = "look up a contact by our key"
        row = await self._holder(person_key)
        if row is not None and row.get("statecode") != 0:
            row = await self._survivor(what, _master(row))
        return None if row is None else self._customer(row)

    async def by_email(self, email: str) -> list[Customer]:
        """Read by the three e-mail columns; an international domain is asked for in both spellings."""
        spellings = contacts.email_spellings(email)
        if not spellings[0]:
            return []
        condition = f"{mapping.is_any(mapping.EMAILS, spellings)} and {ACTIVE}"
        rows = await self._contacts("look up a contact by e-mail", condition)
        # Dataverse also finds addresses with other accents.
        return [contact for row in rows if contacts.has_email(contact := self._customer(row), email)]

    async def by_phone(self, phone: str) -> list[Customer]:
        """Read every contact with these digits in this order, however they are written, and compare exactly."""
        what = "look up a contact by phone"
        try:
            condition = f"{mapping.has_digits(phone)} and {ACTIVE}"
        except phonenumbers.NumberParseException:
            raise self.rejected(f"{what}: the number is not in E.164 form", "") from None
        rows = await self._contacts(what, condition)
        return [self._customer(row) for row in rows if mapping.has_phone(row, phone)]

    async def _survivor(self, what: str, identity: str | None) -> dict[str, Any] | None:
        """The active contact that this id leads to."""
        for _ in range(MERGES):
            if identity is None:
                return None
            rows = await self._contacts(what, f"contactid eq {identity}")
            if not rows:
                return None
            if mapping.guid(rows[0].get("contactid")) != identity:
                raise self.transient(f"{what}: answered with another contact")
            if rows[0].get("statecode") == 0:
                return rows[0]
            identity = _master(rows[0])
        raise self.transient(f"{what}: too many merges to follow")

    async def _holder(self, person_key: str) -> dict[str, Any] | None:
        """The contact that carries our key, whatever its state."""
        what = "look up a contact by our key"
        rows = await self._contacts(what, mapping.is_any((self._key,), (person_key,)))
        if len(rows) > 1 or any(self._customer(row).person_key != person_key for row in rows):
            raise self.transient(f"{what}: answered with a contact that carries another key, or with several")
        return rows[0] if rows else None

    async def _contacts(self, what: str, condition: str) -> list[dict[str, Any]]:
        rows, whole = await self._client.rows(what, "contacts", (*self._read, *await self.readable()), condition)
        if whole:
            return rows
        hint = "More contacts fit than can be read: clean up in Dynamics, then retry the event."
        raise Lasting(f"Dynamics 365: {what}: the result was cut short", account=self.remote.account, hint=hint)

    # ---- writes ----

    async def create(self, new: NewCustomer, person_key: str, properties: Mapping[str, Value] = NOTHING) -> Customer:
        """Create the contact under our alternate key.

        Raises:
            Conflict: a contact has the key; or one of the environment's own rules refuses it, and exactly one contact has
                the address.
            AccountPaused: our column or its alternate key does not exist, or is not ready.
            Rejected: Dataverse refuses it, or what identifies the person does not fit.
        """
        fields, unfit = mapping.fields_of(new, await self._setup.lengths())
        if not contacts.identifies(_wanted(new), fields, mapping.FIELDS):
            hint = "Correct it in the booking system, then retry the event."
            raise self.rejected("create a contact: what identifies the person is longer than Dynamics allows", hint)
        try:
            fields = {"lastname": self._settings.missing_last_name, **fields}
            answer, refused = await self._create(fields, person_key, properties)
        except Conflict as conflict:
            raise await self._confirmed(conflict, new.email, person_key) from None
        except DuplicateRule as refusal:
            raise await self._judged(refusal, new.email, person_key) from None
        made = self._read_customer(answer.data)
        if made is None or made.person_key != person_key:
            # It was made, and the answer does not show it: look it up.
            text = f"Dynamics 365: create a contact: answered {answer.status} without a contact"
            raise UnknownOutcome(text, account=self.remote.account, status=answer.status)
        return made.model_copy(update={"refused": (*unfit, *refused)})

    async def _create(
        self, fields: dict[str, str], person_key: str, properties: Mapping[str, Value]
    ) -> tuple[Answer, tuple[str, ...]]:
        """Create it; once more without those further columns that are refused, or all of them where none is named.

        The second answer is which of them were left out.
        """
        further = self._written(properties)
        values = {**further, **fields}
        try:
            return await self._create_once(values, person_key), ()
        except DuplicateRule:
            raise
        except Rejected as refusal:
            kept = contacts.retried(values, refusal.fields, further)
            if kept == values or not fields.keys() <= kept.keys():
                raise
        # Perhaps a column was taken away, which would be refused in what is read back too.
        self.schema = None
        left_out = tuple(name for name in properties if columns.bound(name) not in kept)
        return await self._create_once(kept, person_key), left_out

    async def _create_once(self, values: dict[str, Any], person_key: str) -> Answer:
        read, detect = (*self._read, *await self.readable()), self._settings.detect_duplicates
        return await self._client.create_contact(self._key, person_key, values, read, detect_duplicates=detect)

    def _written(self, properties: Mapping[str, Value]) -> dict[str, Any]:
        return columns.written(properties, self.schema or {})

    async def _confirmed(self, conflict: Conflict, email: str, person_key: str) -> Conflict | Rejected:
        """The conflict with a winner that was read and carries the key or the address; an id in a sentence is only a claim."""
        holder = await self._holder(person_key)
        if holder is not None:
            winner = self._customer(holder) if holder.get("statecode") == 0 else await self.by_key(person_key)
            if winner is None:
                hint = (
                    "A deactivated contact carries this person's key: activate it, or empty that column, then retry the event."
                )
                return self.rejected("create a contact: its key is on a deactivated contact", hint)
            return self._conflict("key", winner.id, conflict.status)
        named = await self.get(conflict.winner) if conflict.winner is not None else None
        if named is not None and contacts.has_email(named, email):
            return self._conflict("email", named.id, conflict.status)
        return await self._of_another_rule("another unique key refuses it", conflict.status, email)

    async def _judged(self, refusal: DuplicateRule, email: str, person_key: str) -> Conflict | Rejected:
        """What a duplicate detection rule's refusal comes to; it names nobody, so the contact is looked up."""
        holder = await self.by_key(person_key)
        if holder is not None:
            return self._conflict("key", holder.id, refusal.status)
        return await self._of_another_rule("a duplicate detection rule refuses it", refusal.status, email)

    async def _of_another_rule(self, how: str, status: int | None, email: str) -> Conflict | Rejected:
        same = await self.by_email(email)
        if len(same) == 1:
            return self._conflict("email", same[0].id, status)
        hint = (
            "Find the contact in Dynamics and link the client to it, change the environment's rule, or set"
            f" detect_duplicates = false in [{self.remote.account}]; then retry the event."
        )
        return self.rejected(f"create a contact: {how}, and does not say because of whom", hint)

    async def fill(self, customer: Customer, new: NewCustomer, properties: Mapping[str, Value] = NOTHING) -> tuple[str, ...]:
        """Write blanks only, and only if nobody else wrote to the contact since it was read here.

        An e-mail address that another contact has, or a value that does not fit, is left out.
        """
        fields = contacts.blanks(customer, new, mapping.FIELDS)
        # Dynamics itself does not mind two contacts with one address.
        if "email" in fields and any(other.id != customer.id for other in await self.by_email(new.email)):
            fields.remove("email")
        for attempt in range(1, FILL_ATTEMPTS + 1):
            if not fields:
                return await self._update(customer.id, {}, properties, "*")
            row = await self._row(customer.id)
            fields = [field for field in contacts.blanks(self._customer(row), new, mapping.FIELDS) if field in fields]
            values, _ = mapping.fields_of(new, await self._setup.lengths(), fields)
            fields = [field for field in fields if mapping.FIELDS[field] in values]
            try:
                written = await self._update(customer.id, values, properties, str(row.get("@odata.etag") or "*"))
            except Changed:
                if attempt == FILL_ATTEMPTS:
                    raise
            else:
                return (*fields, *written)
        raise self._gone()

    async def _update(
        self, identity: str, values: Mapping[str, Any], properties: Mapping[str, Value], etag: str
    ) -> tuple[str, ...]:
        """Write both in one call, or without the further columns that are refused; the names of those that were written."""
        sent = {**self._written(properties), **values}
        try:
            if sent:
                await self._client.update_contact(identity, sent, etag)
            return tuple(properties)
        except Gone:
            raise self._gone() from None
        except Rejected as refusal:
            kept = contacts.retried(sent, refusal.fields, properties)
            if not kept or kept == sent:
                raise
        await self._client.update_contact(identity, kept, etag)
        return tuple(name for name in properties if name in kept)

    async def users(self) -> Mapping[str, str]:
        """Read the users who are not disabled."""
        members = ("systemuserid", "internalemailaddress")
        rows, whole = await self._client.rows("list the users", "systemusers", members, "isdisabled eq false")
        if not whole:
            text, hint = "Dynamics 365: list the users: there are too many", "Remove [sync.owner]."
            raise Lasting(text, account=self.remote.account, hint=hint)
        ids = ((mapping.guid(row.get("systemuserid")), read_text(row.get("internalemailaddress"))) for row in rows)
        return {identity: email for identity, email in ids if identity is not None}

    async def fields(self) -> Mapping[str, Field]:
        """Read the columns of contacts."""
        return await columns.read(self._client, self.remote.account)

    async def _row(self, identity: str) -> dict[str, Any]:
        rows = await self._contacts("look up a contact by id", f"contactid eq {identity} and {ACTIVE}")
        if not rows:
            raise self._gone()
        return rows[0]

    def _gone(self) -> Rejected:
        hint = "Somebody deleted, deactivated or merged it meanwhile; retry the event to find the customer again."
        return self.rejected("update a contact: the contact is gone", hint)

    # ---- appointments ----

    async def record_appointment(self, customer_id: str, appointment: Appointment, marker: str, record_id: str | None) -> str:
        """Keep the appointment as an appointment regarding the contact, under an id that follows from the marker.

        One that a person deleted is not made again: `Rejected`, so that somebody looks.
        """
        return await self._appointments.record(customer_id, appointment, marker, record_id, self._clock())

    async def find_appointment(self, customer_id: str, marker: str) -> str | None:
        """Read the appointment whose id follows from the marker, if it is on this contact."""
        return await self._appointments.find(customer_id, marker)

    # ---- health ----

    async def probe(self) -> None:
        """Read the keys of contacts: shows in one call that the credentials work and our key is ready."""
        # A column of [sync.fields] that is gone makes every read fail, until the columns are read again.
        self.schema = None
        await self._setup.probe()

    async def checks(self) -> list[Check]:
        """Say separately whether our key, the columns we write, and our privileges are as they should be."""
        return await self._setup.checks(appointments=self.records)

    async def fix(self) -> list[str]:
        """Create our column and its alternate key, as far as either is missing."""
        return await self._setup.fix()

    # ---- reading answers ----

    def _customer(self, row: dict[str, Any]) -> Customer:
        contact = self._read_customer(row)
        if contact is None:
            raise self.transient("look up a contact: answered with something that is not a contact")
        return contact

    def _read_customer(self, row: Any) -> Customer | None:
        properties = columns.kept(row, self.kept, self.schema or {}) if isinstance(row, dict) else {}
        return mapping.customer(row, self._key, self._settings.missing_last_name, properties)

    def _conflict(self, by: str, winner: str | None, status: int | None) -> Conflict:
        held = "e-mail address" if by == "email" else "key"
        text = f"Dynamics 365: create a contact: another contact has this {held}"
        return Conflict(text, by=by, winner=winner, account=self.remote.account, status=status)


def _master(row: dict[str, Any]) -> str | None:
    """The contact that a merge left; None where the row lost none."""
    return mapping.guid(row.get("_masterid_value")) if row.get("merged") is True else None


def _wanted(new: NewCustomer) -> set[str]:
    return {column for field, column in mapping.FIELDS.items() if str(getattr(new, field)).strip()}
