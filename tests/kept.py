"""Where the tests keep what takes long to make and is the same for every run: outside the repository, for good."""

from __future__ import annotations

import os
from pathlib import Path


def place(name: str) -> Path:
    """A folder of this name, which may not be there yet: in XDG_CACHE_HOME, or ~/.cache."""
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "connector-tests" / name
