"""The sandbox itself: its SOQL, its tokens, its control routes."""

import asyncio

import httpx
import pytest

from connector.sandbox.kit.listing import find_sandbox
from connector.sandbox.salesforce.app import Rules, SalesforceSandbox
from connector.sandbox.salesforce.model import Refusal, whole

pytestmark = pytest.mark.anyio
KEY = "Connector_Key__c"


def names(sandbox, where: str, tail: str = "") -> list[str]:
    rows, _ = sandbox.records.query(f"SELECT LastName FROM Contact WHERE {where}{tail}", deleted=False)
    return [row.value("LastName") for row in rows]


@pytest.fixture
def people(sandbox) -> SalesforceSandbox:
    for last, first in (("Byron", "Ada"), ("O'Hara", "50%"), ("Hopper", "a_b"), ("Back\\slash", "axb")):
        sandbox.add_contact(LastName=last, FirstName=first)
    return sandbox


@pytest.mark.parametrize(
    ("where", "found"),
    [
        ("LastName = 'BYRON'", ["Byron"]),
        ("LastName != 'Byron' AND FirstName != 'axb'", ["O'Hara", "Hopper"]),
        (r"LastName = 'O\'Hara'", ["O'Hara"]),
        (r"LastName = 'Back\\slash'", ["Back\\slash"]),
        ("LastName IN ('byron', 'Hopper')", ["Byron", "Hopper"]),
        ("FirstName LIKE 'a_b'", ["Hopper", "Back\\slash"]),
        (r"FirstName LIKE 'a\_b'", ["Hopper"]),
        (r"FirstName LIKE '%\%'", ["O'Hara"]),
        ("FirstName LIKE 'A%'", ["Byron", "Hopper", "Back\\slash"]),
        ("(LastName = 'Byron' OR LastName = 'Hopper') AND IsDeleted = false", ["Byron", "Hopper"]),
        ("Email = null AND LastName = 'Byron'", ["Byron"]),
    ],
)
def test_what_a_query_finds(people, where, found):
    assert names(people, where) == found


def test_order_and_limit(people):
    assert names(people, "IsDeleted = false", " ORDER BY LastName LIMIT 2") == ["Back\\slash", "Byron"]
    assert names(people, "IsDeleted = false", " ORDER BY LastName DESC LIMIT 1") == ["O'Hara"]


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("SELECT Id FROM Contact WHERE LastName = 'O'Hara'", "MALFORMED_QUERY"),
        (r"SELECT Id FROM Contact WHERE LastName = 'a\q'", "MALFORMED_QUERY"),
        ("SELECT Id FROM Contact WHERE LastName = 'a", "MALFORMED_QUERY"),
        ("SELECT Id FROM Contact WHERE LastName = 'a' OR LastName = 'b' AND FirstName = 'c'", "MALFORMED_QUERY"),
        ("SELECT Id FROM Contact WHERE LastName > 'a'", "MALFORMED_QUERY"),
        ("SELECT Id FROM Contact WHERE", "MALFORMED_QUERY"),
        ("FIND {x} IN ALL FIELDS", "MALFORMED_QUERY"),
        ("SELECT Loyalty__c FROM Contact", "INVALID_FIELD"),
        ("SELECT Id FROM Event WHERE Description = 'x'", "INVALID_FIELD"),
        ("SELECT Id FROM Task", "INVALID_TYPE"),
        ("SELECT Id FROM Contact WHERE Id = '003'", "INVALID_QUERY_FILTER_OPERATOR"),
        ("SELECT Id FROM Contact WHERE Id = '0035g00000ABcDeAAZ'", "INVALID_QUERY_FILTER_OPERATOR"),
    ],
)
def test_queries_that_salesforce_would_refuse(sandbox, query, code):
    with pytest.raises(Refusal) as caught:
        sandbox.records.query(query, deleted=False)
    assert caught.value.code == code


def test_ids_have_the_check_letters_of_the_published_example():
    assert whole("001D000000IqhSL") == "001D000000IqhSLIAZ"


async def test_the_unique_index_decides_between_upserts_that_have_both_looked(sandbox):
    results = await asyncio.gather(
        *(sandbox.records.upsert(KEY, "aa", {"LastName": f"B{n}"}) for n in range(3)), return_exceptions=True
    )
    assert [r.code for r in results if isinstance(r, Refusal)] == ["DUPLICATE_VALUE"] * 2
    (made,) = sandbox.contacts()
    assert made["LastName"] == "B0"


def test_a_key_is_free_again_once_its_contact_is_deleted_or_has_another(sandbox):
    first = sandbox.add_contact(**{KEY: "aa"})
    sandbox.records.update("Contact", first, {KEY: "bb"})
    sandbox.add_contact(**{KEY: "aa"})
    with pytest.raises(Refusal, match="duplicate value"):
        sandbox.add_contact(**{KEY: "BB"})
    sandbox.delete_contact(first)
    sandbox.add_contact(**{KEY: "bb"})


def test_a_merge_fills_the_masters_blanks_and_leaves_the_loser_in_the_bin(sandbox):
    master, loser = sandbox.add_contact(LastName="Byron"), sandbox.add_contact(LastName="B", Email="ada@example.com")
    assert sandbox.merge(master, loser) == master
    (kept,) = sandbox.contacts()
    assert (kept["LastName"], kept["Email"]) == ("Byron", "ada@example.com")
    rows, _ = sandbox.records.query("SELECT Id FROM Contact WHERE IsDeleted = true", deleted=True)
    assert [(row.id, row.master) for row in rows] == [(loser, master)]


def test_a_duplicate_rule_reads_an_index_that_lags(sandbox):
    sandbox.records.rules = Rules(duplicate_rule="block")
    sandbox.faults = sandbox.faults.model_copy(update={"search_lag_seconds": 60})
    sandbox.add_contact(Email="new@example.com")
    sandbox.add_contact(Email="old@example.com", age=100)
    sandbox.records.create("Contact", {"LastName": "x", "Email": "new@example.com"})
    with pytest.raises(Refusal) as caught:
        sandbox.records.create("Contact", {"LastName": "x", "Email": "old@example.com"})
    assert caught.value.code == "DUPLICATES_DETECTED"


@pytest.fixture
async def client(sandbox):
    async with httpx.AsyncClient(transport=httpx.ASGITransport(sandbox.app), base_url="http://salesforce.test") as http:
        yield http


async def test_without_a_token_nothing_is_answered(client):
    answer = await client.get("/services/data/v67.0/query", params={"q": "SELECT Id FROM Contact"})
    assert (answer.status_code, answer.json()[0]["errorCode"]) == (401, "INVALID_SESSION_ID")


@pytest.mark.parametrize(
    ("form", "error"),
    [
        ({"grant_type": "password"}, "unsupported_grant_type"),
        ({"grant_type": "client_credentials", "client_id": "x"}, "invalid_client_id"),
        ({"grant_type": "client_credentials", "client_id": "sandbox-client", "client_secret": "x"}, "invalid_client"),
    ],
)
async def test_a_refused_token_is_an_object_and_no_list(client, form, error):
    answer = await client.post("/services/oauth2/token", data=form)
    assert (answer.status_code, answer.json()["error"]) == (400, error)


async def test_the_control_routes(client, sandbox):
    first = (await client.post("/_sandbox/contacts", json={"LastName": "Byron", "age": 60})).json()["id"]
    second = (await client.post("/_sandbox/contacts", json={"LastName": "Hopper"})).json()["id"]
    assert (await client.post("/_sandbox/merge", json={"master": first, "loser": second})).json() == {"id": first}
    state = (await client.get("/_sandbox/state")).json()
    assert [contact["Id"] for contact in state["contacts"]] == [first]
    assert list(state["fields"]) == [KEY]
    await client.post("/_sandbox/delete", json={"id": first})
    assert sandbox.contacts() == []
    sandbox.tokens.add("t")
    await client.post("/_sandbox/expire")
    assert sandbox.tokens == set()
    assert (await client.put("/_sandbox/faults", json={"down": True})).json()["down"] is True
    assert (await client.get("/_sandbox/faults")).json()["down"] is True
    assert (await client.put("/_sandbox/faults", json={"nonsense": 1})).status_code == 400
    assert (await client.get("/_sandbox/nothing")).status_code == 404
    assert (await client.get("/_sandbox/stats")).json()["requests"] == 0
    await client.post("/_sandbox/reset")


def test_it_is_listed():
    listing = find_sandbox("salesforce")
    box = listing.load()()
    assert [getattr(box, key) for key in listing.keys] == ["sandbox-client", "sandbox-client-secret"]
