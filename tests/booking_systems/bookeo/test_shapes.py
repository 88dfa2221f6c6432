"""The shapes themselves: the sandbox answers every call as published, and what is not as published does not pass."""

import json
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from conforming import Nonconforming, fits

from connector.sandbox.bookeo.app import BookeoSandbox

from .conftest import ADA
from .shapes import CALLS, BookingMessage, CustomerMessage, MessageHeaders, conforming

pytestmark = pytest.mark.anyio
KEYS = {"X-Bookeo-secretKey": "sandbox-secret-key", "X-Bookeo-apiKey": "sandbox-api-key"}
NOON = datetime(2027, 3, 1, 12, tzinfo=UTC)
QUIET = "mode=backend&notifyUsers=false&notifyCustomer=false"
WINDOW = "startTime=2027-02-20T00:00:00Z&endTime=2027-03-10T00:00:00Z"


def client(transport):
    return httpx.AsyncClient(transport=transport, base_url="https://api.bookeo.com", headers=KEYS)


async def test_the_sandbox_answers_every_call_as_published(sandbox, ada):
    number = sandbox.book(ada, starts_at=NOON)
    sandbox.state.set_custom(ada, sandbox.state.field_id("CRM customer id"), "6001")
    customer, booking = sandbox.state.customers[ada], sandbox.state.booking(number)
    sent = {name: value for name, value in booking.items() if name not in ("startTime", "endTime")}
    hook = {"url": "https://hooks.example.com/webhooks/spa", "domain": "bookings", "type": "created"}
    wire = conforming(httpx.ASGITransport(sandbox.app))
    async with client(wire) as http:
        made = await http.post("/v2/webhooks", json=hook)
        where = made.headers["location"]
        for method, path, body, status in [
            ("GET", "/v2/customers?itemsPerPage=100&searchField=lastName&searchText=exa", None, 200),
            ("GET", f"/v2/customers/{ada}", None, 200),
            ("GET", "/v2/customers/2856CU999999", None, 404),
            ("PUT", f"/v2/customers/{ada}?mode=backend", customer, 200),
            ("GET", f"/v2/bookings?{WINDOW}&expandCustomer=true&expandParticipants=true", None, 200),
            ("GET", "/v2/bookings", None, 400),
            ("GET", f"/v2/bookings/{number}?expandCustomer=true", None, 200),
            ("PUT", f"/v2/bookings/{number}?{QUIET}", {**sent, "externalRef": "6001"}, 200),
            ("GET", f"/v2/bookings/{number}/customer", None, 200),
            ("GET", "/v2/settings/apikeyinfo", None, 200),
            ("GET", "/v2/settings/customercustomfields", None, 200),
            ("GET", "/v2/webhooks", None, 200),
            ("GET", where, None, 200),
            ("DELETE", where, None, 204),
            ("DELETE", where, None, 404),
        ]:
            answer = await http.request(method, path, json=body)
            assert answer.status_code == status, (method, path, answer.text)
    assert {(method, path) for method, path, _ in wire.seen} == {(call.method, call.path) for call in CALLS}


@pytest.mark.parametrize("said", ["body", "header", "nowhere"])
async def test_refused_keys_and_too_many_calls_are_answered_as_published(said):
    sandbox = BookeoSandbox(quota=(1, 1), retry_after=said)
    wire = conforming(httpx.ASGITransport(sandbox.app))
    async with client(wire) as http:
        statuses = [(await http.get("/v2/settings/apikeyinfo")).status_code for _ in range(2)]
        sandbox.api_key = "another"
        statuses.append((await http.get("/v2/settings/apikeyinfo")).status_code)
    assert statuses == [200, 429, 401]


async def test_a_put_may_be_answered_with_nothing():
    sandbox = BookeoSandbox(quota=None, put_answer="nothing")
    customer = sandbox.add_customer(**ADA)
    async with client(conforming(httpx.ASGITransport(sandbox.app))) as http:
        answer = await http.put(f"/v2/customers/{customer}", json=sandbox.state.customers[customer])
    assert (answer.status_code, answer.content) == (200, b"")


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/v2/customers", {}),
        ("GET", "/v2/customers?itemsPerPage=101", None),
        ("GET", "/v2/customers?createdSince=2027-03-01", None),
        ("GET", "/v2/bookings?changedSince=2027-03-01T00:00:00Z", None),
        ("PUT", "/v2/customers/1?notifyUsers=false", {"id": "1"}),
        ("PUT", "/v2/customers/1", {"firstName": "Ada"}),
        ("PUT", "/v2/bookings/1", {"bookingNumber": "1"}),
        ("POST", "/v2/webhooks", {"url": "http://hooks.example.com/", "domain": "bookings", "type": "created"}),
        ("POST", "/v2/webhooks", {"url": "https://hooks.example.com/", "domain": "bookings", "type": "changed"}),
    ],
)
async def test_a_request_that_is_not_as_published_does_not_pass(sandbox, method, path, body):
    wire = conforming(httpx.ASGITransport(sandbox.app))
    async with client(wire) as http:
        with pytest.raises(Nonconforming):
            await http.request(method, path, json=body)
    assert wire.seen == []


async def test_a_request_without_the_keys_in_its_headers_does_not_pass(sandbox):
    async with httpx.AsyncClient(transport=conforming(httpx.ASGITransport(sandbox.app)), base_url="https://b.test") as http:
        with pytest.raises(Nonconforming):
            await http.get("/v2/settings/apikeyinfo")


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, {"id": 1}),
        (200, {"id": "1", "phoneNumbers": [{"number": "1", "type": "landline"}]}),
        (201, {"id": "1"}),
        (404, {"error": "no"}),
    ],
)
async def test_an_answer_that_is_not_as_published_does_not_pass(status, body):
    async with client(conforming(httpx.MockTransport(lambda _: httpx.Response(status, json=body)))) as http:
        with pytest.raises(Nonconforming):
            await http.get("/v2/customers/1")


SAMPLE = (Path(__file__).parent / "fixtures" / "customer_created.json").read_text()


def test_the_vendors_own_sample_has_our_shape():
    fits(CustomerMessage, SAMPLE, "the sample")
    with pytest.raises(Nonconforming):
        fits(CustomerMessage, SAMPLE.replace('"gender":"unknown"', '"gender":"none"'), "another")


@pytest.mark.parametrize("deleted_item", [True, False])
@pytest.mark.parametrize("embed_customer", [True, False])
def test_the_messages_to_webhooks_are_as_published(deleted_item, embed_customer):
    sandbox = BookeoSandbox(quota=None, deleted_item=deleted_item, embed_customer=embed_customer)
    customer = sandbox.add_customer(**ADA)
    number = sandbox.book(customer, starts_at=NOON)
    for type_ in ("created", "updated", "deleted"):
        for domain, item, shape in (("customers", customer, CustomerMessage), ("bookings", number, BookingMessage)):
            message = sandbox.queue(domain, type_, item)
            fits(shape, message.body.decode(), f"{domain} {type_}")
            headers = sandbox.outbox.headers(message, "https://hooks.example.com/webhooks/spa", lost=True)
            fits(MessageHeaders, json.dumps({name.lower(): value for name, value in headers.items()}), "the headers")
