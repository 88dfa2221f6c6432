"""A stateful sandbox for Dynamics 365 over real HTTP, for the demo, the tests and the benchmarks.

It enforces what the adapter relies on: alternate keys and their index, conditional writes and the meanings of 412, merges,
read-only rows, lengths, privileges, service protection limits, Dataverse's error bodies, Entra ID's tokens. It is not
Dataverse: what is not documented is a setting of `Rules`, or labelled synthetic where it is decided.
"""

from __future__ import annotations

import hmac
import itertools
import time
from collections import Counter, deque
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from connector.sandbox.dynamics.metadata import Metadata
from connector.sandbox.dynamics.model import Refusal, Row, Rules
from connector.sandbox.dynamics.records import Conditions, Records
from connector.sandbox.dynamics.rest import Rest
from connector.sandbox.kit.crm import Controls, CrmSandbox, Json, NotAnObject, read_object
from connector.sandbox.kit.faults import Faults

__all__ = ["DynamicsSandbox", "Rules"]
#: Seconds of the sliding window of the service protection limits (documented).
WINDOW = 300.0
ORIGIN = "https://example.crm.dynamics.com"
#: Dataverse demands a last name; people without one get this when they are added by hand.
NO_NAME = "(no last name)"
HEADERS = {"OData-Version": "4.0"}


class DynamicsSandbox(CrmSandbox):
    """One environment. `app` is the ASGI application; the other methods act as a person in Dynamics' pages would.

    `key_columns` exist from the start, with an alternate key; without them `connector check --fix` has something to do.
    """

    def __init__(
        self,
        *,
        tenant_id: str = "sandbox-tenant",
        client_id: str = "sandbox-client",
        client_secret: str = "sandbox-secret",  # noqa: S107
        faults: Faults | None = None,
        rules: Rules | None = None,
        key_columns: tuple[str, ...] = (),
        calls_per_5_minutes: int = 6_000,
        concurrent: int = 52,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.tenant_id = tenant_id
        self.client_id = client_id
        self.client_secret = client_secret
        super().__init__(faults)
        self.rules = rules or Rules()
        self.calls_per_5_minutes = calls_per_5_minutes
        self.concurrent = concurrent
        self._clock = clock
        self._key_columns = key_columns
        self.reset()

    # ---- by hand ----

    def reset(self) -> None:
        """Forget every row, token and count."""
        self.metadata = Metadata(self._clock, lambda: self.rules)
        for name in self._key_columns:
            self.metadata.prepare(name)
        self.records = Records(self._clock, lambda: self.rules, self.metadata)
        self.rest = Rest(self.records, self.metadata, ORIGIN)
        self.statuses: Counter[int] = Counter()
        self.tokens: set[str] = set()
        self.tokens_issued = 0
        self._numbers = itertools.count(1)
        self._calls: deque[float] = deque()
        self._running = 0

    def expire_tokens(self) -> None:
        """No token that was issued counts any more."""
        self.tokens.clear()

    def add_contact(self, *, age: float = 0.0, **fields: str) -> str:
        """Make a contact; returns the id. `age` in seconds sets its date back."""
        return self.records.create("contacts", {"lastname": NO_NAME, **fields}, age=age).id

    def add_user(self, email: str, *, active: bool = True) -> str:
        """Make a user who can own contacts; returns the id."""
        return self.records.add_user(email, active=active)

    def change(self, identity: str, **fields: Any) -> None:
        """Write some columns of a row, as a person does."""
        self.records.update(self.records.rows[identity], fields, Conditions())

    def merge(self, master: str, loser: str) -> str:
        """Merge two contacts and return the survivor's id."""
        return self.records.merge(master, loser).id

    def deactivate(self, identity: str) -> None:
        """Deactivate a contact."""
        self.records.deactivate(identity)

    def delete(self, identity: str) -> None:
        """Delete a row for good."""
        self.records.delete(identity)

    def contacts(self) -> list[dict[str, Any]]:
        """The active contacts: `{"id", …columns}`, oldest first."""
        return [_shown(row) for row in self.records.all_of("contacts") if row.fields["statecode"] == 0]

    def appointments(self) -> list[dict[str, Any]]:
        """All appointments: `{"id", …columns}`, oldest first."""
        return [_shown(row) for row in self.records.all_of("appointments")]

    def use_calls(self, number: int) -> None:
        """Another program with the same user makes calls."""
        self._calls.extend([self._clock()] * number)

    @property
    def requests(self) -> Counter[str]:
        """Requests that reached an endpoint, by its name."""
        return self.rest.requests

    # ---- over HTTP ----

    def _token(self, tenant: str, body: bytes) -> Response:
        """The client-credentials flow of Entra ID."""
        form = dict(parse_qsl(body.decode("utf-8", "replace")))
        if tenant != self.tenant_id:
            return _refused_token(400, "invalid_request", "AADSTS90002: Tenant not found.")
        if form.get("grant_type") != "client_credentials":
            return _refused_token(400, "unsupported_grant_type", "AADSTS70003: The grant type is not supported.")
        if not form.get("scope", "").endswith("/.default"):
            return _refused_token(400, "invalid_scope", "AADSTS70011: The provided value for scope is not valid.")
        if not hmac.compare_digest(form.get("client_id", "").encode(), self.client_id.encode()):
            return _refused_token(400, "unauthorized_client", "AADSTS700016: Application was not found in the directory.")
        if not hmac.compare_digest(form.get("client_secret", "").encode(), self.client_secret.encode()):
            return _refused_token(401, "invalid_client", "AADSTS7000215: Invalid client secret provided.")
        token = f"token-{next(self._numbers)}"
        self.tokens.add(token)
        self.tokens_issued += 1
        return JSONResponse({"token_type": "Bearer", "expires_in": 3599, "ext_expires_in": 3599, "access_token": token})

    async def _answer(self, request: Request, path: list[str], body: bytes) -> Response:
        if path[1:] == ["oauth2", "v2.0", "token"]:
            return self._token(path[0], body)
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme != "Bearer" or token not in self.tokens:
            return Response(status_code=401, headers={"WWW-Authenticate": "Bearer"})
        self._protect()
        self._running += 1
        try:
            query = dict(request.query_params)
            status, data, headers = await self.rest.answer(request.method, path, query, request.headers, read_object(body))
        finally:
            self._running -= 1
        headers = {**HEADERS, **headers}
        return Response(status_code=status, headers=headers) if data is None else JSONResponse(data, status, headers)

    def _protect(self) -> None:
        """The service protection limits. That refused calls do not count is synthetic."""
        now = self._clock()
        while self._calls and self._calls[0] <= now - WINDOW:
            self._calls.popleft()
        if self._running >= self.concurrent:
            text = f"Number of concurrent requests exceeded the limit of {self.concurrent}."
            raise Refusal(429, "0x80072326", text, retry_after=1)
        if len(self._calls) >= self.calls_per_5_minutes:
            text = f"Number of requests exceeded the limit of {self.calls_per_5_minutes} over time window of 300 seconds."
            raise Refusal(429, "0x80072322", text, retry_after=max(1, int(self._calls[0] + WINDOW - now)))
        self._calls.append(now)

    def _refusal(self, error: Exception) -> Response | None:
        if isinstance(error, NotAnObject | KeyError | TypeError | ValueError | AttributeError):
            error = Refusal(400, "0x80048d19", "Error identified in Payload provided by the user.")
        if not isinstance(error, Refusal):
            return None
        return JSONResponse(error.body, error.status, {**HEADERS, **error.headers})

    def _figures(self) -> Json:
        return {"tokens": self.tokens_issued, "calls_in_5_minutes": len(self._calls)}

    def _controls(self) -> Controls:
        return {
            ("GET", "state"): lambda _: {"contacts": self.contacts(), "appointments": self.appointments()},
            ("POST", "contacts"): lambda data: {"id": self.add_contact(age=float(data.pop("age", 0)), **data)},
            ("POST", "merge"): lambda data: {"id": self.merge(str(data["master"]), str(data["loser"]))},
            ("POST", "deactivate"): lambda data: self.deactivate(str(data["id"])),
            ("POST", "delete"): lambda data: self.delete(str(data["id"])),
            ("POST", "expire"): lambda _: self.expire_tokens(),
        }


def _refused_token(status: int, error: str, description: str) -> Response:
    return JSONResponse({"error": error, "error_description": description, "error_codes": [1]}, status)


def _shown(row: Row) -> dict[str, Any]:
    return {"id": row.id, **{name: value for name, value in row.fields.items() if value is not None}}
