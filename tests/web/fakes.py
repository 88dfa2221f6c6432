"""Small sandboxes for what the web is given, and an application built on them."""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import httpx
from starlette.types import ASGIApp

from connector.model.bookings import Client, Event, Reading
from connector.model.deliveries import Delivery
from connector.model.problems import Check, Topic
from connector.remote.signatures import VerificationFailed, Verified
from connector.web.access import Access
from connector.web.app import build_app
from connector.web.interfaces import Source
from connector.web.receiver.stats import ReceiverStats

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC).timestamp()
TOKEN = "a-status-token-of-tests"
SECRET = "t0ken"


class Clock:
    """Unix time that moves only when told."""

    def __init__(self, now: float = NOW) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


class TokenVerifier:
    """Accepts the one token; a `webhook-id` header becomes the message id, as with Standard Webhooks."""

    def before_body(self, headers: Mapping[str, str], *, now: float) -> Verified | None:
        return self.verify(headers, b"", now=now)

    def verify(self, headers: Mapping[str, str], body: bytes, *, now: float) -> Verified:
        if not hmac.compare_digest(headers.get("authorization", "").encode("latin-1"), SECRET.encode()):
            raise VerificationFailed("the token does not match")
        return Verified(headers.get("webhook-id"))


class BodyVerifier:
    """Like a signature: nothing can be said before the body is there; the token must stand in the header `x-signature`."""

    def before_body(self, headers: Mapping[str, str], *, now: float) -> Verified | None:
        return None

    def verify(self, headers: Mapping[str, str], body: bytes, *, now: float) -> Verified:
        if headers.get("x-signature") != SECRET:
            raise VerificationFailed("the signature does not match")
        return Verified()


class MemoryIntake:
    """De-duplicates like the store; `problem` is raised instead, if set."""

    def __init__(self) -> None:
        self.stored: dict[tuple[str, str], Delivery] = {}
        self.problem: Exception | None = None

    async def accept(self, delivery: Delivery) -> str:
        if self.problem is not None:
            raise self.problem
        if (delivery.source, delivery.event) in self.stored:
            return "duplicate"
        self.stored[delivery.source, delivery.event] = delivery
        reading = delivery.reading
        return "queued" if reading.events else "held" if reading.held is not None else "ignored"

    @property
    def only(self) -> Delivery:
        (delivery,) = self.stored.values()
        return delivery


def read(headers: Mapping[str, str], data: Any) -> Reading:
    """Read `{"id", "client"}`; anything else is held, and `{"explode": true}` fails like a defective adapter."""
    if isinstance(data, dict) and data.get("explode"):
        raise RuntimeError("jane.doe@example.com broke it")
    if not isinstance(data, dict) or "client" not in data:
        return Reading(held="there is no client in it", hint="Look at the delivery.")
    event_id = str(data["id"]) if "id" in data else None
    if data["client"] is None:
        return Reading(event_id=event_id, ignored="nothing identifies the client")
    return Reading(
        event_id=event_id, type="appointment.created", events=(Event(type="x", client=Client(id=str(data["client"]))),)
    )


class FakeData:
    """Answers what it is given."""

    def __init__(self, page: dict[str, Any]) -> None:
        self._page = page
        self.problem: Exception | None = None
        #: What the lists answer, and what they were asked.
        self.found: dict[str, Any] = {}
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.events: dict[int, dict[str, Any]] = {}
        self.bodies: dict[int, str] = {}

    async def status(self) -> dict[str, Any]:
        keys = ("version", "queue", "oldest_waiting_seconds", "sources", "crms", "links", "database", "checks")
        page = await self.page()
        return {key: page[key] for key in keys} | {"checks": [check.as_dict() for check in page["checks"]]}

    async def page(self) -> dict[str, Any]:
        if self.problem is not None:
            raise self.problem
        return self._page

    async def listing(self, kind: str, wanted: Mapping[str, Any]) -> dict[str, Any]:
        self.asked.append((kind, dict(wanted)))
        if self.problem is not None:
            raise self.problem
        return {"rows": [], "cursor": None, "partly": False, "sources": ["stores"], "reasons": {}, **self.found}

    async def event(self, event_id: int) -> dict[str, Any] | None:
        if self.problem is not None:
            raise self.problem
        return self.events.get(event_id)

    async def body(self, event_id: int) -> str | None:
        return self.bodies.get(event_id)


def event_row(number: int, **changes: Any) -> dict[str, Any]:
    """An event as the store answers it."""
    return {
        "id": number,
        "source": "stores",
        "event": f"evt-{number}",
        "type": "appointment.created",
        "client_id": "88213",
        "state": "held",
        "attempts": 1,
        "received_at": "2026-11-21T11:00:00.000Z",
        "updated_at": "2026-11-21T11:30:00.000Z",
        "reason": "two customers have this phone number",
        "hint": "Decide who it is.",
        "trace": [{"rule": "phone", "result": "ambiguous", "note": "two customers", "customer_id": "501"}],
        "step": "resolve",
        "next_try": None,
        "waits_for": None,
        "derived": 0,
        "duplicates": 0,
        "body_kept": 1,
        **changes,
    }


def queue(**counts: int) -> dict[str, int]:
    states = ("queued", "running", "retrying", "held", "done", "ignored", "discarded")
    return {state: counts.get(state, 0) for state in states}


def quiet_page() -> dict[str, Any]:
    """All is well."""
    quota = {"used": 42, "limit": 300, "seconds": 60}
    source = {
        "system": "booxi",
        "last_delivery_at": NOW - 185,
        "received": 1311,
        "refused": 0,
        "quota": quota,
        "state": "ok",
        "reason": None,
    }
    hours = [
        {
            "hour": f"2026-11-{20 + (13 + h) // 24}T{(13 + h) % 24:02}:00:00.000Z",
            "received": (h * 7) % 40,
            "linked": (h * 6) % 37,
            "held": 0,
        }
        for h in range(24)
    ]
    trace = [
        {"rule": "link", "result": "none", "note": "this client is not linked yet"},
        {"rule": "email", "result": "match", "note": "the only customer with this e-mail address", "customer_id": "501"},
        {"rule": "write_back", "result": "written", "note": "the id was stored in the booking system and confirmed"},
    ]
    decision = {
        "id": 1204,
        "source": "stores",
        "client_id": "88213",
        "type": "appointment.created",
        "state": "done",
        "reason": None,
        "at": "2026-11-21T11:56:55.000Z",
        "trace": trace,
    }
    return {
        "version": "0.1.0",
        "queue": queue(done=1250, ignored=61),
        "oldest_waiting_seconds": None,
        "sources": {"stores": source},
        "crms": {
            "main": {"system": "hubspot", "state": "ok", "reason": None, "quota": {"used": 3, "limit": 100, "seconds": 10}}
        },
        "links": 1204,
        "database": {"bytes": 40_960, "wal_bytes": 8_192, "free_bytes": 1_048_576},
        "checks": [Check(topic=Topic("store", "disk"), level="ok", message="The disk has room.")],
        "decisions": [{**decision, "id": 1204 - n, "client_id": str(88213 - n * 17)} for n in range(6)],
        "held": [],
        "held_looked_at": 500,
        "reviews": [],
        "ignored_without_identity": 12,
        "chart": hours,
    }


def busy_page() -> dict[str, Any]:
    """A day with something of everything."""
    page = quiet_page()
    reason = "HubSpot refused the request for good (400 INVALID_EMAIL)"
    hint = "Correct the e-mail address in the booking system, then run `connector events retry`."
    held = [
        {"id": 90 + n, "source": "stores", "client_id": f"7{n}", "reason": reason, "hint": hint, "since": NOW - 7200 * n - 60}
        for n in range(7)
    ]
    odd = {"id": 80, "source": "tours", "client_id": None, "reason": "the client has no id", "hint": "", "since": NOW - 200_000}
    review = {
        "id": 5,
        "source": "stores",
        "client_ids": ["4711"],
        "reason": "two customers have this phone number",
        "since": NOW - 4000,
        "candidates": [
            {"customer_id": "201", "evidence": ["same phone", "name agrees"]},
            {"customer_id": "202", "evidence": ["same phone"]},
        ],
    }
    page["held"], page["reviews"] = [*held, odd], [review]
    page["queue"] = queue(queued=17, running=8, retrying=2, held=9, done=41250, ignored=61, discarded=1)
    page["oldest_waiting_seconds"] = 1300.4
    page["sources"]["tours"] = {
        "system": "booxi",
        "last_delivery_at": None,
        "received": 0,
        "refused": 31,
        "quota": None,
        "state": "paused",
        "reason": "the key was refused (401)",
    }
    page["crms"]["main"] |= {
        "state": "down",
        "reason": "no answer for 4 min",
        "quota": {"used": 97, "limit": 100, "seconds": 10},
    }
    page["checks"] += [
        Check(
            topic=Topic("booking.tours", "auth"),
            level="error",
            message="the key of booking.tours was refused",
            hint="Set partner_key and restart.",
        ),
        Check(
            topic=Topic("config", "plain"),
            level="warning",
            message="booking.stores.webhook has verify = none",
            hint="Ask for a token.",
        ),
    ]
    page["decisions"][0] |= {"state": "held", "reason": reason, "trace": []}
    page["chart"][20]["held"] = 6
    return page


class Noting:
    """The actions behind the buttons: hands each to `operate` by its name, with its arguments."""

    def __init__(self, operate: Callable[[str, Mapping[str, Any]], Awaitable[Any]]) -> None:
        self._operate = operate

    async def compare(self, review: int, by: str) -> Any:
        return await self._operate("compare", {"review": review, "by": by})

    async def decide(self, review: int, decision: str, customer_id: str | None, by: str) -> None:
        asked = {"review": review, "decision": decision, "customer_id": customer_id, "by": by}
        await self._operate("decide", asked)

    async def share(self, review: int, by: str) -> Any:
        return await self._operate("share", {"review": review, "by": by})

    async def undo(self, review: int, by: str) -> Any:
        return await self._operate("undo", {"review": review, "by": by})

    async def retry(self, ids: list[int]) -> Any:
        return await self._operate("retry", {"ids": ids})

    async def discard(self, ids: list[int], by: str) -> Any:
        return await self._operate("discard", {"ids": ids, "by": by})


class World:
    """An application with everything around it faked, and how to talk to it."""

    def __init__(
        self,
        *,
        public_url: str | None = None,
        token: str | None = TOKEN,
        operators: Any = (),
        verifier: Any = None,
        operate: Any = None,
        **options: Any,
    ) -> None:
        self.clock = Clock()
        self.intake = MemoryIntake()
        self.stats = ReceiverStats()
        self.data = FakeData(quiet_page())
        self.checks = [Check(topic=Topic("store"), level="ok", message="The database answers.")]
        self.access = Access(public_url=public_url, token=token, operators=operators, clock=self.clock)
        self.app: ASGIApp = build_app(
            sources={"stores": Source("stores", read, verifier or TokenVerifier())},
            intake=self.intake,
            stats=self.stats,
            data=self.data,
            ready=self._ready,
            access=self.access,
            config_file="connector.toml",
            actions=Noting(operate) if operate is not None else None,
            clock=self.clock,
            **options,
        )

    async def _ready(self) -> list[Check]:
        return self.checks

    def logged_in(self, base_url: str = "http://127.0.0.1:8080") -> httpx.AsyncClient:
        """A browser with a session."""
        client = self.client(base_url)
        client.cookies.set(self.access.cookie, self.access.log_in(TOKEN) or "")
        return client

    def client(self, base_url: str = "http://127.0.0.1:8080") -> httpx.AsyncClient:
        return httpx.AsyncClient(transport=httpx.ASGITransport(self.app), base_url=base_url)

    async def deliver(self, content: bytes, *, method: str = "POST", source: str = "stores", **headers: str) -> httpx.Response:
        every = {"authorization": SECRET, **{name.replace("_", "-"): value for name, value in headers.items()}}
        async with self.client() as client:
            return await client.request(method, f"/webhooks/{source}", content=content, headers=every)
