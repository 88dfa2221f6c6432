"""Every way in which HubSpot says no, as HubSpot writes it and in other wordings."""

import pytest

from connector.model.errors import (
    AccountPaused,
    Conflict,
    LimitReached,
    RateLimited,
    Rejected,
    Transient,
    Unavailable,
    UnknownOutcome,
)
from connector.model.persons import NewCustomer

pytestmark = pytest.mark.anyio
ADA = NewCustomer(email="ada@example.com")
COORDINATES = "PropertyValueCoordinates{{portalId=1, objectTypeId=0-1, propertyName={0}, value=v}}"


def taken(name: str, text: str = "Cannot set {0} on 77. 6001 already has that value.") -> dict:
    return {"status": "error", "category": "VALIDATION_ERROR", "message": text.format(COORDINATES.format(name))}


@pytest.mark.parametrize(
    ("status", "body", "by"),
    [
        (409, {"message": "Contact already exists. Existing ID: 6001", "category": "CONFLICT"}, "email"),
        (409, {"message": "contact exists", "errors": [{"message": "existing id 6001"}]}, "email"),
        (409, {"message": "Ce contact existe."}, "email"),
        (409, {}, "email"),
        (409, None, "email"),
        (409, b"<html>conflict</html>", "email"),
        (400, taken("connector_person_key"), "key"),
        (400, taken("email"), "email"),
        (409, taken("connector_person_key"), "key"),
        (400, {"category": "VALIDATION_ERROR", "errors": [taken("connector_person_key")]}, "key"),
        (400, {"message": "6001 already has that value"}, "key"),
        (400, {"errorType": "UNIQUE_VALUE_CONFLICT", "message": "taken"}, "key"),
        (400, {"errors": [{"code": "UNIQUE_VALUE_CONFLICT", "context": {"propertyName": ["email"]}}]}, "email"),
    ],
)
async def test_a_taken_value_is_a_conflict(scripted, remote, status, body, by):
    remote.answer(status, body)
    remote.answer(200, {"id": "6001", "properties": {"email": "ada@example.com", "connector_person_key": "k"}})
    with pytest.raises(Conflict) as caught:
        await scripted.create(ADA, "k")
    assert (caught.value.by, caught.value.winner, caught.value.status) == (by, "6001", status)
    assert caught.value.account == "crm.main"


async def test_a_property_of_somebody_else_that_is_taken_is_no_conflict_of_ours(scripted, remote):
    remote.answer(400, taken("loyalty_number"))
    with pytest.raises(Rejected):
        await scripted.create(ADA, "k")


MISSING = 'Property values were not valid: [{"isValid":false,"message":"…","error":"PROPERTY_DOESNT_EXIST","name":"%s"}]'


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ({"message": MISSING % "connector_person_key", "category": "VALIDATION_ERROR"}, AccountPaused),
        ({"errors": [{"code": "PROPERTY_DOESNT_EXIST", "message": "connector_person_key"}]}, AccountPaused),
        ({"message": MISSING % "mobilephone", "category": "VALIDATION_ERROR"}, Rejected),
        ({"message": "Email address ada@example.com is invalid", "category": "VALIDATION_ERROR"}, Rejected),
        ({}, Rejected),
        (b"<html>", Rejected),
        ([], Rejected),
    ],
)
async def test_other_bad_requests(scripted, remote, body, kind):
    remote.answer(400, body)
    with pytest.raises(kind) as caught:
        await scripted.create(ADA, "k")
    assert type(caught.value) is kind
    assert "ada@" not in str(caught.value) + caught.value.hint


@pytest.mark.parametrize(
    ("status", "headers", "body", "kind", "after"),
    [
        (423, {}, {}, Transient, 2),
        (423, {"Retry-After": "1"}, {}, Transient, 2),
        (423, {"Retry-After": "30"}, {}, Transient, 30),
        (429, {}, {"policyName": "TEN_SECONDLY_ROLLING"}, RateLimited, 10),
        (429, {}, {"policyName": "SECONDLY"}, RateLimited, 1),
        (429, {}, {"policyName": "DAILY"}, LimitReached, 900),
        (429, {"Retry-After": "3"}, {"policyName": "DAILY"}, RateLimited, 3),
        (429, {}, {"policyName": "SOMETHING_NEW"}, RateLimited, 1),
        (429, {}, None, RateLimited, 1),
        (429, {"Retry-After": "3"}, {"policyName": ["DAILY"]}, RateLimited, 3),
        (429, {}, b"<html>", RateLimited, 1),
        (477, {"Retry-After": "7200"}, {}, LimitReached, 7200),
        (477, {"Retry-After": "999999"}, {}, LimitReached, 86_400),
        (477, {}, {}, LimitReached, 300),
    ],
)
async def test_asked_for_patience(scripted, remote, status, headers, body, kind, after):
    remote.answer(status, body, headers)
    with pytest.raises(kind) as caught:
        await scripted.create(ADA, "k")
    assert type(caught.value) is kind
    assert (caught.value.retry_after, caught.value.status) == (after, status)
    assert len(remote.asked) == 1


@pytest.mark.parametrize("status", [502, 503, 504, 521, 523, 524])
async def test_a_server_that_is_not_there(scripted, remote, status):
    remote.answer(status, b"<html>")
    with pytest.raises(UnknownOutcome):
        await scripted.create(ADA, "k")
    with pytest.raises(Unavailable):
        await scripted.get("1")


@pytest.mark.parametrize("status", [401, 403])
async def test_refused_credentials_pause_the_account(scripted, remote, status):
    remote.answer(status, {"status": "error", "category": "MISSING_SCOPES", "message": "scopes"})
    with pytest.raises(AccountPaused) as caught:
        await scripted.get("1")
    assert "scopes" in caught.value.hint


@pytest.mark.parametrize(
    ("policy", "search_waits", "others_wait"),
    [("SECONDLY", True, False), ("TEN_SECONDLY_ROLLING", False, True), ("DAILY", False, True)],
)
async def test_each_policy_stops_its_own_budget(scripted, remote, quotas, policy, search_waits, others_wait):
    remote.answer(429, {"policyName": policy})
    with pytest.raises((RateLimited, AccountPaused)):
        await scripted.by_phone("+15145550123")
    search, others = (quotas[key] for key in ("search pat-test-0000", "pat-test-0000"))
    assert (search._wait(1) > 0, others._wait(1) > 0) == (search_waits, others_wait)


REFUSED = (
    'Property values were not valid: [{"isValid":false,"message":"Ada [x] is \\"name\\":\\"ada\\"",'
    '"error":"INVALID_OPTION","name":"%s"}]'
)


@pytest.mark.parametrize(
    ("body", "properties", "hint"),
    [
        ({"message": REFUSED % "mobilephone"}, ("mobilephone",), "HubSpot's reasons: INVALID_OPTION. Properties: mobilephone."),
        (
            {"category": "VALIDATION_ERROR", "errors": [{"code": "REQUIRED_FIELD", "context": {"propertyName": ["shop_no"]}}]},
            ("shop_no",),
            "HubSpot's reasons: VALIDATION_ERROR, REQUIRED_FIELD. Properties: shop_no.",
        ),
        ({"errors": [{"context": {"propertyName": "phone"}}]}, ("phone",), "HubSpot named no reason. Properties: phone."),
        ({"message": REFUSED % "ada@example.com"}, (), "HubSpot's reasons: INVALID_OPTION."),
        ({"message": "not valid: [" * 9}, (), "HubSpot named no reason; compare the record with its rules."),
    ],
)
async def test_a_validation_error_names_the_properties_and_no_value(scripted, remote, body, properties, hint):
    remote.answer(400, body)
    with pytest.raises(Rejected) as caught:
        await scripted.create(NewCustomer(email="ada@example.com"), "k")
    assert (caught.value.fields, caught.value.hint) == (properties, hint)
    assert all(name in str(caught.value) for name in properties)
    assert "ada" not in str(caught.value).lower() + caught.value.hint.lower()


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (
            403,
            {"category": "MISSING_SCOPES", "errors": [{"context": {"requiredGranularScopes": ["crm.objects.contacts.write"]}}]},
            "answered 403: the key lacks the scope crm.objects.contacts.write",
        ),
        (403, {"context": {"requiredScopes": ["contacts", "a b"]}}, "answered 403: the key lacks the scope contacts"),
        (401, {"category": "EXPIRED_AUTHENTICATION"}, "answered 401: the key has expired"),
        (401, {"category": "INVALID_AUTHENTICATION"}, "answered 401: the key is not valid"),
        (401, {"category": "NEW_WORD", "message": "pat-secret"}, "answered 401: the credentials were refused"),
    ],
)
async def test_a_refused_key_says_why(scripted, remote, status, body, said):
    remote.answer(status, body)
    with pytest.raises(AccountPaused) as caught:
        await scripted.get("1")
    assert str(caught.value) == f"HubSpot: look up a contact by record id: {said}"
    assert "[crm.main]" in caught.value.hint
    assert "pat-secret" not in caught.value.hint


@pytest.mark.parametrize(("status", "todo"), [(402, "Check the subscription"), (410, "Update connector")])
async def test_what_concerns_the_whole_account_pauses_it(scripted, remote, status, todo):
    remote.answer(status, {"status": "error", "message": "no"})
    with pytest.raises(AccountPaused) as caught:
        await scripted.create(ADA, "k")
    assert caught.value.hint.startswith(todo)
    with pytest.raises(AccountPaused):
        await scripted.get("1")
    assert len(remote.asked) == 1, "the account waits, whatever the event"


async def test_a_daily_limit_is_a_state_of_the_account(scripted, remote):
    remote.answer(429, {"policyName": "DAILY", "errorType": "RATE_LIMIT"})
    with pytest.raises(AccountPaused) as caught:
        await scripted.get("1")
    assert type(caught.value) is LimitReached
    assert "limited until midnight" in caught.value.hint
    state = scripted.remote.breaker
    assert str(state.error) == "HubSpot: look up a contact by record id: answered 429: DAILY"
    with pytest.raises(LimitReached):
        await scripted.probe()
    assert len(remote.asked) == 1, "nothing is sent before the pause is over, not even by a probe"
