"""Creates that cannot happen twice, the meanings of 412, and blanks that are filled without taking anything away."""

import asyncio
import json

import pytest

from connector.model.errors import (
    AccountPaused,
    ActionRefused,
    Conflict,
    RateLimited,
    Rejected,
    RemoteError,
    Transient,
    UnknownOutcome,
)
from connector.model.persons import Customer, NewCustomer
from connector.sandbox.dynamics.app import Rules
from connector.sandbox.kit.faults import Faults

from .conftest import KEY

pytestmark = pytest.mark.anyio
ADA = NewCustomer(
    first_name="Ada", last_name="Byron", email="ada@example.com", mobile_phone="+15145550123", phone="+15145550124"
)
ID, OTHER = "00000001-5a3c-ef11-8e4f-000d3ab00001", "00000002-5a3c-ef11-8e4f-000d3ab00002"


async def test_create_writes_what_is_known_under_our_key(sandbox, crm):
    made = await crm.create(ADA, "aa")
    (stored,) = sandbox.contacts()
    assert {
        name: stored[name] for name in ("id", "firstname", "lastname", "emailaddress1", "mobilephone", "telephone1", KEY)
    } == {
        "id": made.id,
        "firstname": "Ada",
        "lastname": "Byron",
        "emailaddress1": "ada@example.com",
        "mobilephone": "+15145550123",
        "telephone1": "+15145550124",
        KEY: "aa",
    }


async def test_create_without_a_last_name_puts_what_the_settings_say(sandbox, wire, connect):
    adapter = connect(wire, missing_last_name="?")
    made = await adapter.create(NewCustomer(email="ada@example.com"), "aa")
    assert made.last_name == ""
    assert [contact["lastname"] for contact in sandbox.contacts()] == ["?"]
    await adapter.remote.aclose()


async def test_fifty_creates_of_one_person_at_once_make_one_contact(sandbox, crm):
    results = await asyncio.gather(*(crm.create(ADA, "aa") for _ in range(50)), return_exceptions=True)
    made = [r for r in results if isinstance(r, Customer)]
    refused = [r for r in results if isinstance(r, Conflict)]
    assert (len(made), len(refused), len(sandbox.contacts())) == (1, 49, 1)
    assert {(conflict.by, conflict.winner) for conflict in refused} == {("key", made[0].id)}
    assert sandbox.statuses[412] == 49


async def test_a_create_never_writes_over_a_contact_that_is_there(sandbox, crm):
    made = await crm.create(ADA, "aa")
    with pytest.raises(Conflict):
        await crm.create(ADA.model_copy(update={"first_name": "Augusta"}), "aa")
    assert [(contact["id"], contact["firstname"]) for contact in sandbox.contacts()] == [(made.id, "Ada")]


@pytest.mark.parametrize("fault", ["lost_answer", "error_after_effect", "timeout"])
async def test_a_create_without_a_clear_answer_is_unknown_and_the_repetition_finds_it(sandbox, crm, fault):
    await crm.get(ID)
    sandbox.faults = Faults(**{fault: 1, "timeout_seconds": 0}, methods=("PATCH",))
    with pytest.raises(UnknownOutcome):
        await crm.create(ADA, "aa")
    assert sandbox.requests["PATCH contacts/{key}"] == 1, "a write is sent once"
    sandbox.faults = Faults()
    with pytest.raises(Conflict) as caught:
        await crm.create(ADA, "aa")
    assert [caught.value.winner] == [contact["id"] for contact in sandbox.contacts()]


@pytest.mark.parametrize("data", [None, {}, [], {"contactid": ID}, {"contactid": "x", KEY: "aa"}, {"contactid": ID, KEY: "b"}])
async def test_a_create_that_answers_nonsense_is_unknown(scripted, remote, data):
    remote.definitions()
    remote.answer(201, data)
    with pytest.raises(UnknownOutcome):
        await scripted.create(ADA, "aa")


# ---- the meanings of 412 ----


@pytest.mark.parametrize(
    ("status", "code"),
    [(412, "0x80060892"), (412, "0x80040237"), (412, ""), (500, "0x80060892"), (400, "0x80073002"), (500, "0x80073002")],
)
async def test_a_taken_key_is_looked_up(scripted, remote, status, code):
    remote.definitions()
    remote.refuse(status, code, "Clé déjà utilisée : ada@example.com")
    remote.rows({"contactid": ID, KEY: "aa"})
    with pytest.raises(Conflict) as caught:
        await scripted.create(ADA, "aa")
    assert (caught.value.by, caught.value.winner) == ("key", ID)
    assert "example.com" not in f"{caught.value} {caught.value.hint}"


@pytest.mark.parametrize("code", ["0x80060882", "0x8004ffff"])
async def test_another_412_is_never_already_there(scripted, remote, code):
    remote.definitions()
    remote.refuse(412, code)
    with pytest.raises(Transient) as caught:
        await scripted.create(ADA, "aa")
    assert not isinstance(caught.value, UnknownOutcome), "a failed condition proves that nothing was done"
    assert len(remote.asked) == 2


async def test_another_key_of_the_environment_names_a_contact_that_counts_only_with_the_address(scripted, remote):
    remote.definitions()
    remote.refuse(412, "0x80060892", f"<DuplicateAttributes></DuplicateAttributes><Id>{ID.upper()}</Id>")
    remote.rows()
    remote.rows({"contactid": ID, "emailaddress2": "ADA@example.com"})
    with pytest.raises(Conflict) as caught:
        await scripted.create(ADA, "aa")
    assert (caught.value.by, caught.value.winner) == ("email", ID)


async def test_an_id_in_a_sentence_is_only_a_claim(scripted, remote):
    remote.definitions()
    remote.refuse(412, "0x80060892", f"<Id>{ID}</Id>")
    remote.rows()
    remote.rows({"contactid": ID, "emailaddress1": "somebody@example.com"})
    remote.rows()
    with pytest.raises(Rejected, match="another unique key") as caught:
        await scripted.create(ADA, "aa")
    assert "retry the event" in caught.value.hint


@pytest.mark.parametrize("status", [412, 500])
async def test_a_duplicate_rule_that_refuses_leads_to_the_only_contact_with_the_address(sandbox, wire, connect, status):
    sandbox.rules = Rules(duplicate_rule=True, duplicate_status=status)
    same = sandbox.add_contact(emailaddress1="ada@example.com")
    adapter = connect(wire, detect_duplicates=True)
    with pytest.raises(Conflict) as caught:
        await adapter.create(ADA, "aa")
    assert (caught.value.by, caught.value.winner) == ("email", same)
    sandbox.add_contact(emailaddress1="ada@example.com")
    with pytest.raises(Rejected, match="duplicate detection rule"):
        await adapter.create(ADA, "aa")
    assert len(sandbox.contacts()) == 2
    await adapter.remote.aclose()


async def test_duplicate_rules_do_not_run_unless_the_settings_say_so(sandbox, crm):
    sandbox.rules = Rules(duplicate_rule=True)
    sandbox.add_contact(emailaddress1="ada@example.com")
    assert (await crm.create(ADA, "aa")).person_key == "aa"


async def test_a_key_on_a_deactivated_contact_is_a_question_for_a_person(sandbox, crm):
    made = await crm.create(ADA, "aa")
    sandbox.deactivate(made.id)
    assert await crm.get(made.id) is None
    assert await crm.by_key("aa") is None
    with pytest.raises(Rejected, match="deactivated contact") as caught:
        await crm.create(ADA, "aa")
    assert "activate it" in caught.value.hint
    assert sandbox.contacts() == []


async def test_the_key_of_a_merged_contact_leads_to_the_survivor(sandbox, crm):
    made = await crm.create(ADA, "aa")
    middle, last = sandbox.add_contact(firstname="Ada"), sandbox.add_contact(firstname="Ada")
    sandbox.merge(middle, made.id)
    sandbox.merge(last, middle)
    assert (await crm.by_key("aa")).id == last
    with pytest.raises(Conflict) as caught:
        await crm.create(ADA, "aa")
    assert caught.value.winner == last


# ---- lengths, rules of the environment ----


async def test_lengths_are_the_environments_own_and_what_was_cut_is_said(sandbox, crm):
    sandbox.metadata.lengths["firstname"] = 3
    made = await crm.create(ADA.model_copy(update={"first_name": "Augusta", "phone": "5" * 51}), "aa")
    assert (made.first_name, made.last_name, made.phone) == ("Aug", "Byron", "")
    assert set(made.refused) == {"first_name", "phone"}
    await crm.create(ADA, "bb")
    assert sandbox.requests["GET definition/Attributes/Microsoft.Dynamics.CRM.StringAttributeMetadata"] == 1


async def test_an_address_that_does_not_fit_cannot_be_half_an_address(sandbox, crm):
    with pytest.raises(Rejected, match="longer than Dynamics allows"):
        await crm.create(NewCustomer(email=f"{'a' * 100}@example.com"), "aa")
    assert sandbox.contacts() == []


async def test_a_plug_in_that_refuses_is_not_quoted(sandbox, crm):
    sandbox.rules = Rules(plugin_refuses="Byron")
    with pytest.raises(Rejected, match="a plug-in of the environment refuses it") as caught:
        await crm.create(ADA, "aa")
    assert "Byron" not in f"{caught.value} {caught.value.hint}"


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("0x80044150", "Generic SQL error."),
        ("0x80044151", "SQL timeout expired."),
        ("0x80040255", "rolled back"),
        ("0x80040251", "no transaction"),
        ("0x80071151", "locked"),
        ("0x80040265", "Generic SQL error. CRM ErrorCode: -2147204784 Sql ErrorCode: -2146232060 Sql Number: 1205"),
    ],
)
async def test_what_passes_in_the_database_beneath_is_tried_again(scripted, remote, code, message):
    """Deadlocks and failovers: microsoft/PowerPlatform-DataverseServiceClient issue 490; whatever the status, none is final."""
    remote.definitions()
    remote.refuse(400, code, message)
    with pytest.raises(UnknownOutcome):
        await scripted.create(ADA, "aa")
    remote.answers.clear()
    remote.refuse(400, code, message)
    with pytest.raises(Transient) as caught:
        await scripted.by_email("ada@example.com")
    assert type(caught.value) is Transient


@pytest.mark.parametrize(
    ("status", "code", "kind", "said"),
    [
        (400, "0x80044331", Rejected, "0x80044331"),
        (400, "0x80060888", AccountPaused, "--fix"),
        (403, "0x80040220", ActionRefused, "security role"),
        (403, "0x80048306", ActionRefused, "security role"),
        (403, "0x80072560", ActionRefused, "application user"),
        (403, "0x80040225", ActionRefused, "application user"),
        (403, "0x8004d24b", ActionRefused, "application user"),
        (404, "0x80060891", Transient, ""),
        (429, "0x8005F103", RateLimited, ""),
        (429, "0x80060308", RateLimited, ""),
        (404, "0x80060888", AccountPaused, "base_url"),
        (500, "", UnknownOutcome, ""),
        (503, "", UnknownOutcome, ""),
    ],
)
async def test_what_is_refused_becomes_the_right_action(scripted, remote, status, code, kind, said):
    remote.definitions()
    remote.refuse(status, code, "Ada Byron, ada@example.com")
    with pytest.raises(RemoteError) as caught:
        await scripted.create(ADA, "aa")
    assert type(caught.value) is kind
    assert said in caught.value.hint
    assert "Ada" not in f"{caught.value} {caught.value.hint}"


# ---- blanks ----


async def test_fill_does_not_write_over_what_a_person_typed_meanwhile(sandbox, crm, wire):
    customer = await crm.get(sandbox.add_contact(emailaddress1="ada@example.com"))
    sandbox.change(customer.id, firstname="Augusta")
    assert set(await crm.fill(customer, ADA)) == {"last_name", "mobile_phone", "phone"}
    assert (await crm.get(customer.id)).first_name == "Augusta"


async def test_fill_looks_again_when_the_contact_changed_between_its_read_and_its_write(scripted, remote):
    customer = Customer(id=ID, emails=("ada@example.com",), last_name="Byron", phone="1", mobile_phone="1")
    known = {"emailaddress1": "ada@example.com", "lastname": "Byron", "telephone1": "1", "mobilephone": "1"}
    remote.rows({"contactid": ID, **known})
    remote.definitions()
    remote.refuse(412, "0x80060882")
    remote.rows({"contactid": ID, **known, "firstname": "Augusta"})
    assert await scripted.fill(customer, ADA) == ()
    (write,) = [request for request in remote.asked if request.method == "PATCH"]
    assert (write.headers["if-match"], json.loads(write.content)) == ('W/"1"', {"firstname": "Ada"})


async def test_fill_of_a_contact_that_changes_all_the_time_is_tried_later(scripted, remote):
    for _ in range(3):
        remote.rows({"contactid": ID, "emailaddress1": "ada@example.com"})
        if len(remote.answers) == 1:
            remote.definitions()
        remote.refuse(412, "0x80060882")
    with pytest.raises(Transient):
        await scripted.fill(Customer(id=ID, emails=("ada@example.com",)), ADA)


async def test_fill_of_a_contact_that_is_gone_is_held(sandbox, crm):
    customer = await crm.get(sandbox.add_contact(emailaddress1="ada@example.com"))
    sandbox.deactivate(customer.id)
    with pytest.raises(Rejected, match="the contact is gone"):
        await crm.fill(customer, ADA)
