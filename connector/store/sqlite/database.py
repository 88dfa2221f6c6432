"""One file, one writer thread, one read-write connection; everything else reads through `mode=ro` connections.

The writer commits at `synchronous=FULL`. It also does all checkpoints, which keeps us outside the conditions of SQLite's
WAL-reset bug (3.7.0 to 3.51.2).
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any, TypeVar

from connector.model.errors import ConnectorError, Overloaded, StoreError
from connector.store.connection import Connection
from connector.store.database import Database, Operation, Waiting
from connector.store.key import Key, fingerprint_of, load_key
from connector.store.lock import lock
from connector.store.sqlite.explained import explained
from connector.store.sqlite.identity import OpenedFiles, open_itself
from connector.store.sqlite.pruning import blank
from connector.store.sqlite.restored import restored
from connector.store.sqlite.schema import migrate, refuse_another_programs
from connector.store.unfinished import refuse_unfinished

T = TypeVar("T")

#: Refuse new deliveries when less than this is free on the disk (or two per cent of a small disk).
SPARE_BYTES = 32 * 1024 * 1024
_BUSY_SECONDS = 5.0
#: Bytes that the WAL keeps at most once it was taken over; it needs more only while somebody reads for long.
_WAL_BYTES = 16 * 1024 * 1024
#: Where SQLite makes temporary files, besides the folders that two variables name.
_TEMPORARY = ("/var/tmp", "/usr/tmp", "/tmp", ".")  # noqa: S108 - they are only asked about
#: SQLite's result codes for a file whose content is wrong.
_DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


class SqliteDatabase(Database):
    """The open file. Create it with `open`."""

    def __init__(self, path: Path, lock_file: int, itself: int, new: bool) -> None:
        super().__init__(lock_file)
        self.path, self.name = path, path.name
        self.new = new
        self._itself = itself
        self._space_checked = 0.0
        self._space_left = True
        self._connection, self._key = connect(path)
        self.restored = restored(self._connection, time.time())
        self._truncate = False
        self._files = OpenedFiles(path)
        self._fault: tuple[str, str] | None = None
        self._durable = True
        self._read_connections: list[sqlite3.Connection] = []
        self._thread.start()

    @classmethod
    def open(cls, path: Path) -> SqliteDatabase:
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

    async def empty_wal(self) -> None:
        """Take the WAL over and cut it to nothing, so that what was deleted is in neither file; later, if somebody reads."""

        def mark(_connection: Connection) -> None:
            self._truncate = True

        await self.write(mark)

    def refuses(self) -> Overloaded | None:
        """Whether the disk is nearly full."""
        if self.has_space():
            return None
        return Overloaded("The disk is nearly full.", hint=f"Free space on the disk that holds {self.name}.")

    def ended(self, connection: Connection) -> list[str]:
        """Every process but this one: the lock file says so."""
        rows = connection.execute("SELECT DISTINCT boot FROM lanes WHERE boot IS NOT NULL AND boot <> ?", (self.boot,))
        return [row[0] for row in rows]

    def blank(self, connection: Connection, table: str, key: str, ids: Sequence[int], columns: Sequence[str]) -> None:
        """See `connector.store.sqlite.pruning`."""
        blank(connection, table, key, ids, columns)

    def _let_go(self) -> None:
        # Only the last connection checkpoints and removes the WAL when it closes, and a reader may not.
        for connection in (*self._read_connections, self._connection):
            connection.close()
        os.close(self._itself)

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

    def _transaction(self, batch: list[Waiting]) -> list[Any]:
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
        self._cut_wal()
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

    def _savepoint(self, connection: Connection, operation: Operation) -> Any:
        connection.execute("SAVEPOINT one")
        try:
            result = operation(connection)
        except Exception as error:
            if not self._connection.in_transaction:
                raise  # SQLite gave up the whole transaction: nobody's work is kept
            connection.execute("ROLLBACK TO one")
            result = self._explained(error)
        connection.execute("RELEASE one")
        return result

    # The reader threads.

    def _read(self, query: Callable[[Connection], T], budget: float) -> T:
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
        keep_in_memory(connection)
    except sqlite3.Error as error:
        connection.close()
        raise explained(error, path) from error
    connection.row_factory = sqlite3.Row
    return connection


def connect(path: Path) -> tuple[sqlite3.Connection, Key]:
    """The writer's connection, with the tables of this version, and the secret beside the file. Raises StoreError."""
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


def set_up(connection: sqlite3.Connection) -> None:
    """Set what the file's writer needs; nothing is made."""
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA cache_size = -2000")
    keep_in_memory(connection)
    # Pages: 4 MB, which is SQLite's default. With four times as many nothing is cheaper, and who waits for the commit behind
    # which they are taken over waits 20 ms longer.
    connection.execute("PRAGMA wal_autocheckpoint = 1000")
    connection.execute(f"PRAGMA journal_size_limit = {_WAL_BYTES}")
    # What is deleted is overwritten, in the file and not only in its tables.
    connection.execute("PRAGMA secure_delete = ON")


def keep_in_memory(connection: sqlite3.Connection) -> None:
    """Where no folder takes temporary files, as in a container whose root is read-only, keep in memory what SQLite puts there.

    A statement that changes some thousand rows would fail otherwise, such as the one that wakes all that waited for an account.
    """
    folders = (os.environ.get("SQLITE_TMPDIR"), os.environ.get("TMPDIR"), *_TEMPORARY)
    if not any(Path(folder).is_dir() and os.access(folder, os.W_OK | os.X_OK) for folder in folders if folder):
        connection.execute("PRAGMA temp_store = MEMORY")


def _prepare(connection: sqlite3.Connection, path: Path) -> Key:
    refuse_another_programs(connection, path.name)
    set_up(connection)
    if (fingerprint := fingerprint_of(connection)) is not None:
        # SQLite opens a file that is read-only without a word; better refused now than at the first delivery.
        connection.execute("DELETE FROM installation WHERE 0")
        refuse_unfinished(connection, path.name)
    key = load_key(path, fingerprint)
    migrate(connection, key.keyed)
    connection.execute("INSERT INTO installation VALUES ('key', ?) ON CONFLICT DO NOTHING", (key.fingerprint,))
    return key


def _roll_back(connection: sqlite3.Connection) -> None:
    if connection.in_transaction:
        connection.execute("ROLLBACK")
