"""What is Tryton's own: every test runs against the real server and against the sandbox, which must answer alike."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import httpx
import pytest
from contract.accounts.tryton import Account as SandboxAccount
from msgspec.structs import replace

from connector.crms.tryton.adapter import Tryton
from connector.crms.tryton.settings import TrytonSettings
from connector.model.bookings import Appointment, Status
from connector.model.errors import AccountPaused, ActionRefused, Conflict, Rejected
from connector.model.persons import Customer, NewCustomer
from connector.remote.rate_limit import Quota
from connector.sandbox.tryton.app import TrytonSandbox
from connector.sandbox.tryton.records import MECHANISM, PARTY

from .real import Account as RealAccount
from .shapes import conforming

pytestmark = pytest.mark.anyio
KEY = "c" * 64
ADA = NewCustomer(
    first_name="Ada", last_name="Byron", email="ada@example.com", mobile_phone="+15145550123", phone="+15145550124"
)
FITTING = Appointment(id="B1", status=Status.SCHEDULED, starts_at=datetime(2027, 3, 1, 12, tzinfo=UTC), title="Fitting")


class Sandbox(SandboxAccount):
    """The sandbox with the library for numbers, as the real server has it."""

    def __init__(self) -> None:
        self.sandbox = TrytonSandbox()
        self.app = self.sandbox.app

    def archive(self, customer_id: str) -> None:
        self.sandbox.archive(customer_id)

    def be_nobody_special(self) -> None:
        self.sandbox.records.administrator = False

    def take_right(self, model: str, right: str) -> None:
        self.sandbox.records.rights.discard((model, right))


@pytest.fixture(params=["real", "sandbox"])
def account(request: pytest.FixtureRequest) -> Sandbox | RealAccount:
    real: RealAccount | None = request.getfixturevalue("real") if request.param == "real" else None
    return real or Sandbox()


class Recording(httpx.ASGITransport):
    """Remembers what was asked and answered."""

    def __init__(self, app) -> None:
        super().__init__(app)
        self.seen: list[tuple[httpx.Request, httpx.Response]] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        answer = await super().handle_async_request(request)
        body = await answer.aread()
        # Read once, and given to the adapter as if it were not.
        copy = httpx.Response(answer.status_code, headers=answer.headers, content=body)
        self.seen.append((request, copy))
        return httpx.Response(answer.status_code, headers=answer.headers, stream=httpx.ByteStream(body))


@pytest.fixture
def transport(account) -> Recording:
    return Recording(account.app)


@pytest.fixture
def user() -> str:
    return "an administrator"


@pytest.fixture
async def crm(account, transport, user) -> AsyncIterator[Tryton]:
    if user == "nobody special":
        account.be_nobody_special()
    settings = TrytonSettings.model_validate(account.settings("http://tryton.test"))
    adapter = Tryton.connect("main", settings, Quota, transport=conforming(transport))
    yield adapter
    await adapter.remote.aclose()


def of(transport: Recording, method: str, end: str) -> list[tuple[httpx.Request, httpx.Response]]:
    """What was asked by a method of the address that ends so."""
    return [pair for pair in transport.seen if pair[0].method == method and pair[0].url.path.endswith(end)]


async def test_fifty_creates_at_once_make_one_party(account, crm):
    results = await asyncio.gather(*(crm.create(ADA, KEY) for _ in range(50)), return_exceptions=True)
    (made,) = [result for result in results if isinstance(result, Customer)]
    assert {result.winner for result in results if isinstance(result, Conflict)} == {made.id}
    assert len([result for result in results if isinstance(result, Conflict)]) == 49
    assert account.customers() == [made.id]


async def test_a_create_is_one_call_and_a_code_that_is_taken_is_answered_400(crm, transport):
    await crm.create(ADA, KEY)
    assert len(transport.seen) == 1
    with pytest.raises(Conflict):
        await crm.create(ADA, KEY)
    refused = of(transport, "POST", PARTY)[-1][1]
    assert refused.status_code == 400
    assert refused.json() == {"status": 400, "message": "The code on party must be unique.", "description": ""}


async def test_a_replaced_party_leads_to_the_one_that_goes_on_by_its_id_and_by_our_key(account, crm):
    made = await crm.create(ADA, KEY)
    other = account.add(NewCustomer(first_name="Augusta", email="augusta@example.com"))
    account.merge(made.id, other)
    assert (await crm.get(made.id)).id == other
    found = await crm.by_key(KEY)
    assert (found.id, found.person_key, found.emails) == (other, KEY, ("augusta@example.com",))
    with pytest.raises(Conflict) as caught:
        await crm.create(ADA, KEY)
    assert caught.value.winner == other
    # Its address went over as an inactive one, which Tryton hides.
    assert await crm.by_email("ada@example.com") == []


async def test_a_party_that_is_not_active_is_nobodys_and_its_code_stays_taken(account, crm):
    made = await crm.create(ADA, KEY)
    account.archive(made.id)
    assert await crm.get(made.id) is None
    assert await crm.by_key(KEY) is None
    assert await crm.by_email("ada@example.com") == []
    with pytest.raises(Rejected) as caught:
        await crm.create(ADA, KEY)
    assert f"Activate party {made.id}" in caught.value.hint
    with pytest.raises(Rejected) as caught:
        await crm.fill(made.model_copy(update={"phone": ""}), ADA)
    assert "the party is gone" in str(caught.value)
    assert account.customers() == []


@pytest.mark.parametrize(
    ("mobile", "phone", "refused"),
    [
        ("+1514555", "+15145550124", ("mobile_phone",)),
        ("+15145550123", "+335145550123", ("phone",)),
        ("+1514555", "+335145550123", ("mobile_phone", "phone")),
    ],
)
async def test_a_number_that_tryton_does_not_take_is_left_out_and_said(crm, mobile, phone, refused):
    made = await crm.create(ADA.model_copy(update={"mobile_phone": mobile, "phone": phone}), KEY)
    assert made.refused == refused
    assert (made.mobile_phone, made.phone) == ("" if "mobile_phone" in refused else mobile, "" if "phone" in refused else phone)
    assert made.emails == ("ada@example.com",)


async def test_a_person_of_whom_nothing_would_be_left_is_refused_and_nobody_is_made(account, crm):
    with pytest.raises(Rejected) as caught:
        await crm.create(NewCustomer(first_name="Ada", phone="+1514555"), KEY)
    assert "514" not in f"{caught.value} {caught.value.hint}"
    assert account.customers() == []


async def test_a_number_costs_one_more_create_and_no_look_up(crm, transport):
    await crm.create(ADA.model_copy(update={"phone": "+1514555"}), KEY)
    assert [request.url.path.rpartition("/")[2] for request, _ in transport.seen] == [PARTY, PARTY]


@pytest.mark.parametrize("kept", [{"email": "ada@example.com"}, {"mobile_phone": "+15145550123"}], ids=["address", "number"])
async def test_a_party_without_a_name_is_made_without_the_number_that_is_refused(crm, kept):
    """The refusal quotes the party's name, which is the address or the other number."""
    made = await crm.create(NewCustomer(phone="+1514555", **kept), KEY)
    assert made.refused == ("phone",)
    assert (made.emails, made.mobile_phone) == (tuple([kept["email"]] if "email" in kept else []), kept.get("mobile_phone", ""))


async def test_a_fill_goes_on_without_a_number_that_is_refused(account, crm):
    customer = await crm.get(account.add(NewCustomer(email="ada@example.com")))
    written = await crm.fill(customer, ADA.model_copy(update={"phone": "+1514555"}))
    assert written == ("first_name", "last_name", "mobile_phone")
    filled = await crm.get(customer.id)
    assert (filled.first_name, filled.mobile_phone, filled.phone) == ("Ada Byron", "+15145550123", "")


async def test_a_number_is_shown_with_blanks_and_found_in_e_164(account, crm, transport):
    made = await crm.create(ADA, KEY)
    mechanisms = of(transport, "POST", PARTY)[0][1].json()["contact_mechanisms"]
    assert {one["value"]: one["value_compact"] for one in mechanisms} == {
        "ada@example.com": "ada@example.com",
        "+1 514-555-0123": "+15145550123",
        "+1 514-555-0124": "+15145550124",
    }
    assert [customer.id for customer in await crm.by_phone("+15145550124")] == [made.id]


async def test_an_address_is_found_whatever_its_case_and_a_wildcard_is_none(account, crm):
    made = account.add(NewCustomer(first_name="Ada", email="Ada_Byron@Example.com"))
    account.add(NewCustomer(first_name="Ada", email="adaxbyron@example.com"))
    assert [customer.id for customer in await crm.by_email("ada_byron@example.com")] == [made]


async def test_no_address_of_the_api_holds_personal_data(crm, transport):
    made = await crm.create(ADA, KEY)
    await crm.by_email("ada@example.com")
    await crm.by_phone("+15145550123")
    await crm.by_key(KEY)
    await crm.fill(made, ADA.model_copy(update={"last_name": "King"}))
    asked = [str(request.url).lower() for request, _ in transport.seen]
    assert not [url for url in asked if any(text in url for text in ("ada", "5145550", KEY))]


async def test_a_party_without_a_name_gets_one_that_counts_as_a_blank(account, crm):
    made = await crm.create(NewCustomer(email="ada@example.com"), KEY)
    assert made.first_name == ""
    assert await crm.fill(made, ADA) == ("first_name", "last_name", "mobile_phone", "phone")


async def test_a_name_that_is_only_a_part_is_completed_and_another_one_stays(account, crm):
    for there, written in (("Ada", ("first_name", "last_name")), ("byron", ("first_name", "last_name")), ("A. Byron", ())):
        customer = await crm.get(account.add(NewCustomer(first_name=there, phone="+15145550124")))
        assert customer.one_name
        assert await crm.fill(customer, NewCustomer(first_name="Ada", last_name="Byron")) == written
        assert (await crm.get(customer.id)).first_name == ("Ada Byron" if written else there)


async def test_a_party_of_a_person_has_a_number_as_its_code_which_is_no_key_of_ours(account, crm):
    assert (await crm.get(account.add(ADA))).person_key == ""


NOBODY_SPECIAL = pytest.mark.parametrize("user", ["nobody special"])


@NOBODY_SPECIAL
@pytest.mark.parametrize(("right", "said"), [("create", "may not create party.party"), ("write", "may not write party.party")])
async def test_a_missing_right_is_answered_400_and_named(account, crm, right, said):
    customer = await crm.get(account.add(NewCustomer(first_name="Ada")))
    account.take_right(PARTY, right)
    with pytest.raises(ActionRefused) as caught:
        await (crm.create(ADA, KEY) if right == "create" else crm.fill(customer, ADA))
    assert caught.value.certain
    assert said in str(caught.value)
    with pytest.raises(AccountPaused) as caught:
        await crm.probe()
    assert said in str(caught.value).replace(", ", " may not ")
    crm.records = True
    assert [check.level for check in await crm.checks()] == ["error", "error"]


@NOBODY_SPECIAL
async def test_a_missing_right_to_contact_mechanisms_is_named(account, crm):
    customer = await crm.get(account.add(NewCustomer(first_name="Ada")))
    account.take_right(MECHANISM, "create")
    for write, *given in ((crm.create, ADA, KEY), (crm.fill, customer, ADA)):
        with pytest.raises(ActionRefused) as caught:
            await write(*given)
        assert caught.value.certain
        assert "may not create party.contact_mechanism" in str(caught.value)
    assert account.customers() == [customer.id]


@NOBODY_SPECIAL
async def test_without_the_right_to_read_a_look_up_is_refused(account, crm):
    account.add(ADA)
    account.take_right(PARTY, "read")
    with pytest.raises(ActionRefused):
        await crm.by_email("ada@example.com")


@NOBODY_SPECIAL
async def test_who_is_no_administrator_makes_customers_and_new_appointments_but_cannot_change_these(account, crm):
    made = await crm.create(ADA, KEY)
    assert await crm.fill(made.model_copy(update={"phone": ""}), ADA) == ("phone",)
    record = await crm.record_appointment(made.id, FITTING, "m1", None)
    assert await crm.find_appointment(made.id, "m1") == record
    for appointment in (FITTING, replace(FITTING, title="")):
        with pytest.raises(ActionRefused) as caught:
            await crm.record_appointment(made.id, appointment, "m1", record)
        assert caught.value.certain
        assert "Administration" in caught.value.hint
    assert [check.id for check in await crm.checks()] == ["crm.main.parties"]
    crm.records = True
    checks = {check.id: check for check in await crm.checks()}
    assert [check.level for check in checks.values()] == ["ok", "error"]
    assert "Administration" in checks["crm.main.attachments"].hint


async def test_another_database_and_another_key_are_said(account, crm):
    for change, word in (({"database": "another"}, "database"), ({"api_key": "another"}, "key")):
        settings = TrytonSettings.model_validate({**account.settings("http://tryton.test"), **change})
        other = Tryton.connect("main", settings, Quota, transport=httpx.ASGITransport(account.app))
        with pytest.raises(AccountPaused) as caught:
            await other.probe()
        assert word in caught.value.hint
        await other.remote.aclose()


async def test_an_attachment_says_what_holds_now_and_keeps_its_title(account, crm, transport):
    made = await crm.create(ADA, KEY)
    record = await crm.record_appointment(made.id, FITTING, "m1", None)
    untitled = replace(FITTING, title="", status=Status.NO_SHOW, staff="Grace")
    await crm.record_appointment(made.id, untitled, "m1", record)
    sent = json.loads(of(transport, "PUT", f"ir.attachment/{record}")[-1][0].content)
    assert sent["name"] == "No-show: Fitting"
    assert sent["description"].splitlines() == [
        "Start: 2027-03-01 12:00 UTC",
        "With Grace",
        "Status: no show",
        "connector: m1",
    ]
    await crm.record_appointment(made.id, replace(untitled, status=Status.SCHEDULED), "m1", record)
    assert json.loads(of(transport, "PUT", f"ir.attachment/{record}")[-1][0].content)["name"] == "Fitting"


async def test_an_attachment_stays_at_a_replaced_party_and_is_found_from_the_other_one(account, crm):
    made = await crm.create(ADA, KEY)
    record = await crm.record_appointment(made.id, FITTING, "m1", None)
    other = account.add(NewCustomer(first_name="Augusta"))
    account.merge(made.id, other)
    assert await crm.find_appointment(other, "m1") == record


async def test_an_appointment_of_a_party_that_is_gone_is_refused(account, crm):
    with pytest.raises(Rejected):
        await crm.record_appointment(account.nobody, FITTING, "m1", None)
    assert account.appointments() == []
