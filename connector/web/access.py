"""Who may see the status page, `/status.json` and `/metrics`, and who may decide there: operators, each with a token.

Nothing is opened by guessing from headers or addresses: a proxy that adds no header of its own cannot be distinguished from a
browser on the machine itself. Where no token is configured (allowed on loopback only), one is made at each start, and a
login address that is good once is printed for the terminal.
"""

from __future__ import annotations

import hmac
import secrets
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from starlette.datastructures import Headers

#: The operator that `[status] token` and the printed login address stand for.
UNNAMED = "status"
#: Seconds a session lasts at most, and how long it may go unused (a page that is open refreshes itself).
SESSION = 12 * 3600
IDLE = 2 * 3600
#: Sessions kept; the oldest go first.
MOST_SESSIONS = 1000
#: Peers whose wrong tokens are remembered; the longest silent are forgotten first.
MOST_PEERS = 1000
#: Wrong tokens of one peer answered as such in any `WINDOW` seconds; after more it is asked to wait. The right token is never
#: refused.
ATTEMPTS = 10
WINDOW = 60.0


@dataclass(frozen=True, slots=True)
class Operator:
    """Who is there: a name, and whether it may decide or only look."""

    name: str
    may_decide: bool = True

    @property
    def by(self) -> str:
        """How traces and decisions name it."""
        return "status page" if self.name == UNNAMED else f"{self.name} on the status page"


@dataclass(slots=True)
class _Session:
    operator: Operator
    begun: float
    seen: float


class Access:
    """Decides on each request. `clock` gives Unix time.

    `token` is `[status] token`, that of the operator "status", who may decide; `operators` are others with their tokens.
    Without any of them a token is made.
    """

    def __init__(
        self,
        *,
        public_url: str | None,
        token: str | None,
        operators: Sequence[tuple[Operator, str]] = (),
        clock: Callable[[], float] = time.time,
    ) -> None:
        #: Whether somebody has chosen a token; otherwise only the login address leads in.
        self.configured = bool(token or operators)
        self._operators = [(operator, secret.encode()) for operator, secret in operators]
        if token or not operators:
            self._operators.append((Operator(UNNAMED), (token or secrets.token_urlsafe(32)).encode()))
        self._code = secrets.token_urlsafe(24)
        self._clock = clock
        #: Peer → when it offered wrong tokens, the peer that did so last at the end.
        self._failures: OrderedDict[str, deque[float]] = OrderedDict()
        self._sessions: OrderedDict[str, _Session] = OrderedDict()
        #: The session cookie may only travel over TLS where senders see us over TLS.
        self.secure = (public_url or "").lower().startswith("https://")
        #: The scheme and host under which browsers see us through a proxy; "" when they reach us directly.
        self.origin = _origin(public_url or "")
        self.cookie = "__Host-connector" if self.secure else "connector"

    @property
    def login_path(self) -> str:
        """The address, without scheme and host, that opens one session; good once."""
        return f"/login?token={self._code}"

    @property
    def deciding(self) -> list[str]:
        """The names of those who may decide."""
        return [operator.name for operator, _ in self._operators if operator.may_decide]

    def admits(self, headers: Headers, cookie: str | None, peer: str = "") -> Operator | None:
        """Who asks: by a right bearer token, or by a session. None for anybody else; a wrong token is counted."""
        given = headers.get("authorization", "")
        if (operator := self._bearer(given) or self.in_session(cookie)) is not None:
            return operator
        if given:
            self._failed(peer)
        return None

    def in_session(self, cookie: str | None) -> Operator | None:
        """Whose session the cookie stands for, if it is still on; looking keeps it on."""
        session = self._sessions.get(cookie or "")
        if session is None:
            return None
        now = self._clock()
        if now >= session.begun + SESSION or now >= session.seen + IDLE:
            del self._sessions[cookie or ""]
            return None
        session.seen = now
        return session.operator

    def wait(self, peer: str = "") -> int:
        """Seconds for which further wrong tokens of this peer are answered with "wait"; 0 when there were few."""
        now, failures = self._clock(), self._failures.get(peer)
        while failures and failures[0] <= now - WINDOW:
            failures.popleft()
        return 0 if failures is None or len(failures) < ATTEMPTS else max(1, round(failures[0] + WINDOW - now))

    def log_in(self, offered: str, peer: str = "") -> str | None:
        """Trade a token for a session cookie's value; None (and counted) when it is nobody's."""
        if (operator := self._owner(offered)) is None:
            self._failed(peer)
            return None
        return self._begin(operator)

    def redeem(self, offered: str, peer: str = "") -> str | None:
        """Trade the code of the printed login address for a session, once; None (and counted) when it is not the code."""
        if not self._code or not _same(offered.encode("utf-8", "surrogatepass"), self._code.encode()):
            self._failed(peer)
            return None
        self._code = ""
        return self._begin(Operator(UNNAMED))

    def log_out(self, cookie: str | None) -> None:
        """End the session."""
        self._sessions.pop(cookie or "", None)

    def from_our_page(self, headers: Headers) -> bool:
        """Whether the browser says that a form was on our own page; a program says nothing."""
        if headers.get("sec-fetch-site", "same-origin") != "same-origin":
            return False
        origin = headers.get("origin")
        if origin is None:
            return True
        place = _place(origin)
        return bool(place) and (origin.lower() == self.origin or place == headers.get("host", "").lower())

    def _failed(self, peer: str) -> None:
        self._failures.setdefault(peer, deque(maxlen=ATTEMPTS)).append(self._clock())
        self._failures.move_to_end(peer)
        while len(self._failures) > MOST_PEERS:
            self._failures.popitem(last=False)

    def _begin(self, operator: Operator) -> str:
        made, now = secrets.token_urlsafe(32), self._clock()
        self._sessions[made] = _Session(operator, now, now)
        while len(self._sessions) > MOST_SESSIONS:
            self._sessions.popitem(last=False)
        return made

    def _owner(self, offered: str) -> Operator | None:
        """Whose token it is; each is compared, so that the time it takes says nothing."""
        given = offered.encode("utf-8", "surrogatepass")
        found = [operator for operator, token in self._operators if _same(given, token)]
        return found[0] if found else None

    def _bearer(self, value: str) -> Operator | None:
        scheme, _, offered = value.partition(" ")
        return self._owner(offered.strip()) if scheme.lower() == "bearer" else None


def _same(one: bytes, other: bytes) -> bool:
    return hmac.compare_digest(one, other)


def _origin(url: str) -> str:
    parts = urlsplit(url.lower())
    # Browsers leave out the usual port.
    place = parts.netloc.removesuffix({"https": ":443", "http": ":80"}.get(parts.scheme, ":"))
    return f"{parts.scheme}://{place}" if place else ""


def _place(origin: str) -> str:
    """Host and port of an origin; empty for `null`, which is what hides itself."""
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return ""
