"""A PostgreSQL server for the tests: in a temporary folder, on a Unix socket, one for each run of pytest (or its workers).

Nothing has to run before. Where no server is installed, the tests that need one are skipped; with
CONNECTOR_TEST_POSTGRES=required, as in CI, they fail.
"""

from __future__ import annotations

import itertools
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from urllib.parse import urlencode

import kept
import pytest

#: The server refuses to run as root; whoever that is owns nothing else.
USER = "nobody"
_schemas = itertools.count(1)


@cache
def programs() -> Path | None:
    """The folder with `initdb` and `postgres`: the one asked for, else the newest where several are installed."""
    if asked := os.environ.get("CONNECTOR_TEST_POSTGRES_PROGRAMS"):
        return Path(asked)
    found = shutil.which("initdb")
    folders = [*([Path(found).resolve().parent] if found else []), Path("/usr/local/bin")]
    folders += sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: -float(path.parent.name))
    return next((folder for folder in folders if (folder / "initdb").exists() and (folder / "postgres").exists()), None)


def missing() -> str | None:
    """Why there is no server for the tests."""
    try:
        import psycopg  # noqa: F401
    except ImportError:
        return "psycopg is not installed"
    return None if programs() else "no PostgreSQL server is installed (initdb and postgres)"


@cache
def _version() -> str:
    folder = programs()
    assert folder is not None
    said = subprocess.run([folder / "postgres", "--version"], check=True, capture_output=True, text=True).stdout
    found = re.search(r"\d[\w.]*", said)
    return found[0] if found else "unknown"


def _copy(source: Path, target: Path) -> None:
    """Copy a folder with the owners and rights of its files, which the server insists on."""
    subprocess.run(["cp", "-a", source, target], check=True, capture_output=True)


class Server:
    """A running server. `settings` are lines of its configuration beside those of the tests."""

    def __init__(self, folder: Path, *, fsync: bool, **settings: str) -> None:
        self.folder = folder
        self.settings = {"fsync": "on" if fsync else "off", "max_connections": "40", "autovacuum": "off", **settings}
        self._user = USER if os.getuid() == 0 else None
        if self._user:
            shutil.chown(folder, self._user)
        self._make()

    def _make(self) -> None:
        """Make its files: a copy of those that the first server of this version had, which `initdb` takes long to make."""
        data, template = self.folder / "data", kept.place(f"postgresql-{_version()}-{self._user or 'own'}")
        if template.exists():
            _copy(template, data)
            return
        self._run("initdb", "--no-sync", "--auth=trust", "--username=connector", "--encoding=UTF8", "--locale=C.UTF-8")
        # Of several workers the first one keeps its own. Where nothing can be kept, every server makes its files itself.
        with suppress(OSError, subprocess.CalledProcessError):
            template.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=template.parent) as place:
                _copy(data, Path(place) / "data")
                (Path(place) / "data").rename(template)

    def start(self) -> None:
        """Start, or start again, and wait until it answers."""
        settings = {"listen_addresses": "", "unix_socket_directories": self.folder, **self.settings}
        options = " ".join(f"-c {name}='{value}'" for name, value in settings.items())
        self._run("pg_ctl", "--wait", "--log", str(self.folder / "log"), "--options", options, "start")

    def stop(self, mode: str = "immediate") -> None:
        """Stop: `immediate` as in a crash, every session is cut off."""
        self._run("pg_ctl", "--wait", "--mode", mode, "stop")

    def url(self, database: str = "postgres", **parameters: str) -> str:
        """The address of a database."""
        return f"postgresql://connector@/{database}?{urlencode({'host': self.folder, **parameters})}"

    def fresh(self) -> str:
        """The address of an empty schema of its own, which costs much less than a database."""
        import psycopg

        schema = f"test_{next(_schemas)}"
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(f"CREATE SCHEMA {schema}")
        return self.url(options=f"-csearch_path={schema}")

    def _run(self, program: str, *arguments: str) -> None:
        folder = programs()
        assert folder is not None
        environment = {"PATH": os.environ["PATH"], "PGDATA": str(self.folder / "data"), "LC_ALL": "C.UTF-8"}
        # Not a pipe: the server keeps what it inherits.
        with (self.folder / "output").open("wb") as output:
            done = subprocess.run(
                [path if (path := folder / program).exists() else program, *arguments],
                user=self._user,
                env=environment,
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                check=False,
            )
        assert done.returncode == 0, (self.folder / "output").read_text()


@contextmanager
def serving(*, fsync: bool = False, **settings: str) -> Iterator[Server]:
    """A server that runs as long as the block does; without `fsync` it is fast, and a power cut may cost everything."""
    # The name of a socket may only have about a hundred characters.
    with tempfile.TemporaryDirectory(prefix="connector-pg-", dir=kept.memory(), ignore_cleanup_errors=True) as folder:
        server = Server(Path(folder), fsync=fsync, **settings)
        server.start()
        try:
            yield server
        finally:
            server.stop()


def needed() -> None:
    """Skip the test that asks, or fail it where the server must be there."""
    if (reason := missing()) is None:
        return
    if os.environ.get("CONNECTOR_TEST_POSTGRES") == "required":
        pytest.fail(reason)
    pytest.skip(reason)
