"""BookingFlow's REST calls, one method each; no mapping here. Every path is a setting, relative to `base_url`.

Announced at https://www.bookingflowai.com/developers; not seen at work. In its public source answers are `{"ok": true, …}`
or `{"ok": false, "error": CODE, "message": …}`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote

import httpx

from connector.booking_systems.bookingflow.settings import BookingFlowSettings
from connector.model.errors import Rejected, RemoteError, Transient
from connector.remote.http import Answer, Remote
from connector.remote.rate_limit import Quota
from connector.remote.values import at, read_object

#: Answered for "there is none" by reads of one booking.
ABSENT = (404, 410)


def interpreter(account: str) -> Callable[[str, Answer, bool], RemoteError | None]:
    """Refusals that speak of this call: a path that is not there, a page of something in between."""

    def interpret(what: str, answer: Answer, writes: bool) -> RemoteError | None:
        status, said = answer.status, f"BookingFlow: {what}: answered {answer.status}"
        paths = f"Compare base_url and [{account}.paths] with BookingFlow's documentation; these paths are announced only."
        if not answer.readable and 400 <= status < 500 and status not in (401, 403, 429):
            return Transient(f"{said}, without JSON", account=account, status=status, hint=paths)
        if writes and status == 403:
            hint = f"The key in [{account}] may only read: make one that may write, or remove write_back_field."
            return Rejected(said, account=account, status=status, hint=hint)
        if status in (*ABSENT, 405):
            return Rejected(said, account=account, status=status, hint=paths)
        return None

    return interpret


class BookingFlowClient:
    """The calls. Each raises what `Remote.call` raises."""

    def __init__(self, remote: Remote, settings: BookingFlowSettings) -> None:
        self.remote = remote
        self._paths = settings.paths
        self._record = settings.record
        self._method = settings.write_back_method

    @classmethod
    def connect(
        cls, account: str, settings: BookingFlowSettings, quota: Quota, *, transport: httpx.AsyncBaseTransport | None = None
    ) -> BookingFlowClient:
        """Build the remote; makes no request."""
        remote = Remote(
            account,
            settings.base_url,
            title="BookingFlow",
            headers={"Authorization": f"Bearer {settings.api_key.get_secret_value()}"},
            quota=quota,
            timeout=settings.timeout_seconds,
            interpret=interpreter(account),
            transport=transport,
        )
        return cls(remote, settings)

    async def get_booking(self, booking_id: str) -> Answer:
        """Read one booking; accepted also when there is none: 410, or a 404 with one of the codes in `record.gone`.

        https://www.bookingflowai.com/developers (GET /v1/bookings/:id)
        """
        what = "read the booking"
        answer = await self.remote.call(what, "GET", self._booking(booking_id), accept=(200, *ABSENT))
        if answer.status == 404 and not self._is_gone(answer):
            raise self._nowhere(what)
        return self._checked(what, answer)

    async def update_booking(self, booking_id: str, fields: Mapping[str, str]) -> Answer:
        """Write members of a booking. Described for rescheduling and guests only; a field of ours is the user's choice.

        https://www.bookingflowai.com/developers (PUT /v1/bookings/:id)
        """
        return await self.remote.call("write the booking", self._method, self._booking(booking_id), json=dict(fields))

    async def list_bookings(self, params: Mapping[str, Any]) -> Answer:
        """One page of bookings. https://www.bookingflowai.com/developers (GET /v1/bookings, filters date, room, status)."""
        answer = await self.remote.call("list bookings", "GET", self._paths.bookings, params=params, accept=(200,))
        return self._checked("list bookings", answer)

    async def probe(self) -> None:
        """Ask who the key belongs to. https://staging.bookingflowai.com/developers (GET /api/v1/public/me)."""
        self._checked("check the key", await self.remote.call("check the key", "GET", self._paths.probe, probe=True))

    def _booking(self, booking_id: str) -> str:
        return self._paths.booking.replace("{id}", quote(booking_id, safe=""))

    def _is_gone(self, answer: Answer) -> bool:
        """Whether a 404 speaks of the booking: a path that is not there answers 404 too, and every booking would be gone."""
        said = (at(answer.data, path) for path in self._record.error)
        return any(code in self._record.gone for code in said if isinstance(code, str))

    def _nowhere(self, what: str) -> Rejected:
        account = self.remote.account
        hint = (
            f"Compare base_url and [{account}.paths] with BookingFlow's documentation. If this is how it answers for a booking"
            f" that was removed, add its error code to gone in [{account}.record]. Restart, then retry the event."
        )
        text = f"BookingFlow: {what}: answered 404 without saying that it is the booking that is gone"
        return Rejected(text, account=account, status=404, hint=hint)

    def _checked(self, what: str, answer: Answer) -> Answer:
        """The answer, unless it says at status 200 that it is none."""
        if answer.status == 200 and read_object(answer.data).get("ok") is False:
            raise self.unexpected(what, answer)
        return answer

    def unexpected(self, what: str, answer: Answer) -> Transient:
        """The error for an accepted answer whose shape says nothing: it must not be read as "there is none"."""
        message = f"BookingFlow: {what}: answered {answer.status} in an unexpected shape"
        return Transient(message, account=self.remote.account, status=answer.status)
