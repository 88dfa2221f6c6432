"""The laws of `connector.crms.base`, for every CRM in the registry."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from connector import registry
from connector.crms.base import CRM
from connector.model.bookings import Appointment, Status
from connector.model.capabilities import CrmCapability
from connector.model.errors import (
    AccountPaused,
    Conflict,
    RateLimited,
    Rejected,
    RemoteError,
    Transient,
    Unavailable,
    UnknownOutcome,
)
from connector.model.persons import Customer, NewCustomer
from connector.sandbox.kit.server import Server

from .accounts import CrmAccount, account
from .conftest import FAILURES

pytestmark = pytest.mark.anyio
KEY, OTHER_KEY = "a" * 64, "b" * 64
ADA = NewCustomer(
    first_name="Ada", last_name="Byron", email="ada@example.com", mobile_phone="+15145550123", phone="+15145550124"
)
NO_EMAIL = ADA.model_copy(update={"email": ""})
NOON = datetime(2027, 3, 1, 12, tzinfo=UTC)
FITTING = Appointment(
    id="B1", status=Status.SCHEDULED, starts_at=NOON, ends_at=NOON + timedelta(minutes=30), title="Fitting", updated_at=NOON
)

READS: dict[str, Callable[[CRM, str], Awaitable[object]]] = {
    "get": lambda crm, customer_id: crm.get(customer_id),
    "by_key": lambda crm, _: crm.by_key(OTHER_KEY),
    "by_email": lambda crm, _: crm.by_email("nobody@example.com"),
    "by_phone": lambda crm, _: crm.by_phone("+15145550199"),
}


@pytest.fixture(params=sorted(registry.CRMS))
def far(request: pytest.FixtureRequest) -> CrmAccount:
    return account(request.param)


@pytest.fixture
async def crm(far: CrmAccount) -> AsyncIterator[CRM]:
    adapter = far.connect()
    yield adapter
    await adapter.remote.aclose()


# ---- look-ups ----


async def test_answered_and_empty(far, crm):
    far.add(NewCustomer(first_name="Grace", last_name="Hopper", email="grace@example.com", phone="+15145550100"))
    assert await crm.get(far.nobody) is None
    assert await crm.by_key(KEY) is None
    assert await crm.by_email("ada@example.com") == []
    assert await crm.by_phone("+15145550123") == []


@pytest.mark.parametrize("odd", ["", " ", "x", "../contacts", "1/2", "0", "-1", "1" * 300, "é", "?a=b", "ada@example.com"])
async def test_an_id_that_cannot_be_theirs_is_nobodys(crm, odd):
    assert await crm.get(odd) is None


async def test_a_new_customer_is_there_at_once_whatever_the_search_index_says(far, crm):
    far.disturb(search_lag_seconds=600)
    made = await crm.create(ADA, KEY)
    assert (await crm.get(made.id)).id == made.id
    assert (await crm.by_key(KEY)).id == made.id
    assert [c.id for c in await crm.by_email("ada@example.com")] == [made.id]


async def test_what_was_created_is_what_is_read(far, crm):
    made = await crm.create(ADA, KEY)
    assert await crm.get(made.id) == made
    assert made.model_dump(exclude={"id", "created_at", "active_at"}) == {
        **far.as_kept(ADA).model_dump(exclude={"email"}),
        "emails": ("ada@example.com",),
        "person_key": KEY,
    }


@pytest.mark.parametrize("phone", ["+15145550123", "+15145550124"])
async def test_a_customer_is_found_by_either_phone(crm, phone):
    made = await crm.create(ADA, KEY)
    assert [c.id for c in await crm.by_phone(phone)] == [made.id]


async def test_all_customers_with_a_phone_are_found_and_each_once(far, crm):
    ids = [far.add(NewCustomer(first_name="Ada", last_name=f"B{n}", phone="+15145550123")) for n in range(12)]
    both = far.add(NewCustomer(first_name="Ada", phone="+15145550123", mobile_phone="+15145550123"))
    assert sorted(c.id for c in await crm.by_phone("+15145550123")) == sorted([*ids, both])


async def test_similar_values_are_not_equal(far, crm):
    for email in ("xada@example.com", "ada@example.com.example.org", "a.da@example.com", "a_a@example.com"):
        far.add(NewCustomer(email=email))
    for phone in ("+335145550123", "+151455501234", "+1514555012"):
        far.add(NewCustomer(first_name="Ada", phone=phone))
    assert await crm.by_email("ada@example.com") == []
    assert await crm.by_email("aba@example.com") == []
    assert await crm.by_phone("+15145550123") == []


@pytest.mark.parametrize("email", ["o'hara+x@example.com", "a/b@example.com", "a%2fb@example.com", "a#b?c=d&e@example.com"])
async def test_odd_addresses_arrive_as_they_are(crm, email):
    made = await crm.create(NewCustomer(email=email), KEY)
    assert made.emails == (email,)
    assert [c.id for c in await crm.by_email(email)] == [made.id]


# ---- a create cannot happen twice ----


async def test_a_second_create_under_one_key_names_the_winner(far, crm):
    made = await crm.create(NO_EMAIL, KEY)
    with pytest.raises(Conflict) as caught:
        await crm.create(NO_EMAIL, KEY)
    assert (caught.value.by, caught.value.winner) == ("key", made.id)
    assert far.customers() == [made.id]


async def test_a_second_person_under_one_key_is_refused_and_changes_nothing_where_that_is_declared(far, crm):
    """Only then may the create ask whether somebody carries our key; the others are asked for it before."""
    made = await crm.create(NO_EMAIL, KEY)
    before = await crm.get(made.id)
    with pytest.raises(Conflict) as caught:
        await crm.create(NewCustomer(first_name="Zoe", last_name="Quinn", email="zoe@example.com", phone="+15145550177"), KEY)
    assert (caught.value.by, caught.value.winner) == ("key", made.id)
    assert far.customers() == [made.id]
    if crm.can(CrmCapability.REFUSES_KEYS):
        assert await crm.get(made.id) == before


async def test_a_create_repeated_word_for_word_names_the_winner(far, crm):
    made = await crm.create(ADA, KEY)
    with pytest.raises(Conflict) as caught:
        await crm.create(ADA, KEY)
    assert caught.value.winner == made.id
    assert far.customers() == [made.id]


async def test_many_creates_at_once_make_one_customer(far, crm):
    results = await asyncio.gather(*(crm.create(NO_EMAIL, KEY) for _ in range(20)), return_exceptions=True)
    (made,) = [r for r in results if isinstance(r, Customer)]
    assert {r.winner for r in results if isinstance(r, Conflict)} == {made.id}
    assert far.customers() == [made.id]


async def test_two_people_become_two_customers(far, crm):
    await crm.create(ADA, KEY)
    await crm.create(NewCustomer(first_name="Ada", last_name="Byron", phone="+15145550124"), OTHER_KEY)
    assert len(far.customers()) == 2


# ---- merged and deleted ----


async def test_both_ids_of_a_merge_lead_to_the_survivor(far, crm):
    loser, survivor = far.add(ADA), far.add(NewCustomer(email="grace@example.com"))
    last = far.merge(loser, survivor)
    assert (await crm.get(survivor)).id == last
    if crm.can(CrmCapability.FOLLOWS_MERGES):
        assert (await crm.get(loser)).id == last
    else:
        assert await crm.get(loser) is None
    assert [c.id for c in await crm.by_email("ada@example.com")] in ([last], [])
    assert far.customers() == [last]


async def test_a_merge_of_a_merge_is_followed(far, crm):
    first, second, third = (far.add(NewCustomer(email=f"{n}@example.com")) for n in "abc")
    last = far.merge(far.merge(first, second), third)
    found = await crm.get(first)
    assert (found.id if found else None) == (last if crm.can(CrmCapability.FOLLOWS_MERGES) else None)


async def test_a_deleted_customer_is_gone_by_every_look_up(far, crm):
    made = await crm.create(ADA, KEY)
    far.delete(made.id)
    assert await crm.get(made.id) is None
    assert await crm.by_key(KEY) is None
    assert await crm.by_email("ada@example.com") == []
    assert await crm.by_phone("+15145550123") == []


# ---- fill ----


async def test_fill_writes_blanks_and_says_which(far, crm):
    customer = await crm.get(far.add(NewCustomer(first_name="Augusta", phone="+15145550100")))
    # Where a person has one name, a given name leaves nothing blank.
    last_name = set() if far.one_name else {"last_name"}
    assert set(await crm.fill(customer, ADA)) == {"email", "mobile_phone"} | last_name
    filled = await crm.get(customer.id)
    assert (filled.first_name, filled.phone) == ("Augusta", "+15145550100")
    assert (filled.last_name, filled.emails) == ("" if far.one_name else "Byron", ("ada@example.com",))
    assert filled.mobile_phone == "+15145550123"


async def test_fill_with_nothing_to_say_writes_nothing(far, crm):
    customer = await crm.get(far.add(ADA))
    before = far.effects()
    assert await crm.fill(customer, NewCustomer(first_name="Grace", email="grace@example.com")) == ()
    assert await crm.fill(await crm.get(far.add(NewCustomer(first_name="Ada"))), NewCustomer(last_name=" ")) == ()
    assert far.effects() == before


async def test_fill_never_takes_an_address_from_somebody_else(far, crm):
    holder = far.add(NewCustomer(email="ada@example.com"))
    customer = await crm.get(far.add(NewCustomer(first_name="Ada")))
    try:
        written = await crm.fill(customer, ADA)
    except Conflict:
        written = ()
    assert "email" not in written
    assert [c.id for c in await crm.by_email("ada@example.com")] == [holder]


# ---- appointments ----


async def test_an_appointment_is_made_brought_up_to_date_and_found_by_its_marker(far, crm):
    ada, grace = far.add(ADA), far.add(NewCustomer(email="grace@example.com"))
    record = await crm.record_appointment(ada, FITTING, "m1", None)
    other = await crm.record_appointment(ada, FITTING, "m2", None)
    assert sorted(far.appointments()) == sorted([record, other])
    later = replace(FITTING, status=Status.CANCELLED, starts_at=NOON + timedelta(days=1))
    assert await crm.record_appointment(ada, later, "m1", record) == record
    assert await crm.find_appointment(ada, "m1") == record
    assert await crm.find_appointment(ada, "m2") == other
    assert await crm.find_appointment(ada, "m") is None
    assert await crm.find_appointment(grace, "m1") is None
    assert len(far.appointments()) == 2


async def test_every_status_can_be_recorded_and_taken_back(far, crm):
    ada = far.add(ADA)
    record = await crm.record_appointment(ada, FITTING, "m1", None)
    for status in [*Status, Status.SCHEDULED]:
        assert await crm.record_appointment(ada, replace(FITTING, status=status), "m1", record) == record
    assert far.appointments() == [record]


async def test_the_text_of_a_record_says_who_serves_or_what_the_template_says(far, crm):
    ada, served = far.add(ADA), replace(FITTING, staff=" Kim ")
    assert "With Kim" in far.text(await crm.record_appointment(ada, served, "m1", None))
    own = replace(served, text='Fitting at Downtown\n"<b>" & more')
    said = far.text(await crm.record_appointment(ada, own, "m2", None))
    assert own.text in said
    assert "With Kim" not in said


async def test_a_text_that_is_too_long_is_cut_and_the_marker_is_still_found(far, crm):
    ada, long = far.add(ADA), replace(FITTING, text="long " * 300_000)
    record = await crm.record_appointment(ada, long, "m1", None)
    assert "long long" in far.text(record)
    assert len(far.text(record)) <= far.room
    assert await crm.find_appointment(ada, "m1") == record


async def test_an_appointment_of_which_little_is_known(far, crm):
    assert await crm.record_appointment(far.add(ADA), Appointment(id="B2"), "m1", None) in far.appointments()


async def test_an_appointment_that_a_person_deleted_is_not_made_again(far, crm):
    ada = far.add(ADA)
    record = await crm.record_appointment(ada, FITTING, "m1", None)
    far.delete_appointment(record)
    with pytest.raises(Rejected) as caught:
        await crm.record_appointment(ada, FITTING, "m1", record)
    assert caught.value.status == 404
    assert await crm.find_appointment(ada, "m1") is None
    assert far.appointments() == []


# ---- failures ----


@pytest.mark.parametrize("failure", FAILURES)
@pytest.mark.parametrize("read", READS.values(), ids=READS)
async def test_a_look_up_that_fails_is_never_an_empty_answer(far, crm, read, failure):
    ada = far.add(ADA)
    # Where an access token is needed, there is one before anything fails.
    await crm.get(ada)
    far.disturb(**FAILURES[failure])
    with pytest.raises(RemoteError) as caught:
        await read(crm, ada)
    if failure not in ("HTML 404", "HTML 410"):
        assert isinstance(caught.value, (Unavailable, Transient, RateLimited, AccountPaused)), "it passes, so the event waits"
    _says_nothing_personal(caught.value)


@pytest.mark.parametrize("read", READS.values(), ids=READS)
async def test_a_refused_key_pauses_the_account_and_says_what_to_do(far, crm, read):
    far.refuse_key()
    with pytest.raises(AccountPaused) as caught:
        await read(crm, far.nobody)
    assert caught.value.account == "crm.main"
    assert "[crm.main]" in caught.value.hint
    with pytest.raises(AccountPaused):
        await crm.create(ADA, KEY)
    assert far.customers() == []


WRITES: dict[str, Callable[[CRM, Customer, str], Awaitable[object]]] = {
    "create": lambda crm, *_: crm.create(ADA, KEY),
    "fill": lambda crm, customer, _: crm.fill(customer, NewCustomer(last_name="Hopper", mobile_phone="+15145550100")),
    "record": lambda crm, customer, _: crm.record_appointment(customer.id, FITTING, "m2", None),
    "update": lambda crm, customer, record: crm.record_appointment(customer.id, FITTING, "m1", record),
}
UNCLEAR = ("cut", "time-out", "500 afterwards", "500", "503", "down", "HTML 200", "HTML 500", "HTML 503")


@pytest.mark.parametrize("failure", UNCLEAR)
@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
async def test_a_write_without_a_clear_answer_may_have_happened_and_is_sent_once(far, crm, write, failure):
    customer = await crm.get(far.add(NewCustomer(first_name="Grace")))
    record = await crm.record_appointment(customer.id, FITTING, "m1", None)
    before, sent = far.effects(), far.sandbox.app.injected.total()
    # Only writes fail: a CRM that looks first reaches its write, and each failure is one write that was sent.
    far.disturb_writes(**FAILURES[failure])
    with pytest.raises(UnknownOutcome) as caught:
        await write(crm, customer, record)
    happened = failure in ("cut", "time-out", "500 afterwards")
    assert (far.effects() - before, far.sandbox.app.injected.total() - sent) == (happened, 1)
    _says_nothing_personal(caught.value)


async def test_over_a_real_connection_a_cut_create_is_unknown_and_can_be_found(far):
    async with Server(far.app) as server, aclosing((crm := far.connect(server.url)).remote):
        await crm.probe()
        far.disturb_writes(lost_answer=1)
        with pytest.raises(UnknownOutcome):
            await crm.create(ADA, KEY)
        far.disturb()
        found = await crm.by_key(KEY)
        assert [found.id] == far.customers()
        with pytest.raises(Conflict):
            await crm.create(ADA, KEY)
    assert far.customers() == [found.id]


async def test_where_nobody_listens_the_account_is_unavailable_and_no_write_happened(far):
    async with aclosing((crm := far.connect("http://127.0.0.1:9")).remote):
        with pytest.raises(Unavailable):
            await crm.create(ADA, KEY)


def _says_nothing_personal(error: RemoteError) -> None:
    text = f"{error} {error.hint}"
    assert not [word for word in ("@", "555", "Ada", "Byron", "Hopper", KEY, OTHER_KEY, "sandbox-") if word in text]
    assert error.account == "crm.main"


# ---- health ----


async def test_a_prepared_account_passes_every_check(far, crm):
    await crm.probe()
    checks = await crm.checks()
    assert {check.level for check in checks} <= {"ok"}
    assert all(check.id.startswith("crm.main.") and not check.hint for check in checks)
    assert await crm.fix() == []


async def test_what_is_missing_is_said_with_the_way_out_and_made_by_fix(far, crm):
    _unprepare(far)
    with pytest.raises(AccountPaused) as caught:
        await crm.probe()
    assert "--fix" in caught.value.hint
    assert "error" in {check.level for check in await crm.checks()}
    made = await crm.fix()
    assert made
    assert all(sentence.endswith(".") for sentence in made)
    assert await crm.fix() == []
    await crm.probe()
    assert (await crm.create(ADA, KEY)).person_key == KEY


async def test_without_what_fix_makes_nobody_is_created(far, crm):
    _unprepare(far)
    with pytest.raises(AccountPaused) as caught:
        await crm.create(ADA, KEY)
    assert "--fix" in caught.value.hint
    assert far.customers() == []


def _unprepare(far: CrmAccount) -> None:
    if not far.needs_preparation:
        pytest.skip(f"{far.system} needs nothing that connector could make")
    far.unprepare()


async def test_a_probe_asks_even_while_the_account_is_closed(far, crm):
    crm.remote.breaker.trip(Unavailable("down", account="crm.main"))
    with pytest.raises(Unavailable):
        await crm.get(far.nobody)
    await crm.probe()


@pytest.mark.parametrize("faults", FAILURES.values(), ids=FAILURES)
async def test_a_probe_of_an_account_that_does_not_work_raises(far, crm, faults):
    far.disturb(**faults)
    with pytest.raises(RemoteError):
        await crm.probe()
