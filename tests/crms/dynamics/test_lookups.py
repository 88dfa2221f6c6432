"""Look-ups: fresh, exact, whole, and never an empty answer that was none."""

import asyncio

import pytest

from connector.model.errors import AccountPaused, ActionRefused, Lasting, LimitReached, RemoteError, Transient
from connector.model.persons import NewCustomer

from .conftest import KEY

pytestmark = pytest.mark.anyio
ID = "00000001-5a3c-ef11-8e4f-000d3ab00001"


async def test_every_address_of_a_contact_finds_it_whatever_the_case(sandbox, crm):
    ada = sandbox.add_contact(
        emailaddress1="Ada@Example.com", emailaddress2="two@example.com", emailaddress3="three@example.com"
    )
    for address in ("ada@example.com", "two@example.com", "three@example.com"):
        assert [contact.id for contact in await crm.by_email(address)] == [ada]
    assert (await crm.get(ada)).emails == ("Ada@Example.com", "two@example.com", "three@example.com")


async def test_an_address_with_another_accent_is_another_address(sandbox, crm):
    sandbox.add_contact(emailaddress1="adà@example.com")
    assert await crm.by_email("ada@example.com") == []


@pytest.mark.parametrize("written", ["+1 514 555 0123", "(514) 555-0123", "514.555.0123", "1-514-555-0123"])
@pytest.mark.parametrize("column", ["mobilephone", "telephone1", "telephone2", "telephone3"])
async def test_a_number_is_found_however_it_is_written(sandbox, crm, written, column):
    ada = sandbox.add_contact(**{column: written})
    assert [contact.id for contact in await crm.by_phone("+15145550123")] == [ada]


async def test_a_quote_cannot_end_a_value(crm, sandbox):
    sandbox.add_contact(emailaddress1="ada@example.com")
    assert await crm.by_email("x' or statecode eq 0 or emailaddress1 eq 'y@example.com") == []


async def test_a_result_that_was_cut_short_is_no_answer(sandbox, crm):
    for _ in range(501):
        sandbox.add_contact(emailaddress1="ada@example.com")
    with pytest.raises(Lasting, match="cut short"):
        await crm.by_email("ada@example.com")


async def test_merges_that_lead_in_a_circle_are_given_up(scripted, remote):
    remote.rows({"contactid": ID, "statecode": 1, "merged": True, "_masterid_value": ID})
    with pytest.raises(Transient, match="too many merges"):
        await scripted.get(ID)


@pytest.mark.parametrize("data", [None, {}, {"value": None}, {"value": ["x"]}, [], "x"])
async def test_an_answer_without_rows_is_not_nobody(scripted, remote, data):
    remote.answer(200, data)
    with pytest.raises(Transient):
        await scripted.get(ID)


@pytest.mark.parametrize("row", [{}, {"contactid": 5}, {"contactid": "00000002-5a3c-ef11-8e4f-000d3ab00002"}])
async def test_another_contact_than_the_one_asked_for_is_not_believed(scripted, remote, row):
    remote.rows(row)
    with pytest.raises(Transient):
        await scripted.get(ID)
    with pytest.raises(Transient):
        await scripted.by_key("aa")


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (404, "0x80040217", Transient),
        (404, "0x80060891", Transient),
        (404, "", Transient),
        (404, "0x80060888", AccountPaused),
        (400, "0x80060888", AccountPaused),
        (403, "0x80040220", ActionRefused),
        (500, "", Transient),
    ],
)
async def test_a_refused_look_up_is_never_nobody(scripted, remote, status, code, kind):
    remote.refuse(status, code)
    with pytest.raises(RemoteError) as caught:
        await scripted.by_email("ada@example.com")
    assert type(caught.value) is kind


async def test_a_missing_column_of_ours_says_how_it_is_made(scripted, remote):
    remote.refuse(400, "0x80060888", f"Could not find a property named '{KEY}' on type 'Microsoft.Dynamics.CRM.contact'.")
    with pytest.raises(AccountPaused) as caught:
        await scripted.get(ID)
    assert "--fix" in caught.value.hint


# ---- tokens and limits ----


async def test_one_token_serves_all_and_another_one_follows_a_401(sandbox, crm):
    await crm.get(ID)
    await crm.get(ID)
    assert sandbox.tokens_issued == 1
    sandbox.expire_tokens()
    assert await crm.get(ID) is None
    assert sandbox.tokens_issued == 2


@pytest.mark.parametrize("wrong", ["tenant_id", "client_id", "client_secret"])
async def test_credentials_that_are_refused_pause_the_account(wire, connect, wrong):
    adapter = connect(wire, **{wrong: "another"})
    with pytest.raises(AccountPaused) as caught:
        await adapter.get(ID)
    assert f"{wrong}" in caught.value.hint
    assert "another" not in f"{caught.value} {caught.value.hint}"
    await adapter.remote.aclose()


@pytest.mark.parametrize("code", ["0x80072322", "0x80072321", "0x80072326", "0x8005F103", "0x80060308"])
async def test_a_429_makes_everybody_wait_as_long_as_it_says(scripted, remote, code):
    remote.refuse(429, code, headers={"Retry-After": "97"})
    with pytest.raises(LimitReached) as caught:
        await scripted.create(NewCustomer(email="ada@example.com"), "aa")
    assert caught.value.retry_after == 97
    with pytest.raises(LimitReached):
        await scripted.get(ID)
    assert len(remote.asked) == 1, "nothing is sent meanwhile: the wait would grow"


async def test_the_sandbox_refuses_more_calls_than_service_protection_allows(sandbox, crm):
    await crm.get(ID)
    sandbox.use_calls(6_000)
    with pytest.raises(LimitReached) as caught:
        await crm.get(ID)
    assert caught.value.retry_after == 300


async def test_never_more_calls_at_once_than_the_settings_say(sandbox, wire, connect):
    sandbox.concurrent = 3
    adapter = connect(wire, limits={"simultaneous_calls": 3})
    people = [NewCustomer(email=f"ada{number}@example.com") for number in range(20)]
    await asyncio.gather(*(adapter.create(one, f"{number:02}") for number, one in enumerate(people)))
    assert (len(sandbox.contacts()), sandbox.statuses[429]) == (20, 0)
    await adapter.remote.aclose()
