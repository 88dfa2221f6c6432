"""Who cannot prove to be the sender is refused: 401 or another 4xx, never a fault of ours, and nothing is stored."""

from __future__ import annotations

import base64
import hashlib
import hmac
import itertools
import json
import time

import pytest

from .listener import HMAC_SECRET, STANDARD_SECRET, booking, head, status
from .world import WEBHOOK_TOKEN, rows

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("still_well")]

TOKENS = [None, "", " ", "Bearer", "Bearer ", "wrong", f"{WEBHOOK_TOKEN}x", WEBHOOK_TOKEN[:-1], WEBHOOK_TOKEN.upper()]
TOKENS += [
    f"Basic {WEBHOOK_TOKEN}",
    f"Bearer Bearer {WEBHOOK_TOKEN}",
    f"{WEBHOOK_TOKEN}, {WEBHOOK_TOKEN}",
    "é" * 10,
    "\xff" * 99,
]


@pytest.mark.parametrize("token", TOKENS)
async def test_a_wrong_or_missing_token(listener, token):
    body = json.dumps(booking()).encode()
    stored = rows(listener.service.database, "SELECT count(*) FROM deliveries")
    answer = await listener.raw(head(f"Content-Length: {len(body)}", token=token) + body)
    assert status(answer) == 401
    assert rows(listener.service.database, "SELECT count(*) FROM deliveries") == stored


async def test_the_token_given_twice_or_too_long(listener):
    body = json.dumps(booking()).encode()
    length = f"Content-Length: {len(body)}"
    assert status(await listener.raw(head(length, f"Authorization: {WEBHOOK_TOKEN}") + body)) == 401
    assert status(await listener.raw(head(length, f"Authorization: {'x' * 20_000}", token=None) + body)) in (400, 401, 431)


async def test_bearer_and_bare_and_put_and_post_are_the_same(listener):
    for spelling, method in itertools.product(
        (WEBHOOK_TOKEN, f"Bearer {WEBHOOK_TOKEN}", f"bearer  {WEBHOOK_TOKEN}"), ("POST", "PUT")
    ):
        body = json.dumps(booking()).encode()
        assert status(await listener.raw(head(f"Content-Length: {len(body)}", method=method, token=spelling) + body)) == 202


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


async def test_malformed_hmac_signatures_and_timestamps(listener):
    body, now = json.dumps(booking()).encode(), str(int(time.time()))
    length = f"Content-Length: {len(body)}"

    async def answer(signature, stamp):
        lines = (length, f"X-Signature: {signature}", f"X-Timestamp: {stamp}")
        return status(await listener.raw(head(*lines, path="/webhooks/signed", token=None) + body))

    for signature in SIGNATURES:
        assert await answer(signature, now) in (400, 401), signature
    for stamp in STAMPS:
        assert await answer(signed(body, stamp), stamp) in (400, 401), stamp
    assert await answer(signed(body, now), now) == 202


async def test_malformed_standard_webhooks_headers(listener):
    body, now = json.dumps(booking()).encode(), str(int(time.time()))
    length = f"Content-Length: {len(body)}"
    secret = base64.b64decode(STANDARD_SECRET)

    def sign(message_id, stamp):
        message = f"{message_id}.{stamp}.".encode("latin-1") + body
        return "v1," + base64.b64encode(hmac.new(secret, message, hashlib.sha256).digest()).decode()

    async def answer(message_id, stamp, signature):
        lines = (length, f"webhook-id: {message_id}", f"webhook-timestamp: {stamp}", f"webhook-signature: {signature}")
        return status(await listener.raw(head(*lines, path="/webhooks/standard", token=None) + body))

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
    "path", ["/webhooks/nobody", "/webhooks/nobody/", "/webhooks/", "/webhooks/stores%2F..", "/webhooks/a/b"]
)
@pytest.mark.parametrize("token", [WEBHOOK_TOKEN, "wrong"])
async def test_an_unknown_source_is_404_whatever_the_token(listener, path, token):
    body = json.dumps(booking()).encode()
    assert status(await listener.raw(head(f"Content-Length: {len(body)}", path=path, token=token) + body)) == 404


@pytest.mark.parametrize("method", ["GET", "HEAD", "DELETE", "PATCH", "OPTIONS"])
async def test_other_methods_are_405(listener, method):
    answer = await listener.raw(head("Content-Length: 0", method=method))
    assert status(answer) == 405
    assert b"allow: post, put" in answer.lower()
