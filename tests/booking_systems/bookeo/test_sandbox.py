"""The sandbox keeps Bookeo's known rules, sends signed webhooks and can be controlled from outside."""

import asyncio
import json
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from connector.sandbox.bookeo.app import BookeoSandbox
from connector.sandbox.bookeo.webhooks import signature
from connector.sandbox.kit.faults import Faults
from connector.sandbox.kit.server import Server

pytestmark = pytest.mark.anyio

KEYS = {"X-Bookeo-secretKey": "sandbox-secret-key", "X-Bookeo-apiKey": "sandbox-api-key"}
HOOK = "https://hooks.example.com/webhooks/spa?domain=customers&type=created"
START = datetime(2026, 1, 5, 9, tzinfo=UTC)


def http(sandbox, headers=KEYS):
    transport = httpx.ASGITransport(sandbox.app)
    return httpx.AsyncClient(transport=transport, base_url="http://bookeo.test/v2", headers=headers)


async def ask(sandbox, method, path, **request):
    async with http(sandbox) as client:
        return await client.request(method, path, **request)


class Receiver:
    """A webhook receiver that answers `statuses` in turn, then 202."""

    def __init__(self, *statuses):
        self.statuses = list(statuses)
        self.requests = []
        self.arrived = asyncio.Event()
        self.app = Starlette(routes=[Route("/{path:path}", self.take, methods=["POST"])])

    async def take(self, request: Request):
        self.requests.append((str(request.url), dict(request.headers), await request.body()))
        self.arrived.set()
        return JSONResponse({}, self.statuses.pop(0) if self.statuses else 202)


def sending(receiver, **arguments):
    waits = []

    async def wait(seconds):
        waits.append(seconds)

    sandbox = BookeoSandbox(quota=None, wait=wait, transport=httpx.ASGITransport(receiver.app), **arguments)
    sandbox.waits = waits
    return sandbox


async def register(sandbox, url=HOOK, domain="customers", type_="created"):
    return await ask(sandbox, "POST", "/webhooks", json={"url": url, "domain": domain, "type": type_})


# ---- keys and limits ----


@pytest.mark.parametrize("left_out", KEYS)
async def test_both_keys_are_needed(sandbox, left_out):
    for headers in ({k: v for k, v in KEYS.items() if k != left_out}, {**KEYS, left_out: "wrong"}):
        async with http(sandbox, headers) as client:
            answer = await client.get("/webhooks")
        assert answer.status_code == 401
        assert set(answer.json()) == {"httpStatus", "message", "errorId"}


async def test_the_keys_may_stand_in_the_query(sandbox):
    async with http(sandbox, {}) as client:
        answer = await client.get("/webhooks", params={"secretKey": "sandbox-secret-key", "apiKey": "sandbox-api-key"})
    assert answer.status_code == 200


@pytest.mark.parametrize(("said", "body", "header"), [("body", 1, None), ("header", None, "1"), ("nowhere", None, None)])
async def test_over_the_limit_is_429(said, body, header):
    sandbox = BookeoSandbox(quota=(2, 100), ticks=lambda: 0.0, retry_after=said)
    answers = [await ask(sandbox, "GET", "/webhooks") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert (answers[2].json().get("retryAfter"), answers[2].headers.get("retry-after")) == (body, header)
    assert sandbox.stats()["throttled"] == 1


# ---- customers ----


async def test_a_put_replaces_the_whole_customer(sandbox, ada):
    before = (await ask(sandbox, "GET", f"/customers/{ada}")).json()
    answer = await ask(sandbox, "PUT", f"/customers/{ada}", json={"id": "other", "firstName": "Augusta", "numBookings": 9})
    assert answer.status_code == 200
    after = sandbox.state.customers[ada]
    assert after == answer.json()
    assert "emailAddress" in before
    assert "emailAddress" not in after
    assert (after["id"], after["firstName"], after["numBookings"]) == (ada, "Augusta", 0)


@pytest.mark.parametrize(
    ("entry", "status"), [({"id": "nope"}, 400), ({"name": "nope"}, 400), ({"name": "CRM customer id"}, 200)]
)
async def test_custom_fields_must_exist(sandbox, ada, entry, status):
    answer = await ask(sandbox, "PUT", f"/customers/{ada}", json={"customFields": [{**entry, "value": "1"}]})
    assert answer.status_code == status


async def test_what_is_not_there(sandbox):
    for method, path in [("GET", "/customers/x"), ("PUT", "/customers/x"), ("GET", "/bookings/x"), ("PUT", "/bookings/x")]:
        assert (await ask(sandbox, method, path)).status_code == 404
    for method in ("GET", "DELETE"):
        assert (await ask(sandbox, method, "/webhooks/x")).status_code == 404


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({}, 3),
        ({"searchText": "BOB"}, 1),
        ({"searchText": "ada@", "searchField": "emailAddress"}, 1),
        ({"searchText": "ada@"}, 0),
        ({"currentMembers": "false"}, 2),
        ({"currentNonMembers": "false"}, 1),
        ({"createdSince": "2026-02-01T00:00:00Z"}, 1),
    ],
)
async def test_customers_are_listed(query, found):
    now = [datetime(2026, 1, 1, tzinfo=UTC).timestamp()]
    sandbox = BookeoSandbox(quota=None, clock=lambda: now[0])
    sandbox.add_customer(firstName="Ada", emailAddress="ada@example.org")
    sandbox.add_customer(firstName="Bob", member=True)
    now[0] += 86_400 * 40
    sandbox.add_customer(firstName="Eve")
    answer = (await ask(sandbox, "GET", "/customers", params=query)).json()
    assert answer["info"]["totalItems"] == len(answer["data"]) == found


# ---- bookings ----


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ({}, 400),
        ({"startTime": START.isoformat()}, 400),
        ({"startTime": "soon", "endTime": START.isoformat()}, 400),
        ({"startTime": START.isoformat(), "endTime": (START + timedelta(days=31)).isoformat()}, 200),
        ({"startTime": START.isoformat(), "endTime": (START + timedelta(days=31, seconds=1)).isoformat()}, 400),
        ({"startTime": START.isoformat(), "endTime": (START - timedelta(seconds=1)).isoformat()}, 400),
        ({"lastUpdatedStartTime": START.isoformat(), "lastUpdatedEndTime": START.isoformat()}, 200),
        ({"startTime": START.isoformat(), "endTime": START.isoformat(), "itemsPerPage": "101"}, 400),
        ({"pageNavigationToken": "nope"}, 400),
        ({"startTime": START.isoformat(), "endTime": START.isoformat(), "pageNumber": "2"}, 400),
        ({"startTime": START.isoformat(), "endTime": START.isoformat(), "pageNumber": "x"}, 400),
    ],
)
async def test_rules_of_listing_bookings(sandbox, query, status):
    assert (await ask(sandbox, "GET", "/bookings", params=query)).status_code == status


async def test_pages_are_those_of_the_first_call(sandbox, ada):
    for day in range(5):
        sandbox.book(ada, starts_at=START + timedelta(days=day))
    window = {"startTime": START.isoformat(), "endTime": (START + timedelta(days=20)).isoformat()}
    first = (await ask(sandbox, "GET", "/bookings", params={**window, "itemsPerPage": 2})).json()
    assert first["info"].items() >= {"totalItems": 5, "totalPages": 3, "currentPage": 1}.items()
    sandbox.book(ada, starts_at=START)
    token = first["info"]["pageNavigationToken"]
    later = [
        (await ask(sandbox, "GET", "/bookings", params={"pageNavigationToken": token, "pageNumber": page})).json()
        for page in (2, 3)
    ]
    assert [len(page["data"]) for page in (first, *later)] == [2, 2, 1]
    single = (await ask(sandbox, "GET", "/bookings", params={**window, "endTime": window["startTime"]})).json()
    assert "pageNavigationToken" not in single["info"]
    sandbox.expire_tokens()
    again = await ask(sandbox, "GET", "/bookings", params={"pageNavigationToken": token, "pageNumber": 2})
    assert again.status_code == 400


async def test_cancelled_bookings_and_expansions_are_for_those_who_ask(sandbox, ada):
    number = sandbox.book(ada, starts_at=START, participants={"numbers": [], "details": [{"personId": "p"}]})
    sandbox.cancel(number)
    window = {"startTime": START.isoformat(), "endTime": START.isoformat()}
    assert (await ask(sandbox, "GET", "/bookings", params=window)).json()["data"] == []
    more = {**window, "includeCanceled": "true", "expandCustomer": "true", "expandParticipants": "true"}
    (full,) = (await ask(sandbox, "GET", "/bookings", params=more)).json()["data"]
    assert (full["canceled"], full["customer"]["id"], "details" in full["participants"]) == (True, ada, True)
    bare = (await ask(sandbox, "GET", f"/bookings/{number}")).json()
    assert ("customer" in bare, "details" in bare["participants"]) == (False, False)
    assert (await ask(sandbox, "GET", f"/bookings/{number}/customer")).json()["id"] == ada


async def test_a_put_of_a_booking(sandbox, ada):
    number = sandbox.book(ada, starts_at=START, participants={"numbers": [1], "details": [2]}, privateEvent=True)
    body = {"externalRef": "crm:1", "participants": {"numbers": [1]}, "canceled": True, "startTime": "x"}
    answer = await ask(sandbox, "PUT", f"/bookings/{number}", json=body)
    assert answer.status_code == 200
    stored = sandbox.state.bookings[number]
    assert (stored["externalRef"], stored["canceled"], stored["startTime"]) == ("crm:1", False, START.isoformat())
    assert stored["participants"] == {"numbers": [1], "details": [2]}
    assert "privateEvent" not in stored
    long = await ask(sandbox, "PUT", f"/bookings/{number}", json={"externalRef": "x" * 65})
    assert long.status_code == 400


# ---- webhooks ----


@pytest.mark.parametrize(
    ("url", "domain", "type_", "status"),
    [
        (HOOK, "customers", "created", 200),
        (HOOK, "nothing", "created", 400),
        (HOOK, "customers", "changed", 400),
        ("http://hooks.example.com/x", "customers", "created", 400),
        ("https://", "customers", "created", 400),
        ("http://127.0.0.1:8080/x", "customers", "created", 200),
    ],
)
async def test_rules_of_registering(sandbox, url, domain, type_, status):
    assert (await register(sandbox, url, domain, type_)).status_code == status


async def test_a_second_webhook_replaces_the_first(sandbox):
    await register(sandbox, "https://old.example.com/")
    answer = await register(sandbox)
    (hook,) = (await ask(sandbox, "GET", "/webhooks")).json()["data"]
    assert hook["url"] == HOOK
    assert answer.headers["location"].endswith(hook["id"])
    assert (await ask(sandbox, "GET", f"/webhooks/{hook['id']}")).json() == hook
    assert (await ask(sandbox, "DELETE", f"/webhooks/{hook['id']}")).status_code == 204
    assert sandbox.state.webhooks == {}


async def test_a_message_is_signed_over_the_registered_address(sandbox):
    receiver = Receiver()
    sandbox = sending(receiver, via="http://127.0.0.1:5")
    await register(sandbox)
    customer = sandbox.add_customer(firstName="Ada")
    assert await sandbox.send_webhooks() == 1
    ((url, headers, body),) = receiver.requests
    assert url == "http://127.0.0.1:5/webhooks/spa?domain=customers&type=created"
    timestamp, message_id = headers["x-bookeo-timestamp"], headers["x-bookeo-messageid"]
    assert len(timestamp) == 13
    assert headers["x-bookeo-signature"] == signature("sandbox-secret-key", timestamp, message_id, HOOK, body)
    assert "x-bookeo-previousmessagelost" not in headers
    data = json.loads(body)
    assert (data["itemId"], data["item"]["firstName"]) == (customer, "Ada")


async def test_a_message_is_sent_again_with_its_id_and_a_new_time():
    receiver, now = Receiver(500, 503), [1_700_000_000.0]
    sandbox = sending(receiver, clock=lambda: now.append(now[-1] + 1) or now[-1])
    await register(sandbox)
    sandbox.add_customer()
    assert await sandbox.send_webhooks() == 1
    assert sandbox.waits == [1.0, 5.0]
    assert len({headers["x-bookeo-messageid"] for _, headers, _ in receiver.requests}) == 1
    assert len({headers["x-bookeo-timestamp"] for _, headers, _ in receiver.requests}) == 3


async def test_a_dropped_message_is_told_with_the_next_one():
    receiver = Receiver(500, 202)
    sandbox = sending(receiver, retries=())
    await register(sandbox)
    for _ in range(3):
        sandbox.add_customer()
        await sandbox.send_webhooks()
    told = [headers.get("x-bookeo-previousmessagelost") for _, headers, _ in receiver.requests]
    assert told == [None, "true", None]
    assert sandbox.outbox.counts["dropped"] == 1


async def test_too_many_drops_in_a_row_block_until_it_is_registered_anew():
    receiver = Receiver(*[401] * 3)
    sandbox = sending(receiver, retries=())
    await register(sandbox)
    for _ in range(5):
        sandbox.add_customer()
        await sandbox.send_webhooks()
    (hook,) = (await ask(sandbox, "GET", "/webhooks")).json()["data"]
    assert hook["blockedTime"]
    assert "401" in hook["blockedReason"]
    assert (len(receiver.requests), sandbox.outbox.counts["unheard"]) == (3, 2)
    await register(sandbox)
    sandbox.add_customer()
    assert await sandbox.send_webhooks() == 1


async def test_a_success_between_drops_keeps_it_open():
    sandbox = sending(Receiver(500, 500, 202, 500, 500), retries=())
    await register(sandbox)
    for _ in range(5):
        sandbox.add_customer()
        await sandbox.send_webhooks()
    assert "blockedTime" not in sandbox.state.webhooks["customers", "created"]


async def test_what_nobody_registered_is_not_sent():
    receiver = Receiver()
    sandbox = sending(receiver)
    sandbox.add_customer()
    assert await sandbox.send_webhooks() == 0
    assert receiver.requests == []


async def test_actions_queue_what_bookeo_tells(sandbox):
    ada = sandbox.add_customer()
    number, other = sandbox.book(ada), sandbox.book(ada)
    sandbox.update_booking(number, title="x")
    sandbox.no_show(number)
    sandbox.cancel(number)
    sandbox.update_customer(ada, firstName="A")
    sandbox.delete_customer(ada)
    told = [f"{message.domain}.{message.type}" for message in sandbox.outbox.waiting]
    assert told == [
        *("customers.created", "bookings.created", "bookings.created", "bookings.updated", "bookings.updated"),
        *("bookings.deleted", "customers.updated", "bookings.deleted", "bookings.deleted", "customers.deleted"),
    ]
    assert other not in sandbox.state.bookings
    assert ada not in sandbox.state.customers


async def test_settings_for_what_is_not_known():
    sandbox = BookeoSandbox(quota=None, own_puts_notify=False, embed_customer=False, deleted_item=False)
    ada = sandbox.add_customer()
    number = sandbox.book(ada)
    sandbox.outbox.waiting.clear()
    await ask(sandbox, "PUT", f"/customers/{ada}", json={"firstName": "A"})
    assert sandbox.outbox.waiting == []
    assert "customer" not in sandbox.queue("bookings", "updated", number).data["item"]
    assert "item" not in sandbox.queue("bookings", "deleted", number).data


async def test_duplicates_and_disorder():
    receiver = Receiver()
    sandbox = sending(receiver, faults=Faults(duplicate_delivery=1, reorder_delivery=1, seed=3))
    await register(sandbox)
    for _ in range(6):
        sandbox.add_customer()
    assert await sandbox.send_webhooks() == 12
    ids = [headers["x-bookeo-messageid"] for _, headers, _ in receiver.requests]
    assert sorted(ids) != ids
    assert len(set(ids)) == 6


# ---- control ----


async def test_it_is_controlled_from_outside():
    receiver = Receiver()
    async with Server(receiver.app) as target:
        sandbox = BookeoSandbox(quota=None)
        async with (
            Server(sandbox.app) as server,
            httpx.AsyncClient(base_url=f"{server.url}/_sandbox", trust_env=False) as control,
        ):
            assert (await control.put("/webhook", json={"url": target.url})).json() == {"url": target.url}
            await register(sandbox)
            booked = (
                await control.post("/bookings", json={"customer": {"firstName": "Ada"}, "starts_at": "2026-01-05T09:00:00"})
            ).json()
            async with asyncio.timeout(60):
                await receiver.arrived.wait()
            number = booked["bookingNumber"]
            for action in ("update", "no_show", "cancel", "delete"):
                assert (await control.post(f"/bookings/{number}/{action}", json={"send": False})).status_code == 200
            assert (await control.post(f"/customers/{booked['customerId']}/update", json={"firstName": "B"})).status_code == 200
            assert (await control.post("/deliver")).json()["acknowledged"] == 0
            assert (await control.get("/stats")).json()["deliveries"]["acknowledged"] == 1
            state = (await control.get("/state")).json()
            assert (state["bookings"], state["waiting"], len(state["customers"])) == ([], [], 1)
            assert (await control.put("/faults", json={"down": True})).json()["down"] is True
            assert (await control.get("/faults")).json()["down"] is True
            assert "POST /_sandbox/bookings" in (await control.get(f"{server.url}/_sandbox")).json()["routes"]
            assert (await control.post("/expire_tokens")).status_code == 200
            assert (await control.post("/reset")).status_code == 200
            assert sandbox.state.customers == {}


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PUT", "/webhook", {"url": "https://elsewhere.example.com"}),
        ("PUT", "/webhook", {}),
        ("PUT", "/faults", {"nonsense": 1}),
        ("POST", "/bookings", {"customer_id": "nobody"}),
        ("POST", "/bookings/x/cancel", {}),
        ("POST", "/bookings/x/nonsense", {}),
        ("POST", "/customers/x/update", {}),
        ("POST", "/bookings", {"customer": {}, "starts_at": "soon"}),
    ],
)
async def test_wrong_control_is_a_400(sandbox, method, path, body):
    transport = httpx.ASGITransport(sandbox.app)
    async with httpx.AsyncClient(transport=transport, base_url="http://bookeo.test/_sandbox") as control:
        assert (await control.request(method, path, json=body)).status_code == 400


async def test_faults_for_writes_only(sandbox, ada):
    sandbox.faults = Faults(down=True, methods=("PUT",))
    assert (await ask(sandbox, "GET", f"/customers/{ada}")).status_code == 200
    assert (await ask(sandbox, "PUT", f"/customers/{ada}", json={})).status_code == 503
