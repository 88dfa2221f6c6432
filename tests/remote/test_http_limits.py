"""How the way out holds back: Retry-After, the quota, and accounts that cannot be used at the moment."""

from __future__ import annotations

import asyncio
import gzip
import zlib
from contextlib import suppress
from email.utils import formatdate

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from store.virtual_time import in_virtual_time

from connector.model.errors import (
    AccountPaused,
    ActionRefused,
    Conflict,
    LimitReached,
    RateLimited,
    Rejected,
    Transient,
    Unavailable,
    UnknownOutcome,
)
from connector.remote.circuit_breaker import FAILURES_BEFORE_DOWN, CircuitBreaker
from connector.remote.http import Remote
from connector.remote.rate_limit import LONGEST_OUTAGE, PATIENCE, Quota, Window
from connector.remote.retry_after import retry_after

from .test_http import PATH, RemoteSystem, error_of, remote, says

NOW = 1_795_262_400.0

# ---- Retry-After and the quota ----


@pytest.mark.parametrize(("given_", "expected"), [("7", 7.0), ("0.5", 0.5), ("", 1.0), ("nonsense", 1.0)])
@in_virtual_time
async def test_after_429_everybody_waits_as_long_as_the_remote_system_says(given_, expected):
    account = remote(RemoteSystem(says(429, Retry_After=given_), says(200)))
    error = await error_of(None, account=account)
    assert (type(error), error.retry_after) == (RateLimited, expected)
    began = asyncio.get_running_loop().time()
    await account.call("look", "GET", PATH)
    assert asyncio.get_running_loop().time() - began == pytest.approx(expected)


@pytest.mark.parametrize(("method", "kind"), [("GET", Unavailable), ("POST", UnknownOutcome)])
@pytest.mark.parametrize(("given_", "expected"), [("7", 7.0), ("0.5", 0.5), ("3600", LONGEST_OUTAGE)])
@in_virtual_time
async def test_after_503_everybody_waits_as_long_as_the_remote_system_says_but_not_for_hours(method, kind, given_, expected):
    """RFC 9110, 10.2.3: with a 503, Retry-After says how long the service is expected to be unavailable to the client."""
    remote_system = RemoteSystem(says(503, Retry_After=given_), says(200))
    account = remote(remote_system)
    error = await error_of(None, method, account=account)
    assert (type(error), error.retry_after, len(remote_system.requests)) == (kind, expected, 1)
    began = asyncio.get_running_loop().time()
    await account.call("look", "GET", PATH)
    assert asyncio.get_running_loop().time() - began == pytest.approx(expected)


@pytest.mark.parametrize("answer", [says(503), says(503, Retry_After="0"), says(502, Retry_After="7")])
@in_virtual_time
async def test_no_other_answer_of_a_server_that_is_down_makes_everybody_wait(answer):
    account = remote(RemoteSystem(answer, says(200)))
    await error_of(None, "POST", account=account)
    began = asyncio.get_running_loop().time()
    await account.call("look", "GET", PATH)
    assert asyncio.get_running_loop().time() == began


@in_virtual_time
async def test_an_account_that_is_down_is_not_probed_before_the_end_of_the_pause():
    account = remote(RemoteSystem(*[says(503, Retry_After="20")] * FAILURES_BEFORE_DOWN, says(200)))
    began = asyncio.get_running_loop().time()
    for _ in range(FAILURES_BEFORE_DOWN):
        await error_of(None, "POST", account=account)
    assert isinstance(account.breaker.error, UnknownOutcome)
    await account.call("look", "GET", PATH, probe=True)
    assert asyncio.get_running_loop().time() - began == pytest.approx(20 * FAILURES_BEFORE_DOWN)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("120", 120.0),
        (" 2.5 ", 2.5),
        ("-3", 0.0),
        ("9e8", 86_400.0),
        # The moment in Unix time, as openclaw/clawhub issue 407 has it: read as a pause, that would be half a century.
        (f"{NOW + 60:.0f}", 60.0),
        (f"{(NOW + 60) * 1000:.0f}", 60.0),
        (f"{NOW - 60:.0f}", 0.0),
        ("inf", 86_400.0),
        ("nan", None),
        ("", None),
        ("soon", None),
        (formatdate(NOW + 90, usegmt=True), 90.0),
        (formatdate(NOW - 90, usegmt=True), 0.0),
        (formatdate(NOW + 90 * 86_400, usegmt=True), 86_400.0),
        # Without a zone it is UTC, wherever this machine is (RFC 9110, section 5.6.7).
        (formatdate(NOW + 90), 90.0),
        ("Mon, 01 Jan 99999999999999999999 00:00:00 GMT", None),
    ],
)
def test_retry_after_is_a_number_or_a_date(value, seconds):
    assert retry_after({"retry-after": value}, now=lambda: NOW) == seconds


def test_without_a_retry_after_there_is_none():
    assert retry_after({}) is None


@given(st.one_of(st.text(max_size=60), st.from_regex(r"[A-Z][a-z]{2}, \d+ [A-Z][a-z]{2} \d+ \d+:\d+:\d+ (GMT|[+-]\d+)")))
def test_no_retry_after_is_too_odd(value):
    found = retry_after({"retry-after": value}, now=lambda: NOW)
    assert found is None or 0 <= found <= 86_400


@in_virtual_time
async def test_a_call_counts_in_its_own_budget_and_the_account_s():
    account = remote(RemoteSystem(says(200)), windows=[Window(10, 1.0)])
    search = Quota("search", [Window(1, 1.0)], clock=asyncio.get_running_loop().time)
    await account.call("search", "GET", PATH, budget=search)
    assert (account.quota.used(1.0), search.used(1.0)) == (1, 1)
    began = asyncio.get_running_loop().time()
    await account.call("look", "GET", PATH)
    assert asyncio.get_running_loop().time() == began
    await account.call("search", "GET", PATH, budget=search)
    assert asyncio.get_running_loop().time() - began > 1.0


@in_virtual_time
async def test_every_try_counts_also_one_without_an_answer():
    account = remote(RemoteSystem(httpx.ReadError("cut"), says(503), says(429)), windows=[Window(10, 60.0)])
    await error_of(None, account=account)
    assert account.quota.used(60.0) == 3


@in_virtual_time
async def test_an_answer_may_cost_more_than_one():
    account = remote(RemoteSystem(says(400)), windows=[Window(10, 60.0)], cost_of=lambda status: 2 if status == 400 else 1)
    await error_of(None, account=account)
    assert account.quota.used(60.0) == 2


@in_virtual_time
async def test_a_product_may_read_its_own_statuses():
    asked = []

    def interpret(what, answer, writes):
        asked.append((what, answer.status, answer.data, writes))
        return Transient("Rolodex: look the contact up: locked", account="crm.main") if answer.status == 423 else None

    account = remote(RemoteSystem(says(423, '{"code": 1}'), says(404)), interpret=interpret)
    assert type(await error_of(None, account=account)) is Transient
    assert type(await error_of(None, account=account)) is Rejected
    assert asked == [("look the contact up", 423, {"code": 1}, False), ("look the contact up", 404, {}, False)]


@in_virtual_time
async def test_a_pause_too_long_to_wait_for_sends_nothing():
    remote_system = RemoteSystem(says(200))
    account = remote(remote_system)
    account.quota.block(PATIENCE * 2)
    with pytest.raises(LimitReached) as caught:
        await account.call("look", "GET", PATH)
    assert caught.value.retry_after == pytest.approx(PATIENCE * 2)
    assert remote_system.requests == []


# ---- circuit breaker ----


def down(account: str = "crm.main") -> Unavailable:
    return Unavailable("Rolodex: look: answered 503", account=account, status=503)


@in_virtual_time
async def test_an_account_is_closed_after_a_few_failures_in_a_row():
    breaker = CircuitBreaker("crm.main")
    for _ in range(FAILURES_BEFORE_DOWN - 1):
        breaker.failed(down())
        breaker.check()
    assert (breaker.tripped.is_set(), breaker.usable.is_set()) == (False, True)
    breaker.failed(down())
    assert (breaker.tripped.is_set(), breaker.usable.is_set()) == (True, False)
    with pytest.raises(Unavailable, match="answered 503") as caught:
        breaker.check()
    assert (caught.value.account, caught.value.status) == ("crm.main", 503)


@in_virtual_time
async def test_a_success_in_between_starts_the_count_again():
    breaker = CircuitBreaker("crm.main")
    for _ in range(5):
        breaker.failed(down())
        breaker.failed(down())
        breaker.succeeded()
    breaker.check()


@in_virtual_time
async def test_a_refused_account_is_closed_at_once():
    breaker = CircuitBreaker("crm.main")
    breaker.failed(AccountPaused("the key was refused", account="crm.main", status=401, hint="Check the key."))
    with pytest.raises(AccountPaused, match="the key was refused") as caught:
        breaker.check()
    assert (caught.value.status, caught.value.hint) == (401, "Check the key.")


@in_virtual_time
async def test_a_reopened_account_has_all_its_chances_again():
    breaker = CircuitBreaker("crm.main")
    breaker.trip(down())
    breaker.trip(AccountPaused("the key was refused"))
    breaker.reset()
    breaker.check()
    assert breaker.error is None
    assert (breaker.tripped.is_set(), breaker.usable.is_set()) == (False, True)
    breaker.failed(down())
    breaker.check()


@pytest.mark.parametrize(
    "error",
    [
        UnknownOutcome("Rolodex: create: answered 503"),
        Rejected("Rolodex: probe: answered 404"),
        RateLimited("Rolodex: probe: answered 429"),
        Transient("Rolodex: probe: answered 500"),
        Conflict("Rolodex: create: answered 409", by="key", winner=None),
    ],
    ids=lambda error: type(error).__name__,
)
@in_virtual_time
async def test_whatever_closed_an_account_what_it_keeps_from_being_sent_just_waits(error):
    breaker = CircuitBreaker("crm.main")
    breaker.trip(error)
    with pytest.raises(Unavailable, match="Rolodex") as caught:
        breaker.check()
    assert type(caught.value) is Unavailable


@in_virtual_time
async def test_a_closed_account_is_not_asked_but_probed():
    remote_system = RemoteSystem(says(503))
    account = remote(remote_system)
    await error_of(None, account=account)
    assert account.breaker.tripped.is_set()
    asked = len(remote_system.requests)
    assert type(await error_of(None, "POST", account=account)) is Unavailable
    assert len(remote_system.requests) == asked
    await error_of(None, account=account, probe=True)
    assert len(remote_system.requests) == asked + 1


@in_virtual_time
async def test_a_good_probe_does_not_open_the_account_by_itself():
    account = remote(RemoteSystem(says(200)))
    account.breaker.trip(down())
    await account.call("probe", "GET", "me", probe=True)
    assert account.breaker.error is not None


@in_virtual_time
async def test_writes_without_an_answer_close_the_account_too():
    account = remote(RemoteSystem(says(502)))
    for _ in range(FAILURES_BEFORE_DOWN):
        assert type(await error_of(None, "POST", account=account)) is UnknownOutcome
    assert type(await error_of(None, "POST", account=account)) is Unavailable


@pytest.mark.parametrize("status", [400, 404, 409, 429, 500])
@in_virtual_time
async def test_refusing_one_request_does_not_close_the_account(status):
    account = remote(RemoteSystem(says(status, Retry_After="0")))
    for _ in range(2 * FAILURES_BEFORE_DOWN):
        await error_of(None, account=account)
    account.breaker.check()


@in_virtual_time
async def test_refused_credentials_close_the_account_at_once():
    remote_system = RemoteSystem(says(401))
    account = remote(remote_system)
    await error_of(None, account=account)
    assert type(await error_of(None, account=account)) is AccountPaused
    assert len(remote_system.requests) == 1


@in_virtual_time
async def test_whoever_waited_for_the_quota_while_the_account_went_down_sends_nothing():
    remote_system = RemoteSystem(says(200))
    account = remote(remote_system, windows=[Window(1, 30.0)])
    await account.call("look", "GET", PATH)
    waiting = asyncio.create_task(account.call("create", "POST", PATH, json={}))
    await asyncio.sleep(1)
    account.breaker.trip(down())
    with pytest.raises(Unavailable):
        await waiting
    assert len(remote_system.requests) == 1


# ---- answers that would cost us more than they are worth ----


@pytest.mark.parametrize("begin", [b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"])
@pytest.mark.anyio
async def test_an_answer_that_trickles_for_ever_is_given_up(begin):
    done = asyncio.Event()

    async def trickle(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(begin)
        with suppress(ConnectionError):
            while not reader.at_eof():
                writer.write(b"x: y\r\n")
                await writer.drain()
                await asyncio.sleep(0.05)
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()
        done.set()

    server = await asyncio.start_server(trickle, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    account = Remote("crm.main", url, title="Rolodex", headers={}, quota=Quota("crm.main"), timeout=0.2)
    async with asyncio.timeout(60):
        with pytest.raises(UnknownOutcome, match="no complete answer: the remote system gave no answer in time"):
            await account.call("create", "POST", PATH, json={})
        await account.aclose()
        await done.wait()
    server.close()
    await server.wait_closed()


@pytest.mark.parametrize("coding", ["gzip, gzip", "br", "gzip, identity"])
@in_virtual_time
async def test_an_answer_packed_otherwise_than_asked_for_is_not_unpacked(coding):
    packed = gzip.compress(gzip.compress(b"{}"))
    remote_system = RemoteSystem(
        lambda _: httpx.Response(200, stream=httpx.ByteStream(packed), headers={"Content-Encoding": coding})
    )
    assert type(await error_of(remote_system, "POST")) is UnknownOutcome


@pytest.mark.parametrize(
    ("packed", "expected"),
    [
        (gzip.compress(b'{"results": [1,') + gzip.compress(b" 2]}"), {"results": [1, 2]}),
        (zlib.compress(b'{"results": []}'), {"results": []}),
        (b"", None),
        (gzip.compress(b'{"results": []}')[:-6], Unavailable),
        (gzip.compress(b"{}") + b"more", Unavailable),
        (gzip.compress(b" " * 20_000_000, compresslevel=1), Unavailable),
    ],
    ids=["two parts", "deflate", "empty", "cut short", "more behind it", "too large"],
)
@in_virtual_time
async def test_a_packed_answer_is_read_to_its_end_or_not_at_all(packed, expected):
    """httpx reads the first part, and one that is cut short as if it were whole: pydantic/pydantic-ai issue 7159."""
    coding = "deflate" if packed.startswith(b"x") else "gzip"
    remote_system = RemoteSystem(
        lambda _: httpx.Response(200, stream=httpx.ByteStream(packed), headers={"Content-Encoding": coding})
    )
    if expected is Unavailable:
        assert type(await error_of(remote_system)) is Unavailable
    else:
        assert (await remote(remote_system).call("look", "GET", PATH)).data == expected


@in_virtual_time
async def test_a_packed_answer_is_unpacked():
    packed = gzip.compress(b'{"id": 1}')
    remote_system = RemoteSystem(
        lambda _: httpx.Response(200, stream=httpx.ByteStream(packed), headers={"Content-Encoding": "gzip"})
    )
    assert (await remote(remote_system).call("look", "GET", PATH)).data == {"id": 1}
    assert remote_system.requests[0].headers["accept-encoding"] == "gzip, deflate"


@in_virtual_time
async def test_cookies_are_not_kept():
    remote_system = RemoteSystem(says(200, Set_Cookie="a=b; Path=/"))
    account = remote(remote_system)
    for _ in range(2):
        await account.call("look", "GET", PATH)
    assert "cookie" not in remote_system.requests[1].headers


# ---- what is sent ----


@in_virtual_time
async def test_what_came_broken_goes_back_as_it_came():
    remote_system = RemoteSystem(says(200))
    await remote(remote_system).call("write", "PUT", PATH, json={"note": "half \ud83d", "é": 1})
    (request,) = remote_system.requests
    assert (request.content, request.headers["content-type"]) == (b'{"note":"half \\ud83d","\\u00e9":1}', "application/json")


@pytest.mark.parametrize(
    "more", [{"json": {"a": float("inf")}}, {"params": {"after": "\ud83d"}}, {"params": {"after": "x" * 70_000}}]
)
@in_virtual_time
async def test_what_cannot_be_sent_is_held(more):
    remote_system = RemoteSystem(says(200))
    with pytest.raises(Rejected, match="Rolodex: write: a value cannot be encoded as JSON"):
        await remote(remote_system).call("write", "PUT", PATH, **more)
    assert remote_system.requests == []


@in_virtual_time
async def test_a_refusal_that_is_a_page_points_at_what_stands_in_between():
    remote_system = RemoteSystem(lambda _: httpx.Response(403, text="<html>Blocked</html>"))
    error = await error_of(remote_system)
    assert (type(error), "a page instead of JSON" in str(error)) == (ActionRefused, True)
    assert error.hint.startswith("Check firewall and proxy in between, and base_url.")
