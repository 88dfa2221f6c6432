"""Whether an organisation is set up for us, and what of it can be made from here."""

from __future__ import annotations

from typing import Any

from connector.crms.salesforce import health, mapping, soql
from connector.crms.salesforce.api import Client
from connector.crms.salesforce.refusals import code_of, errors
from connector.crms.salesforce.settings import SalesforceSettings
from connector.model.errors import AccountPaused, LimitReached, Rejected, RemoteError, Transient
from connector.model.problems import Check, Topic
from connector.remote.fields import Field
from connector.remote.values import read_object, read_objects


class Setup:
    """The set-up of one organisation, as our user sees it. `account` is the configured name."""

    def __init__(self, account: str, client: Client, settings: SalesforceSettings) -> None:
        self._account = account
        self._client = client
        self._key = settings.person_key_field
        self._permission_set = settings.permission_set

    async def probe(self) -> None:
        """Read what contacts have: shows in one call that the credentials work, and our field and rights are right."""
        for fault in self._faults(await self._described("Contact")).values():
            if fault is not None:
                raise AccountPaused(f"Salesforce: {fault.text}", account=self._account, hint=fault.hint)

    async def fields(self) -> dict[str, Field]:
        """The fields of contacts that our user sees; raises AccountPaused where it does not see contacts."""
        contact = await self._described("Contact")
        if contact is None:
            fault = health.unseen("contacts")
            raise AccountPaused(f"Salesforce: {fault.text}", account=self._account, hint=fault.hint)
        found = [mapping.field(one) for one in read_objects(contact.get("fields"))]
        return {about.name: about for about in found if about.name}

    def _faults(self, contact: dict[str, Any] | None) -> dict[str, health.Fault | None]:
        if contact is None:
            return {"contacts": health.unseen("contacts")}
        return {
            "field": health.key_fault(contact, self._key),
            "contacts": health.contact_fault(contact),
            "persons": health.person_fault(contact),
        }

    async def _described(self, kind: str) -> dict[str, Any] | None:
        """What an object has; None where our user does not see it."""
        what, answer = f"read what a {kind.lower()} has", await self._client.describe(kind)
        if answer.status == 404 and errors(answer.data):
            return None
        if answer.status == 404:
            text = f"Salesforce: {what}: answered 404, but not in Salesforce's format; is base_url right?"
            raise Transient(text, account=self._account, status=404)
        data = read_object(answer.data)
        if not isinstance(data.get("fields"), list):
            raise Transient(f"Salesforce: {what}: answered without fields", account=self._account)
        return data

    async def checks(self, *, appointments: bool = True) -> list[Check]:
        """Say separately whether our field, contacts, person accounts, events and the day's calls are as they should be.

        `appointments` says whether events are needed.
        """
        try:
            contact = await self._described("Contact")
            event = await self._described("Event") if appointments else None
        except RemoteError as error:
            if isinstance(error, LimitReached) and (self._client.day.over or error.status == 403):
                return [self._calls()]
            return [self._check("account", error, "")]
        well = {
            "field": f"the unique contact field {self._key} can be used",
            "contacts": "contacts can be read and written",
            "persons": "people are contacts, not person accounts",
        }
        found = [self._check(name, fault, well[name]) for name, fault in self._faults(contact).items()]
        if appointments:
            found.append(self._check("events", health.event_fault(event), "events can be read and written"))
        return [*found, self._calls()]

    def _check(self, name: str, fault: health.Fault | RemoteError | None, well: str) -> Check:
        topic = Topic(self._account, name)
        if fault is None:
            return Check(topic=topic, level="ok", message=f"Salesforce: {well}")
        text = f"Salesforce: {fault.text}" if isinstance(fault, health.Fault) else str(fault)
        return Check(topic=topic, level="error", message=text, hint=fault.hint)

    def _calls(self) -> Check:
        day, topic = self._client.day, Topic(self._account, "calls")
        text = f"Salesforce: {day.used} of {day.limit} calls of the last 24 hours are used, by all programs together"
        until = self._client.limited_until
        if not (day.over or until):
            return Check(topic=topic, level="ok", message=text)
        hint = "connector waits and asks again every 15 minutes; limits.percent_of_day sets how much may be used up."
        text = f"{text}; limited until {until}" if until else text
        return Check(topic=topic, level="warning", message=text, hint=hint)

    async def fix(self) -> list[str]:
        """Create our key field and add it to the permission set of our user, as far as either is missing.

        Raises AccountPaused with a hint where our user may not do that, or the permission set does not exist.
        """
        fault = self._faults(await self._described("Contact")).get("field")
        if fault is None or not fault.fixable:
            return []
        done = []
        permission_set = await self._find_permission_set()
        if await self._create_field():
            done.append(f"Salesforce: created the unique contact field {self._key}.")
        where = f"{soql.equals('ParentId', permission_set)} AND {soql.equals('Field', f'Contact.{self._key}')}"
        there = await self._first("read a permission", soql.select(("Id",), "FieldPermissions", where))
        await self._client.permit_field(permission_set, self._key, there)
        done.append(f"Salesforce: let the permission set {self._permission_set} write the contact field {self._key}.")
        return done

    async def _find_permission_set(self) -> str:
        name = self._permission_set
        found = await self._first("read a permission set", soql.select(("Id",), "PermissionSet", soql.equals("Name", name)))
        if found is None:
            hint = f"Make a permission set with the API name {name} in Salesforce, give it to our user, and run it again."
            raise AccountPaused(f"Salesforce: there is no permission set {name}", account=self._account, hint=hint)
        return found

    async def _first(self, what: str, query: str) -> str | None:
        async for rows, _ in self._client.pages(what, query, probe=True):
            for row in rows:
                identity = row.get("Id")
                if isinstance(identity, str) and identity.isalnum() and len(identity) in (15, 18):
                    return identity
        return None

    async def _create_field(self) -> bool:
        """Create our field; False where it is there already and our user only does not see it."""
        metadata = {
            "type": "Text",
            "label": "Connector key",
            "description": "Written by connector: keeps one person from becoming two contacts. Do not edit.",
            "length": health.KEY_LENGTH,
            "externalId": True,
            "unique": True,
            "caseSensitive": False,
        }
        answer = await self._client.create_field(self._key, metadata)
        if answer.status != 400:
            return True
        codes = ", ".join(code_of(error) for error in errors(answer.data))
        if codes != "DUPLICATE_DEVELOPER_NAME":
            hint = f"Make {self._key} by hand: text, {health.KEY_LENGTH} characters, unique, external id."
            raise Rejected(f"Salesforce: create a field: answered 400: {codes}", account=self._account, status=400, hint=hint)
        return False
