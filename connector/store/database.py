"""What every database of ours offers: one writer that shares its commits, and readers beside it.

The writer, a thread of its own, collects whatever is waiting, runs it in one transaction and answers everybody after the one
COMMIT. While that waits for the disk the next batch gathers, so commits are shared without a timer
(docs/adr/0002-one-writer.md).
"""

from __future__ import annotations

import asyncio
import queue
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar
from uuid import uuid4

import structlog

from connector.model.errors import Overloaded, StoreError
from connector.store.connection import Connection
from connector.store.key import Key
from connector.store.lock import announce, give_up
from connector.store.sealing import seal, unseal

T = TypeVar("T")
Operation = Callable[[Connection], Any]

#: Operations that may wait for the writer; one more is refused.
WAITING_ROOM = 5_000
#: Operations that share one commit at most.
LARGEST_BATCH = 500
#: Seconds between two looks at the database while nothing is written.
LOOK_SECONDS = 1.0
#: Seconds that operations are collected at most before the writer gets them.
COLLECT_SECONDS = 0.02


class Batched:
    """Operations of one kind that the writer runs together: `run` gets all of them and answers each."""

    def __init__(self, run: Callable[[Connection, list[Any]], list[Any]]) -> None:
        self.run = run


class Waiting:
    """An operation (or an item of a batched one) that waits for its commit, and who waits for it."""

    __slots__ = ("durable", "future", "item", "work")

    def __init__(self, work: Operation | Batched, item: Any, future: asyncio.Future[Any], durable: bool) -> None:
        self.work = work
        self.item = item
        self.future = future
        self.durable = durable


class Database(ABC):
    """The open database. `write`, `batch` and `read` are coroutines of the event loop that opened it."""

    #: What people call it: the name of the file, or of the database on its server.
    name: str
    #: Whether this process made the database: right at a first start, and otherwise the sign of lost data.
    new: bool
    #: (when it was put in place, when it was made) of the backup that this database once was; Unix time.
    restored: tuple[float, float] | None

    #: Whether several processes may work on it at once.
    shared = False
    #: Called, in any thread, when a process has made a lane due.
    on_due: Callable[[], None]
    #: Called, in any thread, with what a process has notified; with "" where something may have been missed.
    on_notice: Callable[[str], None]

    #: Under which identity keys are stored.
    _key: Key

    def __init__(self, lock_file: int | None) -> None:
        self.boot = uuid4().hex
        self.on_due = lambda: None
        self.on_notice = lambda _text: None
        self._lock_file = lock_file
        self._log = structlog.get_logger("connector.store.database").bind()
        self._loop = asyncio.get_running_loop()
        self._queue: queue.SimpleQueue[list[Waiting] | None] = queue.SimpleQueue()
        self._waiting = 0
        self._collected: list[Waiting] = []
        self._closed = False
        self._readers = ThreadPoolExecutor(2, thread_name_prefix="connector-reader")
        self._reader = threading.local()
        self._thread = threading.Thread(target=self._run, name="connector-writer", daemon=True)

    # What differs.

    @abstractmethod
    async def empty_wal(self) -> None:
        """Where the database keeps what was deleted in a file beside it: empty that file."""

    @abstractmethod
    def sizes(self) -> dict[str, int]:
        """Bytes of the database, of its WAL, and what is free on their disk; what cannot be known is left out."""

    @abstractmethod
    def refuses(self) -> Overloaded | None:
        """Why no delivery can be stored now, as far as is known without trying."""

    @abstractmethod
    def ended(self, connection: Connection) -> list[str]:
        """Within a write: the boot ids of the processes that claim lanes and have ended."""

    @abstractmethod
    def blank(self, connection: Connection, table: str, key: str, ids: Sequence[int], columns: Sequence[str]) -> None:
        """Within a write: set columns to NULL in the rows where `key` is among `ids`, and give the space back."""

    @abstractmethod
    def _transaction(self, batch: list[Waiting]) -> list[Any]:
        """Run a batch in one transaction: one result or exception for each, none a success unless the commit was."""

    @abstractmethod
    def _read(self, query: Callable[[Connection], T], budget: float) -> T:
        """Run a query in a reader's thread, for at most `budget` seconds."""

    @abstractmethod
    def _explained(self, error: BaseException) -> BaseException:
        """The error in our words."""

    @abstractmethod
    def _savepoint(self, connection: Connection, operation: Operation) -> Any:
        """Run one operation of several; its error is returned, and what it had done is undone."""

    @abstractmethod
    def _look(self) -> object:
        """In the writer's thread, before and after it writes, and about once a second: is all as it was?"""

    @abstractmethod
    def _let_go(self) -> None:
        """Close what is open beside the lock file; no thread uses it any more."""

    # What one process alone needs not.

    def now(self) -> float:
        """Unix time, the same for all processes that work on this database."""
        return time.time()

    def check_lease(self) -> None:  # noqa: B027 - nothing to do is right where there is one process
        """Raise StoreError unless what this process has claimed is certainly its own. Asked before every remote call."""

    def notify(self, text: str) -> None:  # noqa: B027 - as above
        """Let all processes know a text, this one too; at once, whoever writes, or when the server is there again."""

    def takes_part(self, connection: Connection) -> bool:  # noqa: ARG002 - a file belongs to one process
        """Within a write: whether this process may claim lanes, or others have already taken over from it."""
        return True

    def has_ended(self, connection: Connection) -> bool:  # noqa: ARG002 - as above
        """Within a read: whether `ended` would find anything."""
        return False

    @property
    def replaced(self) -> bool:
        """Whether others have taken over what this process was doing: it has to let go of it, and `begin_again`."""
        return False

    async def begin_again(self) -> None:  # noqa: B027 - as above
        """Go on as if this process had just started."""

    # What does not differ.

    def announce(self, details: dict[str, Any]) -> None:
        """Tell the command line on this machine how to reach this process, unless another process here has done so."""
        if self._lock_file is not None:
            announce(self._lock_file, details)

    def keyed(self, key: str) -> str:
        """The form in which an identity key (or a person's) is stored; see `connector.store.key`."""
        return self._key.keyed(key)

    def seal(self, text: str, name: str) -> str:
        """A secret as it may be stored; see `connector.store.sealing`."""
        return seal(self._key.secret, text, name)

    def unseal(self, sealed: str, name: str) -> str:
        """The secret again. Raises StoreError."""
        return unseal(self._key.secret, sealed, name)

    async def write(self, operation: Callable[[Connection], T], *, durable: bool = True) -> T:
        """Run `operation` in the writer's next transaction; returns after the commit. Its errors reach only this caller.

        What is not `durable` survives the end of the process but perhaps not a power cut: right for what a restart may
        forget without harm. The next durable commit takes it along.
        """
        return await self._submit(operation, None, durable)  # type: ignore[no-any-return]

    async def batch(self, batched: Batched, item: Any) -> Any:
        """Like `write`, for many small equal operations; refused when too many wait or there is no room now."""
        if self._waiting >= WAITING_ROOM:
            raise Overloaded("Too many deliveries are waiting to be stored.")
        if (refusal := self.refuses()) is not None:
            raise refusal
        return await self._submit(batched, item, True)

    async def read(self, query: Callable[[Connection], T], *, budget: float = 10.0) -> T:
        """Run `query` on a read-only connection; it is interrupted after `budget` seconds so that no snapshot is held."""
        self._check_open()
        return await self._loop.run_in_executor(self._readers, self._read, query, budget)

    async def close(self) -> None:
        """Finish what is waiting, close, and give up the lock. Whatever is asked afterwards is refused."""
        if self._closed:
            return
        self._closed = True
        self._give_to_writer()
        self._queue.put(None)
        await asyncio.to_thread(self._thread.join)
        await asyncio.to_thread(self._readers.shutdown)
        await asyncio.to_thread(self._let_go)
        if self._lock_file is not None:
            give_up(self._lock_file)

    def _check_open(self) -> None:
        if self._closed:
            raise StoreError(f"The database {self.name} is closed.", hint="The service is stopping; start it again.")

    def _submit(self, work: Operation | Batched, item: Any, durable: bool) -> asyncio.Future[Any]:
        self._check_open()
        future: asyncio.Future[Any] = self._loop.create_future()
        self._waiting += 1
        self._collected.append(Waiting(work, item, future, durable))
        if len(self._collected) == 1:
            self._loop.call_soon(self._hand_over, 0, self._loop.time() + COLLECT_SECONDS)
        return future

    def _hand_over(self, seen: int, until: float) -> None:
        """Give the writer what was collected, once a turn of the event loop has brought nothing new.

        A writer that is woken by the first of many would wait for the interpreter until the loop is idle, and every release
        of the interpreter's lock meanwhile would wake it for nothing (docs/benchmarks.md, Receiving).
        """
        if (number := len(self._collected)) > seen and self._loop.time() < until:
            self._loop.call_soon(self._hand_over, number, until)
            return
        self._give_to_writer()

    def _give_to_writer(self) -> None:
        # As one item: the writer would be woken by the first of many, and run it alone.
        collected, self._collected = self._collected, []
        self._queue.put(collected)

    # The writer thread.

    def _run(self) -> None:
        stopping = False
        while not stopping:
            try:
                first = self._queue.get(timeout=LOOK_SECONDS)
            except queue.Empty:
                self._look()
                continue
            gathered, stopping = self._gather(first)
            for start in range(0, len(gathered), LARGEST_BATCH):
                batch = gathered[start : start + LARGEST_BATCH]
                self._answer(batch, self._transaction(batch))

    def _gather(self, collected: list[Waiting] | None) -> tuple[list[Waiting], bool]:
        """What waits now, and whether the writer is to stop after that."""
        gathered: list[Waiting] = []
        while collected is not None:
            gathered += collected
            try:
                collected = self._queue.get_nowait()
            except queue.Empty:
                return gathered, False
        return gathered, True

    def _run_all(self, connection: Connection, batch: list[Waiting]) -> list[Any]:
        results: list[Any] = [None] * len(batch)
        together: dict[Batched, list[int]] = {}
        for index, waiting in enumerate(batch):
            if isinstance(waiting.work, Batched):
                together.setdefault(waiting.work, []).append(index)
        for work, indexes in together.items():
            answers = work.run(connection, [batch[i].item for i in indexes])
            for index, answer in zip(indexes, answers, strict=True):
                results[index] = answer
        for index, waiting in enumerate(batch):
            if not isinstance(waiting.work, Batched):
                # Alone in its transaction, an operation needs no savepoint to spare the others.
                alone = len(batch) == 1
                results[index] = waiting.work(connection) if alone else self._savepoint(connection, waiting.work)
        return results

    def _answer(self, batch: list[Waiting], results: list[Any]) -> None:
        def resolve() -> None:
            self._waiting -= len(batch)
            for waiting, result in zip(batch, results, strict=True):
                if waiting.future.done():
                    continue
                if isinstance(result, BaseException):
                    waiting.future.set_exception(result)
                else:
                    waiting.future.set_result(result)

        # A closed loop has nobody left who waits.
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(resolve)
