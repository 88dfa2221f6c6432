"""PostgreSQL behind the store, for any number of connector processes.

Each has one writer that shares its commits, as with SQLite; one lock, held for a transaction, lets one of them write at a time.
What a process has claimed is its own as long as its heartbeat renews its lease (`connector.store.postgres.heartbeat`).

When the writer's session is lost, everything that wants to be written is refused at once, until the server is there again.
Only those whose COMMIT was cut off wait: whether it happened is looked up by the number of the transaction.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import wait as wait_for
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4

import psycopg

from connector.model.errors import Overloaded, StoreError
from connector.store import connection as store
from connector.store.connection import in_portions, marks
from connector.store.database import Database, Operation, Waiting
from connector.store.key import Key, load_key
from connector.store.lock import InUse, lock
from connector.store.postgres import sessions
from connector.store.postgres.dialect import Connection, Row, pipelined
from connector.store.postgres.explained import explained, unreachable
from connector.store.postgres.heartbeat import Heartbeat
from connector.store.postgres.processes import Process, ended, has_ended, join, leave, place_of
from connector.store.postgres.restored import note, restored
from connector.store.postgres.schema import migrate
from connector.store.unfinished import refuse_unfinished

T = TypeVar("T")
#: Seconds between two attempts to get the lost session back.
_PAUSE = 1.0
#: Seconds between two looks at the size of the database.
_SIZE_SECONDS = 60.0
_BEGIN = f"BEGIN; {sessions.LOCK}; SELECT CAST(CAST(pg_current_xact_id() AS text) AS bigint)"


class PostgresDatabase(Database):
    """The database on its server. Create it with `open`."""

    shared = True

    def __init__(
        self,
        url: str,
        lock_file: int | None,
        session: psycopg.Connection[Row],
        history: str,
        key: Key,
        new: bool,
        process: Process,
    ) -> None:
        super().__init__(lock_file)
        self.name = sessions.name_of(url)
        self.new, self.restored = new, None
        self.boot = process.boot
        self._url, self._key, self._process = url, key, process
        self._session: psycopg.Connection[Row] | None = session
        self._session.add_notice_handler(self._noticed)
        self._warned = False
        self._history = history
        self._connecting = ThreadPoolExecutor(1, thread_name_prefix="connector-connect")
        self._attempt: Future[tuple[psycopg.Connection[Row], str]] | None = None
        self._next_attempt = 0.0
        self._size, self._size_looked = 0, 0.0
        self._read_sessions: list[psycopg.Connection[Row]] = []
        self._heartbeat = Heartbeat(url, process.boot, process.lease, self._heard)
        self._thread.start()

    @classmethod
    def open(cls, url: str, beside: Path, *, role: str = "all", lease: float = 10.0) -> PostgresDatabase:
        """Create or migrate the tables, take part as `role`, and start the writer.

        `beside` names the two files that stay on this machine: `<beside>.key`, the secret of the installation, and
        `<beside>.lock`, by which commands on this machine find the service; of several on one machine, the first has it.

        Raises:
            StoreError: it cannot be reached, refuses us, is of a newer version, or the key file is not the right one.
        """
        with ExitStack() as undo:
            lock_file = _lock(beside)
            if lock_file is not None:
                undo.callback(os.close, lock_file)
            session = sessions.first(url)
            undo.callback(session.close)
            place = "" if lock_file is None else place_of(lock_file)
            process = Process(uuid4().hex, role, place, lease)
            try:
                history = sessions.history(session)
                with sessions.turn(session):
                    new = migrate(session)
                    refuse_unfinished(Connection(session), sessions.name_of(url))
                    key = _key(session, beside)
                    before = restored(session, history)
                    join(Connection(session), process)
                opened = cls(url, lock_file, session, history, key, new, process)
                opened.restored = before
            except psycopg.Error as error:
                raise explained(error, sessions.name_of(url)) from error
            undo.pop_all()
        return opened

    def now(self) -> float:
        """Unix time by the server's clock."""
        return self._heartbeat.now()

    def check_lease(self) -> None:
        """Raise StoreError where others may have taken over what this process does."""
        if not self._heartbeat.holds():
            hint = "It continues by itself. Look at the connection to the database if this happens often."
            raise StoreError("This process was cut off from the database for longer than its lease.", hint=hint)

    def notify(self, text: str) -> None:
        """See `Database.notify`; one heartbeat says it and all hear it."""
        self._heartbeat.notify(text)

    def takes_part(self, connection: store.Connection) -> bool:
        """Whether the row of this process is there."""
        return connection.execute("SELECT 1 FROM processes WHERE boot = ?", (self.boot,)).fetchone() is not None

    @property
    def replaced(self) -> bool:
        """Whether others have taken over what this process was doing."""
        return self._heartbeat.replaced.is_set()

    async def begin_again(self) -> None:
        """Take part as a new process; nothing that was claimed before may still be running."""
        process = self._process._replace(boot=uuid4().hex)

        def again(connection: store.Connection) -> None:
            join(connection, process)
            if self._history:
                note(connection, self._history)

        await self.write(again)
        self._process, self.boot = process, process.boot
        self._heartbeat.begin_again(process.boot)

    def ended(self, connection: store.Connection) -> list[str]:
        """See `connector.store.postgres.processes`."""
        return ended(connection, self._process, patient=self._heartbeat.patient())

    def has_ended(self, connection: store.Connection) -> bool:
        """See `connector.store.postgres.processes`."""
        return has_ended(connection, self._process, patient=self._heartbeat.patient())

    async def empty_wal(self) -> None:
        """PostgreSQL's own log is its business."""

    def sizes(self) -> dict[str, int]:
        """Bytes of the database, as of the last minute."""
        return {"bytes": self._size}

    def refuses(self) -> Overloaded | None:
        """Nothing is known without trying; a server that is away refuses at once."""
        return None

    def blank(self, connection: store.Connection, table: str, key: str, ids: Sequence[int], columns: Sequence[str]) -> None:
        """Set columns to NULL; autovacuum gives the space back."""
        empty = ", ".join(f"{column} = NULL" for column in columns)
        for some in in_portions(ids):
            connection.execute(f"UPDATE {table} SET {empty} WHERE {key} IN ({marks(some)})", tuple(some))

    def _let_go(self) -> None:
        self._heartbeat.stop()
        self._connecting.shutdown()
        if self._session is not None:
            # Where this fails, others wait for the lease.
            with suppress(psycopg.Error):
                leave(Connection(self._session), self.boot)
        if self._attempt is not None and self._attempt.exception() is None:
            self._attempt.result()[0].close()
        for session in (*self._read_sessions, *([self._session] if self._session else [])):
            session.close()

    def _heard(self, text: str | None) -> None:
        # Looked up at each call: they are set after the heartbeat has begun.
        if not text:
            self.on_due()
        if text != "":
            self.on_notice(text or "")

    # The writer thread.

    def _transaction(self, batch: list[Waiting]) -> list[Any]:
        session = self._connected()
        if session is None:
            return [self._away() for _ in batch]
        try:
            number = _begin(session)
        except psycopg.Error as error:
            self._roll_back(session)
            return [self._explained(error) for _ in batch]
        try:
            with pipelined(session) as connection:
                results = self._run_all(connection, batch)
        except BaseException as error:
            # Without a COMMIT nothing of it holds, whatever became of the connection.
            self._roll_back(session)
            if session.closed or len(batch) == 1:
                return [self._explained(error)] * len(batch)
            # One that cannot be stored must not keep all others from it.
            return [result for waiting in batch for result in self._transaction([waiting])]
        return self._committed(session, number, results)

    def _committed(self, session: psycopg.Connection[Row], number: int, results: list[Any]) -> list[Any]:
        """Commit; the results, or why nothing of it holds.

        A warning says that somebody ended the wait for a synchronous standby (`pg_cancel_backend`): it is waited for again.
        """
        self._warned = False
        try:
            session.execute("COMMIT")
        except BaseException as error:
            self._roll_back(session)
            if not session.closed:
                return [self._explained(error)] * len(results)
            return results if self._was_committed(number) else [self._away() for _ in results]
        return results if not self._warned or self._was_committed(number) else [self._away() for _ in results]

    def _noticed(self, notice: psycopg.errors.Diagnostic) -> None:
        self._warned = self._warned or notice.severity_nonlocalized == "WARNING"

    def _savepoint(self, connection: store.Connection, operation: Operation) -> Any:
        connection.execute("SAVEPOINT one")
        try:
            result = operation(connection)
        except psycopg.Error:
            # Perhaps of an earlier operation, whose statements were not waited for: each is tried by itself.
            raise
        except Exception as error:
            connection.execute("ROLLBACK TO one")
            result = self._explained(error)
        connection.execute("RELEASE one")
        return result

    def _roll_back(self, session: psycopg.Connection[Row]) -> None:
        if not session.closed:
            with suppress(psycopg.Error):
                session.execute("ROLLBACK")
        if session.closed:
            self._lost()

    def _lost(self) -> None:
        self._log.error("the connection to the database is lost", database=self.name)
        self._session, self._next_attempt = None, 0.0

    def _look(self) -> None:
        """Notice while nothing is written that the session is gone; get it back."""
        session = self._connected()
        if session is None:
            return
        try:
            session.execute("SELECT 1")
            if time.monotonic() - self._size_looked > _SIZE_SECONDS:
                self._size_looked = time.monotonic()
                row = session.execute("SELECT pg_database_size(current_database())").fetchone()
                self._size = 0 if row is None else row[0]
        except psycopg.Error:
            self._roll_back(session)

    def _connected(self) -> psycopg.Connection[Row] | None:
        """The writer's session; None while there is none. Never waits for the server."""
        if self._session is not None:
            return self._session
        if self._attempt is None and time.monotonic() >= self._next_attempt:
            self._attempt = self._connecting.submit(sessions.again, self._url)
        if self._attempt is not None and self._attempt.done():
            attempt, self._attempt = self._attempt, None
            self._next_attempt = time.monotonic() + _PAUSE
            self._take(attempt)
        return self._session

    def _take(self, attempt: Future[tuple[psycopg.Connection[Row], str]]) -> None:
        if attempt.exception() is not None:
            return
        self._session, history = attempt.result()
        self._session.add_notice_handler(self._noticed)
        self._log.warning("the database is connected again", database=self.name)
        if history != self._history:
            # What this process has claimed may be among what the old server took with it.
            self._log.warning("another server is the primary now, or a backup was restored", database=self.name)
            self._history = history
            self._heartbeat.give_up()

    def _away(self) -> StoreError:
        """Why nothing is written now. A new one each time: an exception that is raised again collects tracebacks."""
        return unreachable(self.name)

    def _was_committed(self, number: int) -> bool:
        """What became of a COMMIT that was cut off; meanwhile everything else is refused.

        False also where that cannot be known: when this process ends before the server says it; and of a server that was
        promoted since, which may have given the number to another transaction. Then this process begins again, so that
        nothing is left over that it has claimed without knowing; whoever sent a delivery repeats it.
        """
        history = self._history
        while not self._closed:
            if (session := self._connected()) is not None:
                with suppress(psycopg.Error):
                    self._warned = False
                    outcome = self._history == history and sessions.was_committed(session, number)
                    if self._warned:
                        continue
                    self._log.warning("a commit was cut off", database=self.name, committed=outcome)
                    return bool(outcome)
                self._roll_back(session)
            self._refuse_waiting()
        return False

    def _refuse_waiting(self) -> None:
        """Answer what has been handed over since, and wait a moment for the session."""
        batch, stopping = self._gather([])
        if stopping:
            self._queue.put(None)
        if batch:
            self._answer(batch, [self._away() for _ in batch])
        if self._attempt is not None:
            wait_for([self._attempt], timeout=0.1)
        else:
            time.sleep(0.05)

    def _explained(self, error: BaseException) -> BaseException:
        return explained(error, self.name)

    # The reader threads.

    def _read(self, query: Callable[[store.Connection], T], budget: float) -> T:
        reused = getattr(self._reader, "session", None)
        try:
            return self._ask(query, budget)
        except psycopg.Error as error:
            # The server may have been restarted since this thread asked last; reading twice does no harm.
            if reused is None or not reused.closed:
                raise self._explained(error) from error
        try:
            return self._ask(query, budget)
        except psycopg.Error as error:
            raise self._explained(error) from error

    def _ask(self, query: Callable[[store.Connection], T], budget: float) -> T:
        session = getattr(self._reader, "session", None)
        if session is None or session.closed:
            session = self._reader.session = sessions.reading(self._url)
            self._read_sessions = [one for one in self._read_sessions if not one.closed] + [session]
            self._reader.budget = None
        if self._reader.budget != budget:
            session.execute(f"SET statement_timeout = {max(int(budget * 1000), 1)}")
            self._reader.budget = budget
        return query(Connection(session, time.monotonic() + budget))


def _begin(session: psycopg.Connection[Row]) -> int:
    """Begin a transaction when it is this process's turn to write; returns its number, by which its outcome can be looked up.

    Every commit waits for the disk, also of what may be forgotten: when the server loses the last ones this process goes on,
    and would know of claims that the database does not.
    """
    cursor = sessions.take_turn(session, _BEGIN)
    while cursor.nextset():
        pass
    row = cursor.fetchone()
    return int(row[0]) if row is not None else 0


def _lock(beside: Path) -> int | None:
    try:
        return lock(beside)
    except InUse:
        return None


def _key(session: psycopg.Connection[Row], beside: Path) -> Key:
    row = session.execute("SELECT value FROM installation WHERE name = 'key'").fetchone()
    key = load_key(beside, None if row is None else str(row[0]))
    session.execute("INSERT INTO installation VALUES ('key', %s) ON CONFLICT DO NOTHING", (key.fingerprint,))
    return key
