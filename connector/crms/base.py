"""The contract every CRM meets: fresh look-ups, a create that cannot happen twice, careful updates."""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from enum import Enum
from typing import ClassVar

from connector.config.settings import CrmSettings
from connector.model.bookings import Appointment
from connector.model.capabilities import Capability, CrmCapability
from connector.model.errors import RemoteError
from connector.model.fields import FieldRule, FieldValue, Value
from connector.model.persons import Customer, NewCustomer
from connector.model.problems import Check, Topic
from connector.remote.fields import Changes, Field, Kind, fault, is_user, plan
from connector.remote.http import Remote
from connector.remote.integration import Integration

#: No further fields.
NOTHING: Mapping[str, Value] = {}


class Uniqueness(Enum):
    """What keeps a CRM from having one person twice."""

    #: It refuses, or upserts, a second record with our own key.
    KEY = "key"
    #: It refuses a second record with the same e-mail address; our key is only a mark.
    EMAIL = "e-mail"
    #: Nothing: earlier creates are found by looking, and a small risk stays (docs/reliability.md).
    NONE = "none"


class CRM(Integration):
    """One configured CRM account. An answer of None or [] means *answered and empty*; anything else raises."""

    settings_model: ClassVar[type[CrmSettings]]
    #: What makes a second record of one person impossible there.
    uniqueness: ClassVar[Uniqueness]
    capabilities: frozenset[Capability] = frozenset({CrmCapability.FOLLOWS_MERGES})
    #: Seconds after a try without a clear answer in which the record may still appear there: none is made again before.
    settle_seconds: float = 0.0
    #: The same for the record of an appointment, which hardly any CRM refuses a second time.
    record_settle_seconds: float = 0.0
    #: Whether some sync records appointments here; what only these need is checked only then.
    records: bool = False
    #: Whether some sync chooses owners.
    owned: bool = False
    #: The rules of `[sync.fields]` of every sync that leads here; `keep` adds to them.
    rules: tuple[FieldRule, ...] = ()
    #: The users whom `[sync.owner]` names, by e-mail address or id.
    named_users: tuple[str, ...] = ()
    #: Staff and users who were looked for and are not among the users.
    _unknown_users: frozenset[str] = frozenset()
    #: The live schema, as it was read last.
    schema: Mapping[str, Field] | None = None

    def __init__(self, name: str, remote: Remote) -> None:
        super().__init__(name, remote)
        self._reading = asyncio.Lock()

    @abstractmethod
    async def get(self, customer_id: str) -> Customer | None:
        """Read by record id; follows merges (the answer's id differs), if it can (`FOLLOWS_MERGES`).

        None: deleted, archived or never there.
        """

    @abstractmethod
    async def by_key(self, person_key: str) -> Customer | None:
        """Read the record that carries our own key, fresh."""

    @abstractmethod
    async def by_email(self, email: str) -> list[Customer]:
        """All records with this normalised e-mail address, by a fresh read."""

    @abstractmethod
    async def by_phone(self, phone: str) -> list[Customer]:
        """All records whose phone equals this E.164 number, re-checked exactly; the search behind it may lag.

        Raises `Transient` when the result was cut short: a partial answer is not an answer.
        """

    @abstractmethod
    async def create(self, new: NewCustomer, person_key: str, properties: Mapping[str, Value] = NOTHING) -> Customer:
        """Create under our key, with `properties` as `changes` gave them. Raises `Conflict` when the person is already there.

        Its `winner` was read and carries the address that was sent or our key; an id that a refusal only names is no winner.
        Raises `NeedsReview` where the CRM's own rules refuse it and only name customers who are similar.
        """

    @abstractmethod
    async def fill(self, customer: Customer, new: NewCustomer, properties: Mapping[str, Value] = NOTHING) -> tuple[str, ...]:
        """Write those fields of `new` that are blank in `customer`, and `properties`; return the names of what was written."""

    async def fields(self) -> Mapping[str, Field]:
        """Read which fields customers have now, by name; only asked where `settings.identity_fields` allows rules."""
        return {}

    async def users(self) -> Mapping[str, str]:
        """Read the active users, id → e-mail address; only asked where `owner_field` says where one is written."""
        return {}

    def keep(self, rules: Sequence[FieldRule], *, owner: Sequence[str] | None = None) -> None:
        """Read the fields of these rules, and the owner, with every customer from now on; what is kept already stays.

        `owner` is which users the configuration names; None: no owner is chosen.
        """
        self.rules = tuple(dict.fromkeys((*self.rules, *rules)))
        self.owned = self.owned or owner is not None
        self.named_users = tuple(dict.fromkeys((*self.named_users, *(owner or ()))))
        self.schema = None

    @property
    def owner_field(self) -> str | None:
        """The name of the owner's field; None: owners cannot be chosen there."""
        return self.settings_model.owner_field

    @property
    def kept(self) -> tuple[str, ...]:
        """The names of the fields that are read with every customer beside our own."""
        owner = (self.owner_field,) if self.owned and self.owner_field and not self.can(CrmCapability.ALWAYS_OWNED) else ()
        return (*dict.fromkeys(rule.name for rule in self.rules), *owner)

    async def readable(self) -> tuple[str, ...]:
        """Those of the kept fields that the CRM has: many refuse a read that names another one. Reads the schema once."""
        if not self.kept:
            return ()
        known = await self._known()
        return tuple(name for name in self.kept if name in known)

    async def _known(self) -> Mapping[str, Field]:
        """The schema, read once: events that come together wait for one reader."""
        async with self._reading:
            if self.schema is None:
                self.schema = await self._read_schema()
            return self.schema

    async def _read_schema(self) -> Mapping[str, Field]:
        known = dict(await self.fields()) if self.rules else {}
        if self.owned and self.owner_field:
            known[self.owner_field] = Field(self.owner_field, Kind.USER, "owner", options=await self.users())
        return known

    async def changes(self, wanted: Sequence[FieldValue], customer: Customer | None = None) -> Changes:
        """What has to be written of `wanted`: to a customer as just read, or, without one, to one who is made."""
        if not wanted:
            return Changes()
        found = plan(await self._known(), wanted, customer)
        owner = next((str(one.value) for one in wanted if one.name == self.owner_field), None)
        if owner is not None and self.owner_field in found.left_out and owner not in self._unknown_users:
            # Perhaps a user who is new: everybody who is not known is looked for once.
            self._unknown_users = self._unknown_users | {owner}
            self.schema = await self._read_schema()
            found = plan(self.schema, wanted, customer)
        return found

    async def field_checks(self) -> list[Check]:
        """Compare the rules with the live schema, which is read again; an error for each rule that cannot be carried out."""
        if not (self.rules or self.owned):
            return []
        topic = Topic(self.remote.account, "fields")
        try:
            known = self.schema = await self._read_schema()
        except RemoteError as error:
            return [Check(topic=topic, level="error", message=str(error), hint=error.hint)]
        hint = "Correct it in [sync.fields] or in the CRM; until then the field is left out."
        faults = [text for rule in self.rules if (text := fault(rule, known)) is not None]
        found = [Check(topic=topic, level="error", message=f"{self.title}: {text}", hint=hint) for text in faults]
        if self.owned and self.owner_field and (owner := self._owner_fault(known[self.owner_field])) is not None:
            found.append(owner)
        return found or [Check(topic=topic, level="ok", message=f"{self.title}: the fields of [sync.fields] can be written")]

    def _owner_fault(self, about: Field) -> Check | None:
        """What is wrong with the users: none is shown, or some that are named are not among them. No address is repeated."""
        unknown = sum(not is_user(about, user) for user in self.named_users)
        if about.options and not unknown:
            return None
        text, hint = "the CRM shows no user who could own a customer", "Let our user read the CRM's users."
        if about.options:
            text = f"{unknown} of the users that [sync.owner] names {'is' if unknown == 1 else 'are'} no active user there"
            hint = "Compare `users` and `otherwise` with the CRM; until then no user is set for these staff."
        return Check(topic=Topic(self.remote.account, "owner"), level="error", message=f"{self.title}: {text}", hint=hint)

    @abstractmethod
    async def record_appointment(self, customer_id: str, appointment: Appointment, marker: str, record_id: str | None) -> str:
        """Create (`record_id` None) or update the one record of this appointment on the customer; return its id."""

    @abstractmethod
    async def find_appointment(self, customer_id: str, marker: str) -> str | None:
        """After an unknown outcome: find the record that carries `marker` among the customer's own, without an index."""

    @abstractmethod
    async def probe(self) -> None:
        """Check that the account works and our unique property exists; raise `AccountPaused` with a hint otherwise."""
