"""The sandbox keeps Booxi's documented rules, sends webhooks and can be controlled from outside."""

import asyncio
import json
from datetime import UTC, datetime

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from connector.booking_systems.booxi.settings import Fields
from connector.booking_systems.booxi.webhook import read
from connector.sandbox.booxi.app import BooxiSandbox, Meter, Target
from connector.sandbox.kit.faults import Faults
from connector.sandbox.kit.server import Server

pytestmark = pytest.mark.anyio

KEY = {"Booxi-PartnerKey": "sandbox-partner-key"}
API = "/booking/v1"
START = datetime(2026, 1, 5, 9, tzinfo=UTC)


def http(sandbox, headers=KEY):
    return httpx.AsyncClient(transport=httpx.ASGITransport(sandbox.app), base_url="http://booxi.test", headers=headers)


class Receiver:
    """A webhook receiver that answers `statuses` in turn, then 202."""

    def __init__(self, *statuses):
        self.statuses = list(statuses)
        self.got = []
        self.requests = []
        self.arrived = asyncio.Event()
        self.app = Starlette(routes=[Route("/webhooks/stores", self.take, methods=["POST", "PUT"])])

    async def take(self, request: Request):
        self.got.append(await request.json())
        self.requests.append((request.method, dict(request.headers)))
        self.arrived.set()
        return JSONResponse({}, self.statuses.pop(0) if self.statuses else 202)


def sending(receiver, **arguments):
    waits = []

    async def wait(seconds):
        waits.append(seconds)

    target = arguments.pop("webhook", Target("http://127.0.0.1/webhooks/stores", token="Bearer t"))
    sandbox = BooxiSandbox(quota=None, webhook=target, wait=wait, transport=httpx.ASGITransport(receiver.app), **arguments)
    sandbox.waits = waits
    return sandbox


# The key and the quota.


@pytest.mark.parametrize("headers", [{}, {"Booxi-PartnerKey": "wrong"}, {"Booxi-PartnerKey": ""}])
async def test_a_wrong_key_is_refused(sandbox, headers):
    async with http(sandbox, headers) as client:
        answer = await client.get(f"{API}/merchant/list")
    assert answer.status_code == 401
    assert set(answer.json()) == {"message", "code"}


def test_the_meter_slides():
    now = 0.0
    meter = Meter((2, 5), lambda: now)
    assert [meter.count() for _ in range(3)] == [True, True, False]
    now = 1.0
    assert meter.count()
    assert meter.count()
    now = 2.0
    assert not meter.count()
    now = 61.5
    assert meter.count()


async def test_over_the_quota_is_429():
    sandbox = BooxiSandbox(quota=(2, 100), ticks=lambda: 0.0)
    async with http(sandbox) as client:
        statuses = [(await client.get(f"{API}/merchant/list")).status_code for _ in range(3)]
    assert statuses == [200, 200, 429]
    assert sandbox.meter.throttled == 1


async def test_a_400_counts_twice():
    sandbox = BooxiSandbox(quota=(2, 100), ticks=lambda: 0.0)
    async with http(sandbox) as client:
        statuses = [(await client.get(f"{API}/client")).status_code for _ in range(2)]
    assert statuses == [400, 429]


# Clients.


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("", 400),
        ("email=ada@example.org", 400),
        ("email=ada@example.org&merchantId=x", 400),
        ("moduleId=hubspot", 400),
        ("externalId=77", 400),
        ("moduleId=hubspot&externalId=77&email=ada@example.org&merchantId=501", 400),
        ("firstName=Ada&merchantId=501", 400),
        ("moduleId=hubspot&externalId=77", 200),
        ("email=ADA@example.org&merchantId=501", 200),
        ("firstName=Ada&lastName=Example&merchantId=501", 200),
        ("phoneNumber=5550101&merchantId=501", 200),
    ],
)
async def test_search_rules(sandbox, query, status):
    ada = sandbox.add_client(firstName="Ada", lastName="Example", email="ada@example.org", homePhoneNumber="5550101")
    sandbox.add_client(firstName="Bob", lastName="Example", email="bob@example.org")
    sandbox.set_link(ada, "77")
    async with http(sandbox) as client:
        answer = await client.get(f"{API}/client?{query}")
    assert answer.status_code == status
    if status == 200:
        assert [record["id"] for record in answer.json()["clients"]] == [ada]
        assert [link["externalId"] for link in answer.json()["clientLinks"]] == ["77"]


async def test_search_answers_the_first_ones_only():
    sandbox = BooxiSandbox(quota=None, search_size=2)
    ids = [sandbox.add_client(email="same@example.org") for _ in range(3)]
    async with http(sandbox) as client:
        answer = await client.get(f"{API}/client?email=same@example.org&merchantId=501")
    assert [record["id"] for record in answer.json()["clients"]] == ids[:2]
    assert "cursor" not in answer.json()


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({"customerId": "77", "firstName": "Somebody", "lastName": "Else"}, True),
        ({"firstName": "ada", "lastName": "EXAMPLE", "email": "ADA@example.org"}, True),
        ({"firstName": "Ada", "lastName": "Example", "homePhoneNumber": "5550101"}, True),
        ({"firstName": "Ada", "lastName": "Example", "mobilePhoneNumber": "5550102"}, True),
        ({"firstName": "Ada", "lastName": "Exemple", "email": "ada@example.org"}, False),
        ({"email": "ada@example.org"}, False),
        ({"firstName": "Ada", "lastName": "Example"}, False),
    ],
)
def test_clients_are_matched_as_documented(sandbox, wanted, found):
    ada = sandbox.add_client(
        firstName="Ada", lastName="Example", email="ada@example.org", homePhoneNumber="5550101", mobilePhoneNumber="5550102"
    )
    sandbox.set_link(ada, "77")
    booking = sandbox.state.bookings[sandbox.book(client=wanted)]
    assert (booking["client"]["id"] == ada) is found


def test_a_match_fills_blanks_and_overwrites_nothing(sandbox):
    ada = sandbox.add_client(firstName="Ada", lastName="Example", email="ada@example.org")
    sandbox.book(client={"firstName": "ADA", "lastName": "example", "email": "ada@example.org", "homePhoneNumber": "5550101"})
    record = sandbox.state.clients[ada]
    assert (record["firstName"], record["homePhoneNumber"]) == ("Ada", "5550101")


def test_a_new_client_gets_the_customer_id_as_link(sandbox):
    booking = sandbox.state.bookings[sandbox.book(client={"firstName": "Ada", "lastName": "Example", "customerId": "77"})]
    assert sandbox.links() == {booking["client"]["id"]: "77"}


# Links.


async def test_put_replaces_external_id_and_metadata(sandbox):
    ada = sandbox.add_client()
    path = f"{API}/client/{ada}/moduleLink/hubspot"
    async with http(sandbox) as client:
        await client.put(path, json={"externalId": "77", "metadata": {"a": "b"}})
        answer = await client.put(path, json={"externalId": "78"})
    link = answer.json()["link"]
    assert (link["clientId"], link["moduleId"], link["externalId"]) == (ada, "hubspot", "78")
    assert "metadata" not in link


@pytest.mark.parametrize("external_id", ["", " ", None, 77, "x" * 201])
async def test_external_ids_that_are_refused(sandbox, external_id):
    ada = sandbox.add_client()
    async with http(sandbox) as client:
        answer = await client.put(f"{API}/client/{ada}/moduleLink/hubspot", json={"externalId": external_id})
    assert (answer.status_code, answer.json()["error"]) == (409, "InvalidExternalId")
    assert sandbox.links() == {}


async def test_a_merged_client_names_its_survivor(sandbox):
    loser, survivor = sandbox.add_client(), sandbox.add_client()
    booking = sandbox.book(loser)
    sandbox.set_link(loser, "77")
    sandbox.merge_clients(loser, survivor)
    async with http(sandbox) as client:
        answers = [
            await client.get(f"{API}/client/{loser}"),
            await client.get(f"{API}/client/{loser}/moduleLink/hubspot"),
            await client.put(f"{API}/client/{loser}/moduleLink/hubspot", json={"externalId": "78"}),
        ]
    assert {(answer.status_code, answer.json()["newClientId"]) for answer in answers} == {(409, survivor)}
    assert sandbox.links() == {survivor: "77"}
    assert sandbox.state.bookings[booking]["client"]["id"] == survivor


@pytest.mark.parametrize(
    "path", ["client/99", "client/99/moduleLink/hubspot", "booking/B0", "merchant/99", "client/99/moduleLink/hubspot/x"]
)
async def test_what_is_not_there_is_404(sandbox, path):
    async with http(sandbox) as client:
        assert (await client.get(f"{API}/{path}")).status_code == 404


# Lists.


async def test_bookings_come_in_pages_until_no_cursor_is_left():
    sandbox = BooxiSandbox(quota=None, page_size=2)
    ada = sandbox.add_client()
    ids = [sandbox.book(ada, starts_at=START) for _ in range(5)]
    query = {"from": "2026-01-01T00:00:00Z", "to": "2026-02-01T00:00:00Z", "merchantId": "501"}
    seen, cursor = [], {}
    async with http(sandbox) as client:
        while True:
            page = (await client.get(f"{API}/booking", params=query | cursor)).json()
            seen.append([booking["bookingId"] for booking in page["bookings"]])
            if "cursor" not in page:
                break
            cursor = {"cursor": page["cursor"]}
    assert seen == [ids[:2], ids[2:4], ids[4:]]


@pytest.mark.parametrize(
    "change",
    [
        {"cursor": "rubbish"},
        {"cursor": "W10="},
        {"merchantId": "502"},
        {"from": None},
        {"from": "soon"},
        {"merchantId": "x"},
    ],
)
async def test_listings_that_are_refused(change):
    sandbox = BooxiSandbox(quota=None, page_size=1)
    ada = sandbox.add_client()
    for _ in range(2):
        sandbox.book(ada, starts_at=START)
    query = {"from": "2026-01-01T00:00:00Z", "to": "2026-02-01T00:00:00Z", "merchantId": "501"}
    async with http(sandbox) as client:
        cursor = (await client.get(f"{API}/booking", params=query)).json()["cursor"]
        changed = {key: value for key, value in (query | {"cursor": cursor} | change).items() if value is not None}
        assert (await client.get(f"{API}/booking", params=changed)).status_code == 400


async def test_a_listing_shows_what_changed_in_between(sandbox):
    ada = sandbox.add_client()
    booking = sandbox.book(ada, starts_at=START)
    query = {"from": "2026-01-01T00:00:00Z", "to": "2026-02-01T00:00:00Z", "clientId": str(ada)}
    async with http(sandbox) as client:
        before = (await client.get(f"{API}/booking", params=query)).json()["bookings"]
        sandbox.book(ada, starts_at=START)
        after = (await client.get(f"{API}/booking", params=query)).json()["bookings"]
        single = (await client.get(f"{API}/booking/{booking}")).json()["booking"]
    assert (len(before), len(after), single["bookingId"]) == (1, 2, booking)


async def test_merchants_by_offset(sandbox):
    async with http(sandbox) as client:
        answer = (await client.get(f"{API}/merchant/list?offset=2&limit=2")).json()
    assert (answer["offset"], answer["limit"], answer["total"]) == (2, 2, 3)
    assert [merchant["id"] for merchant in answer["items"]] == [503]


# Webhooks.


async def test_every_action_is_an_event_that_the_adapter_reads():
    receiver = Receiver()
    sandbox = sending(receiver)
    ada = sandbox.add_client(firstName="Ada", lastName="Example", email="ada@example.org")
    sandbox.set_link(ada, "77")
    booking = sandbox.book(ada)
    sandbox.update_booking(booking, locationText="Room 2")
    sandbox.no_show(booking)
    sandbox.cancel(booking)
    sandbox.complete(sandbox.book(ada, attendees=[ada]))
    assert await sandbox.send_webhooks() == 6
    readings = [read(body, Fields(), "hubspot") for body in receiver.got]
    assert [(r.type, r.events[0].appointment.status.value) for r in readings] == [
        ("appointment.created", "scheduled"),
        ("appointment.updated", "scheduled"),
        ("appointment.status_updated", "no_show"),
        ("appointment.status_updated", "cancelled"),
        ("reservation.created", "scheduled"),
        ("reservation.status_updated", "completed"),
    ]
    assert {r.events[0].linked_customer_id for r in readings} == {"77"}
    assert len({r.event_id for r in readings}) == 6
    assert all(method == "POST" and headers["authorization"] == "Bearer t" for method, headers in receiver.requests)


async def test_the_other_spelling_and_put():
    receiver = Receiver()
    target = Target("http://127.0.0.1/webhooks/stores", token="t", header="X-Token", method="PUT")
    sandbox = sending(receiver, spelling="eventId", webhook=target, links_in_webhooks=False)
    sandbox.book(sandbox.add_client())
    await sandbox.send_webhooks()
    assert set(receiver.got[0]) == {"eventId", "eventType", "eventContent"}
    assert "clientLinks" not in receiver.got[0]["eventContent"]
    assert len(read(receiver.got[0], Fields(), "hubspot").events) == 1
    method, headers = receiver.requests[0]
    assert (method, headers["x-token"]) == ("PUT", "t")


async def test_what_is_not_acknowledged_is_sent_again_with_the_same_id():
    receiver = Receiver(503, 302)
    sandbox = sending(receiver, retries=(1.0, 2.0, 4.0))
    sandbox.book(sandbox.add_client())
    assert await sandbox.send_webhooks() == 1
    assert [body["id"] for body in receiver.got] == ["evt-00000001"] * 3
    assert sandbox.waits == [1.0, 2.0]


async def test_it_gives_up_after_the_schedule():
    receiver = Receiver(500, 500, 500)
    sandbox = sending(receiver, retries=(1.0,))
    sandbox.book(sandbox.add_client())
    assert await sandbox.send_webhooks() == 0
    assert sandbox.stats()["deliveries"] == {"sent": 2, "refused": 2, "gave_up": 1}


async def test_nobody_listens():
    sandbox = BooxiSandbox(quota=None, webhook=Target("http://127.0.0.1:9/webhooks/stores"), retries=())
    sandbox.book(sandbox.add_client())
    assert await sandbox.send_webhooks() == 0
    assert sandbox.stats()["deliveries"]["unanswered"] == 1


async def test_without_a_target_events_wait(sandbox):
    sandbox.book(sandbox.add_client())
    assert await sandbox.send_webhooks() == 0
    assert len(sandbox.outbox.waiting) == 1
    with pytest.raises(ValueError, match="no webhook target"):
        await sandbox.deliver({})


async def test_duplicates_have_the_same_id():
    receiver = Receiver()
    sandbox = sending(receiver, faults=Faults(duplicate_delivery=1))
    sandbox.book(sandbox.add_client())
    assert await sandbox.send_webhooks() == 2
    assert receiver.got[0] == receiver.got[1]


async def test_disorder_loses_nothing():
    receiver = Receiver()
    sandbox = sending(receiver, faults=Faults(reorder_delivery=1, seed=3))
    ada = sandbox.add_client()
    for _ in range(20):
        sandbox.book(ada)
    await sandbox.send_webhooks()
    ids = [body["id"] for body in receiver.got]
    assert ids != sorted(ids)
    assert sorted(ids) == [f"evt-{number:08}" for number in range(1, 21)]


async def test_an_event_is_what_it_was_when_it_happened():
    receiver = Receiver()
    sandbox = sending(receiver)
    booking = sandbox.book(sandbox.add_client())
    sandbox.cancel(booking)
    await sandbox.send_webhooks()
    assert [body["content"]["booking"]["status"] for body in receiver.got] == ["Approved", "Cancelled"]


# From outside.


async def test_control_routes(sandbox):
    async with http(sandbox, headers={}) as client:
        ada = (await client.post("/_sandbox/clients", json={"firstName": "Ada"})).json()["clientId"]
        other = (await client.post("/_sandbox/clients", json={"firstName": "Bob"})).json()["clientId"]
        booked = await client.post("/_sandbox/bookings", json={"client_id": ada, "starts_at": "2026-01-05T09:00:00"})
        booking = booked.json()["bookingId"]
        for action in ("update", "no_show", "complete", "cancel"):
            assert (await client.post(f"/_sandbox/bookings/{booking}/{action}")).status_code == 200
        await client.put("/_sandbox/links", json={"client_id": ada, "external_id": "77"})
        await client.post("/_sandbox/merge", json={"loser": ada, "survivor": other})
        state = (await client.get("/_sandbox/state")).json()
        assert (await client.get("/_sandbox")).json()["about"].endswith("no part of Booxi")
        assert (await client.post("/_sandbox/deliver")).json() == {"acknowledged": 0}
        assert (await client.post("/_sandbox/expire_cursors")).json() == {}
        assert (await client.post("/_sandbox/reset")).json() == {}
        empty = (await client.get("/_sandbox/state")).json()
    assert state["merged"] == {str(ada): other}
    assert [link["externalId"] for link in state["links"]] == ["77"]
    assert len(state["waiting"]) == 5
    assert (state["bookings"][0]["status"], state["bookings"][0]["startsOn"]) == ("Cancelled", "2026-01-05T09:00:00Z")
    assert (empty["clients"], empty["bookings"], empty["waiting"], len(empty["merchants"])) == ([], [], [], 3)


async def test_faults_from_outside(sandbox):
    async with http(sandbox) as client:
        assert (await client.put("/_sandbox/faults", json={"down": True})).json()["down"] is True
        assert (await client.get(f"{API}/merchant/list")).status_code == 503
        assert (await client.get("/_sandbox/faults")).json()["down"] is True
        assert (await client.get("/_sandbox/stats")).json()["injected"] == {"down": 1}
        assert (await client.put("/_sandbox/faults", json={"dwon": True})).status_code == 400
        await client.put("/_sandbox/faults", json={})
        assert (await client.get(f"{API}/merchant/list")).status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "bookings", {"colour": "red", "client_id": 99}),
        ("POST", "bookings", {"client_id": 99}),
        ("POST", "bookings", {"starts_at": "soon"}),
        ("POST", "bookings/B0/cancel", {}),
        ("POST", "bookings/B0/explode", {}),
        ("POST", "merge", {"loser": 1}),
        ("POST", "merge", {"loser": 1, "survivor": 1}),
        ("POST", "merge", [1]),
        ("PUT", "links", {"client_id": 1, "external_id": ""}),
        ("PUT", "webhook", {"url": "http://example.com/webhooks/stores"}),
        ("PUT", "webhook", {"url": "http://127.0.0.1/", "method": "GET"}),
        ("PUT", "webhook", {}),
    ],
)
async def test_control_routes_refuse_nonsense(sandbox, method, path, body):
    async with http(sandbox) as client:
        answer = await client.request(method, f"/_sandbox/{path}", json=body)
    assert answer.status_code == 400
    assert answer.json()["message"]


async def test_a_booking_made_from_outside_is_sent_at_once():
    receiver = Receiver()
    sandbox = BooxiSandbox(quota=None)
    async with Server(receiver.app) as there, Server(sandbox.app) as booxi, httpx.AsyncClient(base_url=booxi.url) as client:
        target = {"url": f"{there.url}/webhooks/stores", "token": "t"}
        assert "token" not in (await client.put("/_sandbox/webhook", json=target)).json()
        waits = {"client": {"firstName": "Ada", "lastName": "Example"}, "send": False}
        await client.post("/_sandbox/bookings", json=waits)
        assert not receiver.arrived.is_set()
        await client.post("/_sandbox/bookings", json=waits | {"send": True})
        async with asyncio.timeout(60):
            await receiver.arrived.wait()
            await client.post("/_sandbox/deliver")
        answer = await client.get(f"{API}/merchant/list", headers=KEY)
        assert answer.json()["total"] == 3
        async with asyncio.timeout(60):
            while len(receiver.got) < 2:
                receiver.arrived.clear()
                await receiver.arrived.wait()
    assert [body["id"] for body in receiver.got] == ["evt-00000001", "evt-00000002"]
    assert json.dumps(receiver.got).isascii()
