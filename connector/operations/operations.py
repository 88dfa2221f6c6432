"""What the command line can have done to the live database: by the running service, or by itself when none runs.

Arguments and results are JSON-able, because they may travel between two processes.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog

from connector.config.logs import bare
from connector.model.problems import Check
from connector.operations import checks
from connector.operations.backfill import Backfill, Job
from connector.operations.drift.names import NamesCheck
from connector.operations.drift.run import Drift
from connector.operations.dry_run.run import DryRun
from connector.operations.engine import Engine
from connector.operations.people import People, Refused
from connector.remote import payload
from connector.store import views

#: Events that one command can act on at most.
MANY = 100_000
#: How far back a repair looks: longer than any sender is known to go on trying.
REPAIR = timedelta(days=7)


class Operations:
    """One method per operation.

    `works` says whether this process runs a worker; `patient`, whether a backfill waits for a person to fix an account;
    `problems`, what is wrong with a service itself.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        works: bool,
        patient: bool = True,
        problems: Callable[[], Awaitable[list[Check]]] | None = None,
    ) -> None:
        self._engine = engine
        self._store = engine.store
        self._works = works
        self._patient = patient
        self._problems = problems
        self._jobs: dict[str, Job] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._drifts: dict[str, tuple[Drift, asyncio.Task[None]]] = {}
        self._names: dict[str, tuple[NamesCheck, asyncio.Task[None]]] = {}
        self._repairs: set[str] = set()
        self._stopping = False
        people = People(engine)
        self._table: dict[str, Callable[..., Awaitable[Any]]] = {
            "retry": self.retry,
            "discard": self.discard,
            "decide": people.decide,
            "undo": people.undo,
            "share": people.share,
            "unlink": people.unlink,
            "reveal": people.reveal,
            "compare": people.compare,
            "check": self.check,
            "backfill": self.backfill,
            "progress": self.progress,
            "drift": self.drift,
            "drift_progress": self.drift_progress,
            "names": self.names,
            "names_progress": self.names_progress,
        }
        self._log = structlog.get_logger("connector.operations.operations").bind()

    async def call(self, name: str, arguments: Mapping[str, Any]) -> Any:
        """Do one operation by name. Raises KeyError for an unknown one, TypeError for unknown arguments."""
        return await self._table[name](**arguments)

    async def resume(self) -> None:
        """Go on with the backfills that an earlier service was doing, and begin the repairs that it could not begin."""
        for source, asked, _since, _until in await self._store.backfills.unfinished():
            if source in self._engine.syncs:
                since, until, *changes = json.loads(asked)
                if changes:
                    self._start(source, self._repair_of(source, since, until))
                else:
                    await self.backfill(source, since, until)
        for source, lost_at in (await self._store.backfills.unrepaired()).items():
            self.repair(source, lost_at)

    async def stop(self) -> None:
        """Stop the backfills, each of which goes on where it was, and the comparisons, which begin anew."""
        self._stopping = True
        tasks = [*self._tasks.values(), *(task for _, task in [*self._drifts.values(), *self._names.values()])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def retry(
        self, ids: list[int] | None = None, state: str = "held", source: str | None = None, reason: str | None = None
    ) -> list[int]:
        """Queue events again: those of `ids`, or all in a state (with `reason` in theirs). Answers the ids that could be."""
        ids = await self._ids(ids, state, source, reason)
        done = await self._store.upkeep.retry(ids, self._engine.clock())
        for event_id in sorted(set(ids) - set(done)):
            if await self._read_again(event_id):
                done.append(event_id)
        self._engine.worker.wake()
        return sorted(done)

    async def discard(self, ids: list[int], by: str) -> list[int]:
        """Give events up for good. Answers the ids that could be."""
        done = await self._store.upkeep.discard(ids, by, self._engine.clock())
        self._engine.worker.wake()
        return done

    async def check(self, fix: bool) -> list[dict[str, Any]]:
        """Ask both sides how they are, after creating what is missing if told to."""
        connections = self._engine.connections
        found = [
            *checks.configuration(self._engine.config),
            *checks.database(self._store.database),
            *await checks.ids(self._store),
        ]
        if self._problems is not None:
            found += await self._problems()
        found += await checks.readable_again(self._engine.syncs, self._store)
        if fix:
            found += await checks.fix(connections)
        answers = await checks.accounts(connections)
        self._engine.account_checks.save(answers)
        return [check.model_dump() for check in [*found, *answers]]

    async def backfill(self, source: str, since: str | None, until: str | None, dry_run: bool = False) -> dict[str, Any]:
        """Start a backfill, or join the same one where it runs already. Raises Refused where that cannot be."""
        if not self._works and not dry_run:
            raise Refused("The running service has no worker.", hint="Restart it without --no-worker.")
        try:
            job: Job = (
                DryRun(self._engine, source, since, until)
                if dry_run
                else Backfill(self._engine, source, since, until, patient=self._patient)
            )
        except ValueError as error:
            raise Refused(str(error)) from None
        running = self._tasks.get(source)
        if running is not None and not running.done():
            if self._jobs[source].asked != job.asked:
                raise Refused(f"Another backfill of {source} is running.", hint="Wait until it has ended.")
            return self._jobs[source].progress.as_dict()
        self._start(source, job)
        return job.progress.as_dict()

    def repair(self, source: str, lost_at: float | None = None) -> None:
        """Read what changed lately at a source that gave up on a delivery; after the backfill that is running, if any.

        `lost_at` is when the source said so, now if not given.
        """
        running = self._tasks.get(source)
        if source not in self._engine.syncs or not self._works:
            return
        if running is not None and not running.done():
            if source not in self._repairs:
                self._repairs.add(source)
                running.add_done_callback(lambda _task: self._repair_now(source, lost_at))
            return
        self._repair_now(source, lost_at)

    def _repair_now(self, source: str, lost_at: float | None) -> None:
        self._repairs.discard(source)
        if not self._stopping:
            now = datetime.now(UTC)
            told = now if lost_at is None else min(now, datetime.fromtimestamp(lost_at, UTC))
            since = (told - REPAIR).isoformat(timespec="seconds")
            self._start(source, self._repair_of(source, since, now.isoformat(timespec="seconds")))

    def _repair_of(self, source: str, since: str, until: str) -> Backfill:
        return Backfill(self._engine, source, since, until, patient=self._patient, changes=True)

    def _start(self, source: str, job: Job) -> None:
        self._jobs[source] = job
        self._tasks[source] = task = asyncio.create_task(job.run())
        task.add_done_callback(lambda ended: self._tell_defect(source, ended))

    def _tell_defect(self, source: str, task: asyncio.Task[None]) -> None:
        """Nobody may be waiting for a repair or a run that was resumed."""
        if not task.cancelled() and (error := task.exception()) is not None:
            name = type(error).__name__
            self._log.error("backfill failed unexpectedly", source=source, error=name, exc_info=bare(error))

    async def progress(self, source: str) -> dict[str, Any]:
        """How far the backfill of a source is. Raises Refused when there is none."""
        job = self._jobs.get(source)
        if job is None:
            raise Refused(f"No backfill of {source} is running.", hint="The service may have been restarted.")
        _check_ended(self._tasks[source], "backfill")
        if job.progress.state in ("walking", "working"):
            await job.refresh()
        return {**job.progress.as_dict(), "quota": self._quota(source)}

    async def drift(self, source: str, sample: int | None = None, fix: bool = False) -> dict[str, Any]:
        """Start to compare the links of a source with both sides, or join who does. Raises Refused where that cannot be."""
        if source not in self._engine.syncs:
            raise Refused(f"No [[sync]] uses the source {source}.", hint="Only linked sources can be compared.")
        if (running := self._drifts.get(source)) is not None and not running[1].done():
            if running[0].asked != (sample, fix):
                raise Refused(f"The links of {source} are being compared already.", hint="Wait until that has ended.")
            return running[0].as_dict()
        if fix and not self._works:
            raise Refused("The running service has no worker.", hint="Restart it without --no-worker.")
        job = Drift(self._engine, source, sample=sample, fix=fix)
        self._drifts[source] = job, asyncio.create_task(job.run())
        return job.as_dict()

    async def drift_progress(self, source: str) -> dict[str, Any]:
        """How far it is and, at its end, what was found. Raises Refused when nothing is being compared."""
        if source not in self._drifts:
            raise Refused(f"The links of {source} are not being compared.", hint="The service may have been restarted.")
        job, task = self._drifts[source]
        _check_ended(task, "comparison")
        return {**job.as_dict(), "quota": self._quota(source)}

    async def names(self, source: str) -> dict[str, Any]:
        """Start to look for customers whose clients' names differ, or join who does. Raises Refused where that cannot be."""
        if source not in self._engine.syncs:
            raise Refused(f"No [[sync]] uses the source {source}.", hint="Only linked sources can be looked through.")
        if (running := self._names.get(source)) is not None and not running[1].done():
            return running[0].as_dict()
        job = NamesCheck(self._engine, source)
        self._names[source] = job, asyncio.create_task(job.run())
        return job.as_dict()

    async def names_progress(self, source: str) -> dict[str, Any]:
        """How far it is and, at its end, what was found. Raises Refused when nothing is being looked through."""
        if source not in self._names:
            raise Refused(f"The links of {source} are not being looked through.", hint="The service may have been restarted.")
        job, task = self._names[source]
        _check_ended(task, "look through the links")
        return {**job.as_dict(), "quota": self._quota(source)}

    def _quota(self, source: str) -> dict[str, float] | None:
        return self._engine.connections.booking[source].remote.quota.usage()

    async def _ids(self, ids: list[int] | None, state: str, source: str | None, reason: str | None) -> list[int]:
        if ids is not None:
            return ids
        events = await self._store.read(views.events, state=state, source=source, reason=reason, limit=MANY)
        return [event["id"] for event in events]

    async def _read_again(self, event_id: int) -> bool:
        """A delivery that could not be read may be readable by now: after an update, or with other field settings."""
        found = await self._store.read(views.held_delivery, event_id)
        if found is None:
            return False
        source, headers, body = found
        adapter = self._engine.connections.booking.get(source)
        if adapter is None:
            return False
        try:
            data = payload.read(headers.get("content-type", ""), body, forms=adapter.accepts_forms)
            reading = adapter.read_delivery(headers, data)
        except Exception as error:  # a delivery that is still unreadable must not keep the others from being read
            self._log.error("adapter failed", source=source, event_id=event_id, error=type(error).__name__)
            return False
        return await self._store.inbox.read_again(event_id, reading)


def _check_ended(task: asyncio.Task[None], what: str) -> None:
    """Raise Refused when a job has failed in a way that nobody foresaw."""
    if task.done() and not task.cancelled() and (error := task.exception()) is not None:
        raise Refused(f"The {what} ended unexpectedly ({type(error).__name__}).", hint="The log has the details.")
