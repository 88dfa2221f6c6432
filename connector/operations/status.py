"""The figures behind the status page, `/status.json`, `/metrics` and `/readyz`."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Protocol

from connector import __version__
from connector.booking_systems.base import BookingSystem
from connector.model.errors import AccountPaused, ConnectorError, LimitReached, RemoteError
from connector.model.problems import DELIVERIES, WORKER, Check, Topic
from connector.operations import checks
from connector.operations.engine import Engine
from connector.operations.first_steps import first_steps
from connector.operations.listing import Lists
from connector.remote.integration import Integration
from connector.store import views
from connector.store.backup import last_backup
from connector.store.reviews import views as review_views
from connector.store.shared import processes
from connector.store.tallies import Tally

#: Seconds which the writer gets to show that it lives.
WRITER_PATIENCE = 3.0
#: Held events shown on the page at most.
HELD = 500
#: Reviews shown on the overview at most; their own page has all.
REVIEWS = 20
#: So many refusals in a row, with nothing accepted in between, are no stranger's chance visit.
REFUSALS = 3
#: Refusals that a real sender may meet and a person can fix; a browser's GET or a lost connection is none.
_FIXABLE = {
    "verification": "Compare the token or secret at the sender with [booking.{}.webhook]",
    "not_json": "The sender must send JSON in UTF-8",
    "too_large": "Raise server.max_body_bytes",
    "too_slow": "Look at the network and the proxy",
    "overloaded": "Look at the disk that holds the database",
    "store": "Look at the disk that holds the database",
}


class Missed(Protocol):
    """A request that matched no address; `connector.web.unmatched.Missed`."""

    @property
    def path(self) -> str:
        """The path, cut and cleaned."""

    @property
    def at(self) -> float:
        """Unix time."""


class Unmatched(Protocol):
    """What matched no address; `connector.web.unmatched.Unmatched`."""

    @property
    def count(self) -> int:
        """How many requests since the start."""

    @property
    def recent(self) -> Sequence[Missed]:
        """The last different paths, the newest first."""


class Received(Protocol):
    """What the receiver counts; `connector.web.receiver.stats.ReceiverStats`."""

    @property
    def refused_since(self) -> Mapping[str, Mapping[str, int]]:
        """Source → what was refused since its last delivery answered 202, by reason."""

    @property
    def unmatched(self) -> Unmatched:
        """Requests that match no address."""

    def received(self, source: str) -> int:
        """How many deliveries of `source` were answered 202."""

    def refused(self, source: str) -> Mapping[str, int]:
        """How many requests to `source` were refused, by reason."""


class Overview:
    """`connector.web.interfaces.StatusData`, read from the store and the accounts."""

    def __init__(self, engine: Engine, received: Received, *, works: bool) -> None:
        self._engine = engine
        self._received = received
        self._works = works
        self._found = checks.configuration(engine.config)
        read = engine.store.read
        self.listing = Lists(engine.store).listing
        self.event = partial(read, views.event)
        self.body = partial(read, views.body)

    async def status(self) -> dict[str, Any]:
        """Answer what `/status.json` shows."""
        return await self._status(await self.checks())

    async def _status(self, found: Sequence[Check]) -> dict[str, Any]:
        read = self._engine.store.read
        now = time.time()
        last = await read(views.last_deliveries)
        return {
            "version": __version__,
            "queue": await read(views.queue),
            "oldest_waiting_seconds": await read(views.oldest_waiting, now),
            "sources": {name: self._source(a, last.get(name)) for name, a in self._engine.connections.booking.items()},
            "crms": {name: self._account(a) for name, a in self._engine.connections.crms.items()},
            "links": await read(views.link_count),
            "database": {**self._engine.store.database.sizes(), **self._backed_up(), **await self._processes()},
            "unmatched": self._unmatched(),
            "checks": [check.as_dict() for check in found],
        }

    async def page(self) -> dict[str, Any]:
        """Answer `status()` and what only the page shows."""
        read = self._engine.store.read
        held = await read(views.events, state="held", limit=HELD)
        newest = len(held)
        # What waits for the decision about a person is shown once, with the candidates.
        reviewed = await read(review_views.under_review, held)
        held = [event for event in held if event["id"] not in reviewed]
        reasons = await read(review_views.open_reviews)
        found = await self.checks()
        status = await self._status(found)
        silent = [name for name, source in status["sources"].items() if source["last_delivery_at"] is None]
        return {
            **status,
            "checks": found,
            "first_steps": [first_steps(self._engine.config, name) for name in silent],
            "decisions": await read(views.decisions),
            "held": [{**event, "since": event["updated_at"]} for event in held],
            "held_looked_at": newest,
            "reviews": await read(review_views.oldest, limit=REVIEWS),
            "open_reviews": sum(reasons.values()),
            "decided": await read(review_views.decided),
            "ignored_without_identity": await read(views.ignored_clients),
            "chart": await read(views.last_day, time.time()),
        }

    async def ready(self) -> list[Check]:
        """Whether this process can take deliveries: remote systems do not count."""
        database = self._engine.store.database
        try:
            async with asyncio.timeout(WRITER_PATIENCE):
                # A write that writes nothing would also succeed on a disk that takes nothing.
                await self._engine.store.upkeep.count(Tally.READINESS_CHECK)
        except TimeoutError:
            return [Check(topic=Topic("database"), level="error", message="The database's writer does not answer.")]
        except ConnectorError as error:
            return [Check(topic=Topic("database"), level="error", message=str(error), hint=error.hint)]
        if (refusal := database.refuses()) is not None:
            hint = f"{refusal.hint} Deliveries are refused with 503 until then.".strip()
            return [Check(topic=Topic("disk"), level="error", message=str(refusal), hint=hint)]
        return [Check(topic=Topic("database"), level="ok", message="Deliveries can be stored.")]

    def _backed_up(self) -> dict[str, float | None]:
        settings = self._engine.config.database
        return {} if settings.on_server else {"last_backup_at": last_backup(settings.path)}

    async def _processes(self) -> dict[str, Any]:
        if not self._engine.store.database.shared:
            return {}
        found = await self._engine.store.read(processes)
        return {"processes": [{**one, "started_at": views.moment(one["started_at"])} for one in found]}

    async def checks(self) -> list[Check]:
        """What is known of file, database and accounts, without asking a remote system."""
        seen = [check for checks_of_one in self._engine.account_checks.findings.values() for check in checks_of_one]
        store, settings = self._engine.store, self._engine.config.database
        own = [
            *self._own(),
            *checks.large_wal(store.database),
            *checks.backup(settings, self._engine.clock()),
            *await checks.ids(store),
            *await checks.processes(store),
        ]
        return [*await self.ready(), *self._found, *own, *checks.states(self._engine.connections), *seen]

    async def problems(self) -> list[Check]:
        """What is wrong with this process itself; `connector check` says it beside what the remote systems answer."""
        return [check for check in [*await self.ready(), *self._own()] if check.level != "ok"]

    def _own(self) -> list[Check]:
        found = checks.open_files()
        if not self._works and not self._engine.store.database.shared:
            text = "the worker is off (--no-worker): deliveries are stored and wait"
            hint = "Start `connector serve` without --no-worker."
            found.append(Check(topic=WORKER, level="warning", message=text, hint=hint))
        if (problem := self._engine.worker.problem) is not None:
            hint = "No event is processed until it can be read; the log has the details."
            found.append(Check(topic=WORKER, level="error", message=f"the queue cannot be read: {problem}", hint=hint))
        if (missed := self._nearly()) is not None:
            found.append(missed)
        return [*found, *(check for source in self._engine.connections.booking if (check := self._refusals(source)))]

    def _unmatched(self) -> dict[str, Any]:
        """How many requests matched no address, and the last of them."""
        seen = self._received.unmatched
        last = seen.recent[0] if seen.count else None
        return {
            "count": seen.count,
            "last_path": last.path if last else None,
            "last_at": views.moment(last.at) if last else None,
        }

    def _nearly(self) -> Check | None:
        """A sender with a wrong address looks like one that has nothing to send; scanners ask for other paths than these."""
        names = [*(name.lower() for name in self._engine.config.booking), "hook"]
        recent = [one for one in self._received.unmatched.recent if one.at > time.time() - checks.DAY]
        missed = next((one for one in recent if any(name in one.path.lower() for name in names)), None)
        if missed is None:
            return None
        addresses = ", ".join(f"/webhooks/{name}" for name in self._engine.config.booking)
        text = f"a POST to {missed.path} matched no webhook address, last at {views.moment(missed.at)}"
        hint = f"If it was the sender, correct the address there. The addresses here: {addresses}"
        return Check(topic=Topic("webhooks", "unmatched"), level="warning", message=text, hint=hint)

    def _refusals(self, source: str) -> Check | None:
        """A sender that is turned away every time looks like one that has nothing to send."""
        since = self._received.refused_since.get(source)
        refused = {reason: n for reason, n in since.items() if reason in _FIXABLE} if since else {}
        if sum(refused.values()) < REFUSALS:
            return None
        most = max(refused, key=lambda reason: refused[reason])
        text = f"the last {sum(refused.values()):,} deliveries to {source} were refused, most of them for: {most}"
        hint = f"{_FIXABLE[most].format(source)}; `delivery refused` in the log says more."
        return Check(topic=Topic(f"booking.{source}", DELIVERIES), level="warning", message=text, hint=hint)

    def _source(self, adapter: BookingSystem, last: float | None) -> dict[str, Any]:
        return {
            **self._account(adapter),
            "last_delivery_at": views.moment(last),
            "received": self._received.received(adapter.name),
            "refused": sum(self._received.refused(adapter.name).values()),
        }

    def _account(self, adapter: Integration) -> dict[str, Any]:
        breaker = adapter.remote.breaker
        error = breaker.error
        return {
            "system": adapter.system,
            "state": _state(error),
            "asked": breaker.answered or error is not None,
            "reason": None if error is None else str(error),
            "since": views.moment(breaker.since),
            "limited_until": views.moment(breaker.until),
            "refused_actions": {
                action: {"since": views.moment(entry.since), "reason": str(entry.error), "hint": entry.error.hint}
                for action, entry in breaker.stopped().items()
            },
            "quota": adapter.remote.quota.usage(),
        }


def _state(error: RemoteError | None) -> str:
    if error is None:
        return "ok"
    if isinstance(error, LimitReached):
        return "limited"
    return "paused" if isinstance(error, AccountPaused) else "down"
