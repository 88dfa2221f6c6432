"""Create and fill: never a second record, never an overwritten value, never a blank."""

import asyncio
import json

import pytest

from connector.model.errors import AccountPaused, Conflict, Rejected, UnknownOutcome
from connector.model.persons import Customer, NewCustomer
from connector.sandbox.kit.faults import Faults
from connector.sandbox.zoho.app import Rules

from .conftest import KEY

pytestmark = pytest.mark.anyio
ADA = NewCustomer(
    email="ada@example.com", first_name="Ada", last_name="Byron", mobile_phone="+15145550123", phone="+15145550124"
)


# ---- create ----


async def test_create_writes_our_key_and_silences_workflows(sandbox, crm, wire):
    made = await crm.create(ADA, "k1")
    assert made == await crm.get(made.id)
    (stored,) = sandbox.contacts()
    assert (stored["Mobile"], stored["Phone"], stored[KEY]) == ("+15145550123", "+15145550124", "k1")
    body = next(json.loads(request.content) for request, _ in wire.exchanges if request.url.path.endswith("/upsert"))
    assert (body["trigger"], body["duplicate_check_fields"]) == ([], [KEY])


async def test_workflows_run_where_the_settings_say_so(wire, connect):
    crm = connect(wire, run_workflows=True)
    await crm.create(ADA, "k1")
    assert "trigger" not in json.loads(wire.exchanges[-1][0].content)
    await crm.remote.aclose()


async def test_fifty_creates_of_one_person_at_once_make_one_contact(sandbox, crm):
    results = await asyncio.gather(*(crm.create(ADA, "k1") for _ in range(50)), return_exceptions=True)
    made = [result for result in results if isinstance(result, Customer)]
    lost = [result for result in results if isinstance(result, Conflict)]
    assert (len(made), len(lost), len(sandbox.contacts())) == (1, 49, 1)
    assert {(conflict.by, conflict.winner) for conflict in lost} == {("key", made[0].id)}


@pytest.mark.parametrize("rules", [Rules(upsert_lag_seconds=60), Rules(upsert_lag_seconds=60, duplicate_names_holder=False)])
@pytest.mark.parametrize("status", [200, 202, 400])
async def test_an_upsert_that_does_not_see_the_first_record_is_refused_by_the_field(sandbox, crm, rules, status):
    sandbox.records.rules = rules
    rules.item_failure = status
    made = await crm.create(ADA, "k1")
    with pytest.raises(Conflict) as caught:
        await crm.create(ADA, "k1")
    assert (caught.value.by, caught.value.winner) == ("key", made.id)
    assert len(sandbox.contacts()) == 1


@pytest.mark.parametrize("fault", ["lost_answer", "error_after_effect", "timeout"])
async def test_a_create_whose_answer_is_lost_is_found_and_not_made_again(sandbox, crm, fault):
    await crm.probe()
    sandbox.faults = Faults(**{fault: 1}, timeout_seconds=0)
    with pytest.raises(UnknownOutcome):
        await crm.create(ADA, "k1")
    sandbox.faults = Faults(search_lag_seconds=600)
    found = await crm.by_key("k1")
    with pytest.raises(Conflict) as caught:
        await crm.create(ADA, "k1")
    assert caught.value.winner == found.id
    assert len(sandbox.contacts()) == 1


@pytest.mark.parametrize("named", [True, False])
async def test_an_address_that_the_account_keeps_unique_is_a_conflict(sandbox, crm, named):
    sandbox.records.rules = Rules(unique_email=True, duplicate_names_holder=named)
    holder = sandbox.add_contact(Last_Name="Byron", Email="ADA@example.com")
    with pytest.raises(Conflict) as caught:
        await crm.create(ADA, "k1")
    assert (caught.value.by, caught.value.winner, len(sandbox.contacts())) == ("email", holder, 1)
    assert "@" not in str(caught.value)


async def test_our_key_counts_before_the_address(sandbox, crm):
    sandbox.records.rules = Rules(unique_email=True, upsert_lag_seconds=60)
    sandbox.add_contact(Last_Name="Byron", Email="ada@example.com")
    made = await crm.create(NewCustomer(first_name="Ada", phone="+15145550124"), "k1")
    with pytest.raises(Conflict) as caught:
        await crm.create(ADA, "k1")
    assert (caught.value.by, caught.value.winner) == ("key", made.id)


async def test_whoever_carries_our_key_wins_over_those_with_the_address(sandbox, crm):
    sandbox.records.rules = Rules(upsert_lag_seconds=60, duplicate_names_holder=False)
    made = await crm.create(ADA, "k1")
    sandbox.add_contact(Last_Name="King", Email="ada@example.com")
    with pytest.raises(Conflict) as caught:
        await crm.create(ADA, "k1")
    assert (caught.value.by, caught.value.winner) == ("key", made.id)


async def test_a_person_without_a_last_name_gets_the_one_zoho_demands_and_it_reads_as_blank(sandbox, crm):
    made = await crm.create(NewCustomer(email="ada@example.com"), "k1")
    assert sandbox.contacts()[0]["Last_Name"] == "(no last name)"
    assert made.last_name == ""
    assert (await crm.get(made.id)).last_name == ""
    assert await crm.fill(made, ADA) == ("first_name", "last_name", "mobile_phone", "phone")
    assert sandbox.contacts()[0]["Last_Name"] == "Byron"


async def test_what_zoho_refuses_is_left_out_and_named(sandbox, crm):
    long = ADA.model_copy(update={"first_name": "A" * 41})
    made = await crm.create(long, "k1")
    assert made.refused == ("first_name",)
    assert (made.first_name, made.last_name, made.emails) == ("", "Byron", ("ada@example.com",))
    assert "First_Name" not in sandbox.contacts()[0]


async def test_several_refused_values_are_left_out_together(sandbox, crm):
    made = await crm.create(ADA.model_copy(update={"first_name": "A" * 41, "last_name": "B" * 81}), "k1")
    assert set(made.refused) == {"first_name", "last_name"}
    assert sandbox.contacts()[0]["Last_Name"] == "(no last name)"


async def test_a_contact_that_could_not_be_found_again_is_not_made(sandbox, crm):
    with pytest.raises(Rejected) as caught:
        await crm.create(ADA.model_copy(update={"email": "not an address"}), "k1")
    assert caught.value.fields == ("Email",)
    assert "INVALID_DATA" in caught.value.hint
    assert sandbox.contacts() == []


async def test_without_our_field_nothing_is_written(sandbox, crm):
    sandbox.records.fields["Contacts"].clear()
    with pytest.raises(AccountPaused) as caught:
        await crm.create(ADA, "k1")
    assert "--fix" in caught.value.hint
    assert sandbox.contacts() == []


# ---- fill ----


async def test_fill_sends_only_what_is_blank(sandbox, crm, wire):
    identity = sandbox.add_contact(Last_Name="Byron", Phone="+15145550100")
    assert await crm.fill(await crm.get(identity), ADA) == ("email", "first_name", "mobile_phone")
    sent = json.loads(wire.exchanges[-1][0].content)["data"]
    assert sent == [{"Email": "ada@example.com", "First_Name": "Ada", "Mobile": "+15145550123"}]


async def test_fill_asks_who_has_an_address_before_it_writes_one(sandbox, crm):
    holder = sandbox.add_contact(Last_Name="Byron", Secondary_Email="ada@example.com")
    identity = sandbox.add_contact(Last_Name="Byron")
    assert "email" not in await crm.fill(await crm.get(identity), ADA)
    assert [contact.id for contact in await crm.by_email("ada@example.com")] == [holder]


async def test_fill_leaves_out_an_address_that_was_taken_meanwhile(sandbox, crm, remote, scripted):
    duplicate = {"api_name": "Email", "duplicate_record": {"id": "77"}}
    remote.answer(204)
    remote.answer(400, {"data": [{"code": "DUPLICATE_DATA", "status": "error", "message": "x", "details": duplicate}]})
    remote.answer(200, {"data": [{"code": "SUCCESS", "status": "success", "message": "x", "details": {"id": "1"}}]})
    assert await scripted.fill(Customer(id="1", last_name="Byron"), ADA) == ("first_name", "mobile_phone", "phone")


async def test_fill_leaves_out_what_is_refused(sandbox, crm):
    identity = sandbox.add_contact(Last_Name="Byron")
    long = ADA.model_copy(update={"first_name": "A" * 41})
    assert await crm.fill(await crm.get(identity), long) == ("email", "mobile_phone", "phone")


async def test_fill_of_a_contact_that_is_gone_says_so(sandbox, crm):
    customer = await crm.get(sandbox.add_contact(Last_Name="Byron"))
    sandbox.delete("Contacts", customer.id)
    with pytest.raises(Rejected) as caught:
        await crm.fill(customer, ADA)
    assert caught.value.status == 404
    assert "gone" in str(caught.value)
