"""Runs a case: clients arrive one after another at one source, through the real sync and the sandboxes of both sides."""

from __future__ import annotations

import tempfile
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from contract.accounts import CrmAccount, account
from sync.harness import World

from connector.crms.base import CRM
from connector.model.persons import NewCustomer

Want = Literal["different", "apart", "same", "kept", "people"]
#: First name, last name, e-mail, mobile phone.
Client = tuple[str, str, str, str]
Mode = Literal["all book", "first typed", "first typed in one field", "duplicates forbidden"]


@dataclass(frozen=True)
class Case:
    """Clients who arrive one after another.

    different: no two clients (or the two of `between`, counted from 0) are linked to one customer; held is right.
    apart: as different, and held is needless. same: one customer; held is needless.
    kept: never dropped for good (linked or held).
    people: `who` numbers the person of each client; two of them never share a customer, none has two; held is right.
    """

    kind: str
    name: str
    want: Want
    clients: Sequence[Client]
    between: tuple[int, int] | None = None
    who: tuple[int, ...] = ()
    #: ISO 3166; reads national numbers.
    country: str = "CA"


class CannotBeTyped(Exception):
    """The CRM takes no such customer from a person either."""


@dataclass(frozen=True)
class Result:
    """What became of a case; at most one of the first three is a broken promise."""

    wrong_link: bool = False
    duplicate: bool = False
    dropped: bool = False
    held: bool = False


class Place(World):
    """A world whose CRM is the one that the registry names so."""

    def __init__(self, folder: Path, system: str, country: str) -> None:
        self.account: CrmAccount = account(system)
        self.country = country
        super().__init__(folder)

    def _connect_crm(self) -> CRM:
        return self.account.connect()


async def run(case: Case, number: int, system: str = "hubspot", *, mode: Mode = "all book") -> Result:
    """Let the clients book once each, run what is due, and judge where they ended up in this CRM.

    `first typed`: the first one does not book, but is a customer whom somebody typed into the CRM; raises CannotBeTyped.
    `first typed in one field`: all of the name is in the field for the family name.
    `duplicates forbidden`: the CRM's own rules against duplicates are on.
    """
    with tempfile.TemporaryDirectory() as folder:
        world = Place(Path(folder), system, case.country)
        if mode == "duplicates forbidden":
            world.account.forbid_duplicates()
        await world.start()
        try:
            return await _run(world, case, number, mode)
        finally:
            await world.stop()


async def run_together(cases: Sequence[Case], system: str = "hubspot") -> list[Result]:
    """Run cases of one country that share no key in one database and one CRM, which takes a tenth of the time."""
    with tempfile.TemporaryDirectory() as folder:
        world = Place(Path(folder), system, cases[0].country)
        await world.start()
        try:
            return [await _run(world, case, number, "all book") for number, case in enumerate(cases)]
        finally:
            await world.stop()


async def _run(world: Place, case: Case, number: int, mode: Mode) -> Result:
    before = set(world.account.customers())
    typed = [_type(world.account, case.clients[0], number, mode)] if mode.startswith("first typed") else []
    ids = [await _book(world, client, number) for client in case.clients[len(typed) :]]
    linked = {client: link["customer_id"] for client, link in (await world.links()).items()}
    rows = await world.rows("SELECT client_id, state FROM events ORDER BY id")
    alone = set(world.account.customers()) - {*linked.values(), *typed} - before
    states = {str(client): str(state) for client, state in rows}
    result = _judge(case, [*typed, *(linked.get(one) for one in ids)], [states.get(one, "ignored") for one in ids])
    return replace(result, duplicate=True) if alone else result


def _type(account: CrmAccount, client: Client, number: int, mode: Mode) -> str:
    first, last, email, mobile = (_filled(value, number) for value in client)
    if mode == "first typed in one field":
        first, last = "", f"{first} {last}".strip()
    try:
        return account.add(NewCustomer(first_name=first, last_name=last, email=email, mobile_phone=mobile))
    except Exception as error:  # each sandbox refuses in its own words
        raise CannotBeTyped(account.system) from error


async def _book(world: World, client: Client, number: int) -> str:
    first, last, email, mobile = (_filled(value, number) for value in client)
    fields = {"firstName": first, "lastName": last, "email": email, "mobilePhoneNumber": mobile}
    one = world.client(**{name: value for name, value in fields.items() if value})
    await world.book(one)
    await world.run_all()
    # A search that lags and an event that waits for another one get their time.
    await world.again()
    return one


def _filled(value: str, number: int) -> str:
    value = value.replace("{n}", f"n{number}")
    for place in (1, 2, 3):
        value = value.replace(f"{{phone{place}}}", f"(514) {500 + place}-{(number % 97) + 2:02d}{31 + place}")
    return value


def _judge(case: Case, customers: list[str | None], states: list[str]) -> Result:
    held = "held" in states
    if case.want == "kept":
        return Result(dropped=any(state == "ignored" for state in states), held=held)
    if case.want == "people":
        people: dict[str, set[int]] = defaultdict(set)
        for customer, who in zip(customers, case.who, strict=True):
            if customer is not None:
                people[customer].add(who)
        owners = [who for found in people.values() for who in found]
        mixed = any(len(found) > 1 for found in people.values())
        return Result(mixed, len(set(owners)) < len(owners) and not mixed, "ignored" in states, held)
    if case.want == "same":
        known = {customer for customer in customers if customer is not None}
        return Result(duplicate=len(known) > 1, dropped="ignored" in states, held=held)
    pair = case.between or None
    chosen = [customers[place] for place in pair] if pair else customers
    found = [customer for customer in chosen if customer is not None]
    return Result(wrong_link=len(set(found)) < len(found), held=held)
