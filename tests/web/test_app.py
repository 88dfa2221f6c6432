"""The routes around the receiver: health, readiness, status, metrics, and what they never say."""

from __future__ import annotations

import json
import re

import pytest
from prometheus_client.parser import text_string_to_metric_families
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from connector.model.errors import StoreError
from connector.model.problems import Check, Topic
from connector.web.receiver.stats import ReceiverStats
from connector.web.status.metrics import render

from .fakes import World, busy_page, quiet_page

pytestmark = pytest.mark.anyio


async def test_healthz_says_nothing_but_ok() -> None:
    async with World(token=None).client() as client:
        response = await client.get("/healthz", headers={"x-forwarded-for": "192.0.2.1"})
    assert (response.status_code, response.json()) == (200, {"status": "ok"})


async def test_readyz_is_200_with_warnings_and_503_with_errors() -> None:
    world = World()
    async with world.client() as client:
        world.checks = [
            Check(topic=Topic("a"), level="ok", message="Fine."),
            Check(topic=Topic("b"), level="warning", message="Nearly full.", hint="Make room."),
        ]
        response = await client.get("/readyz")
        assert response.status_code == 200
        assert response.json()[1] == {"id": "b", "level": "warning", "message": "Nearly full.", "hint": "Make room."}
        world.checks = [Check(topic=Topic("a"), level="error", message="The disk is full.")]
        assert (await client.get("/readyz")).status_code == 503


async def test_readyz_survives_checks_that_fail() -> None:
    world = World()
    world.checks = None  # type: ignore[assignment]
    async with world.client() as client:
        response = await client.get("/readyz")
    assert response.status_code == 503
    assert [check["level"] for check in response.json()] == ["error"]


async def test_the_root_leads_to_the_status_page() -> None:
    async with World().client() as client:
        response = await client.get("/")
    assert (response.status_code, response.headers["location"]) == (307, "/status")


async def test_extra_routes_are_served() -> None:
    async def hello(_request: object) -> PlainTextResponse:
        return PlainTextResponse("hello")

    async with World(extra_routes=[Route("/admin/hello", hello)]).client() as client:
        assert (await client.get("/admin/hello")).text == "hello"


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/nothing", 404), ("POST", "/status", 405), ("POST", "/healthz", 405), ("GET", "/status/", 404)],
)
async def test_other_addresses_are_refused_in_json(method: str, path: str, status: int) -> None:
    async with World().client() as client:
        response = await client.request(method, path)
    assert response.status_code == status
    assert set(response.json()) == {"error", "message"}


async def test_status_json_is_what_the_data_says() -> None:
    world = World()
    async with world.logged_in() as client:
        response = await client.get("/status.json")
    assert response.json() == await world.data.status()
    keys = ["version", "queue", "oldest_waiting_seconds", "sources", "crms", "links", "database", "checks"]
    assert list(response.json()) == keys
    assert response.headers["cache-control"] == "no-store"


async def test_pages_keep_to_themselves() -> None:
    async with World().client() as client:
        first, second = await client.get("/login"), await client.get("/login")
    policy = first.headers["content-security-policy"]
    for part in ("default-src 'none'", "frame-ancestors 'none'", "form-action 'self'", "base-uri 'none'"):
        assert part in policy
    assert "unsafe" not in policy
    assert first.headers["x-content-type-options"] == "nosniff"
    assert first.headers["referrer-policy"] == "same-origin"
    assert first.headers["cache-control"] == "no-store"
    nonces = [re.search(r"nonce-([\w-]+)", r.headers["content-security-policy"])[1] for r in (first, second)]  # type: ignore[index]
    assert nonces[0] != nonces[1]
    assert f'nonce="{nonces[0]}"' in first.text


async def test_a_broken_store_is_told_in_words() -> None:
    world = World()
    world.data.problem = StoreError("the database is of a newer version", hint="Update connector.")
    async with world.logged_in() as client:
        for path in ("/status", "/status.json", "/metrics"):
            response = await client.get(path)
            assert response.status_code == 503
            assert "newer version" in response.text
            assert "Update connector." in response.text


async def test_metrics_can_be_parsed_and_count_what_happened() -> None:
    world = World()
    world.data._page = busy_page()
    for body in (b'{"id": 1, "client": 2}', b'{"id": 1, "client": 2}', b"{}", b"nonsense"):
        await world.deliver(body)
    await world.deliver(b"{}", source="nobody")
    async with world.logged_in() as client:
        response = await client.get("/metrics")
    assert response.headers["content-type"].startswith("text/plain; version=")
    samples = {
        (sample.name, *sorted(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(response.text)
        for sample in family.samples
    }
    assert samples["connector_deliveries_total", "queued", "stores"] == 1
    assert samples["connector_deliveries_total", "duplicate", "stores"] == 1
    assert samples["connector_deliveries_total", "held", "stores"] == 1
    assert samples["connector_refusals_total", "not_json", "stores"] == 1
    assert samples["connector_refusals_total", "-", "unknown_source"] == 1
    assert samples["connector_events", "held"] == 9
    assert samples["connector_events", "discarded"] == 1
    assert samples[("connector_oldest_waiting_seconds",)] == pytest.approx(1300.4)
    assert samples[("connector_links",)] == 1204
    assert samples[("connector_database_bytes",)] == 40_960
    assert samples[("connector_database_wal_bytes",)] == 8_192
    assert samples[("connector_disk_free_bytes",)] == 1_048_576
    assert samples[("connector_log_lines_dropped_total",)] == 0
    assert samples[("process_open_fds",)] > 0
    assert samples[("process_max_fds",)] > 0
    assert samples[("process_resident_memory_bytes",)] > 1_000_000
    assert samples["connector_account_up", "booking.stores", "booxi"] == 1
    assert samples["connector_account_up", "crm.main", "hubspot"] == 0
    assert samples["connector_quota_used", "crm.main", "hubspot"] == 97
    assert samples["connector_check_ok", "booking.tours.auth"] == 0


def test_a_check_reported_twice_is_one_series() -> None:
    page = quiet_page()
    page["checks"] = [check.as_dict() for check in page["checks"] * 2]
    assert render(page, ReceiverStats()).count(b'connector_check_ok{check="store.disk"}') == 1


async def test_the_page_escapes_everything() -> None:
    world = World()
    page = busy_page()
    checks = [check.model_copy(update={"message": "<img src=x onerror=1>"}) for check in page.pop("checks")]
    page = json.loads(json.dumps(page).replace("two customers", "<script>alert(1)</script> `<b>` two")) | {"checks": checks}
    page["held"][0]["reason"] = page["decisions"][0]["reason"] = "<img src=x onerror=1>"
    page["held"][0]["hint"] = "run `<i>` or ` alone"
    world.data._page = page
    async with world.logged_in() as client:
        text = (await client.get("/status")).text
    for raw in ("<script>alert", "<img src=x", "<b>`", "<i>`"):
        assert raw not in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt; <code>&lt;b&gt;</code>" in text


async def test_the_page_asks_nothing_of_other_hosts() -> None:
    async with World().logged_in() as client:
        text = (await client.get("/status")).text
    addresses = set(re.findall(r'(?:src|href|action)="([^"]*)"', text))
    assert {"/status.json", "/metrics", "/logout", "/status/events", "/status/links"} < addresses
    assert [address for address in addresses if not address.startswith(("data:", "/")) or address.startswith("//")] == []
    assert "url(" not in text
    assert " style=" not in text
