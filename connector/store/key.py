"""The secret of the installation, under which identity keys are stored: 32 random bytes in a file beside the database.

A phone number is one of a few billion: a plain hash of it is found again within seconds. With the secret, a stolen
database or backup alone says nothing. It must not be lost either: what we remember would not be recognised any more.
So the database holds the secret's fingerprint, and is never used with another one.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
import sqlite3
from pathlib import Path

from connector.model.errors import StoreError
from connector.store.files import write_durably

ENDING = ".key"
_BYTES = 32


class Key:
    """The secret. `keyed` is what is stored and looked up in an identity key's place."""

    def __init__(self, secret: bytes) -> None:
        self.secret = secret
        self.fingerprint = hmac.digest(secret, b"fingerprint", "sha256").hex()
        # `hmac.digest` lets other threads run meanwhile and may wait for milliseconds to go on; this does not.
        self._begun = hmac.new(secret, b"identity:", hashlib.sha256)

    def keyed(self, key: str) -> str:
        """The stored form of a digest; what stands before its colon (`email`, `phone`) stays."""
        kind, colon, _ = key.rpartition(":")
        digest = self._begun.copy()
        digest.update(key.encode())
        return f"{kind}{colon}{digest.hexdigest()}"


def key_file(path: Path) -> Path:
    """Where the secret of the database at `path` is."""
    real = Path(os.path.realpath(path))
    return real.with_name(real.name + ENDING)


def fingerprint_of(connection: sqlite3.Connection) -> str | None:
    """The fingerprint of the secret a database was written with; None before the first, also in files of older versions."""
    if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'installation'").fetchall():
        return None
    row = connection.execute("SELECT value FROM installation WHERE name = 'key'").fetchone()
    return None if row is None else str(row[0])


def load_key(path: Path, fingerprint: str | None) -> Key:
    """Read the secret of a database, or make one where the database has never had any.

    Raises:
        StoreError: the file is missing, cannot be read, or is not the one that the database was written with.
    """
    key = _read(key_file(path))
    if key is None and fingerprint is None:
        return _write(key_file(path), secrets.token_bytes(_BYTES))
    return check_key(path, key, fingerprint)


def share_key(path: Path, other: Path) -> bool:
    """Give the database at `other` the secret of the one at `path`, in a file of its own; returns whether it had none.

    Raises:
        StoreError: there is another secret already, or the file cannot be read or written.
    """
    key, there = _read(key_file(path)), _read(key_file(other))
    if key is None:
        raise StoreError(f"The key file {key_file(path).name} is missing.", hint="Put it beside the database again.")
    if there is None:
        _write(key_file(other), key.secret)
        return True
    if there.fingerprint != key.fingerprint:
        name = key_file(other).name
        text = f"The key file {name} is there already, and belongs to another database."
        raise StoreError(text, hint=f"Move {name} to another place if no database needs it there, and run this again.")
    return False


def matches(path: Path, fingerprint: str | None) -> None:
    """Make sure that the secret beside `path` is the one with this fingerprint. Raises StoreError."""
    if fingerprint is not None:
        check_key(path, _read(key_file(path)), fingerprint)


def check_key(path: Path, key: Key | None, fingerprint: str | None) -> Key:
    """Answer the secret. Raises StoreError where there is none, or another than the fingerprint's."""
    if key is not None and fingerprint in (None, key.fingerprint):
        return key
    name = key_file(path).name
    what = "is missing" if key is None else "belongs to another database"
    raise StoreError(
        f"The key file {name} {what}: without the right one, the people that {path.name} remembers are not recognised.",
        hint=f"Put the {name} that belongs to this database (or backup) beside it."
        " If it is lost for good: connector restore BACKUP --key-lost",
    )


def _read(file: Path) -> Key | None:
    try:
        text = file.read_text(encoding="ascii").strip()
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise StoreError(f"The key file {file.name} cannot be read.", hint="Check its owner and permissions.") from error
    try:
        secret = bytes.fromhex(text)
    except ValueError:
        secret = b""
    if len(secret) != _BYTES:
        raise StoreError(f"The key file {file.name} is damaged.", hint="Put back the copy that you keep with the backups.")
    return Key(secret)


def _write(file: Path, secret: bytes) -> Key:
    """Write a secret, on the disk before anything is stored under it."""
    try:
        write_durably(file, secret.hex().encode() + b"\n")
    except OSError as error:
        text = f"The key file {file.name} cannot be written: {error.strerror}."
        raise StoreError(text, hint="Check the folder: that it exists, may be written and has space.") from error
    return Key(secret)
