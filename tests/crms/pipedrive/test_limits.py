"""Tokens, bursts, the proxy's page, and the field that `fix` makes."""

import httpx
import pytest

from connector.crms.pipedrive.refusals import Refusals
from connector.model.errors import AccountPaused, LimitReached, RateLimited
from connector.remote.http import Answer
from connector.remote.rate_limit import Quota
from connector.sandbox.pipedrive.app import MARKER, PipedriveSandbox

pytestmark = pytest.mark.anyio


def refused(status, headers=None, *, readable=True, refusals=None):
    refusals = refusals or Refusals("crm.main", Quota("q"))
    return refusals.interpret("read a person", Answer(status, {}, headers or {}, readable), False)


@pytest.mark.parametrize(
    ("headers", "daily"),
    [
        ({"x-daily-ratelimit-token-remaining": "0", "x-ratelimit-remaining": "0"}, True),
        ({"x-daily-ratelimit-token-remaining": "7"}, True),
        ({"x-daily-ratelimit-token-remaining": "5000", "x-ratelimit-remaining": "3"}, False),
        ({"x-ratelimit-remaining": "3"}, True),
        ({"x-ratelimit-remaining": "0"}, False),
        ({}, False),
        ({"x-ratelimit-remaining": "odd"}, False),
    ],
)
def test_the_two_kinds_of_429(headers, daily):
    error = refused(429, headers)
    assert isinstance(error, AccountPaused if daily else RateLimited)
    assert error.retry_after == (900 if daily else 2)


def test_pauses_after_bursts_grow_while_it_goes_on_and_start_anew_later():
    now = [0.0]
    refusals = Refusals("crm.main", Quota("q"), clock=lambda: now[0])
    waits = []
    for _ in range(7):
        waits.append(refused(429, refusals=refusals).retry_after)
        now[0] += waits[-1]
    assert waits == [2, 4, 8, 16, 32, 60, 60]
    now[0] += 600
    assert refused(429, refusals=refusals).retry_after == 2


@pytest.mark.parametrize(("status", "readable"), [(402, True), (403, False), (410, True)])
def test_what_no_event_can_get_round_pauses_the_account(status, readable):
    error = refused(status, readable=readable)
    assert isinstance(error, AccountPaused)
    assert error.hint


async def test_every_call_is_counted_at_its_price_and_the_budget_is_kept(connect):
    sandbox = PipedriveSandbox(fields=(MARKER,), per_2_seconds=None, searches_per_2_seconds=None)
    limits = {"per_2_seconds": 0, "searches_per_2_seconds": 0, "daily_tokens": 45}
    crm = connect(httpx.ASGITransport(sandbox.app), limits=limits)
    assert await crm.by_email("ada@example.com") == []
    assert sandbox.limits.spent == 40
    with pytest.raises(LimitReached, match="45 tokens"):
        await crm.by_email("ada@example.com")
    assert sandbox.limits.spent == 40
    assert sandbox.stats()["rate_limited"] == 0
    await crm.remote.aclose()


async def test_the_sandbox_refuses_bursts_and_then_answers_with_a_page():
    sandbox = PipedriveSandbox(per_2_seconds=2, clock=lambda: 1000.0)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(sandbox.app), base_url="http://remote.test") as http:
        got = [await http.get("/v1/users/me", headers={"x-api-token": "sandbox-token"}) for _ in range(24)]
    assert [answer.status_code for answer in got] == [200] * 2 + [429] * 20 + [403] * 2
    assert "html" in got[-1].headers["content-type"]


async def test_two_fields_of_our_name_are_an_error_with_a_hint(sandbox, crm):
    sandbox.records.create_field({"field_name": MARKER, "field_type": "varchar"})
    with pytest.raises(AccountPaused, match="2 times") as caught:
        await crm.probe()
    assert "Rename" in caught.value.hint


async def test_fix_without_the_right_says_who_can(remote, scripted):
    remote.answer(200, {"success": True, "data": []})
    remote.answer(403, {"success": False, "error": "forbidden", "errorCode": 403})
    with pytest.raises(AccountPaused) as caught:
        await scripted.fix()
    assert "administrator" in caught.value.hint
