"""A stateful sandbox for Salesforce over real HTTP, for the demo, the tests and the benchmarks.

It enforces what the adapter relies on: a unique external id, duplicate rules, the recycle bin, merges, tokens that end, the
day's quota, Salesforce's error bodies. It is not Salesforce: what is not documented is a setting of `Rules`, or labelled
synthetic where it is decided.
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

from connector.sandbox.kit.crm import Controls, CrmSandbox, Json, NotAnObject, read_object
from connector.sandbox.kit.faults import Faults
from connector.sandbox.salesforce import tokens
from connector.sandbox.salesforce.model import Record, Refusal, Rules
from connector.sandbox.salesforce.records import Records
from connector.sandbox.salesforce.rest import Rest

__all__ = ["Rules", "SalesforceSandbox"]
DAY = 86_400.0
#: Salesforce demands a last name; people without one get this when they are added by hand.
NO_NAME = "[not provided]"


class SalesforceSandbox(CrmSandbox):
    """One organisation. `app` is the ASGI application; the other methods act as a person in Salesforce's pages would.

    `key_fields` exist from the start; without them `connector check --fix` has something to do. `public_key` is the modulus
    and exponent of the certificate that the app holds.
    """

    def __init__(
        self,
        *,
        client_id: str = "sandbox-client",
        client_secret: str = "sandbox-client-secret",  # noqa: S107
        public_key: tuple[int, int] | None = None,
        faults: Faults | None = None,
        rules: Rules | None = None,
        key_fields: tuple[str, ...] = (),
        calls_per_day: int = 15_000,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.client_id = client_id
        self.client_secret = client_secret
        self.public_key = public_key
        super().__init__(faults)
        self.rules = rules or Rules()
        self.calls_per_day = calls_per_day
        self._clock = clock
        self._key_fields = key_fields
        self.reset()

    # ---- by hand ----

    def reset(self) -> None:
        """Forget every row, token and count."""
        self.records = Records(self._clock, self.rules, lambda: self.faults.search_lag_seconds)
        for name in self._key_fields:
            self.records.add_field(name)
        self.rest = Rest(self.records)
        self.statuses: Counter[int] = Counter()
        self.tokens: set[str] = set()
        self.tokens_issued = 0
        self._numbers = itertools.count(1)
        self._calls: deque[float] = deque()

    def expire_tokens(self) -> None:
        """No token that was issued counts any more."""
        self.tokens.clear()

    def add_contact(self, *, age: float = 0.0, **fields: str) -> str:
        """Make a contact, past every rule but the unique key; returns the id. `age` in seconds: known to an index."""
        rule, self.rules.duplicate_rule = self.rules.duplicate_rule, "none"
        try:
            return self.records.create("Contact", {"LastName": NO_NAME, **fields}, age=age).id
        finally:
            self.rules.duplicate_rule = rule

    def add_user(self, email: str, *, active: bool = True) -> str:
        """Make a user who can own contacts; returns the id."""
        return self.records.create("User", {"Email": email, "IsActive": active}).id

    def merge(self, master: str, loser: str) -> str:
        """Merge two contacts and return the survivor's id."""
        return self.records.merge(master, loser).id

    def delete_contact(self, identity: str) -> None:
        """Move a contact to the recycle bin."""
        self.records.delete("Contact", identity)

    def delete_event(self, identity: str) -> None:
        """Move an event to the recycle bin."""
        self.records.delete("Event", identity)

    def contacts(self) -> list[dict[str, Any]]:
        """The live contacts: `{"Id", …fields}`, oldest first."""
        return [_shown(row) for row in self.records.live("Contact")]

    def events(self) -> list[dict[str, Any]]:
        """The live events: `{"Id", …fields}`, oldest first."""
        return [_shown(row) for row in self.records.live("Event")]

    def use_calls(self, number: int) -> None:
        """Another program of the organisation makes calls."""
        self._calls.extend([self._clock()] * number)

    @property
    def requests(self) -> Counter[str]:
        """Requests that reached an endpoint, by its name."""
        return self.rest.requests

    # ---- over HTTP ----

    def _token(self, request: Request, body: bytes) -> Response:
        """Earn a token, or be refused."""
        form = dict(parse_qsl(body.decode("utf-8", "replace")))
        try:
            tokens.check(tokens.App(self.client_id, self.client_secret, self.public_key), form, self._clock())
        except tokens.Refused as refused:
            return JSONResponse(refused.body, 400)
        token = f"00Dsandbox!token-{next(self._numbers)}"
        self.tokens.add(token)
        self.tokens_issued += 1
        return JSONResponse(tokens.answer(token, form["grant_type"], f"{request.url.scheme}://{request.url.netloc}"))

    async def _answer(self, request: Request, path: list[str], body: bytes) -> Response:
        if path == ["services", "oauth2", "token"]:
            return self._token(request, body)
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme != "Bearer" or token not in self.tokens:
            raise Refusal(self.rules.session_status, "INVALID_SESSION_ID", "Session expired or invalid")
        self._count()
        status, data = await self.rest.answer(
            request.method, path, dict(request.query_params), request.headers, read_object(body)
        )
        headers = {"Sforce-Limit-Info": f"api-usage={len(self._calls)}/{self.calls_per_day}"}
        return Response(status_code=status, headers=headers) if data is None else JSONResponse(data, status, headers)

    def _count(self) -> None:
        """Count a call of the last 24 hours. That refused calls do not count is synthetic."""
        now = self._clock()
        while self._calls and self._calls[0] <= now - DAY:
            self._calls.popleft()
        if len(self._calls) >= self.calls_per_day:
            raise Refusal(403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.")
        self._calls.append(now)

    def _refusal(self, error: Exception) -> Response | None:
        if isinstance(error, NotAnObject):
            error = Refusal(400, "JSON_PARSER_ERROR", str(error))
        elif isinstance(error, KeyError | TypeError | ValueError | AttributeError):
            error = Refusal(400, "JSON_PARSER_ERROR", f"Invalid input: {error!r}")
        return JSONResponse(error.body, error.status) if isinstance(error, Refusal) else None

    def _figures(self) -> Json:
        return {"tokens": self.tokens_issued, "calls_today": len(self._calls)}

    def _controls(self) -> Controls:
        return {
            ("GET", "state"): lambda _: {"contacts": self.contacts(), "events": self.events(), "fields": self.records.custom},
            ("POST", "contacts"): lambda data: {"id": self.add_contact(age=float(data.pop("age", 0)), **data)},
            ("POST", "merge"): lambda data: {"id": self.merge(str(data["master"]), str(data["loser"]))},
            ("POST", "delete"): lambda data: self.delete_contact(str(data["id"])),
            ("POST", "expire"): lambda _: self.expire_tokens(),
        }


def _shown(row: Record) -> dict[str, Any]:
    return {"Id": row.id, **{name: value for name, value in row.fields.items() if value is not None}}
