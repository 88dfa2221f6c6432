"""The way in for the command line: for programs on this machine only, whoever knows the token."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette

from connector.web.admin_api import PATH, admin_route

pytestmark = pytest.mark.anyio
TOKEN = "made-at-the-start"


async def _asked(peer: str, *, token: str = TOKEN, us: str = "127.0.0.1", body: bytes = b"{}", **headers: str) -> int:
    async def operate(name: str, _arguments: Mapping[str, Any]) -> Any:
        return name

    app = Starlette(routes=[admin_route(TOKEN, operate)])
    every = {"authorization": f"Bearer {token}", **{name.replace("_", "-"): value for name, value in headers.items()}}
    transport = httpx.ASGITransport(app, client=(peer, 40_000))
    async with httpx.AsyncClient(transport=transport, base_url=f"http://{us}:8080") as client:
        return (await client.post(PATH + "check", content=body, headers=every)).status_code


@pytest.mark.parametrize(("peer", "us"), [("127.0.0.1", "127.0.0.1"), ("::1", "localhost"), ("192.0.2.7", "192.0.2.7")])
async def test_a_program_on_this_machine_is_let_in(peer: str, us: str) -> None:
    assert await _asked(peer, us=us) == 200


async def test_without_the_token_there_is_nothing() -> None:
    assert await _asked("127.0.0.1", token="guessed") == 404


@pytest.mark.parametrize("peer", ["192.0.2.9", "10.0.0.1", "2001:db8::1", "testclient"])
async def test_another_machine_is_refused_even_with_the_token(peer: str) -> None:
    assert await _asked(peer) == 404


@pytest.mark.parametrize("name", ["x_forwarded_for", "forwarded", "via", "x_real_ip", "x_forwarded_proto"])
async def test_what_a_proxy_forwards_is_refused_even_with_the_token(name: str) -> None:
    assert await _asked("127.0.0.1", **{name: "192.0.2.9"}) == 404


@pytest.mark.parametrize(
    "body", [b"[" * 100_000, b"{", b"\xff", b" " * 1_048_577], ids=["nested", "cut off", "no text", "long"]
)
async def test_what_cannot_be_read_is_not_understood(body: bytes) -> None:
    assert await _asked("127.0.0.1", body=body) == 400
