"""Who sees the status page, and who does not."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.datastructures import Headers

from connector.web.access import ATTEMPTS, SESSION, WINDOW, Access

from .fakes import TOKEN, Clock, World

pytestmark = pytest.mark.anyio

LOCAL = {"host": "127.0.0.1:8080"}
PRIVATE_PATHS = ["/status", "/status.json", "/metrics"]


def access(**options: object) -> Access:
    defaults = {"host": "127.0.0.1", "public_url": None, "token": TOKEN}
    return Access(**{**defaults, **options})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "LOCALHOST:80", "127.0.0.1:8080", "[::1]", "[::1]:8080", "127.9.9.9:1"]
)
def test_open_to_a_browser_on_the_machine(host: str) -> None:
    assert access().is_open(Headers({"host": host}))
    assert access(token=None).admits(Headers({"host": host}), None)


@pytest.mark.parametrize(
    "header",
    [
        "Forwarded",
        "X-Forwarded-For",
        "X-Forwarded-Host",
        "X-Forwarded-Proto",
        "X-Real-IP",
        "Via",
        "CF-Connecting-IP",
        "X-FORWARDED-X",
    ],
)
def test_a_proxy_in_front_closes_it(header: str) -> None:
    assert not access().is_open(Headers({**LOCAL, header: ""}))


@pytest.mark.parametrize(
    "host",
    [
        "",
        "evil.example.com",
        "127.0.0.1.evil.example.com",
        "localhost.evil.example",
        "10.0.0.1",
        "[::2]",
        "[",
        "0",
        "127.1",
    ],
)
def test_another_name_for_loopback_closes_it(host: str) -> None:
    # A page elsewhere can point its own name at 127.0.0.1 and read what answers.
    assert not access().is_open(Headers({"host": host}))


@pytest.mark.parametrize(
    "options", [{"host": "0.0.0.0"}, {"host": "10.1.2.3"}, {"host": "::"}, {"public_url": "https://hooks.example.com"}]
)
def test_a_server_for_others_is_closed(options: dict[str, str]) -> None:
    assert not access(**options).is_open(Headers(LOCAL))


def test_bearer_token() -> None:
    closed = access(host="0.0.0.0")
    for good in (f"Bearer {TOKEN}", f"bearer {TOKEN}", f"BEARER   {TOKEN} "):
        assert closed.admits(Headers({"authorization": good}), None)
    for bad in (TOKEN, f"Basic {TOKEN}", "Bearer", "Bearer ", f"Bearer {TOKEN}x", f"Bearer {TOKEN[:-1]}", "Bearer é"):
        assert not closed.admits(Headers({"authorization": bad}), None)


def test_without_a_token_nothing_is_the_right_token() -> None:
    closed = access(host="0.0.0.0", token=None)
    assert not closed.configured
    for offered in ("", "None", " "):
        assert closed.log_in(offered) is None
        assert not closed.admits(Headers({"authorization": f"Bearer {offered}"}), offered)


def test_a_session_ends_in_time_and_with_the_token() -> None:
    clock = Clock()
    closed = access(host="0.0.0.0", clock=clock)
    cookie = closed.log_in(TOKEN)
    assert cookie is not None
    assert TOKEN not in cookie
    assert closed.admits(Headers(), cookie)
    assert not access(host="0.0.0.0", token="another-token-entirely", clock=clock).admits(Headers(), cookie)
    clock.now += SESSION
    assert not closed.admits(Headers(), cookie)


def test_a_session_cannot_be_prolonged() -> None:
    closed = access(host="0.0.0.0", clock=Clock())
    cookie = closed.log_in(TOKEN)
    assert cookie is not None
    expiry, _, signature = cookie.partition(".")
    assert not closed.admits(Headers(), f"{int(expiry) + 1}.{signature}")


@given(st.text(max_size=80))
def test_no_cookie_or_header_is_ever_an_error_or_a_key(text: str) -> None:
    closed = access(host="0.0.0.0")
    assert not closed.admits(Headers(raw=[(b"authorization", text.encode("utf-8", "replace"))]), text)
    assert closed.log_in(text) is None


def test_wrong_tokens_are_limited_for_a_while() -> None:
    clock = Clock()
    closed = access(host="0.0.0.0", clock=clock)
    for _ in range(ATTEMPTS):
        assert closed.wait() == 0
        closed.log_in("wrong")
    assert closed.wait() == WINDOW
    clock.now += WINDOW
    assert closed.wait() == 0


# Through the application.


async def test_open_pages_need_no_login() -> None:
    async with World(token=None).client() as client:
        for path in PRIVATE_PATHS:
            assert (await client.get(path)).status_code == 200


@pytest.mark.parametrize("headers", [{"x-forwarded-for": "192.0.2.1"}, {"host": "evil.example.com"}])
async def test_closed_without_a_token_says_what_to_configure(headers: dict[str, str]) -> None:
    async with World(token=None).client() as client:
        for path in [*PRIVATE_PATHS, "/login"]:
            response = await client.get(path, headers=headers)
            assert response.status_code == 403
            assert "[status]" in response.text
        assert (await client.post("/login", data={"token": ""}, headers=headers)).status_code in {303, 403}


async def test_closed_pages_ask_for_the_token() -> None:
    async with World(host="0.0.0.0").client() as client:
        page = await client.get("/status")
        assert (page.status_code, page.headers["location"]) == (303, "/login")
        for path in ("/status.json", "/metrics"):
            response = await client.get(path)
            assert response.status_code == 401
            assert response.headers["www-authenticate"].startswith("Bearer")
        for path in PRIVATE_PATHS:
            assert (await client.get(path, headers={"authorization": f"Bearer {TOKEN}"})).status_code == 200


async def test_login_and_logout() -> None:
    async with World(host="0.0.0.0").client() as client:
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


async def test_guessing_is_slowed_down_but_the_bearer_token_still_works() -> None:
    world = World(host="0.0.0.0")
    async with world.client() as client:
        for _ in range(ATTEMPTS):
            await client.post("/login", data={"token": "wrong"})
        blocked = await client.post("/login", data={"token": TOKEN})
        assert (blocked.status_code, blocked.headers["retry-after"]) == (429, "60")
        assert (await client.get("/status", headers={"authorization": f"Bearer {TOKEN}"})).status_code == 200
        world.clock.now += WINDOW
        assert (await client.post("/login", data={"token": TOKEN})).status_code == 303


@pytest.mark.parametrize(
    ("content", "kind", "status"),
    [
        (b"", "application/x-www-form-urlencoded", 401),
        (b"token=" + b"x" * 10_000, "application/x-www-form-urlencoded", 413),
        (b"token=%ff%fe%00", "application/x-www-form-urlencoded", 401),
        (b"a=1&b=2&c=3&d=4&e=5&f=6", "application/x-www-form-urlencoded", 400),
        (b"{}", "application/json", 401),
        (b"--x\r\nnonsense", "multipart/form-data; boundary=x", 401),
        (b"nonsense", "multipart/form-data", 400),
    ],
)
async def test_odd_forms_are_refused(content: bytes, kind: str, status: int) -> None:
    async with World(host="0.0.0.0").client() as client:
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
    await World(host="0.0.0.0").app(scope, gone, send)
    assert sent[0] == "http.response.start"
