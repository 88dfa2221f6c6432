"""The outermost layer: no 500, no traceback, no answer without the headers that every answer has, no ambiguous request."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
import structlog.testing
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from connector.web.front import Front

from .fakes import SECRET, Clock, World

pytestmark = pytest.mark.anyio


async def _explode(_request: Request) -> PlainTextResponse:
    raise LookupError("jane.doe@example.com is unknown")


async def test_an_unexpected_error_is_503_without_a_traceback() -> None:
    with structlog.testing.capture_logs() as logs:
        async with World(extra_routes=[Route("/broken", _explode)]).client() as client:
            response = await client.get("/broken")
    assert response.status_code == 503
    assert response.headers["retry-after"] == "30"
    assert set(response.json()) == {"error", "message"}
    (line,) = logs
    assert line["error"] == "LookupError"
    assert re.fullmatch(r"front\.py:\d+ test_front\.py:\d+", line["place"])
    assert "jane.doe" not in str(logs) + response.text
    assert "exc_info" not in line


async def test_many_unexpected_errors_are_one_line_in_ten_seconds() -> None:
    clock = Clock(0)

    async def broken(_scope: Any, _receive: Any, _send: Any) -> None:
        raise UnicodeError

    front = Front(broken, broken, clock=clock)
    with structlog.testing.capture_logs() as logs:
        for now in (0, 1, 9, 11):
            clock.now = now
            for path in ("/webhooks/stores", "/login"):
                sent = await _ask(front, path)
                assert sent[0]["status"] == 503
    assert [line["silent"] for line in logs] == [0, 5]


async def test_an_error_after_the_answer_has_begun_adds_nothing_to_it() -> None:
    async def late(_scope: Any, _receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise RuntimeError

    assert [message["type"] for message in await _ask(Front(late, late), "/")] == ["http.response.start"]


async def _ask(front: Front, path: str, headers: list[tuple[bytes, bytes]] | None = None) -> list[dict[str, Any]]:
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": path, "headers": headers or [], "query_string": b""}
    await front(scope, receive, send)
    return sent


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/healthz"),
        ("GET", "/readyz"),
        ("GET", "/nothing"),
        ("POST", "/webhooks/stores"),
        ("GET", "/login"),
        ("GET", "/"),
    ],
)
async def test_every_answer_is_kept_by_nobody_and_taken_for_nothing_else(method: str, path: str) -> None:
    for public_url, https in ((None, False), ("http://hooks.example.com", False), ("https://hooks.example.com", True)):
        async with World(public_url=public_url).client() as client:
            response = await client.request(method, path)
        assert response.headers["x-content-type-options"] == "nosniff"
        assert response.headers.get_list("cache-control") == ["no-store"]
        assert ("strict-transport-security" in response.headers) is https


@pytest.mark.parametrize(
    "headers",
    [
        [(b"host", b"hooks.example.com"), (b"host", b"other.example.com")],
        [(b"transfer-encoding", b"gzip, chunked")],
        [(b"transfer-encoding", b"\x0bchunked")],
        [(b"transfer-encoding", b"identity")],
        [(b"transfer-encoding", b"chunked"), (b"transfer-encoding", b"chunked")],
        [(b"transfer-encoding", b"chunked"), (b"content-length", b"2")],
        [(b"content-length", b"2"), (b"content-length", b"2")],
    ],
    ids=range(7),
)
async def test_what_a_proxy_may_understand_otherwise_is_refused(headers: list[tuple[bytes, bytes]]) -> None:
    sent = await _ask(World().app, "/webhooks/stores", [(b"authorization", SECRET.encode()), *headers])  # type: ignore[arg-type]
    assert sent[0]["status"] == 400
    assert (b"connection", b"close") in sent[0]["headers"]
    assert json.loads(sent[1]["body"])["error"] == "bad_request"


@pytest.mark.parametrize("path", ["/webhooks/stores/", "/webhooks/stores", "//webhooks/stores", "///webhooks/stores/"])
async def test_a_slash_more_at_either_end_of_the_address_works(path: str) -> None:
    async with World().client() as client:
        url = f"http://connector.example.com{path}"
        response = await client.post(url, content=b'{"id": 1, "client": 2}', headers={"authorization": SECRET})
    assert (response.status_code, response.json()["status"]) == (202, "queued")


async def test_a_slash_more_leads_to_no_page() -> None:
    async with World().client() as client:
        assert (await client.get("http://connector.example.com//status.json")).status_code == 404


@pytest.mark.parametrize("path", ["/webhooks/", "/webhooks/stores//", "/webhooks/stores/x", "/webhooks/%2Fstores"])
async def test_other_addresses_of_webhooks_are_404(path: str) -> None:
    async with World().client() as client:
        response = await client.post(path, content=b"{}", headers={"authorization": SECRET})
    assert (response.status_code, response.json()["error"]) == (404, "unknown_source")


@pytest.mark.parametrize("charset", ["undefined", "idna", "punycode", "\xff", "utf-16"])
async def test_no_form_reaches_a_parser_that_fails(charset: str) -> None:
    for kind in ("multipart/form-data; boundary=x", "application/x-www-form-urlencoded"):
        async with World().client() as client:
            headers = {b"content-type": f"{kind}; charset={charset}".encode("latin-1")}
            response = await client.post(
                "/login", content=b"--x\r\nContent-Disposition: form-data; name=a\r\n\r\n", headers=headers
            )
        assert response.status_code in {400, 401, 415}
