"""Access tokens: fetched on first use by one task while the others wait, kept, renewed before they expire or once refused.

`Remote` asks a `TokenSource` before each call; `request_token` is the call that most products fetch their tokens with
(RFC 6749, sections 4.4, 5 and 6).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from connector.model.errors import AccountPaused, Transient
from connector.remote.values import read_object, read_text

if TYPE_CHECKING:
    from connector.remote.http import Remote

#: Seconds; a token is renewed so long before it expires, or a tenth of its life if that is less.
MARGIN = 60.0
#: The error codes of RFC 6749, section 5.2: the only words of a refusal that are repeated.
CODES = frozenset(
    {"invalid_request", "invalid_client", "invalid_grant", "unauthorized_client", "unsupported_grant_type", "invalid_scope"}
)


class TokenRefused(Transient):
    """The remote system does not take the token (any more); nothing was done. Never leaves `Remote`."""


@dataclass(frozen=True, slots=True)
class Token:
    """An access token; `seconds` is how long it lives from now, None where the remote system does not say."""

    value: str
    seconds: float | None = None


class SharedToken(Protocol):
    """The token of an account that several processes use; `connector.worker.shared_tokens` in the service."""

    async def current(self, refused: str, fetch: Callable[[], Awaitable[Token]]) -> Token:
        """The one that all use, or what `fetch` answers; `seconds` of both is how long it may be used."""
        ...


class TokenSource:
    """The access token of one account.

    `fetch` is given whether it is asked for a probe (then it must ask even if the account is marked as down); what it
    raises reaches every caller that waits for the token.
    """

    def __init__(
        self, fetch: Callable[[bool], Awaitable[Token]], *, scheme: str = "Bearer", clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._fetch = fetch
        self._scheme = scheme
        self._clock = clock
        self._value = self._refused = ""
        self._renew_at = 0.0
        self._turn = asyncio.Lock()
        self._shared: SharedToken | None = None

    def share(self, shared: SharedToken) -> None:
        """Go by the token that other processes use too."""
        self._shared = shared

    async def current(self, *, probe: bool = False, refused: str = "") -> str:
        """Return the token in use; another one where that is `refused` or about to expire."""
        async with self._turn:
            if not self._value or self._value == refused or self._clock() >= self._renew_at:
                self._refused = refused or self._refused
                self._value = ""
                if self._shared is None:
                    token = await self._fetched(probe)
                else:
                    token = await self._shared.current(self._refused, lambda: self._fetched(probe))
                self._value = token.value
                self._renew_at = self._clock() + (float("inf") if token.seconds is None else token.seconds)
            return self._value

    async def _fetched(self, probe: bool) -> Token:
        """A new token, with how long it may be used before the next one is fetched."""
        token = await self._fetch(probe)
        life = token.seconds
        return token if life is None else Token(token.value, life - min(MARGIN, life / 10))

    def forget(self) -> None:
        """The token in use was refused in another way than by a 401: the next caller fetches a new one."""
        self._refused, self._value = self._value or self._refused, ""

    def header(self, token: str) -> Mapping[str, str]:
        """The header that carries `token`."""
        return {"Authorization": f"{self._scheme} {token}"}


async def request_token(
    remote: Remote, path: str, form: Mapping[str, str], *, probe: bool, hint: str | Callable[[str, str], str]
) -> Token:
    """Fetch a token with an HTML form, as OAuth 2.0 has it.

    `hint` says what to do about a refusal, or is asked for that with its `error` and `error_description`.

    Raises:
        AccountPaused: the credentials were refused; with the code of the refusal where it is a standard one, and `hint`.
        Transient: an answer without a usable token.
    """
    what = "fetch an access token"
    answer = await remote.call(
        what, "POST", path, form=form, accept=(200, 201, 400, 401, 403), writes=False, probe=probe, authorized=False
    )
    found = read_object(answer.data)
    if answer.status >= 400 or found.get("error"):
        code = found.get("error")
        how = f"refused ({code})" if code in CODES else "refused"
        message = f"{remote.title}: {what}: {how}"
        advice = hint if isinstance(hint, str) else hint(read_text(code), read_text(found.get("error_description")))
        raise AccountPaused(message, account=remote.account, status=answer.status, hint=advice)
    return read_token(remote, found)


def read_token(remote: Remote, found: Mapping[str, object]) -> Token:
    """Read `access_token` and `expires_in` of an answer. Raises Transient where there is no usable token."""
    value = read_text(found.get("access_token"), 10_000)
    if not value or not value.isascii() or not value.isprintable():
        message = f"{remote.title}: fetch an access token: the answer has none"
        raise Transient(message, account=remote.account)
    seconds = found.get("expires_in")
    if isinstance(seconds, str) and seconds.isascii() and seconds.isdigit():
        seconds = int(seconds[:9])
    lives = isinstance(seconds, int | float) and not isinstance(seconds, bool) and seconds > 0
    return Token(value, float(seconds) if lives else None)  # type: ignore[arg-type]
