"""The sandbox itself: it must refuse what Zoho refuses, or the adapter's tests prove nothing."""

import httpx
import pytest

from connector.sandbox.zoho.app import Rules

from .conftest import KEY, KEYS, MARKER

pytestmark = pytest.mark.anyio
BASE = "http://zoho.test/crm/v8"
BYRON = {"Last_Name": "Byron", "Email": "ada@example.com", KEY: "k1"}


@pytest.fixture
async def http(sandbox):
    """A client with a token."""
    async with httpx.AsyncClient(transport=httpx.ASGITransport(sandbox.app)) as client:
        form = {"grant_type": "refresh_token", **KEYS}
        token = (await client.post("http://a.test/oauth/v2/token", data=form)).json()["access_token"]
        client.headers["authorization"] = f"Zoho-oauthtoken {token}"
        yield client


async def upsert(http, record: dict, *check: str) -> tuple[int, dict]:
    answer = await http.post(f"{BASE}/Contacts/upsert", json={"data": [record], "duplicate_check_fields": list(check)})
    return answer.status_code, answer.json()["data"][0]


async def query(http, text: str) -> tuple[int, list[str]]:
    answer = await http.post(f"{BASE}/coql", json={"select_query": text})
    return answer.status_code, [r["id"] for r in answer.json()["data"]] if answer.status_code == 200 else []


async def test_a_token_lives_an_hour_and_needs_zohos_scheme(sandbox, http, clock):
    assert (await http.get(f"{BASE}/Contacts/1")).status_code == 204
    bearer = {"authorization": http.headers["authorization"].replace("Zoho-oauthtoken", "Bearer")}
    assert (await http.get(f"{BASE}/Contacts/1", headers=bearer)).json()["code"] == "INVALID_TOKEN"
    clock.now += 3_600
    assert (await http.get(f"{BASE}/Contacts/1")).status_code == 401


async def test_an_upsert_inserts_and_then_updates(sandbox, http):
    status, made = await upsert(http, BYRON, KEY)
    assert (status, made["action"], made["duplicate_field"]) == (200, "insert", None)
    status, again = await upsert(http, BYRON | {"First_Name": "Ada"}, KEY)
    assert (status, again["action"], again["duplicate_field"]) == (200, "update", KEY)
    assert [contact["id"] for contact in sandbox.contacts()] == [made["details"]["id"]] == [again["details"]["id"]]


async def test_a_unique_field_refuses_whatever_the_upsert_checks(sandbox, http):
    made = sandbox.add_contact(**BYRON)
    status, refused = await upsert(http, BYRON | {"Email": "b@example.com"}, "Email")
    assert (status, refused["code"], refused["details"]["duplicate_record"]["id"]) == (400, "DUPLICATE_DATA", made)
    answer = await http.post(f"{BASE}/Contacts", json={"data": [BYRON]})
    assert answer.json()["data"][0]["code"] == "DUPLICATE_DATA"


async def test_results_are_for_each_record(sandbox, http):
    answer = await http.post(f"{BASE}/Contacts", json={"data": [BYRON, {"First_Name": "Ada"}, BYRON]})
    assert answer.status_code == 207
    codes = [item["code"] for item in answer.json()["data"]]
    assert codes == ["SUCCESS", "MANDATORY_NOT_FOUND", "DUPLICATE_DATA"]
    assert len(sandbox.contacts()) == 1


async def test_several_errors_of_one_record_stand_in_one_item(sandbox, http):
    sandbox.add_contact(**BYRON)
    _, refused = await upsert(http, BYRON | {"First_Name": "A" * 41, KEY: "k1", "Email": "no address"}, "Email")
    assert refused["code"] == "MULTIPLE_OR_MULTI_ERRORS"
    assert {error["details"]["api_name"] for error in refused["details"]["errors"]} == {"First_Name", "Email", KEY}


async def test_a_failure_may_come_with_a_status_of_success(sandbox, http):
    sandbox.records.rules = Rules(item_failure=200)
    status, refused = await upsert(http, {"First_Name": "Ada"}, KEY)
    assert (status, refused["status"]) == (200, "error")


async def test_unknown_fields_are_ignored_but_not_as_a_field_to_check(sandbox, http):
    _, made = await upsert(http, BYRON | {"Nonsense": "x"}, KEY)
    assert made["status"] == "success"
    status, refused = await upsert(http, BYRON, "Nonsense")
    assert (status, refused["code"]) == (400, "INVALID_DATA")


async def test_queries_see_at_once_what_the_search_does_not(sandbox, http):
    sandbox.faults = sandbox.faults.model_copy(update={"search_lag_seconds": 60})
    made = sandbox.add_contact(**BYRON)
    assert (await http.get(f"{BASE}/Contacts/search", params={"email": "ada@example.com"})).status_code == 204
    assert await query(http, "select id from Contacts where Email = 'ada@example.com'") == (200, [made])


async def test_a_search_knows_what_is_old_enough(sandbox, http, clock):
    sandbox.faults = sandbox.faults.model_copy(update={"search_lag_seconds": 60})
    made = sandbox.add_contact(**BYRON)
    clock.now += 61
    found = (await http.get(f"{BASE}/Contacts/search", params={"email": "ada@example.com"})).json()["data"]
    assert [record["id"] for record in found] == [made]


@pytest.mark.parametrize(
    ("where", "hits"),
    [
        ("Email = 'ADA@example.com'", 1),
        ("Last_Name in ('Byron', 'King')", 2),
        ("(Last_Name = 'Byron' and Email = 'x')", 0),
        ("((Last_Name = 'Byron') or (Last_Name = 'King'))", 2),
        ("Last_Name = 'O''Hara'", 0),
    ],
)
async def test_queries_answer_what_fits(sandbox, http, where, hits):
    sandbox.add_contact(**BYRON)
    sandbox.add_contact(Last_Name="King")
    status, found = await query(http, f"select id from Contacts where {where}")
    assert (status, len(found)) == (200 if hits else 204, hits)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "delete from Contacts where id = '1'",
        "select id from Contacts",
        "select id from Contacts where Description = 'x'",
        "select id from Contacts where Nonsense = 'x'",
        "select Nonsense from Contacts where id = '1'",
        "select id from Leads where id = '1'",
        "select id from Contacts where id = 'it's'",
        "select id from Contacts where id = '1' limit 5000",
        "select id from Contacts where id in (" + ", ".join(["'1'"] * 51) + ")",
    ],
)
async def test_what_is_no_query_is_refused(http, text):
    assert (await query(http, text))[0] == 400


async def test_events_cannot_be_upserted_and_need_their_times_in_order(sandbox, http):
    ada = sandbox.add_contact(**BYRON)
    event = {"Event_Title": "x", "Start_DateTime": "2027-03-01T12:00:00+00:00", "Who_Id": {"id": ada}, MARKER: "m"}
    assert (await http.post(f"{BASE}/Events/upsert", json={"data": [event]})).status_code == 400
    for end, status in ((None, 400), ("2027-03-01T12:00:00+00:00", 400), ("2027-03-01T13:00:00+00:00", 201)):
        body = {"data": [event | ({"End_DateTime": end} if end else {})]}
        assert (await http.post(f"{BASE}/Events", json=body)).status_code == status
    wrong = event | {"End_DateTime": "2027-03-01T13:00:00+00:00", "Who_Id": {"id": "1"}}
    assert (await http.post(f"{BASE}/Events", json={"data": [wrong]})).status_code == 400


async def test_a_merge_moves_events_and_leaves_nothing_that_leads_on(sandbox, http):
    loser, master = sandbox.add_contact(**BYRON), sandbox.add_contact(Last_Name="King")
    times = {"Start_DateTime": "2027-03-01T12:00:00+00:00", "End_DateTime": "2027-03-01T13:00:00+00:00"}
    event = {"Event_Title": "x", "Who_Id": {"id": loser}, **times}
    await http.post(f"{BASE}/Events", json={"data": [event]})
    sandbox.merge(master, loser)
    assert (await http.get(f"{BASE}/Contacts/{loser}")).status_code == 204
    assert sandbox.events()[0]["Who_Id"] == {"id": master}
    assert "Email" not in sandbox.contacts()[0]


async def test_it_can_be_controlled_over_http(sandbox):
    async with httpx.AsyncClient(transport=httpx.ASGITransport(sandbox.app), base_url="http://z.test/_sandbox") as http:
        ids = [(await http.post("/contacts", json={"Last_Name": name})).json()["id"] for name in ("Byron", "King", "Hopper")]
        assert (await http.post("/merge", json={"master": ids[0], "other": ids[1]})).json() == {"id": ids[0]}
        assert (await http.post("/delete", json={"id": ids[2]})).status_code == 200
        state = (await http.get("/state")).json()
        assert [contact["id"] for contact in state["contacts"]] == [ids[0]]
        assert (await http.put("/faults", json={"down": True})).json()["down"] is True
        assert (await http.put("/faults", json={"nonsense": 1})).status_code == 400
        assert (await http.get("/stats")).json()["requests"] == 0
        await http.post("/reset")
        assert sandbox.contacts() == []
        assert (await http.get("/nonsense")).status_code == 404
