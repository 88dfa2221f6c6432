"""The one way out: every answer of a remote system, and every silence, becomes the right error."""

from __future__ import annotations

import asyncio
import traceback

import httpx
import pytest
from store.virtual_time import in_virtual_time

from connector.model.errors import (
    AccountPaused,
    ActionRefused,
    RateLimited,
    Rejected,
    RemoteError,
    Transient,
    Unavailable,
    UnknownOutcome,
)
from connector.remote import http as outbound
from connector.remote.http import Remote
from connector.remote.rate_limit import Quota

SECRET = "Bearer s3cret-key"
ADDRESS = "jane@example.com"
PATH = "contacts/jane%40example.com"
NOW = 1_795_262_400.0


class RemoteSystem:
    """Answers with what is queued (a response, an exception, or a function of the request); the last one repeats."""

    def __init__(self, *answers) -> None:
        self.answers = list(answers)
        self.requests: list[httpx.Request] = []

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer(request) if callable(answer) else answer


def remote(remote_system, *, windows=(), quota=None, **more) -> Remote:
    quota = quota or Quota("crm.main", windows, clock=asyncio.get_running_loop().time)
    transport = httpx.MockTransport(remote_system)
    headers = {"Authorization": SECRET}
    return Remote(
        "crm.main", "https://api.example.com/v3", title="Rolodex", headers=headers, quota=quota, transport=transport, **more
    )


def says(status: int, text: str = "{}", **headers: str):
    """A fresh response each time."""
    return lambda _request: httpx.Response(status, text=text, headers={k.replace("_", "-"): v for k, v in headers.items()})


async def error_of(remote_system, method: str = "GET", **more) -> RemoteError:
    """Make one call that must fail; the error must say who and what, and nothing personal or secret."""
    account = more.pop("account", None) or remote(remote_system)
    with pytest.raises(RemoteError) as caught:
        await account.call("look the contact up", method, PATH, json=None if method == "GET" else {"email": ADDRESS}, **more)
    error = caught.value
    assert str(error).startswith("Rolodex: look the contact up: ")
    assert error.account == "crm.main"
    shown = "".join(traceback.format_exception(error)) + repr(error) + error.hint
    assert not any(private in shown for private in ("s3cret", "jane", "contacts/"))
    return error


# ---- what comes back ----


@in_virtual_time
async def test_an_accepted_answer_is_parsed():
    remote_system = RemoteSystem(says(200, '{"id": "501"}', X_Left="7"))
    answer = await remote(remote_system).call("look", "GET", "/contacts/1", params={"fields": "a,b"})
    assert (answer.status, answer.data, answer.headers["x-left"]) == (200, {"id": "501"}, "7")
    (request,) = remote_system.requests
    assert (request.method, str(request.url)) == ("GET", "https://api.example.com/v3/contacts/1?fields=a%2Cb")
    assert (request.headers["authorization"], request.headers["accept"]) == (SECRET, "application/json")


@pytest.mark.parametrize("body", ["", " \n"])
@in_virtual_time
async def test_an_empty_answer_is_none(body):
    assert (await remote(RemoteSystem(says(204, body))).call("delete", "DELETE", PATH)).data is None


@in_virtual_time
async def test_a_status_somebody_asked_for_is_an_answer():
    answer = await remote(RemoteSystem(says(404, '{"message": "not here"}'))).call("look", "GET", PATH, accept=(200, 404))
    assert (answer.status, answer.data) == (404, {"message": "not here"})


@in_virtual_time
async def test_somebody_elses_page_is_no_answer_whatever_its_status():
    with pytest.raises(Transient, match="not JSON"):
        await remote(RemoteSystem(says(404, "not here"))).call("look", "GET", PATH, accept=(200, 404))


READS = {
    400: Rejected,
    401: AccountPaused,
    403: ActionRefused,
    404: Rejected,
    408: Unavailable,
    # Salesforce's outermost servers, while an organisation is not reachable: jsforce/jsforce pull request 1772.
    420: Unavailable,
    421: Unavailable,
    409: Rejected,
    422: Rejected,
    425: Unavailable,
    429: RateLimited,
    500: Transient,
    501: Transient,
    502: Unavailable,
    503: Unavailable,
    504: Unavailable,
    # Cloudflare's, while it cannot reach or read the server: github.com/earendil-works/pi/issues/9627,
    # github.com/notatallshaw/nab/pull/483 and 579.
    520: Unavailable,
    522: Unavailable,
    525: Unavailable,
    527: Unavailable,
    530: Unavailable,
    301: AccountPaused,
    302: AccountPaused,
    308: AccountPaused,
    202: Transient,
    206: Transient,
    207: Transient,
    405: Rejected,
    410: Rejected,
    413: Rejected,
    415: Rejected,
    406: Rejected,
    418: Rejected,
    303: AccountPaused,
    307: AccountPaused,
}
#: What says that a write was not carried out, and why.
PROOFS = {307, 308, 400, 401, 403, 404, 405, 409, 410, 413, 415, 422, 429}


@pytest.mark.parametrize("status", READS)
@in_virtual_time
async def test_each_status_of_a_read_is_the_right_error(status):
    error = await error_of(RemoteSystem(says(status)), accept=(200,))
    assert (type(error), error.status) == (READS[status], status)
    assert str(status) in str(error)


@pytest.mark.parametrize("status", READS)
@in_virtual_time
async def test_a_write_that_may_have_happened_has_an_unknown_outcome(status):
    remote_system = RemoteSystem(says(status))
    error = await error_of(remote_system, "POST", accept=(200, 201))
    expected = READS[status] if status in PROOFS else UnknownOutcome
    assert len(remote_system.requests) == 1, "a write is sent once"
    assert (type(error), error.status) == (expected, status)


@pytest.mark.parametrize("status", [401, 403, 301])
@in_virtual_time
async def test_whoever_can_fix_the_account_is_told_where(status):
    assert "[crm.main]" in (await error_of(RemoteSystem(says(status)))).hint


@in_virtual_time
async def test_a_redirect_is_not_followed():
    remote_system = RemoteSystem(says(302, Location="https://evil.example.net/"))
    await error_of(remote_system)
    assert len(remote_system.requests) == 1


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("method", ["GET", "POST"])
@in_virtual_time
async def test_a_redirect_is_one_whatever_page_comes_with_it(method, status):
    """Servers usually send a short page with the new address along (RFC 9110, 15.4.2)."""
    error = await error_of(RemoteSystem(says(status, '<html><a href="/x">Moved</a></html>')), method, accept=(200,))
    expected = AccountPaused if method == "GET" or status in PROOFS else UnknownOutcome
    assert (type(error), error.status, "not JSON" in str(error)) == (expected, status, False)
    assert expected is UnknownOutcome or "correct base_url in [crm.main]" in error.hint


@pytest.mark.parametrize("text", ["<html>jane@example.com</html>", '{"id": ', "\ufeff\ufeff{}", "[" * 100_000])
@pytest.mark.parametrize(("method", "expected"), [("GET", Unavailable), ("POST", UnknownOutcome)])
@in_virtual_time
async def test_a_success_that_is_not_json_is_no_success(method, expected, text):
    error = await error_of(RemoteSystem(says(200, text)), method)
    assert (type(error), "not JSON" in str(error)) == (expected, True)


@in_virtual_time
async def test_a_refusal_need_not_be_json():
    assert type(await error_of(RemoteSystem(says(400, "<html>")))) is Rejected


@pytest.mark.parametrize("status", [404, 405, 406, 409, 410, 422, 499])
@pytest.mark.parametrize(("method", "expected"), [("GET", Transient), ("POST", UnknownOutcome)])
@in_virtual_time
async def test_a_page_is_not_the_remote_system_s_refusal(method, expected, status):
    """Of something in between, it passes: 406 pages of Salesforce ended whole syncs (airbytehq/airbyte pull request 36885)."""
    error = await error_of(RemoteSystem(says(status, "<html>no such backend</html>")), method, accept=(200,))
    assert (type(error), error.status) == (expected, status)
    assert error.hint == "Check firewall and proxy in between, and base_url."


@pytest.mark.parametrize(("method", "expected"), [("GET", Unavailable), ("POST", UnknownOutcome)])
@in_virtual_time
async def test_an_answer_too_large_is_cut_short(method, expected, monkeypatch):
    monkeypatch.setattr(outbound, "MAX_ANSWER", 1_000)
    assert type(await error_of(RemoteSystem(says(200, "1" * 1_001)), method)) is expected
    assert (await remote(RemoteSystem(says(200, "1" * 1_000))).call("look", "GET", PATH)).data > 0


@in_virtual_time
async def test_the_rest_of_an_answer_too_large_is_not_read(monkeypatch):
    monkeypatch.setattr(outbound, "MAX_ANSWER", 1_000)
    sent = 0

    async def endless():
        nonlocal sent
        while True:
            sent += 1
            yield b"x" * 100

    await error_of(RemoteSystem(lambda _: httpx.Response(200, content=endless())), "POST")
    assert sent == 11


@pytest.mark.parametrize("problem", [httpx.ConnectError("x"), httpx.ConnectTimeout("x"), httpx.PoolTimeout("x")])
@pytest.mark.parametrize("method", ["GET", "POST"])
@in_virtual_time
async def test_without_a_connection_nothing_was_sent(problem, method):
    assert type(await error_of(RemoteSystem(problem), method)) is Unavailable


@pytest.mark.parametrize("problem", [httpx.ReadTimeout, httpx.ReadError, httpx.RemoteProtocolError, httpx.WriteError])
@pytest.mark.parametrize(("method", "expected"), [("GET", Unavailable), ("POST", UnknownOutcome)])
@in_virtual_time
async def test_a_connection_cut_before_the_answer(problem, method, expected):
    assert type(await error_of(RemoteSystem(problem(f"{PATH} {SECRET}")), method)) is expected


@pytest.mark.parametrize(("method", "expected"), [("GET", Unavailable), ("POST", UnknownOutcome)])
@in_virtual_time
async def test_a_connection_cut_within_the_answer(method, expected):
    async def half():
        yield b'{"id": '
        raise httpx.ReadError("cut")

    assert type(await error_of(RemoteSystem(lambda _: httpx.Response(200, content=half())), method)) is expected


@pytest.mark.anyio
async def test_a_server_that_hangs_up_on_a_real_connection():
    heard = []

    async def hang_up(reader, writer):
        heard.append(await reader.readuntil(b"\r\n\r\n"))
        writer.close()

    server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
    quota = Quota("crm.main")
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    account = Remote("crm.main", url, title="Rolodex", headers={}, quota=quota)
    with pytest.raises(UnknownOutcome):
        await account.call("create", "POST", PATH, json={})
    server.close()
    await server.wait_closed()
    with pytest.raises(Unavailable, match=r"no connection: 127\.0\.0\.1 refused the connection"):
        await account.call("create", "POST", PATH, json={})
    assert len(heard) == 1
    await account.aclose()


# ---- reads are tried again, writes never ----


@in_virtual_time
async def test_a_read_is_tried_again_at_once_a_few_times():
    remote_system = RemoteSystem(says(503), httpx.ReadError("cut"), says(200, "[1]"))
    began = asyncio.get_running_loop().time()
    assert (await remote(remote_system).call("look", "GET", PATH)).data == [1]
    assert len(remote_system.requests) == 3
    assert 0 < asyncio.get_running_loop().time() - began <= 2.0


@pytest.mark.parametrize("more", [{"method": "POST"}, {"method": "GET", "writes": True}, {"method": "GET", "probe": True}])
@in_virtual_time
async def test_writes_and_probes_are_sent_once(more):
    remote_system = RemoteSystem(says(503))
    await error_of(remote_system, **more)
    assert len(remote_system.requests) == 1


@in_virtual_time
async def test_a_search_by_post_is_a_read():
    remote_system = RemoteSystem(says(503), says(200))
    await remote(remote_system).call("search", "POST", PATH, json={}, writes=False)
    assert len(remote_system.requests) == 2


@pytest.mark.parametrize("status", [400, 401, 429, 500])
@in_virtual_time
async def test_what_would_be_refused_again_is_not_tried_again(status):
    remote_system = RemoteSystem(says(status))
    await error_of(remote_system)
    assert len(remote_system.requests) == 1


# ---- addresses made from ids ----


@pytest.mark.parametrize(
    "path", ["contacts/..", "contacts/.", "contacts//x", "contacts/", "a/%2e%2E/b", "a/x\r\ny", "a/%0a", "a/\x85"]
)
@in_virtual_time
async def test_an_id_that_would_lead_to_another_address_is_never_sent(path):
    remote_system = RemoteSystem()
    with pytest.raises(Rejected, match="an id cannot be part of an address") as caught:
        await remote(remote_system).call("look", "GET", path)
    assert "Correct it there" in caught.value.hint
    assert remote_system.requests == []


@pytest.mark.parametrize(
    "path", ["", "/contacts/a%2Fb", "contacts/...", "contacts/1?next=../x", "https://other.example.com/v1/x"]
)
@in_virtual_time
async def test_other_paths_are_sent(path):
    assert (await remote(RemoteSystem(says(200))).call("look", "GET", path)).status == 200
