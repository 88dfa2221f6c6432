"""Settings, probe, checks and fix."""

import pytest
from pydantic import ValidationError

from connector.crms.base import Uniqueness
from connector.crms.dynamics.adapter import Dynamics
from connector.crms.dynamics.settings import DynamicsSettings
from connector.model.errors import AccountPaused, Rejected, Transient
from connector.model.persons import NewCustomer
from connector.registry import crm as registered
from connector.sandbox.dynamics.app import Rules

from .conftest import KEY, SETTINGS

pytestmark = pytest.mark.anyio
ADA = NewCustomer(first_name="Ada", email="ada@example.com")


async def found(crm) -> dict[str, object]:
    return {check.id.removeprefix("crm.main."): check for check in await crm.checks()}


async def levels(crm) -> dict[str, str]:
    return {name: check.level for name, check in (await found(crm)).items()}


def unprepare(sandbox) -> None:
    sandbox.metadata.own.clear()
    sandbox.metadata.keys.clear()


def test_it_is_registered_and_says_what_makes_a_second_record_impossible():
    assert registered("dynamics") is Dynamics
    assert Dynamics.uniqueness is Uniqueness.KEY


@pytest.mark.parametrize(
    "wrong",
    [
        {"base_url": "example"},
        {"tenant_id": "a/b"},
        {"client_secret": "a b"},
        {"login_url": "http://login.example.com"},
        {"person_key_field": "connectorkey"},
        {"missing_last_name": "x" * 51},
        {"limits": {"simultaneous_calls": 0}},
    ],
)
def test_settings_that_cannot_work_are_refused(wrong):
    with pytest.raises(ValidationError):
        DynamicsSettings.model_validate({**SETTINGS, **wrong})


async def test_a_prepared_environment_is_well(crm):
    await crm.probe()
    assert await levels(crm) == dict.fromkeys(("key", "columns", "contacts"), "ok")
    crm.records = True
    assert await levels(crm) == dict.fromkeys(("key", "columns", "contacts", "appointments"), "ok")


@pytest.mark.parametrize("language", [1033, 1036])
async def test_fix_makes_the_column_and_its_key_in_the_environments_language(sandbox, crm, wire, language):
    unprepare(sandbox)
    sandbox.metadata.language = language
    with pytest.raises(AccountPaused, match="no alternate key"):
        await crm.probe()
    assert await crm.fix() == [
        f"Dynamics 365: created the contact column {KEY}.",
        "Dynamics 365: created an alternate key on it; its index is ready.",
    ]
    assert sandbox.metadata.own == {KEY: 64}
    assert await crm.fix() == []
    assert (await crm.create(ADA, "aa")).person_key == "aa"


async def test_fix_makes_only_the_key_where_the_column_is_there(sandbox, crm):
    sandbox.metadata.keys.clear()
    assert len(await crm.fix()) == 1
    await crm.probe()


async def test_while_the_index_is_made_the_account_waits_and_goes_on_by_itself(sandbox, crm, clock):
    unprepare(sandbox)
    sandbox.rules = Rules(index_seconds=60)
    (_, sentence) = await crm.fix()
    assert "in the background (Pending), and events wait" in sentence
    assert await crm.fix() == []
    with pytest.raises(AccountPaused, match="is being made") as caught:
        await crm.probe()
    assert "nothing is lost" in caught.value.hint
    assert (await levels(crm))["key"] == "error"
    with pytest.raises(AccountPaused):
        await crm.create(ADA, "aa")
    assert sandbox.contacts() == []
    clock.now += 61
    await crm.probe()
    # As the service does after a probe that went well.
    crm.remote.breaker.reset()
    assert (await crm.create(ADA, "aa")).person_key == "aa"


async def test_an_index_that_failed_is_started_again(sandbox, crm):
    unprepare(sandbox)
    sandbox.rules = Rules(index_fails=True)
    await crm.fix()
    with pytest.raises(AccountPaused, match="could not be made") as caught:
        await crm.probe()
    assert "--fix" in caught.value.hint
    sandbox.rules = Rules()
    assert await crm.fix() == [f"Dynamics 365: had the index of the alternate key on {KEY} made again; its index is ready."]
    await crm.probe()


async def test_fix_by_a_user_who_may_not_customize_says_what_it_needs(sandbox, crm):
    unprepare(sandbox)
    sandbox.metadata.may_customize = False
    with pytest.raises(AccountPaused) as caught:
        await crm.fix()
    assert "System Customizer" in caught.value.hint


async def test_fix_whose_name_is_refused_is_rejected_with_the_code(scripted, remote):
    remote.definitions()
    remote.answer(200, {"Keys": []})
    remote.answer(200, {"value": [{"languagecode": 1033}]})
    remote.refuse(400, "0x80044363", "Invalid name for attribute")
    with pytest.raises(Rejected) as caught:
        await scripted.fix()
    assert "0x80044363" in caught.value.hint


async def test_fix_puts_what_it_makes_into_the_solution(sandbox, wire, connect):
    unprepare(sandbox)
    asked = []
    inner = wire.inner.handle_async_request

    async def listen(request):
        asked.append(request.headers.get("mscrm.solutionuniquename"))
        return await inner(request)

    wire.inner.handle_async_request = listen
    adapter = connect(wire, solution="bookings")
    await adapter.fix()
    assert asked.count("bookings") == 2
    await adapter.remote.aclose()


async def test_a_column_that_is_too_short_is_no_use_and_left_alone(sandbox, crm):
    sandbox.metadata.own[KEY] = 32
    check = (await found(crm))["key"]
    assert (check.level, "person_key_field" in check.hint) == ("error", True)
    assert await crm.fix() == []


@pytest.mark.parametrize("name", ["prvReadContact", "prvCreateContact", "prvWriteContact"])
async def test_a_privilege_for_contacts_that_is_missing_is_named(sandbox, crm, name):
    del sandbox.metadata.privileges[name]
    check = (await found(crm))["contacts"]
    assert (check.level, name in check.message) == ("error", True)


async def test_a_privilege_for_appointments_is_only_missed_where_they_are_recorded(sandbox, crm):
    del sandbox.metadata.privileges["prvAppendToContact"]
    assert "appointments" not in await found(crm)
    crm.records = True
    check = (await found(crm))["appointments"]
    assert (check.level, "prvAppendToContact" in check.message) == ("error", True)


async def test_reading_that_does_not_reach_everybody_is_a_warning(sandbox, crm):
    sandbox.metadata.privileges["prvReadContact"] = "Basic"
    check = (await found(crm))["contacts"]
    assert (check.level, "created again" in check.hint) == ("warning", True)


async def test_a_column_that_forms_demand_and_we_do_not_write_is_a_warning(sandbox, crm):
    sandbox.metadata.required["telephone2"] = "ApplicationRequired"
    check = (await found(crm))["columns"]
    assert (check.level, "telephone2" in check.message) == ("warning", True)
    assert (await crm.create(ADA, "aa")).id


async def test_rights_that_are_missing_when_it_matters(sandbox, crm):
    del sandbox.metadata.privileges["prvCreateContact"]
    with pytest.raises(AccountPaused) as caught:
        await crm.create(ADA, "aa")
    assert "security role" in caught.value.hint
    crm.remote.breaker.reset()
    customer = await crm.get(sandbox.add_contact(emailaddress1="grace@example.com"))
    del sandbox.metadata.privileges["prvWriteContact"]
    with pytest.raises(Rejected, match="403"):
        await crm.fill(customer, NewCustomer(first_name="Grace"))


@pytest.mark.parametrize("data", [{}, {"Keys": None}, None])
async def test_a_definition_that_is_none_is_not_taken_for_a_missing_key(scripted, remote, data):
    remote.answer(200, data)
    with pytest.raises(Transient):
        await scripted.probe()
    assert [check.level for check in await scripted.checks()] == ["error"]
