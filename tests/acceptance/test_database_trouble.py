"""A database that cannot be used: a plain message and an exit code at the start, 503 and a way back while running."""

from __future__ import annotations

import asyncio
import ctypes
import fcntl
import os
import resource
import shutil
import sqlite3
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import httpx
import pytest

from connector.store.sqlite.database import SqliteDatabase

from .world import RemoteSystems, Service, post, rows, run, states

pytestmark = pytest.mark.anyio

CAP_DAC_OVERRIDE, PR_CAPBSET_DROP = 1, 24


@pytest.fixture(scope="module")
async def sides(anyio_backend):
    async with RemoteSystems() as sides:
        yield sides


@pytest.fixture(autouse=True)
def _well_again(sides):
    yield
    sides.faults()
    sides.booxi.reset()
    sides.hubspot.reset()


def as_anybody() -> None:
    """Root without its right to write everywhere; anybody else as they are."""
    if os.geteuid() == 0:
        ctypes.CDLL(None, use_errno=True).prctl(PR_CAPBSET_DROP, CAP_DAC_OVERRIDE, 0, 0, 0)


# ---- databases that cannot be used ----


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    with closing(sqlite3.connect(folder / "connector.db", isolation_level=None)) as other:
        other.execute("PRAGMA locking_mode = EXCLUSIVE")
        other.execute("BEGIN EXCLUSIVE")
        yield


@contextmanager
def newer(folder: Path) -> Iterator[None]:
    with closing(sqlite3.connect(folder / "connector.db")) as other, other:
        other.execute(
            "INSERT INTO _sqlite_migrations (migration_set, name, applied_at) VALUES ('connector', 'm999_new', 'now')"
        )
    yield


@contextmanager
def no_database(folder: Path) -> Iterator[None]:
    diary = b"Dear diary, today I was not a database. " * 100
    (folder / "connector.db").write_bytes(diary)
    yield
    assert (folder / "connector.db").read_bytes() == diary, "it must be left alone"


@contextmanager
def read_only_file(folder: Path) -> Iterator[None]:
    (folder / "connector.db").chmod(0o444)
    yield


@contextmanager
def read_only_folder(folder: Path) -> Iterator[None]:
    (folder / "connector.db").unlink()
    (folder / "connector.db.lock").unlink()
    folder.chmod(0o555)
    yield
    folder.chmod(0o755)


@contextmanager
def in_use(folder: Path) -> Iterator[None]:
    with (folder / "connector.db.lock").open("r+b") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextmanager
def no_folder(folder: Path) -> Iterator[None]:
    file = folder / "connector.toml"
    file.write_text(file.read_text().replace("sqlite:///", "sqlite:///nowhere/"))
    yield


BEARER = {"Authorization": "Bearer a-status-token-for-tests"}
REFUSALS = {
    no_folder: "The database connector.db cannot be opened: No such file or directory."
    " Check that the folder {folder}/nowhere exists and that this user may write there.",
    locked: "The database connector.db is locked by another program. Close the program that has it open.",
    newer: "The database was written by a newer version of connector."
    " Start that version again, or point database.url at another file.",
    no_database: "connector.db is not an SQLite database. Point database.url at another file.",
    read_only_file: "The database connector.db cannot be written. Check the owner and permissions of the file and its folder.",
    read_only_folder: "The database connector.db cannot be opened: Permission denied."
    " Check that the folder {folder} exists and that this user may write there.",
    in_use: "The database connector.db is in use by another connector."
    " Stop the running service first, or give this one a database of its own.",
}


@pytest.fixture(scope="module")
async def starts(sides, tmp_path_factory):
    """How `serve` ends with each of them; all at once, because some only wait."""

    async def start(problem):
        folder = tmp_path_factory.mktemp(problem.__name__)
        file = sides.config(folder)
        await SqliteDatabase.open(folder / "connector.db").close()
        with problem(folder):
            code, out, err = await run("serve", "--config", str(file), before=as_anybody)
        return code, out, err.replace(str(folder), "{folder}")

    return dict(zip(REFUSALS, await asyncio.gather(*map(start, REFUSALS)), strict=True))


@pytest.mark.slow  # SQLite waits five seconds for a lock
@pytest.mark.parametrize("problem", REFUSALS, ids=lambda problem: problem.__name__)
async def test_a_database_that_cannot_be_used_is_told_in_one_line(starts, problem):
    assert starts[problem] == (1, "", REFUSALS[problem] + "\n")


# ---- a disk that gets full ----


class Disk:
    """A disk that can be full for one process: by its limit on the size of files, raised and lowered from outside."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def fill(self) -> None:
        resource.prlimit(self._service.process.pid, resource.RLIMIT_FSIZE, (512, resource.RLIM_INFINITY))

    def free(self) -> None:
        infinite = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
        resource.prlimit(self._service.process.pid, resource.RLIMIT_FSIZE, infinite)


class SmallDisk:
    """A real, small disk that can be full."""

    def __init__(self, folder: Path) -> None:
        self._ballast = folder / "ballast"

    def fill(self) -> None:
        with self._ballast.open("wb", buffering=0) as file, suppress(OSError):
            while True:
                file.write(b"\0" * 4096)

    def free(self) -> None:
        self._ballast.unlink()


@pytest.fixture
def mounted() -> Iterator[Path]:
    """A disk of six megabytes, where one may be mounted."""
    folder = Path(tempfile.mkdtemp(prefix="connector-disk-"))
    mount = shutil.which("mount")
    command = [mount or "mount", "-t", "tmpfs", "-o", "size=6m", "connector-test", str(folder)]
    if mount is None or os.geteuid() != 0 or subprocess.run(command, capture_output=True, check=False).returncode != 0:
        folder.rmdir()
        pytest.skip("no small disk can be mounted here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)
        folder.rmdir()


async def survive(sides: RemoteSystems, service: Service, disk: Disk | SmallDisk) -> None:
    """Full while it works: senders are told to come back, nothing acknowledged is lost, and it continues by itself."""
    sides.faults(latency_ms=(100, 200))
    for n in range(8):
        sides.booxi.book(sides.booxi.add_client(firstName="Ada", lastName=f"Full {n}", email=f"full-{n}@example.com"))
    bodies = list(sides.booxi.outbox.waiting)
    async with httpx.AsyncClient(trust_env=False) as http:
        assert [(await post(http, service.url, body)).status_code for body in bodies[:4]] == [202] * 4
        disk.fill()
        answers = [await post(http, service.url, body) for body in bodies[4:]]
        assert [answer.status_code for answer in answers] == [503] * 4
        assert all(int(answer.headers["retry-after"]) > 0 for answer in answers)
        ready = await http.get(f"{service.url}/readyz")
        assert ready.status_code == 503
        assert ready.json()[0]["hint"]
        assert (await http.get(f"{service.url}/healthz")).status_code == 200
        assert (await http.get(f"{service.url}/status.json", headers=BEARER)).status_code == 200
        disk.free()
        async with asyncio.timeout(60):
            while (await http.get(f"{service.url}/readyz")).status_code != 200:
                await asyncio.sleep(0.05)
        await sides.booxi.send_webhooks()
    await service.settled()
    assert await service.stop() == 0
    assert states(service.database) == {"done": 9}
    assert rows(service.database, "PRAGMA integrity_check") == [("ok",)]
    assert len(sides.hubspot.contacts()) == len(sides.booxi.links()) == 9


async def test_a_disk_that_takes_nothing_more_while_running(sides, tmp_path):
    service = Service(sides.config(tmp_path))
    async with service.running():
        await service.first_done(sides)
        await survive(sides, service, Disk(service))


async def test_a_full_disk_while_running_and_at_the_start(sides, mounted):
    service = Service(sides.config(mounted))
    async with service.running():
        await service.first_done(sides)
        await survive(sides, service, SmallDisk(mounted))
    disk = SmallDisk(mounted)
    disk.fill()
    code, out, err = await run("serve", "--config", str(mounted / "connector.toml"))
    assert (code, out) == (1, "")
    # Which of the files finds no room differs, and SQLite calls it an I/O error when it is the shared memory's.
    last = err.splitlines()[-1]
    assert last.startswith(
        ("The disk that holds connector.db", "The lock file connector.db.lock cannot be written: No space")
    ), err
    assert "Traceback" not in err


async def test_a_full_disk_at_the_first_start(sides, mounted):
    sides.config(mounted)
    disk = SmallDisk(mounted)
    disk.fill()
    code, out, err = await run("serve", "--config", str(mounted / "connector.toml"))
    assert (code, out) == (1, "")
    hint = "Free some space there, or where temporary files are (/tmp); nothing acknowledged is lost."
    assert err == f"The disk that holds connector.db is full. {hint}\n"


async def test_a_lock_while_running_delays_and_loses_nothing(sides, tmp_path):
    service = Service(sides.config(tmp_path))
    async with service.running(), httpx.AsyncClient(trust_env=False, timeout=20) as http:
        await service.first_done(sides)
        sides.booxi.book(sides.booxi.add_client(firstName="Ada", lastName="Late", email="late@example.com"))
        (body,) = sides.booxi.outbox.waiting
        with closing(sqlite3.connect(service.database, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            sending = asyncio.create_task(post(http, service.url, body))
            done, _ = await asyncio.wait([sending], timeout=0.3)
            assert not done, "nothing is acknowledged that is not on the disk"
            other.execute("ROLLBACK")
        assert (await sending).status_code == 202
        await service.settled()
        assert await service.stop() == 0
    assert states(service.database) == {"done": 2}
