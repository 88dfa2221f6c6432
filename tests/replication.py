"""A real primary with a standby that real programs made, for the tests of a fail-over and of a recovery to a point in time."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from urllib.parse import urlencode

import psycopg
import pytest
from postgres import Server, programs


class Standby(Server):
    """A copy of another server that follows it, made by `pg_basebackup`."""

    def __init__(self, folder: Path, primary: Server, name: str) -> None:
        self._primary, self._name = primary, name
        super().__init__(folder, fsync=False)

    def _make(self) -> None:
        conninfo = f"host={self._primary.folder} user=connector application_name={self._name}"
        self._run(
            "pg_basebackup", "--dbname", conninfo, "--pgdata", str(self.folder / "data"), "-X", "stream", "-R", "-c", "fast"
        )

    def promote(self) -> None:
        """Make it the primary, and wait until it is."""
        self._run("pg_ctl", "--wait", "promote")


class Pair:
    """A primary, and a synchronous standby: a commit waits until the standby has it on its disk."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._made = folder, 0
        self.primary: Server = Server(self._place(), fsync=False, wal_level="replica")
        self.primary.start()
        self.follow()

    def _place(self) -> Path:
        self._made += 1
        # The two sockets stay where they are, whichever server is which.
        place = self._folder / f"server-{self._made}"
        place.mkdir()
        return place

    def follow(self, place: Path | None = None) -> None:
        """Give the primary a standby, and wait until commits wait for it."""
        self.standby = Standby(place or self._place(), self.primary, "other")
        self.standby.start()
        with psycopg.connect(self.primary.url(), autocommit=True) as session:
            session.execute("ALTER SYSTEM SET synchronous_standby_names = 'other'")
            session.execute("SELECT pg_reload_conf()")
            _until(session, "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'")

    def url(self, **parameters: str) -> str:
        """The address of both: whichever of them can be written."""
        hosts = f"{self.primary.folder},{self.standby.folder}"
        return (
            f"postgresql://connector@/postgres?{urlencode({'host': hosts, 'target_session_attrs': 'read-write', **parameters})}"
        )

    def follow_again(self) -> None:
        """The server that died comes back, made anew, as the standby of the present primary."""
        place = self.dead.folder
        shutil.rmtree(place / "data")
        (place / ".s.PGSQL.5432.lock").unlink(missing_ok=True)
        self.follow(place)

    def fail_over(self) -> None:
        """The standby is the primary from now on; it has no standby itself, and waits for none."""
        self.standby.promote()
        self.primary, self.dead = self.standby, self.primary
        with psycopg.connect(self.primary.url(), autocommit=True) as session:
            session.execute("ALTER SYSTEM SET synchronous_standby_names = ''")
            session.execute("SELECT pg_reload_conf()")


def kill(server: Server) -> None:
    """SIGKILL for all processes of a server, as when its machine dies: none of them finishes what it is doing."""
    postmaster = int((server.folder / "data" / "postmaster.pid").read_text().split()[0])
    os.kill(postmaster, signal.SIGSTOP)
    for process in children(postmaster):
        with suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)
    os.kill(postmaster, signal.SIGKILL)


def hold_back(primary: Server) -> int:
    """The standby gets nothing from now on; returns the process to continue."""
    with psycopg.connect(primary.url()) as session:
        (sender,) = session.execute("SELECT pid FROM pg_stat_replication").fetchone()
    os.kill(sender, signal.SIGSTOP)
    return int(sender)


def commits_that_wait(primary: Server) -> list[tuple[int, int]]:
    """The commits of our writers that wait for the standby: (session, transaction)."""
    query = (
        "SELECT pid, CAST(CAST(backend_xid AS text) AS bigint) FROM pg_stat_activity"
        " WHERE application_name = 'connector writer' AND wait_event = 'SyncRep'"
    )
    with psycopg.connect(primary.url()) as session:
        return session.execute(query).fetchall()


def children(process: int) -> list[int]:
    """The processes that a process has started."""
    return [int(word) for word in Path(f"/proc/{process}/task/{process}/children").read_text().split()]


def processes(server: Server) -> list[int]:
    """All processes of a server."""
    postmaster = int((server.folder / "data" / "postmaster.pid").read_text().split()[0])
    return [postmaster, *children(postmaster)]


@contextmanager
def replicating() -> Iterator[Pair]:
    """A primary and its standby that run as long as the block does."""
    if not ((folder := programs()) and (folder / "pg_basebackup").exists()):
        pytest.skip("this PostgreSQL server has no pg_basebackup, and another version's writes settings that it may not know")
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="connector-ha-", ignore_cleanup_errors=True)))
        folder.chmod(0o755)
        pair = Pair(folder)
        stack.callback(_end, folder)
        yield pair


def _end(folder: Path) -> None:
    """Kill whatever server is left there."""
    for file in folder.glob("*/data/postmaster.pid"):
        postmaster = int(file.read_text().split()[0])
        with suppress(ProcessLookupError, FileNotFoundError):
            for process in [*children(postmaster), postmaster]:
                with suppress(ProcessLookupError):
                    os.kill(process, signal.SIGKILL)


def _until(session: psycopg.Connection, query: str) -> None:
    until = time.monotonic() + 30
    while session.execute(query.encode()).fetchone() != (1,):
        assert time.monotonic() < until, query
        time.sleep(0.05)


class Recovered(Server):
    """A new server from a base backup and archived WAL, as it was at a moment."""

    def __init__(self, folder: Path, base: Path, archive: Path, moment: str) -> None:
        self._base = base
        restore = {"restore_command": f'cp "{archive}/%f" "%p"', "recovery_target_action": "promote"}
        super().__init__(folder, fsync=False, recovery_target_time=moment, **restore)

    def _make(self) -> None:
        self._run("cp", "-a", str(self._base), str(self.folder / "data"))
        self._run("touch", str(self.folder / "data" / "recovery.signal"))


class Archiving(Server):
    """A server that keeps its WAL in an archive."""

    def __init__(self, folder: Path) -> None:
        self.archive, self.base = folder / "archive", folder / "base"
        command = f'test ! -f "{self.archive}/%f" && cp "%p" "{self.archive}/%f"'
        super().__init__(folder, fsync=False, wal_level="replica", archive_mode="on", archive_command=command)
        self._run("mkdir", str(self.archive))

    def back_up(self) -> None:
        """A base backup, as an operator makes it."""
        conninfo = f"host={self.folder} user=connector"
        self._run("pg_basebackup", "--dbname", conninfo, "--pgdata", str(self.base), "-X", "none", "-c", "fast")

    def finish_segment(self) -> str:
        """Have all that was written so far archived; returns the server's time before that."""
        with psycopg.connect(self.url(), autocommit=True) as session:
            (now,) = session.execute("SELECT CAST(clock_timestamp() AS text)").fetchone()
            (segment,) = session.execute("SELECT pg_walfile_name(pg_switch_wal())").fetchone()
            _until(session, f"SELECT count(*) FROM pg_stat_archiver WHERE last_archived_wal >= '{segment}'")
        return str(now)
