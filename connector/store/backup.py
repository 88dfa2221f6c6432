"""A copy of the database that can be trusted, made beside a running service, and the way back from one."""

from __future__ import annotations

import os
import shutil
import sqlite3
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from connector.model.errors import StoreError
from connector.store.key import fingerprint_of, key_file, matches
from connector.store.lock import lock
from connector.store.sqlite.database import connect_read_only
from connector.store.sqlite.explained import explained
from connector.store.sqlite.identity import open_itself
from connector.store.sqlite.schema import unknown_migrations


@dataclass(frozen=True)
class Copy:
    """A copy that was made and verified: `size` in bytes; `kept` is where the database from before a restore is."""

    file: Path
    size: int
    kept: Path | None = None


def back_up(path: Path, target: Path, now: float) -> Copy:
    """Copy the database as it is at one moment into a new file that says when (`now`, Unix time), and verify the copy.

    Raises:
        StoreError: `target` exists or cannot be written, there is no database, or the copy is not sound.
    """
    with closing(connect_read_only(path)) as source:
        _is_ours(source, path)
        # Under its own name only once it is sound: half a copy must never be taken for a backup.
        with _new_file(target) as part:
            try:
                with closing(sqlite3.connect(part, isolation_level=None)) as copy:
                    source.backup(copy)
                    _date(copy, now)
                    # One file without a -wal.
                    copy.execute("PRAGMA journal_mode = DELETE")
            except sqlite3.Error as error:
                raise explained(error, target) from error
            verify(part, target)
    _note(path, now)
    return Copy(target, target.stat().st_size)


def last_backup(path: Path) -> float | None:
    """When `back_up` last made a copy of the database at `path` (Unix time); None: never, as far as is known here."""
    try:
        return _noted(path).stat().st_mtime
    except OSError:
        return None


def without_backup(path: Path, now: float) -> float | None:
    """For how many seconds no copy was made: since the last one, or since the first start, when the key file was made."""
    since = last_backup(path)
    if since is None:
        with suppress(OSError):
            since = key_file(path).stat().st_mtime
    return None if since is None else now - since


def restore(path: Path, backup: Path, now: float, *, key_lost: bool = False) -> Copy:
    """Put a verified copy of `backup` in the database's place; what was there is kept beside it. `now` is Unix time.

    With `key_lost`, what was remembered under the key file is dropped, and the next start goes on with another one.

    Raises:
        StoreError: a service or command has the database, or the backup is not sound, not ours or of a newer version, or the
            key file beside the database is not the one that the backup was made with.
    """
    if not backup.is_file():
        raise StoreError(f"There is no backup {backup.name}.", hint="Name a file that `connector backup FILE` has made.")
    if (wal := backup.with_name(backup.name + "-wal")).exists() and wal.stat().st_size:
        text = f"{backup.name} is only a part: {wal.name} beside it holds the rest."
        raise StoreError(text, hint="Make the backup with `connector backup FILE`, not by copying the file.")
    path = Path(os.path.realpath(path))
    handle = lock(path)
    try:
        with _partial(path) as part:
            with _said(path):
                shutil.copyfile(backup, part)
                _sync(part)
            verify(part, backup)
            _fit_key(path, part, key_lost)
            kept = _put_in_place(path, part, now)
    finally:
        os.close(handle)
    return Copy(path, path.stat().st_size, kept)


def verify(file: Path, said: Path) -> None:
    """Read all of a copy that nobody writes, and make sure that this version can use it; errors name `said`.

    Raises:
        StoreError: it is damaged, not a connector's database, or of a newer version.
    """
    try:
        # Nobody writes it, and looking at it must leave no -wal beside it.
        uri = f"{file.absolute().as_uri()}?mode=ro&immutable=1"
        with closing(sqlite3.connect(uri, uri=True)) as connection:
            sound = [row[0] for row in connection.execute("PRAGMA integrity_check(1)")] == ["ok"]
            if sound:
                _is_ours(connection, said)
    except sqlite3.Error as error:
        raise explained(error, said) from error
    if not sound:
        raise StoreError(f"The copy {said.name} is damaged.", hint="Use another backup, and check the disk.")


def _noted(path: Path) -> Path:
    real = Path(os.path.realpath(path))
    return real.with_name(real.name + ".last-backup")


def _note(path: Path, now: float) -> None:
    """Note the time beside the database: its writer is another process. A copy counts also where this cannot be written."""
    with suppress(OSError):
        file = _noted(path)
        file.touch(0o600)
        os.utime(file, (now, now))


def _date(copy: sqlite3.Connection, now: float) -> None:
    """Let a copy say that it is one: whoever starts with it knows that what came after `now` is not in it."""
    if copy.execute("SELECT 1 FROM sqlite_master WHERE name = 'installation'").fetchall():
        copy.execute("INSERT OR REPLACE INTO installation VALUES ('copied_at', ?)", (str(now),))


def _fit_key(path: Path, part: Path, lost: bool) -> None:
    """Make sure that the database can be used with the key file that is there. Raises StoreError."""
    with closing(sqlite3.connect(part, isolation_level=None)) as connection:
        if not lost:
            matches(path, fingerprint_of(connection))
            return
        # Nothing finds these rows any more. Reviews and links stand: they do not need the key.
        for table in ("identities", "claims", "shared_keys"):
            connection.execute(f"DELETE FROM {table}")
        if fingerprint_of(connection) is not None:
            connection.execute("DELETE FROM installation WHERE name = 'key'")
    _sync(part)


def _is_ours(connection: sqlite3.Connection, path: Path) -> None:
    try:
        connection.execute("SELECT 1 FROM deliveries LIMIT 1").fetchall()
        newer = unknown_migrations(connection)
    except sqlite3.Error as error:
        raise explained(error, path) from error
    if newer:
        text = "The database was written by a newer version of connector."
        raise StoreError(text, hint="Use that version, or another backup.")


def _put_in_place(path: Path, part: Path, now: float) -> Path | None:
    """Swap the files so that there is a whole database under the name at every moment."""
    kept = path.with_name(f"{path.name}.before-restore-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime(now))}")
    there = path.exists()
    with _said(path), ExitStack() as held:
        if there:
            itself, _ = open_itself(path)
            held.callback(os.close, itself)
            _keep(path, kept)
        # SQLite would take an old -wal for the new file's, also one whose database is gone.
        for ending in ("-wal", "-shm"):
            with suppress(FileNotFoundError):
                path.with_name(path.name + ending).rename(kept.with_name(kept.name + ending))
        _owned_like(part, path if there else path.parent)
        part.replace(path)
        _sync(path.parent)
    return kept if there else None


def _keep(path: Path, kept: Path) -> None:
    """Give the old database a second name, with everything in it that only its -wal knows."""
    # What is damaged cannot be taken over; its -wal is then kept as it is.
    with suppress(sqlite3.Error), closing(sqlite3.connect(path, isolation_level=None)) as old:
        old.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    kept.hardlink_to(path)
    kept.chmod(0o600)


def _owned_like(file: Path, like: Path) -> None:
    """Whoever restores, often root, leaves a file that the service can open."""
    owner = like.stat()
    if os.geteuid() == 0:
        os.chown(file, owner.st_uid, owner.st_gid)


@contextmanager
def _new_file(target: Path) -> Iterator[Path]:
    """Yield a file to be filled; it becomes `target`, which must not exist, when the block ends well."""
    if target.exists():
        raise StoreError(f"{target.name} exists already and is left as it is.", hint="Name a new file.")
    with _partial(target) as part:
        yield part
        try:
            target.hardlink_to(part)
        except FileExistsError:
            raise StoreError(f"{target.name} exists already and is left as it is.", hint="Name a new file.") from None
        except OSError:
            # A file system without hard links, such as a network share.
            part.rename(target)
        _sync(target.parent)


@contextmanager
def _partial(target: Path) -> Iterator[Path]:
    """Yield an empty file beside `target` that only its owner can read; it is gone after the block, its content on disk."""
    part = target.with_name(f".{target.name}.{os.getpid()}.partial")
    with _said(target):
        os.close(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    try:
        yield part
    finally:
        for left in (part, part.with_name(part.name + "-journal")):
            left.unlink(missing_ok=True)


@contextmanager
def _said(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        hint = "Check the folder: that it exists, may be written and has space."
        raise StoreError(f"{path.name} cannot be written: {error.strerror}.", hint=hint) from error


def _sync(path: Path) -> None:
    """Wait until a file, or the names in a folder, are on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
