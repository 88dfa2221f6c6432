"""Odoo as a CRM: answers truthfully, decides nothing. Who is who is decided in `connector.sync.pipeline`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Self
from weakref import WeakValueDictionary

import httpx
import phonenumbers

from connector.crms.base import CRM, NOTHING, Uniqueness
from connector.crms.odoo import mapping
from connector.crms.odoo.api import EVENT, PARTNER, USERS, Client
from connector.crms.odoo.expiry import KeyExpiry
from connector.crms.odoo.mapping import MODULE
from connector.crms.odoo.protocols import Login, Server
from connector.crms.odoo.refusals import Meaning, Refusals
from connector.crms.odoo.renewal import KeyRenewal
from connector.crms.odoo.settings import OdooSettings
from connector.model.bookings import Appointment
from connector.model.dates import utc_now
from connector.model.errors import AccountPaused, Conflict, Lasting, Rejected, RemoteError, Transient, UnknownOutcome
from connector.model.fields import Value
from connector.model.persons import Customer, NewCustomer
from connector.model.problems import Check
from connector.model.renewed import RenewedSecrets
from connector.remote import contacts
from connector.remote.fields import Field
from connector.remote.http import Remote
from connector.remote.rate_limit import QuotaFor
from connector.remote.values import read_text

#: Contacts that may fit one phone number before the answer counts as cut short.
MOST_HITS = 500
FIELDS = "read the fields of contacts"
RECORD, UPDATE = "record the appointment", "update the appointment"


class Odoo(CRM):
    """One Odoo database. Contacts are made under an external id, which is unique there, so a create cannot happen twice."""

    system = "odoo"
    title = "Odoo"
    settings_model = OdooSettings
    uniqueness = Uniqueness.KEY
    capabilities = frozenset()

    def __init__(
        self,
        name: str,
        remote: Remote,
        client: Client,
        refusals: Refusals,
        login: Login,
        settings: OdooSettings,
        *,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        super().__init__(name, remote)
        self._client = client
        self._refusals = refusals
        self._mobile_field = settings.mobile_field
        self._minutes = settings.appointment_minutes
        self._renewal = KeyRenewal(remote.account, client, login, settings, clock)
        self._expiry = KeyExpiry(remote, client, settings, clock, self._renewal)
        self._clock = clock
        self._fields: dict[str, Any] | None = None
        self._creating: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    @classmethod
    def connect(
        cls, name: str, settings: Any, quota_for: QuotaFor, *, transport: httpx.AsyncBaseTransport | None = None
    ) -> Self:
        """Build the adapter; which API the server has is asked with the first call."""
        key, account = settings.api_key.get_secret_value(), f"crm.{name}"
        refusals = Refusals(account, cls.title)
        remote = Remote(
            account,
            settings.base_url,
            title=cls.title,
            headers={},
            quota=quota_for(key, settings.limits.windows()),
            timeout=settings.timeout_seconds,
            interpret=refusals.interpret,
            transport=transport,
        )
        login = Login(key, settings.database, settings.login)
        client = Client(Server(remote, login, refusals, settings.api), refusals)
        return cls(name, remote, client, refusals, login, settings)

    # ---- look-ups ----

    async def get(self, customer_id: str) -> Customer | None:
        """Read by record id. A contact that was merged away is gone by its id; only its external id leads to the survivor."""
        number = mapping.record_id(customer_id)
        if number is None:
            return None
        found = await self._customers("look up a contact by record id", [["id", "=", number]])
        if found and found[0].id != customer_id:
            raise self.transient("look up a contact by record id: answered with another contact")
        return found[0] if found else None

    async def by_key(self, person_key: str) -> Customer | None:
        """Read by our external id; after a merge that is the survivor. An archived contact is nobody's."""
        number = await self._by_reference(person_key)
        return None if number is None else await self._keyed(number, person_key)

    async def by_email(self, email: str) -> list[Customer]:
        """Read by the address as Odoo normalises it; a contact with several addresses is known by the first."""
        spellings = mapping.email_spellings(email)
        found = await self._customers("look up contacts by email", [["email_normalized", "in", spellings]])
        if any(set(spellings).isdisjoint(contact.emails) for contact in found):
            raise self.transient("look up contacts by email: answered with a contact that has another address")
        return found

    async def by_phone(self, phone: str) -> list[Customer]:
        """Search by the digits of the number, then compare exactly. Odoo searches its records, so nothing lags."""
        mobile, fields = await self._schema()
        try:
            domain = mapping.phone_domain(phone, fields, mobile)
        except phonenumbers.NumberParseException:
            raise self.rejected("search contacts: the number is not in E.164 form", "") from None
        found = await self._customers("search contacts", domain, limit=MOST_HITS + 1)
        if len(found) > MOST_HITS:
            hint = f"More than {MOST_HITS} contacts fit one phone number: clean up in Odoo, then retry the event."
            raise Lasting("Odoo: search contacts: there are too many", account=self.remote.account, hint=hint)
        return [contact for contact in found if contacts.has_phone(contact, phone)]

    async def _by_reference(self, person_key: str) -> int | None:
        what = "look up a contact by our key"
        return await self._client.reference(what, MODULE, mapping.person_reference(person_key), PARTNER)

    async def _keyed(self, number: int, person_key: str) -> Customer | None:
        """The contact to which Odoo led by this very key: it is the key to show, also where a merge left two."""
        found = await self._customers("look up a contact by our key", [["id", "=", number]], keys=False)
        return found[0].model_copy(update={"person_key": person_key}) if found else None

    async def _customers(self, what: str, domain: list[Any], *, limit: int | None = None, keys: bool = True) -> list[Customer]:
        mobile, _ = await self._schema()
        names = [*mapping.READ, mobile] if mobile else list(mapping.READ)
        records, schema = await self._search(what, domain, names, limit)
        ids = [record["id"] for record in records]
        known = await self._client.external_ids(what, PARTNER, ids) if keys and ids else {}
        found = [mapping.customer(record, mobile, known.get(str(record["id"])), schema) for record in records]
        return [contact for contact in found if contact is not None]

    async def _search(
        self, what: str, domain: list[Any], names: list[str], limit: int | None
    ) -> tuple[list[dict[str, Any]], dict[str, Field]]:
        """The records, with the fields of `[sync.fields]`; where one of these is gone, with those that are left.

        The second answer is which of them were read.
        """
        further = await self._further()
        try:
            return await self._client.search(what, PARTNER, domain, [*names, *further], limit=limit), further
        except Rejected:
            self.schema = None
            if (left := await self._further()).keys() == further.keys():
                raise
            return await self._client.search(what, PARTNER, domain, [*names, *left], limit=limit), left

    async def _further(self) -> dict[str, Field]:
        known = await self._known() if self.kept else {}
        return {name: known[name] for name in self.kept if name in known}

    # ---- writes ----

    async def create(self, new: NewCustomer, person_key: str, properties: Mapping[str, Value] = NOTHING) -> Customer:
        """Create the contact under our external id.

        `load` would change a contact that has the id already, so that is looked for first; two creates of one process
        take turns, and of two processes one loses in Odoo's own database.

        Raises:
            Conflict: our key is there already, on the contact that is named.
            Rejected: the contact with our key is archived, or Odoo refuses a value.
            AccountPaused: the right to create contacts is missing.
        """
        lock = self._creating.setdefault(person_key, asyncio.Lock())
        async with lock:
            await self._refuse_second(person_key)
            mobile, _ = await self._schema()
            number, refused = await self._load(new, person_key, mobile, properties)
            try:
                created = await self._keyed(number, person_key)
            except RemoteError as error:
                raise UnknownOutcome(str(error), account=self.remote.account, status=error.status) from None
        if created is None:
            raise UnknownOutcome("Odoo: create a contact: it is not there afterwards", account=self.remote.account)
        return created.model_copy(update={"refused": (*mapping.left_out(new, mobile), *refused)})

    async def _load(
        self, new: NewCustomer, person_key: str, mobile: str | None, properties: Mapping[str, Value]
    ) -> tuple[int, tuple[str, ...]]:
        """Make it; once more without those further fields that are refused, or all of them where none is named.

        The second answer is which of them were left out.
        """
        values = mapping.new_values(new, mobile)
        sent = {**mapping.cells(properties), **values}
        try:
            return await self._load_once(sent, person_key), ()
        except Rejected as refusal:
            kept = contacts.retried(sent, [mapping.cell(name) for name in refusal.fields], mapping.cells(properties))
            if kept == sent or not values.keys() <= kept.keys():
                raise
        return await self._load_once(kept, person_key), tuple(name for name in properties if mapping.cell(name) not in kept)

    async def _load_once(self, values: dict[str, str], person_key: str) -> int:
        reference = f"{MODULE}.{mapping.person_reference(person_key)}"
        try:
            return await self._client.load("create a contact", PARTNER, reference, values)
        except UnknownOutcome:
            raise
        except Transient:
            # Another process may have created it a moment ago.
            await self._refuse_second(person_key)
            raise
        except Rejected:
            await self._demand_right(PARTNER, "create", probe=False)
            raise

    async def _refuse_second(self, person_key: str) -> None:
        number = await self._by_reference(person_key)
        if number is None:
            return
        if await self._keyed(number, person_key) is None:
            hint = f"Restore or delete contact {number} in Odoo: it was made for this client. Then retry the event."
            raise self.rejected("create a contact: the one with our key is archived", hint)
        raise Conflict("Odoo: create a contact: our key is taken", by="key", winner=str(number), account=self.remote.account)

    async def fill(self, customer: Customer, new: NewCustomer, properties: Mapping[str, Value] = NOTHING) -> tuple[str, ...]:
        """Write blanks only. Nothing in Odoo refuses an address that another contact has, so it is looked for first."""
        mobile, _ = await self._schema()
        values = mapping.fill_values(customer, new, mobile)
        if "email" in values and any(other.id != customer.id for other in await self.by_email(new.email)):
            del values["email"]
        number = mapping.record_id(customer.id)
        own = {name: text for name, (text, _) in values.items()}
        ours = tuple(field for _, fields in values.values() for field in fields)
        if number is None or not (own or properties):
            return ()
        try:
            await self._client.write("update a contact", PARTNER, number, {**own, **mapping.written(properties)})
        except Rejected as error:
            if error.status == 404:
                hint = "Somebody deleted it in Odoo meanwhile; retry the event to find the customer again."
                raise self.rejected("update a contact: the contact is gone", hint) from None
            # Which field it is about is only in the text, which is translated.
            if not (own and properties):
                raise
            await self._client.write("update a contact", PARTNER, number, own)
            return ours
        return (*ours, *properties)

    async def fields(self) -> Mapping[str, Field]:
        """Read which fields contacts have, as far as our user sees them."""
        return {name: mapping.field(name, about) for name, about in (await self._client.all_fields(FIELDS, PARTNER)).items()}

    async def users(self) -> Mapping[str, str]:
        """Read the active users who are not only guests of the portal, by e-mail address or else by login."""
        rows = await self._client.search("list the users", USERS, [["share", "=", False]], ["email", "login"])
        return {str(row["id"]): read_text(row.get("email")) or read_text(row.get("login")) for row in rows}

    # ---- appointments ----

    async def record_appointment(self, customer_id: str, appointment: Appointment, marker: str, record_id: str | None) -> str:
        """Keep the appointment as a calendar event that the contact attends; nobody is invited or informed.

        A new one is made under an external id of its own, so that it cannot be made twice. An event that a person deleted
        is not made again: `Rejected` with status 404.
        """
        if record_id is None:
            who = {"partner_ids/.id": str(mapping.record_id(customer_id))}
            values = {**mapping.new_event(appointment, self._minutes, self._clock()), **who}
            return str(await self._record(f"{MODULE}.{mapping.event_reference(marker)}", values))
        number = mapping.record_id(record_id)
        if number is None:
            raise self.rejected("update the appointment: its event has no id of Odoo's", "")
        title = mapping.title(appointment.title or await self._title(number), appointment.status)
        try:
            await self._client.write(UPDATE, EVENT, number, {"name": title, **mapping.event(appointment, self._minutes)})
        except Rejected:
            await self._demand_events(UPDATE)
            raise
        return record_id

    async def _record(self, reference: str, values: dict[str, str]) -> int:
        try:
            return await self._client.load(RECORD, EVENT, reference, values)
        except Rejected:
            await self._demand_events(RECORD)
            raise

    async def _demand_events(self, what: str) -> None:
        """Raise ActionRefused unless there are calendar events, and our user may create them. Contacts go on."""
        try:
            may = await self._client.may(EVENT, "create", probe=False)
        except Rejected:
            raise self._refusals.right(what, "there are no calendar events", Meaning.CALL) from None
        if not may:
            raise self._refusals.right(what, "our user may not create calendar events")

    async def _title(self, number: int) -> Any:
        found = await self._client.search(UPDATE, EVENT, [["id", "=", number]], ["name"], context={"active_test": False})
        return found[0].get("name") if found else ""

    async def find_appointment(self, customer_id: str, marker: str) -> str | None:
        """Find the event by its external id; it counts only if the contact, or whoever it was merged into, attends."""
        what = "look up an appointment"
        number = await self._client.reference(what, MODULE, mapping.event_reference(marker), EVENT)
        if number is None:
            return None
        context = {"active_test": False}
        found = await self._client.search(what, EVENT, [["id", "=", number]], ["partner_ids"], context=context)
        attends = [event.get("partner_ids") for event in found]
        return (
            str(number) if attends and isinstance(attends[0], list) and mapping.record_id(customer_id) in attends[0] else None
        )

    # ---- health ----

    async def probe(self) -> None:
        """Ask for the right to create contacts, and for the field of mobile numbers where one is configured."""
        self.schema = None
        await self._demand_right(PARTNER, "create", probe=True)
        await self._demand_field()

    async def _demand_field(self) -> None:
        if self._mobile_field is not None:
            self._fields = None
            await self._schema(probe=True)

    async def _schema(self, *, probe: bool = False) -> tuple[str | None, dict[str, Any]]:
        """The field of mobile numbers, None where the server has none, and the fields that not every server has."""
        if self._fields is None:
            wanted = ("phone_sanitized", self._mobile_field or "mobile")
            found = dict(await self._client.fields(FIELDS, PARTNER, wanted, probe=probe))
            if self._mobile_field is not None and self._mobile_field not in found:
                hint = f"Run `connector check --fix`, or correct mobile_field in [{self.remote.account}]."
                text = f"Odoo: contacts have no field {self._mobile_field}"
                raise AccountPaused(text, account=self.remote.account, hint=hint)
            self._fields = found
        mobile = self._mobile_field or ("mobile" if "mobile" in self._fields else None)
        return mobile, self._fields

    async def _demand_right(self, model: str, operation: str, *, probe: bool) -> None:
        if not await self._client.may(model, operation, probe=probe):
            text = f"Odoo: our user may not {operation} {'contacts' if model == PARTNER else 'calendar events'}"
            raise AccountPaused(text, account=self.remote.account, status=403, hint=self._refusals.hint(Meaning.RIGHT))

    async def checks(self) -> list[Check]:
        """Say separately whether contacts and events can be read and written, and how long the key lives."""
        found = [await self.check("contacts", "contacts can be read, made and changed", self._demand_contacts)]
        if self.records:
            well = "calendar events can be read, made and changed"
            found.append(await self.check("events", well, lambda: self._demand_rights(EVENT)))
        return [*found, await self._expiry.check()]

    def remember(self, memory: RenewedSecrets) -> None:
        """Go on with a key that was renewed earlier."""
        self._renewal.remember(memory)

    async def renew(self) -> list[str]:
        """Let Odoo make a new API key two weeks before the present one ends."""
        return await self._renewal.run(await self._expiry.ends())

    async def _demand_contacts(self) -> None:
        await self._demand_rights(PARTNER)
        await self._demand_field()

    async def _demand_rights(self, model: str) -> None:
        for operation in ("read", "create", "write"):
            await self._demand_right(model, operation, probe=True)

    async def fix(self) -> list[str]:
        """Create the field of mobile numbers if one is configured and missing. Raises AccountPaused where we may not."""
        field = self._mobile_field
        if field is None or field in await self._client.fields(FIELDS, PARTNER, [field], probe=True):
            return []
        if not field.startswith("x_"):
            hint = f"Only fields that begin with x_ can be made: correct mobile_field in [{self.remote.account}]."
            raise AccountPaused(f"Odoo: contacts have no field {field}", account=self.remote.account, hint=hint)
        try:
            await self._client.create_field(PARTNER, field, "Mobile")
        except AccountPaused as error:
            hint = f"Give the user of [{self.remote.account}] the Settings right while you run it, or make the field by hand."
            raise AccountPaused(str(error), account=self.remote.account, status=error.status, hint=hint) from None
        self._fields = None
        return [f"Odoo: created the field {field} of contacts, for mobile numbers."]
