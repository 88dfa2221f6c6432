"""The shapes themselves: the sandbox answers every call as published, and what is not as published does not pass."""

import httpx
import pytest
from conforming import Nonconforming

from .shapes import ACTIVITIES, CALLS, FIELDS, PERSONS, conforming

pytestmark = pytest.mark.anyio
ADA = {"name": "Ada Byron", "emails": [{"value": "ada@example.com", "primary": True, "label": "work"}]}


@pytest.fixture
async def http(wire):
    headers = {"x-api-token": "sandbox-token"}
    async with httpx.AsyncClient(transport=wire, base_url="https://api.pipedrive.com", headers=headers) as client:
        yield client


async def test_the_sandbox_answers_every_call_as_published(sandbox, http, wire):
    sandbox.records.users |= {7: ("kim@example.com", True), 8: ("sam@example.com", False)}
    own = next(iter(sandbox.records.fields))
    persons = [sandbox.add_person(name, emails=(f"{name}@example.com",), key=name) for name in ("ada", "bob", "eve")]
    visit = {"subject": "Fitting", "type": "meeting", "note": "connector: 0123abcd", "due_date": "2027-03-01"}
    on = {"participants": [{"person_id": int(persons[0]), "primary": True}]}
    made = sandbox.records.create_activity({**visit, **on}).id
    basic = {"Authorization": "Basic c2FuZGJveC1jbGllbnQ6c2FuZGJveC1zZWNyZXQ="}
    for method, path, more, status in [
        ("GET", f"{PERSONS}/{persons[0]}?custom_fields={own}", {}, 200),
        ("GET", f"{PERSONS}/1", {}, 404),
        ("GET", f"{PERSONS}?limit=2&updated_since=2020-01-01T00:00:00Z&sort_by=update_time", {}, 200),
        ("GET", f"{PERSONS}?ids={persons[1]}", {}, 200),
        ("GET", f"{PERSONS}/search?term=ada@example.com&fields=email&exact_match=true", {}, 200),
        ("GET", f"{PERSONS}/search?term=a&fields=email&exact_match=false", {}, 400),
        ("POST", PERSONS, {"json": {**ADA, "owner_id": 7, "custom_fields": {own: "k"}}}, 200),
        ("PATCH", f"{PERSONS}/{persons[0]}", {"json": {"name": "Ada Byron"}}, 200),
        ("PATCH", f"{PERSONS}/1", {"json": {"name": "Ada Byron"}}, 404),
        ("GET", ACTIVITIES + f"?person_id={persons[0]}", {}, 200),
        ("GET", f"{ACTIVITIES}/{made}", {}, 200),
        ("POST", ACTIVITIES, {"json": {**visit, **on, "location": {"value": "Main Street"}, "duration": "00:45"}}, 200),
        ("PATCH", f"{ACTIVITIES}/{made}", {"json": {"done": True}}, 200),
        ("DELETE", f"{ACTIVITIES}/{made}", {}, 200),
        ("GET", FIELDS, {}, 200),
        ("GET", f"{FIELDS}/{own}", {}, 200),
        ("POST", FIELDS, {"json": {"field_name": "Shop", "field_type": "enum", "options": [{"label": "Downtown"}]}}, 200),
        ("PUT", f"/v1/persons/{persons[1]}/merge", {"json": {"merge_with_id": int(persons[0])}}, 200),
        ("DELETE", f"{PERSONS}/{persons[2]}", {}, 200),
        ("GET", "/v1/users", {}, 200),
        ("GET", "/v1/users/me", {}, 200),
        ("GET", "/v1/activityTypes", {}, 200),
        ("POST", "/oauth/token", {"data": {"grant_type": "refresh_token", "refresh_token": "no"}, "headers": basic}, 400),
        (
            "POST",
            "/oauth/token",
            {"data": {"grant_type": "refresh_token", "refresh_token": "sandbox-refresh"}, "headers": basic},
            200,
        ),
    ]:
        answer = await http.request(method, path, **more)
        assert answer.status_code == status, (method, path, answer.text)
    assert {(method, path) for method, path, _ in wire.seen} == {(call.method, call.path) for call in CALLS}


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/v1/persons", None),
        ("GET", f"{PERSONS}?limit=501", None),
        ("GET", f"{PERSONS}?custom_fields=org", None),
        ("GET", f"{PERSONS}?updated_since=2020-01-01", None),
        ("GET", f"{PERSONS}/search?term=ada", None),
        ("POST", PERSONS, {"emails": ADA["emails"]}),
        ("POST", PERSONS, {**ADA, "phone": "1"}),
        ("POST", PERSONS, {**ADA, "owner_id": "7"}),
        ("POST", PERSONS, {**ADA, "emails": [{"value": ""}]}),
        ("PATCH", f"{PERSONS}/1", {"name": None, "custom_fields": {"a": None}}),
        ("POST", ACTIVITIES, {"subject": "Fitting", "type": "meeting"}),
        ("PATCH", f"{ACTIVITIES}/1", {"due_date": "1.3.2027"}),
        ("POST", FIELDS, {"field_name": "Shop", "field_type": "string"}),
    ],
)
async def test_a_request_that_is_not_as_published_does_not_pass(http, wire, method, path, body):
    with pytest.raises(Nonconforming):
        await http.request(method, path, json=body)
    assert wire.seen == []


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, {"success": True, "data": {"id": 1, "name": "Ada"}}),
        (200, {"success": False, "error": "no", "error_info": "", "errorCode": 200}),
        (201, {"success": True, "data": {}}),
        (404, {"error": "Person not found"}),
        (429, {"success": False, "error": "no", "error_info": "", "errorCode": "429"}),
    ],
)
async def test_an_answer_that_is_not_as_published_does_not_pass(status, body):
    way = conforming(httpx.MockTransport(lambda _: httpx.Response(status, json=body)))
    async with httpx.AsyncClient(transport=way, base_url="https://api.pipedrive.com") as client:
        with pytest.raises(Nonconforming):
            await client.get(f"{PERSONS}/1")
