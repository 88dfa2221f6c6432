"""The one way out: every request to a remote system goes through `Remote.call`.

It waits for the quota, sends, and turns whatever comes back into an answer or into one of our errors. Reads are tried
again at once a few times; writes never are, because a write without a clear answer may have happened.
"""

from __future__ import annotations

import asyncio
import json as jsonlib
import random
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any, cast

import httpx

from connector import __version__
from connector.model.errors import (
    AccountPaused,
    ActionRefused,
    LimitReached,
    RateLimited,
    Rejected,
    RemoteError,
    Transient,
    Unavailable,
    UnknownOutcome,
)
from connector.model.measures import CALL_SECONDS, CALLS
from connector.remote.causes import BEFORE_SENDING, explain
from connector.remote.circuit_breaker import CircuitBreaker
from connector.remote.oauth import TokenRefused, TokenSource
from connector.remote.payload import BadPayload, TooLong, unpack
from connector.remote.rate_limit import LONGEST_OUTAGE, PATIENCE, Quota
from connector.remote.request import Request, address, written
from connector.remote.retry_after import retry_after
from connector.remote.values import is_safe_path
from connector.remote.wrapped import OnDemand

#: Bytes; a larger answer is refused.
MAX_ANSWER = 16 * 1024 * 1024
#: Sent with every request.
HEADERS = {
    "Accept": "application/json",
    "Accept-Encoding": "gzip, deflate",
    "User-Agent": f"connector/{__version__}",
}
#: Content codings that are undone. One at a time: a few kilobytes that were packed twice can become gigabytes.
CODINGS = frozenset({"", "identity", "gzip", "deflate"})
#: A remote system that is never silent for as long as the timeout, and never done, is given up after this many timeouts.
TIMEOUTS_IN_ALL = 2
#: A read that found the remote system unavailable is tried again after at most so many seconds each.
PAUSES = (0.1, 0.2)
#: Statuses that speak of the server as a whole, not of the one request.
#: 420 is what Salesforce's outermost servers answer while an organisation cannot be reached; 421 asks for another connection.
#: 520 to 530 are what Cloudflare answers while it cannot reach the server, or cannot read what that answers.
OVERLOAD = frozenset({408, 420, 421, 425, 502, 503, 504, *range(520, 528), 530})
#: The only statuses that prove that a write had no effect: each says why it was not carried out. Every other status on
#: a write, a 2xx that was not expected among them, leaves open what happened.
PROVES_REFUSAL = frozenset({307, 308, 400, 401, 403, 404, 405, 409, 410, 413, 415, 422, 429})

HINT_PAGE = "Check firewall and proxy in between, and base_url."
HINT_LIMITED = "Nothing is lost: events wait and continue by themselves when the limit has ended."


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: `data` is the parsed JSON, or None for an empty body."""

    status: int
    data: Any
    headers: Mapping[str, str]
    #: False where the body was neither empty nor JSON: an error page, perhaps of something that stands in between.
    readable: bool = True


@dataclass(frozen=True, slots=True)
class _Call:
    """One call, as `Remote.call` was asked for it."""

    what: str
    request: Request
    accept: Collection[int]
    writes: bool
    budget: Quota | None
    probe: bool


#: Turns a product's own statuses into our errors: `(what, answer, writes)` → error, or None for the common treatment.
Interpret = Callable[[str, Answer, bool], RemoteError | None]


class Remote:
    """One account of a remote system: base address, credentials, quota, circuit breaker.

    `account` is the configured name (`crm.main`); `title` what people call the product. Texts of errors use both and
    never the path, which may hold an e-mail address. `cost_of` maps an answer's status to what the call costs of the
    quota; `interpret` is asked first about every status that was not accepted. With `tokens`, every call carries an access
    token, and a call that was answered 401 is made once more with a new one: a 401 proves that nothing was done. A 401 that
    `interpret` has an error for (a missing scope) is that error: another token would not help.
    """

    def __init__(
        self,
        account: str,
        base_url: str,
        *,
        title: str,
        headers: Mapping[str, str],
        quota: Quota,
        timeout: float = 20.0,
        cost_of: Callable[[int], int] = lambda _status: 1,
        interpret: Interpret = lambda *_: None,
        tokens: TokenSource | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self.account = account
        self.title = title
        self.quota = quota
        self.breaker = CircuitBreaker(account)
        self._seconds = CALL_SECONDS.labels(account)
        self._in_all = timeout * TIMEOUTS_IN_ALL
        self._cost_of = cost_of
        self._interpret = interpret
        #: Set after the fact where tokens are fetched through this very remote.
        self.tokens = tokens
        self._base = base_url.rstrip("/") + "/"
        self._headers = {**HEADERS, **headers}
        self._extensions = {"timeout": httpx.Timeout(timeout, connect=5.0).as_dict()}
        # No client of httpx's around it: that would keep cookies, follow redirects, read the environment, and cost as much as
        # the call itself.
        self._transport = transport or OnDemand()

    async def aclose(self) -> None:
        """Close the connections."""
        await self._transport.aclose()

    async def call(
        self,
        what: str,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        json: Any = None,
        form: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        accept: Collection[int] = (200, 201, 204),
        writes: bool | None = None,
        budget: Quota | None = None,
        probe: bool = False,
        authorized: bool = True,
    ) -> Answer:
        """Send one request and return the answer when its status is in `accept`.

        Args:
            what: the action in plain words, for error texts: "look up the contact by e-mail".
            path: relative to the base address; the caller has percent-encoded its segments.
            form: sent as an HTML form instead of JSON.
            headers: for this request only.
            writes: whether it may have an effect; by default everything but GET. A write is sent once.
            budget: a further quota this call also counts in (HubSpot's search).
            probe: ask although the account is marked as down.
            authorized: False for the call that fetches the access token itself.

        Raises:
            Unavailable, RateLimited, AccountPaused, ActionRefused, LimitReached, Transient, UnknownOutcome,
                Rejected: see `connector.model.errors`.
        """
        writes = method != "GET" if writes is None else writes
        request = self._request(what, method, path, params, headers, json=json, form=form)
        call = _Call(what, request, accept, writes, budget, probe)
        tokens = self.tokens if authorized else None
        for longest in () if writes or probe else PAUSES:
            try:
                return await self._attempt(call, tokens)
            except Unavailable as error:
                if (error.retry_after or 0.0) > longest:
                    raise
                await asyncio.sleep(random.uniform(0.0, longest))
        return await self._attempt(call, tokens)

    def _request(self, what: str, method: str, path: str, params: Any, headers: Any, **body: Any) -> Request:
        if not is_safe_path(path):
            hint = "An id is empty, a dot, or holds a control character: it would lead to another address. Correct it there."
            raise self._failure(Rejected, what, "an id cannot be part of an address", hint=hint)
        try:
            at = address(self._base, path, params)
            return written(method, at, {**self._headers, **(headers or {})}, extensions=self._extensions, **body)
        except (ValueError, RecursionError, httpx.InvalidURL):
            hint = "A value that belongs to this record cannot be sent; correct it there, then retry the event."
            raise self._failure(Rejected, what, "a value cannot be encoded as JSON", hint=hint) from None

    async def _attempt(self, call: _Call, tokens: TokenSource | None) -> Answer:
        if tokens is None:
            return await self._exchange(call)
        token = await tokens.current(probe=call.probe)
        try:
            return await self._exchange(call, tokens.header(token))
        except TokenRefused:
            token = await tokens.current(probe=call.probe, refused=token)
        try:
            return await self._exchange(call, tokens.header(token))
        except TokenRefused as error:
            hint = f"It refuses a token that it has just issued: check the rights of the credentials in [{self.account}]."
            paused = AccountPaused(str(error), account=self.account, status=401, hint=hint)
            self.breaker.failed(paused)
            raise paused from None

    async def _exchange(self, call: _Call, authorization: Mapping[str, str] | None = None) -> Answer:
        if not call.probe:
            self.breaker.check()
            self.breaker.check_action(call.what)
        try:
            answer = await self._counted(call, call.request if authorization is None else call.request.also(authorization))
            if authorization is not None and answer.status == 401 and self._interpret(call.what, answer, call.writes) is None:
                raise TokenRefused(f"{self.title}: {call.what}: answered 401", account=self.account, status=401)
            self._accept(call, answer)
        except (Unavailable, AccountPaused, UnknownOutcome, RateLimited) as error:
            said = error if self.breaker.error is not None and not call.probe else self._whose(call, error)
            if self.breaker.error is None and not isinstance(said, RateLimited):
                self.breaker.failed(said)
            if said is error:
                raise
            raise said from None
        self.breaker.succeeded(call.what)
        return answer

    async def _counted(self, call: _Call, request: Request) -> Answer:
        """Send it within the quota, and within the further one where there is one."""
        if call.budget is not None:
            async with call.budget.spend() as spent:
                answer = await self._counted(replace(call, budget=None), request)
                spent.cost = max(spent.cost, self._cost_of(answer.status))
                return answer
        async with self.quota.spend() as spent:
            if not call.probe:
                # The wait for the quota may have been long enough for the account to go down.
                self.breaker.check()
            answer = await self._measured(call.what, request, call.writes)
            spent.cost = max(spent.cost, self._cost_of(answer.status))
            return answer

    def _whose(self, call: _Call, error: RemoteError) -> RemoteError:
        """Whether an error speaks of the account or of this kind of action; a pause too long to wait is the account's.

        A 403 may be that of one kind of action, which stops alone; the probe is asked whether it shares it. Any other
        refusal, and whatever the probe is refused, is the account's.
        """
        after, status, hint = error.retry_after, error.status, error.hint
        if isinstance(error, LimitReached) or not isinstance(error, RateLimited | AccountPaused):
            return error
        if after is not None and after > PATIENCE:
            return LimitReached(str(error), account=self.account, status=status, retry_after=after, hint=hint or HINT_LIMITED)
        if isinstance(error, ActionRefused):
            return AccountPaused(str(error), account=self.account, status=status, hint=hint) if call.probe else error
        if isinstance(error, AccountPaused) and status == 403 and not call.probe:
            return ActionRefused(str(error), action=call.what, account=self.account, status=status, hint=hint)
        return error

    def _accept(self, call: _Call, answer: Answer) -> None:
        """Raise unless the answer is one that the caller can read."""
        if answer.status not in call.accept:
            raise self._error(call.what, answer, call.writes)
        if not answer.readable:
            # A page of whatever stands in between must not pass for the remote system's "there is none".
            kind = UnknownOutcome if call.writes else Transient
            how = f"answered {answer.status} with something that is not JSON; is base_url right?"
            raise self._failure(kind, call.what, how, answer.status)

    async def _measured(self, what: str, request: Request, writes: bool) -> Answer:
        """Send, and count the call by its answer's status, or by what came instead."""
        status, begun = "cancelled", time.perf_counter()
        try:
            answer = await self._send(what, request, writes)
        except RemoteError as error:
            status = str(error.status or "no answer")
            raise
        else:
            status = str(answer.status)
            return answer
        finally:
            self._seconds.observe(time.perf_counter() - begun)
            CALLS.labels(self.account, status).inc()

    async def _send(self, what: str, request: Request, writes: bool) -> Answer:
        try:
            async with asyncio.timeout(self._in_all):
                response = await self._transport.handle_async_request(request)
                try:
                    body = await self._read(response)
                finally:
                    await response.aclose()
        except BEFORE_SENDING as error:
            cause = explain(error)
            raise self._failure(Unavailable, what, f"no connection: {cause.reason}", hint=cause.hint) from None
        except (httpx.HTTPError, TimeoutError) as error:
            kind, cause = UnknownOutcome if writes else Unavailable, explain(error)
            raise self._failure(kind, what, f"no complete answer: {cause.reason}", hint=cause.hint) from None
        try:
            data = jsonlib.loads(body) if body.strip() else None
        except (ValueError, RecursionError):
            if response.status_code < 300:
                kind = UnknownOutcome if writes else Unavailable
                raise self._failure(kind, what, f"answered {response.status_code} with something that is not JSON") from None
            return Answer(response.status_code, None, response.headers, readable=False)
        return Answer(response.status_code, data, response.headers)

    async def _read(self, response: httpx.Response) -> bytes:
        coding = response.headers.get("content-encoding", "").strip().lower()
        if coding not in CODINGS:
            raise httpx.DecodingError("answer compressed in a way that was not requested")
        body = bytearray()
        # As they came: httpx would unpack the first of several parts only, and take one that is cut short for complete.
        async for chunk in cast("httpx.AsyncByteStream", response.stream):
            body += chunk
            if len(body) > MAX_ANSWER:
                raise httpx.DecodingError("answer too large")
        try:
            return unpack(coding, bytes(body), MAX_ANSWER) if body else b""
        except (BadPayload, TooLong):
            raise httpx.DecodingError("answer too large, or not compressed as it says") from None

    def _error(self, what: str, answer: Answer, writes: bool) -> RemoteError:  # noqa: PLR0911 - one return per kind
        """The error for a status nobody asked for; adapters handle the statuses that mean something to them before."""
        status, after = answer.status, retry_after(answer.headers)
        if status == 503 and after:
            # RFC 9110, 10.2.3: so long the service as a whole is expected to be away, not what was asked for alone.
            after = min(after, LONGEST_OUTAGE)
            self.quota.block(after)
        if (error := self._interpret(what, answer, writes)) is not None:
            return error
        kind: type[RemoteError]
        if status == 407:
            hint = "Set proxy_user and proxy_password in [outbound], or correct them."
            return self._failure(AccountPaused, what, "the proxy wants a user name and password (407)", status, hint=hint)
        if status in (401, 403):
            hint = f"Check the key and its scopes in [{self.account}]; nothing is lost, events wait and continue by themselves."
            how = f"answered {status}: the credentials were refused"
            if not answer.readable:
                how = f"answered {status} with a page instead of JSON"
                hint = f"{HINT_PAGE} {hint}"
            return self._failure(AccountPaused, what, how, status, hint=hint)
        if status == 429:
            self.quota.block(after if after is not None else 1.0)
            return self._failure(RateLimited, what, "answered 429: too many calls", status, after=after or 1.0)
        if 400 < status < 500 and status not in OVERLOAD and not answer.readable:
            # Not the remote system's own words, but those of what stands in between, perhaps while it is restarted.
            kind = UnknownOutcome if writes else Transient
            return self._failure(
                kind, what, f"answered {status} with a page instead of JSON", status, after=after, hint=HINT_PAGE
            )
        if writes and status not in PROVES_REFUSAL:
            return self._failure(UnknownOutcome, what, f"answered {status}", status, after=after)
        if status in OVERLOAD or status >= 500 or status < 300:
            kind = Unavailable if status in OVERLOAD else Transient
            return self._failure(kind, what, f"answered {status}", status, after=after)
        if 300 <= status < 400:
            hint = f"Redirects are not followed; correct base_url in [{self.account}]."
            return self._failure(AccountPaused, what, f"answered {status}, a redirect", status, hint=hint)
        return self._failure(Rejected, what, f"answered {status}", status)

    def _failure(
        self,
        kind: type[RemoteError],
        what: str,
        how: str,
        status: int | None = None,
        *,
        after: float | None = None,
        hint: str = "",
    ) -> RemoteError:
        return kind(f"{self.title}: {what}: {how}", account=self.account, status=status, retry_after=after, hint=hint)
