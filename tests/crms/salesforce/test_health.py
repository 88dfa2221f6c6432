"""Settings, probe, checks and fix."""

import re

import httpx
import pytest
from pydantic import ValidationError

from connector.crms.base import Uniqueness
from connector.crms.salesforce.adapter import Salesforce
from connector.crms.salesforce.settings import SalesforceSettings
from connector.model.errors import AccountPaused, Rejected, RemoteError, Transient, Unavailable
from connector.model.persons import NewCustomer
from connector.registry import crm as registered
from connector.remote.rate_limit import Quota
from connector.sandbox.kit.faults import Faults
from connector.sandbox.salesforce.app import Rules

from .conftest import SETTINGS

pytestmark = pytest.mark.anyio
KEY = "Connector_Key__c"
NOT_SEEN = [{"errorCode": "NOT_FOUND", "message": "The requested resource does not exist"}]


async def levels(crm) -> dict[str, str]:
    return {check.id.removeprefix("crm.main."): check.level for check in await crm.checks()}


async def test_probe_is_content_when_the_organisation_is_prepared(crm):
    await crm.probe()
    assert await levels(crm) == dict.fromkeys(("field", "contacts", "persons", "calls"), "ok")
    crm.records = True
    assert await levels(crm) == dict.fromkeys(("field", "contacts", "persons", "events", "calls"), "ok")


async def test_fix_makes_the_field_and_lets_the_permission_set_write_it(sandbox, crm, wire):
    sandbox.records.custom.clear()
    with pytest.raises(AccountPaused, match="does not exist") as caught:
        await crm.probe()
    assert "connector check --fix" in caught.value.hint
    assert await crm.fix() == [
        f"Salesforce: created the unique contact field {KEY}.",
        f"Salesforce: let the permission set connector write the contact field {KEY}.",
    ]
    await crm.probe()
    assert await crm.fix() == []
    assert sandbox.records.custom[KEY] == {"length": 64, "externalId": True, "unique": True}
    assert [status for _, call, status in wire.seen if "CustomField" in call] == [201]


@pytest.mark.parametrize("there", ["hidden", "read_only"])
async def test_fix_shows_a_field_that_is_there_and_that_our_user_does_not_see(sandbox, crm, there):
    getattr(sandbox.records, there).add(KEY)
    with pytest.raises(AccountPaused):
        await crm.probe()
    assert await crm.fix() == [f"Salesforce: let the permission set connector write the contact field {KEY}."]
    await crm.probe()


async def test_fix_brings_a_permission_up_to_date_that_says_less(sandbox, crm):
    sandbox.records.read_only.add(KEY)
    (permission_set,) = sandbox.records.live("PermissionSet")
    given = {"ParentId": permission_set.id, "SobjectType": "Contact", "Field": f"Contact.{KEY}", "PermissionsRead": True}
    sandbox.records.create("FieldPermissions", given)
    assert len(await crm.fix()) == 1
    (permission,) = sandbox.records.live("FieldPermissions")
    assert permission.fields["PermissionsEdit"] is True


async def test_fix_without_the_permission_set_says_which_to_make(sandbox, wire, connect):
    sandbox.records.custom.clear()
    adapter = connect(wire, permission_set="Booking_Sync")
    with pytest.raises(AccountPaused) as caught:
        await adapter.fix()
    assert "Booking_Sync" in caught.value.hint
    assert sandbox.records.custom == {}, "a field that nobody sees would be no use"
    await adapter.remote.aclose()


async def test_fix_by_a_user_who_may_not_make_fields_says_what_it_needs(sandbox, crm):
    sandbox.records.custom.clear()
    sandbox.rest.may_customize = False
    with pytest.raises(AccountPaused) as caught:
        await crm.fix()
    assert "customize the application" in caught.value.hint


async def test_fix_whose_field_is_refused_says_how_to_make_it_by_hand(scripted, remote):
    rights = dict.fromkeys(("createable", "queryable", "updateable"), True)
    remote.answer(200, {**rights, "fields": []})
    remote.answer(200, {"done": True, "records": [{"Id": "0PS5g00000ABcDe"}]})
    remote.refuse(400, "LIMIT_EXCEEDED", "too many custom fields")
    with pytest.raises(Rejected, match="LIMIT_EXCEEDED") as caught:
        await scripted.fix()
    assert "by hand" in caught.value.hint


@pytest.mark.parametrize("wrong", [{"unique": False}, {"externalId": False}, {"length": 32}])
async def test_a_field_of_another_kind_is_no_use_and_left_alone(sandbox, crm, wrong):
    sandbox.records.custom[KEY].update(wrong)
    with pytest.raises(AccountPaused, match="not a unique external id") as caught:
        await crm.probe()
    assert "person_key_field" in caught.value.hint
    assert await crm.fix() == []
    assert (await levels(crm))["field"] == "error"


async def test_person_accounts_are_refused_plainly_and_nobody_is_written(sandbox, crm):
    sandbox.records.rules = Rules(person_accounts=True)
    with pytest.raises(AccountPaused, match="person accounts, which are not supported"):
        await crm.probe()
    check = next(check for check in await crm.checks() if check.id == "crm.main.persons")
    assert (check.level, "nothing is written" in check.hint) == ("error", True)


@pytest.mark.parametrize("right", ["createable", "updateable", "queryable"])
async def test_a_right_that_our_user_lacks_is_named(sandbox, crm, right):
    sandbox.rest.denied["Contact"] = {right}
    with pytest.raises(AccountPaused, match=right):
        await crm.probe()
    sandbox.rest.denied = {"Event": {right}}
    await crm.probe()
    assert "events" not in await levels(crm), "no sync needs them"
    crm.records = True
    assert (await levels(crm))["events"] == "error"


async def test_contacts_that_our_user_does_not_see_pause_the_account(scripted, remote):
    remote.refuse(404, "NOT_FOUND", "The requested resource does not exist")
    with pytest.raises(AccountPaused, match="does not see contacts"):
        await scripted.probe()
    assert await levels(scripted) == {"contacts": "error", "calls": "ok"}
    assert await scripted.fix() == []


async def test_events_that_our_user_does_not_see_stop_no_contact(crm):
    contact = await crm.remote.call("x", "GET", "services/data/v67.0/sobjects/Contact/describe")
    answers = {"Contact": httpx.Response(200, json=contact.data), "Event": httpx.Response(404, json=NOT_SEEN)}

    def answer(request):
        if request.url.path.endswith("/token"):
            return httpx.Response(200, json={"access_token": "t"})
        return answers[request.url.path.split("/")[-2]]

    settings = SalesforceSettings.model_validate(SETTINGS)
    adapter = Salesforce.connect("main", settings, Quota, transport=httpx.MockTransport(answer))
    adapter.records = True
    assert (await levels(adapter))["events"] == "error"
    assert adapter.remote.breaker.error is None, "contacts go on"
    await adapter.remote.aclose()


async def test_a_create_that_our_user_may_not_do_pauses_the_account(sandbox, crm):
    sandbox.rest.denied["Contact"] = {"createable"}
    with pytest.raises(AccountPaused):
        await crm.create(NewCustomer(email="ada@example.com"), "aa")


@pytest.mark.parametrize(("there", "field"), [("hidden", "OtherPhone"), ("read_only", "MobilePhone")])
async def test_a_field_that_our_user_may_not_use_is_named(sandbox, crm, there, field):
    getattr(sandbox.records, there).add(field)
    with pytest.raises(AccountPaused, match=field):
        await crm.probe()
    assert (await levels(crm))["contacts"] == "error"


async def test_when_nearly_all_calls_of_the_day_are_used_a_check_warns(sandbox, crm):
    crm.records = True
    sandbox.use_calls(14_000)
    (check,) = await crm.checks()
    assert (check.id, check.level) == ("crm.main.calls", "warning")
    assert "14001 of 15000 calls" in check.message
    assert re.search(r"limited until \d{4}-\d\d-\d\d \d\d:\d\d UTC$", check.message)
    assert "percent_of_day" in check.hint


async def test_refused_credentials_show_as_one_error(sandbox, crm):
    sandbox.client_secret = "another"
    (check,) = await crm.checks()
    assert (check.id, check.level) == ("crm.main.account", "error")
    assert "sandbox-client" not in check.message + check.hint


async def test_the_probe_asks_even_when_the_account_is_marked_as_down(sandbox, crm):
    sandbox.faults = Faults(down=True)
    with pytest.raises(Unavailable):
        await crm.by_key("aa")
    assert crm.remote.breaker.error is not None
    sandbox.faults = Faults()
    with pytest.raises(Unavailable):
        await crm.by_key("aa")
    await crm.probe()


@pytest.mark.parametrize("data", [None, [], {}, {"fields": None}, {"fields": "x"}])
async def test_a_probe_that_is_answered_with_nonsense_is_no_finding(scripted, remote, data):
    remote.answer(200, data)
    with pytest.raises(Transient):
        await scripted.probe()


async def test_a_probe_of_the_wrong_address_does_not_ask_for_a_field(scripted, remote):
    remote.answer(404, b"<html>nothing here</html>")
    for act in (scripted.probe, scripted.fix):
        with pytest.raises(RemoteError, match="base_url"):
            await act()


def test_settings_have_their_defaults():
    settings = SalesforceSettings.model_validate(SETTINGS)
    assert (settings.person_key_field, settings.permission_set, settings.account_id) == (KEY, "connector", None)
    assert (settings.limits.percent_of_day, settings.override_duplicate_alerts) == (90, False)
    assert "sandbox-client-secret" not in repr(settings)


@pytest.mark.parametrize(
    "wrong",
    [
        {"base_url": "example.my.salesforce.com"},
        {"base_url": "https://u:p@example.my.salesforce.com"},
        {"client_id": ""},
        {"client_id": "a b"},
        {"client_secret": ""},
        {"client_secret": "a\nb"},
        {"person_key_field": "Connector_Key"},
        {"person_key_field": "x'; --__c"},
        {"permission_set": "connector' OR Name != '"},
        {"account_id": "0035g00000ABcDeAAL"},
        {"missing_last_name": ""},
        {"unknown_end_minutes": -1},
        {"limits": {"percent_of_day": 0}},
        {"limits": {"per_second": 1}},
        {"timeout_seconds": 0},
    ],
)
def test_settings_that_cannot_work_are_refused(wrong):
    with pytest.raises(ValidationError):
        SalesforceSettings.model_validate({**SETTINGS, **wrong})


@pytest.mark.parametrize("needed", ["base_url", "client_id", "client_secret"])
def test_settings_that_are_missing_are_refused(needed):
    with pytest.raises(ValidationError):
        SalesforceSettings.model_validate({key: value for key, value in SETTINGS.items() if key != needed})


def test_connect_makes_no_request_and_accounts_of_one_app_share_a_quota():
    asked: dict[str, Quota] = {}
    settings = SalesforceSettings.model_validate(SETTINGS)

    def quota_for(key, windows):
        return asked.setdefault(key, Quota(key, windows))

    def transport(request):
        raise AssertionError("no request")

    for name in ("main", "other"):
        Salesforce.connect(name, settings, quota_for, transport=httpx.MockTransport(transport))
    assert len(asked) == 1


def test_the_registry_knows_it():
    assert registered("salesforce") is Salesforce
    assert Salesforce.uniqueness is Uniqueness.KEY
