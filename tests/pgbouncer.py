"""A real PgBouncer for the tests, in front of the server of `postgres`: in a temporary folder, on a Unix socket.

Where it is not installed the tests that need it are skipped, with the reason.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlencode

import psycopg
import pytest
from postgres import USER, Server

CONFIG = """
[databases]
* = host={server}
[pgbouncer]
listen_addr =
unix_socket_dir = {folder}
listen_port = 5432
auth_type = trust
auth_file = {folder}/users.txt
logfile = {folder}/log
pidfile = {folder}/pid
{settings}
"""


def program() -> str | None:
    """PgBouncer, where it is installed."""
    return shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")


def needed() -> None:
    """Skip the test that asks where there is none."""
    if program() is None:
        pytest.skip("PgBouncer is not installed (on Debian and Ubuntu: apt-get install pgbouncer)")


class PgBouncer:
    """A PgBouncer that runs. `settings` are lines of its section [pgbouncer]."""

    def __init__(self, folder: Path, server: Server, settings: dict[str, str]) -> None:
        self.folder = folder
        lines = "\n".join(f"{name} = {value}" for name, value in settings.items())
        (folder / "pgbouncer.ini").write_text(CONFIG.format(server=server.folder, folder=folder, settings=lines))
        (folder / "users.txt").write_text('"connector" ""\n', encoding="ascii")
        self._user = USER if os.getuid() == 0 else None
        if self._user:
            shutil.chown(folder, self._user)

    def start(self) -> None:
        """Start, and wait until it answers."""
        found = program()
        assert found is not None
        command = [found, "--quiet", str(self.folder / "pgbouncer.ini")]
        self.process = subprocess.Popen(command, user=self._user, stderr=subprocess.DEVNULL)
        until = time.monotonic() + 20
        while True:
            try:
                psycopg.connect(self.url()).close()
            except psycopg.OperationalError:
                assert self.process.poll() is None, (self.folder / "log").read_text()
                assert time.monotonic() < until
                time.sleep(0.02)
            else:
                return

    def stop(self, how: int = signal.SIGTERM) -> None:
        """End it: SIGTERM cuts every session off, SIGKILL leaves its socket behind."""
        self.process.send_signal(how)
        self.process.wait()
        for left in ("pid", ".s.PGSQL.5432"):
            (self.folder / left).unlink(missing_ok=True)

    def url(self, database: str = "postgres", **parameters: str) -> str:
        """The address of one of the server's databases through it."""
        return f"postgresql://connector@/{database}?{urlencode({'host': self.folder, **parameters})}"


@contextmanager
def pooling(server: Server, mode: str, **settings: str) -> Iterator[PgBouncer]:
    """A PgBouncer with this `pool_mode` that runs as long as the block does."""
    with tempfile.TemporaryDirectory(prefix="connector-pgb-", ignore_cleanup_errors=True) as folder:
        started = PgBouncer(Path(folder), server, {"pool_mode": mode, **settings})
        started.start()
        try:
            yield started
        finally:
            started.stop()
