"""Renewed secrets: in a file beside the database that only its owner may read, or sealed in a database of several processes.

Never readable in the database: its copies and backups go to places where no secret of a remote system belongs.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

from connector.model.errors import StoreError
from connector.model.renewed import Renewed
from connector.store.database import Database
from connector.store.files import write_durably
from connector.store.sealing import can_seal, needs_sealing, seal, unseal
from connector.store.shared import SharedStates, StateKind
from connector.store.standing import Standing

ENDING = ".renewed"
#: What the secret of an account is sealed for begins so: no other value can be put in its place.
_USE = "renewed "
_STATES = "shared_states"
_PUT_BACK = "Put back a whole copy, or remove the file: then the configured secrets count again, if they have not ended."


class RenewedFile:
    """The file of one database. Only the process that holds the database writes it."""

    def __init__(self, database: Path) -> None:
        real = Path(os.path.realpath(database))
        self.path = real.with_name(real.name + ENDING)
        self._turn = asyncio.Lock()

    async def load(self) -> list[str]:
        """The accounts of which others have kept something since: none, there are no others."""
        return []

    def can_keep(self) -> bool:
        """Whether something can be kept here at all."""
        return True

    def get(self, account: str) -> Renewed | None:
        """What is kept of an account. Raises StoreError where the file cannot be read."""
        return self.all().get(account)

    def all(self) -> dict[str, Renewed]:
        """What is kept, by account. Raises StoreError where the file cannot be read."""
        try:
            return {account: _from(entry) for account, entry in self._read().items()}
        except (KeyError, TypeError, ValueError) as error:
            raise StoreError(f"The file {self.path.name} is damaged.", hint=_PUT_BACK) from error

    async def keep(self, account: str, renewed: Renewed) -> None:
        """Write the secret of an account, and return once it is on the disk. Raises StoreError."""
        async with self._turn:
            await asyncio.to_thread(self.put, {account: renewed})

    def put(self, renewed: Mapping[str, Renewed]) -> None:
        """The same for several accounts, at once."""
        entries = {account: _written(one) for account, one in renewed.items()}
        try:
            write_durably(self.path, json.dumps({**self._read(), **entries}, indent=1).encode() + b"\n")
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


class RenewedTable:
    """The same for the processes of one database, sealed: one of them keeps a secret, and the others `load` it."""

    def __init__(self, database: Database) -> None:
        self._database, self._states = database, SharedStates(database)
        self._known: dict[str, Renewed] = {}

    async def load(self) -> list[str]:
        """The accounts of which others have kept something since. Raises StoreError where it cannot be read."""
        found = unsealed(await self._states.list(StateKind.RENEWED), self._database.unseal)
        changed = [account for account, renewed in found.items() if renewed != self._known.get(account)]
        self._known = found
        return changed

    def can_keep(self) -> bool:
        """Only where secrets can be sealed."""
        return can_seal()

    def get(self, account: str) -> Renewed | None:
        """What was kept of an account when it was loaded last."""
        return self._known.get(account)

    async def keep(self, account: str, renewed: Renewed) -> None:
        """Return once the server has it on its disk. Raises StoreError."""
        await self._states.save(StateKind.RENEWED, account, sealed(account, renewed, self._database.seal))
        self._known[account] = renewed


def renewed_in(where: Standing, beside: Path, secret: bytes) -> dict[str, Renewed]:
    """What is kept of each account of a database that this process has for itself. Raises StoreError."""
    if not where.columns(_STATES):
        return RenewedFile(beside).all()
    rows = where.ask(f"SELECT name, value FROM {_STATES} WHERE kind = ?", (StateKind.RENEWED.value,))
    states = {name: (json.loads(value), 0.0) for name, value in rows}
    return unsealed(states, partial(unseal, secret))


def put_renewed(where: Standing, beside: Path, secret: bytes, renewed: Mapping[str, Renewed], now: float) -> None:
    """Keep the same in another one. Raises StoreError."""
    if renewed and not where.columns(_STATES):
        RenewedFile(beside).put(renewed)
    elif renewed:
        needs_sealing()
        for account, one in renewed.items():
            values = (StateKind.RENEWED.value, account, json.dumps(sealed(account, one, partial(seal, secret))), now)
            where.ask(f"DELETE FROM {_STATES} WHERE kind = ? AND name = ?", values[:2])
            where.ask(f"INSERT INTO {_STATES} (kind, name, value, at) VALUES (?, ?, ?, ?)", values)


def sealed(account: str, renewed: Renewed, seal: Callable[[str, str], str]) -> dict[str, str]:
    """The value of a shared state."""
    return {"sealed": seal(json.dumps(_written(renewed)), f"{_USE}{account}")}


def unsealed(states: Mapping[str, tuple[Mapping[str, Any], float]], unseal: Callable[[str, str], str]) -> dict[str, Renewed]:
    """What such shared states hold, by account. Raises StoreError."""
    return {account: _from(json.loads(unseal(value["sealed"], f"{_USE}{account}"))) for account, (value, _) in states.items()}


def _written(renewed: Renewed) -> dict[str, str]:
    return {"value": renewed.value, "ends": renewed.ends.isoformat(), "instead_of": renewed.instead_of}


def _from(entry: Mapping[str, Any]) -> Renewed:
    return Renewed(str(entry["value"]), datetime.fromisoformat(entry["ends"]), str(entry["instead_of"]))
