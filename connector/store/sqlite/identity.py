"""Which file is open, by device and inode: a name says nothing about it.

SQLite's `-wal` and our lock file go by the name. The same file under two names would be written by two processes, and a
file that was replaced would get what nobody can read again. So the file itself is locked, a file with a second name is
refused, and what is open is compared with what the names lead to.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import sys
from collections.abc import Iterable
from pathlib import Path

from connector.model.errors import StoreError
from connector.store.files import MOUNTS, unescaped

_USE_FOLDER = "Mount the folder that holds it (docker run -v ./data:/data), never the file alone."


def open_itself(path: Path) -> tuple[int, bool]:
    """Make the file if there is none, and lock it for this process; returns the open file and whether it is new.

    Close it only after SQLite has closed: closing any descriptor of the file gives up all locks that SQLite holds on it.

    Raises:
        StoreError: the file has a second name, another process has it, or it cannot be opened.
    """
    refuse_second_name(path)
    try:
        # SQLite gives the WAL the permissions of the file, so they must be right from the beginning.
        handle = os.open(path, os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except IsADirectoryError:
        raise StoreError(
            f"The database {path.name} cannot be opened: it is a folder.", hint="Point database.url at a file."
        ) from None
    except OSError as error:
        hint = f"Check the owner and permissions of {path.name} and its folder, and the space on the disk."
        raise StoreError(f"The database {path.name} cannot be opened: {error.strerror}.", hint=hint) from error
    try:
        _lock_itself(handle, path)
    except BaseException:
        os.close(handle)
        raise
    return handle, os.fstat(handle).st_size == 0


def _lock_itself(handle: int, path: Path) -> None:
    # Elsewhere this kind of lock and SQLite's own would shut each other out.
    if sys.platform != "linux":
        return
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise StoreError(
            f"The database {path.name} is in use by another connector, under another name.",
            hint="Stop the running service first, or give this one a database of its own.",
        ) from None
    except OSError as error:
        if error.errno not in (errno.ENOLCK, errno.EOPNOTSUPP):
            raise
        raise StoreError(f"The database {path.name} cannot be locked.", hint="Keep it on a local disk.") from error


def refuse_second_name(path: Path) -> None:
    """Refuse a file that has a hard link or is a mount point of its own. Raises StoreError."""
    try:
        found, folder = path.stat(), Path(os.path.realpath(path)).parent.stat()
    except OSError:
        return  # opening it says what is wrong
    if not stat.S_ISREG(found.st_mode):
        return
    if found.st_nlink > 1:
        raise StoreError(
            f"The database {path.name} has a second name (a hard link), and two services could damage it.",
            hint="Remove the other name; to share it with a container, mount the folder that holds it.",
        )
    if found.st_dev != folder.st_dev or os.path.realpath(path) in _mounted_here():
        raise StoreError(f"The database {path.name} is mounted as a single file, without its -wal and lock.", hint=_USE_FOLDER)


def _mounted_here() -> set[str]:
    try:
        return mount_points(MOUNTS.read_text(encoding="utf-8", errors="surrogateescape").splitlines())
    except OSError:
        return set()


def mount_points(lines: Iterable[str]) -> set[str]:
    """Read where something is mounted from the lines of Linux's mountinfo; spaces and the like are octal there."""
    fields = (line.split(" ") for line in lines)
    return {unescaped(field[4]) for field in fields if len(field) > 4}


class OpenedFiles:
    """The files of an open database, as they were when it was opened."""

    def __init__(self, path: Path) -> None:
        self._path = path
        real = Path(os.path.realpath(path))
        # The name as it was given: it may be a link that leads elsewhere tomorrow.
        names = [path, *(real.with_name(real.name + ending) for ending in ("-wal", "-shm"))]
        self._files = {name: identity for name in names if (identity := _identity(name))}

    def changed(self) -> StoreError | None:
        """Say which of them has been taken away or replaced; None while all are what was opened."""
        for name, opened in self._files.items():
            if (now := _identity(name)) != opened:
                what = "was replaced" if now else "was taken away"
                return StoreError(
                    f"The file {name.name} {what} while the service was running; nothing can be stored safely.",
                    hint=f"Stop the service, see that {self._path.name} is the right file"
                    " (`connector restore FILE` for a backup), and start it again.",
                )
        return None


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino
