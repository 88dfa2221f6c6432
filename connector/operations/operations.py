"""What the command line can have done to the live database: by the running service, or by itself when none runs.

Arguments and results are JSON-able, because they may travel between two processes.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

from connector.model.backfills import Mode, Request
from connector.model.capabilities import BookingCapability
from connector.model.problems import Check
from connector.operations import checks
from connector.operations.backfill import Backfill
from connector.operations.drift.names import NamesCheck
from connector.operations.drift.run import Drift
from connector.operations.dry_run.run import DryRun
from connector.operations.engine import Engine
from connector.operations.people import People
from connector.operations.running import Kind, LongOperation, Refused, Runner
from connector.remote import payload
from connector.store import lists, views

#: Events that one command can act on at most.
MANY = 100_000
#: How far back a repair looks: longer than any sender is known to go on trying.
REPAIR = timedelta(days=7)


#: What the command line may ask for by name; everything else of `Operations` belongs to the process that has it.
OPERATIONS = frozenset(
    {
        *("retry", "discard", "check"),
        *("decide", "undo", "share", "unlink", "reveal", "compare"),
        *("backfill", "drift", "names", "progress"),
    }
)


class Operations(People):
    """One method per operation; those named in `OPERATIONS` may be called by another process, with JSON-able arguments.

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
        super().__init__(engine)
        self._works = works
        self._patient = patient
        self._problems = problems
        self.runner = Runner()
        engine.taking_part.on_replaced.append(self.runner.cancel)

    async def call(self, name: str, arguments: Mapping[str, Any]) -> Any:
        """Do one operation by name. Raises KeyError for an unknown one, TypeError for unknown arguments."""
        if name not in OPERATIONS:
            raise KeyError(name)
        return await getattr(self, name)(**arguments)

    async def resume(self) -> None:
        """Go on with the backfills that an earlier service was doing, and begin the repairs that it could not begin.

        Where several processes work, the one that leads does so whenever another one has ended.
        """
        for source, asked in await self._store.backfills.unfinished():
            if source in self._engine.syncs and not await self._is_running("backfill", source):
                self.runner.start_or_join(source, self._backfill(source, asked))
        for source, lost_at in (await self._store.backfills.unrepaired()).items():
            if not await self._is_running("backfill", source):
                self.repair(source, lost_at)

    async def _is_running(self, kind: Kind, source: str) -> bool:
        if self.runner.is_running(kind, source):
            return True
        return self._store.database.shared and await self._store.locks.are_held([f"{kind} {source}"])

    async def stop(self) -> None:
        """Stop the backfills, each of which goes on where it was, and the comparisons, which begin again."""
        await self.runner.stop()

    async def retry(
        self,
        ids: list[int] | None = None,
        state: str = "held",
        source: str | None = None,
        reason: str | None = None,
        client_id: str | None = None,
        customer_id: str | None = None,
        since: float | None = None,
        until: float | None = None,
    ) -> list[int]:
        """Queue events again: those of `ids`, or all in a state that the rest does not leave out. Answers which could be.

        `reason` is a part of theirs; `since` and `until` are Unix time, of when they were received.
        """
        if ids is None:
            ids = await self._ids(lists.Wanted(state, source, client_id, customer_id, reason, since, until))
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
        """Ask both sides how they are, after creating what is missing if `fix`."""
        connections = self._engine.connections
        found = [
            *checks.configuration(self._engine.config),
            *checks.database(self._store.database),
            *checks.modes(self._engine.config.database.path),
            *checks.disk(self._engine.config.database),
            *await checks.restored(self._store, self._engine.syncs),
            *await checks.renamed(self._store, self._engine.syncs),
            *await checks.clock(self._store, self._engine.clock()),
            *checks.backup(self._engine.config.database, self._engine.clock()),
            *await checks.ids(self._store),
            *await checks.processes(self._store),
            *await checks.long_held(self._store, self._engine.config.worker.held_warning_days, self._engine.clock()),
        ]
        if self._problems is not None:
            found += await self._problems()
        found += await checks.readable_again(self._engine.syncs, self._store)
        if fix:
            found += await checks.fix(connections)
        answers = await checks.accounts(connections)
        self._engine.account_checks.save(answers)
        refused = checks.refused_actions(connections)
        return [check.as_dict() for check in [*found, *answers, *refused]]

    async def backfill(self, source: str, since: str | None, until: str | None, dry_run: bool = False) -> dict[str, Any]:
        """Start a backfill, or join the same one where it runs already. Raises Refused where that cannot be."""
        asked = Request(since, until, Mode.DRY_RUN if dry_run else Mode.BOOKINGS)
        if not dry_run:
            self._need_worker()
        try:
            operation: LongOperation = DryRun(self._engine, source, asked) if dry_run else self._backfill(source, asked)
        except ValueError as error:
            raise Refused(str(error)) from None
        return self.runner.start_or_join(source, operation)

    def repair(self, source: str, lost_at: float | None = None) -> None:
        """Read what changed lately at a source that gave up on a delivery; after the backfill that is running, if any.

        `lost_at` is when the source said so, now if not given.
        """
        if source in self._engine.syncs and self._works:
            self.runner.start_after("backfill", source, lambda: self._repair_now(source, lost_at))

    def _repair_now(self, source: str, lost_at: float | None) -> Backfill:
        now = datetime.now(UTC)
        lost = now if lost_at is None else min(now, datetime.fromtimestamp(lost_at, UTC))
        since = (lost - REPAIR).isoformat(timespec="seconds")
        return self._backfill(source, Request(since, now.isoformat(timespec="seconds"), Mode.CHANGES))

    def _backfill(self, source: str, asked: Request) -> Backfill:
        return Backfill(self._engine, source, asked, patient=self._patient)

    async def drift(self, source: str, sample: int | None = None, fix: bool = False) -> dict[str, Any]:
        """Start to compare the links of a source with both sides, or join who does. Raises Refused where that cannot be."""
        self._need_sync(source)
        if fix:
            self._need_worker()
        return self.runner.start_or_join(source, Drift(self._engine, source, sample=sample, fix=fix))

    async def names(self, source: str) -> dict[str, Any]:
        """Start to look for customers whose clients' names differ, or join who does. Raises Refused where that cannot be."""
        self._need_sync(source)
        return self.runner.start_or_join(source, NamesCheck(self._engine, source))

    async def progress(self, kind: Kind, source: str) -> dict[str, Any]:
        """How far an operation of this kind is and, at its end, what it found. Raises Refused when there was none."""
        found = await self.runner.progress(kind, source)
        return {**found, "quota": self._engine.connections.booking[source].remote.quota.usage()}

    def _need_worker(self) -> None:
        if not self._works:
            raise Refused("The running service has no worker.", hint="Restart it without --no-worker.")

    def _need_sync(self, source: str) -> None:
        if source not in self._engine.syncs:
            raise Refused(f"No [[sync]] uses the source {source}.", hint="Only linked sources can be compared.")

    async def _ids(self, wanted: lists.Wanted) -> list[int]:
        """The ids of the events that a list would show, at most `MANY`."""
        return await self._store.read(lambda connection: [id_ for id_, _ in islice(lists.events(connection, wanted), MANY)])

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
            data = payload.read(headers.get("content-type", ""), body, forms=adapter.can(BookingCapability.FORMS))
            reading = adapter.read_delivery(headers, data)
        except Exception as error:  # a delivery that is still unreadable must not keep the others from being read
            self._log.error("adapter failed", source=source, event_id=event_id, error=type(error).__name__)
            return False
        return await self._store.inbox.read_again(event_id, reading)
