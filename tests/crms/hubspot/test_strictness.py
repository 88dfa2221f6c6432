"""What HubSpot refuses, the sandbox refuses too: bodies, values, associations, definitions of properties, content types."""

import httpx
import pytest

from connector.sandbox.hubspot.rest import VERSION

pytestmark = pytest.mark.anyio
TOKEN = "pat-test-0000"
CONTACTS, MEETINGS = (f"/crm/objects/{VERSION}/{kind}" for kind in ("contacts", "meetings"))
PROPERTIES = f"/crm/properties/{VERSION}/contacts"
TIME = "2026-12-01T15:00:00.000Z"
DEFINITION = {"name": "shop", "label": "Shop", "groupName": "contactinformation", "type": "string", "fieldType": "text"}
OPTION = {"label": "Red", "value": "r", "hidden": False, "displayOrder": 0}


@pytest.fixture
async def http(sandbox):
    headers = {"Authorization": f"Bearer {TOKEN}"}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(sandbox.app), base_url="http://hub", headers=headers) as client:
        yield client


async def refused(http, path, body, method="POST"):
    """The refusal's message; the request must be refused with 400."""
    answer = await http.request(method, path, json=body)
    assert (answer.status_code, answer.json()["category"]) == (400, "VALIDATION_ERROR"), answer.text
    return answer.json()["message"]


@pytest.mark.parametrize("value", [7, 7.5, True, None, ["a"], {"value": "a"}])
async def test_the_value_of_a_property_is_a_text(sandbox, http, value):
    contact = sandbox.add_contact(email="ada@example.com")
    body = {"properties": {"firstname": value}}
    assert (await refused(http, CONTACTS, body)).endswith("Cannot read properties.firstname")
    await refused(http, f"{CONTACTS}/{contact}", body, "PATCH")
    await refused(http, MEETINGS, {"properties": {"hs_timestamp": TIME, "hs_meeting_title": value}})
    assert (len(sandbox.contacts()), sandbox.meetings()) == (1, [])


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (CONTACTS, {"properties": {"firstname": "Ada"}, "idProperty": "email"}),
        (CONTACTS, {"properties": {"firstname": "Ada"}, "associations": [{"to": {"id": "1", "kind": "x"}, "types": []}]}),
        (f"{CONTACTS}/search", {"filter": []}),
        (f"{CONTACTS}/search", {"filterGroups": [{"filters": [], "or": []}]}),
        (f"{CONTACTS}/batch/read", {"inputs": [{"id": "1"}], "property": ["email"]}),
        (f"{CONTACTS}/merge", {"primaryObjectId": "1", "objectIdToMerge": "2", "force": True}),
        (f"{CONTACTS}/gdpr-delete", {"objectId": "1", "reason": "asked"}),
        (MEETINGS, {"properties": {"hs_timestamp": TIME}, "engagement": {}}),
        (PROPERTIES, {**DEFINITION, "unique": True}),
    ],
)
async def test_a_body_has_no_unknown_members(http, path, body):
    assert "Unknown field" in await refused(http, path, body)


@pytest.mark.parametrize(
    ("path", "body", "missing"),
    [
        (CONTACTS, {}, "properties"),
        (f"{CONTACTS}/batch/read", {}, "inputs"),
        (f"{CONTACTS}/merge", {"primaryObjectId": "1"}, "objectIdToMerge"),
        (f"{CONTACTS}/gdpr-delete", {}, "objectId"),
        (f"{CONTACTS}/search", {"filterGroups": [{"filters": [{"value": "1"}]}]}, "operator"),
        (MEETINGS, {"properties": {"hs_timestamp": TIME}, "associations": [{"to": {"id": "1"}}]}, "types"),
        *[(PROPERTIES, {k: v for k, v in DEFINITION.items() if k != name}, name) for name in DEFINITION],
        (PROPERTIES, {**DEFINITION, "options": [{"label": "Red", "value": "r"}]}, "displayOrder"),
    ],
)
async def test_a_body_has_all_that_is_required(http, path, body, missing):
    message = await refused(http, path, body)
    assert "Some required fields were not set" in message
    assert missing in message


@pytest.mark.parametrize("kind", [199, 1, 449, 0])
async def test_a_meeting_is_put_on_a_contact_by_the_type_that_hubspot_defines(sandbox, http, kind):
    contact = sandbox.add_contact(email="ada@example.com")

    def body(**changed):
        defined = {"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 200, **changed}
        return {"properties": {"hs_timestamp": TIME}, "associations": [{"to": {"id": contact}, "types": [defined]}]}

    await refused(http, MEETINGS, body(associationTypeId=kind))
    await refused(http, MEETINGS, body(associationTypeId="200"))
    await refused(http, MEETINGS, body(associationCategory="USER_DEFINED"))
    await refused(http, MEETINGS, body(associationCategory="OURS"))
    await refused(http, MEETINGS, {**body(), "associations": [{"to": {"id": contact}, "types": []}]})
    assert (await http.post(MEETINGS, json=body())).status_code == 201


@pytest.mark.parametrize("name", ["hs_timestamp", "hs_meeting_start_time", "hs_meeting_end_time"])
@pytest.mark.parametrize(
    ("value", "fits"),
    [
        (TIME, True),
        ("2026-12-01T15:00Z", True),
        ("2026-12-01T10:00:00-05:00", True),
        ("1796137200000", True),
        ("2026-12-01", False),
        ("2026-12-01 15:00:00Z", False),
        ("2026-12-01T15:00:00", False),
        ("2026-13-01T15:00:00Z", False),
        ("2026-02-30T15:00:00Z", False),
        ("1.12.2026 15:00", False),
        ("tomorrow", False),
        (f" {TIME}", False),
        ("1796137200.5", False),
    ],
)
async def test_times_of_a_meeting(sandbox, http, name, value, fits):
    answer = await http.post(MEETINGS, json={"properties": {"hs_timestamp": TIME, name: value}})
    assert answer.status_code == (201 if fits else 400)
    if not fits:
        assert answer.json()["errors"][0]["context"] == {"propertyName": [name]}
        assert sandbox.meetings() == []


@pytest.mark.parametrize(
    ("kind", "field", "good", "bad"),
    [
        ("number", "number", ["7", "-7.25", "1e3"], ["seven", "7,5", "nan", "inf", "0x7", " 7", "7 "]),
        ("bool", "booleancheckbox", ["true", "false"], ["yes", "True", "1", " true"]),
        ("date", "date", ["2027-03-01", "1803859200000"], ["2027-3-1", "01/03/2027", "2027-02-30", "1803859200001", TIME]),
        ("datetime", "date", [TIME, "1803859200001"], ["2027-03-01", "2027-03-01T12:00:00", "12:00"]),
        ("enumeration", "select", ["r"], ["Red", "r;b", "R", " r", "g"]),
        ("enumeration", "checkbox", ["r", "r;b"], ["r;g", "r; b"]),
        ("string", "text", ["x" * 65_536, " x "], ["x" * 65_537]),
    ],
)
async def test_a_value_fits_the_type_of_its_property(sandbox, http, kind, field, good, bad):
    options = [OPTION, {**OPTION, "label": "Blue", "value": "b"}] if kind == "enumeration" else []
    made = await http.post(PROPERTIES, json={**DEFINITION, "type": kind, "fieldType": field, "options": options})
    assert made.status_code == 201
    contact = sandbox.add_contact(email="ada@example.com")
    for value in good:
        answer = await http.patch(f"{CONTACTS}/{contact}", json={"properties": {"shop": value}})
        assert (answer.status_code, answer.json()["properties"]["shop"]) == (200, value.strip()), value
    for value in bad:
        assert "shop" in await refused(http, f"{CONTACTS}/{contact}", {"properties": {"shop": value}}, "PATCH"), value


@pytest.mark.parametrize("path", [CONTACTS, MEETINGS])
async def test_unknown_properties_are_named(sandbox, http, path):
    answer = await http.post(path, json={"properties": {"firstname": "Ada", "hs_timestamp": TIME, "nonsense": "1"}})
    assert answer.status_code == 400
    named = [error["context"]["propertyName"] for error in answer.json()["errors"]]
    assert ["nonsense"] in named
    assert (sandbox.contacts(), sandbox.meetings()) == ([], [])


@pytest.mark.parametrize(
    "changed",
    [
        {"type": "text"},
        {"fieldType": "input"},
        {"type": "number"},
        {"type": "enumeration", "fieldType": "select"},
        {"type": "date", "fieldType": "text"},
        {"name": "Shop"},
        {"name": "my shop"},
        {"name": "1shop"},
        {"label": ""},
        {"label": 7},
        {"hasUniqueValue": "true"},
        {"options": {}},
        {"options": [{**OPTION, "hidden": "no"}]},
        {"type": "number", "fieldType": "number", "hasUniqueValue": True},
    ],
)
async def test_a_definition_of_a_property_is_of_its_form(sandbox, http, changed):
    await refused(http, PROPERTIES, {**DEFINITION, **changed})
    assert "shop" not in sandbox.records.properties


async def test_an_update_of_nothing_is_refused(sandbox, http):
    contact = sandbox.add_contact(email="ada@example.com")
    meeting = (await http.post(MEETINGS, json={"properties": {"hs_timestamp": TIME}})).json()["id"]
    for path in (f"{CONTACTS}/{contact}", f"{MEETINGS}/{meeting}"):
        assert "No properties found" in await refused(http, path, {"properties": {}}, "PATCH")


@pytest.mark.parametrize("kind", ["application/x-www-form-urlencoded", "text/plain", "application/jsonp", ""])
async def test_only_json_is_taken(sandbox, http, kind):
    for method, path in (("POST", CONTACTS), ("PATCH", f"{CONTACTS}/1"), ("POST", f"{CONTACTS}/search"), ("POST", PROPERTIES)):
        body = b'{"properties": {"firstname": "Ada"}}'
        answer = await http.request(method, path, content=body, headers={"Content-Type": kind})
        assert (answer.status_code, answer.json()["status"]) == (415, "error")
    assert sandbox.contacts() == []


async def test_json_may_name_its_character_set(http):
    headers = {"Content-Type": "Application/JSON; charset=utf-8"}
    answer = await http.post(CONTACTS, content=b'{"properties": {"firstname": "Ada"}}', headers=headers)
    assert answer.status_code == 201
