"""Tryton as a CRM: answers truthfully, decides nothing. Who is who is decided in `connector.sync.pipeline`."""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping
from typing import Any, Self

import httpx
import phonenumbers

from connector.crms.base import CRM, NOTHING, Uniqueness
from connector.crms.tryton import mapping
from connector.crms.tryton.api import ATTACHMENT, MECHANISM, PARTY, Client
from connector.crms.tryton.refusals import Refusals
from connector.crms.tryton.settings import TrytonSettings
from connector.model.bookings import Appointment
from connector.model.errors import AccountPaused, ActionRefused, Conflict, Lasting, Rejected, UnknownOutcome
from connector.model.fields import Value
from connector.model.persons import Customer, NewCustomer
from connector.model.problems import Check
from connector.remote import contacts
from connector.remote.http import Answer, Remote
from connector.remote.rate_limit import QuotaFor
from connector.remote.values import read_object

#: Records that may fit one question before the answer counts as cut short.
MOST_HITS = 500
#: Parties that replaced one another in a row.
MOST_STEPS = 10
CREATE, FILL = "create a party", "update a party"
RECORD, UPDATE = "record the appointment", "update the appointment"


class Tryton(CRM):
    """One Tryton database. A party is made under our key as its code, which is unique there: a create cannot happen twice."""

    system = "tryton"
    title = "Tryton"
    settings_model = TrytonSettings
    uniqueness = Uniqueness.KEY

    def __init__(self, name: str, remote: Remote, client: Client, refusals: Refusals) -> None:
        super().__init__(name, remote)
        self._client = client
        self._refusals = refusals

    @classmethod
    def connect(
        cls, name: str, settings: Any, quota_for: QuotaFor, *, transport: httpx.AsyncBaseTransport | None = None
    ) -> Self:
        """Build the adapter."""
        key, account = settings.api_key.get_secret_value(), f"crm.{name}"
        refusals = Refusals(account, cls.title)
        remote = Remote(
            account,
            settings.base_url,
            title=cls.title,
            # Texts are never read, but a language is part of Tryton's answer: the same one whoever our user is.
            headers={"Authorization": f"Bearer {key}", "Accept-Language": "en"},
            quota=quota_for(key, settings.limits.windows()),
            timeout=settings.timeout_seconds,
            interpret=refusals.interpret,
            transport=transport,
        )
        made = cls(name, remote, Client(remote, settings.database, refusals), refusals)
        made.record_settle_seconds = settings.wait_minutes * 60
        return made

    # ---- look-ups ----

    async def get(self, customer_id: str) -> Customer | None:
        """Read by record id; of a party that was replaced, the one that replaces it. One that is not active is nobody's."""
        what, number = "look up a party by record id", mapping.record_id(customer_id)
        return None if number is None else await self._living(what, await self._read(what, number))

    async def by_key(self, person_key: str) -> Customer | None:
        """Read by the code. A party that was replaced keeps its code, so that it leads to the one that replaces it."""
        what = "look up a party by our key"
        found = await self._living(what, await self._with_code(what, person_key))
        return None if found is None else found.model_copy(update={"person_key": person_key})

    async def by_email(self, email: str) -> list[Customer]:
        """All active parties that have this address as an active contact mechanism. Tryton searches records: nothing lags."""
        found = await self._customers("look up parties by email", mapping.email_domain(email))
        return [customer for customer, _ in found if contacts.has_email(customer, email)]

    async def by_phone(self, phone: str) -> list[Customer]:
        """All active parties with this number: found by its digits, then compared exactly."""
        what = "search parties"
        try:
            domain = mapping.phone_domain(phone)
        except phonenumbers.NumberParseException:
            raise self._refusals.rejected(what, "the number is not in E.164 form") from None
        found = await self._customers(what, domain)
        return [customer for customer, party in found if contacts.is_phone_among(phone, mapping.numbers(party))]

    async def _customers(self, what: str, domain: list[Any]) -> list[tuple[Customer, dict[str, Any]]]:
        parties = await self._client.search(what, PARTY, domain, mapping.READ, limit=MOST_HITS + 1)
        if len(parties) > MOST_HITS:
            hint = f"More than {MOST_HITS} parties fit one value: clean up in Tryton, then retry the event."
            raise Lasting(f"Tryton: {what}: there are too many", account=self.remote.account, hint=hint)
        pairs = [(mapping.customer(party), party) for party in parties]
        return [(customer, party) for customer, party in pairs if customer is not None]

    async def _read(self, what: str, number: int) -> dict[str, Any] | None:
        """The party with this id, active or not."""
        found = await self._client.search(what, PARTY, [["id", "=", number], mapping.ANY], mapping.READ)
        if found and found[0]["id"] != number:
            raise self._refusals.unclear(what, "answered with another party", writes=False)
        return found[0] if found else None

    async def _with_code(self, what: str, code: str) -> dict[str, Any] | None:
        """The party with this code, active or not."""
        found = await self._client.search(what, PARTY, [["code", "=", code], mapping.ANY], mapping.READ)
        if any(party.get("code") != code for party in found) or len(found) > 1:
            raise self._refusals.unclear(what, "answered with a party that has another code", writes=False)
        return found[0] if found else None

    async def _living(self, what: str, party: dict[str, Any] | None) -> Customer | None:
        """The party, or the one that replaces it at last; None where that is not active."""
        for _ in range(MOST_STEPS):
            if party is None or mapping.is_active(party):
                return mapping.customer(party)
            successor = party.get("replaced_by")
            party = await self._read(what, successor) if type(successor) is int else None
        raise Lasting(f"Tryton: {what}: parties replace one another in a circle", account=self.remote.account)

    # ---- writes ----

    async def create(
        self,
        new: NewCustomer,
        person_key: str,
        properties: Mapping[str, Value] = NOTHING,  # noqa: ARG002 - `[sync.fields]` cannot be written here
    ) -> Customer:
        """Create the party with our key as its code: the database has only one of each.

        A number that Tryton does not take for valid is left out, where the person can still be found by what is left.

        Raises:
            Conflict: our key is there already, on the party that is named.
            Rejected: the party with our key is archived, or Tryton refuses a value.
            ActionRefused: the right to create parties is missing.
        """
        answer, refused = await self._create(new, person_key)
        created = mapping.customer(answer.data)
        if created is None or created.person_key != person_key:
            text = f"Tryton: {CREATE}: answered {answer.status} without the party"
            raise UnknownOutcome(text, account=self.remote.account, status=answer.status)
        return created.model_copy(update={"refused": refused})

    async def _create(self, new: NewCustomer, person_key: str) -> tuple[Answer, tuple[str, ...]]:
        """Create it without what is refused; the second answer is which of our fields were left out."""
        name, values = mapping.name_of(new), mapping.values_of(new)
        kept = values
        while True:
            party = mapping.new_party(name, kept, person_key)
            answer = await self._client.create(CREATE, PARTY, party, mapping.READ)
            if answer.status != 400:
                return answer, tuple(field for field in values if field not in kept)
            refused = mapping.refused_fields(answer.data, kept, party["name"])
            if not refused:
                # A code that is taken is refused as any other value is: the records say which it was.
                await self._refuse_second(person_key)
                await self._demand(CREATE, PARTY, "create", kept)
                raise self._unnamed(CREATE)
            kept = {field: value for field, value in kept.items() if field not in refused}
            if not ("email" in kept if "email" in values else kept):
                raise self._unnamed(CREATE)

    def _unnamed(self, what: str) -> Rejected:
        # A warning that a person must confirm is answered so too (seen).
        hint = "A value breaks a rule of this Tryton: correct it in the booking system, or make the change by hand; then retry."
        return self._refusals.rejected(what, "a value is refused", hint, status=400)

    async def _refuse_second(self, person_key: str) -> None:
        party = await self._with_code(CREATE, person_key)
        if party is None:
            return
        living = await self._living(CREATE, party)
        if living is None:
            hint = f"Activate party {party['id']} in Tryton: it was made for this client. Then retry the event."
            raise self._refusals.rejected(CREATE, "the party with our key is not active", hint)
        raise Conflict(f"Tryton: {CREATE}: our key is taken", by="key", winner=living.id, account=self.remote.account)

    async def fill(
        self,
        customer: Customer,
        new: NewCustomer,
        properties: Mapping[str, Value] = NOTHING,  # noqa: ARG002 - `[sync.fields]` cannot be written here
    ) -> tuple[str, ...]:
        """Write blanks only. Nothing in Tryton refuses an address that another party has, so it is looked for first."""
        number, values = mapping.record_id(customer.id), mapping.fill_values(customer, new)
        if "email" in values and any(other.id != customer.id for other in await self.by_email(new.email)):
            del values["email"]
        while number is not None and values:
            party = mapping.written(values)
            answer = await self._update(FILL, PARTY, number, party, self._gone)
            if answer.status != 400:
                return tuple(values)
            refused = mapping.refused_fields(answer.data, values, party.get("name", customer.first_name))
            if not refused:
                await self._demand(FILL, PARTY, "write", values)
                raise self._unnamed(FILL)
            values = {field: value for field, value in values.items() if field not in refused}
        return ()

    async def _update(
        self, what: str, model: str, number: int, values: Mapping[str, Any], gone: Callable[[], Rejected]
    ) -> Answer:
        """Write, where a 404 is believed only if the record is not among the active ones either."""
        try:
            return await self._client.update(what, model, number, values)
        except Rejected as error:
            if error.status != 404:
                raise
        if await self._client.search(what, model, [["id", "=", number]], ["id"]):
            raise self._refusals.unclear(what, "answered 404 for a record that is there", writes=False)
        raise gone()

    def _gone(self) -> Rejected:
        hint = "Somebody deleted or archived it in Tryton meanwhile; retry the event to find the customer again."
        return self._refusals.rejected(FILL, "the party is gone", hint)

    # ---- appointments ----

    async def record_appointment(self, customer_id: str, appointment: Appointment, marker: str, record_id: str | None) -> str:
        """Keep the appointment as an attachment of the party, without a file: Tryton's own modules have no calendar.

        One that a person deleted is not made again: `Rejected` with status 404.
        """
        if record_id is not None:
            return await self._update_appointment(record_id, appointment, marker)
        values = {"resource": f"{PARTY},{customer_id}", "type": "link", **mapping.attachment(appointment, marker)}
        answer = await self._client.create(RECORD, ATTACHMENT, values, ["id"])
        made = read_object(answer.data).get("id")
        if answer.status == 400:
            await self._demand(RECORD, ATTACHMENT, "create")
            raise self._refusals.rejected(RECORD, "it is refused; is the party still there?", status=400)
        if type(made) is not int:
            raise UnknownOutcome(f"Tryton: {RECORD}: answered without its id", account=self.remote.account)
        return str(made)

    async def _update_appointment(self, record_id: str, appointment: Appointment, marker: str) -> str:
        def gone() -> Rejected:
            return self._refusals.rejected(UPDATE, "its attachment is gone", status=404)

        number = mapping.record_id(record_id)
        if number is None:
            raise gone()
        before = "" if appointment.title else await self._name(UPDATE, number)
        values = mapping.attachment(appointment, marker, before)
        answer = await self._update(UPDATE, ATTACHMENT, number, values, gone)
        if answer.status == 400:
            await self._demand(UPDATE, ATTACHMENT, "write")
            await self._name(UPDATE, number)
            raise self._unnamed(UPDATE)
        return record_id

    async def _name(self, what: str, attachment: int) -> str:
        """The name of an attachment; empty where there is none. Raises ActionRefused where our user is no administrator.

        Whoever is none may search attachments only by the party, and an update begins with a search by id (measured).
        """
        try:
            found = await self._client.search(what, ATTACHMENT, [["id", "=", attachment]], ["name"])
        except ActionRefused:
            raise self._refusals.administrator(what) from None
        return str(found[0].get("name") or "") if found else ""

    async def find_appointment(self, customer_id: str, marker: str) -> str | None:
        """Find the attachment that carries `marker`, at the party or at one that it replaces: there attachments stay."""
        what = "look up an appointment"
        if (number := mapping.record_id(customer_id)) is None:
            return None
        replaced = await self._client.search(what, PARTY, [["replaced_by", "=", number], mapping.ANY], ["id"], limit=MOST_HITS)
        owners = [f"{PARTY},{identity}" for identity in (number, *(party["id"] for party in replaced))]
        domain = [["resource", "in", owners], ["description", "ilike", f"%{contacts.marker_line(marker)}%"]]
        found = await self._client.search(what, ATTACHMENT, domain, ["description"])
        return next((str(one["id"]) for one in found if contacts.carries(one.get("description"), marker)), None)

    # ---- health ----

    async def probe(self) -> None:
        """Ask for the rights to read, create and write parties and their contact mechanisms."""
        await self._demand_customers()

    async def checks(self) -> list[Check]:
        """Say separately whether parties can be read and written, and attachments, where some sync records appointments."""

        async def attachments() -> None:
            await self._demand_all([ATTACHMENT])
            await self._name(UPDATE, 1)

        found = [await self.check("parties", "parties can be read, made and changed", self._demand_customers)]
        if self.records:
            found.append(await self.check("attachments", "attachments can be read, made and changed", attachments))
        return found

    async def _demand_customers(self) -> None:
        await self._demand_all([PARTY, MECHANISM])

    async def _demand_all(self, models: list[str]) -> None:
        rights = await self._client.rights(models, probe=True)
        lacking = [
            f"{right} {model}" for model in models for right in ("read", "create", "write") if not rights[model].get(right)
        ]
        if lacking:
            text = f"Tryton: our user may not {', '.join(lacking)}"
            raise AccountPaused(text, account=self.remote.account, status=403, hint=self._refusals.hint_rights())

    async def _demand(self, what: str, model: str, right: str, values: Container[str] = ()) -> None:
        """After a refusal that may have been for a right: a missing one is refused with 400, as a value is (measured).

        `values` are those of our fields that were sent: contact mechanisms are records of their own.
        """
        needed = {model: right} | ({MECHANISM: "create"} if any(field in values for field in mapping.TYPES) else {})
        rights = await self._client.rights(list(needed), probe=False)
        for one, wanted in needed.items():
            if not rights[one].get(wanted):
                raise self._refusals.right(what, f"our user may not {wanted} {one}")
