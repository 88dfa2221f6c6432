"""A backfill without effects: the same walk and the same sync, over the overlays of `connector.operations.dry_run.overlay`."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from typing import Any, ClassVar

import structlog
from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from connector.model.bookings import Event
from connector.model.errors import PASSING, ConnectorError, Hold, Ignore, NeedsReview, Rejected
from connector.model.jobs import Work
from connector.model.links import Link
from connector.operations.backfill import Progress, period
from connector.operations.dry_run.overlay import DryBooking, DryCRM, DryMemory
from connector.operations.engine import Engine
from connector.operations.running import Kind
from connector.store import views
from connector.store.reviews.decisions import earlier
from connector.sync.locks import IdentityLocks
from connector.sync.pipeline import Sync


class DryRun:
    """One dry run; its counts are those the real run would end with if nothing changed in between."""

    kind: ClassVar[Kind] = "backfill"

    def __init__(self, engine: Engine, source: str, since: str | None, until: str | None) -> None:
        self.progress = Progress(source, dry_run=True)
        self.asked = json.dumps([since, until, "dry run"])
        self._source = source
        self._period = period(since, until, datetime.now(UTC))
        self._clock = engine.clock
        self._store = engine.store
        self._booking = DryBooking(engine.connections.booking[source])
        self._memory = DryMemory(engine.store)
        real = engine.syncs[source]
        self._sync = Sync(
            real.settings.model_copy(update={"record_appointments": False}),
            self._booking,
            DryCRM(real.crm),
            links=self._memory,
            journal=self._memory,
            locks=IdentityLocks(),
            country=real.country,
            clock=engine.clock,
        )
        self._slots = asyncio.Semaphore(engine.worker.concurrency)
        self._seen: set[str] = set()
        self._log = structlog.get_logger("connector.operations.dry_run.run").bind(source=source)

    async def refresh(self) -> None:
        """The figures are always up to date."""

    def as_dict(self) -> dict[str, Any]:
        """The figures as JSON-able data."""
        return self.progress.as_dict()

    async def run(self) -> None:
        """Walk and decide, client by client."""
        cursor: dict[str, Any] | None = None
        try:
            async with asyncio.TaskGroup() as tasks:
                async for attempt in _patiently():
                    with attempt:
                        async for page in self._booking.walk(*self._period, cursor):
                            cursor, self.progress.fraction = page.cursor, page.fraction
                            for event in page.events:
                                await self._begin(event, tasks)
        except* ConnectorError as errors:
            error = errors.exceptions[0]
            self.progress.fail(error if isinstance(error, ConnectorError) else ConnectorError(str(error)))
        else:
            self.progress.fraction, self.progress.state = 1.0, "done"

    async def _begin(self, event: Event, tasks: asyncio.TaskGroup) -> None:
        if event.client.id in self._seen:
            return
        self._seen.add(event.client.id)
        self.progress.counts["seen"] += 1
        self.progress.open += 1
        await self._slots.acquire()
        tasks.create_task(self._decide(event))

    async def _decide(self, event: Event) -> None:
        try:
            work = await self._work(event)
            outcome = await self._outcome(work)
            self.progress.counts[outcome] += 1
            self.progress.counts["written_back"] += work.written_back
        finally:
            self.progress.open -= 1
            self._slots.release()

    async def _work(self, event: Event) -> Work:
        link = await self._memory.find(self._source, event.client.id)
        decision = await self._store.read(views.decision, self._source, event.client.id)
        return Work(
            event_id=0,
            lane_id=0,
            token=0,
            source=self._source,
            client_id=event.client.id,
            delivery="dry-run",
            type=event.type,
            event=event,
            step="resolve",
            attempts=1,
            snoozes=0,
            received_at=self._clock(),
            link=link,
            decision=decision,
        )

    async def _outcome(self, work: Work) -> str:
        try:
            async for attempt in _patiently():
                with attempt:
                    await self._sync.run(work)
        except Ignore:
            return "skipped"
        except NeedsReview as error:
            return await self._outcome(work) if await self._answered(work, error) else "held"
        except Hold:
            return "held"
        except (Rejected, *PASSING) as error:
            self._log.warning("client would fail", client=work.client_id, reason=str(error))
            return "failed"
        return work.outcome or "matched"

    async def _answered(self, work: Work, error: NeedsReview) -> bool:
        """Link the client, for this run only, where an earlier decision about this person would."""
        if error.person is None or work.step != "resolve":
            return False
        ids = [candidate["customer_id"] for candidate in error.candidates]
        asked = (work.source, work.client_id, error.crm, self._store.database.keyed(error.person))
        found = await self._store.read(earlier, asked, str(error), ids)
        if found is not None:
            work.link = Link(work.source, work.client_id, error.crm, found["customer_id"], "review")
        return found is not None


def _patiently() -> AsyncRetrying:
    return AsyncRetrying(
        retry=retry_if_exception_type(PASSING),
        stop=stop_after_attempt(10),
        wait=wait_random_exponential(0.5, max=30),
        reraise=True,
    )
