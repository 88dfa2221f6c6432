"""One file, one writer thread, one read-write connection; everything else reads through `mode=ro` connections.

The writer collects whatever is waiting, runs it in one transaction and answers everybody after the one COMMIT at
`synchronous=FULL`. While it waits for the disk the next batch gathers, so commits are shared without a timer
(docs/adr/0002-one-writer.md). It also does all checkpoints, which keeps us outside the conditions of SQLite's
WAL-reset bug (3.7.0 to 3.51.2).
"""

from __future__ import annotations

import asyncio
import json
import os
import queue
import sqlite3
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4

import structlog

from connector.model.errors import ConnectorError, Overloaded, StoreError
from connector.store.sqlite.explained import explained
from connector.store.sqlite.identity import OpenedFiles, open_itself
from connector.store.sqlite.key import Key, fingerprint_of, load_key
from connector.store.sqlite.lock import lock
from connector.store.sqlite.restored import restored
from connector.store.sqlite.schema import migrate

T = TypeVar("T")
Operation = Callable[[sqlite3.Connection], Any]

#: Operations that may wait for the writer; one more is refused.
WAITING_ROOM = 5_000
#: Operations that share one commit at most.
LARGEST_BATCH = 500
#: Refuse new deliveries when less than this is free on the disk (or two per cent of a small disk).
SPARE_BYTES = 32 * 1024 * 1024
_BUSY_SECONDS = 5.0
#: Seconds between two looks at the files while nothing is written.
_LOOK_SECONDS = 1.0
#: Bytes that the WAL keeps at most once it was taken over; it needs more only while somebody reads for long.
_WAL_BYTES = 16 * 1024 * 1024
#: SQLite's result codes for a file whose content is wrong.
_DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


class Batched:
    """Operations of one kind that the writer runs together: `run` gets all of them and answers each."""

    def __init__(self, run: Callable[[sqlite3.Connection, list[Any]], list[Any]]) -> None:
        self.run = run


class _Waiting:
    __slots__ = ("durable", "future", "item", "work")

    def __init__(self, work: Operation | Batched, item: Any, future: asyncio.Future[Any], durable: bool) -> None:
        self.work = work
        self.item = item
        self.future = future
        self.durable = durable


class Database:
    """The open file. Create it with `open`; `write`, `batch` and `read` are coroutines of the event loop that opened it."""

    def __init__(self, path: Path, lock_file: int, itself: int, new: bool) -> None:
        self.path = path
        #: Whether this process made the database: right at a first start, and otherwise the sign of a lost disk.
        self.new = new
        self.boot = uuid4().hex
        self._lock_file, self._itself = lock_file, itself
        self._loop = asyncio.get_running_loop()
        self._queue: queue.SimpleQueue[_Waiting | None] = queue.SimpleQueue()
        self._waiting = 0
        self._closed = False
        self._space_checked = 0.0
        self._space_left = True
        self._connection, self._key = _connect(path)
        #: (when it was put in place, when it was made) of the backup that this database once was; Unix time.
        self.restored = restored(self._connection, time.time())
        self._truncate = False
        self._files = OpenedFiles(path)
        self._fault: tuple[str, str] | None = None
        self._log = structlog.get_logger("connector.store.database").bind()
        self._durable = True
        self._readers = ThreadPoolExecutor(2, thread_name_prefix="connector-reader")
        self._reader = threading.local()
        self._read_connections: list[sqlite3.Connection] = []
        self._thread = threading.Thread(target=self._run, name="connector-writer", daemon=True)
        self._thread.start()

    @classmethod
    def open(cls, path: Path) -> Database:
        """Lock, create or migrate, and start the writer.

        Raises:
            StoreError: in use, under a second name, not a database, of a newer version, not writable, or the disk is full.
        """
        with ExitStack() as undo:
            lock_file = lock(path)
            undo.callback(os.close, lock_file)
            itself, new = open_itself(path)
            undo.callback(os.close, itself)
            opened = cls(path, lock_file, itself, new)
            undo.pop_all()
        return opened

    def announce(self, details: dict[str, Any]) -> None:
        """Tell the command line how to reach this process; the lock file is readable by its owner only."""
        os.ftruncate(self._lock_file, 0)
        os.pwrite(self._lock_file, json.dumps(details).encode(), 0)

    def keyed(self, key: str) -> str:
        """The form in which an identity key (or a person's) is stored; see `connector.store.sqlite.key`."""
        return self._key.keyed(key)

    async def empty_wal(self) -> None:
        """Take the WAL over and cut it to nothing, so that what was deleted is in neither file; later, if somebody reads."""

        def mark(_connection: sqlite3.Connection) -> None:
            self._truncate = True

        await self.write(mark)

    async def write(self, operation: Callable[[sqlite3.Connection], T], *, durable: bool = True) -> T:
        """Run `operation` in the writer's next transaction; returns after the commit. Its errors reach only this caller.

        What is not `durable` survives the end of the process but perhaps not a power cut: right for what a restart may
        forget without harm. The next durable commit takes it along.
        """
        return await self._submit(operation, None, durable)  # type: ignore[no-any-return]

    async def batch(self, batched: Batched, item: Any) -> Any:
        """Like `write`, for many small equal operations; refused when too many wait or the disk is nearly full."""
        if self._waiting >= WAITING_ROOM:
            raise Overloaded("Too many deliveries are waiting to be stored.")
        if not self.has_space():
            raise Overloaded("The disk is nearly full.", hint=f"Free space on the disk that holds {self.path.name}.")
        return await self._submit(batched, item, True)

    async def read(self, query: Callable[[sqlite3.Connection], T], *, budget: float = 10.0) -> T:
        """Run `query` on a read-only connection; it is interrupted after `budget` seconds so that no snapshot is held."""
        self._check_open()
        return await self._loop.run_in_executor(self._readers, self._read, query, budget)

    async def close(self) -> None:
        """Finish what is waiting, checkpoint, close and give up the lock. Whatever is asked afterwards is refused."""
        if self._closed:
            return
        self._closed = True
        self._queue.put(None)
        await asyncio.to_thread(self._thread.join)
        await asyncio.to_thread(self._readers.shutdown)
        # Only the last connection checkpoints and removes the WAL when it closes, and a reader may not.
        for connection in (*self._read_connections, self._connection):
            connection.close()
        os.close(self._itself)
        os.ftruncate(self._lock_file, 0)
        os.close(self._lock_file)

    def _check_open(self) -> None:
        if self._closed:
            raise StoreError(f"The database {self.path.name} is closed.", hint="The service is stopping; start it again.")

    async def _submit(self, work: Operation | Batched, item: Any, durable: bool) -> Any:
        self._check_open()
        future: asyncio.Future[Any] = self._loop.create_future()
        self._waiting += 1
        self._queue.put(_Waiting(work, item, future, durable))
        return await future

    def sizes(self) -> dict[str, int]:
        """Bytes of the database and of its WAL (0 for a file that is not there), and what is free on their disk."""
        real, free = Path(os.path.realpath(self.path)), 0
        with suppress(OSError):
            disk = os.statvfs(self.path.parent)
            free = disk.f_bavail * disk.f_frsize
        return {"bytes": _size(real), "wal_bytes": _size(real.with_name(real.name + "-wal")), "free_bytes": free}

    def has_space(self) -> bool:
        """Whether the disk has room for more deliveries; looked up once a second."""
        now = time.monotonic()
        if now - self._space_checked > 1.0:
            disk = os.statvfs(self.path.parent)
            spare = min(SPARE_BYTES, disk.f_blocks * disk.f_frsize // 50)
            self._space_left = disk.f_bavail * disk.f_frsize > spare
            self._space_checked = now
        return self._space_left

    # The writer thread.

    def _run(self) -> None:
        stopping = False
        while not stopping:
            batch: list[_Waiting] = []
            try:
                waiting = self._queue.get(timeout=_LOOK_SECONDS)
            except queue.Empty:
                self._look()
                continue
            while True:
                if waiting is None:
                    stopping = True
                    break
                batch.append(waiting)
                if len(batch) >= LARGEST_BATCH:
                    break
                try:
                    waiting = self._queue.get_nowait()
                except queue.Empty:
                    break
            if batch:
                results = self._transaction(batch)
                self._cut_wal()
                self._answer(batch, results)

    def _transaction(self, batch: list[_Waiting]) -> list[Any]:
        """One result or exception for each; none is a success unless the commit was, into the file that is seen there."""
        connection = self._connection
        if (fault := self._look()) is not None:
            return [fault] * len(batch)
        try:
            self._synchronise(any(waiting.durable for waiting in batch))
            connection.execute("BEGIN IMMEDIATE")
            results = self._run_all(connection, batch)
            connection.execute("COMMIT")
        except BaseException as error:
            _roll_back(connection)
            return [self._explained(error)] * len(batch)
        return results if (fault := self._look()) is None else [fault] * len(batch)

    def _cut_wal(self) -> None:
        if not self._truncate:
            return
        self._truncate = False
        # A reader in the way must not make everybody else wait; the next time will do.
        self._connection.execute("PRAGMA busy_timeout = 0")
        with suppress(sqlite3.Error):
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        self._connection.execute(f"PRAGMA busy_timeout = {int(_BUSY_SECONDS * 1000)}")

    def _look(self) -> StoreError | None:
        """Why nothing may be written any more, until a restart: files that are not those we opened, or damage."""
        if self._fault is None and (changed := self._files.changed()) is not None:
            self._stop_writing(changed)
        # A new one each time: an exception that is raised again and again collects tracebacks.
        return None if self._fault is None else StoreError(self._fault[0], hint=self._fault[1])

    def _stop_writing(self, fault: StoreError) -> None:
        if self._fault is None:
            self._fault = str(fault), fault.hint
            self._log.error("the database cannot be used until a restart", reason=str(fault), hint=fault.hint)

    def _explained(self, error: BaseException) -> ConnectorError | BaseException:
        """The error in our words. Damage is never seen for nothing: writing on would make it worse."""
        known = explained(error, self.path)
        if isinstance(known, StoreError) and getattr(error, "sqlite_errorcode", 0) & 0xFF in _DAMAGED:
            self._stop_writing(known)
        return known

    def _synchronise(self, durable: bool) -> None:
        """Whether the next commit waits for the disk. Only ever between two transactions."""
        if durable is not self._durable:
            self._connection.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
            self._durable = durable

    def _run_all(self, connection: sqlite3.Connection, batch: list[_Waiting]) -> list[Any]:
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
                results[index] = waiting.work(connection) if len(batch) == 1 else self._run_one(connection, waiting.work)
        return results

    def _run_one(self, connection: sqlite3.Connection, operation: Operation) -> Any:
        connection.execute("SAVEPOINT one")
        try:
            result = operation(connection)
        except Exception as error:
            if not connection.in_transaction:
                raise  # SQLite gave up the whole transaction: nobody's work is kept
            connection.execute("ROLLBACK TO one")
            result = self._explained(error)
        connection.execute("RELEASE one")
        return result

    def _answer(self, batch: list[_Waiting], results: list[Any]) -> None:
        def resolve() -> None:
            self._waiting -= len(batch)
            for waiting, result in zip(batch, results, strict=True):
                if waiting.future.done():
                    continue
                if isinstance(result, BaseException):
                    waiting.future.set_exception(result)
                else:
                    waiting.future.set_result(result)

        # A closed loop has nobody left to be told.
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(resolve)

    # The reader threads.

    def _read(self, query: Callable[[sqlite3.Connection], T], budget: float) -> T:
        connection = getattr(self._reader, "connection", None)
        if connection is None:
            connection = self._reader.connection = connect_read_only(self.path)
            self._read_connections.append(connection)
        deadline = time.monotonic() + budget
        connection.set_progress_handler(lambda: time.monotonic() > deadline, 10_000)
        try:
            return query(connection)
        except sqlite3.Error as error:
            raise self._explained(error) from error
        finally:
            connection.set_progress_handler(None, 0)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def connect_read_only(path: Path) -> sqlite3.Connection:
    """A connection that cannot write or checkpoint. Raises StoreError when there is no database at `path`."""
    uri = f"{path.absolute().as_uri()}?mode=ro"
    try:
        connection = sqlite3.connect(uri, uri=True, timeout=_BUSY_SECONDS, check_same_thread=False)
    except sqlite3.Error as error:
        raise explained(error, path) from error
    try:
        connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchall()
        # Lists are read once: the operating system keeps the file in memory anyway.
        connection.execute("PRAGMA cache_size = -500")
    except sqlite3.Error as error:
        connection.close()
        raise explained(error, path) from error
    connection.row_factory = sqlite3.Row
    return connection


def _connect(path: Path) -> tuple[sqlite3.Connection, Key]:
    try:
        connection = sqlite3.connect(path, isolation_level=None, timeout=_BUSY_SECONDS, check_same_thread=False)
    except sqlite3.Error as error:
        raise explained(error, path) from error
    try:
        key = _prepare(connection, path)
    except BaseException as error:
        connection.close()
        if isinstance(error, sqlite3.Error):
            raise explained(error, path) from error
        raise
    for file in (path, path.with_name(path.name + "-wal"), path.with_name(path.name + "-shm")):
        # A file that belongs to somebody else and was opened to us on purpose stays as it is.
        with suppress(FileNotFoundError, PermissionError):
            file.chmod(0o600)
    connection.row_factory = sqlite3.Row
    return connection, key


def _prepare(connection: sqlite3.Connection, path: Path) -> Key:
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA cache_size = -2000")
    # Pages: 16 MB. Index pages are written again and again under load; a checkpoint takes each over only once.
    connection.execute("PRAGMA wal_autocheckpoint = 4000")
    connection.execute(f"PRAGMA journal_size_limit = {_WAL_BYTES}")
    # What is deleted is overwritten, in the file and not only in its tables.
    connection.execute("PRAGMA secure_delete = ON")
    if (fingerprint := fingerprint_of(connection)) is not None:
        # SQLite opens a file that is read-only without a word; better refused now than at the first delivery.
        connection.execute("DELETE FROM installation WHERE 0")
    key = load_key(path, fingerprint)
    migrate(connection, key.keyed)
    connection.execute("INSERT OR IGNORE INTO installation VALUES ('key', ?)", (key.fingerprint,))
    return key


def _roll_back(connection: sqlite3.Connection) -> None:
    if connection.in_transaction:
        connection.execute("ROLLBACK")
