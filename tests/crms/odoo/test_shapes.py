"""The shapes themselves: both APIs are called and answer as documented, and what is not as documented does not pass."""

from datetime import UTC, datetime, timedelta

import httpx
import pytest
from conforming import Nonconforming
from msgspec.structs import replace

from connector.model.bookings import Appointment, Status
from connector.model.fields import FieldRule
from connector.model.persons import NewCustomer
from connector.sandbox.odoo.app import OdooSandbox

from .shapes import METHODS, conforming

pytestmark = pytest.mark.anyio
KEY = "a" * 64
ADA = NewCustomer(first_name="Ada", last_name="Byron", email="ada@example.com", phone="+15145550124")
NOON = datetime(2027, 3, 1, 12, tzinfo=UTC)
FITTING = Appointment(id="B1", status=Status.SCHEDULED, starts_at=NOON, ends_at=NOON + timedelta(minutes=30), title="Fitting")
ODD = {"domain": [], "fields": ["name"], "order": "id", "context": {}}
EVENT = {"no_mail_to_attendees": True}


async def everything(adapter) -> None:
    """All that the adapter can do."""
    adapter.keep((FieldRule("function", value="Regular"),), owner=())
    await adapter.fix()
    await adapter.probe()
    await adapter.checks()
    await adapter.field_checks()
    made = await adapter.create(ADA, KEY, {"function": "Regular", "user_id": "60"})
    assert (await adapter.by_key(KEY)).id == made.id
    await adapter.by_email("ada@example.com")
    await adapter.by_phone("+15145550124")
    await adapter.fill(made, ADA.model_copy(update={"mobile_phone": "+15145550123"}), {"function": "Guest"})
    record = await adapter.record_appointment(made.id, FITTING, "0123abcd", None)
    await adapter.record_appointment(made.id, replace(FITTING, status=Status.CANCELLED), "0123abcd", record)
    assert await adapter.find_appointment(made.id, "0123abcd") == record


@pytest.mark.parametrize(("major", "api"), [(19, "json-2"), (19, "json-rpc"), (17, "json-rpc")])
async def test_all_that_the_adapter_does_goes_through_the_shapes(connect, major, api):
    sandbox = OdooSandbox(major=major, key_expires=datetime.now(UTC) + timedelta(days=90))
    sandbox.add_user("kim@example.com")
    sandbox.records.rights |= {("ir.model.fields", "create"), ("ir.model.fields", "read")}
    wire = conforming(httpx.ASGITransport(sandbox.app))
    field = {} if major == 17 else {"mobile_field": "x_mobile"}
    adapter = connect(wire, api="auto" if major == 17 else api, database="sandbox", login="connector", **field)
    await everything(adapter)
    assert {by for _, _, by in wire.called} == {api}
    called = {(model, method) for model, method, _ in wire.called}
    assert called >= {
        ("res.partner", "search_read"),
        ("res.partner", "load"),
        ("res.partner", "write"),
        ("res.partner", "fields_get"),
        ("res.users", "search_read"),
        ("res.users.apikeys", "search_read"),
        ("calendar.event", "load"),
        ("calendar.event", "write"),
        ("ir.model.data", "check_object_reference"),
        ("res.partner", "has_access" if major > 17 else "check_access_rights"),
    }
    assert (("ir.model.fields", "create") in called) == bool(field)


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/json/2/res.partner/search_read", None),
        ("POST", "/json/2/res.partner/unlink", {"ids": [1], "context": {}}),
        ("POST", "/json/2/res.partner/search_read", {**ODD, "ids": [1]}),
        ("POST", "/json/2/res.partner/search_read", {**ODD, "order": "name"}),
        ("POST", "/json/2/res.partner/search_read", {**ODD, "limit": "2"}),
        ("POST", "/json/2/res.partner/write", {"ids": [1], "vals": {"email": False}, "context": {}}),
        ("POST", "/json/2/res.partner/write", {"ids": [1], "vals": {"email": ""}, "context": EVENT}),
        ("POST", "/json/2/res.partner/write", {"ids": [], "vals": {"email": "a@example.com"}, "context": EVENT}),
        ("POST", "/json/2/calendar.event/write", {"ids": [1], "vals": {"name": "Fitting"}, "context": {}}),
        (
            "POST",
            "/json/2/calendar.event/write",
            {"ids": [1], "vals": {"name": "x", "start": "2027-03-01T12:00"}, "context": EVENT},
        ),
        (
            "POST",
            "/json/2/res.partner/load",
            {"fields": ["id", "name"], "data": [["a.b", ""]], "context": {**EVENT, "tz": "UTC"}},
        ),
        ("POST", "/json/2/res.partner/load", {"fields": ["id", "name"], "data": [["a.b"]], "context": {**EVENT, "tz": "UTC"}}),
        ("POST", "/json/2/res.partner/load", {"fields": ["id", "name"], "data": [["a.b", "Ada"]], "context": EVENT}),
    ],
)
async def test_a_request_that_is_not_as_documented_does_not_pass(sandbox, method, path, body):
    wire = conforming(httpx.ASGITransport(sandbox.app))
    headers = {"Authorization": "bearer sandbox-key"}
    async with httpx.AsyncClient(transport=wire, base_url="http://odoo.test", headers=headers) as client:
        with pytest.raises(Nonconforming):
            await client.request(method, path, json=body)
    assert wire.seen == []


@pytest.mark.parametrize(
    "args",
    [
        ["sandbox", 2, "sandbox-key", "res.partner", "unlink", [[1]], {"context": {}}],
        ["sandbox", 2, "sandbox-key", "res.partner", "search_read", [], {**ODD, "limit": "2"}],
        ["sandbox", "connector", "sandbox-key", "res.partner", "search_read", [], ODD],
        ["sandbox", 2, "sandbox-key", "res.partner", "write", [[1], {"name": "Ada"}], {"context": EVENT}],
    ],
)
async def test_what_the_older_api_carries_is_held_to_the_same_shapes(older, args):
    wire = conforming(httpx.ASGITransport(older.app))
    params = {"service": "object", "method": "execute_kw", "args": args}
    body = {"jsonrpc": "2.0", "method": "call", "id": 1, "params": params}
    async with httpx.AsyncClient(transport=wire, base_url="http://odoo.test") as client:
        with pytest.raises(Nonconforming):
            await client.post("/jsonrpc", json=body)
    assert wire.seen == []


@pytest.mark.parametrize(
    ("status", "answer"),
    [
        (200, [{"id": 1, "name": "Ada", "email": False}]),
        (200, [{"id": "1", "name": "Ada"}]),
        (200, {"ids": [1]}),
        (201, []),
        (404, {"error": "no"}),
        (500, {"name": "builtins.ValueError", "message": "no"}),
    ],
)
async def test_an_answer_that_is_not_as_documented_does_not_pass(status, answer):
    wire = conforming(httpx.MockTransport(lambda _: httpx.Response(status, json=answer)))
    headers = {"Authorization": "bearer sandbox-key"}
    async with httpx.AsyncClient(transport=wire, base_url="http://odoo.test", headers=headers) as client:
        with pytest.raises(Nonconforming):
            await client.post("/json/2/res.partner/search_read", json=ODD)


@pytest.mark.parametrize(
    ("model", "method", "arguments", "status"),
    [
        ("res.partner", "search_read", {"domain": [["nonsense", "=", 1]], "fields": ["name"], "order": "id"}, 500),
        ("res.partner", "write", {"ids": [99], "vals": {"name": "Ada"}}, 404),
        (
            "ir.model.fields",
            "create",
            {"vals_list": [{"model_id": 1, "name": "x_a", "field_description": "a", "ttype": "char"}]},
            403,
        ),
    ],
)
async def test_refusals_are_as_documented(sandbox, model, method, arguments, status):
    wire = conforming(httpx.ASGITransport(sandbox.app))
    context = EVENT if method == "write" else {}
    async with httpx.AsyncClient(transport=wire, base_url="http://odoo.test") as client:
        for key, expected in (("sandbox-key", status), ("another", 401)):
            headers = {"Authorization": f"bearer {key}"}
            answer = await client.post(f"/json/2/{model}/{method}", json={**arguments, "context": context}, headers=headers)
            assert answer.status_code == expected, answer.text
    assert (model, method) in METHODS
