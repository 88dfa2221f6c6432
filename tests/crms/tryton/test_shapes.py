"""The real server and the sandbox answer the same requests alike, status and shape; what is of another shape does not pass."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from conforming import Nonconforming
from contract.accounts.tryton import Account as SandboxAccount

from connector.sandbox.tryton.app import TrytonSandbox

from .real import Account as RealAccount
from .shapes import CALLS, conforming

pytestmark = pytest.mark.anyio
KEY = "c" * 64
PARTY, ATTACHMENT, ACCESS = "party.party", "ir.attachment", "ir.model.access/get_access"
READ = ["name", "code", "active", "replaced_by", "create_date", "write_date"]
INNER = ["contact_mechanisms.type", "contact_mechanisms.value", "contact_mechanisms.value_compact"]
NUMBERS = [{"type": "email", "value": "ada@example.com"}, {"type": "mobile", "value": "+15145550123"}]
ADA = {"code": KEY, "name": "Ada Byron", "contact_mechanisms": [["create", NUMBERS]]}
EVERYBODY = ["active", "in", [True, False]]
TEXT = {"name": "Fitting", "description": "connector: m1"}


def search(domain: list[Any], fields: list[str], limit: int | None = None) -> dict[str, Any]:
    return {"domain": domain, "fields_names": fields, "order": [["id", "ASC"]], "limit": limit}


#: Method, model, what is sent and the fields asked for; `{party}` and `{attachment}` are ids that were made.
EXCHANGES: list[tuple[str, str, Any, list[str] | None]] = [
    ("POST", ACCESS, {"models": [PARTY, "party.contact_mechanism"]}, None),
    ("POST", f"{PARTY}/search_read", search([["code", "=", KEY], EVERYBODY], [*READ, *INNER]), None),
    ("POST", PARTY, ADA, [*READ, *INNER]),
    ("POST", PARTY, ADA, [*READ, *INNER]),
    (
        "POST",
        PARTY,
        {**ADA, "code": "d" * 64, "contact_mechanisms": [["create", [{"type": "phone", "value": "+1514555"}]]]},
        READ,
    ),
    ("POST", f"{PARTY}/search_read", search([["code", "=", KEY], EVERYBODY], [*READ, *INNER]), None),
    (
        "POST",
        f"{PARTY}/search_read",
        search(
            [["contact_mechanisms", "where", [["type", "=", "email"], ["OR", ["value", "ilike", "ADA@example.com"]]]]], READ, 3
        ),
        None,
    ),
    ("POST", f"{PARTY}/search_read", search([["replaced_by", "=", 1], EVERYBODY], ["id"], 5), None),
    ("PUT", f"{PARTY}/{{party}}", {"name": "Ada King", "contact_mechanisms": [["create", NUMBERS[:1]]]}, ["id"]),
    ("PUT", f"{PARTY}/99999999", {"name": "Ada King"}, ["id"]),
    ("POST", ATTACHMENT, {"resource": f"{PARTY},{{party}}", "type": "link", **TEXT}, ["id"]),
    ("POST", ATTACHMENT, {"resource": f"{PARTY},99999999", "type": "link", **TEXT}, ["id"]),
    ("POST", f"{ATTACHMENT}/search_read", search([["resource", "=", f"{PARTY},{{party}}"]], ["description"]), None),
    ("PUT", f"{ATTACHMENT}/{{attachment}}", TEXT, ["id"]),
    ("PUT", f"{ATTACHMENT}/99999999", TEXT, ["id"]),
    ("POST", f"{PARTY}/search_read", search([["nonsense", "=", 1]], READ), None),
    ("POST", PARTY, {"nonsense": 1}, ["id"]),
    ("POST", "no.model", {}, ["id"]),
    ("POST", "no.model/search_read", search([], ["id"]), None),
    ("POST", ACCESS, {"models": ["no.model"]}, None),
    ("POST", f"{PARTY}/unlink", {}, None),
    ("POST", f"{PARTY}/search_read", search([], ["nonsense"]), None),
    ("PUT", f"{PARTY}/{{party}}", {"nonsense": 1}, ["id"]),
    ("PUT", f"{PARTY}/{{party}}", {"code": None}, ["id"]),
    ("POST", ATTACHMENT, {"resource": f"{PARTY},{{party}}", "type": "link", "description": "m"}, ["id"]),
]


class Client:
    """Sends the exchanges to one account, and notes the shape of each answer."""

    def __init__(self, account: SandboxAccount | RealAccount) -> None:
        settings = account.settings("http://tryton.test")
        self._base = f"/{settings['database']}/rest/model/"
        self._headers = {"Authorization": f"bearer {settings['api_key']}"}
        self._transport = httpx.ASGITransport(account.app)
        self._ids: dict[str, str] = {}

    async def run(self) -> list[tuple[str, int, Any]]:
        """Model, status and shape of each answer."""
        base = "http://tryton.test"
        async with httpx.AsyncClient(transport=self._transport, base_url=base, headers=self._headers) as client:
            return [await self._one(client, *exchange) for exchange in EXCHANGES]

    async def _one(self, client: httpx.AsyncClient, method: str, path: str, body: Any, fields: list[str] | None) -> Any:
        params = {"f": fields} if fields else {}
        filled = self._fill(body)
        answer = await client.request(method, self._base + self._fill(path), json=filled, params=params)
        if answer.status_code == 200 and path in (PARTY, ATTACHMENT):
            self._ids.setdefault("party" if path == PARTY else "attachment", str(answer.json()["id"]))
        if not answer.headers["content-type"].startswith("application/json"):
            return path, answer.status_code, answer.headers["content-type"].partition(";")[0]
        return path, answer.status_code, shape(answer.json())

    def _fill(self, value: Any) -> Any:
        """The value with the ids that were made in place of their names."""
        if isinstance(value, dict):
            return {name: self._fill(one) for name, one in value.items()}
        if isinstance(value, list):
            return [self._fill(one) for one in value]
        for name, identity in self._ids.items():
            value = value.replace(f"{{{name}}}", identity) if isinstance(value, str) else value
        return value


def shape(value: Any) -> Any:
    """What kind of JSON this is: members by name, lists by what their first entry is, everything else by its type."""
    if isinstance(value, dict):
        return {name: shape(one) for name, one in sorted(value.items())}
    if isinstance(value, list):
        return [shape(one) for one in value[:1]]
    return type(value).__name__


@pytest.fixture
def sandbox() -> SandboxAccount:
    """With the library for numbers, as the real server has it."""
    account = SandboxAccount()
    account.sandbox = TrytonSandbox()
    account.app = account.sandbox.app
    return account


async def test_the_sandbox_answers_every_request_with_the_status_and_the_shape_of_the_real_server(real, sandbox):
    assert await Client(sandbox).run() == await Client(real).run()


async def test_every_call_was_compared(sandbox):
    answered = {(method, path.partition("/{")[0]) for method, path, _, _ in EXCHANGES}
    named = {(call.method, call.path.rpartition("model/")[2].replace("\\.", ".").removesuffix(r"/[1-9]\d*")) for call in CALLS}
    assert named <= answered


@pytest.mark.parametrize(("key", "database"), [("another", None), (None, "another"), ("", None)])
async def test_another_key_and_another_database_are_answered_alike(real, sandbox, key, database):
    answers = []
    for account in (real, sandbox):
        settings = account.settings("http://tryton.test")
        path = f"/{database or settings['database']}/rest/model/{PARTY}/search_read"
        headers = {} if key == "" else {"Authorization": f"bearer {key or settings['api_key']}"}
        async with httpx.AsyncClient(transport=httpx.ASGITransport(account.app), base_url="http://tryton.test") as client:
            answer = await client.post(path, json=search([], ["id"]), headers=headers)
        answers.append((answer.status_code, answer.headers["content-type"].partition(";")[0]))
    assert answers[0] == answers[1]


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", f"{PARTY}/1?f=id", None),
        ("POST", f"{PARTY}?f=id", {"name": "Ada"}),
        ("POST", f"{PARTY}?f=id", {**ADA, "name": ""}),
        ("POST", f"{PARTY}?f=id", {**ADA, "lang": 1}),
        ("POST", PARTY, ADA),
        ("PUT", f"{PARTY}/1?f=id", {"name": None, "active": False}),
        ("POST", f"{ATTACHMENT}?f=id", {**TEXT, "type": "data", "resource": f"{PARTY},1"}),
        ("POST", f"{ATTACHMENT}?f=id", {**TEXT, "type": "link", "resource": "party.address,1"}),
        ("POST", f"{PARTY}/search_read", {"domain": [], "fields_names": ["id"]}),
        ("POST", f"{PARTY}/search_read?d=W10", search([], ["id"])),
        ("POST", ACCESS, {"models": []}),
    ],
)
async def test_a_request_of_another_shape_does_not_pass(sandbox, method, path, body):
    wire = conforming(httpx.ASGITransport(sandbox.app))
    async with httpx.AsyncClient(transport=wire, headers={"Authorization": "bearer sandbox-key"}) as client:
        with pytest.raises(Nonconforming):
            await client.request(method, f"http://tryton.test/sandbox/rest/model/{path}", json=body)
    assert wire.seen == []


@pytest.mark.parametrize(
    ("status", "answer"),
    [
        (200, [{"name": "Ada"}]),
        (200, [{"id": True}]),
        (200, {"id": 1}),
        (200, [{"id": 1, "name": "Ada", "code": KEY}]),
        (400, {"status": "400", "message": "no", "description": ""}),
        (404, {"status": 404}),
        (201, []),
    ],
)
async def test_an_answer_of_another_shape_does_not_pass(status, answer):
    wire = conforming(httpx.MockTransport(lambda _: httpx.Response(status, json=answer)))
    async with httpx.AsyncClient(transport=wire, headers={"Authorization": "bearer k"}) as client:
        with pytest.raises(Nonconforming):
            await client.post(f"http://tryton.test/d/rest/model/{PARTY}/search_read", json=search([], ["id"]))
