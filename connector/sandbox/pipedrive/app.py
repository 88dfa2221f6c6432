"""A stateful sandbox of Pipedrive over real HTTP, for the demo, the tests and the benchmarks.

It enforces what the adapter relies on, and above all what it cannot rely on: nothing is unique, the search lags, a merge
leaves no pointer. It is not Pipedrive: what is not documented is labelled synthetic where it is decided.
"""

from __future__ import annotations

import base64
import hmac
import secrets
import time
from collections import Counter
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response

from connector.sandbox.kit.crm import Controls, CrmSandbox, Json, NotAnObject, read_object
from connector.sandbox.kit.faults import Faults
from connector.sandbox.pipedrive.limits import Blocked, Limits
from connector.sandbox.pipedrive.model import Refusal
from connector.sandbox.pipedrive.records import Records, Rules
from connector.sandbox.pipedrive.rest import Rest

__all__ = ["PipedriveSandbox", "Rules"]

MARKER = "Connector person key"
BLOCK_PAGE = "<!doctype html><title>Access denied</title><h1>Error 1015: you are being rate limited</h1>"


class PipedriveSandbox(CrmSandbox):
    """One company. `app` is the ASGI application; the other methods act as a person in Pipedrive's pages would.

    `fields` are the person fields that exist from the start; without them `connector check --fix` has something to do.
    """

    def __init__(
        self,
        *,
        token: str = "sandbox-token",  # noqa: S107
        faults: Faults | None = None,
        rules: Rules | None = None,
        fields: tuple[str, ...] = (),
        per_2_seconds: int | None = 20,
        searches_per_2_seconds: int | None = 10,
        daily_tokens: int | None = 30_000,
        token_seconds: float = 3600.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.token = token
        #: For OAuth: `client_id:client_secret` and the refresh token.
        self.client, self.refresh_token = "sandbox-client:sandbox-secret", "sandbox-refresh"
        super().__init__(faults)
        self.rules = rules or Rules()
        self._clock = clock
        self._fields = fields
        self._token_seconds = token_seconds
        self._limits = (per_2_seconds, searches_per_2_seconds, daily_tokens)
        self.reset()

    # ---- by hand ----

    def reset(self) -> None:
        """Forget every record and count."""
        self.records = Records(self._clock, self.rules)
        for name in self._fields:
            self.records.create_field({"field_name": name, "field_type": "varchar"})
        self.limits = Limits(*self._limits, clock=self._clock)
        self._rest = Rest(self.records, lambda: self.faults.search_lag_seconds)
        self.statuses: Counter[int] = Counter()
        self._access: dict[str, float] = {}

    def add_person(
        self,
        name: str,
        *,
        emails: tuple[str, ...] = (),
        phones: tuple[tuple[str, str], ...] = (),
        key: str = "",
        age: float = 0.0,
    ) -> str:
        """Make a person and return its id; `phones` are (number, label), `key` goes into the first field of ours.

        `age` in seconds makes it known to a lagging search.
        """
        given: dict[str, Any] = {
            "name": name,
            "emails": [{"value": email} for email in emails],
            "phones": [{"value": number, "label": label} for number, label in phones],
        }
        if key:
            given["custom_fields"] = {next(iter(self.records.fields)): key}
        return str(self.records.create_person(given, age=age).id)

    def merge(self, loser: str, survivor: str) -> str:
        """Merge two persons and return the survivor's id."""
        return str(self.records.merge(int(loser), int(survivor)).id)

    def delete(self, person: str) -> None:
        """Delete a person."""
        self.records.delete_person(int(person))

    def delete_activity(self, activity: str) -> None:
        """Delete an activity."""
        self.records.delete_activity(int(activity))

    def persons(self) -> list[dict[str, Any]]:
        """The living persons as the API shows them, oldest first."""
        return [person.document() for person in self.records.persons.values() if not person.is_deleted]

    def activities(self) -> list[dict[str, Any]]:
        """The living activities as the API shows them, oldest first."""
        return [activity.document() for activity in self.records.activities.values() if not activity.is_deleted]

    @property
    def requests(self) -> Counter[str]:
        """Requests that reached an endpoint, by its name."""
        return self._rest.requests

    # ---- over HTTP ----

    async def _answer(self, request: Request, path: list[str], body: bytes) -> Response:
        if path == ["oauth", "token"]:
            return self._issue(request, body)
        self._authenticate(request)
        version, path = ("v2", path[2:]) if path[:2] == ["api", "v2"] else ("v1", path[1:])
        headers = self.limits.admit(request.method, path)
        data = self._rest.answer(request.method, version, path, request.query_params, read_object(body))
        return JSONResponse(data, 200, headers)

    def _authenticate(self, request: Request) -> None:
        shown = request.headers.get("x-api-token", "").encode()
        if hmac.compare_digest(shown, self.token.encode()):
            return
        bearer = request.headers.get("authorization", "").removeprefix("Bearer ")
        if self._access.get(bearer, 0.0) <= self._clock():
            raise Refusal(401, "unauthorized access")

    def _issue(self, request: Request, body: bytes) -> Response:
        """Renew an access token: the client by Basic, the refresh token in the form. The refresh token stays."""
        form = {key: values[0] for key, values in parse_qs(body.decode()).items()}
        basic = "Basic " + base64.b64encode(self.client.encode()).decode()
        if not hmac.compare_digest(request.headers.get("authorization", "").encode(), basic.encode()):
            return JSONResponse({"success": False, "error": "invalid_client"}, 401)
        if form.get("grant_type") != "refresh_token" or form.get("refresh_token") != self.refresh_token:
            return JSONResponse({"success": False, "error": "invalid_grant"}, 400)
        access = secrets.token_hex(16)
        self._access[access] = self._clock() + self._token_seconds
        answer = {"token_type": "Bearer", "expires_in": int(self._token_seconds), "scope": "base contacts:full"}
        return JSONResponse({"access_token": access, "refresh_token": self.refresh_token, **answer})

    def _refusal(self, error: Exception) -> Response | None:
        if isinstance(error, Blocked):
            return HTMLResponse(BLOCK_PAGE, 403)
        if isinstance(error, NotAnObject):
            error = Refusal(400, f"Validation failed: {error}")
        elif isinstance(error, KeyError | TypeError | ValueError | AttributeError):
            error = Refusal(400, f"Validation failed: {type(error).__name__}")
        return JSONResponse(error.body, error.status, error.headers) if isinstance(error, Refusal) else None

    def _figures(self) -> Json:
        return {"tokens": self.limits.spent}

    def _controls(self) -> Controls:
        return {
            ("GET", "state"): lambda _: self._state(),
            ("POST", "persons"): lambda data: {"id": str(self.records.create_person(data).id)},
            ("POST", "merge"): lambda data: {"id": self.merge(str(data["loser"]), str(data["survivor"]))},
            ("POST", "delete"): lambda data: self.delete(str(data["id"])),
        }

    def _state(self) -> Json:
        return {"persons": self.persons(), "activities": self.activities(), "fields": list(self.records.fields.values())}
