"""Long operations: one of a kind for each source at a time. The same request joins the one that runs; another is refused."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Literal

import structlog

from connector.config.logs import bare
from connector.model.errors import ConnectorError, StoreError

#: The kinds, as the command line asks for their progress.
Kind = Literal["backfill", "drift", "names"]
#: How far they are. A backfill walks and works, a comparison compares and repairs.
State = Literal["walking", "working", "comparing", "repairing", "done", "failed"]
#: What each kind is called in sentences.
TITLES: dict[Kind, str] = {"backfill": "backfill", "drift": "comparison", "names": "check of names"}


class Refused(ConnectorError):
    """The operation makes no sense now; the text says why."""


@dataclass
class Progress:
    """How far an operation is, as whoever follows it is shown."""

    source: str
    state: State
    counts: dict[str, int]
    #: What of the counted is not decided yet.
    open: int = 0
    #: How much of the walk is done, from 0 to 1.
    fraction: float = 0.0
    #: Why nothing moves at the moment, or why it failed, and what to do.
    reason: str = ""
    hint: str = ""

    @property
    def ended(self) -> bool:
        """Whether nothing will change any more."""
        return self.state in ("done", "failed")


class LongOperation(ABC):
    """One run in this process, made for a source and a request."""

    #: Two of a kind never run at once for one source.
    kind: ClassVar[Kind]

    def __init__(self, progress: Progress) -> None:
        self.progress = progress
        self._log = structlog.get_logger(type(self).__module__).bind(source=progress.source)

    @property
    @abstractmethod
    def asked(self) -> Hashable:
        """What was asked for; the same request joins a running operation."""

    async def run(self) -> None:
        """Run to the end; foreseen failures are in the progress. May be cancelled at any time."""
        try:
            await self._work()
        except ConnectorError as error:
            with suppress(StoreError):
                await self.refresh()
            self.progress.state, self.progress.reason, self.progress.hint = "failed", str(error), error.hint
            self._log.error(f"{TITLES[self.kind]} ended early", reason=str(error), hint=error.hint)
        else:
            self.progress.state = "done"
            self._log.info(f"{TITLES[self.kind]} done", **self.progress.counts)

    @abstractmethod
    async def _work(self) -> None:
        """Do it. Raises ConnectorError for what it cannot get over."""

    async def refresh(self) -> None:  # noqa: B027 - most are always up to date
        """Bring the progress up to date, where it is not always so."""

    def as_dict(self) -> dict[str, Any]:
        """The progress as JSON-able data, with what else this kind finds."""
        return asdict(self.progress)


class Runner:
    """Runs them, and keeps the figures of the last one of each kind and source until the process ends."""

    def __init__(self) -> None:
        self._started: dict[tuple[Kind, str], tuple[LongOperation, asyncio.Task[None]]] = {}
        self._waiting: set[tuple[Kind, str]] = set()
        self._stopping = False
        self._log = structlog.get_logger("connector.operations.running").bind()

    def start_or_join(self, source: str, operation: LongOperation) -> dict[str, Any]:
        """Start, or join the same request where it runs; answers the figures. Raises Refused where another one runs."""
        running = self._started.get((operation.kind, source))
        if running is None or running[1].done():
            self._start(source, operation)
            return operation.as_dict()
        if running[0].asked != operation.asked:
            raise Refused(f"Another {TITLES[operation.kind]} of {source} is running.", hint="Wait until it has ended.")
        return running[0].as_dict()

    def start_after(self, kind: Kind, source: str, make: Callable[[], LongOperation]) -> None:
        """Start what `make` makes, at once or when the one that runs has ended; while one waits, a second is not added."""
        running = self._started.get((kind, source))
        if running is None or running[1].done():
            self._start(source, make())
        elif (kind, source) not in self._waiting:
            self._waiting.add((kind, source))
            running[1].add_done_callback(lambda _task: self._start_waiting(kind, source, make))

    async def progress(self, kind: Kind, source: str) -> dict[str, Any]:
        """How far the last one is. Raises Refused when there was none, or when it failed in a way that nobody foresaw."""
        if (kind, source) not in self._started:
            raise Refused(f"No {TITLES[kind]} of {source} is running.", hint="The service may have been restarted.")
        operation, task = self._started[kind, source]
        if not task.done():
            await operation.refresh()
        elif not task.cancelled() and (error := task.exception()) is not None:
            text = f"The {TITLES[kind]} ended unexpectedly ({type(error).__name__})."
            raise Refused(text, hint="The log has the details.")
        return operation.as_dict()

    async def wait(self) -> None:
        """Return when everything that runs has ended, in whatever way."""
        await asyncio.gather(*(task for _, task in self._started.values()), return_exceptions=True)

    async def stop(self) -> None:
        """Cancel everything that runs and start nothing more; what keeps its place in the database can be resumed."""
        self._stopping = True
        await self.cancel()

    async def cancel(self) -> None:
        """Cancel everything that runs; it may be started again."""
        for _, task in self._started.values():
            task.cancel()
        await self.wait()

    def is_running(self, kind: Kind, source: str) -> bool:
        """Whether one of this kind runs for this source."""
        running = self._started.get((kind, source))
        return running is not None and not running[1].done()

    def _start(self, source: str, operation: LongOperation) -> None:
        task = asyncio.create_task(operation.run())
        self._started[operation.kind, source] = operation, task
        task.add_done_callback(lambda ended: self._log_defect(operation.kind, source, ended))

    def _start_waiting(self, kind: Kind, source: str, make: Callable[[], LongOperation]) -> None:
        self._waiting.discard((kind, source))
        if not self._stopping:
            self._start(source, make())

    def _log_defect(self, kind: Kind, source: str, task: asyncio.Task[None]) -> None:
        """Nobody may be waiting for an operation that was resumed or that started by itself."""
        if not task.cancelled() and (error := task.exception()) is not None:
            name = type(error).__name__
            self._log.error(f"{TITLES[kind]} failed unexpectedly", source=source, error=name, exc_info=bare(error))
