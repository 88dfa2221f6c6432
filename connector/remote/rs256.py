"""RS256 (RFC 7518, section 3.3) for signed statements about ourselves (RFC 7523), without a cryptographic library.

Nothing else here needs such a library, and this signs a few short texts of our own a day. The arithmetic is Python's `pow`,
whose time depends on its operands, so what is signed is blinded with a random factor; and no signature leaves that the public
half does not accept, since a miscalculated one could give the key away. The result is the same as OpenSSL's, bit for bit.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import gcd
from typing import Any

#: Bits of a modulus: fewer are breakable, more only slow.
SMALLEST, LARGEST = 2048, 8192
INTEGER, OCTETS, SEQUENCE = 0x02, 0x04, 0x30
#: What PKCS #1 puts before a SHA-256 digest (RFC 8017, section 9.2).
_SHA256 = bytes.fromhex("3031300d060960864801650304020105000420")
#: rsaEncryption with its empty parameters, as PKCS #8 names the algorithm.
_RSA = bytes.fromhex("06092a864886f70d0101010500")
_PEM = re.compile(r"-----BEGIN ([A-Z0-9 ]+)-----\s*([A-Za-z0-9+/=\s]+?)-----END \1-----")
_NOT_A_KEY = 'is no RSA private key in PEM form, which begins with "-----BEGIN PRIVATE KEY-----"'


@dataclass(frozen=True, slots=True)
class PrivateKey:
    """An RSA key: modulus, public and private exponent."""

    n: int
    e: int
    d: int = field(repr=False)

    def sign(self, message: bytes) -> bytes:
        """The signature of `message`, as long as the modulus. Raises ValueError for a key whose parts do not fit together."""
        length = (self.n.bit_length() + 7) // 8
        padded = int.from_bytes(_padded(message, length))
        blind = secrets.randbelow(self.n - 3) + 2
        signed = pow(padded * pow(blind, self.e, self.n), self.d, self.n) * pow(blind, -1, self.n) % self.n
        if pow(signed, self.e, self.n) != padded:
            raise ValueError("is damaged: its parts do not fit together")
        return signed.to_bytes(length)


def read_private_key(pem: str) -> PrivateKey:
    """Read a key from PEM, as PKCS #8 or PKCS #1.

    Raises ValueError with what is wrong with it, which never repeats a part of it.
    """
    found = _PEM.search(pem)
    if "ENCRYPTED" in pem:
        raise ValueError("is protected by a passphrase; store it without one: openssl pkey -in KEY -out PLAIN")
    if found is None or found[1] not in ("PRIVATE KEY", "RSA PRIVATE KEY"):
        raise ValueError(_NOT_A_KEY)
    try:
        content, _ = _take(SEQUENCE, base64.b64decode("".join(found[2].split()), validate=True))
        n, e, d = _numbers(content if found[1] == "RSA PRIVATE KEY" else _unwrapped(content))
    except (ValueError, IndexError, binascii.Error):
        raise ValueError(_NOT_A_KEY) from None
    if not SMALLEST <= n.bit_length() <= LARGEST:
        raise ValueError(f"has {n.bit_length()} bits; {SMALLEST} to {LARGEST} are taken")
    if n % 2 == 0 or e % 2 == 0 or not 1 < e < d < n or gcd(d, n) != 1:
        raise ValueError("is damaged: its parts do not fit together")
    key = PrivateKey(n, e, d)
    key.sign(b"")
    return key


def signed_statement(claims: Mapping[str, Any], key: PrivateKey) -> str:
    """A JSON Web Token of these claims in compact form."""
    parts = [json.dumps(part, separators=(",", ":")).encode() for part in ({"alg": "RS256"}, claims)]
    body = b".".join(_encoded(part) for part in parts)
    return (body + b"." + _encoded(key.sign(body))).decode()


def _padded(message: bytes, length: int) -> bytes:
    digest = _SHA256 + hashlib.sha256(message).digest()
    return b"\x00\x01" + b"\xff" * (length - len(digest) - 3) + b"\x00" + digest


def _encoded(part: bytes) -> bytes:
    return base64.urlsafe_b64encode(part).rstrip(b"=")


def _unwrapped(content: bytes) -> bytes:
    """The RSAPrivateKey inside a PKCS #8 PrivateKeyInfo: version, algorithm, the key's octets."""
    _, rest = _take(INTEGER, content)
    algorithm, rest = _take(SEQUENCE, rest)
    if algorithm != _RSA:
        raise ValueError("another algorithm")
    octets, _ = _take(OCTETS, rest)
    return _take(SEQUENCE, octets)[0]


def _numbers(content: bytes) -> tuple[int, int, int]:
    """Modulus, public and private exponent of an RSAPrivateKey; what speeds the arithmetic up comes after them."""
    numbers = []
    for _ in range(4):
        number, content = _take(INTEGER, content)
        numbers.append(int.from_bytes(number, signed=True))
    version, n, e, d = numbers
    if version != 0:
        raise ValueError("a key of several primes")
    return n, e, d


def _take(tag: int, data: bytes) -> tuple[bytes, bytes]:
    """Split DER into the content of its first element, which must have this tag, and what follows."""
    if data[0] != tag:
        raise ValueError("another element")
    size, start = data[1], 2
    if size & 0x80:
        start += size & 0x7F
        size = int.from_bytes(data[2:start])
    if len(data) < start + size:
        raise ValueError("cut short")
    return data[start : start + size], data[start + size :]
