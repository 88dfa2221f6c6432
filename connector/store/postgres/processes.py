"""Which connector processes work on the database, by the server's own clock.

Each has a row that its heartbeat renews (`connector.store.postgres.heartbeat`). A process whose row is older than its lease
has ended, or stands still: another one deletes the row, and with it everything that the row stood for is void at once, the
claims of its lanes, its locks and its calls in progress. All of it happens under the lock of the writers.
"""

from __future__ import annotations

import os
import socket
import stat
from pathlib import Path
from typing import Any, NamedTuple

import psycopg

from connector.store.connection import Connection

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
#: Processes that have ended; parameters: our boot id, our place, whether we are patient.
_SILENT = "boot <> ? AND ((place = ? AND place <> '') OR (? = 1 AND seen_at + lease < unix_now()))"
#: What was claimed, locked and counted by a process that has no row any more.
_UNOWNED = "boot NOT IN (SELECT boot FROM processes)"
_LANES = f"FROM lanes WHERE boot IS NOT NULL AND {_UNOWNED}"
_LOCKS = f"FROM locks WHERE {_UNOWNED}"
_CALLS = f"done IS NULL AND boot IS NOT NULL AND {_UNOWNED}"


class Process(NamedTuple):
    """One connector process. `place` is the lock file that it alone holds, empty where it holds none."""

    boot: str
    role: str
    place: str
    lease: float


def place_of(lock_file: int) -> str:
    """A name for a lock file that no other file on any machine has; empty where there is none.

    Whoever holds it knows that an earlier holder has ended, whatever its lease says.
    """
    try:
        found = os.fstat(lock_file)
        machine = _BOOT_ID.read_text(encoding="ascii").strip()
    except OSError:
        return ""
    return f"{machine}:{found.st_dev}:{found.st_ino}" if stat.S_ISREG(found.st_mode) else ""


def join(connection: Connection, process: Process) -> None:
    """Within a write: put the row there; the process may claim from now on."""
    connection.execute(
        "INSERT INTO processes (boot, role, place, host, pid, started_at, seen_at, lease)"
        " VALUES (?, ?, ?, ?, ?, unix_now(), unix_now(), ?)",
        (process.boot, process.role, process.place, socket.gethostname(), os.getpid(), process.lease),
    )


def renew(session: psycopg.Connection[Any], boot: str) -> tuple[float, bool]:
    """(the server's clock, whether the row is still there)."""
    row = session.execute(
        "WITH renewed AS (UPDATE processes SET seen_at = unix_now() WHERE boot = %s RETURNING boot)"
        " SELECT unix_now(), (SELECT count(*) FROM renewed)",
        (boot,),
    ).fetchone()
    return (row[0], row[1] == 1) if row is not None else (0.0, False)


def leave(connection: Connection, boot: str) -> None:
    """The process ends in good order: others need not wait for its lease."""
    connection.execute("DELETE FROM processes WHERE boot = ?", (boot,))


def ended(connection: Connection, process: Process, *, patient: bool) -> list[str]:
    """Within a write: the boot ids that still claim lanes and have ended; what else they held is freed.

    `patient` is whether this process was connected without a break for a lease: only then has everybody else had the time
    to renew after the server was away.
    """
    connection.execute(f"DELETE FROM processes WHERE {_SILENT}", (process.boot, process.place, patient))
    connection.execute(f"DELETE {_LOCKS}")
    connection.execute(f"UPDATE calls SET done = unix_now() WHERE {_CALLS}")
    return [row[0] for row in connection.execute(f"SELECT DISTINCT boot {_LANES}")]


def has_ended(connection: Connection, process: Process, *, patient: bool) -> bool:
    """Whether `ended` would find something to do; to be asked without the lock, which everybody who writes waits for."""
    query = (
        f"SELECT EXISTS (SELECT 1 FROM processes WHERE {_SILENT}) OR EXISTS (SELECT 1 {_LOCKS})"
        f" OR EXISTS (SELECT 1 FROM calls WHERE {_CALLS}) OR EXISTS (SELECT 1 {_LANES})"
    )
    (found,) = connection.execute(query, (process.boot, process.place, patient)).fetchall()
    return bool(found[0])


def others(session: psycopg.Connection[Any]) -> int:
    """How many processes are alive, as far as their leases say."""
    row = session.execute("SELECT count(*) FROM processes WHERE seen_at + lease >= unix_now()").fetchone()
    return 0 if row is None else int(row[0])
