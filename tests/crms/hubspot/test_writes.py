"""Create and fill: never a second record, never an overwritten value, never a blank."""

import asyncio
import json

import pytest

from connector.model.errors import AccountPaused, Conflict, Rejected, UnknownOutcome
from connector.model.persons import Customer, NewCustomer
from connector.sandbox.hubspot.app import Rules
from connector.sandbox.kit.faults import Faults

pytestmark = pytest.mark.anyio
KEY = "connector_person_key"
ADA = NewCustomer(
    email="ada@example.com", first_name="Ada", last_name="Byron", mobile_phone="+15145550123", phone="+15145550124"
)


# ---- create ----


async def test_create_writes_mobile_and_home_phone_and_our_key(sandbox, crm):
    made = await crm.create(ADA, "k1")
    assert made == Customer(
        id=made.id,
        first_name="Ada",
        last_name="Byron",
        emails=("ada@example.com",),
        mobile_phone="+15145550123",
        phone="+15145550124",
        person_key="k1",
        created_at=made.created_at,
        active_at=made.active_at,
    )
    stored = sandbox.contacts()[0]
    assert (stored["mobilephone"], stored["phone"], stored[KEY]) == ("+15145550123", "+15145550124", "k1")


async def test_create_sends_no_blanks(scripted, remote):
    remote.answer(201, {"id": "1", "properties": {}})
    await scripted.create(NewCustomer(first_name="Ada", last_name=" "), "k1")
    assert json.loads(remote.asked[0].content) == {"properties": {"firstname": "Ada", KEY: "k1"}}
    assert remote.asked[0].url.path == "/crm/objects/2026-09/contacts"
    assert remote.asked[0].headers["authorization"] == "Bearer pat-test-0000"


@pytest.mark.parametrize("taken", ["ada@example.com", "ADA@example.com", "second@example.org"])
async def test_create_with_a_known_address_names_the_winner(sandbox, crm, taken):
    holder = sandbox.add_contact(email="ada@example.com")
    sandbox.add_email(holder, "second@example.org")
    with pytest.raises(Conflict) as caught:
        await crm.create(NewCustomer(email=taken), "k1")
    assert (caught.value.by, caught.value.winner, caught.value.status) == ("email", holder, 409)
    assert "@" not in str(caught.value)
    assert len(sandbox.contacts()) == 1


async def test_create_with_a_known_address_in_another_wording_is_settled_by_looking(sandbox, crm):
    sandbox.records.rules = Rules(conflict_names_winner=False)
    holder = sandbox.add_contact(email="ada@example.com")
    with pytest.raises(Conflict) as caught:
        await crm.create(ADA, "k1")
    assert (caught.value.by, caught.value.winner) == ("email", holder)


NOBODY = {"status": "error", "category": "OBJECT_NOT_FOUND", "message": "resource not found"}
STRANGER = {"id": "77", "properties": {"email": "grace@example.com", KEY: "k2"}}


@pytest.mark.parametrize("new", [ADA, NewCustomer(first_name="Ada", mobile_phone="+15145550123")])
@pytest.mark.parametrize(
    "refusal",
    [
        (409, {"category": "CONFLICT", "message": "Contact already exists. Existing ID: 77"}),
        (400, {"category": "VALIDATION_ERROR", "message": "77 already has that value", "error": "UNIQUE_VALUE_CONFLICT"}),
    ],
)
async def test_a_refusal_that_names_a_stranger_names_nobody(scripted, remote, new, refusal):
    remote.answer(*refusal)
    remote.answer(200, STRANGER)
    remote.answer(404, NOBODY)
    with pytest.raises(Conflict) as caught:
        await scripted.create(new, "k1")
    assert caught.value.winner is None
    assert caught.value.status == refusal[0]


async def test_a_refusal_that_names_a_stranger_is_settled_by_looking_for_the_holder(scripted, remote):
    remote.answer(409, {"category": "CONFLICT", "message": "Contact already exists. Existing ID: 77"})
    remote.answer(200, STRANGER)
    remote.answer(200, {"id": "6001", "properties": {"email": "Ada@example.com"}})
    remote.answer(404, NOBODY)
    with pytest.raises(Conflict) as caught:
        await scripted.create(ADA, "k1")
    assert (caught.value.winner, caught.value.by) == ("6001", "email")


async def test_two_holders_are_no_winner(scripted, remote):
    remote.answer(409, {"category": "CONFLICT", "message": "Contact already exists."})
    remote.answer(200, {"id": "6001", "properties": {"email": "ada@example.com"}})
    remote.answer(200, {"id": "6002", "properties": {KEY: "k1"}})
    with pytest.raises(Conflict) as caught:
        await scripted.create(ADA, "k1")
    assert caught.value.winner is None


async def test_a_conflict_over_our_key_whose_winner_only_has_the_address_is_one_over_the_address(scripted, remote):
    remote.answer(400, {"category": "VALIDATION_ERROR", "message": "6001 already has that value"})
    remote.answer(200, {"id": "6001", "properties": {"hs_additional_emails": "b@example.com;ADA@example.com"}})
    with pytest.raises(Conflict) as caught:
        await scripted.create(ADA, "k1")
    assert (caught.value.winner, caught.value.by) == ("6001", "email")


async def test_create_under_a_known_key_names_the_holder_and_not_the_other_id(sandbox, crm):
    holder = sandbox.add_contact(email="old@example.com", **{KEY: "k1"})
    with pytest.raises(Conflict) as caught:
        await crm.create(ADA, "k1")
    assert (caught.value.by, caught.value.winner, caught.value.status) == ("key", holder, 400)
    assert len(sandbox.contacts()) == 1


async def test_create_with_an_address_which_an_archived_contact_still_holds(sandbox, crm):
    sandbox.records.rules = Rules(archived_blocks_email=True)
    gone = sandbox.add_contact(email="ada@example.com")
    sandbox.archive(gone)
    assert await crm.by_email("ada@example.com") == []
    with pytest.raises(Conflict) as caught:
        await crm.create(ADA, "k1")
    assert caught.value.winner is None, "nobody can be linked to a contact in the recycle bin"
    assert await crm.get(gone) is None


async def test_fifty_parallel_creates_of_one_person_make_one_contact(sandbox, crm):
    results = await asyncio.gather(*(crm.create(ADA, "k1") for _ in range(50)), return_exceptions=True)
    made = [r for r in results if isinstance(r, Customer)]
    refused = [r for r in results if isinstance(r, Conflict)]
    assert (len(made), len(refused), len(sandbox.contacts())) == (1, 49, 1)
    assert {conflict.winner for conflict in refused} == {made[0].id}


async def test_fifty_parallel_creates_without_an_address_make_one_contact_by_key(sandbox, crm):
    nameless = NewCustomer(first_name="Ada", mobile_phone="+15145550123")
    results = await asyncio.gather(*(crm.create(nameless, "k1") for _ in range(50)), return_exceptions=True)
    assert len(sandbox.contacts()) == 1
    assert {r.by for r in results if isinstance(r, Conflict)} == {"key"}


@pytest.mark.parametrize("fault", ["lost_answer", "error_after_effect", "timeout"])
async def test_a_create_without_a_clear_answer_is_unknown_and_the_repetition_finds_it(sandbox, crm, fault):
    sandbox.faults = Faults(**{fault: 1, "timeout_seconds": 0})
    with pytest.raises(UnknownOutcome):
        await crm.create(ADA, "k1")
    assert sandbox.requests["POST contacts"] == 1, "a write is sent once"
    sandbox.faults = Faults()
    with pytest.raises(Conflict) as caught:
        await crm.create(ADA, "k1")
    assert (await crm.get(caught.value.winner)).person_key == "k1"


@pytest.mark.parametrize("data", [None, {}, [], {"id": None, "properties": {}}, b"<html></html>"])
async def test_a_create_that_answers_nonsense_is_unknown(scripted, remote, data):
    remote.answer(201, data)
    with pytest.raises(UnknownOutcome):
        await scripted.create(ADA, "k1")


async def test_create_without_our_property_pauses_the_account_with_the_way_out(sandbox, crm):
    del sandbox.records.properties[KEY]
    with pytest.raises(AccountPaused) as caught:
        await crm.create(ADA, "k1")
    assert KEY in str(caught.value)
    assert "connector check --fix" in caught.value.hint
    assert sandbox.contacts() == []


async def test_create_with_a_value_hubspot_refuses_names_its_code_and_never_the_value(sandbox, crm):
    with pytest.raises(Rejected) as caught:
        await crm.create(NewCustomer(email="not-an-address", first_name="Ada"), "k1")
    assert caught.value.hint == "HubSpot's reasons: VALIDATION_ERROR, INVALID_EMAIL. Properties: email."
    assert "not-an-address" not in str(caught.value)


# ---- fill ----


async def test_fill_writes_blanks_only(sandbox, crm):
    contact = sandbox.add_contact(firstname="Augusta", phone="kept")
    assert await crm.fill(await crm.get(contact), ADA) == ("email", "last_name", "mobile_phone")
    stored = sandbox.contacts()[0]
    assert (stored["firstname"], stored["phone"]) == ("Augusta", "kept")
    assert (stored["email"], stored["lastname"], stored["mobilephone"]) == ("ada@example.com", "Byron", "+15145550123")
    assert KEY not in stored, "our key is written by a create and by nothing else"


async def test_fill_never_gives_a_second_address(sandbox, crm):
    contact = sandbox.add_contact(email="first@example.com")
    assert "email" not in await crm.fill(await crm.get(contact), ADA)
    assert sandbox.contacts()[0]["email"] == "first@example.com"


async def test_fill_with_nothing_to_say_makes_no_call(scripted, remote):
    whole = Customer(id="1", first_name="A", last_name="B", emails=("a@example.com",), mobile_phone="1", phone="2")
    assert await scripted.fill(whole, ADA) == ()
    assert await scripted.fill(Customer(id="1"), NewCustomer(first_name=" ")) == ()
    assert remote.asked == []


async def test_fill_leaves_out_an_address_that_another_contact_has(sandbox, crm):
    sandbox.add_contact(email="ada@example.com")
    contact = sandbox.add_contact(firstname="Ada", age=5)
    assert await crm.fill(await crm.get(contact), ADA) == ("last_name", "mobile_phone", "phone")
    assert "email" not in sandbox.contacts()[1]


async def test_fill_of_nothing_but_a_taken_address_writes_nothing(sandbox, crm):
    sandbox.add_contact(email="ada@example.com")
    contact = sandbox.add_contact(firstname="Ada")
    assert await crm.fill(await crm.get(contact), NewCustomer(email="ada@example.com")) == ()


async def test_fill_of_a_contact_that_is_gone_is_said(sandbox, crm):
    contact = await crm.get(sandbox.add_contact(firstname="Ada"))
    sandbox.archive(contact.id)
    with pytest.raises(Rejected) as caught:
        await crm.fill(contact, ADA)
    assert "retry the event" in caught.value.hint


async def test_fill_without_a_clear_answer_is_unknown(sandbox, crm):
    contact = await crm.get(sandbox.add_contact(firstname="Ada"))
    sandbox.faults = Faults(lost_answer=1)
    with pytest.raises(UnknownOutcome):
        await crm.fill(contact, ADA)


# ---- one optional field that the account's own rules refuse ----


def refuses(*properties: str) -> tuple[int, dict]:
    errors = [{"code": "INVALID_FORMAT", "context": {"propertyName": [name]}} for name in properties]
    return 400, {"status": "error", "category": "VALIDATION_ERROR", "errors": errors}


async def test_a_create_is_sent_again_without_the_refused_fields(scripted, remote):
    remote.answer(*refuses("mobilephone", "lastname"))
    remote.answer(201, {"id": "6001", "properties": {"email": "ada@example.com"}})
    made = await scripted.create(ADA, "k1")
    assert (made.id, made.refused) == ("6001", ("last_name", "mobile_phone"))
    sent = [json.loads(request.content)["properties"] for request in remote.asked]
    assert sent[1] == {"email": "ada@example.com", "firstname": "Ada", "phone": "+15145550124", KEY: "k1"}
    assert len(sent) == 2


@pytest.mark.parametrize(
    ("new", "refused"),
    [
        (ADA, "email"),
        (ADA, KEY),
        (ADA, "loyalty_number"),
        (NewCustomer(first_name="Ada", mobile_phone="+15145550123"), "mobilephone"),
    ],
)
async def test_a_create_is_not_sent_again_without_what_identifies(scripted, remote, new, refused):
    remote.answer(*refuses(refused))
    with pytest.raises(Rejected) as caught:
        await scripted.create(new, "k1")
    assert caught.value.fields == (refused,)
    assert len(remote.asked) == 1


async def test_a_create_is_sent_again_only_once(scripted, remote):
    remote.answer(*refuses("mobilephone"))
    remote.answer(*refuses("phone"))
    with pytest.raises(Rejected):
        await scripted.create(ADA, "k1")
    assert len(remote.asked) == 2


async def test_the_second_create_without_a_clear_answer_is_unknown(scripted, remote):
    remote.answer(*refuses("mobilephone"))
    remote.answer(202, {})
    with pytest.raises(UnknownOutcome):
        await scripted.create(ADA, "k1")


async def test_fill_leaves_out_a_refused_field_and_writes_the_rest(scripted, remote):
    remote.answer(*refuses("mobilephone"))
    remote.answer(200, {"id": "6001", "properties": {}})
    written = await scripted.fill(Customer(id="6001", emails=("ada@example.com",)), ADA)
    assert written == ("first_name", "last_name", "phone")
    assert "mobilephone" not in json.loads(remote.asked[1].content)["properties"]


async def test_fill_whose_only_field_is_refused_says_so(scripted, remote):
    remote.answer(*refuses("phone"))
    with pytest.raises(Rejected):
        await scripted.fill(Customer(id="6001"), NewCustomer(phone="+15145550124"))
    assert len(remote.asked) == 1
