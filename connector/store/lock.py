"""The lock file beside the database: one process holds it, and says in it how the command line can reach it."""

from __future__ import annotations

import fcntl
import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_fixed

from connector.model.errors import StoreError


class InUse(StoreError):
    """Another process holds the lock file."""


def read_lock(path: Path) -> dict[str, Any] | None:
    """How to reach the process that holds the database; None when no process does; {} when it does not say.

    Raises:
        StoreError: the lock belongs to another user.
    """
    try:
        handle = os.open(_lock_path(path), os.O_RDONLY)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StoreError(
            f"The lock file {_lock_path(path).name} cannot be read: {error.strerror}.",
            hint="Run this as the user who runs the service.",
        ) from error
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        try:
            details = json.loads(os.pread(handle, 65_536, 0) or b"{}")
        except ValueError:
            return {}
        return details if isinstance(details, dict) else {}
    finally:
        os.close(handle)
    return None


def _lock_path(path: Path) -> Path:
    # Beside the file itself, as its WAL is: by whatever name it is opened, it is the same database.
    real = Path(os.path.realpath(path))
    return real.with_name(real.name + ".lock")


def lock(path: Path) -> int:
    """Hold the database for this process until it ends, however it ends; returns the open file.

    Raises:
        InUse: another process holds it.
        StoreError: the folder cannot be written.
    """
    try:
        handle = os.open(_lock_path(path), os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise StoreError(
            f"The database {path.name} cannot be opened: {error.strerror}.",
            hint=f"Check that the folder {path.absolute().parent} exists and that this user may write there.",
        ) from error
    try:
        # A command that only asks who holds the file has it locked for a moment.
        for attempt in Retrying(
            retry=retry_if_exception_type(BlockingIOError), stop=stop_after_delay(1), wait=wait_fixed(0.02), reraise=True
        ):
            with attempt:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        raise InUse(
            f"The database {path.name} is in use by another connector.",
            hint="Stop the running service first, or give this one a database of its own.",
        ) from None
    # What a process that was killed has left there would send commands to an address where nobody is.
    os.ftruncate(handle, 0)
    # It will hold a token. A file that belongs to somebody else and was opened to us on purpose stays as it is.
    with suppress(PermissionError):
        os.fchmod(handle, 0o600)
    return handle


def announce(handle: int, details: dict[str, Any]) -> None:
    """Say in the lock file that is held how the command line can reach this process; only its owner can read it."""
    os.ftruncate(handle, 0)
    os.pwrite(handle, json.dumps(details).encode(), 0)


def give_up(handle: int) -> None:
    """Let the next process hold the database."""
    os.ftruncate(handle, 0)
    os.close(handle)
