"""RS256 (RFC 7518, section 3.3) for signed statements about ourselves (RFC 7523), with the package cryptography.

The package is optional: only who signs needs it, so it is imported when a key is read.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

#: Bits of a modulus: fewer are breakable, more only slow.
SMALLEST, LARGEST = 2048, 8192
REQUIREMENT = "cryptography>=44"
_NOT_A_KEY = 'is no RSA private key in PEM form, which begins with "-----BEGIN PRIVATE KEY-----", or is damaged'


@dataclass(frozen=True, slots=True)
class PrivateKey:
    """An RSA key that signs."""

    rsa: RSAPrivateKey = field(repr=False)

    def sign(self, message: bytes) -> bytes:
        """The signature of `message`, as long as the modulus."""
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.asymmetric import padding

        return self.rsa.sign(message, padding.PKCS1v15(), hashes.SHA256())


def read_private_key(pem: str) -> PrivateKey:
    """Read a key from PEM, as PKCS #8 or PKCS #1.

    Raises ValueError with what is wrong with it, which never repeats a part of it, or with how to install the package.
    """
    if "ENCRYPTED" in pem:
        raise ValueError("is protected by a passphrase; store it without one: openssl pkey -in KEY -out PLAIN")
    key = _loaded(pem)
    if not SMALLEST <= key.key_size <= LARGEST:
        raise ValueError(f"has {key.key_size} bits; {SMALLEST} to {LARGEST} are accepted")
    return PrivateKey(key)


def signed_statement(claims: Mapping[str, Any], key: PrivateKey) -> str:
    """A JSON Web Token of these claims in compact form."""
    parts = [json.dumps(part, separators=(",", ":")).encode() for part in ({"alg": "RS256"}, claims)]
    body = b".".join(_encoded(part) for part in parts)
    return (body + b"." + _encoded(key.sign(body))).decode()


def _loaded(pem: str) -> RSAPrivateKey:
    """The library's key; it checks that the parts fit together."""
    try:
        from cryptography.exceptions import UnsupportedAlgorithm
        from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
        from cryptography.hazmat.primitives.serialization import load_pem_private_key
    except ImportError:
        command = f'python -m pip install "{REQUIREMENT}"'
        raise ValueError(f"needs the package cryptography, which is not installed: {command}") from None
    try:
        key = load_pem_private_key(pem.encode(), password=None)
    except (ValueError, UnsupportedAlgorithm):
        raise ValueError(_NOT_A_KEY) from None
    if not isinstance(key, RSAPrivateKey):
        raise ValueError(_NOT_A_KEY)  # noqa: TRY004 - it is the value in the configuration that is wrong
    return key


def _encoded(part: bytes) -> bytes:
    return base64.urlsafe_b64encode(part).rstrip(b"=")
