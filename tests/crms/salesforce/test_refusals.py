"""Refusals are judged by their code, whatever the status; what belongs to the whole account pauses it."""

import pytest

from connector.crms.salesforce.api import DAY_PAUSE
from connector.model.errors import AccountPaused, LimitReached, RateLimited, Rejected, Transient
from connector.model.persons import Customer, NewCustomer

pytestmark = pytest.mark.anyio
ID = "0035g00000ABcDeAAL"
EMAIL = "ada@example.com"


# ---- access tokens ----


async def test_one_token_serves_all_callers(sandbox, crm):
    for _ in range(5):
        await crm.by_email(EMAIL)
    assert sandbox.tokens_issued == 1


async def test_a_token_that_has_ended_is_replaced_and_the_call_made_again(sandbox, crm):
    await crm.by_email(EMAIL)
    sandbox.expire_tokens()
    assert (await crm.create(NewCustomer(email=EMAIL), "aa")).person_key == "aa"
    assert sandbox.tokens_issued == 2
    assert sandbox.requests["PATCH Contact/{key}"] == 1


async def test_a_token_that_has_ended_with_another_status_is_replaced_for_the_next_try(sandbox, crm):
    await crm.by_email(EMAIL)
    sandbox.rules.session_status = 500
    sandbox.expire_tokens()
    with pytest.raises(Transient):
        await crm.create(NewCustomer(email=EMAIL), "aa")
    assert (await crm.create(NewCustomer(email=EMAIL), "aa")).person_key == "aa"
    assert sandbox.tokens_issued == 2


@pytest.mark.parametrize(("key", "code"), [("client_secret", "(invalid_client)"), ("client_id", "refused")])
async def test_refused_credentials_pause_the_account_and_are_not_repeated(sandbox, crm, key, code):
    setattr(sandbox, key, "another")
    with pytest.raises(AccountPaused) as caught:
        await crm.probe()
    assert code in str(caught.value)
    assert "client_secret" in caught.value.hint
    assert "sandbox-client" not in f"{caught.value}{caught.value.hint}"


# ---- the day's calls ----


async def test_when_the_days_calls_are_used_up_the_account_pauses_for_a_quarter_of_an_hour(sandbox, crm, clock):
    await crm.by_email(EMAIL)
    sandbox.use_calls(14_999)
    with pytest.raises(LimitReached) as caught:
        await crm.create(NewCustomer(email=EMAIL), "aa")
    assert (caught.value.status, caught.value.retry_after) == (403, DAY_PAUSE)
    with pytest.raises(LimitReached):
        await crm.probe()
    clock.now += 86_401
    await crm.probe()
    assert sandbox.contacts() == []


async def test_too_many_long_calls_at_once_are_a_short_wait(scripted, remote):
    remote.refuse(403, "REQUEST_LIMIT_EXCEEDED", "ConcurrentPerOrgLongTxn Limit exceeded.")
    with pytest.raises(RateLimited) as caught:
        await scripted.by_email(EMAIL)
    assert caught.value.retry_after == 10


async def test_our_share_of_the_day_is_not_exceeded(sandbox, wire, connect, clock):
    adapter = connect(wire, limits={"percent_of_day": 50})
    sandbox.use_calls(7_498)
    assert await adapter.by_email(EMAIL) == []
    assert await adapter.by_email(EMAIL) == []
    with pytest.raises(LimitReached):
        await adapter.by_email(EMAIL)
    assert sandbox.requests["GET query"] == 2
    clock.now += DAY_PAUSE + 1
    await adapter.probe()
    adapter.remote.breaker.reset()
    with pytest.raises(LimitReached):
        await adapter.by_email(EMAIL)
    clock.now += 86_401
    adapter.remote.breaker.reset()
    checks = {check.id: check for check in await adapter.checks()}
    assert checks["crm.main.calls"].level == "ok"
    assert "of 15000 calls" in checks["crm.main.calls"].message
    await adapter.remote.aclose()


@pytest.mark.parametrize(
    ("header", "waits"),
    [
        ("api-usage=14999/15000", True),
        ("per-app-api-usage=250/250(appName=x), api-usage=18/15000", False),
        ("api-usage=18/15000,per-app-api-usage=250/250(appName=x)", False),
        ("api-usage=9/0", False),
        ("nonsense", False),
    ],
)
async def test_of_the_usage_the_organisations_own_counts(scripted, remote, header, waits):
    page = {"totalSize": 0, "done": True, "records": []}
    remote.answer(200, page, {"Sforce-Limit-Info": header})
    await scripted.by_email(EMAIL)
    if waits:
        with pytest.raises(LimitReached):
            await scripted.by_email(EMAIL)
    else:
        assert await scripted.by_email(EMAIL) == []


# ---- the whole account ----


@pytest.mark.parametrize(
    ("status", "code", "hint"),
    [
        (403, "API_DISABLED_FOR_ORG", "edition"),
        (403, "INSUFFICIENT_ACCESS", "permissions"),
        (403, "SOMETHING_NEW", "permissions"),
        (400, "INVALID_TYPE", "contacts and events"),
        (404, "NOT_FOUND", "contacts and events"),
        (400, "STORAGE_LIMIT_EXCEEDED", "storage"),
        (410, "UNSUPPORTED_API_VERSION", "Update connector"),
    ],
)
async def test_what_concerns_everybody_pauses_the_account(scripted, remote, status, code, hint):
    remote.refuse(status, code, "about ada@example.com")
    with pytest.raises(AccountPaused) as caught:
        await scripted.by_email(EMAIL)
    assert hint in caught.value.hint
    assert "[crm.main]" in caught.value.hint
    assert "ada@" not in f"{caught.value}{caught.value.hint}"


async def test_a_header_that_is_not_understood_pauses_the_account_after_one_new_token(scripted, remote):
    remote.refuse(401, "INVALID_AUTH_HEADER", "INVALID_HEADER_TYPE")
    with pytest.raises(AccountPaused):
        await scripted.by_email(EMAIL)
    assert (remote.tokens, len(remote.asked)) == (2, 2)


async def test_a_required_field_that_the_organisation_added_is_named(scripted, remote):
    remote.refuse(400, "REQUIRED_FIELD_MISSING", "Required fields are missing: [Department__c]", fields=["Department__c"])
    with pytest.raises(Rejected) as caught:
        await scripted.create(NewCustomer(email=EMAIL, last_name="Byron"), "aa")
    assert caught.value.fields == ("Department__c",)
    assert "Department__c" in caught.value.hint
    assert sum(request.method == "PATCH" for request in remote.asked) == 1


@pytest.mark.parametrize("code", ["INSUFFICIENT_ACCESS_OR_READONLY", "INSUFFICIENT_ACCESS", "SOMETHING_NEW"])
async def test_one_record_that_our_user_may_not_write_does_not_stop_the_others(scripted, remote, code):
    remote.refuse(403, code, "insufficient access rights on object id")
    with pytest.raises(Rejected, match="update a contact") as caught:
        await scripted.fill(Customer(id=ID), NewCustomer(phone="+15145550124"))
    assert code in caught.value.hint
    assert scripted.remote.breaker.error is None


@pytest.mark.parametrize("status", [404, 410])
@pytest.mark.parametrize("data", [b"<html>", None, {}, [], ["x"], {"message": "no route"}])
async def test_a_404_that_is_not_salesforces_is_neither_nobody_nor_gone(scripted, remote, status, data):
    remote.answer(status, data)
    with pytest.raises(Transient, match="base_url"):
        await scripted.get(ID)
    with pytest.raises(Transient, match="base_url"):
        await scripted.fill(Customer(id=ID), NewCustomer(phone="+15145550124"))


@pytest.mark.parametrize("code", ["INVALID_FIELD_FOR_INSERT_UPDATE", "INVALID_FIELD"])
async def test_a_key_that_may_not_be_written_pauses_the_account(scripted, remote, code):
    remote.refuse(400, code, "No such column 'Connector_Key__c' on sobject of type Contact", fields=["Connector_Key__c"])
    with pytest.raises(AccountPaused) as caught:
        await scripted.create(NewCustomer(email=EMAIL), "aa")
    assert "--fix" in caught.value.hint


async def test_a_column_that_is_only_named_in_the_text_is_understood(scripted, remote):
    remote.refuse(400, "INVALID_FIELD", "No such column 'MobilePhone' on sobject of type Contact")
    with pytest.raises(Rejected) as caught:
        await scripted.fill(Customer(id=ID), NewCustomer(phone="+15145550124"))
    assert caught.value.fields == ("MobilePhone",)


@pytest.mark.parametrize("fields", [["ada@example.com"], "Email", None, [5], ["x" * 200]])
async def test_odd_fields_of_a_refusal_are_not_passed_on(scripted, remote, fields):
    remote.refuse(400, "FIELD_INTEGRITY_EXCEPTION", "text", fields=fields)
    with pytest.raises(Rejected) as caught:
        await scripted.fill(Customer(id=ID), NewCustomer(phone="+15145550124"))
    assert caught.value.fields == ()


async def test_a_slow_query_is_tried_again(scripted, remote):
    remote.refuse(400, "QUERY_TIMEOUT", "Your query request was running for too long.")
    with pytest.raises(Transient):
        await scripted.by_phone("+15145550123")


async def test_a_query_whose_pages_have_ended_begins_again(scripted, remote):
    """A new session cannot go on with the old one's pages: airbytehq/airbyte pull request 84302."""
    page = {"totalSize": 9, "done": False, "records": [], "nextRecordsUrl": f"/services/data/v62.0/query/{'0' * 18}-2000"}
    remote.answer(200, page)
    remote.refuse(400, "INVALID_QUERY_LOCATOR", "invalid query locator")
    with pytest.raises(Transient, match="next page is no longer there") as caught:
        await scripted.by_phone("+15145550123")
    assert caught.value.status == 400
