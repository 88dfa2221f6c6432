"""Look-ups: fresh, exact, and never an empty answer that nobody gave."""

import json

import httpx
import pytest
from pydantic import ValidationError

from connector.crms.zoho.settings import ZohoSettings
from connector.model.errors import AccountPaused, Lasting, Rejected, RemoteError, Transient
from connector.sandbox.kit.faults import Faults
from connector.sandbox.zoho.app import Rules

from .conftest import KEY, KEYS

pytestmark = pytest.mark.anyio
PHONE = "+15145550123"


@pytest.mark.parametrize(
    "typed",
    [
        "+15145550123", "15145550123", "5145550123", "(514) 555-0123", "514-555-0123", "514 555 0123", "514.555.0123",
        "+1 514-555-0123", "+1 (514) 555-0123", "1 (514) 555-0123", "+1 514 555 0123",
    ],
)  # fmt: skip
async def test_a_phone_is_found_in_the_ways_in_which_people_write_it(sandbox, crm, typed):
    identity = sandbox.add_contact(Last_Name="Byron", Mobile=typed)
    sandbox.add_contact(Last_Name="King", Phone=typed.replace("0123", "0124"))
    assert [contact.id for contact in await crm.by_phone(PHONE)] == [identity]


@pytest.mark.parametrize("typed", ["030 901820", "004930901820", "+49 30 901820", "+49-30-901820"])
async def test_a_foreign_number_is_found_in_its_own_ways(sandbox, crm, typed):
    identity = sandbox.add_contact(Last_Name="Byron", Phone=typed)
    assert [contact.id for contact in await crm.by_phone("+4930901820")] == [identity]


@pytest.mark.parametrize(
    ("typed", "phone"),
    [
        ("+34 611 223 344", "+34611223344"),
        ("0033 6 98 76 54 32", "+33698765432"),
        ("+31(0)6-22334455", "+31622334455"),
        ("+31 6 2233 4455", "+31622334455"),
        ("+49 151 2345 6780", "+4915123456780"),
        ("0151 2345 6780", "+4915123456780"),
        ("+49 (0)30 12345670", "+493012345670"),
        ("+55 85 8765 4321", "+558587654321"),
        ("+52 1 33 1234 5678", "+5213312345678"),
    ],
)
async def test_a_phone_of_other_markets_is_found_in_their_groups(sandbox, crm, typed, phone):
    identity = sandbox.add_contact(Last_Name="Lind", Mobile=typed)
    assert [contact.id for contact in await crm.by_phone(phone)] == [identity]


async def test_no_look_up_uses_the_search_that_lags(sandbox, crm):
    sandbox.faults = Faults(search_lag_seconds=3600)
    identity = sandbox.add_contact(Last_Name="Byron", Email="Ada@Example.com", Mobile=PHONE, **{KEY: "k1"})
    assert (await crm.by_key("k1")).id == identity
    assert [contact.id for contact in await crm.by_email("ada@example.com")] == [identity]
    assert [contact.id for contact in await crm.by_phone(PHONE)] == [identity]
    assert sandbox.requests["GET Contacts/search"] == 0


async def test_no_address_is_nobodys(sandbox, crm):
    sandbox.add_contact(Last_Name="Byron", Email="")
    assert await crm.by_email(" ") == []
    assert sandbox.requests.total() == 0


async def test_the_second_address_counts(sandbox, crm):
    identity = sandbox.add_contact(Last_Name="Byron", Email="a@example.com", Secondary_Email="ada@example.com")
    assert [contact.emails for contact in await crm.by_email("ada@example.com")] == [("a@example.com", "ada@example.com")]
    assert (await crm.by_email("ada@example.com"))[0].id == identity


async def test_a_quote_in_a_value_does_not_end_it(sandbox, crm):
    sandbox.add_contact(Last_Name="Byron", Email="ada@example.com")
    assert await crm.by_email("x' or Email = 'ada@example.com") == []
    assert await crm.by_email("x') or (Last_Name = 'Byron") == []


@pytest.mark.parametrize("email", ["x\\' or Email = 'y@example.com", "x\n@example.com", "x\x00@example.com"])
async def test_a_value_that_cannot_be_said_safely_is_not_asked_for(sandbox, crm, email):
    with pytest.raises(Rejected) as caught:
        await crm.by_email(email)
    assert "@" not in f"{caught.value} {caught.value.hint}"
    assert sandbox.requests.total() == 0


@pytest.mark.parametrize("absent", [204, 400, 404])
async def test_a_record_that_is_not_there_is_nobody_however_zoho_says_so(sandbox, crm, absent):
    sandbox.records.rules = Rules(absent=absent)
    assert await crm.get("554023000000999999") is None


async def test_a_merged_contact_reads_as_gone_and_its_address_leads_on(sandbox, crm):
    loser = sandbox.add_contact(Last_Name="Byron", Email="ada@example.com")
    master = sandbox.add_contact(Last_Name="Byron")
    sandbox.records.rules = Rules(merge_fills_blanks=True)
    sandbox.merge(master, loser)
    assert await crm.get(loser) is None
    assert [contact.id for contact in await crm.by_email("ada@example.com")] == [master]


async def test_more_than_a_thousand_hits_are_no_answer(sandbox, crm):
    for _ in range(1_001):
        sandbox.add_contact(Last_Name="Byron", Phone=PHONE)
    with pytest.raises(Lasting):
        await crm.by_phone(PHONE)
    assert sandbox.requests["POST coql"] == 5


async def test_hits_are_read_page_by_page(sandbox, crm):
    ids = [sandbox.add_contact(Last_Name="Byron", Phone=PHONE) for _ in range(401)]
    assert [contact.id for contact in await crm.by_phone(PHONE)] == ids


async def test_what_is_no_number_is_refused_without_a_call(sandbox, crm):
    with pytest.raises(Rejected):
        await crm.by_phone("555")
    assert sandbox.requests.total() == 0


INFO = {"count": 1, "more_records": False}


@pytest.mark.parametrize(
    ("status", "data"),
    [
        (200, None),
        (200, []),
        (200, {"data": {}}),
        (200, {"data": ["x"], "info": INFO}),
        (200, {"data": [{"id": "x"}], "info": INFO}),
        (200, {"data": [{"id": "1", "Email": "b@example.com", KEY: "other"}], "info": INFO}),
        (400, {"code": "SYNTAX_ERROR", "details": {}, "message": "ada@example.com", "status": "error"}),
        (404, {"code": "INVALID_URL_PATTERN", "details": {}, "message": "x", "status": "error"}),
        (404, None),
        (400, None),
    ],
)
async def test_an_answer_that_is_not_to_the_question_is_never_nobody(remote, scripted, status, data):
    remote.answer(status, data)
    for look_up in (scripted.by_key("k1"), scripted.by_email("a@example.com"), scripted.find_appointment("1", "m1")):
        with pytest.raises(RemoteError) as caught:
            await look_up
        assert "@" not in f"{caught.value} {caught.value.hint}"


@pytest.mark.parametrize(
    ("status", "data"),
    [
        (200, None),
        (200, {"data": []}),
        (200, {"data": [{"id": "2"}]}),
        (200, {"data": [{"id": "1"}, {"id": "1"}]}),
        (400, {"code": "INVALID_DATA", "details": {"param_name": "fields"}, "message": "x", "status": "error"}),
        (404, {"code": "SOMETHING_NEW", "details": {}, "message": "x", "status": "error"}),
        (404, {}),
    ],
)
async def test_a_read_that_does_not_say_so_is_no_deletion(remote, scripted, status, data):
    remote.answer(status, data)
    with pytest.raises(Transient):
        await scripted.get("1")


async def test_a_missing_field_pauses_the_account_at_every_look_up(sandbox, crm):
    sandbox.records.fields["Contacts"].clear()
    with pytest.raises(AccountPaused) as caught:
        await crm.by_email("ada@example.com")
    assert "--fix" in caught.value.hint


async def test_ids_are_written_as_they_are_and_odd_ones_are_not_sent(remote, scripted):
    remote.answer(204)
    assert await scripted.get("554023000000424001") is None
    assert await scripted.get("5/../Leads") is None
    (asked,) = remote.asked
    assert asked.url.path == "/crm/v8/Contacts/554023000000424001"
    assert (
        f"Email,First_Name,Last_Name,Mobile,Phone,Secondary_Email,Created_Time,Modified_Time,{KEY}"
        == asked.url.params["fields"]
    )


# ---- addresses ----


@pytest.mark.parametrize(
    ("given", "api", "accounts"),
    [
        ({"data_centre": "us"}, "https://www.zohoapis.com", "https://accounts.zoho.com"),
        ({"data_centre": "au"}, "https://www.zohoapis.com.au", "https://accounts.zoho.com.au"),
        ({"data_centre": "ca"}, "https://www.zohoapis.ca", "https://accounts.zohocloud.ca"),
        ({"data_centre": "eu", "environment": "sandbox"}, "https://sandbox.zohoapis.eu", "https://accounts.zoho.eu"),
        ({"data_centre": "in", "environment": "developer"}, "https://developer.zohoapis.in", "https://accounts.zoho.in"),
        ({"data_centre": "eu", "base_url": "http://127.0.0.1:1/"}, "http://127.0.0.1:1", "https://accounts.zoho.eu"),
    ],
)
def test_addresses_follow_from_the_data_centre(given, api, accounts):
    settings = ZohoSettings.model_validate({"system": "zoho", **KEYS, **given})
    assert (settings.api_address, settings.accounts_address) == (api, accounts)


@pytest.mark.parametrize(
    "wrong",
    [
        {"data_centre": "com"},
        {"data_centre": "eu", "accounts_url": "http://accounts.example.com"},
        {"data_centre": "eu", "client_secret": "two words"},
        {"data_centre": "eu", "person_key_field": "Email or 1"},
        {"data_centre": "eu", "limits": {"simultaneous_calls": 0}},
        {},
    ],
)
def test_settings_that_cannot_work_are_refused(wrong):
    with pytest.raises(ValidationError):
        ZohoSettings.model_validate({"system": "zoho", **KEYS, **wrong})


async def test_the_address_in_the_tokens_answer_is_not_followed(wire, crm):
    await crm.get("1")
    await crm.by_key("k1")
    hosts = [request.url.host for request, _ in wire.exchanges]
    assert hosts == ["accounts.test", "zoho.test", "zoho.test"]
    assert wire.exchanges[0][1].json()["api_domain"] == "https://elsewhere.example.com"


async def test_the_secrets_go_to_the_accounts_server_in_the_body_only(wire, crm):
    await crm.get("1")
    first, second = (request for request, _ in wire.exchanges)
    assert dict(httpx.QueryParams(first.content.decode()))["refresh_token"] == "sandbox-refresh"
    assert "sandbox" not in str(first.url) + str(second.url)
    assert second.headers["authorization"] == "Zoho-oauthtoken sandbox-access-1"
    assert json.dumps(second.headers.get("cookie")) == "null"
