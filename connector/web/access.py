"""Who may see the status page, `/status.json` and `/metrics`.

They are open only to a browser on the machine itself: the server listens on loopback, no public address is configured,
nothing between says that it forwarded the request, and the address in the browser's bar is loopback too (a hostile
site can point its own name at 127.0.0.1). Everybody else needs the status token. A proxy that adds no header of its own
cannot be seen from here: behind it, `public_url` must be set.
"""

from __future__ import annotations

import hashlib
import hmac
import time
from collections import deque
from collections.abc import Callable
from urllib.parse import urlsplit

from starlette.datastructures import Headers

from connector.config.addresses import is_loopback

#: Seconds a login lasts.
SESSION = 12 * 3600
#: Wrong tokens accepted by the login form in any `WINDOW` seconds, from everybody together.
ATTEMPTS = 10
WINDOW = 60.0

_FORWARDED = frozenset(
    {
        "forwarded",
        "via",
        "x-real-ip",
        "x-client-ip",
        "x-cluster-client-ip",
        "true-client-ip",
        "cf-connecting-ip",
        "cdn-loop",
        "x-envoy-external-address",
        "x-original-host",
        "x-original-url",
    }
)


class Access:
    """Decides on each request. `host` and `public_url` are the server's settings, `token` is `[status] token`."""

    def __init__(self, *, host: str, public_url: str | None, token: str | None, clock: Callable[[], float] = time.time) -> None:
        self._may_be_open = is_loopback(host) and public_url is None
        self._token = token.encode() if token else b""
        self._key = hashlib.sha256(b"connector session key\0" + self._token).digest()
        self._clock = clock
        self._failures: deque[float] = deque()
        #: The session cookie may only travel over TLS where senders see us over TLS.
        self.secure = (public_url or "").lower().startswith("https://")
        #: The scheme and host under which browsers see us through a proxy; "" when they reach us directly.
        self.origin = _origin(public_url or "")
        self.cookie = "__Host-connector" if self.secure else "connector"

    @property
    def configured(self) -> bool:
        """Whether there is a token to log in with."""
        return bool(self._token)

    def is_open(self, headers: Headers) -> bool:
        """Whether this request may see everything without a login."""
        return self._may_be_open and not _forwarded(headers) and _names_loopback(headers.get("host", ""))

    def admits(self, headers: Headers, cookie: str | None) -> bool:
        """Whether this request may see the status: open, a right bearer token, or a valid session cookie."""
        return self.is_open(headers) or self._bearer(headers.get("authorization", "")) or self._session(cookie or "")

    def wait(self) -> int:
        """Seconds until the login form may be tried again; 0 when it may be tried now."""
        now = self._clock()
        while self._failures and self._failures[0] <= now - WINDOW:
            self._failures.popleft()
        return 0 if len(self._failures) < ATTEMPTS else max(1, round(self._failures[0] + WINDOW - now))

    def log_in(self, offered: str) -> str | None:
        """Trade the token for a session cookie's value; None (and counted) when it is not the token."""
        if not self._matches(offered):
            self._failures.append(self._clock())
            return None
        expiry = str(int(self._clock()) + SESSION)
        return f"{expiry}.{self._sign(expiry)}"

    def _matches(self, offered: str) -> bool:
        return bool(self._token) and hmac.compare_digest(offered.encode("utf-8", "surrogatepass"), self._token)

    def _bearer(self, value: str) -> bool:
        scheme, _, offered = value.partition(" ")
        return scheme.lower() == "bearer" and self._matches(offered.strip())

    def _session(self, cookie: str) -> bool:
        expiry, _, signature = cookie.partition(".")
        if not self._token or len(expiry) > 12 or not (expiry.isascii() and expiry.isdigit()):
            return False
        good = hmac.compare_digest(signature.encode("utf-8", "surrogatepass"), self._sign(expiry).encode())
        return good and self._clock() < int(expiry)

    def _sign(self, expiry: str) -> str:
        # Keyed by the token: a new token ends every session.
        return hmac.new(self._key, expiry.encode(), hashlib.sha256).hexdigest()


def _origin(url: str) -> str:
    parts = urlsplit(url.lower())
    # Browsers leave out the usual port.
    place = parts.netloc.removesuffix({"https": ":443", "http": ":80"}.get(parts.scheme, ":"))
    return f"{parts.scheme}://{place}" if place else ""


def _forwarded(headers: Headers) -> bool:
    return any(name in _FORWARDED or name.startswith("x-forwarded") for name in headers)


def _names_loopback(host: str) -> bool:
    """Read a Host header: `localhost`, `127.0.0.1` or `[::1]`, with or without a port."""
    if host.startswith("["):
        return is_loopback(host.partition("]")[0] + "]")
    return is_loopback(host.partition(":")[0])
