"""One CRM beside Booxi, with the real service between both sandboxes, in this process."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from contract.accounts import CrmAccount, account

from connector import registry
from connector.app import Service
from connector.config import settings as config
from connector.model.persons import NewCustomer
from connector.sandbox.booxi.app import BooxiSandbox
from connector.sandbox.booxi.webhooks import Target
from connector.sandbox.kit.faults import Faults
from connector.store import views

from .counting import Counting, checker, quota

CONFIG = """
[server]
port = {port}
[status]
token = "a-status-token-of-a-test"
[booking.stores]
system = "booxi"
base_url = "{booxi}"
partner_key = "sandbox-partner-key"
module_id = "hubspot"
default_country = "CA"
limits = {{ per_second = 0, per_minute = 0 }}
[booking.stores.webhook]
verify = "none"
[crm.main]
{crm}
[[sync]]
booking = "stores"
crm = "main"
"""
#: Seconds which everything has to settle once the faults have ended.
PATIENCE = 240.0
TOMORROW = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) + timedelta(days=1)
#: Settings that make a round end in time: minutes that a CRM without uniqueness waits after an unclear answer.
HURRIED = {"wait_minutes": 0.05}


@dataclass(frozen=True)
class Person:
    """Somebody who books."""

    number: int

    @property
    def client(self) -> dict[str, str]:
        """As Booxi knows them."""
        first, last = self.names
        return {"firstName": first, "lastName": last, "email": self.email, "mobilePhoneNumber": f"+1514555{self.number:04}"}

    @property
    def customer(self) -> NewCustomer:
        """As the CRM knows them."""
        first, last = self.names
        return NewCustomer(first_name=first, last_name=last, email=self.email, mobile_phone=f"+1514555{self.number:04}")

    @property
    def names(self) -> tuple[str, str]:
        return f"Given{self.number}", f"Family{self.number}"

    @property
    def email(self) -> str:
        return f"person{self.number}@example.com"


@dataclass
class Made:
    """What became of several persons, each of whom came with many events at the same moment."""

    #: Customers in the CRM, by person.
    customers: list[int]
    unlinked: int
    #: Links to another customer than the person's.
    wrong: int
    #: Answers that were cut after the effect, or kills.
    disturbed: int = 0
    #: Calls of the CRM, by the most used window, and its refusals as too many.
    quota: str = ""
    throttled: int = 0

    @property
    def whole(self) -> bool:
        return not (self.unlinked or self.wrong)

    @property
    def single(self) -> bool:
        return set(self.customers) == {1}


@dataclass
class Calls:
    """Calls for one person on each side, by method: `(booking system, CRM)`."""

    new: tuple[Counter[str], Counter[str]]
    known: tuple[Counter[str], Counter[str]]
    linked: tuple[Counter[str], Counter[str]]


@dataclass
class World:
    """Both sandboxes and the ways to them."""

    account: CrmAccount
    booxi: BooxiSandbox
    service: Service
    to_crm: Counting
    to_booxi: Counting
    people: list[Person] = field(default_factory=list)

    def somebody(self) -> Person:
        """A new person."""
        self.people.append(Person(len(self.people) + 1))
        return self.people[-1]

    def arrive(self, person: Person, events: int) -> None:
        """So many clients who are all this person, each with one booking."""
        for number in range(events):
            self.booxi.book(self.booxi.add_client(**person.client), starts_at=TOMORROW + timedelta(hours=number))

    async def settled(self) -> None:
        """Send what waits, and let everything come to its end; what waits on a long back-off need not wait for its end."""
        sending = asyncio.create_task(self.booxi.send_webhooks(concurrency=50))
        try:
            async with asyncio.timeout(PATIENCE):
                while await self._open() or not sending.done():
                    await self.service.operations.retry(state="retrying")
                    await asyncio.sleep(0.05)
        finally:
            await sending

    async def _open(self) -> int:
        queue = await self.service.engine.store.read(views.queue)
        return int(queue["queued"] + queue["running"] + queue["retrying"])

    async def made(self, persons: Sequence[Person]) -> Made:
        """Compare both sides."""
        linked: dict[str, set[str]] = {}
        for client, customer in self.booxi.links().items():
            linked.setdefault(str(self.booxi.state.clients[client]["email"]), set()).add(customer)
        clients = Counter(str(client["email"]) for client in self.booxi.state.clients.values())
        unlinked = sum(clients.values()) - len(self.booxi.links())
        owners = {customer: await self._email(customer) for customer in self.account.customers()}
        wrong = sum(owners.get(customer) != email for email, customers in linked.items() for customer in customers)
        return Made([list(owners.values()).count(person.email) for person in persons], unlinked, wrong)

    async def _email(self, customer_id: str) -> str:
        customer = await self.service.engine.syncs["stores"].crm.get(customer_id)
        return customer.emails[0].lower() if customer and customer.emails else ""


def toml(table: Mapping[str, Any]) -> str:
    """The lines of a table whose values are texts, numbers and tables of such."""
    return "\n".join(f"{key} = {_value(value)}" for key, value in table.items())


def _value(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{key} = {_value(one)}" for key, one in value.items()) + " }"
    return json.dumps(value)


def settings(far: CrmAccount, base_url: str, *, limited: bool) -> dict[str, Any]:
    """The account's table: with the limits of ours that are the default, or none."""
    table = {**far.settings(base_url), "timeout_seconds": 20}
    if limited:
        table.pop("limits", None)
    known = registry.crm(far.system).settings_model.model_fields
    return table | {key: value for key, value in HURRIED.items() if key in known}


@asynccontextmanager
async def world(system: str, folder: Path, *, limited: bool = False) -> AsyncIterator[World]:
    """The service between both sandboxes, made ready by `connector check --fix`."""
    far, booxi = account(system), BooxiSandbox(quota=None, retries=[0.05] * 400)
    if limited:
        far.enforce_limits()
    file = folder / "connector.toml"
    table = toml(settings(far, "https://crm.test", limited=limited))
    file.write_text(CONFIG.format(port=0, booxi="https://booxi.test", crm=table), encoding="utf-8")
    to_crm, to_booxi = Counting(far.app, checker(far)), Counting(booxi.app)
    service = await Service.open(
        config.load(file, systems=registry.Registry()), transports={"booking.stores": to_booxi, "crm.main": to_crm}
    )
    await service.start()
    try:
        booxi.outbox.target = Target(f"{service.url}/webhooks/stores")
        await service.operations.check(fix=True)
        yield World(far, booxi, service, to_crm, to_booxi)
    finally:
        await service.stop()


async def at_once(here: World, events: int) -> Made:
    """So many events for one new person at the same moment."""
    begun = len(here.to_crm.times)
    person = here.somebody()
    here.arrive(person, events)
    await here.settled()
    made = await here.made([person])
    limits = here.service.engine.syncs["stores"].crm.settings_model.model_fields["limits"].default
    windows = limits.windows() if hasattr(limits, "windows") else ()
    made.quota, made.throttled = quota(here.to_crm.times[begun:], windows), here.account.sandbox.statuses[429]
    return made


async def lost_answers(here: World, events: int, persons: int, seed: int) -> Made:
    """So many events at once for one new person after the other, while answers of both sides are cut after the effect.

    First every answer to a write, until two are cut, a create among them; then a third of all, until half as many are cut as
    events came, or all is done.
    """
    came = []
    for number in range(persons):
        person = here.somebody()
        came.append(person)
        here.arrive(person, events)
        before = _cut(here)
        here.account.disturb_writes(seed=seed + number, lost_answer=1.0)
        here.booxi.faults = Faults(seed=seed + number, lost_answer=1.0, methods=("PUT",))
        settling = asyncio.create_task(here.settled())
        await _until(lambda before=before: _cut(here) - before >= 2, settling)
        here.account.disturb(seed=seed + number, lost_answer=0.3)
        here.booxi.faults = Faults(seed=seed + number, lost_answer=0.3)
        await _until(lambda before=before: _cut(here) - before >= events // 2, settling)
        here.account.disturb()
        here.booxi.faults = Faults()
        await settling
    made = await here.made(came)
    made.disturbed = _cut(here)
    return made


async def _until(true: Callable[[], bool], settling: asyncio.Task[None]) -> None:
    while not true() and not settling.done():
        await asyncio.sleep(0.02)


def _cut(here: World) -> int:
    return int(here.account.sandbox.app.injected["lost_answer"]) + here.booxi.app.injected["lost_answer"]


async def calls(here: World, persons: int) -> Calls:
    """Calls for each of so many persons: new, known to the CRM, and linked before."""
    new = [here.somebody() for _ in range(persons)]
    known = [here.somebody() for _ in range(persons)]
    for person in known:
        here.account.add(person.customer)
    clients = {}

    async def come(people: Sequence[Person]) -> tuple[Counter[str], Counter[str]]:
        before = here.to_booxi.methods.copy(), here.to_crm.methods.copy()
        for person in people:
            if person not in clients:
                clients[person] = here.booxi.add_client(**person.client)
            here.booxi.book(clients[person], starts_at=TOMORROW)
            await here.settled()
        return here.to_booxi.methods - before[0], here.to_crm.methods - before[1]

    await come([here.somebody()])
    return Calls(await come(new), await come(known), await come(new))
