"""Requests that match no webhook address leave a trace: bounded, and without anything private."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest
import structlog.testing

from connector.web.unmatched import SHAPES, Unmatched, shown_path

from .fakes import NOW, TOKEN, World
from .live import Shop

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("/webhook/stores", "/webhook/stores"),
        ("/webhooks/Stores-2/", "/webhooks/Stores-2/"),
        ("/xmlrpc.php", "/xmlrpc.php"),
        ("/webhooks/stores/\x1b[31mred\n", "/webhooks/stores/…"),
        ("/hook/dan@example.com", "/hook/…"),
        ("/hook/dan.lee", "/hook/…"),
        ("/hook/5145550104", "/hook/…"),
        ("/hook/514-555-0104", "/hook/…"),
        ("/hook/pat-na1-0123abcd-4567-89ab-cdef-0123456789ab", "/hook/…"),
        ("/ünï/\u202e", "/…/…"),
        ("/ab" * 10_000, "/ab" * 8 + "/…"),
    ],
)
def test_a_path_is_shown_without_what_could_be_private(path: str, shown: str) -> None:
    assert shown_path(path) == shown


def test_paths_are_few_and_lines_are_rare() -> None:
    with structlog.testing.capture_logs() as logs:
        seen = Unmatched()
        for number in range(1000):
            seen.see("POST", f"/hook/{number}", NOW + number / 100)
    assert seen.count == 1000
    assert [one.path for one in seen.recent] == [f"/hook/{number}" for number in range(999, 999 - SHAPES, -1)]
    assert [(line["path"], line["silent"]) for line in logs] == [("/hook/0", 0)]
    with structlog.testing.capture_logs() as logs:
        seen.see("PUT", "/hook/7", NOW + 60)
    assert [(line["path"], line["silent"]) for line in logs] == [("/hook/7", 999)]


async def test_only_what_delivers_to_no_address_counts() -> None:
    world = World()
    async with world.client() as client:
        assert (await client.post("/webhooks/storse?key=a-secret", content=b'{"email": "dan@example.com"}')).status_code == 404
        assert (await client.put("/webhook/stores")).status_code == 404
        assert (await client.post("/status")).status_code == 405
        for path in ("/wp-login.php", "/webhooks/stores"):
            await client.get(path)
        await client.post("/webhooks/stores", content=b"{}")
        await client.post("/-/operations/check")
        await client.post("/login", data={"token": "wrong"})
        text = (await client.get("/metrics", headers={"authorization": f"Bearer {TOKEN}"})).text
    assert [one.path for one in world.stats.unmatched.recent] == ["/status", "/webhook/stores", "/webhooks/storse"]
    assert "connector_unmatched_requests_total 3.0" in text


async def test_page_data_and_check_say_the_last_one(anyio_backend: str, tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    async with shop.open():
        url = shop.service.url
        async with httpx.AsyncClient(base_url=url, trust_env=False, headers={"authorization": f"Bearer {TOKEN}"}) as client:
            await client.post("/xmlrpc.php")
            assert (await client.get("/status.json")).json()["unmatched"]["last_path"] == "/xmlrpc.php"
            found = await shop.service.operations.check(fix=False)
            assert [one for one in found if one["id"] == "webhooks.unmatched"] == [], "a scanner is no sender"
            await client.post("/webhook/stores?key=a-secret")
            status = (await client.get("/status.json")).json()
            assert (status["unmatched"]["count"], status["unmatched"]["last_path"]) == (2, "/webhook/stores")
            (check,) = [one for one in await shop.service.operations.check(fix=False) if one["id"] == "webhooks.unmatched"]
            assert check["message"] == (
                f"a POST to /webhook/stores matched no webhook address, last at {status['unmatched']['last_at']}"
            )
            assert check["hint"].endswith("The addresses here: /webhooks/stores")
            page = (await client.get("/status")).text
            assert "2 requests matched no webhook address. The last one: <code>/webhook/stores</code>" in page
            assert "a-secret" not in page
