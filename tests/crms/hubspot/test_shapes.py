"""The shapes themselves: the sandbox answers every call as published, and what is not as published does not pass."""

from datetime import UTC, datetime

import httpx
import pytest
from conforming import Nonconforming

from connector.model.bookings import Appointment, Status
from connector.model.persons import NewCustomer
from connector.sandbox.hubspot.rest import VERSION

from .shapes import CALLS, CONTACTS, MEETINGS, OWNERS, PROPERTIES, conforming
from .shapes import VERSION as PUBLISHED

pytestmark = pytest.mark.anyio
KEY = "connector_person_key"
TOKEN = "pat-test-0000"
TIME = "2026-12-01T15:00:00.000Z"
DEFINITION = {"name": "shop", "label": "Shop", "groupName": "contactinformation", "type": "string", "fieldType": "text"}
ON = {"associations": [{"to": {"id": "6001"}, "types": [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 200}]}]}


def client(transport):
    return httpx.AsyncClient(
        transport=transport, base_url="https://api.hubapi.com", headers={"Authorization": f"Bearer {TOKEN}"}
    )


def test_the_shapes_are_those_of_the_version_that_is_spoken():
    assert PUBLISHED == VERSION


async def test_the_sandbox_answers_every_call_as_published(sandbox, wire):
    sandbox.records.owners |= {"77001": "kim@example.com", "77002": "sam@example.com"}
    sandbox.records.former_owners.add("77002")
    first, second = (sandbox.add_contact(email=f"{name}@example.com", **{KEY: name}) for name in ("ada", "bob"))
    meeting = {"hs_timestamp": TIME, "hs_meeting_title": "Fitting"}
    record = sandbox.records.create_meeting(meeting, [first]).id
    async with client(wire) as http:
        for method, path, body, status in [
            ("GET", f"{CONTACTS}/{first}", None, 200),
            ("GET", f"{CONTACTS}/ada?idProperty={KEY}&properties=email,{KEY}", None, 200),
            ("GET", f"{CONTACTS}/1", None, 404),
            ("POST", CONTACTS, {"properties": {"email": "eve@example.com"}}, 201),
            ("POST", CONTACTS, {"properties": {"email": "ada@example.com"}}, 409),
            ("POST", CONTACTS, {"properties": {"firstname": "Ada", KEY: "ada"}}, 400),
            ("POST", CONTACTS, {"properties": {"email": "no", "shop": "1"}}, 400),
            ("PATCH", f"{CONTACTS}/{first}", {"properties": {"firstname": "Ada"}}, 200),
            ("PATCH", f"{CONTACTS}/1", {"properties": {"firstname": "Ada"}}, 404),
            ("POST", f"{CONTACTS}/search", {"properties": ["email"], "limit": 1}, 200),
            ("POST", f"{CONTACTS}/search", {"after": "9999", "limit": 200}, 400),
            ("POST", f"{CONTACTS}/batch/read", {"inputs": [{"id": first}]}, 200),
            ("POST", f"{CONTACTS}/batch/read", {"inputs": [{"id": first}, {"id": "1"}]}, 207),
            ("POST", MEETINGS, {"properties": meeting, **ON}, 201),
            ("GET", f"{MEETINGS}/{record}", None, 200),
            ("GET", f"{MEETINGS}/1?properties=hs_meeting_title", None, 404),
            ("PATCH", f"{MEETINGS}/{record}", {"properties": {"hs_meeting_outcome": "NO_SHOW"}}, 200),
            ("POST", f"{MEETINGS}/batch/read", {"inputs": [{"id": record}], "properties": ["hs_meeting_title"]}, 200),
            ("GET", f"{CONTACTS}/{first}/associations/meetings?limit=1", None, 200),
            ("GET", f"{CONTACTS}/{first}/associations/meetings?limit=1&after=1", None, 200),
            ("GET", PROPERTIES, None, 200),
            ("GET", f"{PROPERTIES}/lifecyclestage", None, 200),
            ("GET", f"{PROPERTIES}/{KEY}", None, 200),
            ("GET", f"{PROPERTIES}/nonsense", None, 404),
            ("POST", PROPERTIES, DEFINITION, 201),
            ("POST", PROPERTIES, DEFINITION, 409),
            ("GET", f"{OWNERS}?archived=false&limit=500", None, 200),
            ("GET", f"{OWNERS}?archived=true", None, 200),
            ("POST", f"{CONTACTS}/merge", {"primaryObjectId": first, "objectIdToMerge": second}, 200),
            ("POST", f"{CONTACTS}/gdpr-delete", {"objectId": "eve@example.com", "idProperty": "email"}, 204),
            ("DELETE", f"{CONTACTS}/{first}", None, 204),
        ]:
            answer = await http.request(method, path, json=body)
            assert answer.status_code == status, (method, path, answer.text)
    assert {(method, path) for method, path, _ in wire.seen} == {(call.method, call.path) for call in CALLS}


async def test_refusals_of_the_account_are_as_published(sandbox, wire):
    async with client(wire) as http:
        sandbox.account.missing_scopes.add("crm.objects.contacts.read")
        assert (await http.get(f"{CONTACTS}/1")).status_code == 403
        sandbox.account.missing_scopes.clear()
        sandbox.account.daily_calls = 1
        assert (await http.get(f"{CONTACTS}/1")).status_code == 404
        assert (await http.get(f"{CONTACTS}/1")).status_code == 429
        sandbox.token = "another"
        assert (await http.get(f"{CONTACTS}/1")).status_code == 401


async def test_what_the_adapter_does_for_one_customer_goes_through_the_shapes(sandbox, crm, wire):
    made = await crm.create(NewCustomer(email="ada@example.com", first_name="Ada", mobile_phone="+15145550123"), "k1")
    visit = Appointment(id="b1", status=Status.SCHEDULED, starts_at=datetime(2026, 12, 1, 15, tzinfo=UTC), title="Fitting")
    record = await crm.record_appointment(made.id, visit, "0123abcd", None)
    assert await crm.find_appointment(made.id, "0123abcd") == record
    assert [found.id for found in await crm.by_phone("+15145550123")] == [made.id]
    assert len({(method, path) for method, path, _ in wire.seen}) == 5


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", f"{CONTACTS}/1/nothing", {}),
        ("GET", "/crm/v3/objects/contacts/1", None),
        ("GET", f"{CONTACTS}/1?propertys=email", None),
        ("POST", CONTACTS, {"properties": {"email": None}}),
        ("POST", CONTACTS, {"properties": {"firstname": ""}}),
        ("POST", CONTACTS, {"properties": {"age": 7}}),
        ("POST", CONTACTS, {"properties": {"firstname": "Ada"}, "idProperty": KEY}),
        ("POST", CONTACTS, {}),
        ("POST", MEETINGS, {"properties": {"hs_timestamp": "2026-12-01 15:00"}, **ON}),
        ("POST", MEETINGS, {"properties": {"hs_timestamp": TIME}}),
        ("POST", f"{CONTACTS}/search", {"limit": "100"}),
        ("POST", PROPERTIES, {**DEFINITION, "type": "text"}),
    ],
)
async def test_a_request_that_is_not_as_published_does_not_pass(wire, method, path, body):
    async with client(wire) as http:
        with pytest.raises(Nonconforming):
            await http.request(method, path, json=body)
    assert wire.seen == []


CONTACT = {"id": "1", "archived": False, "createdAt": TIME, "updatedAt": TIME, "properties": {}}


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, {**CONTACT, "id": 1}),
        (200, {**CONTACT, "createdAt": "2026-12-01"}),
        (200, {**CONTACT, "score": "1"}),
        (200, {**CONTACT, "properties": {"age": 7}}),
        (201, CONTACT),
        (404, {"message": "resource not found"}),
        (429, {"message": "no", "category": "RATE_LIMITS", "correlationId": "c", "policyName": "WEEKLY"}),
    ],
)
async def test_an_answer_that_is_not_as_published_does_not_pass(status, body):
    async with client(conforming(httpx.MockTransport(lambda _: httpx.Response(status, json=body)))) as http:
        with pytest.raises(Nonconforming):
            await http.get(f"{CONTACTS}/1")
