"""Access tokens: one fetch for all, renewed in time and once when refused."""

import asyncio
import json

import httpx
import pytest
from store.virtual_time import in_virtual_time

from connector.model.errors import AccountPaused, Transient
from connector.remote.http import Remote
from connector.remote.oauth import Token, TokenSource, request_token
from connector.remote.rate_limit import Quota


class Api:
    """Issues `t1`, `t2`, …; takes the newest alone. `refusals` calls are answered 401 whatever they carry."""

    def __init__(self, **answer: object) -> None:
        self.issued = 0
        self.refusals = 0
        self.answer = answer
        self.status = 200
        self.seen: list[tuple[str, str]] = []

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/token"):
            await asyncio.sleep(1)
            self.issued += 1
            said = {"access_token": f"t{self.issued}", **self.answer}
            return httpx.Response(self.status, text=json.dumps(said))
        self.seen.append((request.method, request.headers["authorization"]))
        if self.refusals or request.headers["authorization"] != f"Bearer t{self.issued}":
            self.refusals = max(self.refusals - 1, 0)
            return httpx.Response(401, text="{}")
        return httpx.Response(200, text="{}")


def remote(api: Api, **more: object) -> Remote:
    loop = asyncio.get_running_loop()
    found = Remote(
        "crm.main",
        "https://api.example.com",
        title="Rolodex",
        headers={},
        quota=Quota("crm.main", (), clock=loop.time),
        transport=httpx.MockTransport(api),
        **more,
    )

    async def fetch(probe: bool) -> Token:
        form = {"grant_type": "client_credentials", "client_secret": "s3cret"}
        return await request_token(found, "token", form, probe=probe, hint="Check client_secret.")

    found.tokens = TokenSource(fetch, clock=loop.time)
    return found


@in_virtual_time
async def test_thirty_callers_fetch_one_token():
    api = Api(expires_in=3600)
    account = remote(api)
    await asyncio.gather(*(account.call("look", "GET", "x") for _ in range(30)))
    assert (api.issued, len(api.seen)) == (1, 30)


@pytest.mark.parametrize(
    ("expires_in", "after", "issued"),
    [
        (3600, 3500, 1),
        (3600, 3545, 2),
        ("3600", 3545, 2),
        (100, 85, 1),
        (100, 91, 2),
        (None, 10**6, 1),
        (0, 10, 1),
        (True, 10, 1),
    ],
)
@in_virtual_time
async def test_a_token_is_renewed_before_it_expires(expires_in, after, issued):
    api = Api(expires_in=expires_in)
    account = remote(api)
    await account.call("look", "GET", "x")
    await asyncio.sleep(after)
    await account.call("look", "GET", "x")
    assert api.issued == issued


@in_virtual_time
async def test_a_refused_token_is_renewed_once_for_all_and_a_write_is_sent_again():
    api = Api()
    account = remote(api)
    await account.call("look", "GET", "x")
    api.issued += 1
    await asyncio.gather(*(account.call("create", "POST", "x", json={}) for _ in range(5)))
    assert api.issued == 3
    assert api.seen[-1] == ("POST", "Bearer t3")
    assert account.breaker.error is None


@in_virtual_time
async def test_a_new_token_that_is_refused_too_pauses_the_account():
    api = Api()
    api.refusals = 2
    account = remote(api)
    with pytest.raises(AccountPaused, match="look: answered 401") as caught:
        await account.call("look", "GET", "x")
    assert "just issued" in caught.value.hint
    assert isinstance(account.breaker.error, AccountPaused)


@in_virtual_time
async def test_a_401_that_the_product_explains_costs_no_new_token():
    """A missing scope: another token would lack it as well."""
    api = Api(expires_in=3600)
    api.refusals = 1
    scope = AccountPaused("look: the scope is missing", account="crm.main", status=401)
    account = remote(api, interpret=lambda _what, answer, _writes: scope if answer.status == 401 else None)
    with pytest.raises(AccountPaused, match="the scope is missing"):
        await account.call("look", "GET", "x")
    assert (api.issued, len(api.seen)) == (1, 1)


@pytest.mark.parametrize(
    ("status", "answer", "words"),
    [
        (400, {"error": "invalid_client"}, r"refused \(invalid_client\)"),
        (401, {"error": "jane@example.com is blocked"}, r"refused$"),
        (200, {"error": "invalid_grant"}, r"refused \(invalid_grant\)"),
    ],
)
@in_virtual_time
async def test_refused_credentials_pause_the_account_with_the_standard_code_and_nothing_else(status, answer, words):
    api = Api(**answer)
    api.status = status
    with pytest.raises(AccountPaused, match=words) as caught:
        await remote(api).call("look", "GET", "x")
    assert (caught.value.hint, caught.value.status) == ("Check client_secret.", status)
    assert "s3cret" not in str(caught.value)
    assert api.seen == []


@pytest.mark.parametrize("token", [None, "", 5, "é", "a\nb"])
@in_virtual_time
async def test_an_answer_without_a_usable_token_is_none(token):
    api = Api(access_token=token)
    with pytest.raises(Transient, match="the answer has none"):
        await remote(api).call("look", "GET", "x")
