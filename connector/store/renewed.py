"""Renewed secrets, in a file beside the database that only its owner may read.

Not in the database: its copies and backups go to places where no secret of a remote system belongs.
"""

from __future__ import annotations

import asyncio
import json
import os
from datetime import datetime
from pathlib import Path
from typing import Any

from connector.model.errors import StoreError
from connector.model.renewed import Renewed
from connector.store.files import write_durably

ENDING = ".renewed"
_PUT_BACK = "Put back a whole copy, or remove the file: then the configured secrets count again, if they have not ended."


class RenewedFile:
    """The file of one database. Only the process that holds the database writes it."""

    def __init__(self, database: Path) -> None:
        real = Path(os.path.realpath(database))
        self.path = real.with_name(real.name + ENDING)
        self._turn = asyncio.Lock()

    def get(self, account: str) -> Renewed | None:
        """What is kept of an account. Raises StoreError where the file cannot be read."""
        entry = self._read().get(account)
        if entry is None:
            return None
        try:
            ends = datetime.fromisoformat(entry["ends"])
            return Renewed(value=str(entry["value"]), ends=ends, instead_of=str(entry["instead_of"]))
        except (KeyError, TypeError, ValueError) as error:
            raise StoreError(f"The file {self.path.name} is damaged.", hint=_PUT_BACK) from error

    async def keep(self, account: str, renewed: Renewed) -> None:
        """Write the secret of an account, and return once it is on the disk. Raises StoreError."""
        async with self._turn:
            await asyncio.to_thread(self._keep, account, renewed)

    def _keep(self, account: str, renewed: Renewed) -> None:
        entry = {"value": renewed.value, "ends": renewed.ends.isoformat(), "instead_of": renewed.instead_of}
        try:
            write_durably(self.path, json.dumps({**self._read(), account: entry}, indent=1).encode() + b"\n")
        except OSError as error:
            text = f"The file {self.path.name} cannot be written: {error.strerror}."
            raise StoreError(text, hint="Check the folder: that it may be written and has space.") from error

    def _read(self) -> dict[str, Any]:
        try:
            found = json.loads(self.path.read_bytes())
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            raise StoreError(f"The file {self.path.name} cannot be read.", hint=_PUT_BACK) from error
        if not isinstance(found, dict):
            raise StoreError(f"The file {self.path.name} is damaged.", hint=_PUT_BACK)
        return found
