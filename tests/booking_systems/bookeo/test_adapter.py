"""The calls and their refusals, the webhooks' watch and repair, what `check` says."""

import asyncio

import httpx
import pytest
from msgspec.structs import asdict

from connector.booking_systems.base import ClientLink
from connector.booking_systems.bookeo.hooks import WANTED, category
from connector.model.errors import AccountPaused, RateLimited, Rejected, Transient, Unavailable, UnknownOutcome
from connector.remote.rate_limit import Quota
from connector.sandbox.bookeo.app import BookeoSandbox

from .conftest import ADDRESS, MINIMAL, answers

pytestmark = pytest.mark.anyio

SECRETIVE = {"message": "secret words about ada@example.org", "errorId": "E1"}


async def test_client(sandbox, connect, ada):
    client = await connect(sandbox).client(ada)
    assert asdict(client) == {
        "id": ada,
        "first_name": "Ada",
        "last_name": "Example",
        "email": "ada@example.org",
        "mobile_phone": "514-555-0101",
        "home_phone": "514-555-0102",
    }


async def test_the_keys_are_headers_and_the_path_is_encoded(connect):
    remote_system = answers(httpx.Response(404, json=SECRETIVE))
    assert await connect(remote_system).client("5/../6 ü") is None
    (request,) = remote_system.requests
    assert request.url.raw_path == b"/v2/customers/5%2F..%2F6%20%C3%BC"
    assert (request.headers["x-bookeo-secretkey"], request.headers["x-bookeo-apikey"]) == (
        "sandbox-secret-key",
        "sandbox-api-key",
    )


@pytest.mark.parametrize("body", [[], {}, {"message": "hello"}, {"id": ""}, "text", 5])
async def test_a_customer_in_an_unexpected_shape_is_not_absent(connect, body):
    with pytest.raises(Transient, match="unexpected shape"):
        await connect(answers(body)).client("5")


@pytest.mark.parametrize(
    ("response", "seconds"),
    [
        (httpx.Response(429, json={"retryAfter": 7}), 7),
        (httpx.Response(429, json={"retryAfter": 2.5}, headers={"Retry-After": "9"}), 2.5),
        (httpx.Response(429, json={"message": "no"}, headers={"Retry-After": "9"}), 9),
        (httpx.Response(429, json={"retryAfter": "soon"}), 60),
        (httpx.Response(429, json={"retryAfter": True}), 60),
        (httpx.Response(429, json={"retryAfter": -4}), 60),
        (httpx.Response(429, json=[]), 60),
        (httpx.Response(429), 60),
        (httpx.Response(429, text="<html>"), 60),
    ],
)
async def test_throttled(connect, response, seconds):
    bookeo = connect(answers(response))
    with pytest.raises(RateLimited) as caught:
        await bookeo.client("5")
    assert caught.value.retry_after == seconds
    assert bookeo.remote.quota._wait(1) == pytest.approx(seconds, abs=0.5)


@pytest.mark.parametrize("status", [401, 403])
async def test_a_refused_key_pauses_and_says_where_to_look(connect, status):
    with pytest.raises(AccountPaused) as caught:
        await connect(answers(httpx.Response(status, json=SECRETIVE))).client("5")
    assert "[booking.spa]" in caught.value.hint


@pytest.mark.parametrize(
    ("status", "error"), [(400, Rejected), (409, Rejected), (302, AccountPaused), (500, Transient), (503, Unavailable)]
)
async def test_other_refusals_of_a_read(connect, status, error):
    with pytest.raises(error) as caught:
        await connect(lambda request: httpx.Response(status, json=SECRETIVE)).client("5")
    assert "ada@" not in f"{caught.value} {caught.value.hint}"


@pytest.mark.parametrize(("status", "error"), [(404, Rejected), (400, Rejected), (500, UnknownOutcome), (429, RateLimited)])
async def test_refusals_of_a_write(connect, status, error):
    fields = {"textFields": [{"id": "F1", "name": "CRM customer id"}]}
    with pytest.raises(error):
        await connect(answers(fields, {"id": "C1"}, httpx.Response(status, json=SECRETIVE))).write_link(
            ClientLink(client_id="C1"), "7"
        )


async def test_the_sandboxs_own_limit_is_told_as_such(connect):
    for said in ("body", "header", "nowhere"):
        sandbox = BookeoSandbox(quota=(1, 100), ticks=lambda: 0.0, retry_after=said)
        bookeo = connect(sandbox)
        await bookeo.probe()
        with pytest.raises(RateLimited) as caught:
            await bookeo.client("5")
        assert caught.value.retry_after == (60 if said == "nowhere" else 1)


async def test_sources_of_one_application_share_a_quota(connect):
    quotas = {}

    def quota_for(key, windows):
        return quotas.setdefault(key, Quota(key, windows))

    from connector.booking_systems.bookeo.adapter import Bookeo
    from connector.booking_systems.bookeo.settings import BookeoSettings

    sources = [
        Bookeo.connect(name, BookeoSettings.model_validate(MINIMAL | {"api_key": name}), quota_for) for name in ("a", "b")
    ]
    assert len(quotas) == 1
    await asyncio.gather(*(source.remote.aclose() for source in sources))


# ---- probe and permissions ----


async def test_the_probe_without_a_custom_field_reads_the_key(connect, sandbox):
    for write_back in ("external_ref", "none"):
        await connect(sandbox, write_back=write_back).probe()
    assert sandbox.requests == {"GET /settings/apikeyinfo": 2}


@pytest.mark.parametrize(
    ("permissions", "write_back", "lacking"),
    [
        (["customers_rw_all", "bookings_r_all"], "custom_field", ""),
        (["customers_r_all", "bookings_rw_all"], "custom_field", "customers_rw_all"),
        (["customers_r_all", "bookings_rw_all"], "external_ref", ""),
        ("customers_rw_all, bookings_r_all", "external_ref", "bookings_rw_all"),
        (["customers_r_all"], "none", "bookings_r_all"),
        ([], "custom_field", ""),
        (None, "custom_field", ""),
        (5, "custom_field", ""),
    ],
)
async def test_permissions_that_seem_to_lack(connect, permissions, write_back, lacking):
    bookeo = connect(answers({"permissions": permissions}), address=None, write_back=write_back)
    found = [check for check in await bookeo.checks() if check.id == "booking.spa.permissions"]
    assert [lacking in check.hint for check in found] == ([True] if lacking else [])


async def test_permissions_that_cannot_be_read_are_no_reason_to_say_nothing(connect):
    bookeo = connect(answers(httpx.Response(404, json={})), address=None)
    ids = [check.id for check in await bookeo.checks()]
    assert ids == ["booking.spa.webhooks", "booking.spa.permissions"]


# ---- webhooks ----


async def hooks(bookeo):
    return {c.id.removeprefix("booking.spa."): (c.level, c.message, c.hint) for c in await bookeo.checks()}


async def test_missing_webhooks_are_told_and_registered(connect, sandbox):
    bookeo = connect(sandbox)
    found = await hooks(bookeo)
    assert set(found) == {f"webhooks.{domain}.{action}" for domain, action in WANTED}
    assert {level for level, _, _ in found.values()} == {"error"}
    assert found["webhooks.bookings.created"][1] == "the webhook bookings.created is not registered"
    done = await bookeo.fix()
    assert len(done) == 5
    assert "registered the webhook bookings.created, which was not registered" in done
    assert await hooks(bookeo) == {"webhooks": ("ok", "5 webhooks are registered and none is blocked", "")}
    assert sandbox.state.webhooks["bookings", "deleted"]["url"] == f"{ADDRESS}?domain=bookings&type=deleted"
    assert await bookeo.fix() == []


async def test_blocked_and_misled_webhooks_are_told_and_repaired(connect, sandbox):
    bookeo = connect(sandbox)
    await bookeo.fix()
    blocked, misled = sandbox.state.webhooks["bookings", "created"], sandbox.state.webhooks["customers", "updated"]
    blocked.update(blockedTime="2026-11-20T10:00:00+01:00", blockedReason="HTTP 500 while sending Ada Example's booking")
    misled["url"] = "https://elsewhere.example.net/hook?token=secret"
    sandbox.state.webhooks["payments", "created"] = {
        "id": "2856WH000099",
        "url": "https://books.example.net",
        "domain": "payments",
        "type": "created",
    }
    found = await hooks(bookeo)
    assert set(found) == {"webhooks.bookings.created", "webhooks.customers.updated"}
    level, message, hint = found["webhooks.bookings.created"]
    assert (level, message) == (
        "error",
        "the webhook bookings.created is blocked since 2026-11-20 09:00 UTC: errors of ours (answers 5xx)",
    )
    assert "Fix the cause first" in hint
    assert "connector backfill spa" in hint
    assert found["webhooks.customers.updated"][1] == "the webhook customers.updated leads to another address"
    assert "nothing else of yours" in found["webhooks.customers.updated"][2]
    assert not [word for word in ("Ada", "secret", "elsewhere") if word in str(found)]
    assert await bookeo.fix() == [
        "registered the webhook bookings.created, which was blocked since 2026-11-20 09:00 UTC: errors of ours (answers 5xx)."
        " Then `connector backfill spa` reads what was not sent meanwhile.",
        "registered the webhook customers.updated, which led to another address",
    ]
    assert set(await hooks(bookeo)) == {"webhooks"}
    assert sandbox.state.webhooks["payments", "created"]["url"] == "https://books.example.net"


async def test_without_a_public_url_it_says_so_and_registers_nothing(connect, sandbox):
    bookeo = connect(sandbox, address=None)
    level, message, hint = (await hooks(bookeo))["webhooks"]
    assert (level, "no public_url" in message, "public_url" in hint) == ("warning", True, True)
    assert await bookeo.fix() == []
    assert sandbox.state.webhooks == {}


async def test_a_plain_http_address_is_refused_before_bookeo_does(connect, sandbox):
    bookeo = connect(sandbox, address="http://hooks.example.com/webhooks/spa")
    with pytest.raises(Rejected, match="https") as caught:
        await bookeo.fix()
    assert caught.value.hint
    assert sandbox.requests["POST /webhooks"] == 0


@pytest.mark.parametrize("answer", [5, {"data": None}, {"data": {}}, "x"])
async def test_an_odd_list_of_webhooks_is_not_an_empty_one(connect, answer):
    with pytest.raises(Transient, match="unexpected shape"):
        await connect(answers(answer)).fix()


@pytest.mark.parametrize("status", [200, 201, 204])
async def test_any_success_registers(connect, status):
    remote_system = answers({"data": []}, *(httpx.Response(status) for _ in WANTED))
    assert len(await connect(remote_system).fix()) == len(WANTED)


@pytest.mark.parametrize(
    ("reason", "said"),
    [
        ("Connection timed out", "time-outs"),
        ("PKIX: certificate expired", "certificate"),
        ("could not connect to host", "no connection"),
        ("HTTP 401 from https://hooks.example.com", "refused by us (answers 4xx)"),
        ("status code 503", "errors of ours (answers 5xx)"),
        ("301 Moved", "redirects"),
        ("too many dropped", "too many dropped messages"),
        ("ada@example.org", "the reason is shown in Bookeo"),
        (None, "the reason is shown in Bookeo"),
    ],
)
def test_reasons_for_a_block_are_told_by_kind(reason, said):
    assert category(reason) == said
