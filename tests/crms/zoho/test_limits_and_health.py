"""Calls at the same time, credits, and what `connector check` says and makes."""

import asyncio

import httpx
import pytest

from connector.model.errors import AccountPaused, LimitReached, RateLimited
from connector.sandbox.kit.faults import Faults
from connector.sandbox.zoho.app import ZohoSandbox

from .conftest import KEY, MARKER
from .shapes import conforming

pytestmark = pytest.mark.anyio
FIELDS = (f"Contacts.{KEY}!", f"Events.{MARKER}")


@pytest.mark.parametrize(("calls", "most"), [(5, 5), (25, 10)])
async def test_no_more_calls_at_the_same_time_than_the_edition_allows(connect, clock, calls, most):
    """Queries have a limit of ten on every edition."""
    sandbox = ZohoSandbox(fields=FIELDS, simultaneous=most, clock=clock, faults=Faults(latency_ms=(5, 5)))
    crm = connect(httpx.ASGITransport(sandbox.app), limits={"simultaneous_calls": calls})
    await asyncio.gather(*(crm.by_key(f"k{n}") for n in range(40)))
    assert (sandbox.app.most, sandbox.statuses[429]) == (most, 0)
    await crm.remote.aclose()


async def test_the_credits_that_were_set_are_kept_to_and_come_back_after_a_day(sandbox, wire, connect, clock):
    crm = connect(wire, limits={"credits_per_day": 4})
    for number in range(3):
        await crm.by_key(f"k{number}")
    with pytest.raises(LimitReached) as caught:
        await crm.by_key("k3")
    assert "credits_per_day" in caught.value.hint
    assert sandbox.requests["POST coql"] == 3, "the token's own call counts as well"
    clock.now += 86_401
    await crm.by_key("k3")
    await crm.remote.aclose()


async def test_callers_at_once_are_sent_away_and_do_not_wait_for_hours(sandbox, wire, connect):
    crm = connect(wire, limits={"credits_per_day": 10})
    async with asyncio.timeout(60):
        results = await asyncio.gather(*(crm.by_key(f"k{n}") for n in range(40)), return_exceptions=True)
    assert {type(result) for result in results} == {type(None), LimitReached}
    assert 9 <= sandbox.requests["POST coql"] <= 14
    await crm.remote.aclose()


async def test_a_spent_account_is_met_with_a_wait(connect, clock):
    sandbox = ZohoSandbox(fields=FIELDS, credits_per_day=1, clock=clock)
    crm = connect(conforming(httpx.ASGITransport(sandbox.app)))
    await crm.by_key("k1")
    with pytest.raises(RateLimited) as caught:
        await crm.by_key("k2")
    assert caught.value.retry_after == 30
    await crm.remote.aclose()


async def test_few_credits_are_a_warning(remote, scripted):
    fields = {"fields": [{"api_name": KEY, "unique": {"case_sensitive": False}}, {"api_name": MARKER, "unique": {}}]}
    remote.answer(200, fields)
    remote.answer(204, None, {"X-API-CREDITS-REMAINING": "999"})
    checks = await scripted.checks()
    assert [(check.id, check.level) for check in checks][-1] == ("crm.main.credits", "warning")
    assert "999 credits" in checks[-1].message


async def test_every_check_is_named(crm):
    assert [(check.id, check.level) for check in await crm.checks()] == [
        ("crm.main.key", "ok"),
        ("crm.main.contacts", "ok"),
        ("crm.main.writing", "ok"),
    ]


async def test_where_appointments_are_recorded_events_are_queried_too(sandbox, crm):
    crm.records = True
    checks = {check.id.removeprefix("crm.main."): check for check in await crm.checks()}
    assert {name: check.level for name, check in checks.items()} == dict.fromkeys(
        ("key", "contacts", "marker", "events", "writing"), "ok"
    )
    assert "ZohoCRM.modules.events.ALL" in checks["writing"].message
    assert not any(call.startswith(("PUT", "DELETE")) for call in sandbox.requests)


async def test_without_the_markers_field_contacts_are_synced_and_check_says_what_is_missing(sandbox, crm):
    crm.records = True
    await crm.checks()
    sandbox.records.fields["Events"].clear()
    checks = {check.id: check for check in await crm.checks()}
    assert {name: check.level for name, check in checks.items()} == {
        "crm.main.key": "ok",
        "crm.main.contacts": "ok",
        "crm.main.marker": "error",
        "crm.main.writing": "ok",
    }
    assert "--fix" in checks["crm.main.marker"].hint
    await crm.by_key("k1")


async def test_fix_makes_both_fields_and_says_so(sandbox, crm):
    for fields in sandbox.records.fields.values():
        fields.clear()
    assert await crm.fix() == [
        f"Zoho CRM: created the unique field {KEY} of contacts.",
        f"Zoho CRM: created the field {MARKER} of events.",
    ]
    assert sandbox.records.is_unique("Contacts", KEY)
    assert not sandbox.records.is_unique("Events", MARKER)
    await crm.probe()
    assert await crm.fix() == []


async def test_a_field_that_is_not_unique_is_not_good_enough_and_is_left_to_a_person(sandbox, crm):
    sandbox.records.fields["Contacts"][KEY]["unique"] = {}
    with pytest.raises(AccountPaused) as caught:
        await crm.probe()
    assert "Do not allow duplicate values" in caught.value.hint
    assert await crm.fix() == []


async def test_fix_beside_another_process_that_was_faster(remote, scripted):
    ours = {"api_name": KEY, "unique": {"case_sensitive": False}}
    taken = {"code": "DUPLICATE_DATA", "details": {"api_name": "field_label"}, "message": "x", "status": "error"}
    remote.answer(200, {"fields": [{"api_name": "Email", "unique": {}}]})
    remote.answer(400, {"fields": [taken]})
    remote.answer(200, {"fields": [ours, {"api_name": MARKER, "unique": {}}]})
    assert await scripted.fix() == [f"Zoho CRM: created the unique field {KEY} of contacts."]


async def test_fix_says_which_api_name_to_look_up(remote, scripted):
    made = {"code": "SUCCESS", "details": {"id": "1"}, "message": "field created", "status": "success"}
    other = {"api_name": "ConnectorPersonKey1", "unique": {"case_sensitive": False}}
    remote.answer(200, {"fields": [{"api_name": "Email", "unique": {}}]})
    remote.answer(201, {"fields": [made]})
    remote.answer(200, {"fields": [other]})
    with pytest.raises(AccountPaused) as caught:
        await scripted.fix()
    assert "person_key_field" in caught.value.hint


@pytest.mark.parametrize(
    ("status", "item"),
    [
        (
            403,
            {"code": "NO_PERMISSION", "details": {"permissions": ["Crm_Implied_Customize"]}, "message": "x", "status": "error"},
        ),
        (400, {"fields": [{"code": "AUTHORIZATION_FAILED", "details": {}, "message": "x", "status": "error"}]}),
    ],
)
async def test_fix_without_the_right_names_it(remote, scripted, status, item):
    remote.answer(200, {"fields": [{"api_name": "Email", "unique": {}}]})
    remote.answer(status, item)
    with pytest.raises(AccountPaused) as caught:
        await scripted.fix()
    assert "profile" in caught.value.hint
