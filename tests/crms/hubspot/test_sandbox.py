"""The sandbox itself: it must be at least as strict as what is documented of HubSpot."""

import httpx
import pytest

from connector.crms.hubspot.settings import API_VERSION
from connector.sandbox.hubspot.app import HubSpotSandbox, Rules
from connector.sandbox.hubspot.rest import VERSION
from connector.sandbox.kit.faults import Faults
from connector.sandbox.kit.server import Server

pytestmark = pytest.mark.anyio
KEY = "connector_person_key"
TOKEN = "pat-test-0000"
CONTACTS = f"/crm/objects/{VERSION}/contacts"
JSON = {"Content-Type": "application/json"}
TO_CONTACT = {"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 200}


@pytest.fixture
async def http(sandbox):
    headers = {"Authorization": f"Bearer {TOKEN}"}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(sandbox.app), base_url="http://hub", headers=headers) as client:
        yield client


def test_it_speaks_the_version_which_the_adapter_pins():
    assert VERSION == API_VERSION


@pytest.mark.parametrize("header", [None, "Bearer wrong", TOKEN, "Bearer "])
async def test_every_request_needs_the_token(sandbox, header):
    headers = {"Authorization": header} if header else {}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(sandbox.app), base_url="http://hub") as client:
        answer = await client.get(f"{CONTACTS}/1", headers=headers)
    assert (answer.status_code, answer.json()["category"]) == (401, "INVALID_AUTHENTICATION")


@pytest.mark.parametrize(
    "path", ["/crm/v3/objects/contacts/1", "/crm/objects/2026-03/contacts/1", "/", f"/crm/objects/{VERSION}/deals/1"]
)
async def test_other_versions_and_objects_are_not_there(http, path):
    assert (await http.get(path)).status_code == 404


async def test_texts_of_refusal_are_the_documented_ones(sandbox, http):
    holder = sandbox.add_contact(email="ada@example.com", **{KEY: "k1"})
    email = await http.post(CONTACTS, json={"properties": {"email": "ADA@example.com"}})
    assert (email.status_code, email.json()["category"]) == (409, "CONFLICT")
    assert email.json()["message"] == f"Contact already exists. Existing ID: {holder}"
    key = await http.post(CONTACTS, json={"properties": {"firstname": "A", KEY: "k1"}})
    assert (key.status_code, key.json()["category"]) == (400, "VALIDATION_ERROR")
    assert key.json()["message"].endswith(f". {holder} already has that value.")
    assert f"propertyName={KEY}, value=k1" in key.json()["message"]


@pytest.mark.parametrize(
    "properties",
    [{}, {"phone": "1"}, {"nonsense": "1", "email": "a@example.com"}, {"email": "no"}, {"firstname": "A", "createdate": "1"}],
)
async def test_creates_that_hubspot_would_refuse(sandbox, http, properties):
    assert (await http.post(CONTACTS, json={"properties": properties})).status_code == 400
    assert sandbox.contacts() == []


async def test_a_patch_frees_the_old_address_and_an_empty_value_clears(sandbox, http):
    contact = sandbox.add_contact(email="old@example.com", firstname="Ada", **{KEY: "k1"})
    patch = {"properties": {"email": "new@example.com", "firstname": "", KEY: ""}}
    assert (await http.patch(f"{CONTACTS}/{contact}", json=patch)).status_code == 200
    assert (await http.get(f"{CONTACTS}/old@example.com", params={"idProperty": "email"})).status_code == 404
    assert sandbox.add_contact(email="old@example.com", **{KEY: "k1"})
    assert "firstname" not in sandbox.contacts()[0]
    taken = await http.patch(f"{CONTACTS}/{contact}", json={"properties": {"email": "old@example.com"}})
    assert taken.status_code == 409


async def test_unique_properties_are_made_and_never_changed(sandbox, http):
    made = {"label": "x", "type": "string", "fieldType": "text", "groupName": "contactinformation", "hasUniqueValue": True}
    path = f"/crm/properties/{VERSION}/contacts"
    for number in range(9):
        assert (await http.post(path, json={"name": f"p{number}", **made})).status_code == 201
    assert (await http.post(path, json={"name": "p10", **made})).status_code == 400, "ten at most"
    assert (await http.post(path, json={"name": "p1", **made})).status_code == 409
    assert (await http.post(path, json={"name": "p11"})).status_code == 400
    assert (await http.post(path, json={"name": "p12", **made, "type": "number"})).status_code == 400
    assert (await http.patch(f"{path}/p1", json={"hasUniqueValue": False})).status_code == 405
    assert (await http.get(f"{path}/email")).json()["hubspotDefined"] is True


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ({}, 200),
        ({"limit": 200}, 200),
        ({"limit": 201}, 400),
        ({"limit": 100, "after": "9950"}, 400),
        ({"limit": "x"}, 400),
        ({"filterGroups": [{"filters": [{"propertyName": "email", "operator": "HAS_PROPERTY"}]}] * 5}, 200),
        ({"filterGroups": [{"filters": [{"propertyName": "email", "operator": "HAS_PROPERTY"}]}] * 6}, 400),
        ({"filterGroups": [{"filters": [{"propertyName": "email", "operator": "HAS_PROPERTY"}] * 7}]}, 400),
        ({"filterGroups": [{"filters": [{"propertyName": "email", "operator": "HAS_PROPERTY"}] * 5}] * 4}, 400),
        ({"filterGroups": [{"filters": [{"propertyName": "nonsense", "operator": "EQ", "value": "1"}]}]}, 400),
        ({"filterGroups": [{"filters": [{"propertyName": "email", "operator": "LIKE", "value": "1"}]}]}, 400),
        ({"filterGroups": [{"filters": [{"propertyName": "email", "operator": "EQ", "value": "x" * 3000}]}]}, 400),
        ({"filterGroups": [{"filters": [{"propertyName": "email", "operator": "EQ", "value": ""}]}]}, 400),
        ({"filterGroups": [{"filters": [{"propertyName": "email", "operator": "IN", "value": "x"}]}]}, 400),
        ({"filterGroups": [{"filters": [{"propertyName": "email", "operator": "EQ", "value": 7}]}]}, 400),
        ({"filterGroups": [], "sorts": []}, 400),
        ({"limit": 0}, 400),
    ],
)
async def test_search_keeps_hubspots_limits(http, query, status):
    assert (await http.post(f"{CONTACTS}/search", json=query)).status_code == status


@pytest.mark.parametrize(
    ("operator", "value", "found"),
    [
        ("EQ", "ADA", ["Ada"]),
        ("NEQ", "ada", ["Bob"]),
        ("IN", ["ada", "eve"], ["Ada"]),
        ("IN", ["Ada"], []),
        ("NOT_IN", ["ada"], ["Bob"]),
        ("HAS_PROPERTY", None, ["Ada", "Bob"]),
        ("NOT_HAS_PROPERTY", None, []),
        ("CONTAINS_TOKEN", "*o*", ["Bob"]),
    ],
)
async def test_search_operators(sandbox, http, operator, value, found):
    sandbox.add_contact(firstname="Ada")
    sandbox.add_contact(firstname="Bob")
    condition = {"propertyName": "firstname", "operator": operator}
    condition |= {"values" if isinstance(value, list) else "value": value} if value else {}
    answer = await http.post(f"{CONTACTS}/search", json={"filterGroups": [{"filters": [condition]}]})
    assert [result["properties"]["firstname"] for result in answer.json()["results"]] == found


async def test_a_lagging_search_shows_old_values(sandbox, http, clock):
    sandbox.faults = Faults(search_lag_seconds=10)
    contact = sandbox.add_contact(firstname="Old", age=60)
    await http.patch(f"{CONTACTS}/{contact}", json={"properties": {"firstname": "New"}})

    async def names():
        answer = await http.post(f"{CONTACTS}/search", json={})
        return [result["properties"]["firstname"] for result in answer.json()["results"]]

    assert await names() == ["Old"]
    clock.now += 10
    assert await names() == ["New"]


async def test_searches_carry_no_limit_headers_and_other_answers_do(clock):
    sandbox = HubSpotSandbox(token=TOKEN, per_10_seconds=3, search_per_second=1, clock=clock)
    headers = {"Authorization": f"Bearer {TOKEN}"}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(sandbox.app), base_url="http://hub", headers=headers) as http:
        found = await http.post(f"{CONTACTS}/search", json={})
        assert not [name for name in found.headers if "ratelimit" in name]
        refused = await http.post(f"{CONTACTS}/search", json={})
        assert (refused.status_code, refused.json()["policyName"]) == (429, "SECONDLY")
        clock.now += 1
        assert (await http.post(f"{CONTACTS}/search", json={})).status_code == 200
        one = await http.get(f"/crm/properties/{VERSION}/contacts/email")
        assert (one.headers["x-hubspot-ratelimit-max"], one.headers["x-hubspot-ratelimit-remaining"]) == ("3", "0")
        refused = await http.get(f"{CONTACTS}/1")
        assert (refused.status_code, refused.json()["policyName"]) == (429, "TEN_SECONDLY_ROLLING")
        assert "retry-after" not in refused.headers
        clock.now += 10
        assert (await http.get(f"{CONTACTS}/1")).status_code == 404
    assert sandbox.stats()["rate_limited"] == 2


async def test_merge_keeps_addresses_unique_and_lists_old_ids(sandbox, http):
    first = sandbox.add_contact(email="a@example.com", **{KEY: "k1"})
    second = sandbox.add_contact(email="b@example.com", phone="5", **{KEY: "k2"})
    body = {"primaryObjectId": first, "objectIdToMerge": second}
    survivor = (await http.post(f"{CONTACTS}/merge", json=body)).json()
    assert survivor["properties"]["email"] == "a@example.com"
    assert survivor["properties"]["hs_additional_emails"] == "b@example.com"
    assert survivor["properties"]["hs_merged_object_ids"] == f"{first};{second}"
    assert (survivor["properties"]["phone"], survivor["properties"][KEY]) == ("5", "k1")
    assert (await http.post(CONTACTS, json={"properties": {"email": "b@example.com"}})).status_code == 409
    assert (await http.post(f"{CONTACTS}/merge", json=body)).status_code == 400, "a record with itself"
    assert (await http.get(f"{CONTACTS}/k2", params={"idProperty": KEY})).status_code == 404


async def test_additional_addresses_may_be_hidden_from_a_read(sandbox, http):
    sandbox.records.rules = Rules(additional_emails_found=False)
    contact = sandbox.add_contact(email="a@example.com")
    sandbox.add_email(contact, "b@example.com")
    statuses = [
        (await http.get(f"{CONTACTS}/{email}", params={"idProperty": "email"})).status_code
        for email in ("a@example.com", "b@example.com")
    ]
    assert statuses == [200, 404]


async def test_delete_archives(sandbox, http):
    contact = sandbox.add_contact(email="a@example.com")
    assert (await http.delete(f"{CONTACTS}/{contact}")).status_code == 204
    assert (await http.get(f"{CONTACTS}/{contact}")).status_code == 404
    assert (await http.delete(f"{CONTACTS}/{contact}")).status_code == 404


async def test_batch_read_answers_207_where_some_are_missing(sandbox, http):
    contact = sandbox.add_contact(email="a@example.com", **{KEY: "k1"})
    both = await http.post(f"{CONTACTS}/batch/read", json={"inputs": [{"id": contact}, {"id": "9"}], "properties": ["email"]})
    assert (both.status_code, both.json()["errors"][0]["context"]) == (207, {"ids": ["9"]})
    by_key = await http.post(f"{CONTACTS}/batch/read", json={"inputs": [{"id": "k1"}], "idProperty": KEY})
    assert (by_key.status_code, by_key.json()["results"][0]["id"]) == (200, contact)
    assert (await http.post(f"{CONTACTS}/batch/read", json={"inputs": [{"id": "1"}] * 101})).status_code == 400


async def test_meetings_need_a_time_known_words_and_a_live_contact(sandbox, http):
    path = f"/crm/objects/{VERSION}/meetings"
    good = {"hs_timestamp": "2026-01-01T00:00:00Z", "hs_meeting_outcome": "NO_SHOW"}
    to = [{"to": {"id": "77"}, "types": [TO_CONTACT]}]
    assert (await http.post(path, json={"properties": good})).status_code == 201
    assert (await http.get(f"{path}/6001", params={"properties": "hs_meeting_outcome"})).json()["properties"][
        "hs_meeting_outcome"
    ] == "NO_SHOW"
    for properties in ({}, {**good, "hs_meeting_outcome": "LATE"}, {**good, "mine": "1"}):
        assert (await http.post(path, json={"properties": properties})).status_code == 400
    assert (await http.post(path, json={"properties": good, "associations": to})).status_code == 404


@pytest.mark.parametrize("body", [b"{", b"[]", b'{"properties": []}', b'{"properties": {"email": "a@example.com"'])
async def test_bodies_that_are_no_json_object_are_refused(http, body):
    assert (await http.post(CONTACTS, content=body, headers=JSON)).status_code == 400


async def test_control_routes_need_no_token_and_know_no_faults(sandbox):
    sandbox.faults = Faults(down=True)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(sandbox.app), base_url="http://hub/_sandbox") as http:
        made = await http.post(
            "/contacts", json={"properties": {"email": "a@example.com"}, "additional_emails": ["b@example.com"]}
        )
        assert made.status_code == 201
        other = (await http.post("/contacts", json={"properties": {"firstname": "B"}, "age": 60})).json()["id"]
        survivor = (await http.post("/merge", json={"primary": made.json()["id"], "other": other})).json()["id"]
        state = (await http.get("/state")).json()
        assert [contact["id"] for contact in state["contacts"]] == [survivor]
        assert [definition["name"] for definition in state["properties"]] == [KEY]
        assert (await http.post("/archive", json={"id": survivor})).status_code == 200
        assert (await http.get("/faults")).json()["down"] is True
        assert (await http.put("/faults", json={"latency_ms": [0, 1]})).status_code == 200
        assert (await http.put("/faults", json={"latencies": 1})).status_code == 400
        assert (await http.get("/stats")).json()["requests"] == 0
        assert (await http.post("/merge", json={})).status_code == 400
        assert (await http.get("/nothing")).status_code == 404
        assert (await http.post("/reset")).status_code == 200
        assert (await http.get("/state")).json()["contacts"] == []
    assert sandbox.faults == Faults(latency_ms=(0, 1))


async def test_through_a_real_socket(sandbox, connect):
    async with Server(sandbox.app) as server:
        adapter = connect(None, base_url=server.url)
        contact = sandbox.add_contact(email="a/b+c@example.com")
        assert [found.id for found in await adapter.by_email("a/b+c@example.com")] == [contact]
        await adapter.remote.aclose()
