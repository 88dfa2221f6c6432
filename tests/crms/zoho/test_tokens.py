"""One access token for all: fetched once, kept for its hour, never more than ten in ten minutes."""

import asyncio

import httpx
import pytest

from connector.model.errors import AccountPaused, LimitReached, Transient, Unavailable
from connector.model.persons import NewCustomer

from .conftest import KEYS

pytestmark = pytest.mark.anyio


async def test_thirty_callers_share_one_token(sandbox, crm):
    await asyncio.gather(*(crm.by_key(f"k{n}") for n in range(30)))
    assert sandbox.stats()["tokens"] == 1


async def test_an_expired_token_is_replaced_once_for_all_callers(sandbox, crm):
    await crm.by_key("k")
    sandbox.revoke_tokens()
    await asyncio.gather(*(crm.by_key(f"k{n}") for n in range(5)))
    assert sandbox.stats()["tokens"] == 2


async def test_a_write_with_an_expired_token_is_made_once(sandbox, crm):
    await crm.by_key("k")
    sandbox.revoke_tokens()
    await crm.create(NewCustomer(email="ada@example.com"), "k1")
    assert (len(sandbox.contacts()), sandbox.requests["POST Contacts/upsert"]) == (1, 1)


async def test_the_eleventh_token_in_ten_minutes_is_not_asked_for(sandbox, crm, clock):
    for _ in range(10):
        await crm.by_key("k")
        sandbox.revoke_tokens()
    with pytest.raises(LimitReached) as caught:
        await crm.by_key("k")
    assert caught.value.retry_after == 600
    assert sandbox.stats()["tokens"] == 10
    assert sandbox.statuses[400] == 0
    clock.now += 601
    await crm.by_key("k")


async def test_an_outage_uses_up_no_tokens(sandbox, connect, monkeypatch):
    monkeypatch.setattr("connector.remote.http.PAUSES", (0.0, 0.0))
    inner, down = httpx.ASGITransport(sandbox.app), True

    async def serve(request: httpx.Request) -> httpx.Response:
        if down:
            raise httpx.ConnectError("nobody listens")
        return await inner.handle_async_request(request)

    crm = connect(httpx.MockTransport(serve))
    for _ in range(12):
        with pytest.raises(Unavailable):
            await crm.probe()
    down = False
    await crm.probe()
    assert sandbox.stats()["tokens"] == 1
    await crm.remote.aclose()


async def test_a_blocked_refresh_token_waits_and_is_not_taken_for_a_wrong_one(sandbox, crm):
    async with httpx.AsyncClient(transport=httpx.ASGITransport(sandbox.app)) as another_program:
        for _ in range(10):
            await another_program.post("http://a.test/oauth/v2/token", data={"grant_type": "refresh_token", **KEYS})
    with pytest.raises(LimitReached) as caught:
        await crm.by_key("k")
    assert caught.value.retry_after == 600
    assert "another program" in caught.value.hint.casefold()


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"refresh_token": "revoked"}, "the refresh token is not valid"),
        ({"client_id": "unknown"}, "the client id is not known in this data centre"),
    ],
)
async def test_wrong_credentials_pause_the_account_with_the_reason(wire, connect, wrong, why):
    crm = connect(wire, **wrong)
    with pytest.raises(AccountPaused) as caught:
        await crm.probe()
    assert why in str(caught.value)
    assert "data_centre" in caught.value.hint
    assert "[crm.main]" in caught.value.hint
    await crm.remote.aclose()


async def test_a_missing_scope_is_said_and_costs_no_token(sandbox, crm):
    sandbox.lacking.add("ZohoCRM.coql.READ")
    with pytest.raises(AccountPaused) as caught:
        await crm.by_key("k")
    assert caught.value.status == 401
    assert "ZohoCRM.coql.READ" in caught.value.hint
    assert sandbox.stats()["tokens"] == 1
    checks = {check.id: check.level for check in await crm.checks()}
    assert checks["crm.main.contacts"] == "error"
    assert checks["crm.main.key"] == "ok"


async def test_a_page_instead_of_a_token_is_no_refusal(connect):
    crm = connect(httpx.MockTransport(lambda _: httpx.Response(200, json={"hello": "world"})))
    with pytest.raises(Transient, match="the answer has none"):
        await crm.by_key("k")
    await crm.remote.aclose()
