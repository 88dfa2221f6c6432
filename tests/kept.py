"""Where the tests have their files: in memory while they run, and outside the repository what is the same for every run."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

#: A folder in memory, and the bytes that must be free there: databases and their servers' files, of several tests at once.
MEMORY, ROOM = Path("/dev/shm"), 4 * 1024**3


def memory() -> Path | None:
    """Where files are in memory; None where there is no such place, no room, or no program may be run from it."""
    if not MEMORY.is_dir() or shutil.disk_usage(MEMORY).free <= ROOM or os.statvfs(MEMORY).f_flag & os.ST_NOEXEC:
        return None
    return MEMORY


def place(name: str) -> Path:
    """For what takes long to make, a folder of this name, which may not be there yet: in XDG_CACHE_HOME, or ~/.cache."""
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "connector-tests" / name
