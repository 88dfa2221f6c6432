"""The known mistakes of `test_known_mistakes.py`, through the sync with every CRM: each looks people up in its own way."""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path

import httpx
import pytest
from contract.accounts import CrmAccount, account

from connector import registry
from connector.crms.base import CRM
from connector.model.errors import RemoteError
from connector.model.persons import NewCustomer
from connector.remote.rate_limit import Quota
from connector.sandbox.kit.faults import Faults

from .harness import ADA, World

pytestmark = pytest.mark.anyio
GRACE = {"firstName": "Grace", "lastName": "Hopper", "email": "grace@example.com"}
BYRON = NewCustomer(first_name="Ada", last_name="Byron", email="Ada@Example.com")
#: Method and path of the calls that make a customer, and those that make the record of an appointment.
CREATES = {
    "dynamics": (r"PATCH .*/contacts\(new_", r"PATCH .*/appointments\("),
    "hubspot": (r"POST .*/contacts$", r"POST .*/meetings$"),
    "odoo": (r"POST .*/res\.partner/load$", r"POST .*/calendar\.event/load$"),
    "pipedrive": (r"POST .*/persons$", r"POST .*/activities$"),
    "salesforce": (r"PATCH .*/Connector_Key__c/", r"POST .*/sobjects/Event$"),
    "tryton": (r"POST .*/party\.party$", r"POST .*/ir\.attachment$"),
    "zoho": (r"POST .*/Contacts/upsert$", r"POST .*/Events$"),
}
FAILURES = {
    "a 500": httpx.Response(500),
    "a 503": httpx.Response(503, html="<html>"),
    "a 429": httpx.Response(429, json={}),
    "a page of HTML": httpx.Response(200, html="<html>maintenance</html>"),
    "half an answer": httpx.Response(200, content=b'{"data": [{"id": "1'),
    "a time-out": httpx.ReadTimeout("too slow"),
    "a reset": httpx.ReadError("reset"),
}


class Way(httpx.AsyncBaseTransport):
    """The way to a CRM. While there is a `failure`, everything fails but tokens and what makes customers, which is counted.

    `lost` is a pattern of the requests whose next answer is lost after they were carried out.
    """

    def __init__(self, far: CrmAccount) -> None:
        self._far = far
        self._inner = far.checked(httpx.ASGITransport(far.app))
        self.failure: httpx.Response | Exception | None = None
        self.lost = ""
        self.creates = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Count, fail, or pass on."""
        name = f"{request.method} {request.url.path}"
        made = re.search(CREATES[self._far.system][0], name) is not None
        self.creates += made
        if self.failure is not None and not made and "token" not in name:
            return self._fail(self.failure)
        if self.lost and re.search(self.lost, name):
            self.lost, self._far.sandbox.faults = "", Faults(lost_answer=1)
            try:
                return await self._inner.handle_async_request(request)
            finally:
                self._far.sandbox.faults = Faults()
        return await self._inner.handle_async_request(request)

    def _fail(self, failure: httpx.Response | Exception) -> httpx.Response:
        if isinstance(failure, Exception):
            raise failure
        return httpx.Response(failure.status_code, content=failure.content, headers=failure.headers)


class OtherWorld(World):
    """The sync's world with another CRM."""

    def __init__(self, folder: Path, system: str) -> None:
        self.account: CrmAccount = account(system)
        self.way = Way(self.account)
        super().__init__(folder)

    def _connect_crm(self) -> CRM:
        adapter = registry.crm(self.account.system)
        settings = adapter.settings_model.model_validate(self.account.settings("https://crm.test"))
        # A pause that the CRM asks for passes with the clock of the others, not while the test waits.
        return adapter.connect("main", settings, partial(Quota, clock=self.clock), transport=self.way)

    def fix(self) -> None:
        """The CRM works again."""
        self.way.failure = None
        self.crm.remote.breaker.reset()
        super().fix()


@pytest.fixture(params=CREATES)
async def world(request, tmp_path, monkeypatch):
    monkeypatch.setattr("connector.remote.http.PAUSES", (0.0, 0.0))
    made = OtherWorld(tmp_path, request.param)
    await made.start()
    yield made
    await made.stop()


@pytest.mark.parametrize("failure", FAILURES.values(), ids=FAILURES)
async def test_1_a_look_up_that_fails_is_not_an_empty_one(world, failure):
    there = world.account.add(BYRON)
    world.way.failure = failure
    ada = world.client()
    assert isinstance((await world.process(ada)).error, RemoteError)
    assert (world.way.creates, world.account.customers()) == (0, [there])
    await world.again(3600)
    assert (await world.link(ada))[0] == there
    assert (world.way.creates, world.account.customers()) == (0, [there])


async def test_3_the_case_of_an_email_makes_no_second_customer(world):
    there = world.account.add(BYRON)
    ada = world.client(**{**ADA, "email": "aDA@EXAMPLE.com"})
    await world.process(ada)
    assert await world.link(ada) == (there, "email")
    assert world.account.customers() == [there]


@pytest.mark.parametrize(
    "local", ["a+b", "o'hara", "r&d", "a#b", "a%2fb", "x=1", "a/b", "what?", "a_b", "a*b", "{a|b}", "-a!", "a$b^`~"]
)
async def test_3_no_sign_of_an_address_hides_who_has_it(world, local):
    """Each sign means something in some query: MicrosoftDocs/dynamics-365-customer-engagement issue 2697 (a plus),
    MicrosoftDocs/powerapps-docs issue 117 (a slash), mautic/mautic pull request 4041 (an apostrophe).
    """
    others = [world.account.add(NewCustomer(last_name="Other", email=f"{other}@example.com")) for other in ("ab", "axb", "a")]
    there = world.account.add(NewCustomer(first_name="Ada", last_name="Byron", email=f"{local}@example.com"))
    ada = world.client(**{**ADA, "email": f"{local}@example.com"})
    await world.process(ada)
    assert await world.link(ada) == (there, "email")
    assert sorted(world.account.customers()) == sorted([*others, there])


@pytest.mark.parametrize(("first", "last"), [("Jean Pierre", "Dupont"), ("Jean Pierre Dupont", ""), ("Cher", ""), ("", "")])
async def test_4_names_keep_their_parts_and_are_never_an_email(world, first, last):
    ada = world.client(firstName=first, lastName=last, email="jp@example.com")
    await world.process(ada)
    customer = await world.crm.get((await world.link(ada))[0])
    assert f"{customer.first_name} {customer.last_name}".split() == f"{first} {last}".split()
    if (first, last) == ("Jean Pierre", "Dupont") and not world.account.one_name:
        assert (customer.first_name, customer.last_name) == (first, last)


@pytest.mark.parametrize(
    ("first", "last"),
    [("Ada", "B" * 190), ("Ada \U0001f600", "Byron \U0001f468\u200d\U0001f469\u200d\U0001f467"), ("\U00020bb7", "\u7530")],
    ids=["long", "emoji", "rare letters"],
)
async def test_4_no_name_is_too_odd_for_a_customer(world, first, last):
    """Others stop at them: devlikeapro/waha issue 1556 (long), salesagility/SuiteCRM-Outlook-Plugin issue 97 (4 bytes)."""
    ada = world.client(firstName=first, lastName=last, email="ada@example.com")
    await world.process(ada)
    linked = await world.link(ada)
    assert linked is not None
    await world.process(ada)
    assert await world.link(ada) == linked
    assert world.account.customers() == [linked[0]]


@pytest.mark.parametrize("number", [0, 1], ids=["customer", "record"])
async def test_6_a_lost_answer_makes_no_second_customer_and_no_second_record(world, number):
    world.use(record_appointments=True)
    world.way.lost = CREATES[world.account.system][number]
    ada = world.client()
    await world.process(ada)
    assert world.way.lost == "", "an answer was lost"
    await world.again(3600)
    (customer,) = world.account.customers()
    assert (await world.link(ada))[0] == world.stored(ada) == customer
    assert len(world.account.appointments()) == 1
    assert await world.open_effects() == []


async def test_9_every_attendee_is_a_customer_and_has_one_record_however_often_it_changes(world):
    world.use(record_appointments=True)
    ada, grace = world.client(), world.client(**GRACE)
    booking = await world.book(ada, attendees=[int(grace)])
    await world.run_all()
    records = world.account.appointments()
    for note in ("later", "and later"):
        world.booxi.update_booking(booking, notes=note)
        await world.deliver_all()
        await world.run_all()
    links = {(await world.link(one))[0] for one in (ada, grace)}
    assert links == set(world.account.customers())
    assert len(links) == len(records) == 2
    assert world.account.appointments() == records


async def test_10_more_people_behind_one_number_than_a_page_of_ten_are_all_compared(world):
    for number in range(11):
        world.account.add(NewCustomer(first_name=f"Guest{number}", last_name=f"Other{number}", phone="+15145550123"))
    there = world.account.add(NewCustomer(first_name="Ada", last_name="Byron", phone="+15145550123"))
    ada = world.client(firstName="Ada", lastName="Byron", mobilePhoneNumber="+1 514 555 0123")
    await world.process(ada)
    assert await world.link(ada) == (there, "phone")
