"""The token, and how the API refuses."""

import asyncio
import json
from urllib.parse import parse_qs

import httpx
import pytest

from connector.model.errors import AccountPaused, RateLimited, Rejected, Transient, Unavailable
from connector.sandbox.bookablesites.app import BookablesitesSandbox
from connector.sandbox.kit.faults import Faults

from .conftest import key

pytestmark = pytest.mark.anyio

ADA = {"first_name": "Ada", "last_name": "Moreau", "email": "ada@example.com", "phone": "+15145550101"}


@pytest.mark.parametrize("api", ["v1", "v2"])
async def test_both_generations(connect, api):
    sandbox = BookablesitesSandbox(apis=[api])
    sandbox.add_customer(**ADA)
    client = await connect(sandbox, api=api).client(key("ada@example.com"))
    assert (client.first_name, client.mobile_phone) == ("Ada", "+1 5145550101")


@pytest.mark.parametrize(("api", "other"), [("v1", "v2"), ("v2", "v1")])
async def test_the_wrong_generation_says_what_to_do(connect, api, other):
    booking = connect(BookablesitesSandbox(apis=[other]), api=api)
    with pytest.raises(Transient) as caught:
        await booking.probe()
    assert "[booking.salon.profile]" in caught.value.hint


async def test_the_token_is_asked_for_as_each_generation_wants_it(connect):
    asked = []

    def handle(request):
        asked.append(request)
        if request.method == "POST":
            return httpx.Response(200, json={"token": "t1"} if "auth" in request.url.path else {"access_token": "t2"})
        return httpx.Response(200, json={"data": []})

    await connect(handle, api="v1").probe()
    await connect(handle, api="v2").probe()
    one, _, two, last = asked
    assert (one.url.path, json.loads(one.content)) == (
        "/api/v1/auth/token",
        {"clientId": "sandbox-client", "clientSecret": "sandbox-client-secret"},
    )
    assert two.url.path == "/api/v2/token"
    assert two.headers["content-type"] == "application/x-www-form-urlencoded"
    assert parse_qs(two.content.decode()) == {
        "grant_type": ["client_credentials"],
        "client_id": ["sandbox-client"],
        "client_secret": ["sandbox-client-secret"],
    }
    assert last.headers["authorization"] == "Bearer t2"


async def test_one_token_serves_many_calls_also_at_once(connect, sandbox):
    booking = connect(sandbox)
    sandbox.add_customer(**ADA)
    await asyncio.gather(*(booking.client(key("ada@example.com")) for _ in range(5)))
    assert len(sandbox.tokens) == 1


async def test_an_expired_token_is_renewed_once_for_all(connect, sandbox):
    booking = connect(sandbox)
    sandbox.add_customer(**ADA)
    assert await booking.client(key("ada@example.com"))
    sandbox.expire_tokens()
    found = await asyncio.gather(*(booking.client(key("ada@example.com")) for _ in range(5)))
    assert all(found)
    assert len(sandbox.tokens) == 1


async def test_a_token_that_lives_an_hour_is_renewed_when_it_is_refused(connect):
    now = 0.0
    sandbox = BookablesitesSandbox(clock=lambda: now)
    booking = connect(sandbox)
    await booking.probe()
    now = 3601.0
    await booking.probe()
    assert len(sandbox.tokens) == 2
    assert sandbox.statuses[401] == 1


async def test_a_refused_secret_pauses_the_account(connect, sandbox):
    booking = connect(sandbox)
    await booking.probe()
    sandbox.client_secret = "another"
    sandbox.expire_tokens()
    with pytest.raises(AccountPaused, match="fetch a token") as caught:
        await booking.client(key("ada@example.com"))
    assert "[booking.salon]" in caught.value.hint


@pytest.mark.parametrize("status", [400, 404, 405, 422])
async def test_a_token_call_that_is_wrong_pauses_the_account(connect, status):
    booking = connect(lambda request: httpx.Response(status, json={"error": "invalid"}))
    with pytest.raises(AccountPaused) as caught:
        await booking.probe()
    assert "api" in caught.value.hint


async def test_a_fresh_token_that_is_refused_pauses_the_account(connect):
    def handle(request):
        return httpx.Response(200, json={"access_token": "t"}) if request.method == "POST" else httpx.Response(401, text="no")

    with pytest.raises(AccountPaused, match="answered 401") as caught:
        await connect(handle).probe()
    assert caught.value.hint


@pytest.mark.parametrize("data", [None, {}, {"token": ""}, {"token": 5}, {"access_token": "a\nb"}, [], {"token": "é"}])
async def test_an_answer_without_a_token(connect, data):
    with pytest.raises(Transient, match="unexpected shape"):
        await connect(lambda request: httpx.Response(200, json=data)).probe()


def behind_a_token(handle):
    """A remote system that hands out a token and leaves the rest to `handle`."""
    return lambda request: httpx.Response(200, json={"access_token": "t"}) if request.method == "POST" else handle(request)


@pytest.mark.parametrize("data", [{}, {"data": None}, {"data": {}}, "x", None, {"data": [], "pagination": {"total": 5}}])
async def test_a_list_in_another_shape_or_cut_short_is_no_empty_list(connect, data):
    booking = connect(behind_a_token(lambda request: httpx.Response(200, json=data)))
    with pytest.raises(Transient, match="unexpected shape"):
        await booking.client(key("ada@example.com"))


@pytest.mark.parametrize("status", [404, 405])
async def test_a_list_that_is_not_offered(connect, status):
    booking = connect(behind_a_token(lambda request: httpx.Response(status, json={"message": "no"})))
    with pytest.raises(Rejected, match=str(status)) as caught:
        await booking.client(key("ada@example.com"))
    assert "api" in caught.value.hint


async def test_a_token_is_fetched_again_after_problem(connect, sandbox):
    booking = connect(sandbox)
    sandbox.faults = Faults(down=True)
    with pytest.raises(Unavailable):
        await booking.probe()
    sandbox.faults = Faults(rate_limit=1, retry_after=0)
    with pytest.raises(RateLimited):
        await booking.probe()
    sandbox.faults = Faults()
    booking.remote.breaker.reset()
    await booking.probe()
