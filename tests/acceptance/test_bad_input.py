"""Bad input gets a clear answer and loses nothing: a real server process, raw sockets where a client would be too polite."""

from __future__ import annotations

import asyncio
import base64
import copy
import hashlib
import hmac
import itertools
import json
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from .world import WEBHOOK_TOKEN, FarSides, Service, eventually, post, rows

pytestmark = pytest.mark.anyio

HMAC_SECRET = "hmac-secret-of-the-acceptance-tests"
STANDARD_SECRET = base64.b64encode(b"standard-secret-of-the-acceptance").decode()
MORE = """
[booking.signed]
system = "booxi"
base_url = "{url}/booking/v1"
partner_key = "another-partner-key"
module_id = "hubspot"
[booking.signed.webhook]
verify = "hmac"
header = "X-Signature"
secrets = ["{hmac}"]
prefix = "sha256="
signed = "{{timestamp}}.{{body}}"
timestamp_header = "X-Timestamp"
[booking.standard]
system = "booxi"
base_url = "{url}/booking/v1"
partner_key = "another-partner-key"
module_id = "hubspot"
[booking.standard.webhook]
verify = "standard-webhooks"
secrets = ["whsec_{standard}"]
[[sync]]
booking = "signed"
crm = "main"
[[sync]]
booking = "standard"
crm = "main"
"""
ids = itertools.count(1)


@dataclass
class World:
    """A service with both far sides, and a polite client."""

    sides: FarSides
    service: Service
    http: httpx.AsyncClient

    async def deliver(self, body: Any, **headers: str) -> tuple[int, dict[str, Any]]:
        """Status and answer of one delivery with the right token."""
        response = await post(self.http, self.service.url, body, **headers)
        assert response.headers["content-type"] == "application/json"
        return response.status_code, response.json()

    async def raw(self, *parts: bytes, close: bool = False) -> bytes:
        """Send bytes on a connection of their own; answer what comes back until the server closes or says no more."""
        url = urlsplit(self.service.url)
        reader, writer = await asyncio.open_connection(url.hostname, url.port)
        try:
            for part in parts:
                writer.write(part)
                with suppress(ConnectionError):
                    await writer.drain()
            if close:
                writer.write_eof()
            async with asyncio.timeout(8):
                return await self._answer(reader)
        finally:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()

    async def _answer(self, reader: asyncio.StreamReader) -> bytes:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError as error:
            return error.partial
        except ConnectionError:
            return b""
        return head

    def event(self, delivery: str) -> dict[str, Any]:
        """The newest event of a delivery."""
        query = (
            "SELECT e.state, e.reason, e.hint, e.client_id, e.outcome FROM events e JOIN deliveries d ON d.id = e.delivery_id"
            " WHERE d.event = ? ORDER BY e.id DESC LIMIT 1"
        )
        (row,) = rows(self.service.database, query, delivery)
        return dict(zip(("state", "reason", "hint", "client_id", "outcome"), row, strict=True))

    async def becomes(self, delivery: str, state: str) -> dict[str, Any]:
        """Wait until the event of a delivery is in a state."""
        await eventually(lambda: self.event(delivery)["state"] == state, 20)
        return self.event(delivery)


@pytest.fixture(scope="module")
async def world(tmp_path_factory: pytest.TempPathFactory, anyio_backend: str) -> AsyncIterator[World]:
    folder = tmp_path_factory.mktemp("bad-input")
    async with FarSides() as sides, httpx.AsyncClient(trust_env=False) as http:
        file = sides.config(folder, timeout=1)
        more = MORE.format(url=sides.booxi_url, hmac=HMAC_SECRET, standard=STANDARD_SECRET)
        file.write_text(file.read_text() + more, encoding="utf-8")
        service = Service(file)
        async with service.running():
            await service.first_done(sides)
            yield World(sides, service, http)
            assert service.process.returncode is None, service.text[-5:]


@pytest.fixture(autouse=True)
def _still_well(world: World) -> Iterator[None]:
    """Nothing that comes from outside may make the service complain of itself."""
    before = len(world.service.lines)
    yield
    world.sides.faults()
    for line in world.service.lines[before:]:
        assert "Traceback" not in json.dumps(line), line
        assert line["event"] not in ("event failed unexpectedly", "adapter failed", "Exception in ASGI application\n"), line


def booking(**client: Any) -> dict[str, Any]:
    """A delivery as Booxi sends it, for a client with these fields."""
    number = next(ids)
    person = {"id": 900_000 + number, "firstName": "Ada", "lastName": "Byron", "email": f"bad-{number}@example.com"}
    content = {
        "booking": {
            "bookingId": f"B-{number}",
            "bookingMethod": "Appointment",
            "status": "Approved",
            "startsOn": "2026-11-21T12:00:00Z",
            "modifiedOn": "2026-11-20T12:00:00Z",
            "items": [{"serviceId": 31, "serviceName": "Fitting"}],
            "client": {**person, **client, "presence": "Expecting"},
        },
        "clientLinks": [],
    }
    return {"id": f"bad-{number}", "type": "appointment.created", "content": content}


def status(answer: bytes) -> int:
    """The status of a raw answer; 0 where the connection was closed without one."""
    return int(answer.split()[1]) if answer.startswith(b"HTTP/") else 0


def head(*lines: str, path: str = "/webhooks/stores", method: str = "POST", token: str | None = WEBHOOK_TOKEN) -> bytes:
    first = [f"{method} {path} HTTP/1.1", "Host: localhost"]
    proof = [] if token is None else [f"Authorization: {token}"]
    return "\r\n".join([*first, *proof, *lines, "", ""]).encode("latin-1")


# ---- who sends ----

TOKENS = [None, "", " ", "Bearer", "Bearer ", "wrong", f"{WEBHOOK_TOKEN}x", WEBHOOK_TOKEN[:-1], WEBHOOK_TOKEN.upper()]
TOKENS += [
    f"Basic {WEBHOOK_TOKEN}",
    f"Bearer Bearer {WEBHOOK_TOKEN}",
    f"{WEBHOOK_TOKEN}, {WEBHOOK_TOKEN}",
    "é" * 10,
    "\xff" * 99,
]


@pytest.mark.parametrize("token", TOKENS)
async def test_a_wrong_or_missing_token(world, token):
    body = json.dumps(booking()).encode()
    answer = await world.raw(head(f"Content-Length: {len(body)}", token=token) + body)
    assert status(answer) == 401


async def test_the_token_given_twice_or_too_long(world):
    body = json.dumps(booking()).encode()
    length = f"Content-Length: {len(body)}"
    assert status(await world.raw(head(length, f"Authorization: {WEBHOOK_TOKEN}") + body)) == 401
    assert status(await world.raw(head(length, f"Authorization: {'x' * 20_000}", token=None) + body)) in (400, 401, 431)


async def test_bearer_and_bare_and_put_and_post_are_the_same(world):
    for spelling, method in itertools.product(
        (WEBHOOK_TOKEN, f"Bearer {WEBHOOK_TOKEN}", f"bearer  {WEBHOOK_TOKEN}"), ("POST", "PUT")
    ):
        body = json.dumps(booking()).encode()
        assert status(await world.raw(head(f"Content-Length: {len(body)}", method=method, token=spelling) + body)) == 202


SIGNATURES = ["", "sha256", "sha256=", "sha256=zz", "sha256=abc", "sha1=" + "0" * 40, "0" * 64, "sha256=" + "0" * 64]
SIGNATURES += [
    "sha256=" + "é" * 64,
    "sha256=" + "0" * 5000,
    ",".join(["sha256=00"] * 400),
    "sha256=\x0b",
    "sha256=" + "=" * 64,
    ",,,",
]
STAMPS = ["", "0", "-1", "NaN", "inf", "1e309", "9" * 30, "1.5", "0x10", "²", "now", " ", "1" * 5000]


def signed(body: bytes, stamp: str) -> str:
    return "sha256=" + hmac.new(HMAC_SECRET.encode(), f"{stamp}.".encode("latin-1") + body, hashlib.sha256).hexdigest()


async def test_malformed_hmac_signatures_and_timestamps(world):
    body, now = json.dumps(booking()).encode(), str(int(time.time()))
    length = f"Content-Length: {len(body)}"

    async def answer(signature, stamp):
        lines = (length, f"X-Signature: {signature}", f"X-Timestamp: {stamp}")
        return status(await world.raw(head(*lines, path="/webhooks/signed", token=None) + body))

    for signature in SIGNATURES:
        assert await answer(signature, now) in (400, 401), signature
    for stamp in STAMPS:
        assert await answer(signed(body, stamp), stamp) in (400, 401), stamp
    assert await answer(signed(body, now), now) == 202


async def test_malformed_standard_webhooks_headers(world):
    body, now = json.dumps(booking()).encode(), str(int(time.time()))
    length = f"Content-Length: {len(body)}"
    secret = base64.b64decode(STANDARD_SECRET)

    def sign(message_id, stamp):
        message = f"{message_id}.{stamp}.".encode("latin-1") + body
        return "v1," + base64.b64encode(hmac.new(secret, message, hashlib.sha256).digest()).decode()

    async def answer(message_id, stamp, signature):
        lines = (length, f"webhook-id: {message_id}", f"webhook-timestamp: {stamp}", f"webhook-signature: {signature}")
        return status(await world.raw(head(*lines, path="/webhooks/standard", token=None) + body))

    for bad in (
        "",
        "v1",
        "v1,",
        "v1,!!!!",
        "v1,é",
        "v2,abc",
        "v1a,abc",
        ",",
        " ",
        "v1,abc v1,def",
        " ".join(["v1,AAAA"] * 2000),
    ):
        assert await answer("msg-1", now, bad) in (400, 401), bad
    for stamp in STAMPS:
        assert await answer("msg-1", stamp, sign("msg-1", stamp)) in (400, 401), stamp
    for message_id in ("", "é", "x" * 5000, "a b", "\x0b"):
        assert await answer(message_id, now, sign(message_id, now)) in (400, 401), message_id
    assert await answer("msg-1", now, "v1,AAAA " + sign("msg-1", now)) == 202


@pytest.mark.parametrize(
    "path", ["/webhooks/nobody", "/webhooks/stores/", "/webhooks/", "/webhooks/stores%2F..", "/webhooks/a/b"]
)
@pytest.mark.parametrize("token", [WEBHOOK_TOKEN, "wrong"])
async def test_an_unknown_source_is_404_whatever_the_token(world, path, token):
    body = json.dumps(booking()).encode()
    assert status(await world.raw(head(f"Content-Length: {len(body)}", path=path, token=token) + body)) == 404


@pytest.mark.parametrize("method", ["GET", "HEAD", "DELETE", "PATCH", "OPTIONS"])
async def test_other_methods_are_405(world, method):
    answer = await world.raw(head("Content-Length: 0", method=method))
    assert status(answer) == 405
    assert b"allow: post, put" in answer.lower()


# ---- what is sent ----

NOT_JSON = [b"", b" \n", b"{", b'{"id": ', b'{"id": 1}}', b"nonsense", b"\xff\xfe{}", b"\xef\xbb\xbf", b'"\xc3"', b"NaN"]
NOT_JSON += [
    b'{"id": NaN}',
    b"[Infinity]",
    b'{"id": -Infinity}',
    b"[" * 100_000,
    b'{"a":' * 50_000,
    b"1" * 10_000,
    b'"\\ud800"',
]
NOT_JSON += [b"{'id': 1}", b'{"id": 1,}', b"\x00", b'"\x01"', b'"unfinished', b'{"id": "\\u12"}']


@pytest.mark.parametrize("body", NOT_JSON, ids=lambda body: repr(body[:16]))
async def test_what_is_not_json_is_400(world, body):
    code, answer = await world.deliver(body)
    assert code == 400
    assert answer["message"].endswith(".")
    assert answer["error"] == "not_json"


ODD = [b"null", b"true", b"0", b'"text"', b"[]", b"{}", b"[{}]", b'{"id": "odd-1"}', b'{"type": "appointment.created"}']
ODD += [b'{"id": null, "type": null}', b'{"id": {}, "type": []}', b'{"id": "odd-2", "type": "appointment.created"}']
ODD += [b'{"id": "odd-3", "type": "appointment.created", "content": []}', b"1e400", b'{"id": "odd-4\\u0000"}']


@pytest.mark.parametrize("body", ODD, ids=repr)
async def test_json_that_is_not_understood_is_stored_and_held(world, body):
    code, answer = await world.deliver(body)
    assert (code, answer["status"]) == (202, "held")
    event = world.event(answer["event"])
    assert event["state"] == "held"
    assert event["reason"]
    assert event["hint"]
    assert (await world.deliver(body))[1] == {"status": "duplicate", "event": answer["event"]}


async def test_an_unknown_event_is_stored_and_ignored(world):
    body = {**booking(), "type": "something.else"}
    assert await world.deliver(body) == (202, {"status": "ignored", "event": body["id"]})
    assert "unknown event type" in world.event(body["id"])["reason"]


VALUES = [
    None,
    True,
    0,
    -1,
    2**63,
    10**30,
    1.5,
    "",
    " ",
    "x" * 3000,
    "\x00",
    "é\U0001f600",
    [],
    [[]],
    {},
    {"id": {}},
    "2026-13-45",
]


def variants(document: Any) -> Iterator[Any]:
    """The document with each of its values replaced in turn by each of the odd ones, and removed."""
    paths: list[list[Any]] = []

    def walk(node: Any, path: list[Any]) -> None:
        paths.append(path)
        for key, value in node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ():
            walk(value, [*path, key])

    walk(document, [])
    for path in paths[1:]:
        for value in [*VALUES, KeyError]:
            changed = copy.deepcopy(document)
            parent = changed
            for key in path[:-1]:
                parent = parent[key]
            if value is KeyError:
                del parent[path[-1]]
            else:
                parent[path[-1]] = value
            yield changed


async def test_wrong_types_anywhere_are_stored_one_way_or_another(world):
    whole = booking(mobilePhoneNumber="514-555-0101")
    whole["content"]["clientLinks"] = [{"clientId": 1, "moduleId": "hubspot", "externalId": "77"}]
    whole["content"]["booking"]["attendees"] = [{"id": 899_000, "firstName": "Bo", "email": "bo@example.com"}]
    bodies = list(variants(whole))
    limit = asyncio.Semaphore(8)

    async def send(number: int, body: Any) -> str:
        if "id" in body and body["id"] == whole["id"]:
            body["id"] = f"odd-type-{number}"
        async with limit:
            code, answer = await world.deliver(body)
        assert code == 202, body
        return answer["status"]

    found = await asyncio.gather(*(send(number, body) for number, body in enumerate(bodies)))
    assert len(found) > 350
    assert {"queued", "held", "ignored"} <= set(found)
    assert found.count("duplicate") < 40, "only where the envelope's id was replaced by one that had come before"


async def test_ids_beyond_thirty_two_bits_stay_what_they_are(world):
    for client in (2**31, 2**53 + 1, 2**63 + 1, "00012345678901234567"):
        body = booking(id=client)
        assert (await world.deliver(body))[0] == 202
        assert world.event(body["id"])["client_id"] == str(client).lstrip("0")
    body = {**booking(), "id": 2**80 + 1}
    assert (await world.deliver(body))[1]["event"] == str(2**80 + 1)


# ---- who is booked for ----


async def test_a_client_without_id_is_held(world):
    body = booking(id=None)
    assert (await world.deliver(body))[1]["status"] == "held"
    assert world.event(body["id"])["reason"] == "the client has no id"


NOBODY: list[dict[str, Any]] = [
    {"firstName": "", "lastName": "", "email": "", "mobilePhoneNumber": ""},
    {"firstName": None, "lastName": None, "email": None},
    {"firstName": "Walk-in", "lastName": "", "email": ""},
    {"firstName": "Anonymous", "lastName": "Anonymous", "email": "anonymous"},
    {"firstName": "deleted", "lastName": "deleted", "email": "deleted@", "mobilePhoneNumber": "000"},
    {"firstName": "*****", "lastName": "*****", "email": "*****", "mobilePhoneNumber": "*****"},
]


@pytest.mark.parametrize("fields", NOBODY, ids=lambda fields: repr(fields["firstName"]))
async def test_a_client_nobody_can_be_found_by_is_ignored_and_creates_nobody(world, fields):
    body = booking(**fields)
    await world.deliver(body)
    event = await world.becomes(body["id"], "ignored")
    assert "nothing to identify the client" in event["reason"]
    assert rows(world.service.database, "SELECT * FROM links WHERE client_id = ?", event["client_id"]) == []
    names = {contact.get("firstname") for contact in world.sides.hubspot.contacts()}
    assert fields["firstName"] not in names - {None}


NAMES = [
    ("Cher", ""),
    ("", "Madonna"),
    ("Juan Carlos Alfonso", "de Borbón y Borbón"),
    ("李小龙", ""),
    ("O'Neil-Ñandú", "van 't Hoff, Jr."),
]


@pytest.mark.parametrize(("first", "last"), NAMES)
async def test_names_of_one_word_or_five(world, first, last):
    client = world.sides.booxi.add_client(firstName=first, lastName=last, email=f"named-{next(ids)}@example.com")
    world.sides.booxi.book(client)
    await world.sides.booxi.send_webhooks()
    await eventually(lambda: client in world.sides.booxi.links(), 20)
    (contact,) = [c for c in world.sides.hubspot.contacts() if c["id"] == world.sides.booxi.links()[client]]
    assert f"{contact.get('firstname', '')} {contact.get('lastname', '')}".split() == f"{first} {last}".split()


async def test_a_phone_number_without_country_is_read_in_the_sources_country(world):
    sides = world.sides
    client = sides.booxi.add_client(firstName="Nora", lastName="Phone", mobilePhoneNumber="(514) 555-0177")
    sides.booxi.book(client)
    await sides.booxi.send_webhooks()
    await eventually(lambda: client in sides.booxi.links(), 20)
    (contact,) = [c for c in sides.hubspot.contacts() if c["id"] == sides.booxi.links()[client]]
    assert contact["mobilephone"] == "+15145550177"


async def test_an_address_shared_by_two_clients_is_one_contact_and_two_links(world):
    sides = world.sides
    clients = [sides.booxi.add_client(firstName="Ida", lastName="Shared", email="shared@example.com") for _ in range(2)]
    for client in clients:
        sides.booxi.book(client)
    await sides.booxi.send_webhooks(concurrency=2)
    await eventually(lambda: set(clients) <= sides.booxi.links().keys(), 20)
    assert len({sides.booxi.links()[client] for client in clients}) == 1
    assert [c.get("email") for c in sides.hubspot.contacts()].count("shared@example.com") == 1


# ---- how it is sent ----


async def test_ten_megabytes_are_refused_before_they_have_arrived(world):
    code, answer = await world.deliver(b'{"x": "' + b"x" * 10_000_000 + b'"}')
    assert (code, answer["error"]) == (413, "too_large")
    assert "server.max_body_bytes" in answer["message"]


async def test_ten_megabytes_in_chunks_are_refused(world):
    chunk = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"
    answer = await world.raw(head("Transfer-Encoding: chunked"), *[chunk] * 160, b"0\r\n\r\n")
    assert status(answer) in (413, 0)
    assert status(await world.raw(head("Transfer-Encoding: chunked"), *[chunk] * 20)) == 413


LIES = {
    "a length that never comes": (head("Content-Length: 5000") + b'{"id": 1}', True),
    "no number as length": (head("Content-Length: many") + b"{}", False),
    "a negative length": (head("Content-Length: -1") + b"{}", False),
    "a length of a thousand digits": (head("Content-Length: " + "9" * 1000) + b"{}", False),
    "two lengths": (head("Content-Length: 2", "Content-Length: 3") + b"{}", False),
    "length and chunks": (head("Content-Length: 2", "Transfer-Encoding: chunked") + b"{}", False),
    "a chunk size that is none": (head("Transfer-Encoding: chunked") + b"zz\r\n{}\r\n0\r\n\r\n", False),
    "a chunk longer than it says": (head("Transfer-Encoding: chunked") + b"1\r\n{}\r\n0\r\n\r\n", False),
    "a chunk shorter than it says": (head("Transfer-Encoding: chunked") + b"ff\r\n{}\r\n0\r\n\r\n", True),
    "a chunk size of a hundred digits": (head("Transfer-Encoding: chunked") + b"f" * 100 + b"\r\n{}", False),
    "chunks that never end": (head("Transfer-Encoding: chunked") + b"2\r\n{}\r\n", True),
    "an unknown encoding": (head("Transfer-Encoding: gzip") + b"{}", True),
    "no http at all": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", False),
    "a header of a megabyte": (head("X-Long: " + "x" * 1_000_000), False),
    "a path of a megabyte": (head(path="/webhooks/" + "x" * 1_000_000), False),
}


@pytest.mark.parametrize("lie", LIES)
async def test_bodies_that_lie_are_never_stored_and_never_a_fault_of_ours(world, lie):
    data, close = LIES[lie]
    before = rows(world.service.database, "SELECT count(*) FROM deliveries")
    assert status(await world.raw(data, close=close)) in (0, 400, 404, 413, 431)
    assert rows(world.service.database, "SELECT count(*) FROM deliveries") == before
    assert (await world.http.get(f"{world.service.url}/healthz")).status_code == 200


async def test_a_body_in_small_pieces_is_a_body(world):
    body = json.dumps(booking()).encode()
    pieces = [body[i : i + 40] for i in range(0, len(body), 40)]
    chunks = [f"{len(piece):x}\r\n".encode() + piece + b"\r\n" for piece in pieces]
    assert status(await world.raw(head("Transfer-Encoding: chunked"), *chunks, b"0\r\n\r\n")) == 202
