"""Who sees the status page, and who does not."""

from __future__ import annotations

import re
from typing import Any

import httpx
import pytest
import structlog.testing
from hypothesis import given
from hypothesis import strategies as st
from starlette.datastructures import Headers

from connector.web.access import ATTEMPTS, IDLE, MOST_PEERS, MOST_SESSIONS, SESSION, WINDOW, Access, Operator

from .fakes import TOKEN, Clock, World

pytestmark = pytest.mark.anyio

LOCAL = {"host": "127.0.0.1:8080"}
PRIVATE_PATHS = ["/status", "/status.json", "/metrics"]


def access(**options: object) -> Access:
    defaults = {"public_url": None, "token": TOKEN}
    return Access(**{**defaults, **options})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"host": "127.0.0.1:8080"},
        {"host": "localhost"},
        {"host": "[::1]"},
        {"x-forwarded-for": "127.0.0.1"},
        {"via": "1.1 proxy"},
    ],
)
def test_nothing_is_opened_by_what_the_headers_say(headers: dict[str, str]) -> None:
    """A plain `proxy_pass` adds nothing and hands on a loopback address."""
    for options in ({}, {"token": None}):
        assert not access(**options).admits(Headers(headers), None)


def test_bearer_token() -> None:
    closed = access()
    for good in (f"Bearer {TOKEN}", f"bearer {TOKEN}", f"BEARER   {TOKEN} "):
        assert closed.admits(Headers({"authorization": good}), None)
    for bad in (TOKEN, f"Basic {TOKEN}", "Bearer", "Bearer ", f"Bearer {TOKEN}x", f"Bearer {TOKEN[:-1]}", "Bearer é"):
        assert not closed.admits(Headers({"authorization": bad}), None)


def test_without_a_token_nothing_is_the_right_token() -> None:
    closed = access(token=None)
    assert not closed.configured
    for offered in ("", "None", " "):
        assert closed.log_in(offered) is None
        assert not closed.admits(Headers({"authorization": f"Bearer {offered}"}), offered)


def test_a_session_ends_in_time_with_the_start_and_by_logging_out() -> None:
    clock = Clock()
    closed = access(clock=clock)
    cookie = closed.log_in(TOKEN)
    assert cookie is not None
    assert TOKEN not in cookie
    assert closed.admits(Headers(), cookie)
    assert not access(clock=clock).admits(Headers(), cookie), "sessions are the process's own"
    for _ in range(SESSION // IDLE + 1):
        assert closed.admits(Headers(), cookie)
        clock.now += IDLE - 1
    assert not closed.admits(Headers(), cookie), "it cannot be prolonged without end"
    other = closed.log_in(TOKEN)
    closed.log_out(other)
    assert not closed.admits(Headers(), other)


def test_a_session_that_is_not_used_ends() -> None:
    clock = Clock()
    closed = access(clock=clock)
    cookie = closed.log_in(TOKEN)
    clock.now += IDLE
    assert not closed.admits(Headers(), cookie)


def test_the_printed_address_is_good_once() -> None:
    closed = access(token=None)
    code = closed.login_path.partition("=")[2]
    assert closed.redeem("wrong") is None
    cookie = closed.redeem(code)
    assert closed.admits(Headers(), cookie)
    assert closed.redeem(code) is None
    assert closed.redeem("") is None


def test_sessions_are_bounded() -> None:
    closed = access()
    first = closed.log_in(TOKEN)
    for _ in range(MOST_SESSIONS):
        closed.log_in(TOKEN)
    assert not closed.in_session(first)


@given(st.text(max_size=80))
def test_no_cookie_or_header_is_ever_an_error_or_a_key(text: str) -> None:
    closed = access()
    assert not closed.admits(Headers(raw=[(b"authorization", text.encode("utf-8", "replace"))]), text)
    assert closed.log_in(text) is None


def test_wrong_tokens_are_limited_for_a_while() -> None:
    clock = Clock()
    closed = access(clock=clock)
    for _ in range(ATTEMPTS):
        assert closed.wait() == 0
        closed.log_in("wrong")
    assert closed.wait() == WINDOW
    clock.now += WINDOW
    assert closed.wait() == 0


# Through the application.


async def test_the_printed_address_leads_to_the_page() -> None:
    world = World(token=None)
    async with world.client() as client:
        assert (await client.get("/status")).headers["location"] == "/login"
        assert "printed when it started" in (await client.get("/login")).text
        wrong = await client.get("/login?token=wrong")
        assert (wrong.status_code, "set-cookie" in wrong.headers) == (401, False)
        done = await client.get(world.access.login_path)
        assert (done.status_code, done.headers["location"]) == (303, "/status")
        assert (await client.get("/status")).status_code == 200
    async with world.client() as other:
        assert (await other.get(world.access.login_path)).status_code == 401


@pytest.mark.parametrize(
    "headers",
    [
        {"user-agent": "Slackbot-LinkExpanding 1.0"},
        {"user-agent": "WhatsApp/2.23"},
        {"user-agent": "Mozilla/5.0 (compatible; Preview)"},
        {"user-agent": "Mozilla/5.0", "sec-purpose": "prefetch"},
        {"user-agent": ""},
    ],
)
async def test_a_preview_does_not_use_the_printed_address_up(headers: dict[str, str]) -> None:
    world = World(token=None)
    async with world.client() as previewer:
        for method in ("HEAD", "GET", "GET"):
            seen = await previewer.request(method, world.access.login_path, headers=headers)
            assert (seen.status_code, "set-cookie" in seen.headers) == (200, False)
    async with world.client() as browser:
        page = await browser.get(world.access.login_path, headers={"user-agent": "Mozilla/5.0"})
        code = re.search(r'name="code" value="([\w-]+)"', page.text)
        assert code is not None
        done = await browser.post("/login", data={"code": code[1]})
        assert (done.status_code, done.headers["location"]) == (303, "/status")
        assert (await browser.get("/status")).status_code == 200
    async with world.client() as late:
        again = await late.post("/login", data={"code": code[1]})
        assert again.status_code == 401
        assert "has been used" in again.text


async def test_the_token_is_asked_for_only_where_there_is_one() -> None:
    for token, shown in ((TOKEN, True), (None, False)):
        async with World(token=token).client() as client:
            assert ('name="token"' in (await client.get("/login")).text) is shown


async def test_wrong_bearer_tokens_are_logged_counted_and_slowed_down_by_peer() -> None:
    world = World()

    async def ask(peer: str, token: str) -> int:
        transport = httpx.ASGITransport(world.app, client=(peer, 1))
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8080") as client:
            return (await client.get("/metrics", headers={"authorization": f"Bearer {token}"})).status_code

    with structlog.testing.capture_logs() as logs:
        found = [await ask("192.0.2.1", f"guess-{n}") for n in range(ATTEMPTS + 2)]
        assert found == [401] * (ATTEMPTS - 1) + [429] * 3
        assert await ask("192.0.2.1", TOKEN) == 200
        assert await ask("192.0.2.2", "guess") == 401
        world.clock.now += WINDOW
        assert await ask("192.0.2.1", "guess") == 401
    refusals = [line for line in logs if line["event"] == "login refused"]
    assert [line["silent"] for line in refusals] == [0, ATTEMPTS + 2]
    assert "guess" not in str(logs)


def test_wrong_tokens_are_remembered_of_a_bounded_number_of_peers() -> None:
    closed = access()
    for number in range(MOST_PEERS + 50):
        closed.log_in("wrong", f"peer-{number}")
    assert len(closed._failures) == MOST_PEERS


@pytest.mark.parametrize("path", ["/login", "/logout"])
@pytest.mark.parametrize("headers", [{"origin": "https://evil.example"}, {"sec-fetch-site": "cross-site"}, {"origin": "null"}])
async def test_no_other_site_logs_anybody_in_or_out(path: str, headers: dict[str, str]) -> None:
    async with World().client() as client:
        refused = await client.post(path, data={"token": TOKEN}, headers=headers)
        assert (refused.status_code, "set-cookie" in refused.headers) == (403, False)


async def test_closed_pages_ask_for_the_token() -> None:
    async with World().client() as client:
        page = await client.get("/status")
        assert (page.status_code, page.headers["location"]) == (303, "/login")
        for path in ("/status.json", "/metrics"):
            response = await client.get(path)
            assert response.status_code == 401
            assert response.headers["www-authenticate"].startswith("Bearer")
        for path in PRIVATE_PATHS:
            assert (await client.get(path, headers={"authorization": f"Bearer {TOKEN}"})).status_code == 200


async def test_login_and_logout() -> None:
    async with World().client() as client:
        assert (await client.get("/login")).status_code == 200
        wrong = await client.post("/login", data={"token": "wrong"})
        assert wrong.status_code == 401
        assert "not the status token" in wrong.text
        done = await client.post("/login", data={"token": f" {TOKEN}\n"})
        assert (done.status_code, done.headers["location"]) == (303, "/status")
        cookie = done.headers["set-cookie"].lower()
        assert "httponly" in cookie
        assert "samesite=strict" in cookie
        assert "secure" not in cookie
        assert "Log out" in (await client.get("/status")).text
        assert (await client.get("/login")).status_code == 303
        assert (await client.get("/logout")).status_code == 405
        await client.post("/logout")
        assert (await client.get("/status")).status_code == 303


async def test_the_cookie_is_secure_where_senders_see_https() -> None:
    async with World(public_url="https://hooks.example.com").client() as client:
        done = await client.post("/login", data={"token": TOKEN})
    assert done.headers["set-cookie"].startswith("__Host-connector=")
    assert "Secure" in done.headers["set-cookie"]
    assert "Path=/" in done.headers["set-cookie"]


async def test_guessing_is_slowed_down_and_locks_nobody_out() -> None:
    async with World().client() as client:
        for _ in range(ATTEMPTS - 1):
            assert (await client.post("/login", data={"token": "wrong"})).status_code == 401
        blocked = await client.post("/login", data={"token": "wrong"})
        assert (blocked.status_code, blocked.headers["retry-after"]) == (429, "60")
        assert (await client.post("/login", data={"token": TOKEN})).status_code == 303


@pytest.mark.parametrize(
    ("content", "kind", "status"),
    [
        (b"", "application/x-www-form-urlencoded", 401),
        (b"token=" + b"x" * 10_000, "application/x-www-form-urlencoded", 413),
        (b"token=%ff%fe%00", "application/x-www-form-urlencoded", 400),
        (b"token=\xff", "application/x-www-form-urlencoded; charset=idna", 400),
        (b"token=x", "application/x-www-form-urlencoded; charset=punycode", 401),
        (b"{}", "application/json", 415),
        (b"--x\r\nnonsense", "multipart/form-data; boundary=x", 415),
        (b"nonsense", "multipart/form-data; charset=undefined", 415),
    ],
)
async def test_odd_forms_are_refused(content: bytes, kind: str, status: int) -> None:
    async with World().client() as client:
        response = await client.post("/login", content=content, headers={"content-type": kind})
    assert response.status_code == status
    assert "set-cookie" not in response.headers


async def test_a_browser_that_goes_away_within_the_form_is_no_fault_of_ours() -> None:
    sent: list[str] = []

    async def gone() -> dict[str, str]:
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message["type"])

    headers = [(b"host", b"x"), (b"content-type", b"application/x-www-form-urlencoded"), (b"content-length", b"100")]
    scope = {"type": "http", "method": "POST", "path": "/login", "headers": headers, "query_string": b"", "root_path": ""}
    await World().app(scope, gone, send)
    assert sent[0] == "http.response.start"


# ---- named operators ----


def named() -> Access:
    return access(operators=[(Operator("ann", may_decide=False), "ann-token-of-the-tests"), (Operator("bob"), "bob-token")])


def test_each_operator_has_a_token_and_a_role() -> None:
    closed = named()
    found = [
        closed.admits(Headers({"authorization": f"Bearer {t}"}), None) for t in ("ann-token-of-the-tests", "bob-token", TOKEN)
    ]
    assert found == [Operator("ann", may_decide=False), Operator("bob"), Operator("status")]
    assert closed.admits(Headers({"authorization": "Bearer nobody"}), None) is None
    assert closed.deciding == ["bob", "status"]
    cookie = closed.log_in("ann-token-of-the-tests")
    assert closed.in_session(cookie) == Operator("ann", may_decide=False)
    closed.log_out(cookie)
    assert closed.in_session(cookie) is None
    assert access(token=None, operators=[(Operator("bob"), "bob-token")]).deciding == ["bob"], "no token is made besides"


async def test_who_may_only_read_decides_nothing_and_is_said_who_may() -> None:
    asked: list[str] = []

    async def operate(name: str, _arguments: object) -> list[str]:
        asked.append(name)
        return []

    world = World(
        operate=operate, operators=[(Operator("ann", may_decide=False), "ann-token-of-the-tests"), (Operator("bob"), "b" * 20)]
    )
    with structlog.testing.capture_logs() as logs:
        async with world.client() as client:
            client.cookies.set(world.access.cookie, world.access.log_in("ann-token-of-the-tests") or "")
            page = await client.get("/status")
            assert (page.status_code, 'name="token"' in page.text) == (200, False)
            for answer in (
                await client.post("/status/reviews/5", data={"choice": "dismiss"}),
                await client.get("/status/reviews/5"),
            ):
                assert answer.status_code == 403
                assert "Who may decide: bob, status." in answer.text
        async with world.client() as client:
            client.cookies.set(world.access.cookie, world.access.log_in("b" * 20) or "")
            token = re.findall(r'name="token" value="([^"]*)"', (await client.get("/status")).text)[0]
            assert (await client.post("/status/reviews/5", data={"token": token, "choice": "undo"})).status_code == 303
    assert asked == ["undo"]
    audit = [(line["who"], line["action"], line["peer"]) for line in logs if line["event"] == "operator"]
    assert audit[0] == ("ann", "refused: may only read", "127.0.0.1")
    assert audit[-1] == ("bob", "review: undo", "127.0.0.1")
