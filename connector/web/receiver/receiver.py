"""`POST` or `PUT /webhooks/{source}`: verify, read, store durably, and only then answer 202.

The order is cheapest first, and nothing that is not verified touches the disk: method, source, length, what the headers
alone can prove, the body, the signature over its raw bytes, JSON, the adapter's reading, the store. A problem downstream is
never the sender's: an adapter that fails holds the delivery, and only a store that cannot store answers 503.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
import time
from collections.abc import Callable, Mapping
from typing import Any

import structlog
from starlette.types import Receive, Scope, Send

from connector.model.bookings import Reading
from connector.model.deliveries import Delivery
from connector.model.errors import Overloaded, StoreError
from connector.remote import payload
from connector.remote.payload import BadPayload, TooLong
from connector.remote.signatures import VerificationFailed, Verified
from connector.web.interfaces import Intake, Source
from connector.web.receiver.body import BodyTooLarge, Disconnected, check_length, discard, read_body
from connector.web.receiver.connection import ARRIVED
from connector.web.receiver.room import Arriving, NoRoom, Room
from connector.web.receiver.stats import NO_SOURCE, ReceiverStats

#: Seconds a sender has to deliver its body.
BODY_TIMEOUT = 10.0
#: Bytes of bodies on their way in, all senders together (or eight bodies of the largest size); nobody has verified them yet.
MAX_ARRIVING = 64 * 1024 * 1024
#: Seconds after which a sender should come back when the store is unavailable; `Overloaded` brings its own.
STORE_RETRY_AFTER = 30
#: Seconds between two log lines about the same kind of refusal: a flood must not fill the log's disk.
QUIET = 10.0
#: Characters; longer values of ids and kept headers are hashed or cut.
MAX_ID = 256
MAX_HEADER = 500
_JSON = (b"content-type", b"application/json")
#: The query parameter by which a sender shows that it knows our whole address.
_KEY_IN_QUERY = re.compile(r"([?&]key=)[^&]*")


class Refused(Exception):
    """The request is answered with something other than 202.

    `reason` is counted, `message` is shown to the sender, `detail` is for our log only.
    """

    def __init__(self, status: int, reason: str, message: str, *, detail: str = "", **headers: str) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason
        self.message = message
        self.detail = detail
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}


class Receiver:
    """The ASGI endpoint of `/webhooks/{source}`; made once, shared by all requests.

    `body_timeout` is in seconds; `clock` gives Unix time.
    """

    def __init__(
        self,
        sources: Mapping[str, Source],
        intake: Intake,
        *,
        stats: ReceiverStats,
        max_body_bytes: int = 1_048_576,
        body_timeout: float = BODY_TIMEOUT,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._sources = sources
        self._intake = intake
        self._stats = stats
        self._max_body = max_body_bytes
        self._body_timeout = body_timeout
        self._room = Room(max(MAX_ARRIVING, 8 * max_body_bytes))
        self._clock = clock
        # Bound once: the lazy proxy would look the configuration up again for every line.
        self._log = structlog.get_logger("connector.receiver").bind()
        self._quiet: dict[tuple[str, str], tuple[float, int]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        try:
            delivery = await self._take(scope, receive)
            status = await self._store(delivery)
        except Refused as refused:
            await self._refuse(refused, scope, receive, send)
        except Disconnected:
            self._stats.refuse(self._label(scope), "disconnected")
        else:
            await _answer(send, status, delivery.event)

    async def _take(self, scope: Scope, receive: Receive) -> Delivery:
        """Take the request through every step before the store.

        What was parsed on the way ends with this call: of all deliveries that wait for one commit it would fill the
        processor's caches (docs/benchmarks.md, Receiving).
        """
        if scope["method"] not in {"POST", "PUT"}:
            raise Refused(405, "method", "Deliveries are sent with POST or PUT.", detail=_method_of(scope), allow="POST, PUT")
        source = self._sources.get(scope["path_params"]["source"])
        if source is None:
            raise Refused(
                404, "unknown_source", "There is no source of this name; check the address against the configuration."
            )
        headers = _headers(scope)
        verified = self._before_body(source, headers)
        if ARRIVED in scope:
            body = await self._arrived(headers, receive)
        else:
            body = await self._arriving(scope, headers, receive, proven=verified is not None)
        now = self._clock()
        if verified is None:
            verified = self._after_body(source, headers, body, now)
        body, data = self._parse(source, headers, body)
        reading = self._read(source, headers, data)
        event, derived = _event_id(reading, verified, body, now)
        kept = {name: _storable(name, headers[name])[:MAX_HEADER] for name in source.keep if name in headers}
        return Delivery(source.name, event, derived, kept, body, now, reading)

    def _before_body(self, source: Source, headers: Mapping[str, str]) -> Verified | None:
        """Refuse what the headers alone show to be too large or not genuine."""
        try:
            check_length(headers, self._max_body)
            return source.verifier.before_body(headers, now=self._clock())
        except BodyTooLarge:
            raise self._too_large() from None
        except Exception as error:  # as below
            raise _unverified(error) from None

    def _after_body(self, source: Source, headers: Mapping[str, str], body: bytes, now: float) -> Verified:
        try:
            return source.verifier.verify(headers, body, now=now)
        except Exception as error:  # a defect in a verifier must let nobody in, not answer 500
            raise _unverified(error) from None

    async def _arriving(self, scope: Scope, headers: Mapping[str, str], receive: Receive, *, proven: bool) -> bytes:
        """Take a body as it comes, as long as there is time and room for it."""
        peer = (scope.get("client") or ("",))[0]
        arriving: Arriving | None = None
        try:
            async with asyncio.timeout(self._body_timeout) as deadline:
                with self._room.entered(peer, proven=proven, deadline=deadline) as arriving:
                    return await read_body(headers, receive, self._max_body, take=arriving.take)
        except BodyTooLarge:
            raise self._too_large() from None
        except (TimeoutError, NoRoom) as error:
            if isinstance(error, TimeoutError) and not (arriving and arriving.dropped):
                raise Refused(408, "too_slow", "The body did not arrive in time.", connection="close") from None
            message = "Too many requests are arriving; please send again."
            raise Refused(503, "overloaded", message, retry_after="1", connection="close") from None

    async def _arrived(self, headers: Mapping[str, str], receive: Receive) -> bytes:
        """Take a body that is already here: it cannot be too slow, and needs no room while it arrives."""
        try:
            return await read_body(headers, receive, self._max_body)
        except BodyTooLarge:
            raise self._too_large() from None

    def _too_large(self) -> Refused:
        message = f"The body is larger than {self._max_body} bytes (server.max_body_bytes)."
        return Refused(413, "too_large", message, connection="close")

    def _parse(self, source: Source, headers: Mapping[str, str], body: bytes) -> tuple[bytes, Any]:
        """The body as it is stored, which is not compressed, and what it says."""
        try:
            body = payload.unpack(headers.get("content-encoding", ""), body, self._max_body)
            return body, payload.read(headers.get("content-type", ""), body, forms=source.forms)
        except TooLong:
            raise self._too_large() from None
        except BadPayload as bad:
            raise Refused(400, "not_json", str(bad)) from None

    def _read(self, source: Source, headers: Mapping[str, str], data: Any) -> Reading:
        try:
            return source.read(headers, data)
        except Exception as error:  # nothing is lost because an adapter has a defect
            name = type(error).__name__
            self._log.error("adapter failed", source=source.name, error=name)
            hint = "Report it with the delivery's id; once fixed, run `connector events retry`."
            return Reading(held=f"the adapter could not read the delivery ({name})", hint=hint)

    async def _store(self, delivery: Delivery) -> str:
        """Hand over and wait until it is on disk; a 503 where it is not."""
        try:
            status = await self._intake.accept(delivery)
        except Overloaded as full:
            message, wait = "There is no room for more deliveries now; please send again.", str(full.retry_after)
            raise Refused(503, "overloaded", message, detail=str(full), retry_after=wait) from None
        except Exception as error:  # whatever it is, the delivery is not known to be stored
            text = str(error) if isinstance(error, StoreError) else type(error).__name__
            message = "The delivery could not be stored; please send again."
            raise Refused(503, "store", message, detail=text, retry_after=str(STORE_RETRY_AFTER)) from None
        self._stats.accept(delivery.source, status, delivery.received_at)
        tell = self._log.debug if status == "queued" else self._log.info
        tell("delivery", source=delivery.source, delivery=delivery.event, status=status)
        return status

    async def _refuse(self, refused: Refused, scope: Scope, receive: Receive, send: Send) -> None:
        source = self._label(scope)
        self._stats.refuse(source, refused.reason)
        self._tell_refusal(source, refused)
        answer = {"error": refused.reason, "message": refused.message}
        # Of a body that is here as a whole, perhaps too large only once unpacked, nothing is still coming.
        if refused.status != 413 or ARRIVED in scope:
            await _send(send, refused.status, answer, refused.headers)
            return
        # Answer, then swallow some of what is still coming: a connection cut while the sender writes hides the answer.
        await _send(send, refused.status, answer, refused.headers, more=True)
        await discard(receive, limit=16 * self._max_body, seconds=self._body_timeout / 2)
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    def _label(self, scope: Scope) -> str:
        name: str = scope["path_params"]["source"]
        return name if name in self._sources else NO_SOURCE

    def _tell_refusal(self, source: str, refused: Refused) -> None:
        """Log a refusal, at most one line per source and reason every `QUIET` seconds."""
        now = self._clock()
        until, silent = self._quiet.get((source, refused.reason), (0.0, 0))
        if now < until:
            self._quiet[source, refused.reason] = (until, silent + 1)
            return
        self._quiet[source, refused.reason] = (now + QUIET, 0)
        tell = self._log.error if refused.reason == "store" else self._log.warning
        fields = {"reason": refused.reason, "answer": refused.status, "detail": refused.detail, "silent": silent}
        tell("delivery refused", source=source, **{name: value for name, value in fields.items() if value})


def _unverified(error: Exception) -> Refused:
    """One text for every cause: an unverified sender does not learn how close it came."""
    known = isinstance(error, VerificationFailed)
    detail = str(error) if known else f"the verifier itself failed ({type(error).__name__})"
    return Refused(401, "verification", "The request could not be verified.", detail=detail)


def _method_of(scope: Scope) -> str:
    """Why the method may be wrong: many senders follow a redirect with a GET, and without the body."""
    redirected = scope["method"] in {"GET", "HEAD"}
    return "if a proxy redirects http to https, give the sender the https address: its POST becomes a GET" if redirected else ""


def _headers(scope: Scope) -> dict[str, str]:
    """Lower-case names to values, and `:path` as HTTP/2 has it: path and query, which some signatures cover.

    A header given twice is joined, so that a second one cannot replace the first.
    """
    pairs = scope["headers"]
    found = {name.decode("latin-1"): value.decode("latin-1") for name, value in pairs}
    if len(found) < len(pairs):
        joined: dict[str, list[str]] = {}
        for name, value in pairs:
            joined.setdefault(name.decode("latin-1"), []).append(value.decode("latin-1"))
        found = {name: ", ".join(values) for name, values in joined.items()}
    path, query = scope.get("raw_path") or scope.get("path", "").encode(), scope.get("query_string", b"")
    found[":path"] = (path.partition(b"?")[0] + (b"?" + query if query else b"")).decode("latin-1")
    return found


def _storable(name: str, value: str) -> str:
    """Return what is stored of a header: the secret part of an address (`key=`) is left out."""
    return _KEY_IN_QUERY.sub(r"\1", value) if name == ":path" else value


def _event_id(reading: Reading, verified: Verified, body: bytes, now: float) -> tuple[str, bool]:
    """The id used for de-duplication, and whether it had to be derived from the body."""
    given = reading.event_id or verified.message_id
    # Half of a surrogate pair has become U+FFFD: others have become the same.
    if not given or "\ufffd" in given:
        # The type may stand in the address only: two actions that look alike are no repetition.
        window = f":{reading.type}:{int(now // reading.repeat_window)}" if reading.repeat_window else ""
        return f"sha256:{hashlib.sha256(body).hexdigest()}{window}", True
    if len(given) > MAX_ID:
        return "sha256:" + hashlib.sha256(given.encode("utf-8", "surrogatepass")).hexdigest(), False
    return given, False


async def _answer(send: Send, status: str, event: str) -> None:
    """Send the 202."""
    body = f'{{"status": "{status}", "event": {json.dumps(event)}}}'.encode()
    headers = [_JSON, (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 202, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def _send(send: Send, status: int, answer: Mapping[str, str], headers: Mapping[str, str], *, more: bool = False) -> None:
    """Send a small JSON answer without the cost of a response object; `more` leaves it open."""
    body = json.dumps(answer).encode()
    raw = [
        _JSON,
        (b"content-length", str(len(body)).encode()),
        *((name.encode(), value.encode()) for name, value in headers.items()),
    ]
    await send({"type": "http.response.start", "status": status, "headers": raw})
    await send({"type": "http.response.body", "body": body, "more_body": more})
