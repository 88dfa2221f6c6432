"""One hostile request for each number: which kind, which route, which bytes. The same seed and number give the same request."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any
from urllib.parse import quote

from . import material


@dataclass(frozen=True, slots=True)
class Secrets:
    """What lets a request in: tokens of senders, operators and the command line, a session's cookie and its forms' token."""

    webhook: str
    operator: str
    admin: str
    cookie: str
    form: str


@dataclass(frozen=True, slots=True)
class Attack:
    """One request. `parts` are sent one after the other, with `pause` seconds between them.

    `whole` says that the request is complete, so that an answer must come. `stranger` says that it holds no secret: nothing
    may be stored or shown for it.
    """

    number: int
    kind: str
    parts: tuple[bytes, ...]
    whole: bool = True
    stranger: bool = True
    pause: float = 0.0
    head_only: bool = False


class Attacks:
    """Makes the attacks of one seed."""

    def __init__(self, seed: int, secrets: Secrets) -> None:
        self._seed = seed
        self._secrets = secrets

    def __call__(self, number: int) -> Attack:
        """The attack with this number."""
        return _Maker(random.Random(f"{self._seed} {number}"), self._secrets, number).make()


class _Maker:
    """Makes one attack."""

    def __init__(self, rng: random.Random, secrets: Secrets, number: int) -> None:
        self._rng = rng
        self._secrets = secrets
        self._number = number
        self._stranger = True
        self._method = "GET"

    def make(self) -> Attack:
        """Choose a kind by its share."""
        kind = self._rng.choices(list(SHARES), cum_weights=_cumulated())[0]
        return KINDS[kind](self, kind)

    # ---- kinds ----

    def noise(self, kind: str) -> Attack:
        """Bytes that are no request."""
        first = self._rng.choice(
            (b"", b"GET ", b"POST /login HTTP/1.1\r\n", b"\x16\x03\x01\x02", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
        )
        return self._attack(kind, first + self._rng.randbytes(self._rng.randint(1, 300)), whole=False)

    def mutated(self, kind: str) -> Attack:
        """A request of ours with bytes changed, left out, doubled or put in."""
        raw = bytearray(self._request(self._route(), self._body(), self._proof(0.3)))
        for _ in range(self._rng.choice((1, 1, 2, 4, 12))):
            at = self._rng.randrange(len(raw))
            action = self._rng.randrange(4)
            if action == 0:
                raw[at] = self._rng.randrange(256)
            elif action == 1:
                del raw[at : at + self._rng.choice((1, 2, 30))]
            elif action == 2:
                raw[at:at] = raw[at : at + self._rng.choice((1, 8, 80))]
            else:
                raw[at:at] = self._rng.choice((b"\r\n", b"\x00", b" ", b":", b"\xff", b"\r\n\r\n", b"%", b"\n"))
            raw = raw or bytearray(b"\n")
        # What it has become is not known, so neither whether it still holds the secret nor whether it is complete.
        return self._attack(kind, bytes(raw), whole=False)

    def path(self, kind: str) -> Attack:
        """Odd segments, and addresses in other forms."""
        base = self._route()
        odd = [self._rng.choice(material.SEGMENTS) for _ in range(self._rng.randint(1, 4))]
        path = self._rng.choice(
            (
                lambda: f"{base}/{'/'.join(odd)}",
                lambda: f"/{'/'.join(odd)}{base}",
                lambda: base.replace("/", "//"),
                lambda: f"http://evil.example.com{base}",
                lambda: base.replace("s", "%73"),
                lambda: f"{base}?{'&'.join(odd)}#{odd[0]}",
                base.upper,
                lambda: "/" + "a/" * self._rng.choice((10, 1500)),
            )
        )()
        self._method = self._rng.choice(material.METHODS if self._rng.random() < 0.3 else ("GET", "POST"))
        return self._attack(kind, self._request(path, self._body(), self._proof(0.2)), whole=False)

    def header(self, kind: str) -> Attack:
        """Headers that others forge, repeat, fold or make endless."""
        odd = self._rng.sample(material.ODD_HEADERS, self._rng.randint(1, 3))
        if self._rng.random() < 0.05:
            odd += [f"X-{n}: {'v' * 20}" for n in range(self._rng.choice((200, 3000)))]
        self._method = self._rng.choice(material.METHODS if self._rng.random() < 0.3 else ("GET", "POST"))
        return self._attack(kind, self._request(self._route(), self._body(), [*self._proof(0.2), *odd]), whole=False)

    def charset(self, kind: str) -> Attack:
        """Bodies whose type or charset no parser expects."""
        content_type = f"{self._rng.choice(material.TYPES)}; charset={self._rng.choice(material.CHARSETS)}"
        self._method = self._rng.choice(("POST", "POST", "PUT"))
        body = self._rng.choice(
            (self._json(), self._form(), b"--x\r\nContent-Disposition: form-data; name=token\r\n\r\nx\r\n--x--")
        )
        route = self._rng.choice(
            ("/login", "/logout", *material.WEBHOOKS, *material.ADMIN, "/status/reviews/1", "/status/events")
        )
        return self._attack(kind, self._request(route, body, [*self._proof(0.3), f"Content-Type: {content_type}"]))

    def packed(self, kind: str) -> Attack:
        """Compressed bodies: bombs, nests, halves, and other things than the header says."""
        encoding, body = self._rng.choice(material.packed())
        self._method = "POST"
        if self._rng.random() < 0.2:
            body = body[: self._rng.randrange(len(body) + 1)]
        if self._rng.random() < 0.2:
            body += self._rng.randbytes(20)
        route = self._rng.choice((*material.WEBHOOKS, "/login"))
        return self._attack(kind, self._request(route, body, [*self._proof(0.5), f"Content-Encoding: {encoding}"]))

    def delivery(self, kind: str) -> Attack:
        """JSON of the right form with wrong values, half of it from senders that may deliver."""
        self._method = self._rng.choice(("POST", "PUT"))
        headers = [*self._proof(0.5), "Content-Type: application/json"]
        return self._attack(kind, self._request(self._rng.choice(material.WEBHOOKS), self._json(), headers))

    def page(self, kind: str) -> Attack:
        """Pages and lists with odd queries, half of them from an operator."""
        names = (
            "state",
            "source",
            "client",
            "customer",
            "appointment",
            "reason",
            "since",
            "until",
            "cursor",
            "to",
            "token",
            "said",
        )
        values = (
            *material.ODD,
            "7d",
            "yesterday",
            "2026-13-45",
            "held",
            "open",
            "",
            " ",
            "a" * 201,
            "0",
            "1e9",
            "9" * 4300,
            "٣d",
        )
        pairs = [
            f"{self._rng.choice(names)}={quote(self._rng.choice(values), safe='', errors='replace')}"
            for _ in range(self._rng.randint(0, 4))
        ]
        route = self._rng.choice(
            (*material.PAGES, *material.RECORDS, "/login", "/readyz", f"/status/events/{self._rng.choice(material.odd_ids())}")
        )
        self._method = self._rng.choice(("GET", "GET", "GET", "HEAD"))
        return self._attack(kind, self._request(f"{route}?{'&'.join(pairs)}", b"", self._proof(0.5)))

    def form(self, kind: str) -> Attack:
        """Forms of the login and of decisions, from here and from other sites, with tokens that nobody has given."""
        self._method = "POST"
        route = self._rng.choice(
            (
                "/login",
                "/login",
                "/logout",
                *material.PAGES[3:],
                *material.RECORDS,
                f"/status/reviews/{self._rng.choice(material.odd_ids())}",
            )
        )
        headers = ["Content-Type: application/x-www-form-urlencoded", *self._proof(0.3)]
        if self._rng.random() < 0.4:
            headers.append(self._rng.choice(("Origin: null", "Origin: http://evil.example.com", "Sec-Fetch-Site: cross-site")))
        body = self._form()
        if route not in ("/login", "/logout") and self._rng.random() < 0.4:
            self._stranger = False
            headers.append(f"Cookie: connector={self._secrets.cookie}")
            body += f"&token={self._secrets.form}".encode()
        elif self._rng.random() < 0.3:
            headers.append(f"Cookie: connector={self._rng.randbytes(16).hex()}")
        return self._attack(kind, self._request(route, body, headers))

    def operation(self, kind: str) -> Attack:
        """The command line's own way in, mostly without its token; with it, what it does not understand."""
        self._method = "POST"
        headers = [f"Authorization: Bearer {self._rng.randbytes(16).hex()}"]
        body = self._json()
        if self._rng.random() < 0.2:
            self._stranger = False
            headers = [f"Authorization: Bearer {self._secrets.admin}"]
            body = self._rng.choice((b"[", b"[]", b'"x"', b"\xff", b'{"unknown": 1}', b"1" * 5000, b"[" * 100_000))
        return self._attack(kind, self._request(self._rng.choice(material.ADMIN), body, headers))

    def framing(self, kind: str) -> Attack:
        """Lengths and chunks about which two programs may disagree, and several requests at once."""
        inner = self._request(self._route(), b"", [])
        chunks = self._rng.choice(
            (b"0\r\n\r\n", b"5;ext=1\r\nhello\r\n0\r\nX-T: 1\r\n\r\n", b"FFFFFFFFFFFFFFFFF\r\n", b"-1\r\n", b"0x5\r\nhello\r\n")
        )
        first = f"POST {self._route()} HTTP/1.{self._rng.choice('0119')}\r\nHost: localhost\r\n".encode()
        raw = self._rng.choice(
            (
                first + b"Transfer-Encoding: chunked\r\n\r\n" + chunks + inner,
                first + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks + inner,
                first + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks,
                inner * self._rng.randint(2, 20),
                first + b"Content-Length: 0\r\n\r\n" + b"\r\n" * 50 + inner,
                first + b"Content-Length: 10\r\nExpect: 100-continue\r\n\r\n" + b"x" * 10,
            )
        )
        return self._attack(kind, raw, whole=False)

    def large(self, kind: str) -> Attack:
        """More than anybody takes, said before or not."""
        self._method = "POST"
        size = self._rng.choice((5_000, 70_000, 1_048_576, 1_048_577, 1_500_000))
        route = self._rng.choice(("/login", *material.WEBHOOKS, *material.ADMIN))
        return self._attack(kind, self._request(route, b" " * size, self._proof(0.5)))

    def slow(self, kind: str) -> Attack:
        """Heads and bodies that come in pieces, and those that never end."""
        self._method = "POST"
        raw = self._request(self._route(), self._json(), self._proof(0.3))
        cuts = sorted(self._rng.sample(range(1, len(raw)), min(self._rng.randint(1, 5), len(raw) - 1)))
        parts = tuple(raw[start:end] for start, end in zip([0, *cuts], [*cuts, len(raw)], strict=True))
        whole = self._rng.random() < 0.5
        return self._attack(kind, *(parts if whole else parts[:-1]), whole=whole, pause=self._rng.choice((0.01, 0.05, 0.2)))

    # ---- parts of a request ----

    def _attack(self, kind: str, *parts: bytes, whole: bool = True, pause: float = 0.0) -> Attack:
        head_only = parts[0].startswith(b"HEAD ")
        return Attack(self._number, kind, parts, whole, self._stranger, pause, head_only)

    def _route(self) -> str:
        return self._rng.choice(material.ROUTES)

    def _proof(self, share: float) -> list[str]:
        """The header that lets in, with this probability; otherwise none or a wrong one."""
        if self._rng.random() < share:
            self._stranger = False
            return [
                self._rng.choice((f"Authorization: {self._secrets.webhook}", f"Authorization: Bearer {self._secrets.operator}"))
            ]
        wrong = ("Bearer", "Bearer " + "x" * 40, "Basic Og==", "\xff" * 30, "x" * 9000, self._secrets.webhook[:-3])
        return [f"Authorization: {self._rng.choice(wrong)}"] if self._rng.random() < 0.5 else []

    def _request(self, path: str, body: bytes, headers: list[str]) -> bytes:
        method = self._method if self._method != "GET" or not body else "POST"
        lines = [f"{method} {path} HTTP/1.1", "Host: localhost", *headers]
        if body or method in ("POST", "PUT"):
            lines.append(f"Content-Length: {len(body)}")
        return "\r\n".join([*lines, "", ""]).encode("utf-8", "replace") + body

    def _body(self) -> bytes:
        return self._rng.choice((bytes, self._json, self._form, lambda: self._rng.randbytes(50)))()

    def _form(self) -> bytes:
        names = (
            "token",
            "choice",
            "choice",
            "sure",
            "customer_id",
            "event-1",
            f"review-{self._rng.choice(material.odd_ids())}",
            "to",
            "back",
            "x" * 50,
        )
        values = ("retry", "discard", "create", "link", "dismiss", "undo", "share", "1", *material.odd_ids(), *material.ODD)
        fields = [f"{self._rng.choice(names)}={self._rng.choice(values)}" for _ in range(3)]
        fields += self._rng.choice(([], ["a=1"] * 900, ["%zz=%ff"], ["id=1&id=2"], ["=&=&&&"]))
        return "&".join(fields).encode("utf-8", "surrogatepass")

    def _json(self) -> bytes:
        if self._rng.random() < 0.25:
            return self._rng.choice(material.odd_json())
        data = json.loads(material.SAMPLE)
        data["id"] = self._rng.choice((f"hostile-{self._number}", "hostile", self._odd_value()))
        for _ in range(self._rng.randint(1, 4)):
            where: Any = data
            while True:
                key = self._rng.choice(list(where) if isinstance(where, dict) else range(len(where)))
                if not isinstance(where[key], dict | list) or not where[key] or self._rng.random() < 0.2:
                    break
                where = where[key]
            where[key] = self._odd_value()
            if not isinstance(data, dict) or not data:
                break
        return json.dumps(data, ensure_ascii=self._rng.random() < 0.5).encode("utf-8", "surrogatepass")

    def _odd_value(self) -> Any:
        plain: tuple[Any, ...] = (
            None,
            True,
            0,
            -1,
            2**63,
            10**400,
            1.5,
            "",
            " ",
            [],
            {},
            [[[]]],
            {"id": {}},
            [None],
            "2026-99-99T00:00:00Z",
            "x" * 300,
        )
        return self._rng.choice((*plain, *material.ODD))


KINDS: dict[str, Callable[[_Maker, str], Attack]] = {
    name: getattr(_Maker, name)
    for name in (
        *("noise", "mutated", "path", "header", "charset", "packed", "delivery"),
        *("page", "form", "operation", "framing", "large", "slow"),
    )
}
#: How many of a thousand requests are of each kind; what costs most time is rarest.
SHARES = {
    **{"noise": 60, "mutated": 220, "path": 120, "header": 120, "charset": 100, "packed": 40, "delivery": 80},
    **{"page": 90, "form": 80, "operation": 50, "framing": 33, "large": 5, "slow": 2},
}


@cache
def _cumulated() -> list[int]:
    """`SHARES` added up, as `random.choices` wants them."""
    total, found = 0, []
    for share in SHARES.values():
        total += share
        found.append(total)
    return found
