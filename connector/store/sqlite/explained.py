"""What SQLite's errors mean, in words, and what to do about each."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from connector.model.errors import ConnectorError, StoreError


def explained(error: BaseException, path: Path) -> ConnectorError | BaseException:
    """sqlite3's errors in our words; anything else unchanged."""
    if isinstance(error, ConnectorError) or not isinstance(error, sqlite3.Error):
        return error
    text, name = str(error), path.name
    known = {
        "locked": (f"The database {name} is locked by another program.", "Close the program that has it open."),
        "readonly": (f"The database {name} cannot be written.", "Check the owner and permissions of the file and its folder."),
        "unable to open": (f"The database {name} cannot be opened.", "Check that the folder exists and may be written."),
        "full": (
            f"The disk that holds {name} is full.",
            "Free some space there, or where temporary files are (/tmp); nothing acknowledged is lost.",
        ),
        "no such table": (f"{name} is not a connector's database yet.", "Start `connector serve`, or fix database.url."),
        "not a database": (f"{name} is not an SQLite database.", "Point database.url at another file."),
        "malformed": (f"The database {name} is damaged.", "Stop the service and restore a backup; see docs/operating.md."),
        "disk I/O": (f"The disk that holds {name} does not work.", "Check the disk and the system log."),
        "interrupted": (f"A query on {name} took too long.", "Ask for less at a time."),
    }
    for sign, (message, hint) in known.items():
        if sign in text:
            return StoreError(message, hint=hint)
    return StoreError(f"The database {name}: {type(error).__name__}: {text}")
