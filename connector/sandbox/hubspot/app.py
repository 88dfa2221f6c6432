"""A stateful sandbox for HubSpot over real HTTP, for the demo, the tests and the benchmarks.

It enforces what the adapter relies on: unique e-mail addresses and own keys, HubSpot's texts of refusal, limits, merges,
an index that lags. It is not HubSpot: what is not documented is labelled synthetic where it is decided.
"""

from __future__ import annotations

import hmac
import time
import uuid
from collections import Counter, deque
from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from connector.sandbox.hubspot.account import Account, Day
from connector.sandbox.hubspot.model import Refusal
from connector.sandbox.hubspot.records import Records, Rules
from connector.sandbox.hubspot.rest import Rest
from connector.sandbox.hubspot.search import MAX_BODY
from connector.sandbox.kit.crm import Controls, CrmSandbox, Json, NotAnObject, read_object
from connector.sandbox.kit.faults import Faults

__all__ = ["HubSpotSandbox", "Rules"]


class Rate:
    """A sliding window of `calls` in `seconds`; refused calls take no place, which is synthetic. None: no limit."""

    def __init__(self, calls: int | None, seconds: float) -> None:
        self.calls = calls
        self.seconds = seconds
        self._times: deque[float] = deque()

    def admit(self, now: float) -> bool:
        """Count one call unless the window is full."""
        while self._times and self._times[0] <= now - self.seconds:
            self._times.popleft()
        if self.calls is not None and len(self._times) >= self.calls:
            return False
        self._times.append(now)
        return True

    @property
    def remaining(self) -> int:
        """Calls that would still be admitted now."""
        return max(0, (self.calls or 0) - len(self._times))


class HubSpotSandbox(CrmSandbox):
    """One account. `app` is the ASGI application; the other methods act as a person in HubSpot's pages would.

    `unique_properties` exist from the start; without them `connector check --fix` has something to do.
    """

    def __init__(
        self,
        *,
        token: str = "sandbox-token",  # noqa: S107
        faults: Faults | None = None,
        rules: Rules | None = None,
        unique_properties: tuple[str, ...] = (),
        per_10_seconds: int | None = 100,
        search_per_second: int | None = 5,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.token = token
        super().__init__(faults)
        self.rules = rules or Rules()
        self._clock = clock
        self._unique_properties = unique_properties
        self._limits = (per_10_seconds, search_per_second)
        self.reset()

    # ---- by hand ----

    def reset(self) -> None:
        """Forget every record, count and setting of the account."""
        self.account = Account()
        self.records = Records(self._clock, self.rules, self.account)
        for name in self._unique_properties:
            self.add_unique_property(name)
        self._calls, self._searches = Rate(self._limits[0], 10.0), Rate(self._limits[1], 1.0)
        self._rest = Rest(self.records, lambda: self.faults.search_lag_seconds)
        self._day = Day()
        self.statuses: Counter[int] = Counter()

    @property
    def missing_scopes(self) -> set[str]:
        """Scopes that the token lacks, such as `crm.objects.meetings.write`; a person may give them at any time."""
        return self.account.missing_scopes

    def add_unique_property(self, name: str) -> None:
        """Create the property that carries a unique key."""
        fixed = {"label": name, "type": "string", "fieldType": "text", "groupName": "contactinformation"}
        self.records.create_property({"name": name, "hasUniqueValue": True, **fixed})

    def add_contact(self, *, age: float = 0.0, **properties: str) -> str:
        """Make a contact and return its id; `age` in seconds makes it known to a lagging search."""
        return self.records.create_contact(properties, age=age).id

    def add_email(self, contact: str, email: str) -> None:
        """Give a contact an additional address."""
        self.records.add_email(contact, email)

    def merge(self, primary: str, other: str) -> str:
        """Merge two contacts and return the survivor's id."""
        return self.records.merge(primary, other).id

    def archive(self, contact: str) -> None:
        """Move a contact to the recycle bin."""
        self.records.archive_contact(contact)

    def archive_meeting(self, meeting: str) -> None:
        """Delete a meeting."""
        self.records.meeting(meeting).archived = True

    def contacts(self) -> list[dict[str, str]]:
        """The live contacts: `{"id", …properties}`, oldest first."""
        return [{"id": r.id, **r.properties} for r in self.records.contacts.values() if not r.archived]

    def meetings(self) -> list[dict[str, Any]]:
        """The live meetings: `{"id", "contacts", …properties}`, oldest first."""
        return [{"id": r.id, "contacts": r.contacts, **r.properties} for r in self.records.meetings.values() if not r.archived]

    @property
    def requests(self) -> Counter[str]:
        """Requests that reached an endpoint, by its name."""
        return self._rest.requests

    # ---- over HTTP ----

    async def _answer(self, request: Request, path: list[str], body: bytes) -> Response:
        scopes = self._scopes(request.headers.get("authorization", ""))
        is_search = path[-1:] == ["search"]
        self.account.permit(scopes, path, writes=request.method != "GET" and path[-1:] not in (["search"], ["read"]))
        self._admit(is_search)
        if body and request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
            raise Refusal(415, "The body is not sent as application/json.", "UNSUPPORTED_MEDIA_TYPE")
        if is_search and len(body.decode("utf-8", "replace")) > MAX_BODY:
            raise Refusal(400, "The search is too long.", "VALIDATION_ERROR")
        status, data = self._rest.answer(request.method, path, dict(request.query_params), read_object(body))
        headers = {} if is_search else self._limit_headers()
        return Response(status_code=status, headers=headers) if data is None else JSONResponse(data, status, headers)

    def _scopes(self, shown: str) -> set[str] | None:
        """The scopes of the token that is shown, None for the sandbox's own; raises Refusal (401)."""
        if hmac.compare_digest(shown.encode(), f"Bearer {self.token}".encode()):
            return None
        for token, scopes in self.account.tokens.items():
            if hmac.compare_digest(shown.encode(), f"Bearer {token}".encode()):
                return scopes
        raise Refusal(401, "Authentication credentials not found.", "INVALID_AUTHENTICATION")

    def _admit(self, is_search: bool) -> None:
        now = self._clock()
        if not self._day.admit(now, self.account.daily_calls):
            self._too_many("DAILY", "You have reached your daily limit.")
        if is_search and not self._searches.admit(now):
            self._too_many("SECONDLY", "You have reached your secondly limit.")
        if not self._calls.admit(now):
            self._too_many("TEN_SECONDLY_ROLLING", "You have reached your ten_secondly_rolling limit.")

    def _too_many(self, policy: str, text: str) -> None:
        more = {"errorType": "RATE_LIMIT", "policyName": policy, "requestId": uuid.uuid4().hex}
        raise Refusal(429, text, "RATE_LIMITS", **more)

    def _limit_headers(self) -> dict[str, str]:
        if self._calls.calls is None:
            return {}
        daily = 250_000 if self.account.daily_calls is None else self.account.daily_calls
        return {
            "X-HubSpot-RateLimit-Max": str(self._calls.calls),
            "X-HubSpot-RateLimit-Remaining": str(self._calls.remaining),
            "X-HubSpot-RateLimit-Interval-Milliseconds": "10000",
            "X-HubSpot-RateLimit-Daily": str(daily),
            "X-HubSpot-RateLimit-Daily-Remaining": str(daily - self._day.calls),
        }

    def _refusal(self, error: Exception) -> Response | None:
        if isinstance(error, NotAnObject):
            error = Refusal(400, "Invalid input JSON", "VALIDATION_ERROR")
        elif isinstance(error, KeyError | TypeError | ValueError | AttributeError):  # of the control routes
            error = Refusal(400, f"Invalid input: {error!r}", "VALIDATION_ERROR")
        return JSONResponse(error.body, error.status) if isinstance(error, Refusal) else None

    def _controls(self) -> Controls:
        return {
            ("GET", "state"): lambda _: self._state(),
            ("POST", "contacts"): self._add,
            ("POST", "merge"): lambda data: {"id": self.merge(str(data["primary"]), str(data["other"]))},
            ("POST", "archive"): lambda data: self.archive(str(data["id"])),
            ("POST", "privacy_delete"): lambda data: self.records.delete_for_privacy(str(data["email"]), "email"),
            ("GET", "account"): lambda _: self.account.model_dump(mode="json"),
            ("PUT", "account"): self._set_account,
        }

    def _set_account(self, data: Json) -> Json:
        self.account = self.records.account = Account.model_validate(data)
        return self.account.model_dump(mode="json")

    def _state(self) -> Json:
        properties = list(self.records.properties.values())
        return {"contacts": self.contacts(), "meetings": self.meetings(), "properties": properties}

    def _add(self, data: Json) -> Response:
        identity = self.add_contact(age=float(data.get("age", 0)), **data.get("properties", {}))
        for email in data.get("additional_emails", []):
            self.add_email(identity, email)
        return JSONResponse({"id": identity}, 201)
