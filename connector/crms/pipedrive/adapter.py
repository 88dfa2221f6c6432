"""Pipedrive as a CRM. Nothing is unique there: an earlier create is found by our marker in the list of newest persons."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any, Self

import httpx
import phonenumbers

from connector.crms.base import CRM, NOTHING, Uniqueness
from connector.crms.pipedrive import mapping, own_fields
from connector.crms.pipedrive.api import Client
from connector.crms.pipedrive.own_fields import OwnFields
from connector.crms.pipedrive.refusals import Refusals
from connector.crms.pipedrive.settings import PipedriveSettings
from connector.crms.pipedrive.window import Window
from connector.model.bookings import Appointment
from connector.model.capabilities import CrmCapability
from connector.model.errors import AccountPaused, Conflict, Lasting, Rejected, RemoteError, UnknownOutcome
from connector.model.fields import Value
from connector.model.persons import Customer, NewCustomer
from connector.model.problems import Check
from connector.remote import contacts
from connector.remote.fields import Field
from connector.remote.http import Answer, Remote
from connector.remote.rate_limit import QuotaFor
from connector.remote.values import read_object

#: Pages of 500 that are read before an answer counts as cut short.
PAGES = 10
#: Persons that a search may find before somebody has to tidy up.
MOST_FOUND = 100
#: The risk that stays, as `connector check` says it.
RESIDUAL = "Pipedrive does not refuse a second person: another program may add one, and so may a create that arrives very late"
HINT_FIX = "Run `connector check --fix --config FILE`; nothing is lost, events wait and continue by themselves."


class Pipedrive(CRM):
    """One Pipedrive company."""

    system = "pipedrive"
    title = "Pipedrive"
    settings_model = PipedriveSettings
    uniqueness = Uniqueness.NONE
    #: Only a marker that went over to the survivor leads there.
    capabilities = frozenset({CrmCapability.ALWAYS_OWNED})

    def __init__(self, name: str, remote: Remote, client: Client, settings: PipedriveSettings) -> None:
        super().__init__(name, remote)
        self._client = client
        self._settings = settings
        self.settle_seconds = self.record_settle_seconds = settings.wait_minutes * 60
        self._window = Window(settings.window_minutes)
        self._field = ""
        self._own = OwnFields()
        self._creating = asyncio.Lock()

    @classmethod
    def connect(
        cls, name: str, settings: Any, quota_for: QuotaFor, *, transport: httpx.AsyncBaseTransport | None = None
    ) -> Self:
        """Build the adapter; searches and the day's tokens have budgets of their own."""
        token = settings.token.get_secret_value()
        limits = settings.limits
        quota = quota_for(token, limits.windows())
        account = f"crm.{name}"
        remote = Remote(
            account,
            settings.base_url,
            title=cls.title,
            headers={"x-api-token": token},
            quota=quota,
            timeout=settings.timeout_seconds,
            interpret=Refusals(account, quota).interpret,
            transport=transport,
        )
        searches = quota_for(f"search {token}", limits.search_windows())
        client = Client(remote, searches, quota_for(f"tokens {token}", limits.token_windows()))
        return cls(name, remote, client, settings)

    # ---- look-ups ----

    async def get(self, customer_id: str) -> Customer | None:
        """Read by record id. A deleted person whose marker another one carries now was merged into that one."""
        if not mapping.is_id(customer_id) or not customer_id.isascii():
            return None
        field = await self._marker()
        person = await self._person(customer_id)
        if person is None:
            return None
        found = self._customer(person, field, "read a person")
        if person.get("is_deleted") is not True:
            return found
        return await self.by_key(found.person_key) if found.person_key else None

    async def by_key(self, person_key: str) -> Customer | None:
        """The person who carries our key: among the newest, or by the search where it is older than the search is late.

        Raises Lasting where several carry it.
        """
        field = await self._marker()

        def carries(person: dict[str, Any]) -> bool:
            return read_object(person.get("custom_fields")).get(field) == person_key

        found = [person async for person in self._newest(field) if carries(person)]
        if not found:
            found = await self._searched([(person_key, True)], "custom_fields", carries)
        if len(found) > 1:
            hint = "Merge the persons that have the same connector key in Pipedrive, then retry the event."
            raise Lasting("Pipedrive: several persons carry one key", account=self.remote.account, hint=hint)
        return self._customer(found[0], field, "look up a person by our key") if found else None

    async def by_email(self, email: str) -> list[Customer]:
        """All persons with this address: the newest from their list, the older ones by the search, each read again."""
        return await self._with([(email, True)], "email", lambda person: mapping.has_email(person, email))

    async def by_phone(self, phone: str) -> list[Customer]:
        """All persons with this number, compared exactly; found as those by e-mail address are."""
        try:
            terms = mapping.phone_terms(phone)
        except phonenumbers.NumberParseException:
            raise Rejected("Pipedrive: search persons: the number is not in E.164 form", account=self.remote.account) from None
        return await self._with(terms, "phone", lambda person: mapping.has_phone(person, phone))

    async def _with(self, terms: Any, among: str, fits: Callable[[dict[str, Any]], bool]) -> list[Customer]:
        field = await self._marker()
        found = [person async for person in self._newest(field) if fits(person)]
        found += await self._searched(terms, among, fits)
        customers = [self._customer(person, field, "look up persons") for person in found]
        return list({customer.id: customer for customer in customers}.values())

    async def _newest(self, field: str) -> AsyncIterator[dict[str, Any]]:
        """The living persons changed within the window: a read of the records, not of the search index."""
        since = self._window.since
        what, fields = "list the newest persons", list(dict.fromkeys((field, *self._own.codes(self.kept).values())))
        async for person in self._pages(what, lambda cursor: self._client.persons_since(since, fields, cursor)):
            if person.get("is_deleted") is not True:
                yield person

    async def _searched(self, terms: Any, among: str, fits: Callable[[dict[str, Any]], bool]) -> list[dict[str, Any]]:
        """Those that the search finds, read afresh: what the index says of them may be old."""
        ids: dict[str, None] = {}
        for term, exact in terms:
            async for found in self._pages("search persons", self._search(term, among, exact)):
                item = read_object(found.get("item"))
                if not mapping.is_id(item.get("id")):
                    raise self.transient("search persons: answered with something that is not a person")
                ids[str(item["id"])] = None
        if len(ids) > MOST_FOUND:
            hint = f"More than {MOST_FOUND} persons fit one value: clean up in Pipedrive, then retry the event."
            raise Lasting("Pipedrive: search persons: too many fit", account=self.remote.account, hint=hint)
        read = [await self._person(identity) for identity in ids]
        return [person for person in read if person is not None and person.get("is_deleted") is not True and fits(person)]

    def _search(self, term: str, among: str, exact: bool) -> Callable[[str | None], Awaitable[Answer]]:
        return lambda cursor: self._client.search(term, among, exact=exact, cursor=cursor)

    # ---- writes ----

    async def create(self, new: NewCustomer, person_key: str, properties: Mapping[str, Value] = NOTHING) -> Customer:
        """Create with our marker, after a look at the newest persons; one create at a time, so that ours never race.

        Raises:
            Conflict: one of the newest persons carries the key, or the address.
            AccountPaused: our field does not exist.
        """
        field = await self._marker(fresh=True)
        async with self._creating:
            await self._refuse_second(new.email, person_key, field)
            answer, refused = await self._create(mapping.new_person(new, field, person_key), properties)
        data = await self._with_own(read_object(self._data(answer)), field)
        created = mapping.customer(data, field, self._own.read(data, self.kept))
        if created is None or created.person_key != person_key:
            text = f"Pipedrive: create a person: answered {answer.status} without the person"
            raise UnknownOutcome(text, account=self.remote.account, status=answer.status)
        return created.model_copy(update={"refused": refused})

    async def _with_own(self, data: dict[str, Any], field: str) -> dict[str, Any]:
        """The new person; read once more where the answer has no fields of the company's own, as in the vendor's example."""
        if field in read_object(data.get("custom_fields")) or not mapping.is_id(data.get("id")):
            return data
        try:
            return await self._person(str(data["id"])) or {}
        except RemoteError:
            # The person was made all the same: the caller says that it is unknown.
            return {}

    async def _create(self, values: dict[str, Any], properties: Mapping[str, Value]) -> tuple[Answer, tuple[str, ...]]:
        """Create it; once more without further fields where it is refused with them: the refusal does not name a field.

        The second answer is which of them were left out.
        """
        try:
            return await self._client.create_person(self._own.added(values, properties, self.owner_field)), ()
        except Rejected:
            if not properties:
                raise
            return await self._client.create_person(values), tuple(properties)

    async def _refuse_second(self, email: str, person_key: str, field: str) -> None:
        """What Pipedrive does not do itself. Older persons were looked for by `by_key` and `by_email` before."""
        newest = [person async for person in self._newest(field)]
        same_key = [p for p in newest if read_object(p.get("custom_fields")).get(field) == person_key]
        same_email = [p for p in newest if mapping.has_email(p, email)]
        for by, found in (("key", same_key), ("email", same_email)):
            if found:
                winner = str(found[0].get("id")) if len(found) == 1 else None
                text = f"Pipedrive: create a person: another person has this {by}"
                raise Conflict(text, by=by, winner=winner, account=self.remote.account)

    async def fill(self, customer: Customer, new: NewCustomer, properties: Mapping[str, Value] = NOTHING) -> tuple[str, ...]:
        """Write blanks only, on the person as it is now: lists of addresses and phones are sent whole."""
        field = await self._marker()
        own = {"custom_fields": self._own.written(properties)} if properties else {}
        if not contacts.blanks(customer, new, mapping.FIELDS):
            await self._write(customer.id, own)
            return tuple(properties)
        person = await self._person(customer.id)
        current = mapping.customer(person, field) if person is not None else None
        if person is None or current is None or person.get("is_deleted") is True:
            raise self._gone("update a person: the person is gone", "the person")
        fields = contacts.blanks(current, new, mapping.FIELDS)
        if "email" in fields and await self.by_email(new.email):
            # It belongs to somebody else.
            fields.remove("email")
        values = mapping.filled(person, current, new, fields)
        try:
            await self._write(customer.id, {**values, **own})
        except Rejected as refusal:
            if refusal.status == 404 or not (values and own):
                raise
            await self._write(customer.id, values)
            return tuple(fields)
        return (*fields, *properties)

    async def _write(self, customer_id: str, values: dict[str, Any]) -> None:
        answer = await self._client.update_person(customer_id, values) if values else None
        if answer is not None and answer.status == 404:
            raise self._gone("update a person: the person is gone", "the person")

    async def users(self) -> Mapping[str, str]:
        """Read the company's active users."""
        return own_fields.users([one async for one in self._pages("list the users", lambda _: self._client.users())])

    async def fields(self) -> Mapping[str, Field]:
        """Read the definitions of the company's own fields of persons."""
        await self._definitions(probe=False)
        return self._own.schema

    # ---- appointments ----

    async def record_appointment(self, customer_id: str, appointment: Appointment, marker: str, record_id: str | None) -> str:
        """Keep the appointment as an activity of the person. One that somebody deleted is not made again: `Rejected`."""
        if record_id is None:
            values = mapping.new_activity(appointment, self._settings.activity_type, customer_id, marker)
            return self._record_id(await self._client.create_activity(values))
        current = self._found(await self._client.activity(record_id), "read an activity")
        if current is None or current.get("is_deleted") is True:
            raise self._gone("update the appointment: its activity is gone", "the activity")
        answer = await self._client.update_activity(record_id, mapping.activity(appointment, str(current.get("subject") or "")))
        if answer.status == 404:
            raise self._gone("update the appointment: its activity is gone", "the activity")
        return record_id

    async def find_appointment(self, customer_id: str, marker: str) -> str | None:
        """Look through the activities of which the person is the primary participant."""
        what = "list a person's activities"
        async for found in self._pages(what, lambda cursor: self._client.activities_of(customer_id, cursor)):
            if not mapping.is_id(found.get("id")):
                raise self.transient(f"{what}: answered with something that is not an activity")
            if found.get("is_deleted") is not True and contacts.carries(found.get("note"), marker):
                return str(found["id"])
        return None

    # ---- health ----

    async def probe(self) -> None:
        """Read the fields' definitions: shows that the token works and that our field is there, once."""
        self.schema = None
        await self._marker(fresh=True, probe=True)

    async def checks(self) -> list[Check]:
        """Whether our field is there and what may be read; Pipedrive does not say what its token's user may write."""
        well = f"the person field {self._settings.person_key_field} exists. Remember: {RESIDUAL}."
        found = [await self.check("field", well, self.probe)]
        # Record 1 may be there or not: either answer shows the right, and nothing of it is kept.
        found.append(await self.check("persons", "persons can be read", lambda: self._client.person("1")))
        if self.records:
            found.append(await self.check("activities", "activities can be read", lambda: self._client.activity("1")))
        return [*found, self.unchecked("whether the token's user may add and edit persons and activities")]

    async def fix(self) -> list[str]:
        """Create our field if it is missing. Raises AccountPaused with a hint when the token may not do that."""
        name = self._settings.person_key_field
        if await self._codes(probe=True):
            return []
        answer = await self._client.create_field(name)
        if answer.status == 403:
            hint = f"Let an administrator make the text field {name} of persons, or use an administrator's token."
            text = "Pipedrive: create a person field: the token may not do that"
            raise AccountPaused(text, account=self.remote.account, status=403, hint=hint)
        return [f"Pipedrive: created the person field {name}."]

    async def _marker(self, *, fresh: bool = False, probe: bool = False) -> str:
        """The code of our field, which differs from company to company; raises AccountPaused where it is missing."""
        if self._field and not fresh:
            return self._field
        codes = await self._codes(probe=probe)
        if len(codes) != 1:
            name, account = self._settings.person_key_field, self.remote.account
            how = "does not exist" if not codes else f"exists {len(codes)} times"
            hint = HINT_FIX if not codes else "Rename all but the one that holds the keys in Pipedrive."
            raise AccountPaused(f"Pipedrive: the person field {name} {how}", account=account, hint=hint)
        self._field = codes[0]
        return self._field

    async def _codes(self, *, probe: bool) -> list[str]:
        return own_fields.codes(await self._definitions(probe=probe), self._settings.person_key_field)

    async def _definitions(self, *, probe: bool) -> list[dict[str, Any]]:
        """All definitions of person fields; what `[sync.fields]` may name is read from them too."""
        what = "list the person fields"
        found = [field async for field in self._pages(what, lambda cursor: self._client.fields(cursor, probe=probe))]
        self._own = OwnFields(found, self._settings.person_key_field)
        return found

    # ---- reading answers ----

    async def _person(self, identity: str) -> dict[str, Any] | None:
        return self._found(await self._client.person(identity), "read a person")

    def _found(self, answer: Answer, what: str) -> dict[str, Any] | None:
        """The record, or None for a 404 in Pipedrive's own words; one without its error body comes from somebody else."""
        self._window.learn(answer)
        body = read_object(answer.data)
        if answer.status == 404:
            if body.get("success") is not False:
                raise self.transient(f"{what}: answered 404, but not in Pipedrive's format; is base_url right?")
            return None
        data = body.get("data")
        if body.get("success") is not True or not isinstance(data, dict):
            raise self.transient(f"{what}: answered {answer.status} without a record")
        return data

    async def _pages(self, what: str, call: Callable[[str | None], Awaitable[Answer]]) -> AsyncIterator[dict[str, Any]]:
        """The entries of all pages; raises Transient where they have no end, or are not what was asked for."""
        cursor: str | None = None
        for _ in range(PAGES):
            try:
                answer = await call(cursor)
            except Rejected:
                if cursor is None:
                    raise
                # How long a cursor lives is not documented; the next attempt begins with the first page.
                raise self.transient(f"{what}: the next page was refused") from None
            self._window.learn(answer)
            body = read_object(answer.data)
            entries = body.get("data")
            entries = entries.get("items") if isinstance(entries, dict) else entries
            if (
                body.get("success") is not True
                or not isinstance(entries, list)
                or not all(isinstance(e, dict) for e in entries)
            ):
                raise self.transient(f"{what}: answered without a list")
            for entry in entries:
                yield entry
            following = read_object(body.get("additional_data")).get("next_cursor")
            if not following:
                return
            cursor = str(following)
        raise self.transient(f"{what}: the result was cut short")

    def _customer(self, data: Any, field: str, what: str) -> Customer:
        found = mapping.customer(data, field, self._own.read(read_object(data), self.kept))
        if found is None:
            raise self.transient(f"{what}: answered with something that is not a person")
        return found

    def _data(self, answer: Answer) -> Any:
        body = read_object(answer.data)
        return body.get("data") if body.get("success") is True else None

    def _record_id(self, answer: Answer) -> str:
        identity = read_object(self._data(answer)).get("id")
        if not mapping.is_id(identity):
            text = f"Pipedrive: record the appointment: answered {answer.status} without an id"
            raise UnknownOutcome(text, account=self.remote.account, status=answer.status)
        return str(identity)

    def _gone(self, how: str, thing: str) -> Rejected:
        hint = f"Somebody deleted {thing} in Pipedrive: restore it there and retry the event, or discard the event."
        return Rejected(f"Pipedrive: {how}", account=self.remote.account, status=404, hint=hint)
