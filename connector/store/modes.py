"""Whether others on the machine can read what only the service's user should: the database, its key, its lock, its copies."""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from itertools import islice
from pathlib import Path

#: What every SQLite file begins with.
_SQLITE = b"SQLite format 3\0"
#: Entries of the folder that are looked at.
_MOST = 2_000
_OWN = ("", "-wal", "-shm", ".key", ".lock")


def readable_by_others(path: Path) -> list[tuple[Path, int]]:
    """(file, mode) of what belongs to the database at `path`, and of other databases beside it, that others can read or write.

    Backups and what a restore has kept are databases too; what cannot be looked at is left out.
    """
    real = Path(os.path.realpath(path))
    own = [real.with_name(real.name + suffix) for suffix in _OWN]
    return [(file, mode) for file in [*own, *_databases(real, own)] if (mode := _mode(file))]


def _mode(file: Path) -> int:
    """The permissions of a plain file that others have some of, that of its target for a link; 0 for anything else."""
    with suppress(OSError):
        found = file.stat()
        mode = stat.S_IMODE(found.st_mode)
        # A secret that root mounted for us: we read it as its group, and could not otherwise.
        given = found.st_uid != os.geteuid() and found.st_gid in (os.getegid(), *os.getgroups())
        return mode if stat.S_ISREG(found.st_mode) and mode & (0o037 if given else 0o077) else 0
    return 0


def _databases(real: Path, own: list[Path]) -> list[Path]:
    with suppress(OSError):
        return [file for file in sorted(islice(real.parent.iterdir(), _MOST)) if file not in own and _is_database(file)]
    return []


def _is_database(file: Path) -> bool:
    # The mode first: a file of ours, which is closed to others, must not be opened while SQLite has it locked.
    if not _mode(file) & 0o077:
        return False
    with suppress(OSError), file.open("rb") as opened:
        return opened.read(len(_SQLITE)) == _SQLITE
    return False
