"""A backfill without effects: the same walk and the same sync, over the overlays of `connector.operations.dry_run.overlay`."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any, ClassVar

from connector.model.backfills import Request
from connector.model.bookings import Event
from connector.model.errors import PASSING, Hold, Ignore, NeedsReview, Rejected
from connector.model.jobs import Work
from connector.model.links import Link
from connector.operations.backfill import period
from connector.operations.dry_run.overlay import DryBooking, DryCRM, DryMemory
from connector.operations.engine import Engine
from connector.operations.running import Kind, LongOperation, Progress
from connector.operations.waiting import retrying, tasks
from connector.store import views
from connector.store.backfills import COUNTS
from connector.store.reviews.decisions import earlier
from connector.sync.locks import IdentityLocks
from connector.sync.pipeline import Sync


class DryRun(LongOperation):
    """One dry run; its counts are those the real run would end with if nothing changed in between."""

    kind: ClassVar[Kind] = "backfill"

    def __init__(self, engine: Engine, source: str, asked: Request) -> None:
        super().__init__(Progress(source, "walking", dict.fromkeys(COUNTS, 0)))
        self._asked = asked
        self._source = source
        self._period = period(asked.since, asked.until, datetime.now(UTC))
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

    @property
    def asked(self) -> Request:
        """What was asked for."""
        return self._asked

    def as_dict(self) -> dict[str, Any]:
        """The figures as JSON-able data."""
        return {**super().as_dict(), "dry_run": True, "resumed": False}

    async def _work(self) -> None:
        """Walk and decide, client by client."""
        cursor: dict[str, Any] | None = None
        async with tasks() as group:
            async for attempt in retrying():
                with attempt:
                    async for page in self._booking.walk(*self._period, cursor):
                        cursor, self.progress.fraction = page.cursor, page.fraction
                        for event in page.events:
                            await self._begin(event, group)
        self.progress.fraction = 1.0

    async def _begin(self, event: Event, group: asyncio.TaskGroup) -> None:
        if event.client.id in self._seen:
            return
        self._seen.add(event.client.id)
        self.progress.counts["seen"] += 1
        self.progress.open += 1
        await self._slots.acquire()
        group.create_task(self._decide(event))

    async def _decide(self, event: Event) -> None:
        try:
            work = await self._work_of(event)
            outcome = await self._outcome(work)
            self.progress.counts[outcome] += 1
            self.progress.counts["written_back"] += work.written_back
        finally:
            self.progress.open -= 1
            self._slots.release()

    async def _work_of(self, event: Event) -> Work:
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
            async for attempt in retrying():
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
