"""Creates that cannot happen twice, and blanks that are filled without taking anything away."""

import asyncio
import json

import pytest

from connector.model.errors import (
    AccountPaused,
    Conflict,
    NeedsReview,
    Rejected,
    RemoteError,
    Transient,
    UnknownOutcome,
)
from connector.model.persons import Customer, NewCustomer
from connector.sandbox.kit.faults import Faults
from connector.sandbox.salesforce.app import Rules

pytestmark = pytest.mark.anyio
KEY = "Connector_Key__c"
ADA = NewCustomer(
    first_name="Ada", last_name="Byron", email="ada@example.com", mobile_phone="+15145550123", phone="+15145550124"
)
ID, OTHER = "0035g00000ABcDeAAL", "0035g00000ABcDfAAL"
MADE = {"id": ID, "success": True, "errors": [], "created": True}


def sent(request) -> dict:
    return json.loads(request.content)


# ---- create ----


async def test_create_writes_what_is_known_under_our_key(sandbox, crm):
    made = await crm.create(ADA, "aa")
    (stored,) = sandbox.contacts()
    assert {name: stored[name] for name in stored if "Date" not in name} == {
        "Id": made.id,
        "FirstName": "Ada",
        "LastName": "Byron",
        "Email": "ada@example.com",
        "MobilePhone": "+15145550123",
        "Phone": "+15145550124",
        KEY: "aa",
    }


async def test_create_without_a_last_name_puts_what_the_settings_say(sandbox, wire, connect):
    adapter = connect(wire, missing_last_name="?", account_id="001D000000IqhSLIAZ")
    made = await adapter.create(NewCustomer(email="ada@example.com"), "aa")
    assert made.last_name == ""
    (stored,) = sandbox.contacts()
    assert (stored["LastName"], stored["AccountId"]) == ("?", "001D000000IqhSLIAZ")
    await adapter.remote.aclose()


async def test_fifty_creates_of_one_person_at_once_make_one_contact(sandbox, crm):
    results = await asyncio.gather(*(crm.create(ADA, "aa") for _ in range(50)), return_exceptions=True)
    made = [r for r in results if isinstance(r, Customer)]
    refused = [r for r in results if isinstance(r, Conflict)]
    assert (len(made), len(refused), len(sandbox.contacts())) == (1, 49, 1)
    assert {(conflict.by, conflict.winner) for conflict in refused} == {("key", made[0].id)}
    assert sandbox.statuses[400] == 49, "all had looked before the first one wrote, and the unique index refused them"


@pytest.mark.parametrize("status", [200, 204])
async def test_an_upsert_that_finds_the_contact_there_is_a_conflict(sandbox, crm, status):
    sandbox.rules.upsert_answer = status
    made = await crm.create(ADA, "aa")
    with pytest.raises(Conflict) as caught:
        await crm.create(ADA, "aa")
    assert (caught.value.by, caught.value.winner) == ("key", made.id)


@pytest.mark.parametrize("length", [15, 18, "unknown"])
@pytest.mark.parametrize(
    "text",
    [
        "duplicate value found: {field} duplicates value on record with id: {id}",
        "valeur en double trouvée : {field} duplique la valeur de l’enregistrement {id}.",
        "Wert doppelt ({id})",
        "",
    ],
)
async def test_a_taken_key_names_the_winner_in_whatever_language(sandbox, crm, length, text):
    sandbox.records.rules = Rules(duplicate_id=length, duplicate_text=text)
    results = await asyncio.gather(*(crm.create(ADA, "aa") for _ in range(3)), return_exceptions=True)
    (made,) = [r for r in results if isinstance(r, Customer)]
    assert [r.winner for r in results if isinstance(r, Conflict)] == [made.id] * 2


@pytest.mark.parametrize(
    "named",
    ["0015g00000ABcDeAAL", "<unknown>", "0035g00000ABcDeAAZ", "x0035g00000ABcDeAAL", "0035g00000ABcDeAALx", "003"],
)
async def test_an_id_that_is_no_contacts_is_not_even_read(scripted, remote, named):
    remote.refuse(400, "DUPLICATE_VALUE", f"duplicate value found: {KEY} duplicates value on record with id: {named}")
    remote.rows({"Id": OTHER, KEY: "aa"})
    with pytest.raises(Conflict) as caught:
        await scripted.create(ADA, "aa")
    assert (caught.value.by, caught.value.winner) == ("key", OTHER)
    assert len(remote.asked) == 2, "the create, and the look-up by key"


async def test_an_id_in_a_sentence_is_only_a_claim(scripted, remote):
    remote.refuse(400, "DUPLICATE_VALUE", f"duplicate value found: record with id: {ID[:15]}")
    remote.rows({"Id": ID, "Email": "somebody@example.com", KEY: "zz"})
    remote.rows({"Id": OTHER, KEY: "aa"})
    with pytest.raises(Conflict) as caught:
        await scripted.create(ADA, "aa")
    assert caught.value.winner == OTHER, "the named contact carries neither our key nor the address"


async def test_a_conflict_whose_holder_nobody_sees_has_no_winner(scripted, remote):
    remote.refuse(400, "DUPLICATE_VALUE", f"record with id: {ID}")
    remote.rows()
    with pytest.raises(Conflict) as caught:
        await scripted.create(ADA, "aa")
    assert caught.value.winner is None


async def test_a_named_contact_that_only_has_the_address_is_a_conflict_over_the_address(scripted, remote):
    remote.refuse(400, "DUPLICATE_VALUE", f"duplicate value found: Email_Key__c, record with id: {ID}")
    remote.rows({"Id": ID, "Email": "ADA@example.com"})
    remote.rows()
    with pytest.raises(Conflict) as caught:
        await scripted.create(ADA, "aa")
    assert (caught.value.by, caught.value.winner) == ("email", ID)


@pytest.mark.parametrize("fault", ["lost_answer", "error_after_effect", "timeout"])
async def test_a_create_without_a_clear_answer_is_unknown_and_the_repetition_finds_it(sandbox, crm, fault):
    await crm.probe()
    sandbox.faults = Faults(**{fault: 1, "timeout_seconds": 0})
    with pytest.raises(UnknownOutcome):
        await crm.create(ADA, "aa")
    assert sandbox.requests["PATCH Contact/{key}"] == 1, "a write is sent once"
    sandbox.faults = Faults()
    with pytest.raises(Conflict) as caught:
        await crm.create(ADA, "aa")
    assert [caught.value.winner] == [contact["Id"] for contact in sandbox.contacts()]


@pytest.mark.parametrize(
    "data", [None, {}, [], {"created": True}, {"id": "0015g00000ABcDeAAL", "created": True}, {"id": 5, "created": True}]
)
async def test_a_create_that_answers_nonsense_is_unknown(scripted, remote, data):
    remote.answer(201, data)
    with pytest.raises(UnknownOutcome):
        await scripted.create(ADA, "aa")


async def test_a_contact_that_was_made_and_cannot_be_read_just_now_is_what_was_sent(scripted, remote):
    remote.answer(201, MADE)
    remote.refuse(400, "QUERY_TIMEOUT")
    made = await scripted.create(ADA, "aa")
    assert (made.id, made.emails, made.person_key, made.last_name) == (ID, ("ada@example.com",), "aa", "Byron")


async def test_a_create_while_the_key_field_is_missing_says_so(sandbox, crm):
    sandbox.records.custom.clear()
    with pytest.raises(AccountPaused) as caught:
        await crm.create(ADA, "aa")
    assert caught.value.status == 404
    assert KEY in str(caught.value)
    assert "connector check --fix" in caught.value.hint
    assert sandbox.contacts() == []


async def test_several_contacts_with_one_key_pause_the_account(sandbox, crm):
    sandbox.records.custom[KEY]["unique"] = False
    for _ in range(2):
        sandbox.add_contact(**{KEY: "aa"})
    with pytest.raises(AccountPaused, match="several contacts") as caught:
        await crm.create(ADA, "aa")
    assert "unique" in caught.value.hint


# ---- duplicate rules ----


@pytest.mark.parametrize("member", ["duplicateResut", "duplicateResult"])
@pytest.mark.parametrize("rule", ["alert", "block"])
async def test_a_duplicate_rule_that_names_one_with_the_address_names_the_winner(sandbox, crm, member, rule):
    sandbox.records.rules = sandbox.rules = Rules(duplicate_rule=rule, duplicate_member=member)
    holder = sandbox.add_contact(Email="Ada@example.com")
    with pytest.raises(Conflict) as caught:
        await crm.create(ADA, "aa")
    assert (caught.value.by, caught.value.winner) == ("email", holder)
    assert len(sandbox.contacts()) == 1


async def test_two_with_the_address_are_a_question(sandbox, crm):
    sandbox.records.rules = sandbox.rules = Rules(duplicate_rule="block")
    both = [sandbox.add_contact(Email="ada@example.com") for _ in range(2)]
    with pytest.raises(NeedsReview) as caught:
        await crm.create(ADA, "aa")
    assert [candidate["customer_id"] for candidate in caught.value.candidates] == both
    assert "change the rule" in caught.value.hint


async def test_somebody_who_is_only_similar_is_a_question(sandbox, crm):
    sandbox.records.rules = sandbox.rules = Rules(duplicate_rule="alert", duplicate_match="last name")
    similar = sandbox.add_contact(LastName="Byron", Email="george@example.com")
    with pytest.raises(NeedsReview) as caught:
        await crm.create(ADA, "aa")
    assert caught.value.candidates == [{"customer_id": similar, "evidence": ["named by the duplicate rule Contacts_DR"]}]
    assert "override_duplicate_alerts" in caught.value.hint


async def test_a_rule_that_only_alerts_can_be_overridden_and_one_that_blocks_cannot(sandbox, wire, connect):
    adapter = connect(wire, override_duplicate_alerts=True)
    sandbox.records.rules = sandbox.rules = Rules(duplicate_rule="alert", duplicate_match="last name")
    sandbox.add_contact(LastName="Byron")
    assert (await adapter.create(ADA, "aa")).person_key == "aa"
    sandbox.rules.duplicate_rule = "block"
    with pytest.raises(NeedsReview):
        await adapter.create(ADA.model_copy(update={"email": "another@example.com"}), "bb")
    await adapter.remote.aclose()


@pytest.mark.parametrize(
    "result",
    [
        {"matchResults": [{"entityType": "Lead", "matchRecords": [{"record": {"Id": "00Q5g00000ABcDeAAL"}}]}]},
        {"matchResults": [{"success": False, "matchRecords": [{"record": {"Id": ID}}]}]},
        {"matchResults": "none", "duplicateRule": "ada@example.com"},
        None,
        [],
    ],
)
async def test_a_rule_that_names_no_contact_holds_the_event(scripted, remote, result):
    remote.refuse(400, "DUPLICATES_DETECTED", "You have ada@example.com", duplicateResut=result)
    with pytest.raises(Rejected) as caught:
        await scripted.create(ADA, "aa")
    assert len(remote.asked) == 1
    assert "ada@" not in f"{caught.value}{caught.value.hint}"


# ---- values that are refused ----


async def test_a_create_is_sent_again_without_the_refused_fields(scripted, remote):
    remote.refuse(400, "STRING_TOO_LONG", fields=["LastName"])
    remote.answer(201, MADE)
    remote.rows({"Id": ID, KEY: "aa"})
    made = await scripted.create(ADA, "aa")
    assert made.refused == ("last_name",)
    assert sent(remote.asked[1])["LastName"] == "[not provided]"
    assert sent(remote.asked[1])["Email"] == "ada@example.com"


@pytest.mark.parametrize(
    ("new", "field"),
    [(ADA, "Email"), (ADA, "Loyalty__c"), (NewCustomer(first_name="Ada", mobile_phone="+15145550123"), "MobilePhone")],
)
async def test_a_create_is_not_sent_again_without_what_identifies(scripted, remote, new, field):
    remote.refuse(400, "INVALID_EMAIL_ADDRESS", "Email: invalid: ada@example.com", fields=[field])
    with pytest.raises(Rejected) as caught:
        await scripted.create(new, "aa")
    assert caught.value.fields == (field,)
    assert caught.value.hint == f"Salesforce's reasons: INVALID_EMAIL_ADDRESS. Fields: {field}."
    assert len(remote.asked) == 1


async def test_a_create_is_sent_again_only_once(scripted, remote):
    remote.refuse(400, "STRING_TOO_LONG", fields=["Phone"])
    remote.refuse(400, "STRING_TOO_LONG", fields=["MobilePhone"])
    with pytest.raises(Rejected):
        await scripted.create(ADA, "aa")
    assert len(remote.asked) == 2


async def test_a_refused_account_for_new_contacts_is_not_left_out(scripted, remote):
    remote.refuse(400, "INVALID_CROSS_REFERENCE_KEY", fields=["AccountId"])
    with pytest.raises(AccountPaused) as caught:
        await scripted.create(ADA, "aa")
    assert "account_id in [crm.main]" in caught.value.hint
    assert len(remote.asked) == 1


@pytest.mark.parametrize("status", [400, 500])
async def test_a_locked_row_is_tried_again_whatever_the_status(sandbox, crm, status):
    sandbox.rules.lock_status = status
    sandbox.records.locks = 1
    with pytest.raises(Transient) as caught:
        await crm.create(ADA, "aa")
    assert not isinstance(caught.value, UnknownOutcome), "the code proves that nothing was done"
    assert sandbox.contacts() == []
    assert (await crm.create(ADA, "aa")).person_key == "aa"


@pytest.mark.parametrize("code", ["CANNOT_EXECUTE_FLOW_TRIGGER", "APEX_ERROR", "UNKNOWN_EXCEPTION"])
async def test_a_flow_that_met_a_locked_row_is_tried_again(scripted, remote, code):
    """SFDO-Community/Summit-Events-App issue 646, SFDO-Community/declarative-lookup-rollup-summaries issue 1241."""
    remote.refuse(400, code, 'The "Match" process failed: UNABLE_TO_LOCK_ROW: unable to obtain exclusive access')
    with pytest.raises(Transient) as caught:
        await scripted.create(ADA, "aa")
    assert not isinstance(caught.value, UnknownOutcome), "the whole transaction was undone"


async def test_a_trigger_that_met_a_locked_row_is_tried_again_and_another_failure_of_it_is_held(scripted, remote):
    remote.refuse(400, "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", "MyTrigger: System.DmlException: UNABLE_TO_LOCK_ROW, unable")
    with pytest.raises(Transient):
        await scripted.create(ADA, "aa")
    remote.answers.clear()
    remote.refuse(400, "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", "MyTrigger: System.NullPointerException")
    with pytest.raises(Rejected):
        await scripted.create(ADA, "aa")


@pytest.mark.parametrize("status", [500, 503])
@pytest.mark.parametrize(
    "data",
    [
        [{"errorCode": "UNKNOWN_EXCEPTION", "message": "x"}],
        {"errorCode": "SERVER_UNAVAILABLE", "message": "x"},
        b"<html>",
        None,
        [{"errorCode": "QUERY_TIMEOUT", "message": "x"}],
    ],
)
async def test_a_server_error_leaves_open_what_became_of_a_create(scripted, remote, status, data):
    remote.answer(status, data)
    with pytest.raises(UnknownOutcome):
        await scripted.create(ADA, "aa")
    assert len(remote.asked) == 1


# ---- fill ----


async def test_fill_writes_blanks_only_and_never_our_key(sandbox, crm):
    contact = sandbox.add_contact(FirstName="Augusta", Phone="kept")
    assert await crm.fill(await crm.get(contact), ADA) == ("email", "last_name", "mobile_phone")
    stored = sandbox.contacts()[0]
    assert (stored["FirstName"], stored["Phone"], stored["LastName"]) == ("Augusta", "kept", "Byron")
    assert KEY not in stored


async def test_fill_leaves_out_an_address_that_another_contact_has(sandbox, crm):
    sandbox.add_contact(Email="ADA@example.com")
    contact = sandbox.add_contact(FirstName="Ada")
    assert "email" not in await crm.fill(await crm.get(contact), ADA)
    assert "Email" not in sandbox.contacts()[1]


async def test_fill_does_not_write_an_address_whose_holders_cannot_be_read(sandbox, crm):
    contact = await crm.get(sandbox.add_contact(FirstName="Ada"))
    sandbox.faults = Faults(error_500=1, methods=("GET",))
    with pytest.raises(RemoteError):
        await crm.fill(contact, ADA)
    assert "LastName" in sandbox.contacts()[0]
    assert "Email" not in sandbox.contacts()[0]


@pytest.mark.parametrize(
    ("status", "code"), [(404, "NOT_FOUND"), (404, "ENTITY_IS_DELETED"), (400, "ENTITY_IS_DELETED"), (500, "ENTITY_IS_DELETED")]
)
async def test_fill_of_a_contact_that_is_gone_is_said(scripted, remote, status, code):
    remote.refuse(status, code)
    with pytest.raises(Rejected) as caught:
        await scripted.fill(Customer(id=ID), NewCustomer(phone="+15145550124"))
    assert "retry the event" in caught.value.hint


async def test_fill_leaves_out_a_refused_field_and_writes_the_rest(sandbox, crm):
    contact = sandbox.add_contact(FirstName="Ada")
    sandbox.records.read_only.add("MobilePhone")
    assert await crm.fill(await crm.get(contact), ADA) == ("email", "last_name", "phone")


async def test_fill_whose_only_field_is_refused_says_so(scripted, remote):
    remote.refuse(400, "FIELD_CUSTOM_VALIDATION_EXCEPTION", "ada@example.com is bad", fields=["Phone"])
    with pytest.raises(Rejected) as caught:
        await scripted.fill(Customer(id=ID), NewCustomer(phone="+15145550124"))
    assert "ada@" not in f"{caught.value}{caught.value.hint}"
    assert len(remote.asked) == 1


async def test_fill_over_a_unique_field_of_the_organisations_own_is_refused_and_no_conflict(scripted, remote):
    remote.refuse(400, "DUPLICATE_VALUE", f"duplicate value found: Phone_Key__c, record with id: {OTHER}")
    with pytest.raises(Rejected, match="update a contact"):
        await scripted.fill(Customer(id=ID), NewCustomer(phone="+15145550124"))
