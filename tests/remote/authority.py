"""Certificates of a private authority, made with nothing but the standard library (ECDSA on P-256, X.509 version 3)."""

import base64
import hashlib
import ipaddress
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

P = 2**256 - 2**224 + 2**192 + 2**96 - 1
N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
G = (
    0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
    0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5,
)


def _add(one, two):
    if one is None or two is None:
        return one or two
    if one[0] == two[0]:
        if (one[1] + two[1]) % P == 0:
            return None
        slope = (3 * one[0] ** 2 - 3) * pow(2 * one[1], -1, P) % P
    else:
        slope = (two[1] - one[1]) * pow(two[0] - one[0], -1, P) % P
    x = (slope * slope - one[0] - two[0]) % P
    return x, (slope * (one[0] - x) - one[1]) % P


def _times(factor, point=G):
    found = None
    while factor:
        if factor & 1:
            found = _add(found, point)
        point, factor = _add(point, point), factor >> 1
    return found


def tlv(tag: int, *parts: bytes) -> bytes:
    content = b"".join(parts)
    size = len(content)
    long = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag]) + (bytes([size]) if size < 128 else bytes([128 + len(long)]) + long) + content


def sequence(*parts: bytes) -> bytes:
    return tlv(0x30, *parts)


def number(value: int) -> bytes:
    return tlv(2, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def oid(text: str) -> bytes:
    first, second, *rest = map(int, text.split("."))
    found = bytes([first * 40 + second])
    for part in rest:
        digits = [part & 127]
        while part := part >> 7:
            digits.append(part & 127 | 128)
        found += bytes(reversed(digits))
    return tlv(6, found)


def bits(content: bytes) -> bytes:
    return tlv(3, b"\0", content)


def name(common: str) -> bytes:
    return sequence(tlv(0x31, sequence(oid("2.5.4.3"), tlv(12, common.encode()))))


def extension(kind: str, content: bytes, *, critical: bool = False) -> bytes:
    return sequence(oid(kind), b"\x01\x01\xff" if critical else b"", tlv(4, content))


def pem(label: str, content: bytes) -> str:
    return f"-----BEGIN {label}-----\n{base64.encodebytes(content).decode()}-----END {label}-----\n"


@dataclass
class Pair:
    """A certificate and its key, as files in PEM form."""

    cert: Path
    key: Path


class Authority:
    """Signs certificates for names and addresses."""

    def __init__(self, folder: Path, called: str = "private") -> None:
        self.folder, self.called = folder, called
        self.secret = secrets.randbelow(N - 1) + 1
        self.ca = self._write(called, called, self.secret, [], days=(-1, 30), is_ca=True)

    def issue(self, called: str, *hosts: str, days: tuple[int, int] = (-1, 30)) -> Pair:
        """A certificate for `hosts`, valid from and to these days from now."""
        return self._write(f"{self.called}-{called}", called, secrets.randbelow(N - 1) + 1, list(hosts), days=days, is_ca=False)

    def _write(self, file, common, secret, hosts, *, days, is_ca) -> Pair:
        public = sequence(sequence(oid("1.2.840.10045.2.1"), oid("1.2.840.10045.3.1.7")), bits(point := _bytes(_times(secret))))
        ours = hashlib.sha1(_bytes(_times(self.secret))).digest()
        extensions = [
            extension("2.5.29.19", sequence(b"\x01\x01\xff" if is_ca else b""), critical=True),
            extension("2.5.29.15", tlv(3, b"\x01\x06" if is_ca else b"\x07\x80"), critical=True),
            extension("2.5.29.14", tlv(4, hashlib.sha1(point).digest())),
            extension("2.5.29.35", sequence(tlv(0x80, ours))),
        ]
        if hosts:
            extensions.append(extension("2.5.29.17", sequence(*map(_host, hosts))))
        ecdsa = sequence(oid("1.2.840.10045.4.3.2"))
        now = datetime.now(UTC)
        valid = [tlv(23, (now + timedelta(days=day)).strftime("%y%m%d%H%M%SZ").encode()) for day in days]
        body = sequence(
            tlv(0xA0, number(2)), number(secrets.randbits(64)), ecdsa, name(self.called), sequence(*valid), name(common),
            public, tlv(0xA3, sequence(*extensions)),
        )  # fmt: skip
        cert, key = self.folder / f"{file}.pem", self.folder / f"{file}.key"
        cert.write_text(pem("CERTIFICATE", sequence(body, ecdsa, bits(self._sign(body)))))
        curve = tlv(0xA0, oid("1.2.840.10045.3.1.7"))
        private = sequence(number(1), tlv(4, secret.to_bytes(32, "big")), curve, tlv(0xA1, bits(point)))
        key.write_text(pem("EC PRIVATE KEY", private))
        return Pair(cert, key)

    def _sign(self, body: bytes) -> bytes:
        once = secrets.randbelow(N - 1) + 1
        r = _times(once)[0] % N
        digest = int.from_bytes(hashlib.sha256(body).digest(), "big")
        return sequence(number(r), number(pow(once, -1, N) * (digest + r * self.secret) % N))


def _bytes(point) -> bytes:
    return b"\x04" + point[0].to_bytes(32, "big") + point[1].to_bytes(32, "big")


def _host(host: str) -> bytes:
    try:
        return tlv(0x87, ipaddress.ip_address(host).packed)
    except ValueError:
        return tlv(0x82, host.encode())
