"""Bad input gets a clear answer and loses nothing: a real server process, raw sockets where a client would be too polite."""

from __future__ import annotations

import asyncio
import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest

from .listener import booking, head, ids, status
from .world import eventually, rows

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("still_well")]

# ---- what is sent ----

NOT_JSON = [b"", b" \n", b"{", b'{"id": ', b'{"id": 1}}', b"nonsense", b"\xff\xfe{}", b"\xef\xbb\xbf", b'"\xc3"', b"NaN"]
NOT_JSON += [
    b'{"id": NaN}',
    b"[Infinity]",
    b'{"id": -Infinity}',
    b"[" * 100_000,
    b'{"a":' * 50_000,
]
NOT_JSON += [b"{'id': 1}", b'{"id": 1,}', b"\x00", b'"\x01"', b'"unfinished', b'{"id": "\\u12"}']


@pytest.mark.parametrize("body", NOT_JSON, ids=lambda body: repr(body[:16]))
async def test_what_is_not_json_is_400(listener, body):
    code, answer = await listener.deliver(body)
    assert code == 400
    assert answer["message"].endswith(".")
    assert answer["error"] == "not_json"


ODD = [b"null", b"true", b"0", b'"text"', b"[]", b"{}", b"[{}]", b'{"id": "odd-1"}', b'{"type": "appointment.created"}']
ODD += [b'{"id": null, "type": null}', b'{"id": {}, "type": []}', b'{"id": "odd-2", "type": "appointment.created"}']
ODD += [b'{"id": "odd-3", "type": "appointment.created", "content": []}', b"1e400", b"1" * 10_000, b'{"id": "odd-4\\u0000"}']


@pytest.mark.parametrize("body", ODD, ids=lambda body: repr(body[:60]))
async def test_json_that_is_not_understood_is_stored_and_held(listener, body):
    code, answer = await listener.deliver(body)
    assert (code, answer["status"]) == (202, "held")
    event = listener.event(answer["event"])
    assert event["state"] == "held"
    assert event["reason"]
    assert event["hint"]
    assert (await listener.deliver(body))[1] == {"status": "duplicate", "event": answer["event"]}


async def test_an_unknown_event_is_stored_and_ignored(listener):
    body = {**booking(), "type": "something.else"}
    assert await listener.deliver(body) == (202, {"status": "ignored", "event": body["id"]})
    assert "unknown event type" in listener.event(body["id"])["reason"]


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


async def test_wrong_types_anywhere_are_stored_one_way_or_another(listener):
    whole = booking(mobilePhoneNumber="514-555-0101")
    whole["content"]["clientLinks"] = [{"clientId": 1, "moduleId": "hubspot", "externalId": "77"}]
    whole["content"]["booking"]["attendees"] = [{"id": 899_000, "firstName": "Bo", "email": "bo@example.com"}]
    bodies = list(variants(whole))
    limit = asyncio.Semaphore(8)

    async def send(number: int, body: Any) -> str:
        if "id" in body and body["id"] == whole["id"]:
            body["id"] = f"odd-type-{number}"
        async with limit:
            code, answer = await listener.deliver(body)
        assert code == 202, body
        return answer["status"]

    found = await asyncio.gather(*(send(number, body) for number, body in enumerate(bodies)))
    assert len(found) > 350
    assert {"queued", "held", "ignored"} <= set(found)
    assert found.count("duplicate") < 40, "only where the envelope's id was replaced by one that had come before"


async def test_ids_beyond_thirty_two_bits_stay_what_they_are(listener):
    for client in (2**31, 2**53 + 1, 2**63 + 1, "00012345678901234567"):
        body = booking(id=client)
        assert (await listener.deliver(body))[0] == 202
        assert listener.event(body["id"])["client_id"] == str(client).lstrip("0")
    body = {**booking(), "id": 2**80 + 1}
    assert (await listener.deliver(body))[1]["event"] == str(2**80 + 1)


# ---- who is booked for ----


async def test_a_client_without_id_is_held(listener):
    body = booking(id=None)
    assert (await listener.deliver(body))[1]["status"] == "held"
    assert listener.event(body["id"])["reason"] == "the client has no id"


NOBODY: list[dict[str, Any]] = [
    {"firstName": "", "lastName": "", "email": "", "mobilePhoneNumber": ""},
    {"firstName": None, "lastName": None, "email": None},
    {"firstName": "Walk-in", "lastName": "", "email": ""},
    {"firstName": "Anonymous", "lastName": "Anonymous", "email": "anonymous"},
    {"firstName": "deleted", "lastName": "deleted", "email": "deleted@", "mobilePhoneNumber": "000"},
    {"firstName": "*****", "lastName": "*****", "email": "*****", "mobilePhoneNumber": "*****"},
]


@pytest.mark.parametrize("fields", NOBODY, ids=lambda fields: repr(fields["firstName"]))
async def test_a_client_nobody_can_be_found_by_is_ignored_and_creates_nobody(listener, fields):
    body = booking(**fields)
    await listener.deliver(body)
    event = await listener.becomes(body["id"], "ignored")
    assert "nothing to identify the client" in event["reason"]
    assert rows(listener.service.database, "SELECT * FROM links WHERE client_id = ?", event["client_id"]) == []
    names = {contact.get("firstname") for contact in listener.sides.hubspot.contacts()}
    assert fields["firstName"] not in names - {None}


NAMES = [
    ("Cher", ""),
    ("", "Madonna"),
    ("Juan Carlos Alfonso", "de Borbón y Borbón"),
    ("李小龙", ""),
    ("O'Neil-Ñandú", "van 't Hoff, Jr."),
]


@pytest.mark.parametrize(("first", "last"), NAMES)
async def test_names_of_one_word_or_five(listener, first, last):
    client = listener.sides.booxi.add_client(firstName=first, lastName=last, email=f"named-{next(ids)}@example.com")
    listener.sides.booxi.book(client)
    await listener.sides.booxi.send_webhooks()
    await eventually(lambda: client in listener.sides.booxi.links(), 20)
    (contact,) = [c for c in listener.sides.hubspot.contacts() if c["id"] == listener.sides.booxi.links()[client]]
    assert f"{contact.get('firstname', '')} {contact.get('lastname', '')}".split() == f"{first} {last}".split()


async def test_a_phone_number_without_country_is_read_in_the_sources_country(listener):
    sides = listener.sides
    client = sides.booxi.add_client(firstName="Nora", lastName="Phone", mobilePhoneNumber="(514) 555-0177")
    sides.booxi.book(client)
    await sides.booxi.send_webhooks()
    await eventually(lambda: client in sides.booxi.links(), 20)
    (contact,) = [c for c in sides.hubspot.contacts() if c["id"] == sides.booxi.links()[client]]
    assert contact["mobilephone"] == "+15145550177"


async def test_an_address_shared_by_two_clients_is_one_contact_and_two_links(listener):
    sides = listener.sides
    clients = [sides.booxi.add_client(firstName="Ida", lastName="Shared", email="shared@example.com") for _ in range(2)]
    for client in clients:
        sides.booxi.book(client)
    await sides.booxi.send_webhooks(concurrency=2)
    await eventually(lambda: set(clients) <= sides.booxi.links().keys(), 20)
    assert len({sides.booxi.links()[client] for client in clients}) == 1
    assert [c.get("email") for c in sides.hubspot.contacts()].count("shared@example.com") == 1


# ---- how it is sent ----


async def test_ten_megabytes_are_refused_before_they_have_arrived(listener):
    code, answer = await listener.deliver(b'{"x": "' + b"x" * 10_000_000 + b'"}')
    assert (code, answer["error"]) == (413, "too_large")
    assert "server.max_body_bytes" in answer["message"]


async def test_ten_megabytes_in_chunks_are_refused(listener):
    chunk = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"
    answer = await listener.raw(head("Transfer-Encoding: chunked"), *[chunk] * 160, b"0\r\n\r\n")
    assert status(answer) in (413, 0)
    assert status(await listener.raw(head("Transfer-Encoding: chunked"), *[chunk] * 20)) == 413


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
async def test_bodies_that_lie_are_never_stored_and_never_a_fault_of_ours(listener, lie):
    data, close = LIES[lie]
    before = rows(listener.service.database, "SELECT count(*) FROM deliveries")
    assert status(await listener.raw(data, close=close)) in (0, 400, 404, 413, 431)
    assert rows(listener.service.database, "SELECT count(*) FROM deliveries") == before
    assert (await listener.http.get(f"{listener.service.url}/healthz")).status_code == 200


async def test_a_body_in_small_pieces_is_a_body(listener):
    body = json.dumps(booking()).encode()
    pieces = [body[i : i + 40] for i in range(0, len(body), 40)]
    chunks = [f"{len(piece):x}\r\n".encode() + piece + b"\r\n" for piece in pieces]
    assert status(await listener.raw(head("Transfer-Encoding: chunked"), *chunks, b"0\r\n\r\n")) == 202
