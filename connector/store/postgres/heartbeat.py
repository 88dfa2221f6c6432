"""The heartbeat of a process: renews its lease, keeps the server's time, and hears and says what is notified.

A thread with a session of its own, so that neither a busy event loop nor a writer that waits for its turn costs the lease.
What the lease says is judged by a clock that goes on while the process, or the machine, stands still.
"""

from __future__ import annotations

import os
import selectors
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import closing, suppress

import psycopg
from psycopg import sql

from connector.model.errors import StoreError
from connector.store.postgres import sessions
from connector.store.postgres.dialect import Row
from connector.store.postgres.processes import renew

#: A lease is renewed this many times before it could run out.
_RENEWALS = 5
#: Seconds between two attempts to reach a server that is away.
_PAUSE = 0.5
_NOTIFY = f"SELECT pg_notify({sessions.CHANNEL}, %s)"
_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def standing_clock() -> float:
    """Seconds that pass while the process is stopped, and where the system can tell, while the machine sleeps."""
    return time.clock_gettime(_CLOCK)


class Heartbeat:
    """Renews the lease of `boot`.

    `heard` is called, in this thread, with the text of each notification, empty where a lane is due; and with None where
    some may have been missed, or others have taken over.
    """

    def __init__(self, url: str, boot: str, lease: float, heard: Callable[[str | None], None]) -> None:
        self.lease = lease
        #: Set when the row is gone: others have taken over what this process was doing.
        self.replaced = threading.Event()
        self._url, self._boot, self._heard = url, boot, heard
        # Others cannot have seen the row before it was written, which is about now.
        self._renewed = self._connected = standing_clock()
        self._ahead = time.time() - self._renewed
        self._bell, self._ring = os.pipe()
        # Whoever rings must not wait where nobody has listened for long.
        os.set_blocking(self._ring, False)
        self._to_say: deque[str] = deque()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="connector-heartbeat", daemon=True)
        self._thread.start()

    def now(self) -> float:
        """Unix time by the server's clock, as of the last renewal."""
        return standing_clock() + self._ahead

    def holds(self) -> bool:
        """Whether nobody can have taken over what this process does. Judged before every call to a remote system."""
        return not self.replaced.is_set() and standing_clock() - self._renewed < self.lease

    def patient(self) -> bool:
        """Whether the server was there without a break for the length of a lease."""
        return self.holds() and standing_clock() - self._connected > self.lease

    def begin_again(self, boot: str) -> None:
        """Another row stands for this process from now on."""
        self._boot = boot
        self._renewed = self._connected = standing_clock()
        self.replaced.clear()

    def notify(self, text: str) -> None:
        """Let all who listen know it, beside whatever is written; as soon as there is a session. Never waits."""
        self._to_say.append(text)
        self._wake()

    def give_up(self) -> None:
        """What this process was doing is no longer its own, for whatever reason; `begin_again` follows."""
        self.replaced.set()
        self._heard(None)

    def stop(self) -> None:
        """End the thread and its session; the row is left to the caller."""
        self._stopping = True
        self._wake()
        self._thread.join()
        os.close(self._bell)
        os.close(self._ring)

    def _wake(self) -> None:
        # Nobody waits for the bell any more, or it was rung often enough.
        with suppress(OSError):
            os.write(self._ring, b"\0")

    def _run(self) -> None:
        while not self._stopping:
            try:
                with closing(sessions.connect(self._url, "heartbeat")) as session:
                    self._beat(session)
            except (psycopg.Error, StoreError):
                # The writer says that the server is away; here it only costs the lease.
                self._wait(_PAUSE)
                self._connected = standing_clock()

    def _beat(self, session: psycopg.Connection[Row]) -> None:
        # What arrives while a statement runs comes to the handler, everything else is read below.
        session.add_notify_handler(lambda notify: self._heard(notify.payload))
        session.execute(sql.SQL("LISTEN {}").format(sql.Identifier(sessions.channel(session))))
        # Nobody heard what was notified before, at the start or while the session was lost.
        self._heard(None)
        due = 0.0
        while not self._stopping:
            self._say(session)
            if (left := due - standing_clock()) <= 0:
                due = standing_clock() + self.lease / _RENEWALS
                self._renew(session)
            elif self._wait(left, session.fileno()):
                session.pgconn.consume_input()
                while (notify := session.pgconn.notifies()) is not None:
                    self._heard(notify.extra.decode())

    def _wait(self, seconds: float, *others: int) -> bool:
        """Wait until somebody rings or one of the others can be read; whether the latter."""
        with selectors.DefaultSelector() as waiting:
            for one in (self._bell, *others):
                waiting.register(one, selectors.EVENT_READ)
            found = [key.fd for key, _ in waiting.select(seconds)]
        if self._bell in found:
            os.read(self._bell, 4096)
        return any(fd != self._bell for fd in found)

    def _say(self, session: psycopg.Connection[Row]) -> None:
        while self._to_say:
            session.execute(_NOTIFY.encode(), (self._to_say[0],))
            self._to_say.popleft()

    def _renew(self, session: psycopg.Connection[Row]) -> None:
        boot, before = self._boot, standing_clock()
        clock, there = renew(session, boot)
        self._ahead = clock - (before + standing_clock()) / 2
        if boot != self._boot:
            return
        if before - self._renewed > self.lease:
            self._connected = before
        if there:
            self._renewed = before
        elif not self.replaced.is_set():
            self.give_up()
