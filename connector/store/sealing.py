"""Secrets of remote systems in a database that several machines share: encrypted, so that no copy or backup opens anything.

AES-GCM of the package cryptography (NIST SP 800-38D), under a key derived from the secret of the installation, which every
machine has in a file of its own. The package is optional: where it is missing, nothing is sealed.
"""

from __future__ import annotations

import base64
import hmac
import os
from importlib.util import find_spec

from connector.model.errors import StoreError

_NONCE = 12
_INSTALL = 'Install it beside connector: python -m pip install "cryptography>=44"'


def can_seal() -> bool:
    """Whether the package is there."""
    return find_spec("cryptography") is not None


def needs_sealing() -> None:
    """Raise StoreError where it is missing."""
    if not can_seal():
        raise StoreError("Secrets are stored there sealed, and the package cryptography is not installed.", hint=_INSTALL)


def seal(secret: bytes, text: str, name: str) -> str:
    """Encrypt a text for whoever has the installation's secret; it is read again only under the same name."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    nonce = os.urandom(_NONCE)
    return base64.b64encode(nonce + AESGCM(_key(secret)).encrypt(nonce, text.encode(), name.encode())).decode()


def unseal(secret: bytes, sealed: str, name: str) -> str:
    """Decrypt it. Raises StoreError where it was sealed under another secret or name, or the package is missing."""
    needs_sealing()
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    try:
        found = base64.b64decode(sealed, validate=True)
        return AESGCM(_key(secret)).decrypt(found[:_NONCE], found[_NONCE:], name.encode()).decode()
    except (InvalidTag, ValueError) as error:
        raise StoreError(f"What the database holds as {name} is damaged.") from error


def _key(secret: bytes) -> bytes:
    return hmac.digest(secret, b"sealed:", "sha256")
