"""Every row of the contract about deliveries."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import json
import weakref
import zlib
from typing import Any

import pytest
import structlog.testing
from hypothesis import given
from hypothesis import strategies as st

from connector.model.deliveries import Delivery
from connector.model.errors import Overloaded, StoreError
from connector.remote.signatures import Verified
from connector.web.interfaces import Source
from connector.web.receiver import receiver as receiver_module
from connector.web.receiver.connection import ARRIVED
from connector.web.receiver.receiver import Receiver
from connector.web.receiver.stats import ReceiverStats

from ..fakes import NOW, SECRET, MemoryIntake, TokenVerifier, World, read

pytestmark = pytest.mark.anyio

GOOD = json.dumps({"id": "e-1", "client": 7}).encode()


@pytest.mark.parametrize("method", ["POST", "PUT"])
async def test_a_delivery_is_stored_and_answered_202(method: str) -> None:
    world = World()
    response = await world.deliver(GOOD, method=method)
    assert response.status_code == 202
    assert response.json() == {"status": "queued", "event": "e-1"}
    stored = world.intake.only
    assert (stored.source, stored.event, stored.derived, stored.body, stored.received_at) == ("stores", "e-1", False, GOOD, NOW)


async def test_what_was_parsed_does_not_wait_for_the_store(monkeypatch: pytest.MonkeyPatch) -> None:
    """Held by every delivery that waits for the commit, it would be more than all the rest of them."""

    class Parsed(dict[str, Any]):
        """A dictionary that can be watched."""

    world, watched = World(), []

    def parse(_type: str, body: bytes, *, forms: bool) -> Parsed:
        data = Parsed(json.loads(body))
        watched.append(weakref.ref(data))
        return data

    async def accept(_delivery: Delivery) -> str:
        return "gone" if watched[0]() is None else "held in memory"

    monkeypatch.setattr(receiver_module.payload, "read", parse)
    monkeypatch.setattr(world.intake, "accept", accept)
    assert (await world.deliver(GOOD)).json()["status"] == "gone"


async def test_a_second_delivery_of_an_event_is_a_duplicate() -> None:
    world = World()
    await world.deliver(GOOD)
    assert (await world.deliver(GOOD)).json() == {"status": "duplicate", "event": "e-1"}
    assert world.stats.received("stores") == 2


async def test_ignored_and_held_are_202_too() -> None:
    world = World()
    assert (await world.deliver(b'{"id": 1, "client": null}')).json() == {"status": "ignored", "event": "1"}
    for body in (b"[]", b"5", b'"text"', b"null", b"true", b"{}"):
        assert (await world.deliver(body)).json()["status"] == "held"


async def test_without_an_id_the_body_is_hashed() -> None:
    world = World()
    body = b'{"client": 7}'
    event = "sha256:" + hashlib.sha256(body).hexdigest()
    assert (await world.deliver(body)).json() == {"status": "queued", "event": event}
    assert world.intake.only.derived


async def test_the_signed_message_id_stands_in_for_a_missing_event_id() -> None:
    world = World()
    assert (await world.deliver(b'{"client": 7}', webhook_id="msg_1")).json()["event"] == "msg_1"
    assert (await world.deliver(GOOD, webhook_id="msg_2")).json()["event"] == "e-1"


async def test_an_endless_id_is_hashed() -> None:
    world = World()
    event = (await world.deliver(json.dumps({"id": "x" * 5000, "client": 7}).encode())).json()["event"]
    assert event == "sha256:" + hashlib.sha256(b"x" * 5000).hexdigest()


async def test_a_failing_adapter_holds_the_delivery() -> None:
    world = World()
    with structlog.testing.capture_logs() as logs:
        response = await world.deliver(b'{"explode": true}')
    assert response.status_code == 202
    assert response.json()["status"] == "held"
    reading = world.intake.only.reading
    assert reading.held == "the adapter could not read the delivery (RuntimeError)"
    assert reading.hint
    assert "jane.doe" not in str(logs) + str(reading)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"  \n",
        b"{",
        b"not json",
        b'{"id": NaN, "client": 7}',
        b"[Infinity]",
        b"-Infinity",
        b"\xff\xfe{}",
        b"\xef\xbb\xbf",
        b'{"id": "\xe9"}',
        b'"\xed\xa0\x80"',
        b'{"id": "\\ud80", "client": 7}',
        b'{"\\uDFFG": 1}',
        b"[" * 100_000,
        b"[" * 100_000 + b"]" * 100_000,
        '{"id": 1}'.encode("utf-16"),
        b"{} {}",
    ],
    ids=range(17),
)
async def test_what_is_not_utf8_json_is_400(body: bytes) -> None:
    world = World()
    response = await world.deliver(body)
    assert response.status_code == 400
    assert response.json()["error"] == "not_json"
    assert response.json()["message"].endswith(".")
    assert not world.intake.stored


@pytest.mark.parametrize(
    "body",
    [
        '{"id": "é😀", "client": 7}'.encode(),
        b'{"id": "\\ud83d\\ude00", "client": 7}',
        b'{"id":1,"id":2,"client":1}',
        b'{"client": 7, "id": ' + b"1" * 5000 + b"}",
        b'{"client": 7, "id": -' + b"1" * 4301 + b"}",
        b"1" * 5000,
    ],
    ids=range(6),
)
async def test_odd_but_proper_json_is_taken(body: bytes) -> None:
    assert (await World().deliver(body)).status_code == 202


async def test_ids_that_differ_in_half_of_a_surrogate_pair_are_two() -> None:
    world = World()
    bodies = [b'{"id": "a\\ud83d", "client": 7}', b'{"id": "a\\ude00", "client": 7}']
    answers = [(await world.deliver(body)).json() for body in bodies]
    assert [answer["status"] for answer in answers] == ["queued", "queued"]
    assert len({answer["event"] for answer in answers}) == 2
    assert all(answer["event"].startswith("sha256:") for answer in answers)
    assert (await world.deliver(bodies[0])).json()["status"] == "duplicate"


async def test_a_wrong_token_is_401_and_never_reaches_the_store() -> None:
    world = World()
    for body in (GOOD, b"", b"not json"):
        response = await world.deliver(body, authorization="wrong")
        assert response.status_code == 401
        assert response.json() == {"error": "verification", "message": "The request could not be verified."}
    assert not world.intake.stored
    assert world.stats.refused("stores") == {"verification": 3}


async def test_a_token_given_twice_is_not_a_token() -> None:
    world = World()
    async with world.client() as client:
        headers = [("authorization", SECRET), ("authorization", "x")]
        assert (await client.post("/webhooks/stores", content=GOOD, headers=headers)).status_code == 401


@pytest.mark.parametrize("token", [SECRET, "wrong", ""])
async def test_an_unknown_source_is_404_whatever_the_token(token: str) -> None:
    world = World()
    for source in ("nobody", "STORES", "stores%00", "../stores", "st ores", "-"):
        response = await world.deliver(GOOD, source=source, authorization=token)
        assert response.status_code == 404
    assert (await world.deliver(GOOD, source="stores//", authorization=token)).status_code == 404
    assert set(world.stats.refusals) == {("-", "unknown_source")}


@pytest.mark.parametrize("method", ["GET", "HEAD", "DELETE", "PATCH", "OPTIONS", "TRACE", "BREW"])
async def test_other_methods_are_405(method: str) -> None:
    response = await World().deliver(b"", method=method)
    assert response.status_code == 405
    assert response.headers["allow"] == "POST, PUT"


@pytest.mark.parametrize(("method", "said"), [("GET", True), ("PATCH", False)])
async def test_a_get_may_be_a_post_that_was_redirected(method: str, said: bool) -> None:
    """traefik/traefik issue 1819, grafana/grafana issue 33591: the sender follows the redirect without the body."""
    with structlog.testing.capture_logs() as logs:
        await World().deliver(b"", method=method)
    assert ["give the sender the https address" in line.get("detail", "") for line in logs] == [said]


async def test_the_size_limit_is_exact() -> None:
    world = World(max_body_bytes=len(GOOD))
    assert (await world.deliver(GOOD)).status_code == 202
    response = await world.deliver(GOOD + b" ")
    assert response.status_code == 413
    assert "server.max_body_bytes" in response.json()["message"]
    assert world.stats.refused("stores") == {"too_large": 1}


async def test_too_large_comes_before_verification() -> None:
    world = World(max_body_bytes=10)
    assert (await world.deliver(GOOD, authorization="wrong")).status_code == 413


async def test_overload_is_503_with_retry_after() -> None:
    world = World()
    world.intake.problem = Overloaded("the waiting room is full")
    with structlog.testing.capture_logs() as logs:
        response = await world.deliver(GOOD)
    assert [line["detail"] for line in logs] == ["the waiting room is full"]
    assert (response.status_code, response.headers["retry-after"]) == (503, "5")
    assert response.json()["error"] == "overloaded"


@pytest.mark.parametrize("problem", [StoreError("the disk is nearly full"), RuntimeError("jane.doe@example.com")])
async def test_a_store_unavailable_is_503_and_loud(problem: Exception) -> None:
    world = World()
    world.intake.problem = problem
    with structlog.testing.capture_logs() as logs:
        response = await world.deliver(GOOD)
    assert (response.status_code, response.headers["retry-after"]) == (503, "30")
    assert [line["log_level"] for line in logs] == ["error"]
    assert "jane.doe" not in str(logs) + response.text
    assert world.stats.received("stores") == 0


async def test_a_defective_verifier_refuses_everybody() -> None:
    class Broken:
        def verify(self, headers: Any, body: bytes, *, now: float) -> Verified:
            raise ValueError("secret")

    status, _ = await drive(receiver(verifier=Broken()), [body(GOOD)])
    assert status == 401


async def test_only_harmless_headers_are_stored() -> None:
    world = World()
    await world.deliver(
        GOOD, cookie="a=b", x_signature="s", content_type="application/json", user_agent="u" * 900, webhook_id="m"
    )
    assert world.intake.only.headers == {"content-type": "application/json", "user-agent": "u" * 500, "webhook-id": "m"}


async def test_a_flood_of_refusals_is_counted_but_logged_once() -> None:
    world = World()
    with structlog.testing.capture_logs() as logs:
        for _ in range(50):
            await world.deliver(GOOD, authorization="wrong")
        world.clock.now += 11
        await world.deliver(GOOD, authorization="wrong")
    assert [line.get("silent", 0) for line in logs] == [0, 49]
    assert world.stats.refused("stores") == {"verification": 51}
    assert "wrong" not in str(logs)


async def test_logs_name_source_delivery_and_status() -> None:
    world = World()
    with structlog.testing.capture_logs() as logs:
        await world.deliver(GOOD)
        await world.deliver(GOOD)
    wanted = [("debug", "queued"), ("info", "duplicate")]
    assert [(line["log_level"], line["status"]) for line in logs] == wanted
    assert {(line["source"], line["delivery"]) for line in logs} == {("stores", "e-1")}


# Bodies as ASGI messages: what an honest HTTP client would not send.


def receiver(
    *, verifier: Any = None, intake: MemoryIntake | None = None, limit: int = 100, body_timeout: float = 5
) -> Receiver:
    source = Source("stores", read, verifier or TokenVerifier())
    stats = ReceiverStats()
    return Receiver({"stores": source}, intake or MemoryIntake(), stats=stats, max_body_bytes=limit, body_timeout=body_timeout)


def body(chunk: bytes, *, more: bool = False) -> dict[str, Any]:
    return {"type": "http.request", "body": chunk, "more_body": more}


async def drive(
    app: Receiver,
    messages: list[dict[str, Any]],
    headers: list[tuple[bytes, bytes]] | None = None,
    *,
    arrived: bool = False,
) -> tuple[int | None, list[dict[str, Any]]]:
    """Feed `messages`, then silence; answers (status, everything sent)."""
    sent: list[dict[str, Any]] = []
    waiting = list(messages)

    async def receive() -> dict[str, Any]:
        if not waiting:
            await asyncio.Event().wait()
        return waiting.pop(0)

    async def send(message: Any) -> None:
        sent.append(message)

    auth = [(b"authorization", SECRET.encode())]
    scope = {"type": "http", "method": "POST", "headers": [*auth, *(headers or [])], "path_params": {"source": "stores"}}
    await app(scope | ({ARRIVED: True} if arrived else {}), receive, send)
    return (sent[0]["status"] if sent else None), sent


async def test_a_body_in_many_chunks_is_put_together() -> None:
    intake = MemoryIntake()
    chunks = [body(GOOD[i : i + 1], more=True) for i in range(len(GOOD))]
    assert (await drive(receiver(intake=intake), [*chunks, body(b"")]))[0] == 202
    assert intake.only.body == GOOD


async def test_an_announced_length_over_the_limit_is_refused_before_reading() -> None:
    for length in (b"101", b"9" * 6000):
        status, sent = await drive(receiver(body_timeout=0.02), [], [(b"content-length", length)])
        assert status == 413
        assert (b"connection", b"close") in sent[0]["headers"]
        assert sent[-1] == {"type": "http.response.body", "body": b"", "more_body": False}


async def test_a_lying_length_does_not_help() -> None:
    for length in (b"5", b"-1", b"x", b"\xb2", b""):
        messages = [body(b"x" * 60, more=True), body(b"x" * 60, more=True), body(b"x" * 5000, more=True)]
        status, _ = await drive(receiver(body_timeout=0.02), messages, [(b"content-length", length)])
        assert status == 413


@pytest.mark.parametrize(("size", "status"), [(100, 202), (101, 413)])
async def test_a_body_that_is_already_here_is_bounded_too(size: int, status: int) -> None:
    text = b'"' + b"x" * (size - 2) + b'"'
    assert (await drive(receiver(), [body(text)], arrived=True))[0] == status


async def test_a_slow_body_is_408() -> None:
    status, sent = await drive(receiver(body_timeout=0.01), [body(b"{", more=True)])
    assert status == 408
    assert (b"connection", b"close") in sent[0]["headers"]


async def test_bodies_on_their_way_in_have_a_bound_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(receiver_module, "MAX_ARRIVING", 1000)
    app = receiver(limit=100, body_timeout=0.05)
    slow = [asyncio.create_task(drive(app, [body(b"x" * 100, more=True)])) for _ in range(10)]
    await asyncio.sleep(0)
    status, sent = await drive(app, [body(GOOD)])
    assert status == 503
    assert {(b"retry-after", b"1"), (b"connection", b"close")} <= set(sent[0]["headers"])
    assert [(await task)[0] for task in slow] == [408] * 10
    assert (await drive(app, [body(GOOD)]))[0] == 202


async def test_a_sender_that_goes_away_gets_no_answer_and_nothing_is_stored() -> None:
    intake = MemoryIntake()
    assert await drive(receiver(intake=intake), [body(GOOD, more=True), {"type": "http.disconnect"}]) == (None, [])
    assert not intake.stored


@given(
    chunks=st.lists(st.binary(max_size=80) | st.sampled_from([GOOD, b'{"explode": true}', b"[", b"NaN"]), max_size=4),
    method=st.sampled_from(["POST", "PUT", "GET", "\x00"]),
    source=st.sampled_from(["stores", "other", "", "\ud800"]),
    headers=st.lists(
        st.tuples(st.sampled_from([b"authorization", b"content-length", b"webhook-id", b"user-agent"]), st.binary(max_size=20)),
        max_size=4,
    ),
    problem=st.sampled_from([None, Overloaded("full"), StoreError("broken"), KeyError("x")]),
    honest=st.booleans(),
)
def test_whatever_comes_the_answer_is_one_of_the_contract(
    chunks: list[bytes], method: str, source: str, headers: list[tuple[bytes, bytes]], problem: Exception | None, honest: bool
) -> None:
    intake = MemoryIntake()
    intake.problem = problem
    waiting = [*(body(chunk, more=True) for chunk in chunks), body(b"")]
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return waiting.pop(0) if waiting else {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)

    auth = [(b"authorization", SECRET.encode())] if honest else []
    scope = {"type": "http", "method": method, "headers": [*auth, *headers], "path_params": {"source": source}}
    asyncio.run(receiver(intake=intake)(scope, receive, send))
    status = sent[0]["status"]
    assert status in {202, 400, 401, 404, 405, 413, 503}
    assert bool(intake.stored) == (status == 202)
    json.loads(b"".join(message.get("body", b"") for message in sent[1:]))


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
async def test_a_compressed_delivery_is_stored_unpacked(coding: str) -> None:
    world = World()
    packed = {"gzip": gzip.compress, "deflate": zlib.compress}[coding](GOOD)
    assert (await world.deliver(packed, content_encoding=coding)).json() == {"status": "queued", "event": "e-1"}
    assert world.intake.only.body == GOOD


async def test_a_body_that_is_too_large_once_unpacked_is_413() -> None:
    world = World(max_body_bytes=1000)
    packed = gzip.compress(b'{"id": 1, "client": 2' + b" " * 5000 + b"}")
    response = await world.deliver(packed, content_encoding="gzip")
    assert (response.status_code, response.json()["error"]) == (413, "too_large")
    assert (await world.deliver(b"{}", content_encoding="br")).status_code == 400


async def test_a_charset_and_a_byte_order_mark_are_understood() -> None:
    world = World()
    response = await world.deliver(GOOD.decode().encode("utf-16"), content_type="application/json; charset=utf-16")
    assert response.json() == {"status": "queued", "event": "e-1"}
    response = await world.deliver(b"\xef\xbb\xbf" + b'{"id": "e-2", "client": 7}')
    assert response.json() == {"status": "queued", "event": "e-2"}
