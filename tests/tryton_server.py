"""A real Tryton server for the tests: trytond and its module party from the package index, on SQLite, on a free local port.

They are installed once into a virtual environment of their own, in a cache outside the repository (XDG_CACHE_HOME, or
~/.cache): Tryton must not share one with email-validator, and it is spoken to over HTTP only. Where that is not possible, the
tests that need it are skipped; with CONNECTOR_TEST_TRYTON=required, as in CI, they fail.
"""

from __future__ import annotations

import base64
import fcntl
import os
import secrets
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import httpx
import kept
import pytest

SERIES = "8.2"
PACKAGES = (f"trytond=={SERIES}.*", f"trytond_party=={SERIES}.*", "phonenumbers==9.0.*")
DATABASE, PASSWORD = "lab", "a-password-of-the-tests"
#: Users and their keys of the REST API, in the template of the database: an administrator, and one who is in no group.
KEYS = {"admin": "0123456789abcdef" * 8, "plain": "fedcba9876543210" * 8}
#: As it was before any test: an installation may need the certificates that it names.
ENVIRONMENT = dict(os.environ)
#: Seconds that an installation, or the start of a server, may take.
INSTALLING, STARTING = 100, 30


class CannotInstall(Exception):
    """There is no server for the tests; the text says why."""


def _cache() -> Path:
    # The minor version of Python too: an environment belongs to one.
    return kept.place(f"tryton-{SERIES}-python-{sys.version_info.major}.{sys.version_info.minor}-3")


@cache
def installed() -> Path:
    """The folder with the environment and the template of the database. Raises CannotInstall."""
    folder = _cache()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # One of several workers installs, the others wait.
        with (folder / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not (folder / "ready").exists():
                _install(folder)
                (folder / "ready").touch()
    except (OSError, subprocess.SubprocessError, CannotInstall) as error:
        said = str(getattr(error, "output", None) or error).strip().splitlines()
        raise CannotInstall(f"Tryton cannot be installed: {said[-1] if said else type(error).__name__}") from None
    return folder


def _install(folder: Path) -> None:
    venv.create(folder / "venv", with_pip=True, clear=True)
    pip = [folder / "venv/bin/python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--retries", "1"]
    _run([*pip, *PACKAGES])
    with tempfile.TemporaryDirectory() as place:
        server = Server(Path(place), folder)
        # The file must be there, empty: otherwise the database would be one without a user.
        server.file.touch()
        (server.place / "password").write_text(PASSWORD)
        for arguments in (["--all", "--email", "admin@example.com"], ["-u", "party", "--activate-dependencies"]):
            _run(server.command("trytond-admin", *arguments), TRYTONPASSFILE=str(server.place / "password"))
        server.start()
        try:
            server.rpc("model.res.user.create", [{"name": "plain", "login": "plain"}], {})
            for login in KEYS:
                server.make_key(login)
        finally:
            server.close()
        _copy(server.file, folder / "template.sqlite")


def _run(command: list[Any], **environment: str) -> None:
    subprocess.run(
        command,
        env={**ENVIRONMENT, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=True,
        timeout=INSTALLING,
    )


def _copy(source: Path, target: Path) -> None:
    """Copy a database as a whole, with what stands in its log."""
    with closing(sqlite3.connect(source)) as old, closing(sqlite3.connect(target)) as new:
        old.backup(new)


class Server:
    """One server process with one database, in a folder of its own."""

    def __init__(self, place: Path, folder: Path) -> None:
        self.place = place
        self.file = place / f"{DATABASE}.sqlite"
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self._session = ""
        with closing(socket.create_server(("127.0.0.1", 0))) as listener:
            self.port = listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._http = httpx.Client(base_url=self.url, verify=False, trust_env=False, timeout=30)
        settings = f"[database]\nuri = sqlite:///\npath = {place}\n[web]\nlisten = 127.0.0.1:{self.port}\n"
        (place / "trytond.conf").write_text(settings)

    def command(self, program: str, *arguments: str) -> list[Any]:
        """The command line of one of Tryton's programs."""
        return [self._folder / "venv/bin" / program, "-c", self.place / "trytond.conf", "-d", DATABASE, *arguments]

    def start(self) -> None:
        """Start, or start again, and wait until it answers."""
        if not self.file.exists():
            _copy(self._folder / "template.sqlite", self.file)
        with (self.place / "log").open("ab") as log:
            self._process = subprocess.Popen(self.command("trytond"), stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        deadline = time.monotonic() + STARTING
        while not self._answers():
            ended = self._process.poll() is not None
            assert not ended, (self.place / "log").read_text()[-2000:]
            assert time.monotonic() < deadline, "Tryton does not answer"
            time.sleep(0.05)

    def _answers(self) -> bool:
        """Whether it serves the database: without a key that is refused."""
        try:
            return self._http.get(f"{DATABASE}/rest/model/party.party").status_code == 401
        except httpx.TransportError:
            return False

    def kill(self) -> None:
        """SIGKILL."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def stop(self) -> None:
        """SIGTERM, or SIGKILL where that does not help."""
        assert self._process is not None
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self.kill()

    def close(self) -> None:
        """Stop for good."""
        self.stop()
        self._http.close()

    def ids(self, model: str, where: str = "1") -> list[int]:
        """The ids of a model's records, as they stand in the database: a question to the server takes ten times as long."""
        with closing(sqlite3.connect(f"{self.file.as_uri()}?mode=ro", uri=True)) as connection:
            found = connection.execute(f"SELECT id FROM {model.replace('.', '_')} WHERE {where} ORDER BY id")
            return [identity for (identity,) in found]

    def rpc(self, method: str, *params: Any) -> Any:
        """Call a method as an administrator, as Tryton's own clients do."""
        if not self._session:
            user, token, *_ = self._call("common.db.login", ["admin", {"password": PASSWORD}], {})
            self._session = base64.b64encode(f"admin:{user}:{token}".encode()).decode()
        return self._call(method, list(params), {"Authorization": f"Session {self._session}"})

    def make_key(self, login: str) -> None:
        """Make the key of a user."""
        user = self.rpc("model.res.user.search", [["login", "=", login]], 0, 1, None, {})[0]
        self.rpc("model.res.user.application.create", [{"user": user, "application": "rest", "key": KEYS[login]}], {})

    def _call(self, method: str, params: list[Any], headers: dict[str, str]) -> Any:
        body = {"id": secrets.randbelow(10**6), "method": method, "params": params}
        answer = self._http.post(f"{DATABASE}/rpc/", json=body, headers=headers).raise_for_status().json()
        assert "error" not in answer, answer["error"]
        return answer["result"]


@contextmanager
def serving() -> Iterator[Server]:
    """A server with a fresh database that runs as long as the block does."""
    with tempfile.TemporaryDirectory(prefix="connector-tryton-") as place:
        server = Server(Path(place), installed())
        server.start()
        try:
            yield server
        finally:
            server.close()


def needed() -> None:
    """Skip the test that asks, or fail it where the server must be there."""
    try:
        installed()
    except CannotInstall as error:
        if os.environ.get("CONNECTOR_TEST_TRYTON") == "required":
            pytest.fail(str(error))
        pytest.skip(str(error))
