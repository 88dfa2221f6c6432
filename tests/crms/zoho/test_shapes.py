"""The shapes themselves: the sandbox answers every call as published, and what is not as published does not pass."""

import httpx
import pytest
from conforming import Nonconforming

from .conftest import KEY, KEYS, MARKER
from .shapes import CALLS, conforming

pytestmark = pytest.mark.anyio
API = "/crm/v8"
TOKEN = {"grant_type": "refresh_token", **KEYS}
BYRON = {"Last_Name": "Byron", "Email": "ada@example.com", KEY: "k1"}
UPSERT = {"data": [BYRON], "duplicate_check_fields": [KEY], "trigger": []}
TIMES = {"Start_DateTime": "2027-03-01T12:00:00+00:00", "End_DateTime": "2027-03-01T13:00:00+00:00"}
FIELD = {"field_label": "Shop", "data_type": "text", "length": 64}


def select(columns: str, where: str, limit: int = 200, module: str = "Contacts") -> dict:
    return {"select_query": f"select {columns} from {module} where {where} limit {limit} offset 0"}


@pytest.fixture
async def http(wire):
    """A client with a token."""
    async with httpx.AsyncClient(transport=wire, base_url="http://zoho.test") as client:
        token = (await client.post("/oauth/v2/token", data=TOKEN)).json()["access_token"]
        client.headers["authorization"] = f"Zoho-oauthtoken {token}"
        yield client


async def test_the_sandbox_answers_every_call_as_published(sandbox, http, wire):
    sandbox.records.users |= {"554023000000323002": ("kim@example.com", True)}
    ada, owner = sandbox.add_contact(Last_Name="Byron"), {"id": "554023000000323002"}
    event = {"Event_Title": "Fitting", "Who_Id": {"id": ada}, MARKER: "m", **TIMES}
    for method, path, body, status in [
        ("GET", f"{API}/Contacts/{ada}?fields=Email,Owner,{KEY}", None, 200),
        ("GET", f"{API}/Contacts/1?fields=Email", None, 204),
        ("GET", f"{API}/Events/1?fields=id", None, 204),
        ("POST", f"{API}/coql", select(f"id, Email, {KEY}", "(Email in ('a', 'it''s') or Last_Name = 'Byron')"), 200),
        ("POST", f"{API}/coql", select("id, Who_Id", f"{MARKER} = 'm'", module="Events"), 204),
        ("POST", f"{API}/Contacts/upsert", UPSERT, 200),
        ("POST", f"{API}/Contacts/upsert", UPSERT | {"data": [BYRON | {"Owner": owner}]}, 200),
        ("POST", f"{API}/Contacts/upsert", UPSERT | {"data": [BYRON | {"Email": "none", "First_Name": "A" * 41}]}, 400),
        ("PUT", f"{API}/Contacts/{ada}", {"data": [{"Email": "ada@example.com"}]}, 200),
        ("PUT", f"{API}/Contacts/1", {"data": [{"Email": "ada@example.com"}], "trigger": []}, 400),
        ("POST", f"{API}/Events", {"data": [event]}, 201),
        ("POST", f"{API}/Events", {"data": [event | {"Who_Id": {"id": "1"}}]}, 400),
        ("PUT", f"{API}/Events/1", {"data": [{"Venue": "Main Street"}]}, 400),
        ("GET", f"{API}/users?type=ActiveUsers&page=1&per_page=200", None, 200),
        ("GET", f"{API}/settings/fields?module=Events", None, 200),
        ("POST", f"{API}/settings/fields?module=Contacts", {"fields": [FIELD]}, 201),
        ("POST", f"{API}/settings/fields?module=Contacts", {"fields": [FIELD]}, 400),
    ]:
        answer = await http.request(method, path, json=body)
        assert answer.status_code == status, (method, path, answer.text)
    assert {(method, path) for method, path, _ in wire.seen} == {(call.method, call.path) for call in CALLS}


@pytest.mark.parametrize("form", [{}, {"refresh_token": "another"}, {"client_secret": "another"}])
async def test_every_token_and_every_refusal_of_one_is_as_published(sandbox, wire, form):
    async with httpx.AsyncClient(transport=wire, base_url="http://zoho.test") as client:
        for _ in range(11):
            answer = await client.post("/oauth/v2/token", data=TOKEN | form)
    assert "error" in answer.json()
    assert len(wire.seen) == 11


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", f"{API}/Contacts/1", None),
        ("GET", f"{API}/Contacts/x?fields=Email", None),
        ("GET", f"{API}/Contacts/1?fields=Nonsense", None),
        ("GET", f"{API}/Leads/1?fields=Email", None),
        ("GET", f"{API}/Contacts/search?email=ada@example.com", None),
        ("GET", f"{API}/users?type=AllUsers&page=1&per_page=200", None),
        ("GET", f"{API}/users?type=ActiveUsers&page=1&per_page=201", None),
        ("POST", f"{API}/coql", {}),
        ("POST", f"{API}/coql", {"select_query": "select id from Contacts"}),
        ("POST", f"{API}/coql", select("Nonsense", "Email = 'x'")),
        ("POST", f"{API}/coql", select("id", "Nonsense = 'x'")),
        ("POST", f"{API}/coql", select("id", "Description = 'x'")),
        ("POST", f"{API}/coql", select("id", "Email like 'x'")),
        ("POST", f"{API}/coql", select("id", "Email = 'x'", limit=201)),
        ("POST", f"{API}/coql", select("id", f"Email in ({', '.join(['1'] * 51)})")),
        ("POST", f"{API}/Contacts", {"data": [BYRON]}),
        ("POST", f"{API}/Contacts/upsert", {"data": [BYRON]}),
        ("POST", f"{API}/Contacts/upsert", UPSERT | {"duplicate_check_fields": ["Email"]}),
        ("POST", f"{API}/Contacts/upsert", UPSERT | {"trigger": ["workflow"]}),
        ("POST", f"{API}/Contacts/upsert", UPSERT | {"data": [BYRON | {"First_Name": ""}]}),
        ("POST", f"{API}/Contacts/upsert", UPSERT | {"data": [BYRON | {"Owner": "1"}]}),
        ("POST", f"{API}/Contacts/upsert", UPSERT | {"data": [BYRON | {"Created_Time": TIMES["Start_DateTime"]}]}),
        ("POST", f"{API}/Contacts/upsert", UPSERT | {"data": []}),
        ("PUT", f"{API}/Contacts/1", {"data": [{"Email": None, "Nonsense": "x"}]}),
        ("POST", f"{API}/Events", {"data": [{"Event_Title": "Fitting", **TIMES}]}),
        ("PUT", f"{API}/Events/1", {"data": [{"Start_DateTime": "2027-03-01T12:00"}]}),
        ("PUT", f"{API}/Events/1", {"data": [{"Participants": [{"type": "contact"}]}]}),
        ("POST", f"{API}/settings/fields?module=Leads", {"fields": [FIELD]}),
        ("POST", f"{API}/settings/fields?module=Contacts", {"fields": [FIELD] * 6}),
    ],
)
async def test_a_request_that_is_not_as_published_does_not_pass(http, wire, method, path, body):
    with pytest.raises(Nonconforming):
        await http.request(method, path, json=body)
    assert len(wire.seen) == 1


@pytest.mark.parametrize("scheme", ["Bearer", "Zoho-oauthtoken"])
async def test_the_header_has_zohos_scheme_and_no_token_is_sent_to_fetch_one(wire, scheme):
    headers = {"authorization": f"{scheme} sandbox-access-1"}
    async with httpx.AsyncClient(transport=wire, base_url="http://zoho.test", headers=headers) as client:
        with pytest.raises(Nonconforming):
            await (
                client.get(f"{API}/Contacts/1?fields=id") if scheme == "Bearer" else client.post("/oauth/v2/token", data=TOKEN)
            )


DONE = {"id": "1", "Created_Time": TIMES["Start_DateTime"], "Modified_Time": TIMES["Start_DateTime"]}
BY = {"Created_By": {"name": "x", "id": "2"}, "Modified_By": {"name": "x", "id": "2"}}
ITEM = {
    "code": "SUCCESS",
    "status": "success",
    "message": "x",
    "action": "insert",
    "duplicate_field": None,
    "details": DONE | BY,
}


@pytest.mark.parametrize(
    ("status", "answer"),
    [
        (204, {"data": []}),
        (200, {"data": []}),
        (200, {"data": [ITEM, ITEM]}),
        (200, {"data": [ITEM | {"duplicate_field": "Email"}]}),
        (200, {"data": [ITEM | {"action": "upsert"}]}),
        (200, {"data": [ITEM | {"details": DONE | BY | {"id": 1}}]}),
        (200, {"data": [{name: ITEM[name] for name in ("code", "status", "message", "details")}]}),
        (202, {"data": [{"code": "DUPLICATE_DATA", "status": "error", "details": {}}]}),
        (400, {"data": [{"code": "DUPLICATE_DATA", "status": "error", "message": "x", "details": {"duplicate_record": {}}}]}),
        (401, {"code": "INVALID_TOKEN", "details": {}, "message": "x"}),
        (429, {"code": "TOO_MANY_REQUESTS", "details": [], "message": "x", "status": "error"}),
        (203, {"data": [ITEM]}),
    ],
)
async def test_an_answer_that_is_not_as_published_does_not_pass(status, answer):
    wire = conforming(httpx.MockTransport(lambda _: httpx.Response(status, json=answer)))
    headers = {"authorization": "Zoho-oauthtoken t"}
    async with httpx.AsyncClient(transport=wire, base_url="http://zoho.test", headers=headers) as client:
        with pytest.raises(Nonconforming):
            await client.post(f"{API}/Contacts/upsert", json=UPSERT)


async def test_a_record_has_the_fields_that_were_asked_for_and_no_others():
    record = {"data": [{"id": "1", "Email": "ada@example.com"}]}
    wire = conforming(httpx.MockTransport(lambda _: httpx.Response(200, json=record)))
    headers = {"authorization": "Zoho-oauthtoken t"}
    async with httpx.AsyncClient(transport=wire, base_url="http://zoho.test", headers=headers) as client:
        assert (await client.get(f"{API}/Contacts/1?fields=Email")).status_code == 200
        with pytest.raises(Nonconforming):
            await client.get(f"{API}/Contacts/1?fields=Phone")
