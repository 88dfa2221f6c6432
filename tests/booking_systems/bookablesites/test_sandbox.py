"""The sandbox keeps what is known of the product, sends webhooks and can be controlled from outside."""

import asyncio

import httpx
import pytest
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

from connector.sandbox.bookablesites.app import BookablesitesSandbox, Target
from connector.sandbox.kit.faults import Faults

pytestmark = pytest.mark.anyio

ADA = {"first_name": "Ada", "last_name": "Moreau", "email": "ada@example.com", "phone": "+15145550101"}


def http(sandbox):
    return httpx.AsyncClient(transport=httpx.ASGITransport(sandbox.app), base_url="http://sandbox.test")


async def signed_in(client, api="v2"):
    if api == "v1":
        body = {"clientId": "sandbox-client", "clientSecret": "sandbox-client-secret"}
        token = (await client.post("/api/v1/auth/token", json=body)).json()["token"]
    else:
        form = {"grant_type": "client_credentials", "client_id": "sandbox-client", "client_secret": "sandbox-client-secret"}
        token = (await client.post("/api/v2/token", data=form)).json()["access_token"]
    client.headers["Authorization"] = f"Bearer {token}"
    return client


async def test_who_may_enter(sandbox):
    async with http(sandbox) as client:
        assert (await client.get("/api/v2/customers")).status_code == 401
        for form in ({}, {"client_id": "sandbox-client", "client_secret": "sandbox-client-secret"}, {"grant_type": "x"}):
            assert (await client.post("/api/v2/token", data=form)).status_code == 401
        for content in (b"", b"[]", b'{"clientId": 5}'):
            assert (await client.post("/api/v1/auth/token", content=content)).status_code == 401
        await signed_in(client)
        assert (await client.get("/api/v2/customers")).status_code == 200
        sandbox.expire_tokens()
        assert (await client.get("/api/v2/customers")).status_code == 401


async def test_customers(sandbox):
    async with http(sandbox) as client:
        await signed_in(client)
        made = await client.post("/api/v2/customers", json=ADA)
        assert made.status_code == 201
        assert (await client.post("/api/v2/customers", json=ADA | {"email": "ADA@example.com"})).status_code == 409
        path = f"/api/v2/customers/{made.json()['id']}"
        shown = (await client.get(path)).json()
        assert (shown["phone_number"], shown["phone_country_code"]) == ("5145550101", "+1")
        assert "description" not in shown
        assert "phone" not in shown
        assert (await client.patch(path, json={"description": "x"})).status_code == 500
        assert (await client.put(path, json=ADA)).status_code == 405
        changed = await client.patch(path, json=ADA | {"last_name": "Byron", "description": "x"})
        assert changed.json()["last_name"] == "Byron"
        assert list(sandbox.descriptions().values()) == ["x"]
        await client.patch(path, json=ADA)
        assert list(sandbox.descriptions().values()) == ["x"], "left out, it stays"
        assert (await client.delete(path)).status_code == 204
        assert (await client.get(path)).status_code == 404
        assert (await client.patch(path, json=ADA)).status_code == 404


async def test_lists_are_paged_newest_first_and_search_does_nothing(sandbox):
    for n in range(5):
        sandbox.add_customer(**ADA | {"email": f"una-{n}@example.com"})
    async with http(sandbox) as client:
        await signed_in(client)
        answer = (await client.get("/api/v2/customers", params={"page": 2, "limit": 2, "search": "una-4"})).json()
        assert [one["email"] for one in answer["data"]] == ["una-2@example.com", "una-1@example.com"]
        assert answer["pagination"] == {"total": 5, "page": 2, "limit": 2, "pages": 3}
        assert len((await client.get("/api/v2/customers", params={"limit": "x", "page": "0"})).json()["data"]) == 5


async def test_appointments_of_each_generation(sandbox):
    appointment = sandbox.book(sandbox.add_customer(**ADA))
    async with http(sandbox) as client:
        await signed_in(client)
        assert (await client.get(f"/api/v2/appointments/{appointment}")).status_code == 405
        listed = (await client.get("/api/v2/appointments", params={"status": "approved"})).json()["data"]
        assert listed[0]["bookings"][0]["customer"]["email"] == "ada@example.com"
        assert (await client.delete(f"/api/v2/appointments/{appointment}")).status_code == 204
        assert (await client.get("/api/v2/appointments", params={"status": "approved"})).json()["data"] == []
        await signed_in(client, "v1")
        shown = (await client.get(f"/api/v1/appointments/{appointment}")).json()
        assert shown["startDateTime"]
        assert shown["bookings"][0]["customer"]["firstName"] == "Ada"


# Webhooks.


class Receiver:
    """Answers `statuses` in turn, then 202."""

    def __init__(self, *statuses):
        self.statuses = list(statuses)
        self.got = []
        self.app = Starlette(routes=[Route("/webhooks/salon", self.take, methods=["POST"])])

    async def take(self, request):
        self.got.append((dict(request.query_params), dict(request.headers), await request.body()))
        return JSONResponse({}, self.statuses.pop(0) if self.statuses else 202)


def sending(receiver, **arguments):
    waits = []

    async def wait(seconds):
        waits.append(seconds)

    target = Target("http://127.0.0.1/webhooks/salon", key="k", token="t")
    box = BookablesitesSandbox(webhook=target, wait=wait, transport=httpx.ASGITransport(receiver.app), **arguments)
    box.waits = waits
    return box


@pytest.mark.parametrize("encoding", ["json", "form"])
async def test_what_is_sent(encoding):
    receiver = Receiver()
    sandbox = sending(receiver, encoding=encoding)
    sandbox.add_customer(**ADA)
    assert await sandbox.send_webhooks() == 1
    ((query, headers, body),) = receiver.got
    assert query == {"event": "customer", "key": "k"}
    assert headers["authorization"] == "t"
    assert ("form" in headers["content-type"]) is (encoding == "form")
    assert b"ada" in body


async def test_what_is_refused_is_sent_again_and_given_up():
    receiver = Receiver(500, 404)
    sandbox = sending(receiver, retries=[1.0])
    sandbox.add_customer(**ADA)
    assert await sandbox.send_webhooks() == 0
    assert sandbox.waits == [1.0]
    assert sandbox.outbox.counts == {"sent": 2, "refused": 2, "gave_up": 1}


async def test_duplicates():
    receiver = Receiver()
    sandbox = sending(receiver, faults=Faults(duplicate_delivery=1, reorder_delivery=1))
    sandbox.add_customer(**ADA)
    await sandbox.send_webhooks()
    assert len(receiver.got) == 2


async def test_without_a_target_everything_waits(sandbox):
    sandbox.add_customer(**ADA)
    assert await sandbox.send_webhooks() == 0
    assert len(sandbox.outbox.waiting) == 1
    with pytest.raises(ValueError, match="no webhook target"):
        await sandbox.outbox.deliver(sandbox.outbox.waiting[0])


# ControlRoutes.


async def test_it_can_be_controlled_from_outside():
    receiver = Receiver()
    sandbox = sending(receiver)
    async with http(sandbox) as client:
        assert "POST /_sandbox/appointments" in (await client.get("/_sandbox")).json()["routes"]
        customer = (await client.post("/_sandbox/customers", json=ADA | {"send": False})).json()["customerId"]
        body = {"customers": [customer], "starts_at": "2027-03-01T14:00:00", "service": "Cut", "send": False}
        appointment = (await client.post("/_sandbox/appointments", json=body)).json()["appointmentId"]
        for action, more in (("reschedule", {"starts_at": "2027-03-02T14:00:00Z"}), ("no_show", {}), ("cancel", {})):
            answer = await client.post(f"/_sandbox/appointments/{appointment}/{action}", json=more | {"send": False})
            assert answer.status_code == 200
        assert (await client.post("/_sandbox/deliver")).json() == {"acknowledged": 5}
        assert [query["event"] for query, _, _ in receiver.got] == ["customer", "booked", "rescheduled", "status", "canceled"]
        state = (await client.get("/_sandbox/state")).json()
        assert state["appointments"][0]["status"] == "canceled"
        assert (await client.get("/_sandbox/stats")).json()["deliveries"]["acknowledged"] == 5
        for path, wrong in (
            (f"appointments/{appointment}/fly", {}),
            (f"appointments/{appointment}/status", {"status": "lost"}),
            ("customers", {"name": "x"}),
            ("customers", ADA),
        ):
            assert (await client.post(f"/_sandbox/{path}", json=wrong)).status_code == 400
        assert (await client.put("/_sandbox/faults", json={"down": "perhaps"})).status_code == 400
        assert (await client.put("/_sandbox/webhook", json={"url": "https://example.com/x"})).status_code == 400
        assert (await client.put("/_sandbox/webhook", json={"url": "http://localhost:1/x"})).status_code == 200
        assert (await client.put("/_sandbox/faults", json={"down": True})).json()["down"] is True
        assert (await client.post("/_sandbox/expire_tokens")).status_code == 200
        assert (await client.post("/_sandbox/reset")).status_code == 200
        assert sandbox.snapshot() == {"customers": [], "appointments": [], "descriptions": {}, "waiting": []}


async def test_a_action_sends_at_once_unless_told_otherwise():
    arrived = asyncio.Event()
    receiver = Receiver()
    take = receiver.take

    async def taking(request):
        arrived.set()
        return await take(request)

    receiver.app = Starlette(routes=[Route("/webhooks/salon", taking, methods=["POST"])])
    sandbox = sending(receiver)
    async with http(sandbox) as client:
        await client.post("/_sandbox/customers", json=ADA)
        async with asyncio.timeout(60):
            await arrived.wait()
