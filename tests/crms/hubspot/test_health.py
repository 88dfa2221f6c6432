"""Settings, probe, checks and fix."""

import httpx
import pytest
from pydantic import ValidationError

from connector.crms.hubspot.adapter import HubSpot
from connector.crms.hubspot.settings import HubSpotSettings
from connector.model.errors import AccountPaused, RateLimited, Transient, Unavailable
from connector.registry import crm as registered
from connector.remote.rate_limit import Quota
from connector.sandbox.hubspot.app import HubSpotSandbox
from connector.sandbox.kit.faults import Faults

pytestmark = pytest.mark.anyio
KEY = "connector_person_key"


async def test_probe_is_content_when_key_and_property_are_right(crm):
    await crm.probe()
    assert [(check.id, check.level) for check in await crm.checks()] == [
        ("crm.main.property", "ok"),
        ("crm.main.contacts", "ok"),
        ("crm.main.writing", "ok"),
    ]


async def test_where_appointments_are_recorded_meetings_are_read_too_and_what_may_be_written_is_said_to_be_unknown(
    sandbox, crm
):
    crm.records = True
    checks = {check.id.removeprefix("crm.main."): check for check in await crm.checks()}
    assert {name: check.level for name, check in checks.items()} == dict.fromkeys(
        ("property", "contacts", "meetings", "writing"), "ok"
    )
    assert "cannot be checked without writing" in checks["writing"].message
    assert "crm.objects.contacts.write" in checks["writing"].message
    assert not [call for call in sandbox.requests if call.startswith(("PATCH", "PUT", "DELETE"))]
    sandbox.missing_scopes.add("crm.objects.meetings.read")
    refused = {check.id: check for check in await crm.checks()}["crm.main.meetings"]
    assert refused.level == "error"
    assert "crm.objects.meetings.read" in refused.message + refused.hint


async def test_fix_makes_the_property_once_and_after_that_the_probe_is_content(sandbox, crm):
    del sandbox.records.properties[KEY]
    with pytest.raises(AccountPaused, match="does not exist") as caught:
        await crm.probe()
    assert "connector check --fix" in caught.value.hint
    assert await crm.fix() == [f"HubSpot: created the unique contact property {KEY}."]
    await crm.probe()
    assert await crm.fix() == []
    made = sandbox.records.properties[KEY]
    assert (made["hasUniqueValue"], made["type"], made["fieldType"]) == (True, "string", "text")
    assert made["groupName"] == "contactinformation"


async def test_a_property_that_is_not_unique_is_no_use(sandbox, crm):
    sandbox.records.properties[KEY]["hasUniqueValue"] = False
    with pytest.raises(AccountPaused, match="not unique") as caught:
        await crm.probe()
    assert "person_key_property in [crm.main]" in caught.value.hint
    assert await crm.fix() == []
    check = (await crm.checks())[0]
    assert (check.level, check.hint) == ("error", caught.value.hint)


async def test_fix_that_finds_the_property_made_by_somebody_else_meanwhile(scripted, remote):
    remote.answer(404, {"status": "error", "message": "no such property"})
    remote.answer(409, {"status": "error", "category": "OBJECT_ALREADY_EXISTS"})
    assert await scripted.fix() == []


async def test_fix_without_the_scope_says_which(scripted, remote):
    remote.answer(404, {"status": "error", "message": "no such property"})
    remote.answer(403, {"status": "error", "category": "MISSING_SCOPES"})
    with pytest.raises(AccountPaused) as caught:
        await scripted.fix()
    assert "crm.schemas.contacts.write" in caught.value.hint


async def test_a_probe_of_the_wrong_address_does_not_ask_for_a_property(scripted, remote):
    remote.answer(404, b"<html>nothing here</html>")
    with pytest.raises(Transient, match="base_url"):
        await scripted.probe()
    with pytest.raises(Transient):
        await scripted.fix()


async def test_a_refused_key_shows_in_every_check(sandbox, connect):
    adapter = connect(httpx.ASGITransport(sandbox.app), token="pat-wrong")
    with pytest.raises(AccountPaused, match="401"):
        await adapter.probe()
    checks = await adapter.checks()
    assert [check.level for check in checks] == ["error", "error", "ok"]
    assert all("pat-" not in check.message + check.hint for check in checks)
    await adapter.remote.aclose()


async def test_the_probe_asks_even_when_the_account_is_marked_as_down(sandbox, crm):
    sandbox.faults = Faults(down=True)
    with pytest.raises(Unavailable):
        await crm.get("1")
    assert crm.remote.breaker.error is not None
    sandbox.faults = Faults()
    with pytest.raises(Unavailable):
        await crm.get("1")
    await crm.probe()


async def test_with_the_default_limits_the_sandbox_never_has_to_refuse(connect):
    # Windows as HubSpot has them would make this test wait ten seconds; the ratio of both sides is what counts.
    sandbox = HubSpotSandbox(token="pat-test-0000", unique_properties=(KEY,), search_per_second=5, per_10_seconds=None)
    adapter = connect(httpx.ASGITransport(sandbox.app), limits={"per_10_seconds": 100, "search_per_second": 5})
    for _ in range(8):
        await adapter.by_phone("+15145550123")
    assert sandbox.stats()["rate_limited"] == 0
    assert sandbox.requests["POST contacts/search"] == 8
    await adapter.remote.aclose()


async def test_without_our_limits_the_sandbox_refuses_and_names_the_policy(connect):
    sandbox = HubSpotSandbox(token="pat-test-0000", unique_properties=(KEY,), search_per_second=5, per_10_seconds=20)
    adapter = connect(httpx.ASGITransport(sandbox.app))
    for _ in range(5):
        await adapter.by_phone("+15145550123")
    with pytest.raises(RateLimited, match="SECONDLY") as caught:
        await adapter.by_phone("+15145550123")
    assert caught.value.retry_after == 1
    for _ in range(15):
        await adapter.get("1")
    with pytest.raises(RateLimited, match="TEN_SECONDLY_ROLLING") as caught:
        await adapter.get("1")
    assert caught.value.retry_after == 10
    await adapter.remote.aclose()


def test_settings_have_the_vendors_defaults():
    settings = HubSpotSettings.model_validate({"system": "hubspot", "token": "t"})
    assert settings.base_url == "https://api.hubapi.com"
    assert (settings.limits.per_10_seconds, settings.limits.search_per_second) == (100, 5)
    assert (settings.person_key_property, settings.timeout_seconds) == (KEY, 20)
    assert "'t'" not in repr(settings)


@pytest.mark.parametrize(
    "wrong",
    [
        {"token": ""},
        {"token": "a b"},
        {"token": "t\n"},
        {"base_url": "api.hubapi.com"},
        {"base_url": "https://u:p@api.hubapi.com"},
        {"person_key_property": "Connector Key"},
        {"limits": {"per_second": 1}},
        {"timeout_seconds": 0},
    ],
)
def test_settings_that_cannot_work_are_refused(wrong):
    with pytest.raises(ValidationError):
        HubSpotSettings.model_validate({"system": "hubspot", "token": "t", **wrong})


def test_connect_makes_no_request_and_keeps_two_budgets():
    asked = {}
    settings = HubSpotSettings.model_validate({"system": "hubspot", "token": "t"})
    HubSpot.connect("main", settings, lambda key, windows: asked.setdefault(key, Quota(key, windows)))
    assert [tuple(map(tuple, quota.windows)) for quota in asked.values()] == [((100, 10.0),), ((5, 1.0),)]


def test_the_registry_knows_it():
    assert registered("hubspot") is HubSpot
