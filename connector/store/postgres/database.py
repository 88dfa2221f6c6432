"""PostgreSQL behind the store, for one connector process: its writer's session holds the lock that refuses a second one.

When the session is lost, everything that wants to be written is refused at once, until the server is there again and the lock
is ours again. Only those whose COMMIT was cut off wait: whether it happened is looked up by the number of the transaction.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import wait as wait_for
from contextlib import ExitStack, suppress
from pathlib import Path
from queue import Empty
from typing import Any, TypeVar

import psycopg

from connector.model.errors import Overloaded, StoreError
from connector.store import connection as store
from connector.store.connection import in_portions, marks
from connector.store.database import Database, Operation, Waiting
from connector.store.key import Key, load_key
from connector.store.lock import lock
from connector.store.postgres import sessions
from connector.store.postgres.dialect import Connection, Row
from connector.store.postgres.explained import explained, unreachable
from connector.store.postgres.schema import migrate

T = TypeVar("T")
#: Seconds between two attempts to get the lost session back.
_PAUSE = 1.0
#: Seconds between two looks at the size of the database.
_SIZE_SECONDS = 60.0


class PostgresDatabase(Database):
    """The database on its server. Create it with `open`."""

    def __init__(self, url: str, lock_file: int, session: psycopg.Connection[Row], key: Key, new: bool) -> None:
        super().__init__(lock_file)
        self.name = sessions.name_of(url)
        self.new, self.restored = new, None
        self._url, self._key = url, key
        self._session: psycopg.Connection[Row] | None = session
        session.execute(
            "INSERT INTO installation VALUES ('boot', %s) ON CONFLICT (name) DO UPDATE SET value = excluded.value", (self.boot,)
        )
        self._fault: tuple[str, str] | None = None
        self._connecting = ThreadPoolExecutor(1, thread_name_prefix="connector-connect")
        self._attempt: Future[psycopg.Connection[Row]] | None = None
        self._next_attempt = 0.0
        self._size, self._size_looked = 0, 0.0
        self._read_sessions: list[psycopg.Connection[Row]] = []
        self._thread.start()

    @classmethod
    def open(cls, url: str, beside: Path) -> PostgresDatabase:
        """Take the lock, create or migrate the tables, and start the writer.

        `beside` names the two files that stay on this machine: `<beside>.key`, the secret of the installation, and
        `<beside>.lock`, by which commands on this machine find the service.

        Raises:
            StoreError: in use, cannot be reached, refuses us, of a newer version, or the key file is not the right one.
        """
        with ExitStack() as undo:
            lock_file = lock(beside)
            undo.callback(os.close, lock_file)
            session = sessions.writing(url)
            undo.callback(session.close)
            try:
                new = migrate(session)
                key = _key(session, beside)
                opened = cls(url, lock_file, session, key, new)
            except psycopg.Error as error:
                raise explained(error, sessions.name_of(url)) from error
            undo.pop_all()
        return opened

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
        self._connecting.shutdown()
        if self._attempt is not None and self._attempt.exception() is None:
            self._attempt.result().close()
        for session in (*self._read_sessions, *([self._session] if self._session else [])):
            session.close()

    # The writer thread.

    def _transaction(self, batch: list[Waiting]) -> list[Any]:
        session = self._connected()
        if session is None:
            return [self._away() for _ in batch]
        try:
            number = _begin(session)
            results = self._run_all(Connection(session), batch)
        except BaseException as error:
            # Without a COMMIT nothing of it holds, whatever became of the connection.
            self._roll_back(session)
            if session.closed or len(batch) == 1:
                return [self._explained(error)] * len(batch)
            # One that cannot be stored must not keep all others from it.
            return [result for waiting in batch for result in self._transaction([waiting])]
        try:
            session.execute("COMMIT")
        except BaseException as error:
            self._roll_back(session)
            if not session.closed:
                return [self._explained(error)] * len(batch)
            return results if self._was_committed(number) else [self._away() for _ in batch]
        return results

    def _savepoint(self, connection: store.Connection, operation: Operation) -> Any:
        connection.execute("SAVEPOINT one")
        try:
            result = operation(connection)
        except Exception as error:
            # Fails where the connection is gone, and then for the whole batch.
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
        """Notice while nothing is written that the session, and with it the lock, is gone; get it back."""
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
        if self._session is not None or self._fault is not None:
            return self._session
        if self._attempt is None and time.monotonic() >= self._next_attempt:
            self._attempt = self._connecting.submit(sessions.writing_again, self._url, self.boot)
        if self._attempt is not None and self._attempt.done():
            attempt, self._attempt = self._attempt, None
            self._next_attempt = time.monotonic() + _PAUSE
            self._take(attempt)
        return self._session

    def _take(self, attempt: Future[psycopg.Connection[Row]]) -> None:
        error = attempt.exception()
        if error is None:
            self._session = attempt.result()
            self._log.warning("the database is connected again", database=self.name)
        elif isinstance(error, sessions.TakenOver):
            self._fault = str(error), error.hint
            self._log.error("the database cannot be used until a restart", reason=str(error), hint=error.hint)

    def _away(self) -> StoreError:
        """Why nothing is written now. A new one each time: an exception that is raised again collects tracebacks."""
        return StoreError(self._fault[0], hint=self._fault[1]) if self._fault is not None else unreachable(self.name)

    def _was_committed(self, number: int) -> bool:
        """What became of a COMMIT that was cut off; meanwhile everything else is refused.

        False also where that cannot be known: when this process ends, or must not write any more, before the server says it.
        """
        while self._fault is None and not self._closed:
            if (session := self._connected()) is not None:
                with suppress(psycopg.Error):
                    outcome = sessions.was_committed(session, number)
                    self._log.warning("a commit was cut off", database=self.name, committed=outcome)
                    return bool(outcome)
                self._roll_back(session)
            self._refuse_waiting()
        return False

    def _refuse_waiting(self) -> None:
        """Answer what has been handed over since, and wait a moment for the session."""
        batch: list[Waiting] = []
        with suppress(Empty):
            while (waiting := self._queue.get_nowait()) is not None:
                batch.append(waiting)
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
    """Begin a transaction; returns its number, by which its outcome can be looked up.

    Every commit waits for the disk, also of what may be forgotten: when the server loses the last ones this process goes on,
    and would know of claims that the database does not.
    """
    cursor = session.execute("BEGIN; SELECT CAST(CAST(pg_current_xact_id() AS text) AS bigint)")
    cursor.nextset()
    row = cursor.fetchone()
    return int(row[0]) if row is not None else 0


def _key(session: psycopg.Connection[Row], beside: Path) -> Key:
    row = session.execute("SELECT value FROM installation WHERE name = 'key'").fetchone()
    key = load_key(beside, None if row is None else str(row[0]))
    session.execute("INSERT INTO installation VALUES ('key', %s) ON CONFLICT DO NOTHING", (key.fingerprint,))
    return key
