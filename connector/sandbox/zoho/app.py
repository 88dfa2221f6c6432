"""A stateful imitation of Zoho CRM over real HTTP, for the demo, the tests and the benchmarks.

It enforces what the adapter relies on: unique fields and how they refuse, results for each record, upserts, queries over
live data beside a search that lags, merges that lead nowhere, access tokens that expire and that may be fetched ten times
in ten minutes, simultaneous calls and credits. It is not Zoho: what is not documented is labelled synthetic where it is
decided.
"""

from __future__ import annotations

import itertools
import time
from collections import Counter, deque
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from connector.sandbox.kit.crm import Controls, CrmSandbox, NotAnObject, read_object
from connector.sandbox.kit.faults import FaultInjector, Faults
from connector.sandbox.zoho.model import ItemRefusal, Json, Refusal
from connector.sandbox.zoho.records import Records, Rules
from connector.sandbox.zoho.rest import Rest

__all__ = ["Rules", "ZohoSandbox"]

HOUR, DAY = 3_600.0, 86_400.0
#: Tokens which one refresh token may fetch, and in how many seconds.
TOKENS, TOKEN_SECONDS = 10, 600.0


class Counting(FaultInjector):
    """The fault injector, which also counts how many requests are in progress."""

    active = most = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or one fault."""
        self.active += 1
        self.most = max(self.most, self.active)
        try:
            await super().__call__(scope, receive, send)
        finally:
            self.active -= 1


class ZohoSandbox(CrmSandbox):
    """One account. `app` is the ASGI application; the other methods act as a person in Zoho's pages would.

    `fields` says which text fields exist from the start, `module.Name`, unique ones with a `!` at the end; without them
    `connector check --fix` has something to do. `simultaneous` and `credits` None: no limit.
    """

    app: Counting

    def __init__(
        self,
        *,
        faults: Faults | None = None,
        rules: Rules | None = None,
        fields: tuple[str, ...] = (),
        simultaneous: int | None = 10,
        credits_per_day: int | None = 50_000,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.client_id, self.client_secret, self.refresh_token = "sandbox-client", "sandbox-secret", "sandbox-refresh"
        super().__init__(faults, injector=Counting)
        self.rules = rules or Rules()
        #: Scopes that the refresh token lacks, such as `ZohoCRM.coql.READ`.
        self.lacking: set[str] = set()
        self._clock = clock
        self._fields = fields
        self._limits = (simultaneous, credits_per_day)
        self._numbers = itertools.count(1)
        self.reset()

    # ---- by hand ----

    def reset(self) -> None:
        """Forget every record, token and count."""
        self.records = Records(self._clock, self.rules)
        for field in self._fields:
            module, _, name = field.rstrip("!").partition(".")
            self.add_field(module, name, unique=field.endswith("!"))
        self.tokens: dict[str, float] = {}
        self._fetched: deque[float] = deque()
        self._spent: deque[float] = deque()
        self._rest = Rest(self.records, lambda: self.faults.search_lag_seconds)
        self.statuses: Counter[int] = Counter()

    def add_field(self, module: str, name: str, *, unique: bool = False) -> None:
        """Make a text field."""
        definition: Json = {"field_label": name, "data_type": "text", "length": 255}
        self.records.create_field(module, definition | ({"unique": {"case_sensitive": False}} if unique else {}))

    def add_contact(self, *, age: float = 0.0, **values: str) -> str:
        """Make a contact and return its id; `age` in seconds makes it known to a lagging search."""
        return self.records.insert("Contacts", values, age=age).id

    def merge(self, master: str, other: str) -> str:
        """Merge two contacts and return the master's id."""
        return self.records.merge(master, other).id

    def delete(self, module: str, identity: str) -> None:
        """Move a record to the recycle bin."""
        self.records.delete(module, identity)

    def contacts(self) -> list[Json]:
        """The live contacts: `{"id", …values}`, oldest first."""
        return [{"id": r.id, **r.values} for r in self.records.contacts()]

    def events(self) -> list[Json]:
        """The live events: `{"id", …values}`, oldest first."""
        return [{"id": r.id, **r.values} for r in self.records.module("Events").values()]

    def revoke_tokens(self) -> None:
        """Make every access token invalid, as if an hour had passed."""
        self.tokens.clear()

    @property
    def requests(self) -> Counter[str]:
        """Requests that reached an endpoint, by its name."""
        return self._rest.requests

    # ---- over HTTP ----

    def _token(self, given: dict[str, str]) -> tuple[int, Json]:
        """An access token for the refresh token; errors come with status 200, too many fetches with 400 (both seen)."""
        if given.get("grant_type") != "refresh_token":
            return 200, {"error": "unsupported_grant_type"}
        if given.get("client_id") != self.client_id or given.get("client_secret") != self.client_secret:
            return 200, {"error": "invalid_client"}
        if given.get("refresh_token") != self.refresh_token:
            return 200, {"error": "invalid_code"}
        if not _admit(self._fetched, self._clock(), TOKENS, TOKEN_SECONDS):
            text = "You have made too many requests continuously. Please try again after some time."
            return 400, {"error": "Access Denied", "error_description": text, "status": "failure"}
        token = f"sandbox-access-{next(self._numbers)}"
        self.tokens[token] = self._clock() + HOUR
        # The address is another one on purpose: whoever followed it would leave the sandbox.
        elsewhere = "https://elsewhere.example.com"
        return 200, {"access_token": token, "api_domain": elsewhere, "token_type": "Bearer", "expires_in": int(HOUR)}

    async def _answer(self, request: Request, path: list[str], body: bytes) -> Response:
        if path == ["oauth", "v2", "token"]:
            status, data = self._token(dict(request.query_params) | dict(parse_qsl(body.decode())))
        else:
            status, data = self._allowed(request, path, body)
        return Response(status_code=status) if data is None else JSONResponse(data, status)

    def _allowed(self, request: Request, path: list[str], body: bytes) -> tuple[int, Any]:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme != "Zoho-oauthtoken" or self.tokens.get(token, 0.0) <= self._clock():
            raise Refusal(401, "INVALID_TOKEN", "invalid oauth token")
        simultaneous, credits = self._limits
        if simultaneous is not None and self.app.active > simultaneous:
            raise Refusal(429, "TOO_MANY_REQUESTS", "too many simultaneous calls")
        if not _admit(self._spent, self._clock(), credits, DAY):
            raise Refusal(429, "TOO_MANY_REQUESTS", "the credits of this day are spent")
        if _scope(request.method, path) in self.lacking:
            raise Refusal(401, "OAUTH_SCOPE_MISMATCH", "invalid oauth scope to access this URL")
        return self._rest.answer(request.method, path, dict(request.query_params), read_object(body))

    def _refusal(self, error: Exception) -> Response | None:
        if isinstance(error, NotAnObject):
            error = Refusal(400, "INVALID_DATA", str(error))
        elif isinstance(error, ItemRefusal | KeyError | TypeError | ValueError | AttributeError):
            error = Refusal(400, "INVALID_DATA", f"invalid data: {error!r}")
        return JSONResponse(error.body, error.status) if isinstance(error, Refusal) else None

    def _figures(self) -> Json:
        return {"tokens": len(self._fetched), "simultaneous": self.app.most}

    def _controls(self) -> Controls:
        return {
            ("GET", "state"): lambda _: {"contacts": self.contacts(), "events": self.events(), "fields": self.records.fields},
            ("POST", "contacts"): self._add,
            ("POST", "merge"): lambda data: {"id": self.merge(str(data["master"]), str(data["other"]))},
            ("POST", "delete"): lambda data: self.delete(str(data.get("module", "Contacts")), str(data["id"])),
        }

    def _add(self, data: Json) -> Response:
        return JSONResponse({"id": self.add_contact(age=float(data.pop("age", 0)), **data)}, 201)


def _admit(times: deque[float], now: float, calls: int | None, seconds: float) -> bool:
    """Count one call in a sliding window unless it is full; refused calls take no place, which is synthetic."""
    while times and times[0] <= now - seconds:
        times.popleft()
    if calls is not None and len(times) >= calls:
        return False
    times.append(now)
    return True


def _scope(method: str, path: list[str]) -> str:
    """The scope that a request needs."""
    verbs = {"GET": "READ", "POST": "CREATE", "PUT": "UPDATE"}
    if path[2:] == ["coql"]:
        return "ZohoCRM.coql.READ"
    if path[2:3] == ["settings"]:
        return f"ZohoCRM.settings.fields.{verbs.get(method, 'ALL')}"
    return f"ZohoCRM.modules.{(path[2:3] or [''])[0].lower()}.{verbs.get(method, 'ALL')}"
