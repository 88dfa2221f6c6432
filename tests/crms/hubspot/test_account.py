"""What an account's owner sets in HubSpot, at the sandbox and through the adapter."""

import httpx
import pytest

from connector.model.errors import ActionRefused, Conflict, LimitReached, Rejected
from connector.model.persons import NewCustomer
from connector.remote.rate_limit import Quota
from connector.sandbox.hubspot.rest import VERSION

pytestmark = pytest.mark.anyio
KEY = "connector_person_key"
TOKEN = "pat-test-0000"
CONTACTS = f"/crm/objects/{VERSION}/contacts"
ADA = NewCustomer(email="ada@example.com", first_name="Ada", mobile_phone="+15145550123")
NEW = {"properties": {"email": "ada@example.com"}}


@pytest.fixture
async def http(wire):
    headers = {"Authorization": f"Bearer {TOKEN}"}
    async with httpx.AsyncClient(transport=wire, base_url="http://hub", headers=headers) as client:
        yield client


@pytest.fixture
async def control(sandbox):
    """The sandbox's control routes."""
    transport = httpx.ASGITransport(sandbox.app)
    async with httpx.AsyncClient(transport=transport, base_url="http://hub/_sandbox") as client:
        yield client


# ---- at the sandbox ----


async def test_the_account_is_set_and_read_by_a_control_route(sandbox, control):
    usual = (await control.get("/account")).json()
    assert (usual["missing_scopes"], usual["tokens"], usual["required"], usual["daily_calls"]) == ([], {}, [], None)
    changed = {"daily_calls": 7, "rules": {"phone": {"longest": 5}}, "required": ["lastname"]}
    said = (await control.put("/account", json=changed)).json()
    assert {name: said[name] for name in ("daily_calls", "required")} == {"daily_calls": 7, "required": ["lastname"]}
    assert (sandbox.account.daily_calls, sandbox.records.account.required) == (7, ("lastname",))
    for wrong in ({"daily": 7}, {"daily_calls": -1}, {"rules": {"phone": {"regex": "x"}}}, {"privacy_status": 200}):
        assert (await control.put("/account", json=wrong)).status_code == 400
    assert sandbox.account.daily_calls == 7
    await control.post("/reset")
    assert (await control.get("/account")).json() == usual


@pytest.mark.parametrize(
    ("method", "path", "scope"),
    [
        ("GET", f"{CONTACTS}/1", "crm.objects.contacts.read"),
        ("POST", f"{CONTACTS}/search", "crm.objects.contacts.read"),
        ("POST", f"{CONTACTS}/batch/read", "crm.objects.contacts.read"),
        ("POST", CONTACTS, "crm.objects.contacts.write"),
        ("PATCH", f"{CONTACTS}/1", "crm.objects.contacts.write"),
        ("POST", f"{CONTACTS}/merge", "crm.objects.contacts.write"),
        ("POST", f"/crm/objects/{VERSION}/meetings", "crm.objects.meetings.write"),
        ("GET", f"/crm/properties/{VERSION}/contacts", "crm.schemas.contacts.read"),
        ("POST", f"/crm/properties/{VERSION}/contacts", "crm.schemas.contacts.write"),
        ("GET", f"/crm/owners/{VERSION}", "crm.objects.owners.read"),
    ],
)
async def test_a_token_without_the_scope_is_refused_with_its_name(sandbox, control, method, path, scope):
    await control.put("/account", json={"missing_scopes": [scope], "tokens": {"pat-other": [scope]}})
    async with httpx.AsyncClient(transport=httpx.ASGITransport(sandbox.app), base_url="http://hub") as client:
        refused = await client.request(method, path, headers={"Authorization": f"Bearer {TOKEN}"})
        allowed = await client.request(method, path, headers={"Authorization": "Bearer pat-other"})
    body = refused.json()
    assert (refused.status_code, body["category"]) == (403, "MISSING_SCOPES")
    assert body["errors"] == [
        {
            "message": "One or more of the following scopes are required.",
            "context": {"requiredGranularScopes": [scope]},
        }
    ]
    assert allowed.status_code not in (401, 403), "another token has this scope"


async def test_a_token_has_the_scopes_it_was_given_and_no_others(sandbox, control):
    await control.put("/account", json={"tokens": {"pat-reader": ["crm.objects.contacts.read"]}})
    headers = {"Authorization": "Bearer pat-reader"}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(sandbox.app), base_url="http://hub", headers=headers) as client:
        assert (await client.post(f"{CONTACTS}/search", json={})).status_code == 200
        assert (await client.post(CONTACTS, json=NEW)).status_code == 403
        assert (await client.get(f"/crm/owners/{VERSION}")).status_code == 403
    assert sandbox.contacts() == []


async def test_the_calls_of_a_day_are_counted_until_midnight(control, http, clock):
    await control.put("/account", json={"daily_calls": 3})
    clock.now = 1_800_000_000.0 // 86_400 * 86_400 + 80_000
    assert [(await http.get(f"{CONTACTS}/1")).status_code for _ in range(2)] == [404, 404]
    assert (await http.post(CONTACTS, json=NEW)).status_code == 201
    refused = await http.post(f"{CONTACTS}/search", json={})
    body = refused.json()
    assert (refused.status_code, body["errorType"], body["policyName"]) == (429, "RATE_LIMIT", "DAILY")
    assert body["message"] == "You have reached your daily limit."
    assert body["requestId"] != body["correlationId"]
    assert "retry-after" not in refused.headers
    clock.now += 6_399
    assert (await http.get(f"{CONTACTS}/1")).status_code == 429
    clock.now += 1
    assert (await http.get(f"{CONTACTS}/1")).status_code == 404


async def test_the_limit_of_the_day_stands_in_the_headers(sandbox, control):
    sandbox._limits = (100, 5)
    sandbox.reset()
    await control.put("/account", json={"daily_calls": 3})
    headers = {"Authorization": f"Bearer {TOKEN}"}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(sandbox.app), base_url="http://hub", headers=headers) as client:
        answer = await client.post(CONTACTS, json=NEW)
    said = [answer.headers[f"x-hubspot-ratelimit-daily{what}"] for what in ("", "-remaining")]
    assert said == ["3", "2"]


async def test_a_required_property(sandbox, control, http):
    await control.put("/account", json={"required": ["lastname", "company"]})
    refused = await http.post(CONTACTS, json={"properties": {"email": "ada@example.com", "company": "Shop"}})
    body = refused.json()
    assert (refused.status_code, body["category"]) == (400, "VALIDATION_ERROR")
    assert body["message"] == "Error creating CONTACT. Some required properties were not set."
    assert body["context"] == {"properties": ["lastname"]}
    assert sandbox.contacts() == []
    whole = {"properties": {"email": "ada@example.com", "company": "Shop", "lastname": "Byron"}}
    assert (await http.post(CONTACTS, json=whole)).status_code == 201


@pytest.mark.parametrize(
    ("rule", "good", "bad"),
    [
        ({"shortest": 3}, "abc", "ab"),
        ({"longest": 3}, "abc", "abcd"),
        ({"pattern": r"\+1\d{10}"}, "+15145550123", "+441632960123"),
    ],
)
async def test_a_rule_for_a_property(sandbox, control, http, rule, good, bad):
    await control.put("/account", json={"rules": {"phone": rule}})
    contact = (await http.post(CONTACTS, json={"properties": {"firstname": "Ada", "phone": good}})).json()["id"]
    for method, path in (("POST", CONTACTS), ("PATCH", f"{CONTACTS}/{contact}")):
        refused = await http.request(method, path, json={"properties": {"firstname": "Bob", "phone": bad}})
        assert (refused.status_code, refused.json()["category"]) == (400, "VALIDATION_ERROR")
        assert [error["context"] for error in refused.json()["errors"]] == [{"propertyName": ["phone"]}]
    assert [contact["firstname"] for contact in sandbox.contacts()] == ["Ada"]
    sandbox.records.update_contact(contact, {"phone": ""})
    assert "phone" not in sandbox.contacts()[0], "no rule is about a blank"


@pytest.mark.parametrize(("status", "category"), [(409, "CONFLICT"), (400, "VALIDATION_ERROR")])
async def test_an_address_that_was_deleted_for_privacy_cannot_be_used_again(sandbox, control, http, status, category):
    await control.put("/account", json={"privacy_status": status})
    contact = (await http.post(CONTACTS, json={"properties": {"email": "Ada@example.com", KEY: "k1"}})).json()["id"]
    sandbox.add_email(contact, "second@example.com")
    assert (await http.post(f"{CONTACTS}/gdpr-delete", json={"objectId": contact})).status_code == 204
    assert (await http.get(f"{CONTACTS}/{contact}")).status_code == 404
    for email in ("ada@example.com", "ADA@example.com", "second@example.com"):
        refused = await http.post(CONTACTS, json={"properties": {"email": email}})
        assert (refused.status_code, refused.json()["category"]) == (status, category)
        assert "Existing ID" not in refused.text
    other = await http.post(CONTACTS, json={"properties": {"firstname": "Ada", KEY: "k1"}})
    assert other.status_code == 201, "the key is free"
    path = f"{CONTACTS}/{other.json()['id']}"
    assert (await http.patch(path, json={"properties": {"email": "ada@example.com"}})).status_code == status


async def test_an_unknown_address_goes_on_the_privacy_list_too(sandbox, control, http):
    await control.post("/privacy_delete", json={"email": "Ada@example.com"})
    body = {"objectId": "bob@example.com", "idProperty": "email"}
    assert (await http.post(f"{CONTACTS}/gdpr-delete", json=body)).status_code == 204
    assert sandbox.account.privacy_deleted == {"ada@example.com", "bob@example.com"}
    assert (await http.post(f"{CONTACTS}/gdpr-delete", json={"objectId": "1"})).status_code == 404


# ---- through the adapter ----

CALLS = {
    "crm.objects.contacts.read": lambda crm: crm.by_email("ada@example.com"),
    "crm.objects.contacts.write": lambda crm: crm.create(ADA, "k1"),
    "crm.schemas.contacts.read": lambda crm: crm.fields(),
    "crm.objects.owners.read": lambda crm: crm.users(),
}


@pytest.mark.parametrize("scope", sorted(CALLS))
async def test_a_missing_scope_stops_one_kind_of_action_and_is_named(sandbox, crm, control, scope):
    await control.put("/account", json={"missing_scopes": [scope]})
    with pytest.raises(ActionRefused) as caught:
        await CALLS[scope](crm)
    assert caught.value.certain
    assert f"the key lacks the scope {scope}" in str(caught.value)
    assert caught.value.hint.startswith(f"Give the key of [crm.main] the scope {scope}")
    assert sandbox.contacts() == []
    assert crm.remote.breaker.error is None, "the account itself works"
    await control.put("/account", json={})
    crm.remote.breaker.try_again()
    await CALLS[scope](crm)


async def test_calls_that_are_used_up_for_today_make_the_account_wait(control, clock, wire, connect, quotas):
    quotas[TOKEN] = Quota(TOKEN, (), clock=clock)
    crm = connect(wire)
    await control.put("/account", json={"daily_calls": 2})
    await crm.by_email("ada@example.com")
    await crm.by_key("k1")
    with pytest.raises(LimitReached) as caught:
        await crm.create(ADA, "k1")
    assert (caught.value.retry_after, caught.value.status) == (900, 429)
    assert str(caught.value) == "HubSpot: create a contact: answered 429: DAILY"
    with pytest.raises(LimitReached):
        await crm.get("1")
    assert len(wire.seen) == 3, "nothing more is sent while the account waits"
    clock.now += 86_400
    crm.remote.breaker.reset()
    assert (await crm.create(ADA, "k1")).emails == ("ada@example.com",)
    await crm.remote.aclose()


async def test_a_required_property_that_is_not_sent_is_named(sandbox, crm, control, wire):
    await control.put("/account", json={"required": ["company", "shop_no"]})
    with pytest.raises(Rejected) as caught:
        await crm.create(ADA, "k1", {"hs_lead_status": "NEW"})
    assert str(caught.value) == "HubSpot: create a contact: answered 400: the account requires company, shop_no"
    assert "[sync.fields]" in caught.value.hint
    assert len(wire.seen) == 1, "sending less would not help"
    assert sandbox.contacts() == []


async def test_a_required_property_that_is_sent(sandbox, crm, control):
    await control.put("/account", json={"required": ["company"]})
    await crm.create(ADA, "k1", {"company": "Shop"})
    assert sandbox.contacts()[0]["company"] == "Shop"


async def test_a_field_that_breaks_a_rule_is_left_out_and_named(sandbox, crm, control):
    await control.put("/account", json={"rules": {"mobilephone": {"pattern": "0.*"}, "company": {"longest": 3}}})
    made = await crm.create(ADA, "k1", {"company": "Shop"})
    assert made.refused == ("company", "mobile_phone")
    (contact,) = sandbox.contacts()
    assert (contact["email"], "mobilephone" in contact, "company" in contact) == ("ada@example.com", False, False)
    assert await crm.fill(made, ADA.model_copy(update={"last_name": "Byron"})) == ("last_name",)
    assert sandbox.contacts()[0]["lastname"] == "Byron"


async def test_a_rule_against_what_identifies_is_a_refusal(sandbox, crm, control):
    await control.put("/account", json={"rules": {"email": {"pattern": r".*@example\.org"}}})
    with pytest.raises(Rejected) as caught:
        await crm.create(ADA, "k1")
    assert caught.value.fields == ("email",)
    assert "ada@" not in str(caught.value) + caught.value.hint
    assert sandbox.contacts() == []


async def test_an_erased_address_is_a_conflict_without_a_winner(sandbox, crm, control):
    await control.post("/privacy_delete", json={"email": "ada@example.com"})
    with pytest.raises(Conflict) as caught:
        await crm.create(ADA, "k1")
    assert (caught.value.by, caught.value.winner, caught.value.status) == ("email", None, 409)
    assert sandbox.contacts() == []


async def test_an_erased_address_in_the_other_form_is_a_refusal(sandbox, crm, control):
    await control.put("/account", json={"privacy_status": 400, "privacy_deleted": ["ada@example.com"]})
    with pytest.raises(Rejected) as caught:
        await crm.create(ADA, "k1")
    assert caught.value.fields == ("email",)
    assert "GDPR_DELETED" in caught.value.hint
    assert sandbox.contacts() == []


@pytest.mark.parametrize("status", [400, 409])
async def test_an_erased_address_is_left_out_when_blanks_are_filled(sandbox, crm, control, status):
    contact = sandbox.add_contact(firstname="Ada")
    await control.put("/account", json={"privacy_status": status, "privacy_deleted": ["ada@example.com"]})
    assert await crm.fill(await crm.get(contact), ADA) == ("mobile_phone",)
    assert "email" not in sandbox.contacts()[0]
