"""Small files of our own that must be whole, on the disk, and for nobody else to read."""

from __future__ import annotations

import os
from pathlib import Path


def write_durably(file: Path, content: bytes) -> None:
    """Put a file in place with mode 0600; after a power cut it is the old or the new one. Raises OSError."""
    part = file.with_name(f".{file.name}.{os.getpid()}.partial")
    handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        os.write(handle, content)
        os.fsync(handle)
    finally:
        os.close(handle)
    part.replace(file)
    folder = os.open(file.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
